"""Square crops of found faces, as the model's training photos are cropped."""

from PIL import Image

from maskkit.sources.face_finder import Face

MARGIN = 0.05  # added to the longer side of the box; measured (docs/faces.md): with more, bare faces are called masked


def crop(picture: Image.Image, face: Face, margin: float = MARGIN) -> Image.Image:
    """The square around a face, moved where the picture ends: no pixel is invented.

    A picture narrower than the square gives a crop as wide as the picture.
    """
    side = max(1, round(max(face.width, face.height) * (1 + margin)))
    left, right = place(face.x + face.width / 2, side, picture.width)
    top, bottom = place(face.y + face.height / 2, side, picture.height)
    return picture.crop((left, top, right, bottom))


def place(centre: float, side: int, length: int) -> tuple[int, int]:
    """Where a stretch of `side` pixels around `centre` begins and ends, moved to lie within 0..length."""
    start = max(0, min(round(centre - side / 2), length - side))
    return start, min(start + side, length)
