"""The figures of 06_explore that `plots` does not have: labels in doubt, and the answer for one photo."""

from collections.abc import Sequence

import numpy as np
from matplotlib.figure import Figure
from PIL import Image

from maskkit.audit.figures import MAPS
from maskkit.core import class_names
from maskkit.core.messages import plural
from maskkit.plot_style import (
    GREY,
    INK,
    OTHERS_STYLE,
    class_labels,
    class_styles,
    figure,
    heading,
    label,
    other_classes,
    percent,
    picture,
    styled,
    tiles,
    tint,
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
) -> Figure:
    """Photos with the lowest probability of their label by heads that were not trained on them, the lowest first.

    Args:
        images: PIL RGB images (n); labels: int (n,); probabilities: float (n, C), out of fold; files: n names;
            n_suspects: how many labels are likely wrong in all; classes: C names; photos: for the title.
    """
    fig, cells = tiles(len(labels), caption_lines=3)
    for axis, image, at, shares, file in zip(cells, images, labels, np.asarray(probabilities), files, strict=True):
        verdict(axis, image, at, shares, classes, file=file)
    heading(
        fig,
        f"Labels in doubt: {plural(n_suspects, 'label')} likely wrong",
        f"the {plural(len(labels), 'photo')} with the least probable labels · each classified by a head that did not "
        f"learn from it · {label(photos, 48)}",
    )
    return fig


@styled
def explained(
    image: Image.Image, heat: np.ndarray, probabilities: np.ndarray, classes: Sequence[str], arch: str
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
    photo.set_title("the photo")
    picture(over, image.convert("L"), GREY, 0.8)
    over.set_title("what mattered (Grad-CAM)")
    if heat.max() > 0:
        extent = over.images[0].get_extent()
        over.imshow(heat / heat.max(), cmap=MAPS, vmin=0, vmax=1, extent=extent, interpolation="bilinear", alpha=0.6)
    else:
        over.set_xlabel("no map: the same everywhere", fontsize=8.5, color=GREY)
    shown = class_names.natural_order(classes)
    if len(classes) > MAX_BARS:
        shown = sorted(shown, key=lambda index: -probabilities[index])[: MAX_BARS - 1]
    rows = [(labels[index], probabilities[index], styles[index]) for index in shown]
    if others := sorted(set(range(len(classes))) - set(shown)):
        rows.append((f"{other_classes(others)} together", sum(probabilities[others]), OTHERS_STYLE))
    tall, above = (0.6, 0.42) if len(rows) < 4 else (0.46, 0.34)
    for place, (words, share, (colour, _, hatch)) in enumerate(rows):
        bars.barh(place, 100 * share, tall, color=tint(colour), edgecolor=colour, hatch=hatch, linewidth=1.2)
        bars.text(2, place - above, f"{words}: {percent(share)}", va="bottom", color=INK)
    bars.set(xlim=(0, 100), ylim=(len(rows) - 0.5, -0.8), yticks=[], xlabel="probability (%)")
    bars.set_title("what the network says")
    bars.spines["left"].set_visible(False)
    heading(fig, f"Predicted: {labels[predicted]}, confidence {percent(probabilities[predicted])}", label(arch))
    return fig
