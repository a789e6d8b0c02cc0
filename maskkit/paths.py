"""Where things lie: absolute paths, so that JupyterLab, nbval and papermill agree on them.

The only module that reads environment variables: `MASKKIT_CACHE` moves the feature cache.
"""

import os
from pathlib import Path


def find_root(start):
    """The nearest folder at or above `start` that holds our notebooks, else this source tree, else `start`.

    An installed wheel has no source tree around it and works in whatever folder it is started from.
    """
    source_tree = Path(__file__).resolve().parent.parent
    for folder in (start, *start.parents, source_tree):
        if (folder / "notebooks" / "01_prepare.ipynb").is_file():
            return folder
    return start


ROOT = find_root(Path.cwd().resolve())
DATA = ROOT / "data"
NOTEBOOKS = ROOT / "notebooks"
RUNS = ROOT / "runs"
CACHE = Path(os.environ.get("MASKKIT_CACHE") or DATA / ".cache" / "features").expanduser().resolve()
KAGGLE_INPUT = Path("/kaggle/input")  # where Kaggle mounts data sets, read-only
