"""Does the model hold on photos of another source?"""

from collections.abc import Iterator
from typing import Any

import numpy as np
from matplotlib.figure import Figure

from maskkit import evaluate, plots
from maskkit.audit import calibration, figures, properties, splits
from maskkit.audit.audited import Audited, same_name
from maskkit.audit.checks.check import Audit, Check, Context, Limits, Measured
from maskkit.audit.checks.regions import no_model
from maskkit.audit.entries import Entry, Message, entry, judge, undefined, with_interval
from maskkit.audit.recipes import fit_head
from maskkit.audit.survey import Survey
from maskkit.confusion_matrix import crosstab, tabulate
from maskkit.core import intervals
from maskkit.core.messages import message, reason_of, said
from maskkit.plot_style import ACCENT, INK, figure, heading, label, of_classes, phrase, phrase_plural, styled, translate
from maskkit.sources import decoding

SHIFTS = (0.2, 0.8)  # standard deviations: small and large differences (Cohen 1988)
LOSSES = (0.05, 0.10)  # below the accuracy on the set's own unseen photos
MATRIX, SHOWN = 15, 12  # classes in each of two confusion matrices side by side; of more, the most confused
SHEET_PHOTOS = 24
DIRECTIONS = {"forward": message("trained here, measured there"), "backward": message("trained there, measured here")}


# --- measuring ----------------------------------------------------------------------------------


def measure(audited: Audited, context: Context) -> Measured:
    """Both directions; photos that both folders hold are left out. Trained here, measured there is judged."""
    if context.other_source is None:
        return Measured()
    if not audited.trained:
        return Measured(judged=no_model(audited))
    source, others = context.other_source
    X = audited.classifier.features(others.rows, audited.photos.classes, context.device)
    groups = same_name(others.column("sha256"))
    own = own_accuracy(audited)
    entries = trained_here(audited, others, X, groups, own, context.seed)
    entries["backward"] = trained_there(audited, others, X, groups, context.seed)
    for measured in entries.values():
        measured["folder"] = source.photos
    entries |= moved(audited, others, groups, context.seed)
    limits: Limits = (own - LOSSES[0], own - LOSSES[1])
    interval = judged_interval(entries["forward"])
    return Measured(entries, entries["forward"], interval, limits, entry_names(source.photos))


def judged_interval(forward: Entry) -> list[float] | None:
    """Passes `judge` where the accuracy is within the first limit and all of its interval within the second.

    The interval of a hundred photos is as wide as the first limit, so that all of it lies within only by chance: 40 of
    100 sources without any shift got a warning (docs/audit.md).
    """
    if forward["interval"] is None:
        return None
    low, high = forward["interval"]
    return [min(forward["value"], low + LOSSES[1] - LOSSES[0]), high]


def entry_names(folder: str) -> dict[str, Message]:
    return {
        "forward": message("trained here, measured on {folder}", folder=folder),
        "forward_last": message("trained here to the last epoch, measured on {folder}", folder=folder),
        "backward": message("trained on {folder}, measured here", folder=folder),
    } | {
        f"moved_{name}": message("{name}: share of pairs in which the photo from there has more", name=one.name)
        for name, one in properties.PROPERTIES.items()
    }


def moved(audited: Audited, others: Survey, groups: np.ndarray, seed: int) -> dict[str, Entry]:
    """How far each property of the photos moved from here to there, the one that moved furthest first."""
    found = {
        f"moved_{name}": moved_entry(
            one,
            properties.shift(
                properties.values(audited.photos, name), properties.values(others, name), audited.groups, groups, seed
            ),
            len(others),
        )
        for name, one in properties.PROPERTIES.items()
    }
    return dict(sorted(found.items(), key=lambda item: -abs(item[1]["value"] - 0.5)))


def moved_entry(one: properties.Property, shift: properties.Shift, n: int) -> Entry:
    """How far a property moved, by what `properties.shift` returned; n: photos there."""
    difference, interval, share, share_interval = shift
    low, high = sorted(abs(end) for end in interval)
    sentence = said(
        "{name}: photos from there are {comparison} by {size:.2f} standard deviations (95 % interval of the difference "
        "{low:.2f} to {high:.2f}); in {share:percent} of all pairs the photo from there is {more}",
        name=one.name,
        comparison=one.more if difference >= 0 else one.less,
        size=abs(difference),
        low=interval[0],
        high=interval[1],
        share=share,
        more=one.more,
    )
    result = judge([0.0 if interval[0] <= 0 <= interval[1] else low, high], *SHIFTS)
    return entry(share, share_interval, n, sentence, result=result, difference=difference)


def own_accuracy(audited: Audited) -> float:
    """Balanced accuracy on the set's own photos that the model has not seen (`Audited.judged`)."""
    places, classifier = audited.judged, audited.classifier
    labels = audited.labels[places]
    right = classifier.logits(classifier.X[places]).argmax(1) == labels
    return float(np.mean([right[labels == index].mean() for index in np.unique(labels)]))


def trained_here(
    audited: Audited, others: Survey, X: Any, groups: np.ndarray, own: float, seed: int
) -> dict[str, Entry]:
    """The model, and the last epoch of the same recipe on the same photos, on the other photos with features X."""
    classifier, labels = audited.classifier, audited.labels
    new = ~np.isin(others.column("sha256"), audited.photos.column("sha256"))
    last = fit_head(classifier.X, labels, np.flatnonzero(audited.training), audited.recipe, seed).last
    answers = {
        "forward": (classifier.logits(X[new]), message("trained here, measured there")),
        "forward_last": (
            last.logits(X[new])[0].numpy(),
            message("trained here, measured there (last epoch instead of the best)"),
        ),
    }
    return {
        name: measure_direction(logits, others, new, groups, direction, own, seed)
        for name, (logits, direction) in answers.items()
    }


def trained_there(audited: Audited, others: Survey, X: Any, groups: np.ndarray, seed: int) -> Entry:
    """A head of the recipe that learned from the other photos, with features X, on the audited ones."""
    everyone = np.ones(len(others), dtype=bool)
    per_class = audited.recipe["per_class"]
    try:
        ((train, val),) = splits.draw(others.labels, groups, everyone, per_class=per_class, n_splits=1, seed=seed)
    except ValueError as error:
        return undefined(reason_of(error), confusion=None, mistakes=[])
    head = fit_head(X, others.labels, train, audited.recipe, seed, val).best
    new = ~np.isin(audited.photos.column("sha256"), others.column("sha256"))
    logits = head.logits(audited.classifier.X[new])[0].numpy()
    direction = message("trained there, measured here")
    return measure_direction(logits, audited.photos, new, audited.groups, direction, None, seed)


def measure_direction(
    logits: np.ndarray,
    photos: Survey,
    measured: np.ndarray,
    groups: np.ndarray,
    direction: Message,
    own: float | None,
    seed: int,
) -> Entry:
    """Balanced accuracy on photos of the source that a head did not learn from.

    Args:
        logits: (n_measured, C); photos: of that source; measured: bool (n,), which of them; groups: int (n,).
        own: accuracy on unseen photos of the head's own source, or None.
    """
    labels, classes = photos.labels[measured], photos.classes
    probabilities = calibration.softmax(logits)
    predicted = probabilities.argmax(1)
    matrix = evaluate.confusion(labels, predicted, len(classes))
    value, interval = intervals.balanced_accuracy(labels, predicted, len(classes), groups[measured], seed)
    rate = with_interval(value, interval)
    if own is None:
        sentence = said("{words}: balanced accuracy {rate}", words=direction, rate=rate)
    else:
        sentence = said(
            "{words}: balanced accuracy {rate}; on its own source's unseen photos {own:percent}",
            words=direction,
            rate=rate,
            own=own,
        )
    rows = [{"file": row["file"]} for row, taken in zip(photos.rows, measured, strict=True) if taken]
    return entry(
        value,
        interval,
        len(labels),
        sentence,
        confusion=matrix.tolist(),
        per_class=evaluate.per_class(matrix, classes),
        own=own,
        mistakes=evaluate.mistakes(rows, labels, probabilities, classes),
    )


# --- the figures --------------------------------------------------------------------------------


@styled
def draw(audit: Audit, *, language: str = "en") -> Figure:
    """Trained here and measured there, and the reverse: balanced accuracy, own accuracy, both confusion matrices."""
    entries, classes = [audit["against"][name] for name in DIRECTIONS], audit["classes"]
    tables = [
        tabulate(row["confusion"], classes, MATRIX, SHOWN, 4.5) if figures.is_measured(row) else None for row in entries
    ]
    slanted = len(classes) > 2 and sum(len(name) for name in classes) > 24
    side = max([2.6] + [table.cell * len(table.names) + 0.9 for table in tables if table])
    fig, grid = figure(max(9.5, 2 * side + 4.8), side + 3 + slanted, 2, 2, height_ratios=(1.7, side + 0.5 + slanted))
    draw_accuracies(figures.spanning(fig, grid, np.s_[0, :]), entries)
    for axis, row, table, words in zip(grid[1], entries, tables, DIRECTIONS.values(), strict=True):
        if table:
            crosstab(axis, table, slanted or len(classes) > 3)
            n = phrase_plural(int(np.sum(row["confusion"])), "{n:,} photo", "{n:,} photos")
            axis.set_title(f"{translate(words['id'])}: {n}")
        else:
            figures.draw_reason(axis, figures.why_unknown(row), 3.4)
    folder = next((row["folder"] for row in entries if row.get("folder")), "")
    where = phrase("there: {folder}", folder=label(folder, 40)) + " · " if folder else ""
    n_shown = min((table.n_shown for table in tables if table), default=len(classes))
    few = phrase("each matrix: the classes with the most mistakes") + " · " if n_shown < len(classes) else ""
    title = phrase("Another source: is the accuracy as high there?") + of_classes(n_shown, classes, " ")
    heading(fig, title, where + few + figures.photos_and_model(audit))
    return fig


def draw_accuracies(axis: Any, entries: list[Entry]) -> None:
    """Balanced accuracy of both directions, with a mark where the head is on photos of its own source."""
    figures.draw_rows(axis, entries, [(ACCENT, "o", ""), (figures.RED, "s", "")], 5)
    axis.set_yticklabels([translate(words["id"]).replace(", ", ",\n", 1) for words in DIRECTIONS.values()])
    axis.set(xlabel=phrase("balanced accuracy (%)"), ylabel=phrase("direction"), ylim=(1.6, -0.8))
    owns = [
        (y, 100 * row["own"])
        for y, row in enumerate(entries)
        if figures.is_measured(row) and row.get("own") is not None
    ]
    for y, own in owns:
        line = {"color": INK, "lw": 2, "ls": (0, (2, 1)), "clip_on": False}
        axis.plot(
            (own, own), (y - 0.3, y + 0.3), label=phrase("own: on photos of the source it was trained on"), **line
        )
        axis.text(
            own, y - 0.34, phrase("own {n:.1f} %", n=own), fontsize=9, ha="right" if own > 50 else "left", va="bottom"
        )
    if owns:
        axis.legend(
            *([part[0]] for part in axis.get_legend_handles_labels()), loc="lower left", bbox_to_anchor=(0, 0.98)
        )


def draw_photos(audit: Audit, audited: Audited, context: Context) -> Iterator[tuple[str, Figure]]:
    """The main figure where there is another source, and the most confident mistakes on it."""
    if not audit["against"] or context.other_source is None:
        return
    yield "against", draw(audit, language=context.language)
    forward = audit["against"]["forward"]
    wrong = forward["mistakes"][:SHEET_PHOTOS]
    if not wrong:
        return
    rows = {row["file"]: row for row in context.other_source[1].rows}
    images = [decoding.decode(rows[mistake["file"]]["path"]) for mistake in wrong]
    photos, arch = forward["folder"], audit["arch"]
    yield (
        "against_mistakes",
        plots.mistakes(images, wrong, audit["classes"], photos, arch, language=context.language),
    )


CHECK = Check(
    code="MK005",
    name="other_source",
    section="against",
    title="Another source",
    section_title="Photos from another source",
    limits=LOSSES,
    reason="the limits are 5 and 10 points below the accuracy on unseen photos of this set's own source. It passes "
    "where the accuracy is above the first and its whole interval above the second: chance alone changes a score of a "
    "few hundred photos by about 2.5 points",
    detected="The model classifies photos of another source, and a model trained there classifies these "
    "photos. Properties of the photos, such as brightness and sharpness, are compared too.",
    matters="All other checks use one data set. Only photos of another source show whether the network "
    "depends on a peculiarity of this one.",
    advice="Take 50 photos per class with your own camera and give their folder as AGAINST. If accuracy is "
    "lost, add photos of that kind to the training photos.",
    measure=measure,
    draw_photos=draw_photos,
    look_for={
        "against": "Look at how much accuracy is lost on photos of another source, taken with other cameras and "
        "without near copies.",
        "against_mistakes": "Look for what these mistakes have in common: another kind of mask, crop or light, or a "
        "wrong label.",
    },
    shown={
        "against_mistakes": "Photos that were classified wrongly; the tables below list them.",
    },
)
