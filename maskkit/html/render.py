"""Pages from the Jinja2 templates beside this file: single files that run no script and load nothing from elsewhere."""

import functools
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import jinja2

from maskkit.core import class_names, messages
from maskkit.html import languages, markup

HERE = Path(__file__).parent
MOST_NAMES = 12  # classes named in a line; more rows of a table are folded away


def render(template: str, language: str = "en", **context: Any) -> str:
    """A page as HTML; bytes of a file name that are not UTF-8 are shown as question marks.

    Args:
        template: a file in `templates/`; language: the page's; context: what the template names.
    """
    html = environment(language).get_template(template).render(**context)
    return html.encode("utf-8", "replace").decode("utf-8")


@functools.cache
def environment(language: str) -> jinja2.Environment:
    """The templates in one language: `_`, its filters for numbers, and what every page shares.

    Raises:
        ValueError: the language is none of ours.
    """
    spoken = languages.get(language)
    made = jinja2.Environment(
        loader=jinja2.FileSystemLoader(HERE / "templates"),
        autoescape=True,
        trim_blocks=True,
        lstrip_blocks=True,
        undefined=jinja2.StrictUndefined,
        extensions=["jinja2.ext.do"],
    )
    made.filters |= {
        "constant": spoken.constant,
        "interval": spoken.interval,
        "limit": spoken.limit,
        "number": spoken.number,
        "percent": spoken.percent,
        "stored": spoken.stored,
    }
    made.globals |= {
        "_": spoken.say,
        "css": markup.css("style.css"),
        "first_names": class_names.first,
        "language": spoken.code,
        "MOST_NAMES": MOST_NAMES,
        "plural": messages.plural,
        "zip": zip,
    }
    return made


def class_list(classes: Sequence[str]) -> str:
    """The classes in a line, in English; of many the first and how many more there are."""
    macros: Any = environment("en").get_template("macros.html").module
    return macros.class_list(classes).unescape()


def mistaken(classes: list[str], matrix: list[list[int]]) -> list[tuple[str, str, int]]:
    """(true class, predicted class, photos) of each kind of mistake in a confusion matrix, the most frequent first."""
    kinds = [
        (true, predicted, n)
        for true, row in zip(classes, matrix, strict=False)
        for predicted, n in zip(classes, row, strict=False)
        if n and predicted != true
    ]
    return sorted(kinds, key=lambda kind: (-kind[2], *map(class_names.natural_key, kind[:2])))
