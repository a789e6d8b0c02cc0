"""One function per figure: each takes arrays and returns a matplotlib Figure; `save` writes it.

No function shows, saves, seeds or changes global style. Classes are told apart by colour, marker and hatch,
right and wrong by sign and frame; rates carry their Wilson 95 % interval.
"""

import dataclasses
import functools
import io
import math
import unicodedata
from collections.abc import Sequence
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
from matplotlib import font_manager
from matplotlib.colors import LinearSegmentedColormap
from matplotlib.ticker import MaxNLocator
from PIL import Image

from maskkit.core import class_names, disk

REPORT_CLASSES = {"with_mask", "without_mask"}
REPORT_ACCURACY = 97.5  # percent: the report's best validation accuracy
MAX_CLASSES = 12  # with a row each; a figure of more says which it shows, and sums up the others where it can
MAX_MATRIX, MATRIX_SHOWN = 30, 20  # classes in a confusion matrix; of more, the most confused and the others together
EMPTY_CELLS = 10  # classes up to which a confusion matrix spells out its zeros
MAX_SAMPLE = 60  # photos in a sample of the classes
MAX_PREDICTIONS = 20
MAX_MISTAKES = 40
TILE_PX = 320  # pictures are drawn at most this large, so that a figure of phone photos stays small

INK, GREY, LINE, ACCENT = "#1d2733", "#5b6673", "#cfd6de", "#0f6674"
FILL = LinearSegmentedColormap.from_list("maskkit", ["#f3f5f7", "#d5e8ea", "#6fadb5", ACCENT])
TURNING = frozenset(range(0x202A, 0x202F))  # marks of writing from right to left and back
OTHERS_LOOK = (GREY, "o", "")  # of classes summed up
FIXED_LOOKS = {"with_mask": ("#0a6ab0", "o", ""), "without_mask": ("#c2500a", "s", "////")}
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
STYLE = {
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
def load_backend():
    """Let matplotlib load its backend now: JupyterLab's switches interactive mode on as it loads.

    Loaded inside a style's context that would be undone with it, and a notebook would show its first figure only.
    """
    plt.switch_backend(plt.rcParams["backend"])


def styled(draw):
    """Draw in our style, leave the caller's alone, and fix the layout: each save gives the same bytes."""

    @functools.wraps(draw)
    def wrapper(*args, **kwargs):
        load_backend()
        kept = {name: plt.rcParams[name] for name in ("backend", "interactive")}
        with plt.rc_context({**plt.rcParamsDefault, **STYLE, **kept}):
            fig = draw(*args, **kwargs)
            fig.draw_without_rendering()
            fig.set_layout_engine("none")
            return fig

    return wrapper


# --- the figures --------------------------------------------------------------------------------


@styled
def photos_grid(images, labels, classes, photos):
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
    looks, names = class_looks(classes), class_labels(classes)
    for axes, (index, row) in zip(grid, rows.items(), strict=True):
        for axis in axes:
            axis.set_axis_off()
            axis.set_anchor("SW")  # so that a row's name stands at its first photo's edge, whatever its shape
        for axis, i in zip(axes, row, strict=False):
            picture(axis, images[i], looks[index][0])
        axes[0].set_title(names[index], color=looks[index][0], weight="bold", fontsize=10.5, pad=5)
    heading(
        fig,
        "What the network is asked to tell apart" + of_classes(len(rows), classes),
        f"{plural(shown, 'photo')} shown · {'the first classes by name · ' if len(rows) < len(classes) else ''}"
        f"{label(photos, 48)}",
    )
    return fig


@styled
def split_counts(counts, photos):
    """How many photos of each class each part holds; of many classes the twelve with the fewest, and the others' mean.

    Args:
        counts: {part: {label: n}}; photos: which photos, for the title.
    """
    classes = sorted({name for part in counts.values() for name in part})
    names = {"train": "training part", "val": "validation part"}
    sums = [sum(part.get(name, 0) for part in counts.values()) for name in classes]
    shown, others = least(classes, sums)
    most = max((n for part in counts.values() for n in part.values()), default=1)
    n_rows = len(shown) + bool(others)
    fig, grid = figure(8, 0.42 * n_rows + 1, 1, len(counts), sharex=True, sharey=True)
    looks, labels = class_looks(classes), class_labels(classes)
    for axis, (part, count) in zip(grid[0], counts.items(), strict=True):
        for y, index in enumerate(shown):
            n, (colour, _, hatch) = count.get(classes[index], 0), looks[index]
            axis.barh(y, n, 0.66, color=tint(colour), edgecolor=colour, hatch=hatch, linewidth=1.2)
            axis.text(n + 0.02 * most, y, f"{n:,}", va="center", weight="bold")
        if others:
            own = [count.get(classes[index], 0) for index in others]
            axis.barh(len(shown), np.mean(own), 0.66, color="white", edgecolor=GREY, linewidth=1.2)
            words = f"{min(own):,}" if min(own) == max(own) else f"{min(own):,}-{max(own):,}"
            axis.text(np.mean(own) + 0.02 * most, len(shown), f"{words} each", va="center", color=GREY)
        axis.set_title(f"{names.get(part, label(part))}: {plural(sum(count.values()), 'photo')}")
        axis.set(yticks=range(n_rows), xlim=(0, max(1, (1.3 if others else 1.18) * most)), xlabel="photos (count)")
        mean = [f"{other_classes(others)} (mean)"] if others else []
        axis.set_yticklabels([labels[index] for index in shown] + mean)
        axis.xaxis.set_major_locator(MaxNLocator(5, integer=True))
        axis.tick_params(axis="y", length=0)
        axis.grid(axis="x")
    grid[0, 0].set_ylabel("class")
    grid[0, 0].invert_yaxis()  # shared: both parts list the classes from the top
    total = sum(sum(part.values()) for part in counts.values())
    heading(
        fig,
        "How the photos were divided" + of_classes(len(shown), classes),
        f"{plural(total, 'photo')} · {which('the classes with the fewest photos', others, sums)}{label(photos, 48)}",
    )
    return fig


@styled
def training_curves(history, photos, arch):
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
        right.fill_between(epochs, *band.T, color=ACCENT, alpha=0.16, lw=0, label="95 % interval (validation)")
        if len(history) == 1:  # a band needs two epochs to be seen
            right.vlines(epochs, *band.T, color=ACCENT, lw=5, alpha=0.3)
    handles, names = right.get_legend_handles_labels()
    fig.legend(handles, names, loc="outside lower center", ncols=4)  # below: curves may run anywhere
    heading(
        fig,
        f"Training: best validation accuracy {rate(best['val_correct'], n_val)}",
        f"epoch {best['epoch']} of {max(epochs)} · {label(arch)} · {label(photos, 48)}",
    )
    return fig


@styled
def curves_compared(histories):
    """Several runs' losses and accuracies over the epochs, validation with 95 % intervals, training thin and dashed.

    Markers shrink from run to run, so that equal curves are seen to be several.

    Args:
        histories: {run's name: rows as for `training_curves`}.
    """
    fig, [[left, right]] = figure(10, 4.1, 1, 2)
    for at, (name, history) in enumerate(histories.items()):
        colour, epochs = (ACCENT, "#c2500a", *COLOURS)[at], [row["epoch"] for row in history]
        look = {"marker": ("o", "s", *MARKERS)[at], "ms": max(3, 10 - 5 * at), "mfc": "white" if not at else colour}
        if n_val := validation_photos(history):
            band = interval_band(history, n_val)
            right.fill_between(epochs, *band.T, color=colour, alpha=0.12, lw=0, label=f"{label(name)}, 95 % interval")
        for axis, kind, scale in ((left, "loss", 1), (right, "accuracy", 100)):
            for part, said, style in (
                ("val", f"{label(name)}, validation", look),
                ("train", f"{label(name)}, training", {"ls": (0, (4, 2)), "lw": 1}),
            ):
                values = [scale * row[f"{part}_{kind}"] for row in history]
                axis.plot(epochs, values, color=colour, label=said, clip_on=False, **style)
    epoch_axes(left, right)
    left.set(ylim=(0, None))
    fig.legend(*right.get_legend_handles_labels(), loc="outside lower center", ncols=3)
    heading(fig, "Training, run by run", " · ".join(map(label, histories)))
    return fig


@styled
def confusion(matrix, classes, photos, arch):
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
    found = zip(table.counts.diagonal().tolist(), table.totals.tolist(), table.looks, strict=True)
    intervals(right, list(found), one_line=dense)
    right.set(title="share found, 95 % interval", xlabel="recall (%)", ylim=left.get_ylim(), yticks=[])
    right.spines["left"].set_visible(False)
    heading(
        fig,
        f"Confusion matrix: {rate(int(matrix.trace()), int(matrix.sum()))} right" + of_classes(table.n_shown, classes),
        f"{table.words}validation photos · {label(arch)} · {label(photos, 48)}",
    )
    return fig


@styled
def scores(metrics):
    """Accuracy of the best and the last epoch and each class's recall, with Wilson 95 % intervals.

    Of many classes the twelve with the lowest recall, and the others together.

    Args:
        metrics: as in metrics.json: best, last, per_class_scores, confusion, classes, photos, arch.
    """
    classes, matrix = metrics["classes"], np.asarray(metrics["confusion"], dtype=int)
    accuracy_look = (INK, "d", "")
    rows, names = [], []
    for key in ("best", "last"):
        result = metrics[key]
        rows.append((result["correct"], result["n"], accuracy_look))
        names.append(f"accuracy, {key} epoch ({result['epoch']})")
    right, totals = matrix.diagonal(), matrix.sum(axis=1)
    recalls = np.where(totals, right / np.maximum(totals, 1), 2).tolist()  # a class without a photo comes last
    shown, others = least(classes, recalls)
    looks, labels = class_looks(classes), class_labels(classes)
    for i in shown:
        rows.append((int(right[i]), int(totals[i]), looks[i]))
        names.append(f"recall, {labels[i]}")
    if others:
        rows.append((int(right[others].sum()), int(totals[others].sum()), OTHERS_LOOK))
        names.append(f"recall, {other_classes(others)} together")
    fig, [[axis]] = figure(9, 0.46 * len(rows) + 1, 1, 1)
    if set(classes) == REPORT_CLASSES:
        axis.axvline(REPORT_ACCURACY, color="#8a5a00", lw=1.4, ls=(0, (5, 3)), zorder=1)
        axis.text(
            REPORT_ACCURACY - 1,
            -0.62,
            f"the report's accuracy: {REPORT_ACCURACY} %",
            color="#8a5a00",
            fontsize=9,
            ha="right",
            va="center",
        )
    intervals(axis, rows)
    axis.axhline(1.5, color=LINE, lw=1)
    axis.set(
        yticks=range(len(rows)),
        ylim=(len(rows) - 0.5, -0.95),
        xlabel="share of photos classified correctly (%)",
    )
    axis.set_yticklabels(names)
    axis.set_ylabel("measure")
    axis.tick_params(axis="y", length=0)
    heading(
        fig,
        f"Scores with 95 % intervals, {plural(metrics['best']['n'], 'validation photo')}"
        + of_classes(len(shown), classes),
        f"{which('the classes with the lowest recall', others, recalls)}{label(metrics['arch'])} · "
        f"{label(metrics['photos'], 48)}",
    )
    return fig


@styled
def predictions(images, labels, probabilities, classes, photos, arch):
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
    shown = np.unique(np.linspace(0, n - 1, min(n, MAX_PREDICTIONS)).round().astype(int))
    fig, cells = tiles(len(shown), caption_lines=2)
    for axis, i in zip(cells, shown, strict=True):
        verdict(axis, images[i], labels[i], probabilities[i], classes)
    right = int((probabilities[shown].argmax(axis=1) == np.asarray(labels)[shown]).sum())
    heading(
        fig,
        f"Predictions: {right} right (✓), {len(shown) - right} wrong (✗)",
        f"{plural(len(shown), 'validation photo')} shown · {label(arch)} · {label(photos, 48)}",
    )
    return fig


@styled
def mistakes(images, labels, probabilities, files, classes, photos, arch):
    """Every wrongly classified photo, the surest mistake first; at most 40, the title counts the rest.

    Args:
        images: PIL RGB images (N), of which only those shown are looked at; labels: int (N,); probabilities: float
            (N, C), right ones are passed over; files: N names; classes: C names.
    """
    probabilities, n = np.asarray(probabilities), len(labels)
    wrong = [i for i in range(n) if probabilities[i].argmax() != labels[i]]
    wrong.sort(key=lambda i: -probabilities[i].max())
    shown = wrong[:MAX_MISTAKES]
    fig, cells = tiles(len(shown), caption_lines=3)
    for axis, i in zip(cells, shown, strict=True):
        verdict(axis, images[i], labels[i], probabilities[i], classes, file=files[i])
    if not wrong:
        fig.text(0.04, 0.3, "No photo was classified wrongly.", fontsize=11)
    more = f", {len(wrong) - len(shown)} more not shown" if len(wrong) > len(shown) else ""
    heading(
        fig,
        plural(len(wrong), "mistake") + (f" in {plural(n, 'validation photo')}" if n > len(wrong) else "") + more,
        f"most confident first · {label(arch)} · {label(photos, 48)}",
    )
    return fig


def save(fig, run_dir, name):
    """Write figures/<name>.png (150 dpi) and figures/<name>.svg, each whole or not at all.

    The same figure gives the same bytes: no date, no random ids.
    """
    folder = Path(run_dir) / "figures"
    for suffix, metadata in (("svg", {"Date": None}), ("png", {"Software": None})):
        data = io.BytesIO()
        with plt.rc_context(STYLE):
            fig.savefig(data, format=suffix, dpi=150, metadata=metadata)
        disk.write_bytes(folder / f"{name}.{suffix}", data.getvalue())


def preview(run_dir, name, width_px):
    """A saved figure as the bytes of a small JPEG: what a notebook shows of a picture of many photos."""
    with Image.open(Path(run_dir) / "figures" / f"{name}.png", formats=("PNG",)) as image:
        small = image.convert("RGB")
    small.thumbnail((width_px, 10 * width_px))
    data = io.BytesIO()
    small.save(data, "JPEG", quality=80)
    return data.getvalue()


# --- what they share ----------------------------------------------------------------------------


def best_epoch(history):
    """`evaluate.best_epoch`; imported late, since evaluate brings torch with it."""
    from maskkit import evaluate

    return evaluate.best_epoch(history)


def validation_photos(history):
    """How many photos the validation accuracies are shares of; 0 where none was ever right."""
    return next((round(row["val_correct"] / row["val_accuracy"]) for row in history if row["val_accuracy"]), 0)


def interval_band(history, n_val):
    """Each epoch's Wilson 95 % interval of the validation accuracy: percent (epochs, 2)."""
    return np.array([wilson(row["val_correct"], n_val) for row in history]) * 100


def curves(left, right, history):
    """Both parts' losses on the left axis, accuracies on the right, the best epoch marked."""
    epochs, best = [row["epoch"] for row in history], best_epoch(history)["epoch"]
    for axis, kind, scale in ((left, "loss", 1), (right, "accuracy", 100)):
        for part, name, look in (
            ("train", "training", {"color": GREY, "ls": (0, (4, 2)), "marker": "s", "mfc": "white"}),
            ("val", "validation", {"color": ACCENT, "ls": "-", "marker": "o"}),
        ):
            values = [scale * row[f"{part}_{kind}"] for row in history]
            every = max(1, len(history) // 20)
            axis.plot(epochs, values, label=name, ms=5.5, markevery=every, clip_on=False, zorder=3, **look)
        axis.axvline(best, color=LINE, lw=6, zorder=0, label=f"best epoch ({best})")
        axis.set(xlim=(min(epochs) - 0.5, max(epochs) + 0.5))
    epoch_axes(left, right)
    losses = [row[key] for row in history for key in ("train_loss", "val_loss") if math.isfinite(row[key])]
    left.set(ylim=(0, 1.08 * max(losses, default=1) or 1))


def epoch_axes(left, right):
    """Name the axes of losses (left) and accuracies in percent (right) over the epochs."""
    for axis in (left, right):
        axis.set(xlabel="epoch")
        axis.xaxis.set_major_locator(MaxNLocator(10, integer=True, min_n_ticks=1))
        axis.grid(axis="y")
    left.set(ylabel="cross-entropy loss", title="loss")
    right.set(ylabel="accuracy (%)", title="accuracy", ylim=(0, 100))


def figure(width, height, rows, columns, **options):
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


def heading(fig, title, below):
    """What the figure shows, and a smaller line that says of which photos."""
    width, height = fig.get_size_inches()
    at = {"x": 0.12 / width, "ha": "left", "va": "baseline"}
    fig.suptitle(title, y=1 - 0.3 / height, fontsize=min(13.5, 108 * width / len(title)), weight="bold", **at)
    fig.text(s=below, y=1 - 0.52 / height, fontsize=min(9.5, 118 * width / len(below)), color=GREY, **at)


def tiles(n, caption_lines):
    """A figure with n cells for pictures, five a row, and room for a caption below each."""
    columns = min(5, max(1, n))
    rows = math.ceil(n / columns) or 1
    fig, grid = figure(max(7, 2 * columns), rows * (1.85 + 0.23 * caption_lines) if n else 0.5, rows, columns)
    for axis in grid.flat:
        axis.set_axis_off()
        axis.set_anchor("N")  # what height a picture leaves is its caption's
    return fig, list(grid.flat)[:n]


def picture(axis, image, colour, width=1.0, dashed=False):
    """An image of any size and shape in a frame."""
    image = image.copy()
    image.thumbnail((TILE_PX, TILE_PX))
    axis.set_axis_on()
    axis.imshow(np.asarray(image.convert("RGB")), interpolation="antialiased")
    axis.set(xticks=[], yticks=[])
    for spine in axis.spines.values():
        spine.set(visible=True, color=colour, linewidth=width, linestyle=(0, (3, 1.5)) if dashed else "-")


def verdict(axis, image, true, probability, classes, file=None):
    """A picture above its predicted class and probability; a wrong one has a thick dashed frame and ✗."""
    predicted = int(probability.argmax())
    wrong = predicted != true
    looks = class_looks(classes)
    picture(axis, image, INK if wrong else looks[predicted][0], 3.2 if wrong else 1.4, dashed=wrong)
    sign, weight = ("✗", "bold") if wrong else ("✓", "normal")
    lines = [f"{sign} {class_labels(classes, 15)[predicted]}, {percent(probability[predicted])}"]
    if wrong:
        lines.append(f"is {class_labels(classes, 20)[int(true)]}")
    if file is not None:
        lines.append(label(Path(file).name, 24))
    axis.set_xlabel(lines[0], color=looks[predicted][0], fontsize=9, weight=weight, labelpad=4)
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


@dataclasses.dataclass(frozen=True)
class Table:
    """A confusion matrix as it is drawn, its classes in natural order, perhaps with the others as one class at its end.

    counts: int (k, k), rows true; totals: int (k,), photos of each row, also those in no cell; names, looks: k each;
    n_shown: how many of them are classes; cell: the side of a cell, inches; words: what a heading says of the others,
    "" where all classes are there.
    """

    counts: np.ndarray
    totals: np.ndarray
    names: list[str]
    looks: list[tuple[str, str, str]]
    n_shown: int
    cell: float
    words: str


def tabulate(
    matrix: np.ndarray, classes: Sequence[str], most: int = MAX_MATRIX, shown: int = MATRIX_SHOWN, room: float = 7.2
) -> Table:
    """The matrix of all classes, or above `most` that of the `shown` in most mistakes and of all others as one.

    The others' own cell holds those called their own class, as on the rest of the diagonal; those called another one of
    the others are in no cell, and `words` says how many there are. The cells fill at most `room` inches, or are as
    small as can be read.
    """
    matrix, order = np.asarray(matrix, dtype=int), class_names.natural_order(classes)
    labels, looks = class_labels(classes, 18 if len(classes) < 6 else class_names.SHORT), class_looks(classes)
    kept, others = order, []
    if len(classes) > most:
        wrong = matrix.sum(axis=0) + matrix.sum(axis=1) - 2 * matrix.diagonal()
        chosen = set(sorted(order, key=lambda index: -wrong[index])[:shown])
        kept, others = ([index for index in order if (index in chosen) is taken] for taken in (True, False))
    names, looks, words = [labels[index] for index in kept], [looks[index] for index in kept], ""
    counts, totals = matrix[np.ix_(kept, kept)], matrix[kept].sum(axis=1)
    if others:
        right = matrix[others, others].sum()
        among = int(matrix[np.ix_(others, others)].sum() - right)
        below = np.append(matrix[np.ix_(others, kept)].sum(axis=0), right)
        beside = matrix[np.ix_(kept, others)].sum(axis=1)
        counts = np.vstack([np.column_stack([counts, beside]), below])
        totals = np.append(totals, matrix[others].sum())
        names.append(other_classes(others))
        looks.append(OTHERS_LOOK)
        words = f"the classes in most mistakes; {plural(among, 'mistake')} among the others not drawn · "
    cell = max(0.3, 0.085 * len(str(counts.max(initial=0))) + 0.06, min(0.72, room / len(names)))
    return Table(counts, totals, names, looks, len(kept), cell, words)


def crosstab(axis, table: Table, slanted: bool) -> None:
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
        at = {"ha": "center", "color": ink, "gid": f"cell {row} {column}"}
        place = "bottom" if two_lines else "center"
        axis.text(column, row, f"{counts[row, column]}", va=place, fontsize=big, weight="bold", **at)
        share = f"{100 * rates[row, column]:.3g} %" if table.totals[row] else "-"
        if two_lines:
            axis.text(column, row + 0.08, share, va="top", fontsize=max(8, big * 0.55), **{**at, "gid": "rate"})
    ticks = range(n_classes)
    axis.set(
        xticks=ticks,
        yticks=ticks,
        xlabel="predicted class",
        ylabel="true class",
        title="photos, share of row" if two_lines else "photos; colour: share of row",
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


def intervals(axis, rows, one_line=False):
    """One horizontal 95 % interval per row (correct, n, look) on a 0-100 axis, its numbers right of it."""
    shares = [(correct / n, wilson(correct, n)) if n else (None, None) for correct, n, _ in rows]
    ranges(axis, [(*share, rate(*row[:2]), row[2]) for share, row in zip(shares, rows, strict=True)], one_line)


def ranges(axis, rows, one_line=False):
    """`intervals` ready-made: rows (fraction, (low, high), words, look); what is None is not drawn."""
    for y, (value, interval, text, (colour, marker, _)) in enumerate(rows):
        if interval is not None:
            low, high = interval
            axis.plot((100 * low, 100 * high), (y, y), color=colour, lw=4, alpha=0.35, solid_capstyle="butt")
            text += (", " if one_line else "\n") + f"{100 * low:.1f}-{100 * high:.1f} %"
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


def wilson(correct, n):
    """The 95 % interval of correct / n as fractions; imported late, since evaluate brings torch with it."""
    from maskkit import evaluate

    return evaluate.wilson(correct, n)


def class_looks(classes):
    """(colour, marker, hatch) of each class: the report's two keep theirs, others take the next by order.

    Each ten classes pair the colours with other markers and hatches than the ten before: a hundred differ.
    """
    others = [name for name in classes if name not in FIXED_LOOKS]
    shapes = [(i + i // 10) % 10 for i in range(len(others))]
    looks = {
        name: (COLOURS[i % 10], MARKERS[shape], HATCHES[shape])
        for i, (name, shape) in enumerate(zip(others, shapes, strict=True))
    }
    return [FIXED_LOOKS.get(name) or looks[name] for name in classes]


def least(classes: Sequence[str], values: Sequence[float]) -> tuple[list[int], list[int]]:
    """(places shown, places of the others): all classes in natural order, or of more than 12 those of least value."""
    order = class_names.natural_order(classes)
    if len(order) <= MAX_CLASSES:
        return order, []
    order.sort(key=lambda index: values[index])
    return order[:MAX_CLASSES], order[MAX_CLASSES:]


def which(rule: str, others: Sequence[int], values: Sequence[float]) -> str:
    """What a heading says of the rule by which `least` left others out; where all values are equal, names decided."""
    if not others:
        return ""
    return (rule if min(values) < max(values) else "the first classes by name") + " · "


def of_classes(n_shown: int, classes: Sequence[str], after: str = ": ") -> str:
    """What a title says of classes that are left out: ': 12 of 30 classes shown', or nothing."""
    return f"{after}{n_shown} of {len(classes)} classes shown" if n_shown < len(classes) else ""


def other_classes(places: Sequence[int]) -> str:
    return f"{len(places)} others" if len(places) > 1 else "1 other"


def tint(colour):
    """A light shade of a colour, so that a hatch shows on it."""
    return tuple(1 - 0.45 * (1 - int(colour[i : i + 2], 16) / 255) for i in (1, 3, 5))


@functools.cache
def drawable():
    """The characters our font has, without those that would turn all that follows them."""
    return frozenset(font_manager.get_font(font_manager.findfont("DejaVu Sans")).get_charmap()) - TURNING


def drawn(text: str) -> str:
    """A text as our font draws it: □ in place of characters that it does not have."""
    return "".join(letter if ord(letter) in drawable() else "□" for letter in text)


def label(text, length=24):
    """A name as it can be drawn: cut in the middle, unknown characters as □, `$` not read as mathematics."""
    return plain(drawn(class_names.cut(str(text), length)))


def plain(text: str) -> str:
    """A text that stays as it is within a line of English: `$` is no mathematics, and letters that run from right to
    left turn no other words."""
    if any(unicodedata.bidirectional(letter) in ("R", "AL", "AN") for letter in text):
        text = f"\u200e{text}\u200e"
    return text.replace("$", r"\$")


def class_labels(classes: Sequence[str], length: int = 24) -> list[str]:
    """`label` of all classes at once: no two look alike, so that each is found again in every figure."""
    return list(cached_labels(tuple(classes), length))


@functools.lru_cache(64)
def cached_labels(classes: tuple[str, ...], length: int) -> tuple[str, ...]:
    return tuple(map(plain, class_names.shorten(classes, length, drawn)))


def plural(n, noun):
    return f"{n:,} {noun}" + ("" if n == 1 else "s")


def percent(fraction):
    """0.987 -> "98.7 %"; never "100 %" for what is not certain."""
    return "> 99.9 %" if 0.9995 <= fraction < 1 else f"{100 * fraction:.1f} %"


def rate(correct, n):
    return f"{correct} of {n} ({100 * correct / n:.1f} %)" if n else "no photo"
