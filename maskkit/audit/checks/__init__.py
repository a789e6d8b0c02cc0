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
