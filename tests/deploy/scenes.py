"""Scenes for the face finder: synthetic faces that it finds, pasted into one picture, and their boxes."""

import numpy as np
from PIL import Image

from maskkit.sources import face_drawing

WALL = (200, 205, 210)
FOUND = (0, 1, 4, 3, 14, 5)  # of the set's seed 0, masked and bare in turn; CenterFace misses 13 % of the masked ones
SIDE_PX = 60


def paste_faces(size, corners, side_px=SIDE_PX):
    """A picture of `size` with a synthetic face at each corner (left, top), and {label: boxes}.

    A box (left, top, right, bottom) is the drawn head's, from the middle of the forehead to the chin.
    """
    scene = Image.new("RGB", size, WALL)
    boxes = {label: [] for label in face_drawing.LABELS}
    for place, (left, top) in enumerate(corners):
        index = FOUND[place % len(FOUND)]
        label = face_drawing.LABELS[index % 2]
        face, attributes = face_drawing.draw(index, label, 0)
        scene.paste(face.resize((side_px, side_px), Image.Resampling.LANCZOS), (left, top))
        x, y = (float(part) * side_px for part in attributes["centre"].split())
        unit = attributes["unit"] * side_px
        across = unit * attributes["wide"]
        boxes[label].append((left + x - across, top + y - 0.9 * unit, left + x + across, top + y + 1.3 * unit))
    return scene, boxes


CORNERS = [(20, 20), (200, 40), (380, 20), (40, 200), (220, 180), (390, 220)]


def street():
    """Six faces in 480 x 360 pixels."""
    return paste_faces((480, 360), CORNERS)


# --- scenes whose boxes were estimated by eye ---------------------------------------------------

# Name: (background, width and height, [(number in FOUND, side, left, top)], pasted in this order, so that later ones
# cover earlier ones, and some are cut by the edge. hand_boxes.json has the box of each, estimated by eye.
HAND_SCENES = {
    "wall": ("plain", (480, 360), [(0, 60, 40, 30), (1, 72, 200, 60), (2, 90, 340, 200)]),
    "dusk": ("gradient", (480, 360), [(3, 110, 30, 40), (5, 64, 220, 150), (4, 80, 360, 60)]),
    "noise": ("noise", (480, 360), [(1, 100, 60, 80), (0, 56, 260, 40), (3, 70, 330, 220)]),
    "stripes": ("stripes", (480, 360), [(5, 84, 50, 50), (3, 60, 250, 240), (1, 120, 330, 30)]),
    "left edge": ("plain", (320, 240), [(1, 90, -16, 60), (0, 64, 180, 90)]),
    "right edge": ("gradient", (320, 240), [(3, 90, 244, 50), (5, 70, 60, 120)]),
    "bottom edge": ("noise", (320, 240), [(5, 90, 40, 164), (3, 70, 200, 40)]),
    "overlap": ("plain", (320, 240), [(1, 90, 60, 40), (3, 90, 122, 60)]),
    "crowd": ("blocks", (480, 360), [(n % 6, 60 + 4 * n, 10 + 95 * (n % 5), 20 + 170 * (n // 5)) for n in range(10)]),
    "close": ("blocks", (400, 400), [(1, 300, 60, 50)]),
}


def draw_background(kind, width, height):
    """A background that is no single colour but for "plain"."""
    y, x = np.mgrid[:height, :width]
    values = {
        "plain": lambda: 0 * x + 205,
        "gradient": lambda: 60 + 150 * y // height,
        "noise": lambda: np.random.default_rng(1).integers(90, 170, (height, width)),
        "stripes": lambda: np.where((x + y) // 12 % 2, 190, 140),
        "blocks": lambda: 100 + 25 * ((x // 50 + 2 * (y // 40)) % 5),
    }[kind]()
    return Image.fromarray(np.stack([values, values * 0.95, values * 0.9], axis=2).astype(np.uint8))


def hand_scene(name):
    """A scene of HAND_SCENES."""
    kind, size, faces = HAND_SCENES[name]
    scene = draw_background(kind, *size)
    for number, side, left, top in faces:
        index = FOUND[number]
        face, _ = face_drawing.draw(index, face_drawing.LABELS[index % 2], 0)
        scene.paste(face.resize((side, side), Image.Resampling.LANCZOS), (left, top))
    return scene
