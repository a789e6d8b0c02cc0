"""Absolute paths of data, notebooks, runs and caches, the same for JupyterLab, nbval and papermill.

The only module that reads environment variables, except the two that `maskkit/__init__.py` reads. `MASKKIT_CACHE`
moves the feature cache; `MASKKIT_BARS` shows progress bars outside of terminals and open notebooks.
"""

import os
from pathlib import Path

SOURCE = Path(__file__).resolve().parents[2]  # the source tree, or site-packages of an installed wheel
PACKAGED = Path(__file__).resolve().parents[1] / "notebooks"  # the notebooks inside an installed wheel


def holds_notebooks(folder: Path) -> bool:
    return (folder / "notebooks" / "01_prepare.ipynb").is_file()


def find_root(start: Path) -> Path:
    """Return the nearest folder at or above `start` that holds our notebooks, else this source tree, else `start`.

    An installed wheel has no source tree around it and works in whatever folder it is started from.
    """
    for folder in (start, *start.parents, SOURCE):
        if holds_notebooks(folder):
            return folder
    return start


ROOT = find_root(Path.cwd().resolve())
DATA = ROOT / "data"
NOTEBOOKS = PACKAGED if PACKAGED.is_dir() and not holds_notebooks(ROOT) else ROOT / "notebooks"
RUNS = ROOT / "runs"
CACHE = Path(os.environ.get("MASKKIT_CACHE") or DATA / ".cache" / "features").expanduser().resolve()
BARS = "MASKKIT_BARS"
# Jupyter's server sets the session's name in kernels that it starts; papermill and nbval do not.
INTERACTIVE = bool(os.environ.get(BARS) or os.environ.get("JPY_SESSION_NAME"))
KAGGLE_INPUT = Path("/kaggle/input")  # where Kaggle mounts data sets, read-only


def kernel_folder() -> Path:
    """Return the folder in which kernels start; they find the same ROOT from there."""
    return ROOT if NOTEBOOKS == PACKAGED else NOTEBOOKS


def mounted(name: str) -> Path | None:
    """Return the file `name` at the top of a data set that Kaggle mounted, or None.

    A set lies in /kaggle/input/<set>/ or, on newer images, in /kaggle/input/datasets/<owner>/<set>/.
    """
    matches = (path for pattern in ("*", "datasets/*/*") for path in sorted(KAGGLE_INPUT.glob(f"{pattern}/{name}")))
    return next(matches, None)
