"""The checks of the audit, in the order of the page: a name here is a file in this folder, which defines CHECK."""

from importlib import import_module

from maskkit.audit.checks.check import Check

NAMES = (
    "split_variance",
    "leaks",
    "shortcuts",
    "regions",
    "other_source",
    "files",
    "calibration",
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
