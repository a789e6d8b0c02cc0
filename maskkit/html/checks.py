"""What the template `checks.html` shows of an audit: the result of each check, and a section for each."""

from pathlib import Path
from typing import Any

from maskkit.core import audit_file, class_names, mutes
from maskkit.core.audit_file import Audit, Entry
from maskkit.core.messages import fields
from maskkit.html import render
from maskkit.html.markup import Figure, read_figure

MAX_ROWS, MAX_FILES = 8, 100  # longer tables are folded away; of longer lists of files the rest is counted


def context(audit: Audit | None, folder: Path, run: str | None = None, problem: Entry | None = None) -> dict[str, Any]:
    """The values of `checks.html`.

    Args:
        audit: audit.json's content, or None where there is none; folder: holds figures/trust_<name>.png where drawn.
        run: the run's name, for the command that measures what is missing.
        problem: why audit.json cannot be used, of `audit_file.read`.
    """
    shared = {"problem": problem, "command": audit_file.command(run), "most_rows": MAX_ROWS, "most_files": MAX_FILES}
    if audit is None:
        return shared | {"cards": [], "sections": []}
    cards = [card(audit, check, run) for check in audit["checks"] if check["name"]]
    return shared | {
        "cards": cards,
        "sections": [section(audit, check, folder, run) for check in audit["checks"]],
        "figure": trust_figure(folder, "results"),
        "classes": audit["classes"],
        "outcomes": [one["entry"]["result"] for one in cards],
    }


def shows_other_photos(folder: Path) -> bool:
    """Whether the audit's figures show photos of another source, whose faces need not be synthetic."""
    return (folder / "figures" / "trust_against_mistakes.png").exists()


def trust_figure(folder: Path, name: str) -> Figure | None:
    return read_figure(folder / "figures" / f"trust_{name}.png")


def card(audit: Audit, check: Entry, run: str | None) -> dict[str, Any]:
    """The result of a check."""
    entry = audit["results"][check["name"]]
    shared = described(entry, {"title": check["title"]}, command(check, run))
    return shared | {"name": check["name"], "check": check, "measured_result": mutes.measured_result(entry)}


def section(audit: Audit, check: Entry, folder: Path, run: str | None) -> dict[str, Any]:
    """The section of a check: its figures and entries; `reason`: why there is none."""
    names, measure, entries = check["entries"], command(check, run), audit[check["section"]]
    figures = drawn_figures(check, folder) if entries else []
    main = check["figures"][0] if entries and check["figures"] else None
    is_drawn = not main or any(figure["name"] == main for figure in figures)
    result = audit["results"].get(check["name"])
    has_result = result is None or mutes.measured_result(result) != "unknown"
    return {
        "check": check,
        "command": measure,
        "intro": None if is_drawn else {"look_for": check["look_for"][main]},
        "figures": figures,
        "rows": [
            described(entry, name_of(names, key), measure) | lists(audit, check, key) for key, entry in entries.items()
        ],
        "reason": described(audit_file.NOT_YET if has_result else result, {}, measure),
    }


def drawn_figures(check: Entry, folder: Path) -> list[dict[str, Any]]:
    """The figures of a check that were drawn, with their words; `shown` is None for one that shows the entries."""
    drawn = ((name, trust_figure(folder, name)) for name in check["figures"])
    return [
        {
            "name": name,
            "figure": figure,
            "look_for": {"look_for": check["look_for"][name]},
            "shown": {"shown": check["shown"][name]} if name in check["shown"] else None,
        }
        for name, figure in drawn
        if figure
    ]


def described(entry: Entry, title: Entry, measure: str) -> dict[str, Any]:
    """An entry with its name, and whether it was not measured yet."""
    return {"entry": entry, "title": title, "command": measure, "is_pending": audit_file.is_pending(entry)}


def name_of(names: dict[str, Entry], key: str) -> Entry:
    """An entry's name as a record that `Language.stored` takes."""
    return fields(title=names[key])


def lists(audit: Audit, check: Entry, key: str) -> dict[str, Any]:
    """What the lists of an entry need beside the entry itself."""
    entry, names = audit[check["section"]][key], check["entries"]
    by_detector = entry.get("by_detector") or {}
    return {
        "counts_splits": key.endswith("_reach"),
        "kind": check["kinds"].get(entry.get("kind")),
        "mistaken": render.mistaken(audit["classes"], entry.get("confusion") or [])[:MAX_FILES],
        "per_class": class_names.by_name(entry.get("per_class") or [], lambda row: row["class"]),
        "by_detector": [{"title": name_of(names, name), "share": share} for name, share in by_detector.items()],
    }


def command(check: Entry, run: str | None) -> str:
    """The command that measures what is missing."""
    return audit_file.command(run) + (" AGAINST=ANOTHER_FOLDER" if check["name"] == "other_source" else "")
