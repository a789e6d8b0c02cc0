"""Progress bars for whoever watches: on a terminal and in a notebook that someone has open, silent elsewhere."""

import sys

from tqdm import tqdm

from maskkit import paths


def bar(iterable=None, *, show=True, **settings):
    """A tqdm bar that is gone when it is done; `settings` as tqdm's own. `show=False` for work that takes a moment."""
    return tqdm(iterable, disable=not (show and watched()), **{"leave": False} | settings)


def watched():
    """Whether a bar would be seen. A notebook's kernel has no terminal, but shows what it writes."""
    return sys.stderr.isatty() or paths.READ_ALONG


def write(text):
    """A line on standard error, above the bars."""
    tqdm.write(text, file=sys.stderr)
