"""Things drawn on a face crop: what hides a mouth but is no mask, what hides the forehead, and masks on bare faces.

A network that has seen no bare face with a covered mouth calls each of them masked. Photos of such faces are rare, so
they are drawn: coarse shapes at the place where a crop has its mouth, in the photo's own skin colour or in a made
texture. They need not look real. Beside them the network sees the same faces without, and learns that a covered mouth
alone is no mask.

`BELOW` leaves a bare face bare, `ABOVE` a masked one masked; `mask` makes a bare face a masked one, of the same person,
size and sharpness.
"""

import math
from collections.abc import Callable

import numpy as np
from PIL import Image, ImageDraw, ImageFilter

# To be raised whenever something is drawn otherwise: cached features depend on it. With 1, sweeps on a cluster stored
# features without what was drawn.
VERSION = 2
SIDE_PX = 224  # shapes are drawn on a photo of this side
MOUTH = (0.5, 0.72)  # where a face crop usually has its mouth, as shares of its sides
FABRICS = ((150, 195, 220), (120, 170, 205), (235, 235, 235), (245, 245, 240), (35, 35, 40))  # usual masks, RGB

Colour = tuple[float, float, float] | np.ndarray
Generator = np.random.Generator


# --- shapes and what fills them -----------------------------------------------------------------


class Stencil:
    """A shape that is filled later; drawn at twice the photo's side, so that its edge is smooth."""

    def __init__(self) -> None:
        self.image = Image.new("L", (2 * SIDE_PX, 2 * SIDE_PX))
        self.pen = ImageDraw.Draw(self.image)

    def ellipse(self, x: float, y: float, radius_x: float, radius_y: float, fill: int = 255) -> None:
        self.pen.ellipse([2 * (x - radius_x), 2 * (y - radius_y), 2 * (x + radius_x), 2 * (y + radius_y)], fill=fill)

    def polygon(self, *points: tuple[float, float]) -> None:
        self.pen.polygon([(2 * x, 2 * y) for x, y in points], fill=255)

    def line(self, start: tuple[float, float], end: tuple[float, float], width: float) -> None:
        self.pen.line([2 * start[0], 2 * start[1], 2 * end[0], 2 * end[1]], fill=255, width=round(2 * width))

    def turn(self, degrees: float, x: float, y: float) -> None:
        self.image = self.image.rotate(degrees, center=(2 * x, 2 * y))

    def fill(self, photo: Image.Image, pixels: np.ndarray, soft_px: float = 1.0, opacity: float = 1.0) -> Image.Image:
        """The photo with `pixels`, float (side, side, 3) of 0..255, inside the shape."""
        shape = self.image.resize(photo.size, Image.Resampling.BILINEAR).filter(ImageFilter.GaussianBlur(soft_px))
        paint = Image.fromarray(pixels.clip(0, 255).astype(np.uint8))
        return Image.composite(paint, photo, shape.point(lambda value: int(value * opacity)))


def skin(photo: Image.Image, generator: Generator) -> np.ndarray:
    """The median colour of the forehead and eyes, a little lighter or darker."""
    pixels = np.asarray(photo.resize((32, 32)), dtype=float)[8:16, 10:22].reshape(-1, 3)
    return np.median(pixels, axis=0) * generator.uniform(0.8, 1.1)


def texture(generator: Generator, colour: Colour | None = None) -> np.ndarray:
    """A made surface, float (side, side, 3): noise, stripes, blotches or a gradient; colour: its mean, else drawn."""
    mean = generator.integers(20, 235, 3) if colour is None else np.array(colour)
    y, x = np.ogrid[:SIDE_PX, :SIDE_PX]
    kind = generator.integers(4)
    if kind == 0:
        return mean + generator.normal(0, 6, (SIDE_PX, SIDE_PX, 1))
    if kind == 1:
        angle, period = generator.uniform(0, math.pi), generator.uniform(4, 14)
        wave = np.sign(np.sin((x * math.cos(angle) + y * math.sin(angle)) * 2 * math.pi / period))
        return mean + wave[..., None] * (30 * generator.choice([-1, 1], 3))
    if kind == 2:
        blotches = (generator.normal(0, 25, (SIDE_PX // 8, SIDE_PX // 8, 3)) + 128).clip(0, 255).astype(np.uint8)
        return np.asarray(Image.fromarray(blotches).resize((SIDE_PX, SIDE_PX))) + (mean - 128.0)
    slope = generator.uniform(-50, 50, 2)
    return ((x * slope[0] + y * slope[1]) / SIDE_PX)[..., None] + (mean - slope.sum() / 2)


def near_mouth(generator: Generator) -> tuple[float, float]:
    """A place near the mouth, in pixels."""
    x, y = generator.normal(MOUTH, (0.06, 0.05)) * SIDE_PX
    return float(x), float(y)


# --- before the mouth of a bare face ------------------------------------------------------------


def hand(photo: Image.Image, generator: Generator) -> Image.Image:
    """Four fingers across the mouth, from below left or right."""
    x, y = near_mouth(generator)
    side, width = generator.choice([-1, 1]), SIDE_PX * generator.uniform(0.055, 0.08)
    length, lean = SIDE_PX * generator.uniform(0.25, 0.45), generator.uniform(-0.45, 0.45)
    palm_x = x + side * SIDE_PX * generator.uniform(0.12, 0.3)
    palm_y = y + SIDE_PX * generator.uniform(0.1, 0.25)
    shape = Stencil()
    shape.ellipse(palm_x, palm_y, 2.4 * width, 2.4 * width)
    for finger in (-1.5, -0.5, 0.5, 1.5):
        angle = 1.5 * math.pi - 0.6 * side + lean + 0.17 * finger
        tip = palm_x + length * math.cos(angle) + 0.5 * finger * width, palm_y + length * math.sin(angle)
        shape.line((palm_x + 1.1 * finger * width, palm_y), tip, 1.5 * width)
        shape.ellipse(*tip, 0.75 * width, 0.75 * width)
    return shape.fill(photo, texture(generator, skin(photo, generator)), generator.uniform(0.5, 2))


def fist(photo: Image.Image, generator: Generator) -> Image.Image:
    """A fist before the mouth, and its wrist."""
    x, y = near_mouth(generator)
    shape = Stencil()
    shape.ellipse(x, y + 0.04 * SIDE_PX, *(SIDE_PX * generator.uniform((0.14, 0.1), (0.25, 0.2))))
    shape.ellipse(x + SIDE_PX * generator.uniform(-0.2, 0.2), y + 0.3 * SIDE_PX, 0.12 * SIDE_PX, 0.25 * SIDE_PX)
    return shape.fill(photo, texture(generator, skin(photo, generator)), generator.uniform(0.5, 2))


def scarf(photo: Image.Image, generator: Generator) -> Image.Image:
    """A scarf or collar over everything below a slanted line near the mouth."""
    top = near_mouth(generator)[1] - SIDE_PX * generator.uniform(-0.12, 0.1)
    slant, sag = SIDE_PX * generator.uniform((-0.06, -0.02), (0.06, 0.08))
    shape = Stencil()
    shape.polygon(
        (0, top + slant), (SIDE_PX / 2, top + sag), (SIDE_PX, top - slant), (SIDE_PX, SIDE_PX), (0, SIDE_PX)
    )  # fmt: skip
    return shape.fill(photo, texture(generator), generator.uniform(0.5, 2))


def beard(photo: Image.Image, generator: Generator) -> Image.Image:
    """Dark hair around the mouth, which mostly stays open."""
    x, y = near_mouth(generator)
    shape = Stencil()
    shape.ellipse(x, y + 0.08 * SIDE_PX, *(SIDE_PX * generator.uniform((0.2, 0.14), (0.3, 0.22))))
    if generator.random() < 0.7:
        shape.ellipse(x, y + 0.02 * SIDE_PX, 0.1 * SIDE_PX, 0.03 * SIDE_PX, fill=0)
    hair = generator.uniform(10, 90) * np.array([1, 0.85, 0.7]) + generator.normal(0, 25, (SIDE_PX, SIDE_PX, 1))
    return shape.fill(photo, hair, generator.uniform(2, 8), generator.uniform(0.5, 0.8))


def thing(photo: Image.Image, generator: Generator) -> Image.Image:
    """Something held before the mouth: a cup, a telephone, a sheet of paper."""
    x, y = near_mouth(generator)
    width, height = SIDE_PX * generator.uniform((0.08, 0.1), (0.25, 0.3))
    shape = Stencil()
    top, bottom = y - 0.4 * height, y + 1.6 * height
    shape.polygon((x - width, top), (x + width, top), (x + width, bottom), (x - width, bottom))
    shape.turn(generator.uniform(-40, 40), x, y)
    return shape.fill(photo, texture(generator), generator.uniform(0.5, 2))


def mask_on_chin(photo: Image.Image, generator: Generator) -> Image.Image:
    """A mask pulled below the mouth, which the class counts as no mask."""
    x, top = near_mouth(generator)[0], SIDE_PX * generator.uniform(0.84, 0.92)
    shape = Stencil()
    shape.polygon(
        (x - 0.3 * SIDE_PX, top - 0.05 * SIDE_PX), (x, top), (x + 0.3 * SIDE_PX, top - 0.05 * SIDE_PX),
        (x + 0.25 * SIDE_PX, SIDE_PX), (x - 0.25 * SIDE_PX, SIDE_PX),
    )  # fmt: skip
    return shape.fill(photo, texture(generator, fabric(generator)))


# --- above the mask of a masked face ------------------------------------------------------------


def sunglasses(photo: Image.Image, generator: Generator) -> Image.Image:
    """Two dark glasses."""
    y = SIDE_PX * generator.normal(0.38, 0.03)
    shape = Stencil()
    for side in (-1, 1):
        shape.ellipse(SIDE_PX * (0.5 + 0.17 * side), y, 0.13 * SIDE_PX, 0.08 * SIDE_PX)
    return shape.fill(photo, texture(generator, generator.uniform(10, 60, 3)))


def hat(photo: Image.Image, generator: Generator) -> Image.Image:
    """A hat, hood or fringe over the top."""
    left, right = SIDE_PX * generator.uniform(0.12, 0.3, 2)
    shape = Stencil()
    shape.polygon((0, 0), (SIDE_PX, 0), (SIDE_PX, right), (0, left))
    return shape.fill(photo, texture(generator))


def hand_at_forehead(photo: Image.Image, generator: Generator) -> Image.Image:
    """A hand in skin colour before forehead or eyes, so that skin-coloured shapes are no sign of a bare face."""
    shape = Stencil()
    shape.ellipse(SIDE_PX * generator.uniform(0.2, 0.8), 0.22 * SIDE_PX, 0.18 * SIDE_PX, 0.17 * SIDE_PX)
    return shape.fill(photo, texture(generator, skin(photo, generator)))


# --- a mask -------------------------------------------------------------------------------------


def fabric(generator: Generator) -> Colour | None:
    """The colour of a mask: one of FABRICS, or None for any."""
    index = generator.integers(len(FABRICS) + 1)
    return FABRICS[index] if index < len(FABRICS) else None


def mask(photo: Image.Image, generator: Generator) -> Image.Image:
    """A mask over mouth and nose, with folds and ear loops at times."""
    x, top, bottom = SIDE_PX * generator.normal((0.5, 0.55, 0.93), (0.03, 0.03, 0.04))
    half, nose = SIDE_PX * generator.uniform((0.27, 0.0), (0.36, 0.05))
    shape, cheek, ear = Stencil(), 0.06 * SIDE_PX, 0.02 * SIDE_PX
    outline = [(-1.0, top + cheek), (-0.35, top + ear), (0.0, top - nose), (0.35, top + ear), (1.0, top + cheek)]
    outline += [(0.8, bottom - 0.1 * SIDE_PX), (0.3, bottom), (-0.3, bottom), (-0.8, bottom - 0.1 * SIDE_PX)]
    shape.polygon(*((x + at * half, y) for at, y in outline))
    if generator.random() < 0.6:
        for side in (-1, 1):
            ends = (x + side * half, top + cheek), (x + 0.48 * side * SIDE_PX, top - 0.08 * SIDE_PX)
            shape.line(*ends, 2)
    cloth = texture(generator, fabric(generator))
    rows, columns = np.ogrid[:SIDE_PX, :SIDE_PX]
    across = (columns - x) / half
    cloth *= 1 - 0.2 * np.minimum(across**2, 1)[..., None]  # darker towards the cheeks
    if generator.random() < 0.6:
        for share in (0.3, 0.5, 0.7):
            distance = rows - (top + (bottom - top) * share) - 6 * across**2
            cloth -= 18 * np.exp(-((distance / 1.5) ** 2))[..., None]
    return shape.fill(photo, cloth)


Occluder = Callable[[Image.Image, Generator], Image.Image]
BELOW: tuple[Occluder, ...] = (hand, fist, scarf, beard, thing, mask_on_chin)
ABOVE: tuple[Occluder, ...] = (sunglasses, hat, hand_at_forehead)


def draw(photo: Image.Image, occluders: tuple[Occluder, ...], generator: Generator) -> Image.Image:
    """The photo, SIDE_PX a side, with one of the occluders, drawn evenly."""
    photo = photo.resize((SIDE_PX, SIDE_PX), Image.Resampling.BICUBIC)
    return occluders[generator.integers(len(occluders))](photo, generator)
