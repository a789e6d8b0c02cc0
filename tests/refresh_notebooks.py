"""Run the committed notebooks in place and store their outputs; make README's pictures of them.

In each of these notebooks one cell, tagged "thumbnail", shows the figure that stands for it.

usage: python -m tests.refresh_notebooks
"""

import base64
import io
from pathlib import Path

import nbformat
from nbclient import NotebookClient
from PIL import Image

from maskkit.core import disk, paths
from maskkit.runner import notebooks

WIDGET = "application/vnd.jupyter.widget-view+json"
TAG = "thumbnail"
IN_README = (*notebooks.REPORT, notebooks.IMPROVE, notebooks.TRUST, notebooks.EXPLORE)
RESULT = "03_evaluate.png"  # the picture that 01_prepare begins with
KINDS = ("image/png", "image/jpeg")
SIDES_PX = (960, 600)  # no picture is wider or higher; README shows them at a quarter


def refresh() -> None:
    """Run every committed notebook top to bottom and store its outputs; then make README's pictures."""
    for name in notebooks.ALL:
        refresh_notebook(paths.NOTEBOOKS / name)
        if name in IN_README:
            write_thumbnail(paths.NOTEBOOKS / name, paths.ROOT / "docs" / "figures")
        print(f"{name}: refreshed")
    attach_result(paths.NOTEBOOKS / "01_prepare.ipynb", paths.ROOT / "docs" / "figures" / RESULT)


def refresh_notebook(path: Path) -> None:
    """Run one notebook in its own folder and store its outputs, without times, paths or progress bars."""
    notebook = nbformat.read(path, 4)
    resources = {"metadata": {"path": str(path.parent)}}
    client = NotebookClient(
        notebook, kernel_name="python3", resources=resources, extra_arguments=notebooks.QUIET_KERNEL
    )
    client.execute()
    clean(notebook)
    disk.write_text(path, nbformat.writes(notebook) + "\n")


def clean(notebook: nbformat.NotebookNode) -> None:
    """Drop what differs between two equal runs (times, progress bars, the machine's own metadata), and widgets, which
    show nothing without the kernel that made them."""
    notebook.metadata = {
        "kernelspec": {"display_name": "Python 3", "language": "python", "name": "python3"},
        "language_info": {"name": "python"},
    }
    for cell in notebook.cells:
        cell.metadata = {"tags": cell.metadata["tags"]} if cell.metadata.get("tags") else {}
        if cell.cell_type == "code":
            cell.outputs = clean_outputs(cell.outputs)


def clean_outputs(outputs: list[nbformat.NotebookNode]) -> list[nbformat.NotebookNode]:
    kept: list[nbformat.NotebookNode] = []
    for output in outputs:
        if output.get("name") == "stderr" or WIDGET in output.get("data", {}):
            continue
        if output.get("name") and kept and kept[-1].get("name") == output.name:
            kept[-1].text += output.text  # one stream, which the kernel sent in pieces
        else:
            kept.append(output)
    return kept


def attach_result(path: Path, picture: Path) -> None:
    """Put 03_evaluate's picture into the notebook's cell that shows what will come out."""
    notebook = nbformat.read(path, 4)
    (cell,) = (cell for cell in notebook.cells if f"(attachment:{RESULT})" in cell.source)
    cell.attachments = {RESULT: {"image/png": base64.b64encode(picture.read_bytes()).decode()}}
    disk.write_text(path, nbformat.writes(notebook) + "\n")


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


if __name__ == "__main__":
    refresh()
    print("next: git diff notebooks/")
