"""audit.json, read and checked against its schema, so that whoever reads it meets one shape only."""

import functools
import json
import shlex
from collections.abc import Callable
from pathlib import Path
from typing import Any

from maskkit.core.messages import message, said, translatable

VERSION = 5  # of audit.json
SCHEMA = Path(__file__).parent / "schemas" / "audit.json"
RESULTS = {  # in words
    "pass": translatable("pass"),
    "warning": translatable("warning"),
    "fail": translatable("fail"),
    "unknown": translatable("not measured"),
    "muted": translatable("muted"),
}
NOT_YET = said("not measured yet: make trust")

Audit = dict[str, Any]  # what audit.json holds; its schema says more
Entry = dict[str, Any]  # one measurement of it, or one result


def read(folder: Path, run: str | None = None) -> tuple[Audit | None, Entry | None]:
    """The audit of a folder, and what is wrong with it.

    Args:
        folder: where audit.json may lie; run: the run's name, for the command that makes it anew.

    Returns:
        (the audit, None); (None, None) where there is none; (None, what is wrong and what to do, as `messages.said`
        gives it) where it cannot be used.
    """
    path = Path(folder) / "audit.json"
    if not path.exists():
        return None, None
    try:
        audit = json.loads(path.read_text(encoding="utf-8", errors="surrogateescape"), parse_constant=refuse)
        wrong: str | dict[str, Any] = find_fault(audit)
    except (OSError, ValueError, RecursionError) as error:  # unreadable, no JSON, JSON nested without end
        wrong = f"{type(error).__name__}: {error}"
    if not wrong:
        return audit, None
    return None, said(
        "audit.json cannot be used ({wrong}). Remove the file, then: {command}", wrong=wrong, command=command(run)
    )


def refuse(constant: str) -> None:
    raise ValueError(f"{constant} is not JSON")


def command(run: str | None = None) -> str:
    """The command that measures an audit."""
    return "make trust" + (f" RUN={shlex.quote(run)}" if run else "")


def is_pending(entry: Entry) -> bool:
    """Whether an entry says that it was not measured yet."""
    return entry["sentence"] == NOT_YET["sentence"]


def find_fault(audit: object) -> str | dict[str, Any]:
    """What is wrong with an audit's shape, as text or as a message; "" where nothing is."""
    from fastjsonschema import JsonSchemaValueException

    if not isinstance(audit, dict):
        return message("it holds no audit")
    if audit.get("version") != VERSION:
        found = f"{audit.get('version')!r:.20}"
        return message("its version is {found}, this release reads version {known}", found=found, known=VERSION)
    check_whole, check_sections = validators()
    try:
        check_whole(audit)
        check_sections({check["section"]: audit.get(check["section"]) for check in audit["checks"]})
    except JsonSchemaValueException as error:
        return f"{error.message.removeprefix('data.'):.200}"
    missing = [check["name"] for check in audit["checks"] if check["name"] not in {None, *audit["results"]}]
    return message("{name} is missing", name=f"results.{missing[0]}") if missing else ""


@functools.cache
def validators() -> tuple[Callable[[object], object], Callable[[object], object]]:
    """What checks audit.json as a whole, and what checks {section: its entries}."""
    import fastjsonschema

    schema = json.loads(SCHEMA.read_text(encoding="utf-8"))
    sections = {
        "type": "object",
        "additionalProperties": {"$ref": "#/definitions/section"},
        "definitions": schema["definitions"],
    }
    return fastjsonschema.compile(schema), fastjsonschema.compile(sections)
