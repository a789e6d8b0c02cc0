"""The language of a page: English, as it stands in the templates, or another one by its gettext catalogue.

The English text is the message id. A catalogue lies below `locale/<code>/LC_MESSAGES/maskkit.po`; CONTRIBUTING.md says
how one is added and updated.
"""

import dataclasses
import functools
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from markupsafe import Markup, escape

from maskkit.core import messages, parameters
from maskkit.html.markup import element

LOCALE = Path(__file__).parent / "locale"


def need(language: str) -> str:
    """The language itself.

    Raises:
        ValueError: it is none of ours.
    """
    return parameters.need("LANGUAGE", language)


@functools.cache
def get(code: str) -> "Language":
    """The language of a code.

    Raises:
        ValueError: it is none of ours.
    """
    return Language(need(code), {} if code == "en" else read_catalogue(code))


def read_catalogue(code: str) -> dict[str, str]:
    """{message id: translation} of a language; takes 20 ms, so nothing is compiled."""
    from babel.messages import pofile

    with (LOCALE / code / "LC_MESSAGES" / "maskkit.po").open("rb") as file:
        catalogue = pofile.read_po(file, locale=code)
    return {str(entry.id): str(entry.string) for entry in catalogue if entry.id and entry.string}


@dataclasses.dataclass(frozen=True)
class Language:
    """What turns messages and numbers into a page's language.

    code: as in <html lang>; catalogue: {message id: translation}, empty for English.
    """

    code: str
    catalogue: Mapping[str, str]

    def translate(self, english: str) -> str:
        """A message id's translation; English where there is none."""
        return self.catalogue.get(english, english)

    def say(self, english: str, **values: Any) -> Markup:
        """A text of a template (its `_`) with its {placeholders} filled as in `core.messages`; text is escaped."""
        return Markup(EscapedSentence(str, self.localize).vformat(escape(self.translate(english)), (), values))

    def phrase(self, template: str, **values: Any) -> str:
        """A plain text; template, values: as `core.messages.said` takes them."""
        return messages.format_message(template, values, translate=self.translate, localize=self.localize)

    def phrase_plural(self, n: int, one: str, many: str) -> str:
        """The template `one` where n is 1, otherwise `many`; both may name {n}."""
        return self.phrase(one if n == 1 else many, n=n)

    def localize(self, number: str) -> str:
        """A number, share or interval written the English way (1,234.5 %), written this language's way (1.234,5%)."""
        if self.code == "en":
            return number
        return number.translate(str.maketrans(",.", ".,")).replace(" %", "%")

    def number(self, value: float, form: str = ",") -> str:
        return self.localize(format(value, form))

    def percent(self, fraction: float | None, instead: str = "-") -> str:
        return instead if fraction is None else self.localize(messages.format_percent(fraction))

    def limit(self, fraction: float) -> str:
        """A limit of a check, three digits of it: 33.3 %"""
        return self.localize(f"{100 * fraction:.3g} %")

    def interval(self, ends: list[float] | None) -> str:
        return "-" if ends is None else self.localize(messages.format_interval(ends))

    def stored(self, record: Mapping[str, Any], field: str = "sentence") -> Markup:
        """A field of a JSON file's record: its message if it has one, else its English text as the message id.

        The message of `sentence` lies under `message`, that of another field under `messages`. English without a
        translation is marked as English.
        """
        message, english = message_of(record, field), str(record[field] or "")
        if not message:
            return self.constant(english)
        if self.is_known(message):
            filled = messages.format_message(**fields(message), translate=self.translate, localize=self.localize)
            return escape(filled)
        return self.as_english(english)

    def constant(self, english: str) -> Markup:
        """A text of a file that is a message id itself, if it is any."""
        is_known = self.code == "en" or not english or english in self.catalogue
        return escape(self.translate(english)) if is_known else self.as_english(english)

    def is_known(self, message: Mapping[str, Any]) -> bool:
        """Whether a message and those inside it have translations."""
        inner = [value for value in message["values"].values() if isinstance(value, dict)]
        return self.code == "en" or (message["id"] in self.catalogue and all(map(self.is_known, inner)))

    def as_english(self, english: str) -> Markup:
        return element("span", english, lang="en")


class EscapedSentence(messages.Sentence):
    """A sentence as HTML: values that are none yet are escaped."""

    def format_field(self, value: Any, format_spec: str) -> str:
        return value if isinstance(value, Markup) else escape(super().format_field(value, format_spec))


def message_of(record: Mapping[str, Any], field: str) -> Mapping[str, Any] | None:
    """The message of a record's field, None where its English text is the message id, or has no translation."""
    return record.get("messages", {}).get(field) or (record.get("message") if field == "sentence" else None)


def fields(message: Mapping[str, Any]) -> dict[str, Any]:
    return {"template": message["id"], "values": message["values"]}
