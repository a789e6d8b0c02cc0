"""One synthetic face, with or without a mask.

Everything around the mouth (person, pose, light, background, size, sharpness) is drawn from a random generator that
does not know the class, so only the mask separates the two classes. One face in five is a hard case.
"""

import math
from collections.abc import Sequence
from typing import Any, TypeVar

import numpy as np
from PIL import Image, ImageChops, ImageDraw, ImageFilter

from maskkit.sources.canvas import SIDE, Canvas, Colour, Points, Scene, darker, lighter, mirror, mix, oval, to_rgb

Choice = TypeVar("Choice")
LABELS = ("with_mask", "without_mask")
HARD_EVERY = 5  # of five faces one is a hard case
HARD_KINDS = (  # (with_mask, without_mask), in turn; the two of a row share all but the mouth region
    ("hand", "hand"),
    ("scarf", "scarf"),
    ("dark", "dark"),
    ("blur", "blur"),
    ("hair", "hair"),
    ("skin_mask", "light_beard"),
    ("printed_smile", "beard"),
    ("clear_mask", "foam"),
    ("printed_smile", "chin_mask"),
)
SIZE_PX = (80, 256)  # smallest and largest photo; all are square

SKINS = ("#f9d5b6", "#f3c7a5", "#e8b48c", "#d69a6e", "#bd8056", "#9c6542", "#7a4b30", "#57341f")
HAIRS = ("#1d1a1c", "#2e211c", "#4a3024", "#6e4629", "#8f5b30", "#c08f4f", "#dcb974", "#9a4a2c", "#8d8a88", "#d8d4cd")
LIGHT_HAIRS = ("#d8d4cd", "#ecebe6", "#dcb974", "#c9a877")
CLOTHES = (
    "#2f4858", "#33658a", "#86bbd8", "#758e4f", "#f6ae2d", "#f26419", "#a63d40", "#6d597a",
    "#e8e4da", "#3a3a45", "#c97b84", "#5b8e7d", "#bc4b51", "#8cb369", "#f4e285", "#dfe7ec",
)  # fmt: skip
WALLS = (
    "#dce3e6", "#cfd8c8", "#e9dcc9", "#c7d3df", "#d9cbd8", "#b8c4bb", "#a9bcd0", "#e6c9b8",
    "#8fa3ad", "#5d737e", "#6b705c", "#41505a", "#f0ebe0", "#7d8597",
)  # fmt: skip
MASKS = {
    "surgical": ("#a9d6e8", "#9ccfd8", "#b9e0c9", "#f2f5f5", "#f3c9d3", "#8fbfe0"),
    "cloth": CLOTHES,
    "ffp2": ("#f4f4f0", "#ffffff", "#ece9e2", "#33343a", "#b5c7d6"),
    "black": ("#1b1c20", "#26272c", "#2b2a33"),
}
OUTLINES = {  # right half from the nose to below the chin; x and y in half head widths
    "surgical": ((0, 0.16), (0.3, 0.25), (0.86, 0.34), (0.85, 0.9), (0.5, 1.25), (0, 1.37)),
    "cloth": ((0, 0.13), (0.35, 0.27), (0.93, 0.42), (0.84, 0.86), (0.45, 1.28), (0, 1.4)),
    "ffp2": ((0, 0.1), (0.26, 0.24), (0.84, 0.5), (0.82, 0.86), (0.44, 1.3), (0, 1.42)),
    "black": ((0, 0.14), (0.35, 0.3), (0.95, 0.38), (0.86, 0.8), (0.42, 1.26), (0, 1.37)),
}
HEAD = ((0, -1.25), (0.55, -1.13), (0.92, -0.68), (1.0, -0.05), (0.94, 0.5), (0.74, 0.96), (0.34, 1.26), (0, 1.32))


def pick(rng: np.random.Generator, choices: Sequence[Choice]) -> Choice:
    return choices[int(rng.random() * len(choices))]


def between(rng: np.random.Generator, low: float, high: float) -> float:
    return low + (high - low) * rng.random()


def draw_scene(rng: np.random.Generator, hard: Sequence[str]) -> Scene:
    """What does not depend on the class; `hard` is a row of HARD_KINDS or ()."""
    size = round(SIZE_PX[0] * (SIZE_PX[1] / SIZE_PX[0]) ** rng.random())
    angle = between(rng, -2.6, -0.5)
    scene: Scene = {
        "size": size,
        "background": pick(rng, ("plain", "gradient", "bokeh", "room", "outdoor")),
        "skin": pick(rng, SKINS),
        "hair": pick(rng, ("short", "part", "fringe", "curly", "bun", "long", "long", "bob", "bald", "afro")),
        "hair_colour": pick(rng, HAIRS),
        "cover": pick(rng, ("none",) * 7 + ("hat", "beanie", "headscarf")),
        "glasses": pick(rng, ("none", "none", "none", "round", "square")),
        "beard": pick(rng, ("none",) * 7 + ("moustache", "goatee", "stubble")),
        "mouth": pick(rng, ("calm", "smile", "teeth", "open")),
        "clothing": pick(rng, ("crew", "crew", "shirt", "vneck", "hood", "scarf")),
        "cloth": pick(rng, CLOTHES),
        "second": pick(rng, CLOTHES),
        "turn": between(rng, -0.42, 0.42),
        "tilt": between(rng, -0.2, 0.2),
        "nod": between(rng, -0.08, 0.12),
        "wide": between(rng, 0.9, 1.04),
        "unit": between(rng, 0.225, 0.285),
        "centre": (0.5 + between(rng, -0.05, 0.05), 0.435 + between(rng, -0.03, 0.03)),
        "light": (math.cos(angle), math.sin(angle)),
        "brightness": between(rng, 0.72, 1.12),
        "warmth": between(rng, -0.03, 0.07),
        "blur": between(rng, 0.0, 0.004) if rng.random() < 0.7 else between(rng, 0.004, 0.011),
        "noise": between(rng, 0, 9),
        "grey": rng.random() < 0.05,
        "hand": "hand" in hard,
        "scarf_top": between(rng, 0.82, 0.98) if "scarf" in hard else between(rng, 1.16, 1.34),
    }
    if scene["cover"] != "none" and scene["hair"] in ("afro", "bun"):
        scene["hair"] = "short"
    if "scarf" in hard:
        scene["clothing"] = "scarf"
    if "dark" in hard:
        scene.update(brightness=between(rng, 0.22, 0.36), noise=between(rng, 6, 12))
    if "blur" in hard:
        scene["blur"] = between(rng, 0.022, 0.034)
    if "hair" in hard:
        scene.update(hair="long", cover="none")
    if scene["cover"] == "headscarf":
        scene.update(beard="none", cover="beanie" if "beard" in hard else "headscarf")
    if "beard" in hard:
        scene.update(beard="full", hair_colour=pick(rng, HAIRS[:4]))
    if "light_beard" in hard:
        scene.update(beard="full", hair_colour=pick(rng, LIGHT_HAIRS))
    return scene


def background(canvas: Canvas, rng: np.random.Generator) -> None:
    kind, wall = canvas.scene["background"], pick(rng, WALLS)
    other, draw = pick(rng, WALLS), ImageDraw.Draw(canvas.image)
    draw.rectangle((0, 0, SIDE, SIDE), fill=wall)
    if kind in ("gradient", "outdoor"):
        fade = Image.linear_gradient("L").resize((SIDE, SIDE))
        sky = ("#bcdcf0", "#8fbfe0", "#f3d9b8", "#cfd9df")
        canvas.image.paste(pick(rng, sky) if kind == "outdoor" else wall, (0, 0, SIDE, SIDE))
        canvas.paint(fade, other if kind == "gradient" else "#f6f1e4", 0.9)
    if kind == "bokeh":
        for _ in range(14):
            x, y, r = rng.random() * SIDE, rng.random() * SIDE, between(rng, 18, 70)
            colour = mix(wall, pick(rng, CLOTHES), between(rng, 0.15, 0.55))
            draw.ellipse((x - r, y - r, x + r, y + r), fill=colour)
    if kind == "room":
        draw.rectangle((0, SIDE * between(rng, 0.6, 0.85), SIDE, SIDE), fill=darker(wall, 0.25))
        for _ in range(4):
            x, y = rng.random() * SIDE, rng.random() * SIDE * 0.6
            w, h = between(rng, 50, 130), between(rng, 50, 220)
            draw.rectangle((x, y, x + w, y + h), fill=lighter(other, 0.3), outline=darker(other, 0.45), width=8)
            draw.rectangle((x + 18, y + 18, x + w - 18, y + h - 18), fill=pick(rng, CLOTHES))
    if kind == "outdoor":
        for base, green in ((0.55, "#a8bfa0"), (0.7, "#7f9f78"), (0.86, "#5f8060")):
            phase, height = rng.random() * 6, between(rng, 20, 60)
            hill = [(x, SIDE * base + height * math.sin(x / 90 + phase)) for x in range(0, SIDE + 32, 32)]
            draw.polygon([(0, SIDE), *hill, (SIDE, SIDE)], fill=green)
    if kind != "plain":
        small = canvas.image.resize((SIDE // 4, SIDE // 4), Image.Resampling.BOX)
        blurred = small.filter(ImageFilter.GaussianBlur(between(rng, 0.4, 3.5)))
        canvas.image.paste(blurred.resize((SIDE, SIDE), Image.Resampling.BILINEAR))


def hair_behind(canvas: Canvas, rng: np.random.Generator) -> None:
    scene = canvas.scene
    colour = darker(scene["hair_colour"], 0.25)
    if scene["cover"] == "headscarf":
        canvas.fill(
            mirror(((0, -1.5), (0.8, -1.3), (1.28, -0.4), (1.3, 0.6), (1.25, 1.7), (0, 2.0))),
            darker(scene["second"], 0.2),
        )
    elif scene["hair"] in ("long", "bob"):
        end = between(rng, 1.7, 2.2) if scene["hair"] == "long" else between(rng, 0.9, 1.15)
        canvas.fill(
            mirror(((0, -1.45), (0.75, -1.3), (1.22, -0.5), (1.28, 0.4), (1.2, end - 0.1), (0.8, end), (0, end))),
            colour,
        )
    elif scene["hair"] == "afro":
        for i in range(16):
            a = math.pi * (0.9 + 1.2 * i / 15)
            canvas.fill(oval(1.15 * math.cos(a), -0.45 + 1.05 * math.sin(a), 0.48, 0.48), colour)
    elif scene["hair"] == "bun":
        canvas.fill(oval(between(rng, -0.2, 0.2), -1.6, 0.45, 0.4), colour)


def body(canvas: Canvas) -> None:
    """Neck, shoulders and clothing."""
    scene, skin, cloth = canvas.scene, canvas.scene["skin"], canvas.scene["cloth"]
    canvas.fill(mirror(((0.5, 0.6), (0.56, 1.8), (0.9, 2.4))), darker(skin, 0.12), smooth=False)
    canvas.glow(
        oval(0, 1.25, 0.62, 0.42),
        darker(skin, 0.65),
        0.55,
        0.12,
        clip=canvas.area(mirror(((0.5, 0.6), (0.56, 2.4))), smooth=False),
    )
    neck = 2.15 if scene["clothing"] == "vneck" else 1.72
    shoulders = mirror(
        ((0, neck), (0.42, 1.66), (0.62, 1.58), (1.3, 1.85), (1.95, 2.2), (2.3, 3.2), (2.3, 4.2), (0, 4.2))
    )
    area = canvas.area(shoulders)
    canvas.paint(area, cloth)
    canvas.paint(ImageChops.multiply(area, canvas.shadow), darker(cloth, 0.6), 0.35)
    if scene["clothing"] == "crew":
        canvas.line(((-0.6, 1.58), (-0.4, 1.7), (0, 1.78), (0.4, 1.7), (0.6, 1.58)), darker(cloth, 0.25), 0.09)
    if scene["clothing"] == "hood":
        canvas.fill(mirror(((0, 1.95), (0.5, 1.6), (0.75, 1.3), (1.25, 1.75), (0, 2.25))), darker(cloth, 0.2))
    if scene["clothing"] == "shirt":
        for side in (-1, 1):
            canvas.fill(
                ((side * 0.55, 1.45), (side * 0.78, 1.7), (side * 0.38, 2.1), (side * 0.02, 1.8)),
                lighter(scene["second"], 0.45),
                smooth=False,
            )
        canvas.line(((0, 1.85), (0, 2.4), (0, 3)), darker(cloth, 0.3), 0.04)


def scarf(canvas: Canvas) -> None:
    """A knitted scarf around the neck; as a hard case it reaches up to the mouth."""
    top, colour = canvas.scene["scarf_top"], canvas.scene["second"]
    band = mirror(((0, top + 0.1), (0.6, top), (1.08, top - 0.08), (1.2, top + 0.45), (0.95, 2.1), (0, 2.25)))
    area = canvas.area(band)
    canvas.paint(area, colour)
    canvas.paint(ImageChops.multiply(area, canvas.shadow), darker(colour, 0.6), 0.45)
    for i in range(3):
        y = top + 0.3 + 0.3 * i
        canvas.line(((-1.1, y - 0.15), (-0.4, y + 0.05), (0.4, y + 0.05), (1.1, y - 0.15)), darker(colour, 0.25), 0.04)


def head(canvas: Canvas) -> Image.Image:
    """Ears and head; returns the head's mask."""
    skin = canvas.scene["skin"]
    for side in (-1, 1):
        x = side * (1.0 - 0.1 * side * canvas.scene["turn"])
        canvas.fill(oval(x, 0.12, 0.17, 0.3), darker(skin, 0.08))
        canvas.line(((x, -0.02), (x + side * 0.07, 0.08), (x, 0.25)), darker(skin, 0.3), 0.035)
    area = canvas.area(mirror(HEAD))
    canvas.paint(area, skin)
    canvas.model(area, mix(skin, "#d8602a", 0.3), 0.36)
    blush = mix(skin, "#d8504a", 0.5)
    for side in (-1, 1):
        canvas.front.glow(oval(side * 0.52, 0.42, 0.22, 0.17), blush, 0.35, 0.12, clip=area)
    return area


def eyes(canvas: Canvas, rng: np.random.Generator) -> None:
    scene, skin = canvas.scene, canvas.scene["skin"]
    iris = pick(rng, ("#3b2a20", "#5b3a22", "#2b2320", "#4f6d7a", "#5d7052"))
    look, lid, arch = between(rng, -0.05, 0.05), between(rng, 0.085, 0.125), between(rng, 0.02, 0.09)
    brow = darker(scene["hair_colour"], 0.45 if scene["hair_colour"] in LIGHT_HAIRS else 0.3)
    for s in (-1, 1):
        x = s * 0.4
        shape = ((x - 0.2, 0.01), (x - 0.08, -lid), (x + 0.08, -lid), (x + 0.2, 0.01), (x, lid * 0.75))
        canvas.glow(oval(x, -0.03, 0.26, 0.16), darker(skin, 0.55), 0.3, 0.06)
        white = canvas.area(shape)
        canvas.paint(white, "#f7f3ee")
        canvas.fill(oval(x + look, -0.01, 0.095, 0.1), iris, clip=white)
        canvas.fill(oval(x + look, -0.01, 0.045, 0.05), "#120d0d", clip=white)
        canvas.fill(oval(x + look + 0.035, -0.04, 0.022, 0.022), "#ffffff")
        canvas.line(((x - 0.21, 0.02), (x - 0.08, -lid), (x + 0.08, -lid), (x + 0.21, 0.02)), darker(skin, 0.8), 0.035)
        canvas.line(((x - s * 0.2, -0.26), (x, -0.29 - arch), (x + s * 0.24, -0.24)), brow, 0.07)


def nose(canvas: Canvas) -> None:
    skin, side = canvas.scene["skin"], -1 if canvas.scene["light"][0] > 0 else 1
    canvas.glow(((0.02 * side, -0.1), (side * 0.16, 0.4), (side * 0.05, 0.5), (0, 0.3)), darker(skin, 0.6), 0.4, 0.04)
    canvas.line(((-0.14, 0.42), (-0.07, 0.48), (0, 0.46), (0.07, 0.48), (0.14, 0.42)), darker(skin, 0.38), 0.04)
    canvas.glow(oval(-side * 0.04, 0.32, 0.06, 0.09), lighter(skin, 0.8), 0.4, 0.04)


def mouth(canvas: Canvas, rng: np.random.Generator, kind: str, y: float = 0.79) -> None:
    lips = mix(canvas.scene["skin"], pick(rng, ("#b03a48", "#a8504c", "#8c3b3b")), between(rng, 0.35, 0.65))
    w, up = between(rng, 0.26, 0.36), {"calm": 0.0, "smile": 0.06, "teeth": 0.1, "open": 0.03}[kind]
    if kind in ("teeth", "open"):
        low = 0.16 if kind == "teeth" else 0.2
        canvas.fill(mirror(((0, y - 0.06), (w, y - up), (w * 0.6, y + low * 0.7), (0, y + low))), lips)
        inside = canvas.area(mirror(((0, y - 0.01), (w * 0.85, y - up + 0.02), (0, y + low - 0.05))))
        canvas.paint(inside, "#5a1f24")
        canvas.fill(oval(0, y - 0.05, w, 0.13 if kind == "teeth" else 0.08), "#fbf7f0", clip=inside)
    else:
        canvas.fill(mirror(((0, y - 0.04), (0.1, y - 0.06), (w, y - up), (0.12, y + 0.1))), lips)
        canvas.line(((-w, y - up), (0, y + 0.01), (w, y - up)), darker(lips, 0.45), 0.03)


def beard(canvas: Canvas, area: Image.Image, kind: str) -> None:
    colour = darker(canvas.scene["hair_colour"], 0.12)
    if kind in ("full", "stubble"):
        chin = mirror(((0, 0.57), (0.42, 0.62), (0.8, 0.5), (1.02, 0.15), (1.0, 1.0), (0.4, 1.42)))
        if kind == "full":
            canvas.fill(chin, colour, clip=ImageChops.lighter(area, canvas.area(oval(0, 1.1, 0.66, 0.4))))
            canvas.model(ImageChops.multiply(area, canvas.area(chin)), colour, 0.25)
        else:
            canvas.glow(chin, colour, 0.4, 0.06, clip=area)
    if kind in ("moustache", "goatee", "full"):
        canvas.front.fill(mirror(((0, 0.56), (0.2, 0.58), (0.4, 0.78), (0.15, 0.69), (0, 0.68))), colour)
    if kind == "goatee":
        canvas.front.fill(mirror(((0, 0.94), (0.2, 0.98), (0.22, 1.25), (0, 1.38))), colour)


def mask(canvas: Canvas, rng: np.random.Generator, hard: str = "") -> str:
    """A mask over nose and mouth, or on the chin; returns its kind."""
    kind = pick(rng, ("surgical", "surgical", "cloth", "cloth", "ffp2", "black"))
    colour: Colour = pick(rng, MASKS[kind])
    if hard == "skin_mask":
        kind, colour = (
            pick(rng, ("cloth", "surgical")),
            mix(darker(canvas.scene["skin"], 0.06), "#c08a72", between(rng, 0, 0.2)),
        )
    if hard == "printed_smile":
        kind, colour = "cloth", mix(canvas.scene["skin"], colour, between(rng, 0, 0.5))
    if hard == "clear_mask":
        kind = "surgical"
    shape: Points = OUTLINES[kind]
    if hard == "chin_mask":
        shape = [(x * 0.98, 0.96 + (y - shape[0][1]) * 0.42 - 0.12 * x) for x, y in shape]
    rim = darker(colour, 0.22) if sum(to_rgb(colour)) > 200 else lighter(colour, 0.25)
    for s in (-1, 1):  # ear loops
        for x, y in (shape[2], shape[3]):
            canvas.line(
                ((s * x, y), (s * 0.95, (y + 0.1) / 2 + 0.05), (s * 1.0, 0.08)), mix(colour, "#f5f5f5", 0.5), 0.035
            )
    area = canvas.area(mirror(shape))
    below = canvas.image.copy()
    canvas.glow([(x, y + 0.04) for x, y in mirror(shape)], "#1a1020", 0.4, 0.06)
    canvas.paint(area, colour)
    (pleats if kind == "surgical" else seams if kind in ("ffp2", "black") else pattern)(canvas, rng, area, shape, rim)
    canvas.model(area, colour, 0.42)
    if hard == "printed_smile":
        mouth(canvas, rng, pick(rng, ("smile", "teeth")), y=0.8)
    if hard == "clear_mask":
        window = canvas.area(oval(0, 0.76, 0.56, 0.34))
        canvas.image.paste(Image.blend(below, Image.new("RGB", (SIDE, SIDE), "#f4f8fa"), 0.14), mask=window)
        canvas.line(((-0.4, 0.62), (-0.3, 0.54), (-0.15, 0.5)), "#ffffff", 0.05)
    return kind


def pleats(canvas: Canvas, rng: np.random.Generator, area: Image.Image, shape: Points, rim: Colour) -> None:
    top, low = shape[0][1], shape[-1][1]
    for share in (0.3, 0.5, 0.7):
        y = top + (low - top) * share
        canvas.line(((-0.9, y - 0.04), (0, y + 0.06), (0.9, y - 0.04)), rim, 0.035, clip=area)
    canvas.line([(x, y + 0.07) for x, y in (*[(-x, y) for x, y in shape[2:0:-1]], *shape[:3])], rim, 0.03, clip=area)


def seams(canvas: Canvas, rng: np.random.Generator, area: Image.Image, shape: Points, rim: Colour) -> None:
    canvas.line([(0.0, y) for y in np.linspace(shape[0][1], shape[-1][1], 4)], rim, 0.035, clip=area)
    for s in (-1, 1):
        canvas.line(
            ((s * 0.8, shape[2][1] + 0.06), (s * 0.55, 0.75 * shape[3][1]), (s * 0.7, shape[3][1])),
            rim,
            0.025,
            clip=area,
        )


def pattern(canvas: Canvas, rng: np.random.Generator, area: Image.Image, shape: Points, rim: Colour) -> None:
    kind, ink = pick(rng, ("plain", "plain", "dots", "stripes", "checks")), pick(rng, CLOTHES)
    step = between(rng, 0.17, 0.27)
    ticks = np.arange(-0.95, 1.0, step)
    if kind == "dots":
        for i, x in enumerate(ticks):
            for y in np.arange(0.1 + step / 2 * (i % 2), 1.5, step):
                canvas.fill(oval(x, y, step * 0.25, step * 0.25, 8), ink, clip=area)
    if kind in ("stripes", "checks"):
        for y in np.arange(0.15, 1.5, step):
            canvas.line(((-1, y), (0, y + 0.06), (1, y)), ink, step * 0.4, clip=area)
    if kind == "checks":
        for x in ticks:
            canvas.line(((x, 0), (x, 0.7), (x, 1.5)), mix(ink, "#ffffff", 0.3), step * 0.3, clip=area)
    canvas.line(((0, 0.1), (0, 0.7), (0, 1.45)), rim, 0.025, clip=area)


def foam(canvas: Canvas, rng: np.random.Generator) -> None:
    """Shaving foam all around the mouth."""
    for i in range(26):
        a, r = math.pi * (i / 25), between(rng, 0.1, 0.2)
        x, y = math.cos(a) * between(rng, 0.5, 0.78), 0.62 + math.sin(a) * between(rng, 0.42, 0.58)
        canvas.fill(oval(x, y, r, r * 0.9), mix("#ffffff", "#cfdbe4", between(rng, 0, 0.5)))
    for x in np.linspace(-0.4, 0.4, 7):
        canvas.fill(oval(x, 0.6 + 0.1 * abs(x), 0.11, 0.08), mix("#ffffff", "#cfdbe4", between(rng, 0, 0.4)))


def glasses(canvas: Canvas, rng: np.random.Generator) -> None:
    kind, frame = canvas.scene["glasses"], pick(rng, ("#1f1f24", "#5a3825", "#7a1f2b", "#8a8d91", "#27425f"))
    if kind == "none":
        return
    for s in (-1, 1):
        lens = list(oval(s * 0.4, 0.0, 0.28, 0.25))
        if kind == "square":
            lens = [
                (s * 0.4 + dx * 0.27, dy * 0.2)
                for dx, dy in ((-1, -0.9), (0, -1.05), (1, -0.9), (1, 0.3), (0.6, 1), (-0.6, 1), (-1, 0.3))
            ]
        canvas.line([*lens, lens[0]], frame, 0.055)
        canvas.line(((s * 0.68, -0.05), (s * 0.85, -0.06), (s * 0.99, 0.0)), frame, 0.05)
    canvas.line(((-0.13, -0.03), (0, -0.08), (0.13, -0.03)), frame, 0.05)


def hair_front(canvas: Canvas, rng: np.random.Generator) -> None:
    scene, colour = canvas.scene, canvas.scene["hair_colour"]
    kind: str = scene["hair"]
    lift, part = between(rng, 0, 0.12), pick(rng, (-1, 1))
    if scene["cover"] == "headscarf":
        headscarf(canvas)
        return
    arch = ((0.0, -1.46 - lift), (0.7, -1.3 - lift), (1.08, -0.6), (1.08, 0.05))
    crown = (*((-x, y) for x, y in arch[:0:-1]), *arch)
    lines = {
        "short": ((0.95, -0.25), (0.84, -0.7), (0.4, -0.88), (-0.4, -0.88), (-0.84, -0.7), (-0.95, -0.25)),
        "part": ((0.95, -0.2), (0.8, -0.6), (0.35 * part, -1.05), (-0.3, -0.8), (-0.8, -0.55), (-0.95, -0.2)),
        "fringe": ((0.97, -0.05), (0.88, -0.45), (0.4, -0.5), (0, -0.46), (-0.4, -0.5), (-0.88, -0.45), (-0.97, -0.05)),
        "long": ((0.98, 0.1), (0.86, -0.5), (0.3 * part, -1.08), (-0.86, -0.5), (-0.98, 0.1)),
    }
    if kind != "bald":
        line = lines[{"bun": "short", "afro": "short", "curly": "short", "bob": "fringe"}.get(kind, kind)]
        area = canvas.area(crown + line)
        if kind in ("curly", "afro"):
            for i in range(15):
                a = math.pi * (1.0 + i / 14)
                spot = oval(math.cos(a) * 0.98, -0.3 + math.sin(a) * 1.0, 0.27, 0.27, 10)
                area = ImageChops.lighter(area, canvas.area(spot))
        canvas.paint(area, colour)
        canvas.model(area, colour, 0.4)
    if scene["cover"] in ("hat", "beanie"):
        hat(canvas)


def hat(canvas: Canvas) -> None:
    scene, colour = canvas.scene, canvas.scene["second"]
    area = canvas.area(mirror(((0, -1.68), (0.7, -1.5), (1.12, -0.95), (1.12, -0.62), (0.6, -0.68), (0, -0.72))))
    canvas.paint(area, colour)
    canvas.model(area, colour, 0.4)
    if scene["cover"] == "beanie":
        canvas.fill(mirror(((0, -1.05), (1.17, -0.92), (1.17, -0.55), (0, -0.68))), lighter(colour, 0.15))
        canvas.fill(oval(0, -1.75, 0.24, 0.22), lighter(colour, 0.3))
    else:
        canvas.fill(mirror(((0, -0.9), (1.1, -0.78), (1.2, -0.55), (0, -0.62))), darker(colour, 0.3))


def headscarf(canvas: Canvas) -> None:
    colour = canvas.scene["second"]
    hood = canvas.area(
        mirror(((0, -1.5), (0.75, -1.32), (1.2, -0.5), (1.24, 0.5), (1.15, 1.35), (0.7, 1.95), (0, 2.1)))
    )
    opening = canvas.area(mirror(((0, -0.92), (0.55, -0.78), (0.87, -0.2), (0.88, 0.5), (0.62, 1.08), (0, 1.36))))
    area = ImageChops.subtract(hood, opening)
    canvas.paint(area, colour)
    canvas.model(area, colour, 0.4)
    canvas.line(((-0.75, 1.15), (-0.2, 1.6), (0.6, 1.75)), darker(colour, 0.3), 0.04)


def strands(canvas: Canvas, rng: np.random.Generator) -> None:
    """Long hair that the wind blows across one half of mouth and chin."""
    side, colour = pick(rng, (-1, 1)), canvas.scene["hair_colour"]
    for i in range(9):
        x = 0.95 - 0.13 * i
        canvas.line(
            (
                (side * 1.05, -0.5 + 0.05 * i),
                (side * (0.98 - 0.04 * i), 0.15),
                (side * x, 0.75 + between(rng, -0.1, 0.1)),
                (side * (x - between(rng, 0, 0.3)), 1.25 + between(rng, -0.15, 0.25)),
            ),
            mix(colour, darker(colour, 0.4), rng.random()),
            0.11,
        )


def hand(canvas: Canvas, rng: np.random.Generator) -> None:
    """A hand from below that covers the mouth."""
    skin, s = canvas.scene["skin"], pick(rng, (-1, 1))
    edge = darker(skin, 0.3)
    canvas.fill(
        ((s * 0.2, 1.2), (s * 0.85, 1.0), (s * 1.5, 2.8), (s * 2.2, 4.2), (s * 0.9, 4.2), (s * 0.6, 2.4)),
        darker(skin, 0.1),
    )
    for i in range(4):
        start, tip = (s * (0.75 - 0.04 * i), 0.85 + 0.18 * i), (s * (-0.42 + 0.06 * i), 0.58 + 0.19 * i)
        for width, colour in ((0.25, edge), (0.21, lighter(skin, 0.06))):
            canvas.line((start, (s * 0.15, 0.62 + 0.19 * i), tip), colour, width)
    canvas.fill(oval(s * 0.8, 1.25, 0.3, 0.48), lighter(skin, 0.03))


def photograph(canvas: Canvas, rng: np.random.Generator) -> Image.Image:
    """The finished canvas as a photo: size, exposure, blur, noise."""
    scene = canvas.scene
    size = scene["size"]
    image = canvas.image.resize((size, size), Image.Resampling.BOX)
    image = image.filter(ImageFilter.GaussianBlur(scene["blur"] * size))
    if scene["grey"]:
        image = image.convert("L").convert("RGB")
    gain = scene["brightness"] * np.array([1 + scene["warmth"], 1.0, 1 - scene["warmth"]])
    noise = (rng.random((size, size, 3)) - 0.5) * scene["noise"] * 2
    return Image.fromarray(np.clip(np.asarray(image) * gain + noise + 0.5, 0, 255).astype(np.uint8))


def hard_row(index: int) -> tuple[str, ...]:
    """The row of HARD_KINDS that a face belongs to, or (): the last of each five faces of a class."""
    turn, place = divmod(index // 2, HARD_EVERY)
    return HARD_KINDS[turn % len(HARD_KINDS)] if place == HARD_EVERY - 1 else ()


def draw(index: int, label: str, seed: int) -> tuple[Image.Image, dict[str, Any]]:
    """One face.

    Args:
        index: which person and scene, 0 or more; the same index with both labels gives the same person twice.
        label: "with_mask" or "without_mask".
        seed: of the whole set, 0 or more.

    Returns:
        the photo (RGB, square, SIZE_PX on a side) and its attributes: label, index, hard (the kind
        of hard case, or ""), mask (its kind, or "") and what was drawn of person, scene and camera.

    Raises:
        ValueError: an unknown label.
    """
    if label not in LABELS:
        raise ValueError(f"label must be one of {', '.join(LABELS)}, got {label!r}")
    row = hard_row(index)
    hard = row[LABELS.index(label)] if row else ""
    rng = np.random.default_rng([seed, index, 1])
    mouth_rng = np.random.default_rng([seed, index, 2 + LABELS.index(label)])
    scene = draw_scene(rng, row)
    canvas = Canvas(scene)
    background(canvas, rng)
    hair_behind(canvas, rng)
    body(canvas)
    area = head(canvas)
    face = canvas.front
    eyes(face, rng)
    nose(face)
    beard(canvas, area, scene["beard"])
    mouth(face, rng, scene["mouth"])
    kind = ""
    if label == "with_mask" or hard == "chin_mask":
        kind = mask(face, mouth_rng, hard)
    if hard == "foam":
        foam(face, mouth_rng)
    glasses(face, rng)
    hair_front(canvas, rng)
    if "hair" in row:
        strands(canvas, rng)
    if scene["clothing"] == "scarf":
        scarf(canvas)
    if scene["hand"]:
        hand(canvas, rng)
    return photograph(canvas, rng), {"label": label, "index": index, "hard": hard, "mask": kind, **flatten(scene)}


def flatten(scene: Scene) -> dict[str, Any]:
    """The scene as text and rounded numbers, for faces.csv."""
    return {name: flat(value) for name, value in scene.items()}


def flat(value: Any) -> Any:
    if isinstance(value, tuple):
        return " ".join(f"{number:.3f}" for number in value)
    return round(value, 4) if isinstance(value, float) else value
