"""Leaks: are held-out photos versions of training photos?"""

import dataclasses
import textwrap
from typing import Any

import numpy as np
from matplotlib.figure import Figure

from maskkit.audit import figures
from maskkit.audit.audited import Audited
from maskkit.audit.checks.check import Audit, Check, Context, Measured
from maskkit.audit.entries import Entry, Message, counted, judge, undefined
from maskkit.audit.leaks import in_company, pairs_within, seen_before
from maskkit.core.messages import fields, message, said
from maskkit.plot_style import (
    ACCENT,
    GREY,
    INK,
    LINE,
    figure,
    heading,
    label,
    localize,
    percent,
    phrase,
    stored,
    styled,
    translate,
)

LIMITS = (0.01, 0.05)
HELD_OUT = ("Test", "Validation")  # the parts of a set that are not for training
OF_RUN = message("the run's validation set")


@dataclasses.dataclass(frozen=True)
class Detector:
    """What finds versions of one photo: `how` in a sentence, `name` in a table."""

    how: Message
    name: Message


DETECTORS = {
    "sha256": Detector(message("equal bytes"), message("the same bytes (SHA-256)")),
    "perceptual_hash": Detector(
        message("equal pictures (perceptual hash, mirrored too)"), message("the same picture (perceptual hash)")
    ),
    "alignment": Detector(
        message("equal after alignment (neighbours in colour and features)"),
        message("the same picture after alignment"),
    ),
    "all": Detector(message("all detectors together"), message("all of these together")),
}


# --- measuring ----------------------------------------------------------------------------------


def measure(audited: Audited, context: Context) -> Measured:
    """Entries by detector; held out are the set's own Test and Validation, or the run's validation photos.

    The larger share of the two is judged, and without either the share of photos that have a version in the set.
    Every photo of a set is looked at, so the share itself is judged; of a run's own photos, which are a sample of
    their source, the interval is.
    """
    parts, versions = audited.parts, audited.versions
    entries = versions_found(versions, parts, audited.labels)
    names = [part for part in HELD_OUT if part in parts] or HELD_OUT
    shares = [leaked_share(versions, parts == "Train", np.isin(parts, HELD_OUT), " and ".join(names))]
    if not audited.origin["id"].startswith("trained here"):
        shares.append(leaked_share(versions, audited.training, audited.validation, OF_RUN))
    measured = [share for share in shares if share["value"] is not None]
    entries["held_out"] = max(measured, key=lambda share: share["value"]) if measured else shares[0]
    judged = entries["held_out"] if measured else entries["all"]
    interval = judged["interval"] if context.is_sample else [judged["value"]] * 2
    return Measured(entries, judged, interval, names=entry_names())


def entry_names() -> dict[str, Message]:
    held_out = message("held-out photos with a near copy among the training photos")
    return {name: detector.name for name, detector in DETECTORS.items()} | {"held_out": held_out}


def versions_found(versions: dict[str, np.ndarray], parts: np.ndarray, labels: np.ndarray) -> dict[str, Entry]:
    """What each detector finds, and all together.

    Args:
        versions: {detector: groups int (n,)}, "all" among them; parts: text (n,); labels: int (n,).
    """
    entries = {}
    for name, groups in versions.items():
        shared = in_company(groups)
        pairs, across_parts, across_classes = pairs_within(groups, parts, labels)
        n_shared, n = int(shared.sum()), len(shared)
        sentence = said(
            "{how}: {n:,} of {of:,} photos have a near copy in the set ({pairs:,} pairs, {parts:,} "
            "across sets, {classes:,} across classes)",
            how=DETECTORS[name].how,
            n=n_shared,
            of=n,
            pairs=int(pairs),
            parts=int(across_parts),
            classes=int(across_classes),
        )
        entries[name] = counted(
            n_shared,
            n,
            sentence,
            pairs=pairs,
            pairs_across_parts=across_parts,
            pairs_across_classes=across_classes,
            groups=int(len(np.unique(groups[shared]))),
            photos_in_groups=n_shared,
            result=judge([n_shared / n] * 2, *LIMITS),
        )
    return entries


def leaked_share(
    versions: dict[str, np.ndarray], training: np.ndarray, held_out: np.ndarray, part: str | Message
) -> Entry:
    """The share of held-out photos with a version of themselves among the training photos.

    Args:
        versions: {detector: groups}, "all" among them; training, held_out: bool (n,); part: what is held out.
    """
    if not held_out.any() or not training.any():
        return undefined(message("no photos of {words} among these", words=part))
    n = int(held_out.sum())
    counts = {name: int(seen_before(groups, training)[held_out].sum()) for name, groups in versions.items()}
    leaked = counts.pop("all")
    return counted(
        leaked,
        n,
        said(
            "{n:,} of {of:,} photos of {words} have a near copy among the training photos",
            n=leaked,
            of=n,
            words=part,
        ),
        by_detector={name: count / n for name, count in counts.items()},
        **({"held_out": part} if isinstance(part, str) else fields(held_out=part)),
    )


# --- the figure ---------------------------------------------------------------------------------


@styled
def draw(audit: Audit, *, language: str = "en") -> Figure:
    """Per detector: photos with a near copy, held-out ones with one among the training photos, and counts of pairs."""
    names = list(DETECTORS)
    fig, [[left, middle, table]] = figure(12.6, 3.4, 1, 3, width_ratios=(3, 3, 3.2), sharey=True)
    styles = [(ACCENT, marker, "") for marker in "os^"] + [(INK, "D", "")]
    entries, held = [audit["leaks"][name] for name in names], audit["leaks"]["held_out"]
    figures.draw_rows(left, entries, styles, 3.5)
    left.set(xlabel=phrase("share of photos (%)"), ylabel=phrase("detector"), title=phrase("photos with a near copy"))
    left.set_yticklabels([axis_label(name) for name in names])
    if figures.is_measured(held):
        shares = [figures.share_of(held["by_detector"][name], held) for name in names[:-1]]
        figures.draw_rows(middle, [*shares, held], styles, 3.5)
        middle.set(xlabel=phrase("share of held-out photos (%)"), title=phrase("held-out photos with one in training"))
    else:
        figures.draw_reason(middle, figures.why_unknown(held), 2.8)
    draw_counts(table, entries)
    left.set_ylim(3.5, -0.95)
    for axis in (left, middle) if figures.is_measured(held) else (left,):
        axis.axhline(2.5, color=LINE, lw=1)
    where, title = "", phrase("Leaks: photos with a near copy in the set")
    if figures.is_measured(held):
        part = stored(held, "held_out")
        where = phrase("held out: {part}", part=label(part, 48)) + " · "
        title = phrase(
            "Leaks: {share} of the held-out photos have a near copy in training", share=percent(held["value"])
        )
    heading(fig, title, where + figures.photos_and_model(audit))
    return fig


def axis_label(name: str) -> str:
    """A detector's name in two lines."""
    detector = DETECTORS[name]
    return textwrap.fill(translate((detector.how if name == "all" else detector.name)["id"]), 17)


def draw_counts(axis: Any, entries: list[Entry]) -> None:
    """Pairs and groups as numbers in columns."""
    columns = {
        "pairs": phrase("pairs"),
        "pairs_across_parts": phrase("across\nsets"),
        "pairs_across_classes": phrase("across\nclasses"),
        "groups": phrase("groups"),
    }
    axis.set(xlim=(-0.6, 3.4), title=phrase("pairs and groups"))
    axis.set_axis_off()
    for x, (key, words) in enumerate(columns.items()):
        axis.text(x + 0.3, -0.5, words, ha="right", va="bottom", fontsize=9, color=GREY)
        for y, row in enumerate(entries):
            axis.text(x + 0.3, y, localize(f"{row[key]:,}"), ha="right", va="center", weight="bold")


CHECK = Check(
    code="MK002",
    name="leaks",
    section="leaks",
    title="Leaks between the sets",
    section_title="Near copies in both sets",
    limits=LIMITS,
    reason="one leaked photo in a hundred cannot change a score of 40 photos; one in twenty changes it "
    "by two photos. Where every photo of the source is searched, the share itself is judged; "
    "where only a run's own photos are, its interval",
    detected="Three detectors of growing strength: equal bytes, equal pictures (perceptual hash, mirrored "
    "too), and alignment, which rotates, mirrors and scales similar photos onto each other and "
    "compares their pixels.",
    matters="A network recognises a copy of a training photo instead of classifying it, so the score is too high.",
    advice="Run 01_prepare again with GROUPS set to groups.csv of the audit: then all versions of one photo "
    "stay in one set.",
    measure=measure,
    draw=draw,
    look_for={
        "leaks": "Look for photos with a near copy among the training photos: they are recognised, not classified."
    },
)
