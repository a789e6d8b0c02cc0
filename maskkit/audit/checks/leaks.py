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
from maskkit.core.messages import in_english, message, said
from maskkit.plot_style import (
    ACCENT,
    GREY,
    INK,
    LINE,
    figure,
    heading,
    label,
    percent,
    styled,
)

LIMITS = (0.01, 0.05)
HELD_OUT = ("Test", "Validation")  # the parts of a set that are not for training
OF_RUN = message("the run's validation part")


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
        message("one laid on the other (neighbours in colour and features, aligned)"),
        message("one laid on the other (aligned)"),
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
    if not audited.origin.startswith("trained here"):
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
            "{how}: {n:,} of {of:,} photos have another version of themselves in the set ({pairs:,} pairs, {parts:,} "
            "across parts, {classes:,} across classes)",
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
            light=judge([n_shared / n] * 2, *LIMITS),
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
            "{n:,} of {of:,} photos of {words} have another version of themselves among the training photos",
            n=leaked,
            of=n,
            words=part,
        ),
        by_detector={name: count / n for name, count in counts.items()},
        held_out=part if isinstance(part, str) else in_english(part["id"], part["values"]),
    )


# --- the figure ---------------------------------------------------------------------------------


@styled
def draw(audit: Audit) -> Figure:
    """Per detector: photos with a partner, held-out photos with a sibling in training, and the pairs counted."""
    if not audit["leaks"]:
        return figures.without_data("Leaks", audit, "leaks")
    names = list(DETECTORS)
    fig, [[left, middle, table]] = figure(12.6, 3.4, 1, 3, width_ratios=(3, 3, 3.2), sharey=True)
    styles = [(ACCENT, marker, "") for marker in "os^"] + [(INK, "D", "")]
    entries = [figures.entry_of(audit, "leaks", name) for name in names]
    held = figures.entry_of(audit, "leaks", "held_out")
    shares = held["by_detector"] if figures.is_measured(held) else {}
    figures.draw_rows(left, entries, styles, 3.5)
    left.set(xlabel="share of photos (%)", ylabel="what two photos share", title="photos with a partner")
    left.set_yticklabels([axis_label(name) for name in names])
    if figures.is_measured(held):
        figures.draw_rows(
            middle, [*(figures.share_of(shares.get(name), held) for name in names[:-1]), held], styles, 3.5
        )
        middle.set(xlabel="share of held-out photos (%)", title="held-out photos with a sibling in training")
    else:
        figures.draw_reason(middle, figures.why_unknown(held), 2.8)
    draw_counts(table, entries)
    left.set_ylim(3.5, -0.95)
    for axis in (left, middle) if figures.is_measured(held) else (left,):
        axis.axhline(2.5, color=LINE, lw=1)
    where = f"held out: {label(held['held_out'], 48)} · " if figures.is_measured(held) else ""
    title = "photos that share what they show"
    if figures.is_measured(held):
        title = f"{percent(held['value'])} of the held-out photos have a sibling in training"
    heading(fig, f"Leaks: {title}", where + figures.photos_and_model(audit))
    return fig


def axis_label(name: str) -> str:
    """A detector's name in two lines."""
    detector = DETECTORS[name]
    return textwrap.fill((detector.how if name == "all" else detector.name)["id"], 17)


def draw_counts(axis: Any, entries: list[Entry]) -> None:
    """Pairs and groups as numbers in columns."""
    columns = {
        "pairs": "pairs",
        "pairs_across_parts": "across\nparts",
        "pairs_across_classes": "across\nclasses",
        "groups": "groups",
    }
    axis.set(xlim=(-0.6, 3.4), title="pairs and groups")
    axis.set_axis_off()
    for x, (key, words) in enumerate(columns.items()):
        axis.text(x + 0.3, -0.5, words, ha="right", va="bottom", fontsize=9, color=GREY)
        for y, row in enumerate(entries):
            number = row.get(key) if figures.is_measured(row) else None
            axis.text(x + 0.3, y, "-" if number is None else f"{number:,}", ha="right", va="center", weight="bold")


CHECK = Check(
    name="leaks",
    section="leaks",
    title="Leaks between the sets",
    section_title="Near copies in both sets",
    limits=LIMITS,
    reason="one held-out photo in a hundred cannot move a score of 40 photos; one in twenty moves it by two; "
    "where every photo of a set is looked at, the count itself is judged, of a run's own photos its interval",
    measure=measure,
    draw=draw,
    look_for={
        "leaks": "Look for photos with a near copy among the training photos: they are recognised, not classified."
    },
)
