"""The figures of 04_improve; as in `plots`, each function takes data and returns a Figure."""

from collections.abc import Sequence
from typing import Any

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Patch
from PIL import Image

from maskkit.audit.figures import RED, wrap
from maskkit.core import class_names
from maskkit.core.messages import translatable
from maskkit.improve.engines import ENGINES
from maskkit.improve.paired_gains import Gains
from maskkit.improve.speed_table import Row
from maskkit.plot_style import (
    ACCENT,
    GREY,
    INK,
    LINE,
    class_labels,
    class_styles,
    figure,
    heading,
    label,
    localize,
    of_classes,
    phrase,
    phrase_plural,
    picture,
    styled,
    tint,
    title_label,
    translate,
)
from maskkit.plots import curves

TEST_SETS = {  # words, colour, marker
    "unseen": (translatable("unseen photos, same source"), ACCENT, "o"),
    "street_camera": (translatable("the same through a simulated street camera"), "#7a5c00", "s"),
    "other_source": (translatable("photos of another source"), RED, "D"),
}
AUGMENTATIONS = {  # by their names as a parameter
    "report": translatable("the report's"),
    "strong": translatable("strong"),
    "street": translatable("street camera"),
}
ANSWERS = {  # of `paired_gains.gain`
    "yes": translatable("yes"),
    "worse": translatable("worse"),
    "no gain shown": translatable("no gain shown"),
}
TITLES_OF_04 = (  # what the notebook passes to `gains`
    translatable("What augmentation gains over the plain recipe"),
    translatable("What each proposed extension gains over the plain recipe"),
)
SHOWN_VIEWS, MAX_ROWS = 4, 12


@styled
def views(
    images: Sequence[Image.Image],
    labels: Sequence[int],
    classes: Sequence[str],
    augmentations: Sequence[str],
    photos: str,
    seed: int,
    *,
    language: str = "en",
) -> Figure:
    """Photos and four views of each augmentation: a row per photo and augmentation.

    If there are many photos, only as many as fit into twelve rows, the first classes by name.

    Args:
        images: PIL RGB images (N); labels: int (N,), places in `classes`; augmentations: names;
            photos: for the title; seed: of the views.
    """
    from maskkit import model
    from maskkit.improve import augment  # late, since they bring torch

    rank = {index: place for place, index in enumerate(class_names.natural_order(classes))}
    shown = sorted(range(len(images)), key=lambda i: rank[labels[i]])[: max(1, MAX_ROWS // len(augmentations))]
    n_rows = len(shown) * len(augmentations)
    fig, grid = figure(1.3 * (SHOWN_VIEWS + 1) + 1.1, 1.35 * n_rows, n_rows, SHOWN_VIEWS + 1)
    styles, names = class_styles(classes), class_labels(classes, 16)
    for at, row in enumerate(grid):
        photo, name = shown[at // len(augmentations)], augmentations[at % len(augmentations)]
        image, index = images[photo], labels[photo]
        colour = styles[index][0]
        picture(row[0], image, colour, width=2.4, dashed=index > 0)
        row[0].set_title(phrase("original") if at == 0 else "", fontsize=9.5)
        row[0].set_ylabel(f"{names[index]}\n{translate(AUGMENTATIONS.get(name, name))}", color=colour, fontsize=9)
        for number, axis in enumerate(row[1:]):
            view = augment.View(model.Transform(), name, seed, number)
            picture(axis, view.changed(image), LINE)
            axis.set_title(phrase("augmented view {n}", n=number + 1) if at == 0 else "", fontsize=9.5)
    selection = of_classes(len({labels[i] for i in shown}), classes, " ")
    first = phrase("the first classes by name") + " · " if selection else ""
    heading(fig, phrase("Augmented views of the same photos") + selection, first + title_label(photos))
    return fig


@styled
def gains(gains: Gains, photos: str, title: str, *, language: str = "en") -> Figure:
    """The gain of each proposed extension on each test set with its 95 % interval, in percentage points.

    Args:
        gains: of `paired_gains.compare`; photos: for the line below the title; title: in English.
    """
    rows = [(test_set, entry) for entries in gains.values() for test_set, entry in entries.items()]
    fig, [[axis]] = figure(10.6, 0.34 * len(rows) + 0.16 * len(gains) + 1.3, 1, 1)
    y, places, names = 0.0, [], []
    for entries in gains.values():
        if y:
            axis.axhline(y - 0.75, color=LINE, lw=0.8)
        places.append(y + (len(entries) - 1) / 2)
        names.append(wrap(extension_name(next(iter(entries.values()))), 2.6, 9.5, 3))
        for test_set, entry in entries.items():
            draw_gain(axis, y, entry, *TEST_SETS[test_set][1:])
            y += 1
        y += 0.5
    ends = [100 * end for _, entry in rows for end in entry["interval"]]
    reach = 1.15 * max(1.0, *map(abs, ends))
    axis.axvline(0, color=INK, lw=1.2, zorder=1)
    axis.set(xlim=(-reach, reach), ylim=(y - 0.9, -0.8), yticks=places, ylabel=phrase("proposed extension"))
    axis.set_yticklabels(names, fontsize=9.5)
    axis.set_xlabel(phrase("gain in accuracy (percentage points): left of 0 worse, right of 0 better"))
    axis.tick_params(axis="y", length=0)
    axis.grid(axis="x")
    shown = {test_set: TEST_SETS[test_set] for test_set, _ in rows}
    handles = [
        Line2D([], [], color=colour, marker=marker, lw=4, alpha=0.9, label=translate(words))
        for words, colour, marker in shown.values()
    ]
    fig.legend(handles=handles, loc="outside lower center", ncols=len(handles))
    n, n_splits = (min(entry[name] for _, entry in rows) for name in ("n", "splits"))
    paired = phrase("paired differences over {splits} splits, {n} photos or more each", splits=n_splits, n=n)
    heading(fig, translate(title), f"{paired} · {phrase('95 % intervals')} · {title_label(photos)}")
    return fig


def extension_name(entry: dict[str, Any]) -> str:
    """The network and the extension of a gain, in the figure's language."""
    return ", ".join(filter(None, (entry["arch"], translate(entry["extension"]))))


@styled
def tails(histories: dict[str, list[dict[str, Any]]], photos: str, *, language: str = "en") -> Figure:
    """Loss and accuracy of each network's unfrozen epochs, a row per network.

    Args:
        histories: {architecture: one dict per epoch, as `train.fit` returns it}; photos: for the title.
    """
    fig, grid = figure(10, 3.1 * len(histories) + 0.4, len(histories), 2)
    for (left, right), (arch, history) in zip(grid, histories.items(), strict=True):
        curves(left, right, history)
        for axis, kind in ((left, phrase("loss")), (right, phrase("accuracy"))):
            axis.set_title(f"{label(arch)}: {kind}")
    handles, names = grid[0, 1].get_legend_handles_labels()
    fig.legend(handles[:2], names[:2], loc="outside lower center", ncols=2)
    below = f"{phrase('the broad grey line marks the best epoch')} · {title_label(photos)}"
    heading(fig, phrase("Fine-tuning the last stages: loss and accuracy of the first split"), below)
    return fig


@styled
def speeds(rows: list[Row], *, language: str = "en") -> Figure:
    """Latency of one photo and throughput of each engine, a bar per network.

    Args:
        rows: of `benchmark_networks.compare`; what could not be measured is stated in words.
    """
    engines = [name for name in ENGINES if any(name in row["speed"] for row in rows)]
    batches = list(rows[0]["speed"]["eager"])
    styles = class_styles([row["arch"] for row in rows])
    height = 0.2 * len(engines) * len(batches) * (len(rows) + 0.8) + 1.3
    fig, [[left, right]] = figure(11, height, 1, 2)
    draw_bars(left, rows, styles, [(engine, "1") for engine in engines], "p50_ms")
    draw_bars(right, rows, styles, [(engine, batch) for engine in engines for batch in batches], "photos_per_second")
    left.set(
        title=phrase("latency of one photo"),
        xlabel=phrase("bar to p50, line to p95 (ms)"),
        ylabel=phrase("engine, photos per pass"),
    )
    right.set(title=phrase("throughput"), xlabel=phrase("photos per second"))
    handles = [
        Patch(facecolor=tint(colour), edgecolor=colour, hatch=hatch, label=label(row["arch"]))
        for row, (colour, _, hatch) in zip(rows, styles, strict=True)
    ]
    fig.legend(handles=handles, loc="outside lower center", ncols=len(rows))
    setting = rows[0]["setting"]
    device, threads = label(setting["device"]), setting["threads"]
    rounds = phrase_plural(
        setting["rounds"], "medians over {n} interleaved round", "medians over {n} interleaved rounds"
    )
    heading(
        fig,
        phrase("Speed of the networks on {device}, threads: {n}", device=device, n=threads),
        f"{rounds} · {label(setting['processor'], 40)} · {setting['size_px']} px · "
        f"torch {setting['versions']['torch']}",
    )
    return fig


def draw_bars(axis: Axes, rows: list[Row], styles: Sequence[tuple], groups: list[tuple[str, str]], value: str) -> None:
    """A group of bars for each (engine, batch), one per network, its number beside it."""
    cells = {group: [row["speed"].get(group[0], {}).get(group[1]) for row in rows] for group in groups}
    most = max(
        (
            max(cell[value], cell["p95_ms"] if value == "p50_ms" else 0)
            for group in cells.values()
            for cell in group
            if cell
        ),
        default=1,
    )
    step = len(rows) + 0.8
    for at, group in enumerate(groups):
        for y, (cell, (colour, _, hatch)) in enumerate(zip(cells[group], styles, strict=True)):
            middle = at * step + y
            style: dict[str, Any] = {"va": "center", "fontsize": 8.5}
            if cell is None:
                axis.text(0.01 * most, middle, phrase("not measured"), **style)
                continue
            axis.barh(middle, cell[value], 0.86, color=tint(colour), edgecolor=colour, hatch=hatch)
            end = cell[value]
            if value == "p50_ms":
                end = max(end, cell["p95_ms"])
                axis.plot((cell[value], end), (middle, middle), color=colour)
            axis.text(end + 0.015 * most, middle, localize(f"{cell[value]:.3g}"), **style)
    axis.set(xlim=(0, 1.15 * most), ylim=(len(groups) * step - 0.8, -0.8))
    axis.set_yticks(
        [at * step + (len(rows) - 1) / 2 for at in range(len(groups))],
        [f"{ENGINES[engine]}, {batch}" for engine, batch in groups],
    )
    axis.tick_params(axis="y", length=0)
    axis.grid(axis="x")


def draw_gain(axis: Axes, y: float, entry: dict[str, Any], colour: str, marker: str) -> None:
    """Draw one gain: interval, value, and in words the accuracies before and after."""
    low, high = (100 * end for end in entry["interval"])
    axis.plot((low, high), (y, y), color=colour, lw=4, alpha=0.35, solid_capstyle="butt")
    axis.plot(100 * entry["value"], y, marker, color=colour, ms=7, zorder=4)
    words = phrase(
        "{value:+.1f} ({low:+.1f} to {high:+.1f}), from {before:.1f} to {after:.1f} %: {answer}",
        low=low,
        high=high,
        answer=translate(ANSWERS[entry["answer"]]),
        **{name: 100 * entry[name] for name in ("value", "before", "after")},
    )
    weight = "normal" if entry["answer"] == "no gain shown" else "bold"
    axis.annotate(
        words,
        (1, y),
        (10, 0),
        xycoords=axis.get_yaxis_transform(),
        textcoords="offset points",
        va="center",
        fontsize=8.5,
        weight=weight,
        color=GREY if weight == "normal" else INK,
        annotation_clip=False,
    )
