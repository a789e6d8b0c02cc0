"""Scenes for the face finder: synthetic faces that it finds, pasted into one picture, and their boxes."""

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
