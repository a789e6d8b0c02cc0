"""A confusion matrix on an axis; of many classes those with the most mistakes, and the others as one."""

import dataclasses
from collections.abc import Sequence
from typing import Any

import numpy as np
from matplotlib.axes import Axes

from maskkit.core import class_names
from maskkit.plot_style import (
    FILL,
    GREY,
    INK,
    OTHERS_STYLE,
    ClassStyle,
    class_labels,
    class_styles,
    localize,
    other_classes,
    phrase,
    phrase_plural,
)

MAX_MATRIX, MATRIX_SHOWN = 30, 20  # classes in a confusion matrix; of more, the most confused and the others together
EMPTY_CELLS = 10  # classes up to which a confusion matrix spells out its zeros


@dataclasses.dataclass(frozen=True)
class MatrixLayout:
    """A confusion matrix as it is drawn, its classes in natural order, perhaps with the others as one class at its end.

    counts: int (k, k), rows true; totals: int (k,), photos of each row, also those in no cell; names, styles: k each;
    n_shown: how many of them are classes; cell: the side of a cell, inches; words: what a heading says of the others,
    "" where all classes are there.
    """

    counts: np.ndarray
    totals: np.ndarray
    names: list[str]
    styles: list[ClassStyle]
    n_shown: int
    cell: float
    words: str


def tabulate(
    matrix: np.ndarray, classes: Sequence[str], most: int = MAX_MATRIX, shown: int = MATRIX_SHOWN, room: float = 7.2
) -> MatrixLayout:
    """The matrix of all classes, or above `most` that of the `shown` in most mistakes and of all others as one.

    The others' own cell holds those called their own class, as on the rest of the diagonal; those called another one of
    the others are in no cell, and `words` says how many there are. The cells fill at most `room` inches, or are as
    small as can be read.
    """
    matrix, order = np.asarray(matrix, dtype=int), class_names.natural_order(classes)
    labels, styles = class_labels(classes, 18 if len(classes) < 6 else class_names.SHORT), class_styles(classes)
    kept, others = order, []
    if len(classes) > most:
        wrong = matrix.sum(axis=0) + matrix.sum(axis=1) - 2 * matrix.diagonal()
        chosen = set(sorted(order, key=lambda index: -wrong[index])[:shown])
        kept, others = ([index for index in order if (index in chosen) is taken] for taken in (True, False))
    names, styles, words = [labels[index] for index in kept], [styles[index] for index in kept], ""
    counts, totals = matrix[np.ix_(kept, kept)], matrix[kept].sum(axis=1)
    if others:
        right = matrix[others, others].sum()
        among = int(matrix[np.ix_(others, others)].sum() - right)
        below = np.append(matrix[np.ix_(others, kept)].sum(axis=0), right)
        beside = matrix[np.ix_(kept, others)].sum(axis=1)
        counts = np.vstack([np.column_stack([counts, beside]), below])
        totals = np.append(totals, matrix[others].sum())
        names.append(other_classes(others))
        styles.append(OTHERS_STYLE)
        words = phrase_plural(
            among,
            "the classes with the most mistakes; {n:,} mistake among the others not shown · ",
            "the classes with the most mistakes; {n:,} mistakes among the others not shown · ",
        )
    cell = max(0.3, 0.085 * len(str(counts.max(initial=0))) + 0.06, min(0.72, room / len(names)))
    return MatrixLayout(counts, totals, names, styles, len(kept), cell, words)


def crosstab(axis: Axes, table: MatrixLayout, slanted: bool) -> None:
    """A confusion matrix: counts and shares of their row, rows true, columns predicted; names slanted or not."""
    counts, n_classes, two_lines = table.counts, len(table.names), table.cell > 0.45
    rates = counts / np.maximum(table.totals, 1)[:, None]
    axis.imshow(rates, cmap=FILL, vmin=0, vmax=1, aspect="auto")  # its rows stay level with the intervals
    fits = 72 * (table.cell - 0.06) / (0.7 * len(str(counts.max(initial=0))))  # points; a bold digit is 0.7 wide
    big = 18 if n_classes < 4 else 13 if n_classes < 7 else min(11, 30 * table.cell, fits)
    for row, column in np.ndindex(counts.shape):
        if n_classes > EMPTY_CELLS and not counts[row, column]:
            continue
        ink = "white" if rates[row, column] > 0.62 else INK if counts[row, column] else GREY
        at: dict[str, Any] = {"ha": "center", "color": ink, "gid": f"cell {row} {column}"}
        place = "bottom" if two_lines else "center"
        axis.text(column, row, f"{counts[row, column]}", va=place, fontsize=big, weight="bold", **at)
        share = localize(f"{100 * rates[row, column]:.3g} %") if table.totals[row] else "-"
        if two_lines:
            axis.text(column, row + 0.08, share, va="top", fontsize=max(8, big * 0.55), **{**at, "gid": "rate"})
    ticks = range(n_classes)
    axis.set(
        xticks=ticks,
        yticks=ticks,
        xlabel=phrase("predicted class"),
        ylabel=phrase("true class"),
        title=phrase("photos, share of row") if two_lines else phrase("photos; colour: share of row"),
    )
    axis.set_yticklabels(table.names)
    axis.set_xticklabels(
        table.names,
        rotation=40 if slanted else 0,
        ha="right" if slanted else "center",
        rotation_mode="anchor" if slanted else "default",
    )
    axis.set_xticks(np.arange(n_classes + 1) - 0.5, minor=True)
    axis.set_yticks(np.arange(n_classes + 1) - 0.5, minor=True)
    axis.grid(which="minor", color="white", linewidth=2 if two_lines else 1)
    axis.tick_params(which="both", length=0)
    if not two_lines:
        axis.tick_params(labelsize=9)
    if table.n_shown < n_classes:  # the others stand apart
        for line in (axis.axhline, axis.axvline):
            line(n_classes - 1.5, color="white", lw=5)
    axis.spines[:].set_visible(False)
