"""What the figures of the checks share: rows with intervals, reasons in place of an axis, text that fits.

As in `plots`: nothing is shown, saved, seeded or changed globally. What was not measured is said in words, never
drawn. A result, a class, a kind is told apart by shape and word as well as by colour.
"""

import functools
from collections.abc import Sequence
from typing import Any

import numpy as np
from matplotlib.figure import Figure
from matplotlib.font_manager import FontProperties
from matplotlib.textpath import text_to_path

from maskkit.audit.entries import Entry
from maskkit.core import messages
from maskkit.core.intervals import wilson
from maskkit.plot_style import (
    GREY,
    INK,
    STYLE,
    label,
    localize,
    percent,
    phrase,
    phrase_plural,
    ranges,
    stored,
    title_label,
)

RED, BROWN = "#8c1d3f", "#8a5a00"  # the second: the report's line, as in `plots.scores`
MAPS = "cividis"  # perceptually even, and the same to colour-blind eyes
Style = tuple[str, str, str]  # colour, marker, line style
Audit = dict[str, Any]  # what audit.json holds


# --- entries ------------------------------------------------------------------------------------


def is_measured(entry: Entry | None) -> bool:
    """Whether an entry holds a value that can be drawn."""
    return entry is not None and entry["value"] is not None


def share_of(share: float, whole: Entry) -> Entry:
    """A share of the photos of another entry, as an entry with its Wilson interval."""
    return {**whole, "value": share, "interval": wilson(round(share * whole["n"]), whole["n"])}


def why_unknown(entry: Entry) -> str:
    """'not measured: <why>' of an entry without a value, in the figure's language."""
    if (entry["sentence"] or "").startswith("not measured"):
        return stored(entry)
    return phrase("not measured: {why}", why=stored(entry)) if entry["sentence"] else phrase("not measured")


def format_interval(entry: Entry) -> str:
    """An entry's interval in words."""
    return localize(messages.format_interval(entry["interval"]))


def photos_and_model(audit: Audit) -> str:
    """Which photos, how many, which network: the line below each heading."""
    model = f"{label(audit['arch'])}, {label(stored(audit, 'model'), 40)}"
    return f"{phrase_plural(audit['n'], '{n:,} photo', '{n:,} photos')} · {model} · {title_label(audit['photos'])}"


# --- drawing ------------------------------------------------------------------------------------


def draw_rows(
    axis: Any,
    entries: Sequence[Entry | None],
    styles: Sequence[Style | None],
    inches: float,
    words: Sequence[str | None] | None = None,
    size: float = 9,
) -> None:
    """A row per entry: value, interval and count, or why it is unknown; None leaves its row empty.

    Args:
        inches: the axis's width; words: in place of the number of photos; size: of the letters.
    """
    rows: list[tuple[float | None, Sequence[float] | None, str, Style]] = []
    for y, (entry, style, word) in enumerate(zip(entries, styles, words or [None] * len(styles), strict=True)):
        if entry is not None and is_measured(entry):
            text = f"{percent(entry['value'])} {word or phrase_plural(entry['n'], 'of {n:,} photo', 'of {n:,} photos')}"
            rows.append((entry["value"], entry["interval"], text, style or (INK, "o", "")))
            continue
        rows.append((None, None, "", (INK, "o", "")))
        if entry is not None:
            paper = {"facecolor": "white", "edgecolor": "none", "pad": 1}
            text = wrap(why_unknown(entry), inches, size, lines=2)
            axis.text(1, y, text, fontsize=size, color=GREY, style="italic", va="center", zorder=3, bbox=paper)
    ranges(axis, rows)
    axis.set(yticks=range(len(rows)), ylim=(len(rows) - 0.5, -0.5))
    axis.tick_params(axis="y", length=0, pad=8)


def label_row(axis: Any, y: float, above: str, below: str) -> None:
    """A row's name left of the axis, and in small letters what it is."""
    at = {"xycoords": axis.get_yaxis_transform(), "textcoords": "offset points", "ha": "right"}
    axis.annotate(above, (0, y), (-8, 1), va="bottom" if below else "center", **at)
    axis.annotate(below, (0, y), (-8, 0), va="top", fontsize=8.5, color=GREY, **at)


def draw_reason(axis: Any, text: str, inches: float) -> None:
    """Words in place of an axis."""
    axis.set_axis_off()
    axis.text(0, 0.5, wrap(text, inches, 10), transform=axis.transAxes, va="center", color=GREY, style="italic")


def spanning(fig: Figure, grid: np.ndarray, cells: Any) -> Any:
    """One axis in place of several of a grid; cells: an index into the grid."""
    spec = grid[0, 0].get_gridspec()[cells]
    for axis in grid[cells]:
        axis.remove()
    axis = fig.add_subplot(spec)
    axis.tick_params(labelsize=STYLE["font.size"])
    return axis


# --- text ---------------------------------------------------------------------------------------


@functools.lru_cache(4096)
def inches_of(text: str, size: float) -> float:
    """How wide a text of one line is, in inches."""
    font = FontProperties(family="DejaVu Sans", size=size)
    return text_to_path.get_text_width_height_descent(text, font, False)[0] / 72


def wrap(text: str, inches: float, size: float, lines: int = 9) -> str:
    """A text broken into lines of at most so many inches, words too long for one too; `…` where it goes on."""
    rows = [""]
    for word in clean(" ".join(str(text).split())).split(" "):
        if rows[-1] and inches_of(f"{rows[-1]} {word}", size) > inches:
            rows.append("")
        rows[-1] += (" " if rows[-1] else "") + word
        while inches_of(rows[-1], size) > inches:
            word, cut = rows[-1], len(rows[-1]) - 1
            while cut > 1 and inches_of(word[:cut], size) > inches:
                cut -= 1
            rows[-1:] = [word[:cut], word[cut:]]
    if len(rows) > lines:
        rows[lines - 1 :] = [rows[lines - 1][:-1] + "…"]
    return "\n".join(label(row, len(row)) for row in rows)


def fit(text: str, inches: float, size: float) -> str:
    """A name of one line, cut in its middle until it fits."""
    text = " ".join(str(text).split())
    lengths = (k for k in range(min(len(text), 99), 3, -1) if inches_of(clean(label(text, k)), size) <= inches)
    return label(text, next(lengths, 3))


def clean(text: str) -> str:
    """A text as our font draws it, its dollars plain."""
    return label(text, len(text)).replace(r"\$", "$")
