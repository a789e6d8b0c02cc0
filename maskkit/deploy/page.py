"""Predictions on one page: how many of each class, the photos the model is least sure of, what was skipped."""

import base64
import io
import os
from pathlib import Path

from PIL import Image

from maskkit import __version__, runs
from maskkit.core import class_names, disk
from maskkit.deploy.photo_files import read_photo
from maskkit.deploy.summary import CONFIDENCE_LEVELS
from maskkit.html import markup
from maskkit.html.markup import PRIVACY, Markup, percent, plural, section, table, text

THUMBNAIL_PX = 144  # the longer side; about 5 kilobytes a picture


def write(summary, about, path):
    """Write the page of a `summary.Summary`; it loads nothing from elsewhere.

    Args:
        about: {name: value}, of the model.

    Returns:
        its path.
    """
    path = Path(path)
    said = f"{plural(summary.n, 'photo')}, {plural(summary.skipped, 'file')} skipped"
    name = about.get("model", "")
    parts = [
        f'<header><p class="soft">maskkit predict, model {text(name)}</p>'
        f"<h1>{text(said)}</h1>"
        f'<p class="soft">{PRIVACY}</p>{markup.facts(counts(summary))}</header>',
        "<main>",
        section("How sure the model is", sureness(summary)) if summary.n else "",
        section(*pictures(summary)) if summary.n else "",
        section("Skipped files", skipped(summary)),
        section("What this cannot say", limits()),
        section("The model", table("What classified these photos.", ("what", "value"), rows(about), long=(1,))),
        "</main>",
        f"<footer><p>{PRIVACY}</p><p>Written by maskkit {__version__}, {runs.now()}.</p></footer>",
    ]
    disk.write_text(path, markup.document(f"{said}: {name}", parts))
    return path


def counts(summary):
    """How many photos of each class, in natural order; of many classes the twelve most frequent, and the others."""
    found = class_names.by_name(summary.counts.items(), lambda item: item[0])
    if len(found) > markup.MOST_NAMES:
        found.sort(key=lambda item: -item[1])
        rest = found[markup.MOST_NAMES :]
        found[markup.MOST_NAMES :] = [(plural(len(rest), "other class", "other classes"), sum(n for _, n in rest))]
    shares = {name: f"{n:,} ({percent(n / summary.n)})" if summary.n else "0" for name, n in found}
    return shares | {"skipped": f"{summary.skipped:,}"}


def sureness(summary):
    columns = ("class", *CONFIDENCE_LEVELS, "photos")
    body = [
        [name, *(f"{summary.confidence[name][level]:,}" for level in CONFIDENCE_LEVELS), f"{n:,}"]
        for name, n in class_names.by_name(summary.counts.items(), lambda item: item[0])
    ]
    said = "Photos by the probability of their class. Look at the first column: those are worth a second look."
    listed = table(said, columns, body, numbers=range(1, len(columns)), stacked=True)
    return listed if len(body) <= markup.MOST_NAMES else markup.details(f"All {len(body)} classes as a table", listed)


def pictures(summary):
    """(title, HTML) of the least sure photos."""
    rows = summary.least_confident
    some = len(rows) < summary.n
    title = f"The {len(rows)} photos it is least sure of" if some else "The photos, the least sure first"
    said = f"Pictures of at most {THUMBNAIL_PX} px. " + (
        f"This page shows {len(rows)} of the {summary.n:,} photos; the table that the command writes has them all."
        if some
        else f"All {summary.n:,}."
        if summary.n > 1
        else ""
    )
    return title, f"<p>{text(said)}</p>", f'<ul class="faces">{"".join(card(row) for row in rows)}</ul>'


def card(row):
    """One photo: its picture, what it was called and how surely, its name."""
    name, probability = row["file"], row["probability"]
    picture = thumbnail(name)
    shown = f'<img alt="" src="data:image/jpeg;base64,{picture}">' if picture else "<span>no longer there</span>"
    return (
        f'<li><div class="face">{shown}</div><strong>{text(row["label"]).replace("_", "_<wbr>")}</strong>'
        f'<span class="sure"><span>{percent(probability)}</span>'
        f'<span class="bar" aria-hidden="true"><span style="width:{100 * probability:.0f}%"></span></span></span>'
        f'<span class="name" title="{text(name)}"><bdi>{text(os.path.basename(name))}</bdi></span></li>'
    )


def thumbnail(name):
    """A photo as a small JPEG, base64; None where it has gone since it was classified."""
    try:
        image = read_photo(name)
    except ValueError:
        return None
    image.thumbnail((THUMBNAIL_PX, THUMBNAIL_PX), Image.Resampling.LANCZOS)
    file = io.BytesIO()
    image.save(file, "JPEG", quality=82)
    return base64.b64encode(file.getvalue()).decode()


def skipped(summary):
    if not summary.skipped:
        return "<p>None: every file was a photo that could be read.</p>"
    named = [[row["file"], row["note"]] for row in summary.skipped_rows]
    more = f" The first {len(named)} of {summary.skipped:,}." if len(named) < summary.skipped else ""
    listed = table(f"Each with the reason.{more}", ("file", "reason"), named, long=(0, 1))
    return listed if len(named) <= 12 else markup.details(plural(summary.skipped, "file"), listed)


def limits():
    return (
        "<p>The model knows crops of single faces, and only its own classes: it names one of them for any picture "
        "whatever, a landscape too. A probability is the model's own and may be too high on photos unlike those it "
        "learned from. It says nothing of who is shown, and it is no safety device.</p>"
    )


def rows(about):
    return [[name, Markup(f"<code>{text(value)}</code>")] for name, value in about.items()]
