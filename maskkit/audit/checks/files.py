"""Files that do not belong: damaged, empty, odd, or with a label that is likely wrong."""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.figure import Figure
from PIL import Image

from maskkit.audit import calibration, figures, label_errors, leaks
from maskkit.audit.audited import Audited
from maskkit.audit.checks.check import Audit, Check, Context, Measured
from maskkit.audit.entries import Entry, counted, judge, undefined
from maskkit.audit.survey import Survey
from maskkit.core.messages import message, said
from maskkit.plot_style import (
    GREY,
    heading,
    phrase,
    phrase_plural,
    picture,
    styled,
    tiles,
    title_label,
    translate,
)
from maskkit.sources import decoding

PROBLEMS = {
    "undecodable": "cannot be decoded",
    "black_or_flat": "black or flat",
    "extreme_size": "smaller than 32 pixels, or over three times as long as wide",
    "near_grey": "without colour",
    "same_bytes_in_two_classes": "the same bytes in two classes",
    "likely_wrong_label": "label likely wrong",
}
LIMITS = (0.0, 0.05)  # pass where there is none, fail from two photos of 40
# Of labels that are likely wrong a few are right: up to 0.5 % of the photos in clean folders (benchmarks/planted.py).
LABEL_LIMITS = (0.01, 0.05)
COLOURLESS = 0.02  # mean saturation, of 1, below which a photo counts as without colour
SMALL_SIDE, LONG = 32, 3  # pixels: a seventh of what the network sees; sides' ratio
SHEET_PHOTOS, OF_EACH = 24, 4  # on the sheet of odd photos
Odd = dict[str, list[tuple[dict[str, Any], str]]]  # {problem: [(row, detail)]}


# --- measuring ----------------------------------------------------------------------------------


def measure(audited: Audited, context: Context) -> Measured:
    """The share of each problem; each is judged for itself. `Audited.odd` lists the files."""
    audited.odd = find_odd(audited, context.seed)
    return Measured(entries_of(audited.odd, len(audited.photos) + len(audited.photos.broken)))


def find_odd(audited: Audited, seed: int) -> Odd:
    """The odd files by PROBLEMS; labels are judged by the recipe out of fold, where it can train."""
    odd = find_odd_files(audited.photos)
    if audited.classifier.network is not None:
        try:
            probabilities = calibration.softmax(audited.out_of_fold(seed))
        except ValueError:
            return odd  # too few originals for folds: the entry says that there are no such predictions
        odd["likely_wrong_label"] = find_likely_wrong(audited.photos, probabilities)
    return odd


def find_odd_files(photos: Survey) -> Odd:
    """Odd files of a survey, without likely wrong labels."""
    labels, digests, rows = photos.labels, photos.column("sha256"), photos.rows
    flat = photos.column("deviation") < leaks.FLAT
    sides = np.sort(np.stack([photos.column("width"), photos.column("height")]), axis=0)
    small_or_long = (sides[0] < SMALL_SIDE) | (sides[1] > LONG * sides[0])
    colourless = (photos.column("saturation") < COLOURLESS) & ~flat
    contents = np.unique(digests, return_inverse=True)[1]
    twice = np.array([len(set(labels[contents == at])) > 1 for at in range(contents.max() + 1)])[contents]
    details = {
        "black_or_flat": (flat, lambda row: f"grey levels vary by {row['deviation']:.1f} of 255"),
        "extreme_size": (small_or_long, lambda row: f"{row['width']} x {row['height']} pixels"),
        "near_grey": (colourless, lambda row: f"mean saturation {row['saturation']:.3f}"),
        "same_bytes_in_two_classes": (twice, lambda row: f"sha256 {row['sha256'][:16]}"),
    }
    return {"undecodable": [(row, row["reason"]) for row in photos.broken]} | {
        problem: [(rows[place], detail(rows[place])) for place in np.flatnonzero(where)]
        for problem, (where, detail) in details.items()
    }


def find_likely_wrong(photos: Survey, probabilities: np.ndarray) -> list[tuple[dict[str, Any], str]]:
    """Photos whose label is likely wrong, by out-of-fold probabilities (n, C)."""
    quality = label_errors.label_quality(probabilities, photos.labels)
    suspects = label_errors.likely_wrong(probabilities, photos.labels)
    return [(photos.rows[place], f"its label got {100 * quality[place]:.1f} %") for place in suspects]


def entries_of(odd: Odd, n_files: int) -> dict[str, Entry]:
    """Entries of `find_odd`; `n_files` with those that cannot be decoded."""
    entries = {}
    for problem, title in PROBLEMS.items():
        if problem not in odd:
            why = message("no out-of-fold predictions, see calibration")
            entries[problem] = undefined(why, files=[], title=title)
            continue
        files = [row["file"] for row, _ in odd[problem]]
        limits = LABEL_LIMITS if problem == "likely_wrong_label" else LIMITS
        entries[problem] = counted(
            len(files),
            n_files,
            said("{n:,} of {of:,} files: {title}", n=len(files), of=n_files, title=message(title)),
            files=files,
            title=title,
            result=judge([len(files) / n_files] * 2, *limits),
        )
    return entries


def suspect_rows(odd: Odd) -> list[dict[str, str]]:
    """suspects.csv: every odd photo with its problem."""
    return [
        {"file": row["file"], "label": row["label"], "part": row["part"], "problem": problem, "detail": detail}
        for problem, found in odd.items()
        for row, detail in found
    ]


# --- the figure ---------------------------------------------------------------------------------


def draw_photos(audit: Audit, audited: Audited, context: Context) -> Iterator[tuple[str, Figure]]:
    """A sheet of odd photos, some of each kind; none where there are none."""
    odd = audited.odd.items()
    shown = [(row, PROBLEMS[problem]) for problem, found in odd for row, _ in found[:OF_EACH]][:SHEET_PHOTOS]
    if shown:
        images = [None if "reason" in row else decoding.decode(row["path"]) for row, _ in shown]
        files, problems = [row["file"] for row, _ in shown], [problem for _, problem in shown]
        yield "files", draw_sheet(images, files, problems, audit["photos"], language=context.language)


@styled
def draw_sheet(
    images: Sequence[Image.Image | None],
    files: Sequence[str],
    problems: Sequence[str],
    photos: str,
    *,
    language: str = "en",
) -> Figure:
    """A contact sheet of odd photos, each with its problem and its name.

    Args:
        images: PIL images (n), None for a file that cannot be decoded; files, problems: n texts; photos: for the title.
    """
    fig, cells = tiles(len(files), caption_lines=3)
    for axis, image, file, problem in zip(cells, images, files, problems, strict=True):
        if image is None:
            axis.set_axis_on()
            axis.set(xticks=[], yticks=[], box_aspect=1)
            axis.spines[:].set(visible=True, color=GREY, linestyle=(0, (3, 1.5)))
            axis.text(
                0.5, 0.5, phrase("cannot be\ndecoded"), ha="center", va="center", color=GREY, transform=axis.transAxes
            )
        else:
            picture(axis, image, GREY)
        caption = f"{figures.wrap(translate(problem), 1.75, 9, 2)}\n{figures.fit(Path(file).name, 1.75, 9)}"
        axis.set_xlabel(caption, fontsize=9, labelpad=4, linespacing=1.3)
    heading(fig, phrase_plural(len(files), "{n:,} odd file", "{n:,} odd files"), title_label(photos))
    return fig


CHECK = Check(
    code="MK006",
    section="files",
    section_title="Odd files",
    detected="Every file is decoded and measured. A label is suspicious if a model that was trained without "
    "the photo disagrees with it more than it usually does (confident learning).",
    matters="Damaged, empty or wrongly labelled photos falsify both the training and the score.",
    advice="Look at each file of suspects.csv. Notebook 06_explore lets you correct a label or exclude a photo.",
    measure=measure,
    draw_photos=draw_photos,
    look_for={"files": "Look for files that do not belong here: they falsify training and measurement."},
)
