"""Properties of photos that need no label: size, brightness, sharpness, colour; and how far they moved."""

import dataclasses

import numpy as np

from maskkit.audit.entries import Message
from maskkit.audit.survey import Survey
from maskkit.core import intervals
from maskkit.core.messages import message


@dataclasses.dataclass(frozen=True)
class Property:
    """name: in words; less, more: what photos with small and large values are, in a comparison."""

    name: Message
    less: Message
    more: Message


PROPERTIES = {
    "size": Property(message("size in pixels"), message("smaller"), message("larger")),
    "brightness": Property(message("brightness"), message("darker"), message("brighter")),
    "sharpness": Property(message("sharpness"), message("less sharp"), message("sharper")),
    "colour": Property(message("strength of colour"), message("paler"), message("more colourful")),
    "warmth": Property(message("warmth of colour"), message("bluer"), message("redder")),
}
Shift = tuple[float, intervals.Interval, float, intervals.Interval]  # as `shift` returns it
SHARP_64 = 3  # column of `Survey.sharpness`: the Laplacian's variance at 64 px, which the photo's own size hardly moves


def values(photos: Survey, name: str) -> np.ndarray:
    """One property of every photo, float (n,)."""
    if name == "size":
        return np.log(photos.column("width") * photos.column("height").astype(float))
    if name == "colour":
        return photos.column("saturation")
    if name == "sharpness":
        return photos.sharpness[:, SHARP_64].astype(float)
    channels = photos.small.mean((1, 2))
    return channels.mean(1) if name == "brightness" else channels[:, 0] - channels[:, 2]


def shift(here: np.ndarray, there: np.ndarray, groups_here: np.ndarray, groups_there: np.ndarray, seed: int) -> Shift:
    """How far a property moved: (standardised difference, its 95 % interval, share of pairs, its 95 % interval).

    The difference of the means over the standard deviation within the sources (Cohen's d), by a bootstrap of the
    originals. The share of pairs, of one photo from each source, in which the photo from there has the larger value
    (0.5: no difference), by the variance of its placements (DeLong et al. 1988, Biometrics 44:837-845), by originals.

    Args:
        here, there: float (n,), (m,); groups_here, groups_there: originals, (n,), (m,).
    """
    spread = np.sqrt((here.var() + there.var()) / 2) or 1.0
    drawn = [bootstrap_means(*given) for given in ((here, groups_here, seed), (there, groups_there, seed + 1))]
    low, high = np.quantile((drawn[1] - drawn[0]) / spread, (0.025, 0.975))
    ordered_here, ordered_there = np.sort(here), np.sort(there)
    above = (np.searchsorted(ordered_here, there) + np.searchsorted(ordered_here, there, "right")) / (2 * len(here))
    below = (np.searchsorted(ordered_there, here) + np.searchsorted(ordered_there, here, "right")) / (2 * len(there))
    share = float(above.mean())
    placed = [bootstrap_means(above, groups_there, seed + 2), bootstrap_means(below, groups_here, seed + 3)]
    half = intervals.Z_95 * float(np.sqrt(sum(means.var() for means in placed)))
    difference = float((there.mean() - here.mean()) / spread)
    return difference, [float(low), float(high)], share, [max(0.0, share - half), min(1.0, share + half)]


def bootstrap_means(measured: np.ndarray, groups: np.ndarray, seed: int) -> np.ndarray:
    """The mean of each bootstrap resample of the originals, (RESAMPLES,)."""
    counts, column = intervals.resample(groups, seed)
    return (counts @ np.bincount(column, measured)) / (counts @ np.bincount(column))
