"""Widgets of 06_explore: the threshold, a photo to upload, and helpers for HTML; the gallery is in `gallery`.

They show an `Explorer` and pass clicks on to it. Text such as file names is escaped by `markup.element`. Words and
numbers are in the run's language; names of classes stay as they are.
"""

import io
from collections.abc import Sequence
from typing import Any

import ipywidgets as widgets
import matplotlib.pyplot as plt
import numpy as np
from markupsafe import Markup
from matplotlib.figure import Figure
from PIL import Image

from maskkit.core import class_names, intervals
from maskkit.explore import figures
from maskkit.explore.explorer import Explorer, count_answers
from maskkit.html.languages import Language
from maskkit.html.markup import css, data_uri, element, image
from maskkit.sources import decoding, face_crops, face_finder

UPLOAD_LIMIT = 8_000_000  # bytes: Jupyter closes the connection to the kernel at messages of 10 MB


def html(value: str = "", *classes: str) -> widgets.HTML:
    """An HTML widget with CSS classes."""
    widget = widgets.HTML(value)
    for name in classes:
        widget.add_class(name)
    return widget


def frame(*children: widgets.Widget) -> widgets.VBox:
    """Widgets one below another, with our style."""
    box = widgets.VBox([widgets.HTML(element("style", css("widgets.css")), layout={"display": "none"}), *children])
    box.add_class("maskkit")
    return box


def figure_html(fig: Figure, alt: str) -> str:
    """A figure as an <img>; the figure is closed, so that Jupyter does not show it once more."""
    file = io.BytesIO()
    fig.savefig(file, format="png", dpi=90)
    plt.close(fig)
    return image(data_uri(file.getvalue()), alt)


# --- threshold ----------------------------------------------------------------------------------


def threshold(explorer: Explorer) -> widgets.Widget:
    """A slider for the probability below which the network answers "don't know", and its effect."""
    least, spoken = 1 / len(explorer.classes), explorer.spoken
    slider = widgets.FloatSlider(
        value=least,
        min=least,
        max=0.999,
        step=0.001,
        description=spoken.phrase("Answer from"),
        readout_format=".1%",
        layout={"width": "min(100%, 36rem)"},
        style={"description_width": "6rem"},
    )
    # The slider's handle has no name for a screen reader; this field has.
    exactly = widgets.BoundedFloatText(
        value=least,
        min=least,
        max=0.999,
        step=0.001,
        description=spoken.phrase("exactly"),
        layout={"width": "11rem"},
    )
    widgets.link((slider, "value"), (exactly, "value"))
    table = html()

    def show(_: Any = None) -> None:
        probabilities, labels, words = explorer.threshold_photos
        counts = count_answers(probabilities, labels, slider.value)
        table.value = answers_table(counts, explorer.classes, words, spoken)

    slider.observe(show, "value")
    explorer.listen(show)
    show()
    return frame(widgets.Box([slider, exactly], layout={"flex_flow": "row wrap"}), table)


def answers_table(counts: np.ndarray, classes: Sequence[str], words: str, spoken: Language) -> str:
    """Precision and recall of each class among the answers, with intervals, and the share without an answer.

    words: which photos these are, a message id.
    """
    n, unknown = int(counts.sum()), int(counts[:, -1].sum())
    right, answered = int(np.trace(counts)), n - unknown
    rows = []
    for at in class_names.natural_order(classes):
        name = classes[at]
        hit, true, predicted = int(counts[at, at]), int(counts[at].sum()), int(counts[:, at].sum())
        cells = [
            name,
            format_share(hit, predicted, spoken),
            format_share(hit, true, spoken),
            format_share(int(counts[at, -1]), true, spoken),
        ]
        rows.append(element("tr", *(element("td", cell) for cell in cells)))
    names = spoken.phrase("class"), spoken.phrase("precision"), spoken.phrase("recall"), spoken.phrase("don't know")
    head = (element("th", name, scope="col") for name in names)
    wrong = answered - right
    bar = (
        element("i", class_=kind, style=f"width:{100 * part / n:.2f}%")
        for kind, part in (("mk-hit", right), ("mk-miss", wrong))
    )
    error_rate = format_share(wrong, answered, spoken)
    counted = spoken.phrase(
        "{right:,} right, {wrong:,} wrong, error rate {rate}", right=right, wrong=wrong, rate=error_rate
    )
    share_unknown = element("b", spoken.phrase("{share:percent} “don't know”", share=unknown / n))
    in_words = spoken.phrase(
        "{right:,} right, {wrong:,} wrong, {unknown:,} don't know", right=right, wrong=wrong, unknown=unknown
    )
    note = spoken.phrase(
        "{n:,} {photos}. Recall counts “don't know” as not found; in brackets 95 % intervals (Wilson) that take photos "
        "as independent.",
        n=n,
        photos=spoken.translate(words),
    )
    n_answers = spoken.phrase_plural(answered, "{n:,} answer", "{n:,} answers")
    return Markup("").join(
        [
            element("p", share_unknown, f"; {n_answers}: {counted}", class_="mk-said"),
            element("div", *bar, class_="mk-bar", role="img", aria_label=in_words),
            element("table", element("thead", element("tr", *head)), element("tbody", *rows)),
            element("p", note, class_="mk-soft"),
        ]
    )


def format_share(part: int, whole: int, spoken: Language) -> str:
    """'97.5 % (87.1-99.6)', or a dash if there is nothing to divide by."""
    if not whole:
        return "-"
    low, high = intervals.wilson(part, whole)
    return f"{spoken.percent(part / whole)} ({spoken.localize(f'{100 * low:.1f}-{100 * high:.1f}')})"


# --- a photo to upload ------------------------------------------------------------------------

MOST_FACES = 12  # of one picture that are answered, the largest
CROP_SHARE = 0.5  # a face as long as this share of the picture fills it: the picture is a crop already


def upload(explorer: Explorer) -> widgets.Widget:
    """A photo to upload: for each face its class, the confidence, and the Grad-CAM map, by the current head."""
    spoken = explorer.spoken
    button = widgets.FileUpload(
        accept="image/*", description=spoken.phrase("Choose a photo"), layout={"width": "12rem"}
    )
    find, hint = load_finder(spoken)
    rest = spoken.phrase("Up to 8 MB. It stays in this kernel; nothing is written.")
    answer = html(element("p", f"{hint} {rest}", class_="mk-soft"), "mk-figure")

    def show(_: Any = None) -> None:
        if button.value:
            answer.value = answer_html(explorer, button.value[0], find)

    button.observe(show, "value")
    explorer.listen(show)
    return frame(button, answer)


def load_finder(spoken: Language) -> tuple[face_finder.Finder | None, str]:
    """The face finder, None without the extra [faces], and what may be uploaded."""
    try:
        return face_finder.load(), spoken.phrase("A photo of one face, or a picture of several people.")
    except FileNotFoundError:
        return None, spoken.phrase(
            "A photo of one face. Faces in a picture of several people are found after {command}.",
            command=face_finder.EXTRA,
        )


def answer_html(explorer: Explorer, uploaded: Any, find: face_finder.Finder | None = None) -> str:
    """The answers for one file of a FileUpload: {name, size, content}. find: None takes the picture as one face."""
    spoken = explorer.spoken
    try:
        if uploaded["size"] > UPLOAD_LIMIT:
            raise ValueError(
                spoken.phrase(
                    "{size:,} bytes; the limit here is {limit:,}, and `maskkit predict` has none",
                    size=uploaded["size"],
                    limit=UPLOAD_LIMIT,
                )
            )
        picture = decoding.decode_open(io.BytesIO(uploaded["content"]))
    except ValueError as error:
        problem = reason(error, spoken)
        return element("p", f"{uploaded['name']}: {problem}", class_="mk-problem", role="alert")
    crops, note = find_crops(picture, find, spoken)
    names = [uploaded["name"]]
    if len(crops) > 1:
        names = [spoken.phrase("face {n} of {file}", n=n, file=names[0]) for n in range(1, len(crops) + 1)]
    told = [element("p", note, class_="mk-soft")] if note else []
    answers = (face_html(explorer, name, crop) for name, crop in zip(names, crops, strict=True))
    return Markup("").join([*told, *answers])


def reason(error: Exception, spoken: Language) -> str:
    """An error's text, translated where it is a photo that is not decoded."""
    if isinstance(error, decoding.DecodingError):
        detail = f" ({error.detail})" if error.detail else ""
        return spoken.translate(error.reason) + detail
    return str(error)


def find_crops(
    picture: Image.Image, find: face_finder.Finder | None, spoken: Language
) -> tuple[list[Image.Image], str]:
    """The squares around the faces of a picture, the largest first, and a note on them.

    The picture itself is the crop where no face is found, and where one face fills it.
    """
    faces = find(picture) if find else []
    if find and not faces:
        return [picture], spoken.phrase("No face was found, so the whole picture is taken as one face.")
    longest = max((max(face.width, face.height) for face in faces), default=0)
    if not faces or (len(faces) == 1 and longest >= CROP_SHARE * max(picture.size)):
        return [picture], ""
    if len(faces) > MOST_FACES:
        note = spoken.phrase("{n:,} faces found; the {most} largest are shown.", n=len(faces), most=MOST_FACES)
    else:
        note = spoken.phrase_plural(len(faces), "{n:,} face found.", "{n:,} faces found.")
    return [face_crops.crop(picture, face) for face in faces[:MOST_FACES]], note


def face_html(explorer: Explorer, name: str, crop: Image.Image) -> str:
    """The answer for a face, in words and as a figure."""
    answer = explorer.explain(crop)
    predicted = explorer.classes[int(answer.probabilities.argmax())]
    confidence = float(answer.probabilities.max())
    words = explorer.spoken.phrase(
        "{file}: {label}, confidence {share:percent}", file=name, label=predicted, share=confidence
    )
    fig = figures.explained(
        crop,
        answer.heat,
        answer.probabilities,
        explorer.classes,
        explorer.metrics["network"],
        language=explorer.language,
    )
    return element("p", words, class_="mk-said") + figure_html(fig, words)
