"""Progress bars: shown on a terminal and in a notebook that a person has open, silent elsewhere."""

import sys
from collections.abc import Iterable
from typing import Any

from tqdm import tqdm

from maskkit.core import paths


def bar(iterable: Iterable | None = None, *, show: bool = True, **settings: Any) -> tqdm:
    """Return a tqdm bar that disappears when it is done; `settings` are tqdm's own. `show=False` for short work."""
    # A notebook shows standard error on red, of which a strip would stay when the bar is gone.
    file = sys.stdout if paths.INTERACTIVE else sys.stderr
    shown = show and (paths.INTERACTIVE or file.isatty())
    return tqdm(iterable, file=file, disable=not shown, **{"leave": False} | settings)


def print_above_bars(text: str) -> None:
    """Print a line on standard error, above the bars."""
    tqdm.write(text, file=sys.stderr)
