"""The committed notebooks run in place, and their outputs stored."""

from pathlib import Path

import nbformat
from nbclient import NotebookClient

from maskkit.core import disk, paths
from maskkit.runner import notebooks, thumbnails

WIDGET = "application/vnd.jupyter.widget-view+json"


def refresh() -> None:
    """Run every committed notebook top to bottom and store its outputs; then make README's pictures.

    Raises:
        FileNotFoundError: this is an installed package, not a clone.
    """
    if paths.NOTEBOOKS == paths.PACKAGED:
        raise FileNotFoundError(f"{paths.ROOT} holds no notebooks to refresh; run this inside a clone")
    for name in notebooks.ALL:
        refresh_notebook(paths.NOTEBOOKS / name)
        if name in notebooks.IN_README:
            thumbnails.write_thumbnail(paths.NOTEBOOKS / name, paths.ROOT / "docs" / "figures")
        print(f"{name}: refreshed")


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
