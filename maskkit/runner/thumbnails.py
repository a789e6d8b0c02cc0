"""README's pictures: in each committed notebook one cell, tagged "thumbnail", makes the figure that stands for it."""

import base64
import io
from pathlib import Path

import nbformat
from PIL import Image

from maskkit.core import disk

TAG = "thumbnail"
KINDS = ("image/png", "image/jpeg")
SIDES_PX = (960, 600)  # no picture is wider or higher; README shows them at a quarter


def write_thumbnail(notebook: Path, folder: Path) -> None:
    """<folder>/<notebook's name>.png, the notebook's figure made small.

    Raises:
        ValueError: not one cell of the notebook has the tag, or that cell shows no picture.
    """
    tagged = [cell for cell in nbformat.read(notebook, 4).cells if TAG in cell.metadata.get("tags", [])]
    pictures = [
        content
        for cell in tagged
        for output in cell.get("outputs", [])
        for kind, content in output.get("data", {}).items()
        if kind in KINDS
    ]
    if len(tagged) != 1 or len(pictures) != 1:
        there = f"there are {len(tagged)} cells and {len(pictures)} pictures"
        raise ValueError(f"{notebook} needs one cell tagged {TAG!r} that shows one picture; {there}")
    image = Image.open(io.BytesIO(base64.b64decode(pictures[0])), formats=("PNG", "JPEG")).convert("RGB")
    image.thumbnail(SIDES_PX, Image.Resampling.LANCZOS)
    # 64 colours: as good to the eye, a third of the bytes.
    with disk.replacing(folder / f"{notebook.stem}.png") as path:
        image.quantize(64, dither=Image.Dither.NONE).save(path, format="PNG", optimize=True)
