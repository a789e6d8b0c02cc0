"""The figure of all results: sign, title and sentence of each check, and its value between its two limits."""

from typing import Any

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Rectangle

from maskkit.audit import figures
from maskkit.audit.entries import Entry
from maskkit.core.audit_file import RESULTS
from maskkit.plot_style import GREY, INK, LINE, heading, localize, percent, phrase, stored, styled, tint, translate

SIGNS = {  # sign, marker, colour, ink of the sign, hatch of its zone
    "pass": ("✓", "o", "#00795a", "white", ""),
    "warning": ("!", "^", "#e09b12", INK, "////"),
    "fail": ("✗", "8", "#b3261e", "white", "xxxx"),
    "unknown": ("?", "s", "#ffffff", GREY, ""),
    "muted": ("–", "D", "#ffffff", GREY, ""),
}
WIDTH, FOOT = 11, 1.0  # inches


@styled
def draw(audit: dict[str, Any], *, language: str = "en") -> Figure:
    """The results of all checks, audit.json's "results", one below the other."""
    results = list(audit["results"].values())
    texts = [
        figures.wrap(stored(row) if figures.is_measured(row) else figures.why_unknown(row), 4.75, 9.5)
        for row in results
    ]
    heights = [max(0.98, 0.68 + 0.165 * (1 + text.count("\n"))) for text in texts]
    height, whole = sum(heights) + FOOT, sum(heights) + FOOT + 0.62
    fig = plt.figure(figsize=(WIDTH, whole))
    track = fig.add_axes((6.2 / WIDTH, FOOT / whole, 3.3 / WIDTH, sum(heights) / whole))
    track.set(xlim=(0, 100), ylim=(FOOT, height), xticks=range(0, 101, 25), yticks=[])
    track.set_xlabel(phrase("value of the check (%)"))
    track.grid(axis="x")
    track.spines["left"].set_visible(False)
    page = fig.add_axes((0, 0, 1, height / whole), xlim=(0, WIDTH), ylim=(0, height))
    page.set_axis_off()
    top = height
    for row, text, tall in zip(results, texts, heights, strict=True):
        draw_words(page, row, text, top)
        draw_value(track, page, row, top, tall)
        top -= tall
    draw_legend(fig, whole)
    shown = [row["result"] for row in results]
    title = ", ".join(f"{shown.count(name)} {translate(RESULTS[name])}" for name in SIGNS if name in shown)
    heading(fig, phrase("How far the accuracy can be trusted: {counts}", counts=title), figures.photos_and_model(audit))
    return fig


def draw_words(page: Any, row: Entry, text: str, top: float) -> None:
    """A result's sign, title and sentence."""
    at = {"ha": "center", "va": "center", "weight": "bold"}
    sign, marker, colour, ink, _ = SIGNS[row["result"]]
    page.plot((0.12, WIDTH - 0.12), (top, top), color=LINE, lw=0.8)
    page.plot(0.52, top - 0.38, marker, ms=27, color=colour, mec=ink if ink == GREY else colour, mew=1.6)
    page.text(0.52, top - (0.42 if marker == "^" else 0.385), sign, color=ink, fontsize=15, **at)
    page.text(0.52, top - 0.8, figures.wrap(translate(RESULTS[row["result"]]), 0.98, 9, 2), fontsize=9, **at)
    page.text(1.08, top - 0.31, figures.wrap(stored(row, "title"), 4.2, 12.5, 1), fontsize=12.5, **{**at, "ha": "left"})
    page.text(1.08, top - 0.5, text, fontsize=9.5, va="top", linespacing=1.25)


def draw_value(track: Any, page: Any, row: Entry, top: float, tall: float) -> None:
    """A result's value on the track and in digits, or that it was not measured."""
    middle = top - tall / 2 + 0.04
    if figures.is_measured(row):
        draw_zones(track, row, middle)
        page.text(9.72, middle + 0.09, percent(row["value"]), fontsize=13, weight="bold", va="center")
        page.text(9.72, middle - 0.13, figures.format_interval(row), fontsize=9, color=GREY, va="center")
    else:
        track.add_patch(Rectangle((-1, top - tall), 102, tall, color="white", clip_on=False, zorder=2))
        page.text(6.2, middle, phrase("not measured"), color=GREY, style="italic", va="center")


def draw_zones(axis: Any, row: Entry, y: float) -> None:
    """A result's three zones from 0 to 100 %, its two limits, and its value with the interval."""
    good, bad = 100 * row["thresholds"]["pass"], 100 * row["thresholds"]["fail"]
    low, high = np.clip(sorted((good, bad)), 0, 100)
    names = ("pass", "warning", "fail") if good < bad else ("fail", "warning", "pass")
    for name, start, end in zip(names, (0, low, high), (low, high, 100), strict=True):
        axis.add_patch(zone(name, xy=(start, y - 0.12), width=end - start, height=0.24))
    for at, side, pad in ((low, "right", 0.5), (high, "left", -0.5)):
        axis.plot((at, at), (y - 0.17, y + 0.17), color=INK, lw=1.1, zorder=3)
        axis.text(at + pad, y - 0.19, localize(f"{at:.3g} %"), ha=side, va="top", fontsize=8, color=GREY)
    if row["interval"] is not None:
        ends = np.clip(100 * np.array(row["interval"]), 0, 100)
        axis.plot(ends, (y, y), color=INK, lw=2.4, marker="|", ms=9, mew=1.6, clip_on=False, zorder=4)
    style = {"color": INK, "mec": "white", "mew": 0.8, "ms": 6.5, "clip_on": False}
    axis.plot(np.clip(100 * row["value"], 0, 100), y, "D", zorder=5, **style)


def zone(name: str, xy: tuple[float, float] = (0, 0), width: float = 1, height: float = 1, **more: Any) -> Rectangle:
    """A zone's patch: a tint of its colour, and a hatch for who cannot tell colours apart."""
    _, _, colour, _, hatch = SIGNS[name]
    pale = [(2 + part) / 3 for part in tint(colour)]
    return Rectangle(xy, width, height, facecolor=pale, edgecolor=tint(colour), hatch=hatch, lw=0.6, **more)


def draw_legend(fig: Figure, whole: float) -> None:
    """What zones and marks mean, at the foot."""
    words = {"pass": phrase("pass zone"), "warning": phrase("warning zone"), "fail": phrase("fail zone")}
    style: dict[str, Any] = {"marker": "D", "mec": "white", "ms": 6.5}
    fig.legend(
        handles=[
            *(zone(name, label=text) for name, text in words.items()),
            Line2D([], [], color=INK, lw=2, label=phrase("value, 95 % interval"), **style),
        ],
        loc="lower left",
        bbox_to_anchor=(0.9 / WIDTH, 0.14 / whole),
        ncols=4,
        columnspacing=1.2,
    )
