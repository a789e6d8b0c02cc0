"""The checks of the audit, in the order of the page: a name here is a file in this folder, which defines CHECK."""

from importlib import import_module

from maskkit.audit.checks.check import Check
from maskkit.core import mutes

NAMES = (
    "split_variance",
    "leaks",
    "shortcuts",
    "regions",
    "other_source",
    "files",
    "calibration",
    "weak_groups",
    "photos_needed",
)
CHECKS: tuple[Check, ...] = tuple(import_module(f"{__name__}.{name}").CHECK for name in NAMES)


def find(name: str) -> Check:
    """The check of the file `name` in this folder.

    Raises:
        ValueError: there is none.
    """
    if name not in NAMES:
        raise ValueError(f"there is no check {name!r}; there are {', '.join(NAMES)}")
    return CHECKS[NAMES.index(name)]


def find_muted(text: str) -> dict[str, str]:
    """{code: reason} of parameter MUTE.

    Raises:
        ValueError: it is not 'CODE: reason', or there is no check of that code.
    """
    muted, codes = mutes.read(text), [check.code for check in CHECKS]
    for code in muted:
        if code not in codes:
            raise ValueError(f"MUTE: there is no check {code}; there are {', '.join(codes)}")
    return muted
