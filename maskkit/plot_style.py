"""What all figures share: one style, headings, pictures, intervals, the style of classes, and texts that can be drawn.

A figure is drawn in the language that its function is given: `styled` sets it while the figure is drawn, and `phrase`
and the functions that format numbers read it.
Classes are told apart by colour, marker and hatch, right and wrong by sign and frame; rates carry their Wilson 95 %
interval.
"""

import contextvars
import functools
import math
import unicodedata
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, ParamSpec

import matplotlib.pyplot as plt
import numpy as np
from matplotlib import font_manager
from matplotlib.axes import Axes
from matplotlib.colors import LinearSegmentedColormap
from matplotlib.figure import Figure
from matplotlib.ticker import ScalarFormatter
from PIL import Image

from maskkit.core import class_names
from maskkit.core.intervals import wilson
from maskkit.html import languages

Parameters = ParamSpec("Parameters")
LANGUAGE = contextvars.ContextVar("LANGUAGE", default="en")  # of the figure that is being drawn
ClassStyle = tuple[str, str, str]  # colour, marker and hatch of a class
MAX_CLASSES = 12  # with a row each; a figure of more says which it shows, and sums up the others where it can
TILE_PX = 320  # pictures are drawn at most this large, so that a figure of phone photos stays small
INK, GREY, LINE, ACCENT = "#1d2733", "#5b6673", "#cfd6de", "#0f6674"
FILL = LinearSegmentedColormap.from_list("maskkit", ["#f3f5f7", "#d5e8ea", "#6fadb5", ACCENT])
TURNING = frozenset(range(0x202A, 0x202F))  # marks of writing from right to left and back
OTHERS_STYLE = (GREY, "o", "")  # of classes summed up
FIXED_STYLES = {"with_mask": ("#0a6ab0", "o", ""), "without_mask": ("#c2500a", "s", "////")}
COLOURS = (
    "#00795a",
    "#a8447f",
    "#5b4bb5",
    "#7a5c00",
    "#1f8fb8",
    "#8c1d3f",
    "#4d4d4d",
    "#7b8f00",
    "#b0700a",
    "#2b3a8c",
)
MARKERS = "^Dv<>pPX*h"
HATCHES = ("....", "xxxx", "\\\\\\\\", "----", "++++", "oo", "||||", "**", "//..", "xx..")
STYLE: Any = {  # a dict; matplotlib's types know the name of every setting
    "font.family": "DejaVu Sans",  # comes with matplotlib: the same letters, and bytes, on every machine
    "font.size": 10,
    "text.color": INK,
    "text.usetex": False,
    "axes.edgecolor": GREY,
    "axes.labelcolor": INK,
    "axes.titlesize": 11,
    "axes.titlelocation": "left",
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.axisbelow": True,
    "axes.facecolor": "white",
    "axes.grid": False,
    "figure.facecolor": "white",
    "figure.dpi": 100,
    "grid.color": LINE,
    "grid.linewidth": 0.7,
    "hatch.linewidth": 0.8,
    "legend.frameon": False,
    "legend.fontsize": 9.5,
    "lines.linewidth": 1.8,
    "savefig.facecolor": "auto",
    "savefig.bbox": None,  # the figure's own size: a "tight" box would depend on the letters in it
    "svg.fonttype": "path",
    "svg.hashsalt": "maskkit",
    "xtick.color": GREY,
    "ytick.color": GREY,
    "xtick.labelcolor": INK,
    "ytick.labelcolor": INK,
}


@functools.cache
def load_backend() -> None:
    """Let matplotlib load its backend now: JupyterLab's switches interactive mode on as it loads.

    Loaded inside a style's context that would be undone with it, and a notebook would show its first figure only.
    """
    plt.switch_backend(plt.rcParams["backend"])


def styled(draw: Callable[Parameters, Figure]) -> Callable[Parameters, Figure]:
    """Draw in our style, leave the caller's alone, and fix the layout: each save gives the same bytes.

    A keyword argument `language` ("en" where it is missing) sets the language of the figure's words and numbers.
    """

    @functools.wraps(draw)
    def wrapper(*args: Parameters.args, **kwargs: Parameters.kwargs) -> Figure:
        load_backend()
        kept = {name: plt.rcParams[name] for name in ("backend", "interactive")}
        settings: Any = {**plt.rcParamsDefault, **STYLE, **kept}
        language = languages.need(str(kwargs.get("language", "en")))
        token = LANGUAGE.set(language)
        try:
            with plt.rc_context(settings):
                fig = draw(*args, **kwargs)
                if language != "en":
                    localize_ticks(fig)
                fix_layout(fig)
                return fig
        finally:
            LANGUAGE.reset(token)

    return wrapper


def fix_layout(fig: Figure) -> None:
    """Place the axes for good: drawing an engine's layout anew takes as long as the figure itself, for each file."""
    if engine := fig.get_layout_engine():
        engine.execute(fig)
        fig.set_layout_engine(None)  # "none" would leave a placeholder, for which matplotlib draws once more


def phrase(template: str, **values: Any) -> str:
    """A text in the figure's language; template, values: as `core.messages.said` takes them."""
    return languages.get(LANGUAGE.get()).phrase(template, **values)


def phrase_plural(n: int, one: str, many: str) -> str:
    """The template `one` where n is 1, otherwise `many`, in the figure's language; both may name {n}."""
    return languages.get(LANGUAGE.get()).phrase_plural(n, one, many)


def stored(record: Mapping[str, Any], field: str = "sentence") -> str:
    """A field of a JSON file's record in the figure's language, as `Language.stored`; English without a translation."""
    message, english = languages.message_of(record, field), str(record[field] or "")
    return phrase(message["id"], **message["values"]) if message else translate(english)


def translate(english: str) -> str:
    """A message id without values in the figure's language."""
    return languages.get(LANGUAGE.get()).translate(english)


def localize(number: str) -> str:
    """A number written the English way, written the way of the figure's language."""
    return languages.get(LANGUAGE.get()).localize(number)


class LocalFormatter(ScalarFormatter):
    """Numbers at ticks in one language."""

    def __init__(self, language: str) -> None:
        super().__init__()
        self.localize = languages.get(language).localize

    def __call__(self, x: float, pos: int | None = None) -> str:
        return self.localize(super().__call__(x, pos))


def localize_ticks(fig: Figure) -> None:
    """Write the numbers at all ticks in the figure's language."""
    for axes in fig.axes:
        for axis in (axes.xaxis, axes.yaxis):
            if type(axis.get_major_formatter()) is ScalarFormatter:
                axis.set_major_formatter(LocalFormatter(LANGUAGE.get()))


def figure(width: float, height: float, rows: int, columns: int, **options: Any) -> tuple[Figure, np.ndarray]:
    """A figure of fixed size in inches, `height` without the heading's, and its axes (rows, columns)."""
    head = 0.62
    fig, grid = plt.subplots(
        rows,
        columns,
        figsize=(width, height + head),
        squeeze=False,
        layout="constrained",
        gridspec_kw={key: options.pop(key) for key in ("width_ratios", "height_ratios") if key in options},
        **options,
    )
    fig.get_layout_engine().set(rect=(0, 0, 1, height / (height + head)), w_pad=0.1, h_pad=0.06)
    for axis in grid.flat:  # said here, or the number of ticks would follow the caller's font size
        axis.tick_params(labelsize=STYLE["font.size"])
    return fig, grid


def heading(fig: Figure, title: str, below: str) -> None:
    """What the figure shows, and a smaller line that says of which photos."""
    width, height = fig.get_size_inches()
    at = {"x": 0.12 / width, "ha": "left", "va": "baseline"}
    fig.suptitle(title, y=1 - 0.3 / height, fontsize=min(13.5, 108 * width / len(title)), weight="bold", **at)
    fig.text(s=below, y=1 - 0.52 / height, fontsize=min(9.5, 118 * width / len(below)), color=GREY, **at)


def tiles(n: int, caption_lines: int) -> tuple[Figure, list[Axes]]:
    """A figure with n cells for pictures, five a row, and room for a caption below each."""
    columns = min(5, max(1, n))
    rows = math.ceil(n / columns) or 1
    fig, grid = figure(max(7, 2 * columns), rows * (1.85 + 0.23 * caption_lines) if n else 0.5, rows, columns)
    for axis in grid.flat:
        axis.set_axis_off()
        axis.set_anchor("N")  # what height a picture leaves is its caption's
    return fig, list(grid.flat)[:n]


def picture(axis: Axes, image: Image.Image, colour: str, width: float = 1.0, dashed: bool = False) -> None:
    """An image of any size and shape in a frame."""
    image = image.copy()
    image.thumbnail((TILE_PX, TILE_PX))
    axis.set_axis_on()
    axis.imshow(np.asarray(image.convert("RGB")), interpolation="antialiased")
    axis.set(xticks=[], yticks=[])
    for spine in axis.spines.values():
        spine.set(visible=True, color=colour, linewidth=width, linestyle=(0, (3, 1.5)) if dashed else "-")


def verdict(
    axis: Axes,
    image: Image.Image,
    true: int,
    predicted: int,
    probability: float,
    classes: Sequence[str],
    file: str | None = None,
) -> None:
    """A picture above its predicted class and probability; a wrong one has a thick dashed frame and ✗."""
    wrong = predicted != true
    styles = class_styles(classes)
    picture(axis, image, INK if wrong else styles[predicted][0], 3.2 if wrong else 1.4, dashed=wrong)
    sign, weight = ("✗", "bold") if wrong else ("✓", "normal")
    lines = [f"{sign} {class_labels(classes, 15)[predicted]}, {percent(probability)}"]
    if wrong:
        lines.append(phrase("is {name}", name=class_labels(classes, 20)[int(true)]))
    if file is not None:
        lines.append(label(Path(file).name, 24))
    axis.set_xlabel(lines[0], color=styles[predicted][0], fontsize=9, weight=weight, labelpad=4)
    for i, line in enumerate(lines[1:]):
        axis.annotate(
            line,
            (0.5, 0),
            (0, -17 - 12 * i),
            xycoords="axes fraction",
            textcoords="offset points",
            ha="center",
            va="top",
            fontsize=8.5,
            color=INK if i == 0 else GREY,
        )


def intervals(axis: Axes, rows: Sequence[tuple[int, int, ClassStyle]], one_line: bool = False) -> None:
    """One horizontal 95 % interval per row (correct, n, style) on a 0-100 axis, its numbers right of it."""
    shares = [(correct / n, wilson(correct, n)) if n else (None, None) for correct, n, _ in rows]
    ranges(axis, [(*share, format_rate(*row[:2]), row[2]) for share, row in zip(shares, rows, strict=True)], one_line)


def ranges(
    axis: Axes, rows: Sequence[tuple[float | None, Sequence[float] | None, str, ClassStyle]], one_line: bool = False
) -> None:
    """`intervals` ready-made: rows (fraction, (low, high), words, style); what is None is not drawn."""
    for y, (value, interval, text, (colour, marker, _)) in enumerate(rows):
        if interval is not None:
            low, high = interval
            axis.plot((100 * low, 100 * high), (y, y), color=colour, lw=4, alpha=0.35, solid_capstyle="butt")
            text += (", " if one_line else "\n") + phrase("{ends:interval}", ends=[low, high])
        if value is not None:
            axis.plot(100 * value, y, marker, color=colour, ms=6 if one_line else 8, clip_on=False, zorder=4)
        axis.annotate(
            text,
            (1, y),
            (12, 0),
            xycoords=axis.get_yaxis_transform(),
            textcoords="offset points",
            va="center",
            fontsize=9,
            annotation_clip=False,
        )
    axis.set(xlim=(0, 100), xticks=range(0, 101, 25))
    axis.grid(axis="x")


def class_styles(classes: Sequence[str]) -> list[ClassStyle]:
    """(colour, marker, hatch) of each class: the report's two keep theirs, others take the next by order.

    Each ten classes pair the colours with other markers and hatches than the ten before: a hundred differ.
    """
    others = [name for name in classes if name not in FIXED_STYLES]
    shapes = [(i + i // 10) % 10 for i in range(len(others))]
    styles = {
        name: (COLOURS[i % 10], MARKERS[shape], HATCHES[shape])
        for i, (name, shape) in enumerate(zip(others, shapes, strict=True))
    }
    return [FIXED_STYLES.get(name) or styles[name] for name in classes]


def class_labels(classes: Sequence[str], length: int = 24) -> list[str]:
    """`label` of all classes at once: no two are alike, so that each can be recognised in every figure."""
    return list(cached_labels(tuple(classes), length))


@functools.lru_cache(64)
def cached_labels(classes: tuple[str, ...], length: int) -> tuple[str, ...]:
    return tuple(map(plain, class_names.shorten(classes, length, replace_undrawable)))


def select_classes(classes: Sequence[str], values: Sequence[float]) -> tuple[list[int], list[int]]:
    """(places shown, places of the others): all classes in natural order, or of more than 12 those of least value."""
    order = class_names.natural_order(classes)
    if len(order) <= MAX_CLASSES:
        return order, []
    order.sort(key=lambda index: values[index])
    return order[:MAX_CLASSES], order[MAX_CLASSES:]


def format_selection(rule: str, others: Sequence[int], values: Sequence[float]) -> str:
    """What a heading says of the rule (a phrase) by which `select_classes` left others out.

    Names decide among equal values.
    """
    if not others:
        return ""
    return (rule if min(values) < max(values) else phrase("the first classes by name")) + " · "


def of_classes(n_shown: int, classes: Sequence[str], after: str = ": ") -> str:
    """What a title says of classes that are left out: ': 12 of 30 classes shown', or nothing."""
    if n_shown == len(classes):
        return ""
    return after + phrase("{n} of {of} classes shown", n=n_shown, of=len(classes))


def other_classes(places: Sequence[int]) -> str:
    return phrase_plural(len(places), "1 other", "{n} others")


def tint(colour: str) -> tuple[float, float, float]:
    """A light shade of a colour, so that a hatch shows on it."""
    red, green, blue = (1 - 0.45 * (1 - int(colour[i : i + 2], 16) / 255) for i in (1, 3, 5))
    return red, green, blue


def label(text: object, length: int = 24) -> str:
    """A name as it can be drawn: cut in the middle, unknown characters as □, `$` not read as mathematics."""
    return plain(replace_undrawable(class_names.cut(str(text), length)))


def title_label(name: str) -> str:
    """The name of photos or of a network in the line below a heading, in the figure's language where it has one."""
    return label(translate(name), 48)


def replace_undrawable(text: str) -> str:
    """A text as our font draws it: □ in place of characters that it does not have."""
    return "".join(letter if ord(letter) in drawable() else "□" for letter in text)


@functools.cache
def drawable() -> frozenset[int]:
    """The characters our font has, without those that would turn all that follows them."""
    return frozenset(font_manager.get_font(font_manager.findfont("DejaVu Sans")).get_charmap()) - TURNING


def plain(text: str) -> str:
    """A text that stays as it is within a line of English: `$` is no mathematics, and letters that run from right to
    left turn no other words."""
    if any(unicodedata.bidirectional(letter) in ("R", "AL", "AN") for letter in text):
        text = f"\u200e{text}\u200e"
    return text.replace("$", r"\$")


def percent(fraction: float) -> str:
    """0.987 -> "98.7 %"; never "100 %" for what is not certain."""
    return localize("> 99.9 %" if 0.9995 <= fraction < 1 else f"{100 * fraction:.1f} %")


def format_rate(correct: int, n: int) -> str:
    """'39 of 40 (97.5 %)'."""
    if not n:
        return phrase("no photo")
    return phrase("{correct} of {n} ({share:percent})", correct=str(correct), n=str(n), share=correct / n)
