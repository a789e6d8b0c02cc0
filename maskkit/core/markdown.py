"""Markdown from values that may hold anything: tables, text that stays text, code."""

import re
from collections.abc import Iterable, Sequence


def table(columns: Sequence[str], rows: Iterable[Iterable[object]]) -> str:
    """A Markdown table; every cell is shown as the text it is."""
    lines = [columns, ["---"] * len(columns), *([escape(cell) for cell in row] for row in rows)]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def escape(text: object) -> str:
    """Text as Markdown that shows it as it is: no link, no HTML, no cell border, one line."""
    words = " ".join(str(text).encode("utf-8", "replace").decode().split())
    words = words.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
    return re.sub(r"([\\`*\[\]|~#!$]|(?<!\w)_|_(?!\w)|(?<=:)//|@)", r"\\\1", words)


def code(text: str) -> str:
    """Text as a span of code."""
    return f"`{' '.join(text.replace('`', '').split())}`"


def bullets(lines: Iterable[str]) -> str:
    return "\n".join(f"- {line}" for line in lines)
