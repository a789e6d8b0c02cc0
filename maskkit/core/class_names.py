"""Class names for display: in natural order, shortened if they are long, and never two that look alike.

Files (split.csv, model.json, metrics.json) keep the whole names in their own order.
"""

import re
import unicodedata
from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from os.path import commonprefix

SHORT = 14  # characters of a name where space is scarce, as in a large confusion matrix
SHORTEST = 8  # characters: fewer hold no beginning, difference and end


# --- order --------------------------------------------------------------------------------------


def natural_key(name: str) -> tuple[list[str | int], str]:
    """What sorts names by the numbers inside them: `class 2` before `class 10`."""
    parts = re.split(r"(\d+)", name)
    return [int(part) if place % 2 else part for place, part in enumerate(parts)], name


def natural_order(names: Sequence[str]) -> list[int]:
    """The places of `names` in the order in which they are shown."""
    return sorted(range(len(names)), key=lambda place: natural_key(names[place]))


def first(names: Sequence[str], most: int) -> list[str]:
    """The first `most` names in the order in which they are shown."""
    return [names[place] for place in natural_order(names)[:most]]


def by_name(rows: Sequence, name: Callable) -> list:
    """Rows in the natural order of their names."""
    return sorted(rows, key=lambda row: natural_key(name(row)))


# --- length -------------------------------------------------------------------------------------


def cut(text: str, length: int) -> str:
    """A text cut in its middle to `length` characters, one of which is `…`."""
    if len(text) <= length:
        return text
    tail = (length - 1) // 2
    return text[: length - 1 - tail] + "…" + text[len(text) - tail :]


def shorten(names: Sequence[str], length: int, drawn: Callable[[str], str] = str) -> list[str]:
    """The names in at most `length` characters each, no two of which look alike.

    A name that is too long is cut in its middle; where that leaves several alike, what they share is cut and what
    differs is kept. What still looks alike, or cannot be drawn, gets its place among the names, from 1: `□□ #28`.

    Args:
        names: all different; length: 8 or more; drawn: what becomes of a text as it is drawn, such as □ for a
            character that the font lacks.
    """
    if length < SHORTEST:
        raise ValueError(f"names cannot be told apart in {length} characters; {SHORTEST} are needed")
    whole = [drawn(name) for name in names]
    short = tell_apart(whole, length)
    again = {place for places in look_alike(short) for place in places}
    again |= {place for place, name in enumerate(names) if is_word(name) and not is_word(whole[place])}
    for place in again:
        short[place] = number(whole[place], place, length)
    if look_alike(short):  # a name that itself ends in such a number
        short = [number(text, place, length) for place, text in enumerate(whole)]
    return short


def tell_apart(texts: Sequence[str], length: int) -> list[str]:
    """Each text cut in its middle; of those that then look alike, and were cut, the beginning and what differs."""
    short = [cut(text, length) for text in texts]
    for alike in look_alike(short):
        places = [place for place in alike if len(texts[place]) > length]
        shared = len(commonprefix([texts[place] for place in places]))
        for place in places:
            short[place] = keep_difference(texts[place], shared, length)
    return short


def keep_difference(text: str, shared: int, length: int) -> str:
    """The beginning of a text and the words after the `shared` letters that it begins with like others."""
    while shared and text[shared - 1].isalnum():  # from the beginning of the word or number
        shared -= 1
    head = min(shared, (length - 2) // 3)
    room = length - head - (head < shared)
    rest = text[shared:]
    return text[:head] + ("…" if head < shared else "") + (rest if len(rest) <= room else rest[: room - 1] + "…")


def is_word(text: str) -> bool:
    """Whether a text holds a letter or digit."""
    return any(letter.isalnum() for letter in text)


def number(text: str, place: int, length: int) -> str:
    """A text that ends in its place among all, from 1."""
    mark = f" #{place + 1}"
    return cut(text, length - len(mark)) + mark


def look_alike(texts: Iterable[str]) -> list[list[int]]:
    """The places of texts that a reader cannot tell apart, two or more together."""
    places = defaultdict(list)
    for place, text in enumerate(texts):
        places[appearance(text)].append(place)
    return [alike for alike in places.values() if len(alike) > 1]


def appearance(text: str) -> str:
    """The text as it looks: composed letters, one kind of space, no invisible characters."""
    text = unicodedata.normalize("NFC", text).replace("…", "...")
    letters = (letter for letter in text if unicodedata.category(letter) != "Cf" and not "\ufe00" <= letter <= "\ufe0f")
    return " ".join("".join(letters).split())
