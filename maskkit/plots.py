"""One function per figure: each takes arrays and returns a matplotlib Figure; `save` writes it.

No function shows, saves, seeds or changes global style. `language` ("en" or "id") is that of the words and numbers.
Classes are told apart by colour, marker and hatch,
right and wrong by sign and frame; rates carry their Wilson 95 % interval.
"""

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator
from PIL import Image

from maskkit.confusion_matrix import crosstab, tabulate
from maskkit.core import class_names
from maskkit.core.intervals import wilson
from maskkit.evaluate import best_epoch
from maskkit.plot_style import (
    ACCENT,
    COLOURS,
    FILL,
    GREY,
    HATCHES,
    INK,
    LINE,
    MARKERS,
    MAX_CLASSES,
    OTHERS_STYLE,
    ClassStyle,
    class_labels,
    class_styles,
    figure,
    format_rate,
    format_selection,
    heading,
    intervals,
    label,
    localize,
    of_classes,
    other_classes,
    percent,
    phrase,
    phrase_plural,
    picture,
    select_classes,
    styled,
    tiles,
    tint,
    title_label,
    verdict,
)
from maskkit.report import REPORT_ACCURACY
from maskkit.saved_figure import Saved as Saved
from maskkit.saved_figure import save as save
from maskkit.sources import folders

MAX_SAMPLE = 60  # photos in a sample of the classes
MAX_PREDICTIONS = 20
MAX_MISTAKES = 40
BROWN = "#8a5a00"  # the report's line


@styled
def photos_grid(
    images: list[Image.Image], labels: Sequence[int], classes: Sequence[str], photos: str, *, language: str = "en"
) -> Figure:
    """A sample of each class, one row per class, at most eight photos a row; of many classes the first twelve.

    Args:
        images: PIL RGB images (N); labels: int (N,), places in `classes`; photos: for the title.
    """
    shown_classes = class_names.natural_order(classes)[:MAX_CLASSES]
    most = min(8, max(4, MAX_SAMPLE // len(shown_classes)))
    rows = {index: [i for i, label in enumerate(labels) if label == index][:most] for index in shown_classes}
    columns = max(4, *(len(row) for row in rows.values()))
    shown = sum(len(row) for row in rows.values())
    fig, grid = figure(1.2 * columns + 0.6, 1.32 * len(rows) + 0.25, len(rows), columns)
    styles, names = class_styles(classes), class_labels(classes)
    for axes, (index, row) in zip(grid, rows.items(), strict=True):
        for axis in axes:
            axis.set_axis_off()
            axis.set_anchor("SW")  # so that a row's name stands at its first photo's edge, whatever its shape
        for axis, i in zip(axes, row, strict=False):
            picture(axis, images[i], styles[index][0])
        axes[0].set_title(names[index], color=styles[index][0], weight="bold", fontsize=10.5, pad=5)
    heading(
        fig,
        phrase("Photos of each class") + of_classes(len(rows), classes),
        " · ".join(
            (
                phrase_plural(shown, "{n:,} photo shown", "{n:,} photos shown"),
                *([phrase("the first classes by name")] if len(rows) < len(classes) else []),
                title_label(photos),
            )
        ),
    )
    return fig


@styled
def split_counts(counts: dict[str, dict[str, int]], photos: str, *, language: str = "en") -> Figure:
    """How many photos of each class each part holds; of many classes the twelve with the fewest, and the others' mean.

    Args:
        counts: {part: {label: n}}; photos: which photos, for the title.
    """
    classes = sorted({name for part in counts.values() for name in part})
    names = {"train": phrase("training set"), "val": phrase("validation set")}
    sums = [sum(part.get(name, 0) for part in counts.values()) for name in classes]
    shown, others = select_classes(classes, sums)
    most = max((n for part in counts.values() for n in part.values()), default=1)
    n_rows = len(shown) + bool(others)
    fig, grid = figure(8, 0.42 * n_rows + 1, 1, len(counts), sharex=True, sharey=True)
    styles, labels = class_styles(classes), class_labels(classes)
    for axis, (part, count) in zip(grid[0], counts.items(), strict=True):
        for y, index in enumerate(shown):
            n, (colour, _, hatch) = count.get(classes[index], 0), styles[index]
            axis.barh(y, n, 0.66, color=tint(colour), edgecolor=colour, hatch=hatch, linewidth=1.2)
            axis.text(n + 0.02 * most, y, localize(f"{n:,}"), va="center", weight="bold")
        if others:
            rest = [count.get(classes[index], 0) for index in others]
            axis.barh(len(shown), np.mean(rest), 0.66, color="white", edgecolor=GREY, linewidth=1.2)
            words = f"{min(rest):,}" if min(rest) == max(rest) else f"{min(rest):,}-{max(rest):,}"
            words = phrase("{numbers} each", numbers=localize(words))
            axis.text(np.mean(rest) + 0.02 * most, len(shown), words, va="center", color=GREY)
        axis.set_title(
            f"{names.get(part, label(part))}: {phrase_plural(sum(count.values()), '{n:,} photo', '{n:,} photos')}"
        )
        axis.set(
            yticks=range(n_rows), xlim=(0, max(1, (1.3 if others else 1.18) * most)), xlabel=phrase("photos (count)")
        )
        mean = [phrase("{classes} (mean)", classes=other_classes(others))] if others else []
        axis.set_yticklabels([labels[index] for index in shown] + mean)
        axis.xaxis.set_major_locator(MaxNLocator(5, integer=True))
        axis.tick_params(axis="y", length=0)
        axis.grid(axis="x")
    grid[0, 0].set_ylabel(phrase("class"))
    grid[0, 0].invert_yaxis()  # shared: both parts list the classes from the top
    total = sum(sum(part.values()) for part in counts.values())
    heading(
        fig,
        phrase("Training and validation photos") + of_classes(len(shown), classes),
        f"{phrase_plural(total, '{n:,} photo', '{n:,} photos')} · "
        f"{format_selection(phrase('the classes with the fewest photos'), others, sums)}"
        f"{title_label(photos)}",
    )
    return fig


@styled
def feature_vector(image: Image.Image, values: np.ndarray, photos: str, arch: str, *, language: str = "en") -> Figure:
    """A photo, and the features that a frozen network turns it into, as a picture of one square per number.

    Args:
        image: PIL RGB; values: float (n_features,); photos, arch: for the title.
    """
    n = len(values)
    n_rows = max(rows for rows in range(1, math.isqrt(n) + 1) if n % rows == 0)
    fig, [[left, right]] = figure(9, 3.4, 1, 2, width_ratios=(1, 1.5))
    picture(left, image, LINE)
    left.set_title(phrase("the photo"))
    squares = right.imshow(np.reshape(values, (n_rows, -1)), cmap=FILL, interpolation="nearest")
    right.set(xticks=[], yticks=[], xlabel=phrase("{n} rows of {m} features", n=n_rows, m=n // n_rows))
    right.set_title(phrase("what the head receives"))
    fig.colorbar(squares, ax=right, label=phrase("value (no unit)"))
    heading(fig, phrase("One photo as {n:,} numbers", n=n), f"{title_label(arch)} · {title_label(photos)}")
    return fig


@styled
def neighbours(
    images: Sequence[tuple[Image.Image, Image.Image]],
    labels: Sequence[tuple[int, int]],
    classes: Sequence[str],
    same: tuple[int, int],
    photos: str,
    arch: str,
    *,
    language: str = "en",
) -> Figure:
    """Validation photos, each above the training photo with the most similar features.

    Args:
        images: PIL RGB images, pairs (validation photo, training photo); labels: places in `classes`, pairs like them.
        same: (validation photos whose most similar training photo has their label, all validation photos).
    """
    fig, grid = figure(1.9 * max(4, len(images)), 4.3, 2, max(4, len(images)))
    styles, names = class_styles(classes), class_labels(classes, 18)
    for axis in grid.flat:
        axis.set_axis_off()
    for column, pair, (true, found) in zip(grid.T, images, labels, strict=False):
        for axis, image, at in zip(column, pair, (true, found), strict=True):
            picture(axis, image, styles[at][0], 1.4 if true == found else 3.2, dashed=true != found)
            axis.set_title(names[at], color=styles[at][0], fontsize=9.5)
        column[1].set_xlabel("✓" if true == found else "✗", fontsize=11)
    grid[0, 0].set_ylabel(phrase("validation"))
    grid[1, 0].set_ylabel(phrase("most similar"))
    title = phrase("The most similar training photo has the same label for {n} of {of} photos", n=same[0], of=same[1])
    heading(fig, title, f"{title_label(arch)} · {title_label(photos)}")
    return fig


@styled
def training_curves(history: list[dict[str, Any]], photos: str, arch: str, *, language: str = "en") -> Figure:
    """Loss and accuracy of both parts over the epochs, the best epoch marked (the report's figure 1).

    Args:
        history: one dict per epoch with epoch, train_loss, train_accuracy, val_loss, val_accuracy (fractions
            0..1) and val_correct (count); photos, arch: for the title.

    Raises:
        ValueError: the history is empty.
    """
    if not len(history):
        raise ValueError("history holds no epoch; run 02_train.ipynb first")
    epochs = [row["epoch"] for row in history]
    best = best_epoch(history)
    n_val = validation_photos(history)
    fig, [[left, right]] = figure(10, 4.1, 1, 2)
    curves(left, right, history)
    if n_val:
        band = interval_band(history, n_val)
        right.fill_between(epochs, *band.T, color=ACCENT, alpha=0.16, lw=0, label=phrase("95 % interval (validation)"))
        if len(history) == 1:  # a band needs two epochs to be seen
            right.vlines(epochs, *band.T, color=ACCENT, lw=5, alpha=0.3)
    handles, names = right.get_legend_handles_labels()
    fig.legend(handles, names, loc="outside lower center", ncols=4)  # below: curves may run anywhere
    score = format_rate(best["val_correct"], n_val) if n_val else percent(best["val_accuracy"])
    heading(
        fig,
        phrase("Training: best validation accuracy {score}", score=score),
        f"{phrase('epoch {n} of {of}', n=best['epoch'], of=max(epochs))} · {title_label(arch)} · {title_label(photos)}",
    )
    return fig


@styled
def curves_compared(histories: dict[str, list[dict[str, Any]]]) -> Figure:
    """Several runs' losses and accuracies over the epochs, validation with 95 % intervals, training thin and dashed.

    Markers shrink from run to run, so that equal curves are seen to be several.

    Args:
        histories: {run's name: rows as for `training_curves`}.
    """
    fig, [[left, right]] = figure(10, 4.1, 1, 2)
    for at, (name, history) in enumerate(histories.items()):
        colour, epochs = (ACCENT, "#c2500a", *COLOURS)[at], [row["epoch"] for row in history]
        markers = {"marker": ("o", "s", *MARKERS)[at], "ms": max(3, 10 - 5 * at), "mfc": "white" if not at else colour}
        if n_val := validation_photos(history):
            band = interval_band(history, n_val)
            right.fill_between(epochs, *band.T, color=colour, alpha=0.12, lw=0, label=f"{label(name)}, 95 % interval")
        for axis, kind, scale in ((left, "loss", 1), (right, "accuracy", 100)):
            for part, legend, style in (
                ("val", f"{label(name)}, validation", markers),
                ("train", f"{label(name)}, training", {"ls": (0, (4, 2)), "lw": 1}),
            ):
                values = [scale * row[f"{part}_{kind}"] for row in history]
                axis.plot(epochs, values, color=colour, label=legend, clip_on=False, **style)
    epoch_axes(left, right)
    left.set(ylim=(0, None))
    fig.legend(*right.get_legend_handles_labels(), loc="outside lower center", ncols=3)
    heading(fig, "Training, run by run", " · ".join(map(label, histories)))
    return fig


@styled
def confusion(matrix: np.ndarray, classes: Sequence[str], photos: str, arch: str, *, language: str = "en") -> Figure:
    """Counts and row rates, and each true class's recall with its interval (the report's figure 1.1).

    Up to 30 classes are shown, of more the 20 with the most mistakes and the others as one. Above ten classes cells
    without a photo stay empty.

    Args:
        matrix: counts (C, C), rows true, columns predicted; classes: C names; photos, arch: for the title.
    """
    matrix = np.asarray(matrix, dtype=int)
    table = tabulate(matrix, classes)
    side, dense = max(3.4, table.cell * len(table.names) + 1), table.cell < 0.4
    fig, [[left, right]] = figure(side + 5.3 + dense, side + 0.2, 1, 2, width_ratios=(side, 2.6))
    crosstab(left, table, slanted=len(table.names) > 3)
    recalls = zip(table.counts.diagonal().tolist(), table.totals.tolist(), table.styles, strict=True)
    intervals(right, list(recalls), one_line=dense)
    right.set(title=phrase("recall, 95 % interval"), xlabel=phrase("recall (%)"), ylim=left.get_ylim(), yticks=[])
    right.spines["left"].set_visible(False)
    heading(
        fig,
        phrase("Confusion matrix: {score} right", score=format_rate(int(matrix.trace()), int(matrix.sum())))
        + of_classes(table.n_shown, classes),
        f"{table.words}{phrase('validation photos')} · {title_label(arch)} · {title_label(photos)}",
    )
    return fig


@styled
def scores(metrics: dict[str, Any], *, language: str = "en") -> Figure:
    """Accuracy of the best and the last epoch and each class's recall, with Wilson 95 % intervals.

    Of many classes the twelve with the lowest recall, and the others together.

    Args:
        metrics: as in metrics.json: best, last, per_class_scores, confusion, classes, photos, arch.
    """
    classes, matrix = metrics["classes"], np.asarray(metrics["confusion"], dtype=int)
    right, totals = matrix.diagonal(), matrix.sum(axis=1)
    recalls = np.where(totals, right / np.maximum(totals, 1), 2).tolist()  # a class without a photo comes last
    shown, others = select_classes(classes, recalls)
    rows, names = score_rows(metrics, right, totals, shown, others)
    fig, [[axis]] = figure(9, 0.46 * len(rows) + 1, 1, 1)
    if set(classes) == set(folders.REPORT_CLASSES):
        mark_report(axis)
    intervals(axis, rows)
    axis.axhline(1.5, color=LINE, lw=1)
    axis.set(
        yticks=range(len(rows)),
        ylim=(len(rows) - 0.5, -0.95),
        xlabel=phrase("share of photos classified correctly (%)"),
    )
    axis.set_yticklabels(names)
    axis.set_ylabel(phrase("measure"))
    axis.tick_params(axis="y", length=0)
    heading(
        fig,
        phrase("Scores with 95 % intervals")
        + ", "
        + phrase_plural(metrics["best"]["n"], "{n:,} validation photo", "{n:,} validation photos")
        + of_classes(len(shown), classes),
        f"{format_selection(phrase('the classes with the lowest recall'), others, recalls)}{label(metrics['arch'])} · "
        f"{label(metrics['photos'], 48)}",
    )
    return fig


def score_rows(
    metrics: dict[str, Any], right: np.ndarray, totals: np.ndarray, shown: list[int], others: list[int]
) -> tuple[list[tuple[int, int, ClassStyle]], list[str]]:
    """Rows of `intervals`, and their names: both epochs' accuracies, recalls of `shown`, and of `others` together."""
    rows: list[tuple[int, int, ClassStyle]] = []
    names = []
    for score, name in (
        (metrics["best"], phrase("accuracy, best epoch ({n})", n=metrics["best"]["epoch"])),
        (metrics["last"], phrase("accuracy, last epoch ({n})", n=metrics["last"]["epoch"])),
    ):
        rows.append((score["correct"], score["n"], (INK, "d", "")))
        names.append(name)
    styles, labels = class_styles(metrics["classes"]), class_labels(metrics["classes"])
    for i in shown:
        rows.append((int(right[i]), int(totals[i]), styles[i]))
        names.append(phrase("recall, {name}", name=labels[i]))
    if others:
        rows.append((int(right[others].sum()), int(totals[others].sum()), OTHERS_STYLE))
        names.append(phrase("recall, {classes} together", classes=other_classes(others)))
    return rows, names


def mark_report(axis: Axes) -> None:
    """A line at the report's accuracy, on an axis of percent."""
    report = 100 * REPORT_ACCURACY
    axis.axvline(report, color=BROWN, lw=1.4, ls=(0, (5, 3)), zorder=1)
    words = phrase("the report's accuracy: {accuracy} %", accuracy=localize(str(report)))
    axis.text(report - 1, -0.62, words, color=BROWN, fontsize=9, ha="right", va="center")


@styled
def predictions(
    images: list[Image.Image],
    labels: np.ndarray,
    probabilities: np.ndarray,
    classes: Sequence[str],
    photos: str,
    arch: str,
    *,
    language: str = "en",
) -> Figure:
    """A grid of at most 20 photos, evenly spaced, each with its predicted class and probability.

    Args:
        images: PIL RGB images (N); labels: int (N,); probabilities: float (N, C); classes: C names.

    Raises:
        ValueError: there is no photo.
    """
    n = len(labels)
    if not n:
        raise ValueError("there is no photo to show; run 01_prepare.ipynb and 02_train.ipynb first")
    probabilities = np.asarray(probabilities)
    predicted = probabilities.argmax(1)
    shown = np.unique(np.linspace(0, n - 1, min(n, MAX_PREDICTIONS)).round().astype(int))
    fig, cells = tiles(len(shown), caption_lines=2)
    for axis, i in zip(cells, shown, strict=True):
        verdict(axis, images[i], labels[i], predicted[i], probabilities[i].max(), classes)
    right = int((predicted[shown] == np.asarray(labels)[shown]).sum())
    heading(
        fig,
        phrase("Predictions: {right} right (✓), {wrong} wrong (✗)", right=right, wrong=len(shown) - right),
        f"{phrase_plural(len(shown), '{n:,} validation photo shown', '{n:,} validation photos shown')} · "
        f"{title_label(arch)} · {title_label(photos)}",
    )
    return fig


@styled
def mistakes(
    images: Sequence[Image.Image],
    wrong: Sequence[Mapping[str, Any]],
    classes: Sequence[str],
    photos: str,
    arch: str,
    *,
    language: str = "en",
) -> Figure:
    """Every wrongly classified photo, the most confident mistake first; at most 40, the title counts the rest.

    Args:
        wrong: what `evaluate.mistakes` returned; images: PIL RGB images, of the first 40 of them at least.
    """
    shown = wrong[:MAX_MISTAKES]
    fig, cells = tiles(len(shown), caption_lines=3)
    for axis, image, row in zip(cells, images[: len(shown)], shown, strict=True):
        true, predicted = (classes.index(row[name]) for name in ("label", "predicted"))
        verdict(axis, image, true, predicted, row["probability"], classes, file=row["file"])
    if not wrong:
        fig.text(0.04, 0.3, phrase("No photo was classified wrongly."), fontsize=11)
    title = phrase_plural(len(wrong), "{n:,} mistake", "{n:,} mistakes")
    if len(wrong) > len(shown):
        title += phrase(", {n} more not shown", n=len(wrong) - len(shown))
    heading(
        fig,
        title,
        f"{phrase('most confident first')} · {title_label(arch)} · {title_label(photos)}",
    )
    return fig


@styled
def chance(counts: dict[float, np.ndarray], n: int, observed: int, *, language: str = "en") -> Figure:
    """How far scores on n photos vary by chance alone, and how their interval shrinks with more photos.

    Left, for each true accuracy the share of samples with so many photos right, and a line at the observed count.
    Right, the Wilson 95 % interval of the observed share on n, 4 n, 16 n and 64 n photos.

    Args:
        counts: {true accuracy, 0..1: int (samples,), photos right of n in each sample}.
        n: photos in a sample; observed: photos right that were observed.
    """
    fig, [[left, right]] = figure(10, 3, 1, 2, width_ratios=(1.5, 1))
    width, lowest = 0.84 / len(counts), min(int(sample.min()) for sample in counts.values())
    for at, (share, sample) in enumerate(counts.items()):
        bars = 100 * np.bincount(sample, minlength=n + 1) / len(sample)
        places = np.arange(n + 1) + (at - (len(counts) - 1) / 2) * width
        colour, hatch = COLOURS[2 * at], HATCHES[at] if at else ""
        name = phrase("true accuracy {n:g} %", n=100 * share)
        left.bar(places, bars, width, color=tint(colour), edgecolor=colour, hatch=hatch, label=name)
    left.axvline(observed, color=BROWN, lw=1.4, ls=(0, (5, 3)), label=phrase("{n} of {of}", n=observed, of=n))
    left.set(
        xlim=(lowest - 0.5, n + 0.5), xlabel=phrase("photos right, of {n} (count)", n=n), ylabel=phrase("samples (%)")
    )
    left.xaxis.set_major_locator(MaxNLocator(8, integer=True))
    left.set_title(phrase_plural(n, "other samples of {n:,} photo", "other samples of {n:,} photos"))
    left.grid(axis="y")
    left.legend(loc="upper left")
    sizes = [4**power * n for power in range(4)]
    intervals(right, [(observed * size // n, size, (ACCENT, "o", "")) for size in sizes])
    right.set(
        title=phrase("95 % interval"), xlim=(80, 100), xticks=range(80, 101, 5), xlabel=phrase("accuracy (%), from 80")
    )
    right.set(yticks=range(len(sizes)), ylim=(len(sizes) - 0.4, -0.6), ylabel=phrase("photos (count)"))
    right.set_yticklabels([localize(f"{size:,}") for size in sizes])
    heading(
        fig,
        phrase("What {n} of {of} can and cannot say", n=observed, of=n),
        phrase(
            "{n:,} simulated samples for each true accuracy · no photo is shown", n=len(next(iter(counts.values())))
        ),
    )
    return fig


def validation_photos(history: list[dict[str, Any]]) -> int:
    """How many photos the validation accuracies are shares of; 0 where none was ever right."""
    return next((round(row["val_correct"] / row["val_accuracy"]) for row in history if row["val_accuracy"]), 0)


def interval_band(history: list[dict[str, Any]], n_val: int) -> np.ndarray:
    """Each epoch's Wilson 95 % interval of the validation accuracy: percent (epochs, 2)."""
    return np.array([wilson(row["val_correct"], n_val) for row in history]) * 100


def curves(left: Axes, right: Axes, history: list[dict[str, Any]]) -> None:
    """Both parts' losses on the left axis, accuracies on the right, the best epoch marked."""
    epochs, best = [row["epoch"] for row in history], best_epoch(history)["epoch"]
    for axis, kind, scale in ((left, "loss", 1), (right, "accuracy", 100)):
        for part, name, style in (
            ("train", phrase("training"), {"color": GREY, "ls": (0, (4, 2)), "marker": "s", "mfc": "white"}),
            ("val", phrase("validation"), {"color": ACCENT, "ls": "-", "marker": "o"}),
        ):
            values = [scale * row[f"{part}_{kind}"] for row in history]
            every = max(1, len(history) // 20)
            axis.plot(epochs, values, label=name, ms=5.5, markevery=every, clip_on=False, zorder=3, **style)
        axis.axvline(best, color=LINE, lw=6, zorder=0, label=phrase("best epoch ({n})", n=best))
        axis.set(xlim=(min(epochs) - 0.5, max(epochs) + 0.5))
    epoch_axes(left, right)
    losses = [row[key] for row in history for key in ("train_loss", "val_loss") if math.isfinite(row[key])]
    left.set(ylim=(0, 1.08 * max(losses, default=1) or 1))


def epoch_axes(left: Axes, right: Axes) -> None:
    """Name the axes of losses (left) and accuracies in percent (right) over the epochs."""
    for axis in (left, right):
        axis.set(xlabel=phrase("epoch"))
        axis.xaxis.set_major_locator(MaxNLocator(10, integer=True, min_n_ticks=1))
        axis.grid(axis="y")
    left.set(ylabel=phrase("cross-entropy loss"), title=phrase("loss"))
    right.set(ylabel=phrase("accuracy (%)"), title=phrase("accuracy"), ylim=(0, 100))
