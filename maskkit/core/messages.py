"""Sentences kept as a template and its values, so that a page can say them in any language.

The English template is the message id of the catalogues below `html/locale/`. A file such as audit.json holds the id
and the values beside the English sentence; nothing has to recognise a finished sentence again.
"""

import string
from collections.abc import Callable, Sequence
from typing import Any


def said(template: str, **values: Any) -> dict[str, Any]:
    """A sentence as an entry of a JSON file holds it: {"sentence": in English, "message": {"id", "values"}}.

    Args:
        template: as `str.format` takes it, with two more formats: `{share:percent}` of a fraction (97.5 %) and
            `{ends:interval}` of two fractions (87.1-99.6 %).
        values: numbers, lists of two numbers, text that stays as it is (names of files, classes, networks), or
            another message, as `message` gives it, where a part of the sentence is to be translated too.
    """
    words = message(template, **values)
    return {"sentence": in_english(words), "message": words}


def fields(**messages: dict[str, Any]) -> dict[str, Any]:
    """Fields of a record in a JSON file, in English, beside their messages: {name: words, ..., "messages": {...}}."""
    return {name: in_english(words) for name, words in messages.items()} | {"messages": messages}


def message(template: str, **values: Any) -> dict[str, Any]:
    """A message: {"id": template, "values": values}."""
    return {"id": template, "values": values}


def in_english(words: dict[str, Any]) -> str:
    """A message in English."""
    return format_message(words["id"], words["values"], translate=str, localize=str)


def format_message(
    template: str, values: dict[str, Any], *, translate: Callable[[str], str], localize: Callable[[str], str]
) -> str:
    """A message's sentence.

    Args:
        template, values: as `said` takes them.
        translate: a template in another language; localize: a number written the English way, written another way.
    """
    return Sentence(translate, localize).vformat(translate(template), (), values)


class Sentence(string.Formatter):
    """`str.format`'s mini-language with `percent`, `interval`, nested messages and localized numbers."""

    def __init__(self, translate: Callable[[str], str], localize: Callable[[str], str]) -> None:
        self.translate, self.localize = translate, localize

    def format_field(self, value: Any, format_spec: str) -> str:
        if isinstance(value, dict):
            return format_message(value["id"], value["values"], translate=self.translate, localize=self.localize)
        if format_spec == "percent":
            return self.localize(format_percent(value))
        if format_spec == "interval":
            return self.localize(format_interval(value))
        text = format(value, format_spec)
        return text if isinstance(value, str) else self.localize(text)


class SaidError(Exception):
    """An exception whose text a page can translate.

    Its only argument is the list of its lines, each as `said` returns it. Raise one of the classes below.
    """

    def __str__(self) -> str:
        return "\n".join(line["sentence"] for line in self.args[0])


class SaidValueError(SaidError, ValueError):
    """A wrong value, as `SaidError`."""


class SaidFileNotFoundError(SaidError, FileNotFoundError):
    """A missing file, as `SaidError`."""


def lines_of(error: Exception) -> list[dict[str, Any]]:
    """The lines of an exception's text, as `said` returns them; those of a library's exception have no message."""
    if isinstance(error, SaidError):
        return list(error.args[0])
    return [{"sentence": line} for line in str(error).splitlines() or [type(error).__name__]]


def as_details(lines: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Lines of a note marked as technical details, which a page folds away."""
    return [line | {"is_detail": True} for line in lines]


def reason_of(error: Exception) -> dict[str, Any] | str:
    """The first line of an exception's text as a value of another message."""
    line = lines_of(error)[0]
    return line.get("message") or line["sentence"]


def translatable(text: str) -> str:
    """The text itself; marks a constant that a JSON file holds for the catalogues, as `said` marks a template."""
    return text


# --- numbers, written the English way -----------------------------------------------------------


def format_percent(fraction: float) -> str:
    """97.5 %"""
    return f"{100 * fraction:.1f} %"


def format_interval(interval: Sequence[float]) -> str:
    """The ends of an interval of fractions: 87.1-99.6 %"""
    return "-".join(f"{100 * end:.1f}" for end in interval) + " %"


def plural(n: int, thing: str, things: str = "") -> str:
    """1 photo, 1,234 photos"""
    return f"{n:,} {thing}" if n == 1 else f"{n:,} {things or thing + 's'}"
