"""The figures of 06_explore that `plots` does not have: labels in doubt, and the answer for one photo."""

from collections.abc import Sequence

import numpy as np
from matplotlib.figure import Figure
from PIL import Image

from maskkit.audit.figures import MAPS
from maskkit.core import class_names
from maskkit.plot_style import (
    GREY,
    INK,
    OTHERS_STYLE,
    class_labels,
    class_styles,
    figure,
    heading,
    other_classes,
    percent,
    phrase,
    phrase_plural,
    picture,
    styled,
    tiles,
    tint,
    title_label,
    verdict,
)

MAX_BARS = 5  # probabilities beside a photo


@styled
def doubts(
    images: Sequence[Image.Image],
    labels: Sequence[int] | np.ndarray,
    probabilities: np.ndarray,
    files: Sequence[str],
    n_suspects: int,
    classes: Sequence[str],
    photos: str,
    *,
    language: str = "en",
) -> Figure:
    """Photos with the lowest probability of their label by heads that were not trained on them, the lowest first.

    Args:
        images: PIL RGB images (n); labels: int (n,); probabilities: float (n, C), out of fold; files: n names;
            n_suspects: how many labels are likely wrong in all; classes: C names; photos: for the title.
    """
    fig, cells = tiles(len(labels), caption_lines=3)
    for axis, image, at, shares, file in zip(cells, images, labels, np.asarray(probabilities), files, strict=True):
        verdict(axis, image, at, shares.argmax(), shares.max(), classes, file=file)
    title = phrase_plural(
        n_suspects, "Labels in doubt: {n:,} label likely wrong", "Labels in doubt: {n:,} labels likely wrong"
    )
    which = phrase("photos with the least probable labels: {n}", n=len(labels))
    how = phrase("each classified by a head that did not learn from it")
    heading(fig, title, f"{which} · {how} · {title_label(photos)}")
    return fig


@styled
def explained(
    image: Image.Image,
    heat: np.ndarray,
    probabilities: np.ndarray,
    classes: Sequence[str],
    arch: str,
    *,
    language: str = "en",
) -> Figure:
    """One photo, its Grad-CAM map laid over it, and the probability of each class.

    Of more than five classes the four most probable, and the others together.

    Args:
        image: PIL RGB; heat: float (h, w), 0 or more; probabilities: float (C,); classes: C names.
    """
    height = max(2.9, 0.68 * min(len(classes), MAX_BARS))
    fig, [[photo, over, bars]] = figure(9.6, height, 1, 3, width_ratios=(1, 1, 1.3))
    predicted, styles, labels = int(np.argmax(probabilities)), class_styles(classes), class_labels(classes)
    picture(photo, image, styles[predicted][0], 1.4)
    photo.set_title(phrase("the photo"))
    picture(over, image.convert("L"), GREY, 0.8)
    over.set_title(phrase("what mattered (Grad-CAM)"))
    if heat.max() > 0:
        extent = over.images[0].get_extent()
        over.imshow(heat / heat.max(), cmap=MAPS, vmin=0, vmax=1, extent=extent, interpolation="bilinear", alpha=0.6)
    else:
        over.set_xlabel(phrase("no map: the same everywhere"), fontsize=8.5, color=GREY)
    shown = class_names.natural_order(classes)
    if len(classes) > MAX_BARS:
        shown = sorted(shown, key=lambda index: -probabilities[index])[: MAX_BARS - 1]
    rows = [(labels[index], probabilities[index], styles[index]) for index in shown]
    if others := sorted(set(range(len(classes))) - set(shown)):
        rows.append(
            (phrase("{others} together", others=other_classes(others)), sum(probabilities[others]), OTHERS_STYLE)
        )
    tall, above = (0.6, 0.42) if len(rows) < 4 else (0.46, 0.34)
    for place, (words, share, (colour, _, hatch)) in enumerate(rows):
        bars.barh(place, 100 * share, tall, color=tint(colour), edgecolor=colour, hatch=hatch, linewidth=1.2)
        bars.text(2, place - above, f"{words}: {percent(share)}", va="bottom", color=INK)
    bars.set(xlim=(0, 100), ylim=(len(rows) - 0.5, -0.8), yticks=[], xlabel=phrase("probability (%)"))
    bars.set_title(phrase("what the network says"))
    bars.spines["left"].set_visible(False)
    share = percent(probabilities[predicted])
    heading(
        fig, phrase("Predicted: {name}, confidence {share}", name=labels[predicted], share=share), title_label(arch)
    )
    return fig
