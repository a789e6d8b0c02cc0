"""Predictions on one page: how many of each class, the photos with the lowest confidence, what was skipped."""

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from PIL import Image

from maskkit import __version__, runs
from maskkit.core import class_names, disk
from maskkit.core.messages import format_percent, plural
from maskkit.deploy.photo_files import read_photo
from maskkit.deploy.summary import CONFIDENCE_LEVELS, Summary
from maskkit.html import markup
from maskkit.html.render import MOST_NAMES, render

THUMBNAIL_PX = 144  # the longer side


def write(summary: Summary, about: Mapping[str, object], path: Path) -> Path:
    """Write the page of a `summary.Summary`; it loads nothing from elsewhere.

    Args:
        about: {name: value}, of the model.

    Returns:
        its path.
    """
    html = render(
        "predictions.html",
        summary=summary,
        about=about,
        counts=counts(summary),
        confidence_columns=("class", *CONFIDENCE_LEVELS, f"{summary.unit}s"),
        confidence=confidence(summary),
        cards=[card(row, picture) for row, picture in summary.pictured],
        thumbnail_px=THUMBNAIL_PX,
        version=__version__,
        now=runs.now(),
    )
    path = Path(path)
    disk.write_text(path, html)
    return path


def counts(summary: Summary) -> dict[str, str]:
    """How many photos of each class, in natural order; of many classes the twelve most frequent, and the others."""
    photos = class_names.by_name([*summary.counts.items()], lambda item: item[0])
    if len(photos) > MOST_NAMES:
        photos.sort(key=lambda item: -item[1])
        rest = photos[MOST_NAMES:]
        photos[MOST_NAMES:] = [(plural(len(rest), "other class", "other classes"), sum(n for _, n in rest))]
    shares = {name: f"{n:,} ({format_percent(n / summary.n)})" if summary.n else "0" for name, n in photos}
    if summary.unsure:
        shares["not sure"] = f"{summary.unsure:,} ({format_percent(summary.unsure / summary.n)})"
    if summary.unit == "face":
        shares["pictures without a face"] = f"{summary.without_face:,}"
    return shares | {"skipped": f"{summary.skipped:,}"}


def confidence(summary: Summary) -> list[list[str]]:
    """A row per class, in natural order: how many of its photos have each level of confidence, and all of them."""
    return [
        [name, *(f"{summary.confidence[name][level]:,}" for level in CONFIDENCE_LEVELS), f"{n:,}"]
        for name, n in class_names.by_name([*summary.counts.items()], lambda item: item[0])
    ]


def card(row: Mapping[str, Any], picture: Image.Image | None) -> dict[str, Any]:
    """One photo or face: its picture, what it was called with which confidence, its name."""
    name = os.path.basename(row["file"])
    if picture is None:
        return {**row, "name": name, "picture": thumbnail(row["file"])}
    time = "" if row["time"] is None else f", {row['time']:.3f} s"
    shown = markup.thumbnail(picture, THUMBNAIL_PX)
    return {**row, "name": f"{name}{time}, face {row['face']}", "picture": shown}


def thumbnail(name: str) -> str | None:
    """A photo as a small JPEG for a page; None where it has gone since it was classified."""
    try:
        return markup.thumbnail(read_photo(name), THUMBNAIL_PX)
    except ValueError:
        return None
