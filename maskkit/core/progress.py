"""Progress bars for whoever watches: on a terminal and in a notebook that someone has open, silent elsewhere."""

import sys

from tqdm import tqdm

from maskkit.core import paths


def bar(iterable=None, *, show=True, **settings):
    """A tqdm bar that is gone when it is done; `settings` as tqdm's own. `show=False` for work that takes a moment."""
    # A notebook shows standard error on red, of which a strip would stay when the bar is gone.
    file = sys.stdout if paths.READ_ALONG else sys.stderr
    shown = show and (paths.READ_ALONG or file.isatty())
    return tqdm(iterable, file=file, disable=not shown, **{"leave": False} | settings)


def write(text):
    """A line on standard error, above the bars."""
    tqdm.write(text, file=sys.stderr)
