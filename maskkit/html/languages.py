"""The language a page speaks: English as it stands in the code, or Indonesian, the report's own.

As with gettext, the English text is the key, and `indonesian.py` is the table. What the page itself says goes through
`say`, where a text without a translation is our own bug. What a run's files hold (claims.json, audit.json) was stored
in English: `translate` recognises those sentences by their form and says them anew with the same numbers; a sentence
that it does not know stays English, and the page marks it so.
"""

import contextlib
import contextvars
import functools
import re

from maskkit.core import parameters
from maskkit.html import indonesian

NUMBER = re.compile(r"[-+]?\d[\d,]*(\.\d+)?(-\d[\d,]*(\.\d+)?)?( %)?")  # 1,234 or -3.5 or 87.1-99.6 %
ALIKE = re.compile(r"[\d /]+")  # a matrix spelled out, the same in every language
chosen = contextvars.ContextVar("language", default="en")


def need(language):
    """The language itself.

    Raises:
        ValueError: it is none of ours.
    """
    return parameters.need("LANGUAGE", language)


@contextlib.contextmanager
def speaking(language):
    """Everything said inside is said in this language."""
    token = chosen.set(need(language))
    try:
        yield
    finally:
        chosen.reset(token)


def say(english, **values):
    """A text of the page, in the chosen language, its {placeholders} filled."""
    words = indonesian.OWN[english] if chosen.get() == "id" else english
    return words.format(**values) if values else words


def number(english):
    """A number, share or interval written the English way (1,234.5 %), written the chosen language's way (1.234,5%)."""
    if chosen.get() == "en":
        return english
    return english.translate(str.maketrans(",.", ".,")).replace(" %", "%")


def translate(english):
    """A text from a run's files, in the chosen language; None where there is no translation of it."""
    if chosen.get() == "en":
        return english
    if NUMBER.fullmatch(english):
        return number(english)
    if ALIKE.fullmatch(english) or not english:
        return english
    if english in indonesian.STORED:
        return indonesian.STORED[english]
    for pattern, words in forms():
        if found := pattern.fullmatch(english):
            return words.format(**{name: translate(inner) or inner for name, inner in found.groupdict().items()})
    return None


@functools.cache
def forms():
    """(what recognises a stored English sentence, its Indonesian form) of each entry of STORED with placeholders.

    The longest come first: one that says more about a sentence goes before one that says less.
    """
    found = []
    for english in sorted((text for text in indonesian.STORED if "{" in text), key=len, reverse=True):
        parts = re.split(r"\{(\w+)\}", english)
        pattern = "".join(f"(?P<{part}>.+?)" if at % 2 else re.escape(part) for at, part in enumerate(parts))
        found.append((re.compile(pattern, re.DOTALL), indonesian.STORED[english]))
    return found
