"""The texts that a catalogue must translate, gathered; run as a program, it brings every catalogue up to date.

    python -m tests.html.catalogue

New texts are added without a translation, or with that of a similar one, marked as fuzzy; what is no longer used goes.
"""

import ast
import datetime
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from babel.messages import pofile
from babel.messages.catalog import Catalog
from babel.messages.extract import extract

from maskkit.core import disk, paths
from maskkit.html import languages

# Functions of core.messages and plot_style, methods of Language, and an exception, whose texts without a name are for
# the catalogues.
MARKERS = {"said", "say", "message", "translatable", "phrase", "phrase_plural", "DecodingError"}
PACKAGE, RECORDED = paths.ROOT / "maskkit", paths.ROOT / "tests" / "recorded_audit.json"


def used_texts() -> dict[str, str]:
    """{text: where it is used}: of the templates, of the package's Python files, and of a recorded audit."""
    found: dict[str, str] = {}
    for path in sorted(PACKAGE.rglob("*.html")):
        found |= dict.fromkeys(texts_of_template(path), path.name)
    for path in sorted(PACKAGE.rglob("*.py")):
        found |= dict.fromkeys(texts_of_module(path), str(path.relative_to(PACKAGE)))
    return dict.fromkeys(texts_of_audit(disk.read_json(RECORDED)), "audit.json") | found


def texts_of_template(path: Path) -> Iterator[str]:
    """The texts of `_("...")` in a template."""
    options = {"silent": "false", "extensions": "jinja2.ext.do", "trim_blocks": "true", "lstrip_blocks": "true"}
    with path.open("rb") as file:
        for _, text, _, _ in extract("jinja2", file, keywords={"_": None}, options=options):
            yield str(text)


def texts_of_module(path: Path) -> Iterator[str]:
    """The texts of `said("...")` and its like in a Python file."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Call) and getattr(node.func, "id", getattr(node.func, "attr", "")) in MARKERS:
            constants = [given.value for given in node.args if isinstance(given, ast.Constant)]
            yield from (text for text in constants if isinstance(text, str))


def texts_of_audit(audit: dict[str, Any]) -> Iterator[str]:
    """The message ids of audit.json, and the texts that are message ids themselves."""
    yield from message_ids(audit)
    for check in audit["checks"]:
        yield from filter(None, (check[key] for key in ("title", "section_title", "detected", "matters", "advice")))
        for words in (check["look_for"], check["shown"], check["kinds"]):
            yield from words.values()
        yield from (entry["sees"] for entry in audit[check["section"]].values() if entry.get("sees"))
    for result in audit["results"].values():
        yield from (result["title"], result["reason"])


def message_ids(value: Any) -> Iterator[str]:
    if isinstance(value, dict) and value.keys() == {"id", "values"}:
        yield value["id"]
    if isinstance(value, dict | list):
        for item in value.values() if isinstance(value, dict) else value:
            yield from message_ids(item)


def read(path: Path) -> Catalog:
    with path.open("rb") as file:
        return pofile.read_po(file, locale=path.parts[-3])


def update(path: Path) -> Catalog:
    """Bring a catalogue up to date; returns it."""
    template = Catalog(charset="utf-8")
    for text in used_texts():
        template.add(text)
    catalogue = read(path)
    catalogue.update(template)
    catalogue.obsolete.clear()
    catalogue.revision_date = datetime.datetime.now(datetime.UTC)
    for entry in catalogue:
        entry.flags -= {"python-format", "python-brace-format"}  # braces with formats of our own
    with path.open("wb") as file:
        pofile.write_po(file, catalogue, width=120, no_location=True)
    return catalogue


def main() -> None:
    for path in sorted(languages.LOCALE.glob("*/LC_MESSAGES/maskkit.po")):
        entries = [entry for entry in update(path) if entry.id]
        open_ones = sum(entry.fuzzy or not entry.string for entry in entries)
        print(f"{path}: {len(entries)} texts, {open_ones} without a translation or with a fuzzy one")


if __name__ == "__main__":
    main()
