"""Checks of the audit that a user has muted: each by its code, with the reason that the page shows.

A muted check is measured and shown as before, but its result is "muted", so it counts neither as pass nor as fail.
`without_mute` keeps what its result would be.
"""

import re
from collections.abc import Mapping
from typing import Any

MUTED = "muted"
ONE = re.compile(r"(MK\d{3})\s*:\s*(\S.*)", re.DOTALL)
WORDS = "'' or 'CODE: reason', such as 'MK003: two cameras, known'; several are separated by ;"


def is_text(value: object) -> bool:
    """Whether a value reads as parameter MUTE."""
    if not isinstance(value, str):
        return False
    parts = [part.strip() for part in value.split(";") if part.strip()]
    codes = [found[1] for part in parts if (found := ONE.fullmatch(part))]
    return len(codes) == len(parts) == len(set(codes))


def read(text: str) -> dict[str, str]:
    """{code: reason} of parameter MUTE.

    Raises:
        ValueError: it is not 'CODE: reason', or names a check twice.
    """
    if not is_text(text):
        raise ValueError(f"MUTE must be {WORDS}, got {text!r}")
    return {found[1]: " ".join(found[2].split()) for part in text.split(";") if (found := ONE.fullmatch(part.strip()))}


def apply(audit: dict[str, Any], mutes: Mapping[str, str]) -> None:
    """Mute these checks in the content of audit.json, and no others."""
    for check in audit["checks"]:
        reason = mutes.get(check["code"])
        check["muted"] = reason
        for entry in entries_of(audit, check):
            measured = entry.pop("without_mute", entry["result"])
            entry["result"] = MUTED if reason else measured
            if reason:
                entry["without_mute"] = measured


def entries_of(audit: dict[str, Any], check: dict[str, Any]) -> list[dict[str, Any]]:
    """The result of a check, where it has one, and its entries."""
    results = [audit["results"][check["name"]]] if check["name"] else []
    return [*results, *audit[check["section"]].values()]


def of_audit(audit: dict[str, Any]) -> dict[str, str]:
    """{code: reason} of the checks that are muted in the content of audit.json."""
    return {check["code"]: check["muted"] for check in audit["checks"] if check["muted"]}


def measured_result(entry: Mapping[str, Any]) -> str:
    """The result of an entry, muted or not: pass, warning, fail or unknown."""
    return str(entry.get("without_mute", entry["result"]))
