"""Groups of photos that are answered worse than the others, among groups that can be formed without labels.

Looking at many groups finds a weak one by chance. So each group's shortfall is compared with what the largest shortfall
of all groups is when the errors are shuffled among the photos of a class (the permutation distribution of the maximum:
Westfall and Young 1993, Resampling-based multiple testing). Versions of one original count as one photo.
"""

import dataclasses

import numpy as np
import torch

from maskkit.audit import properties
from maskkit.audit.entries import Message
from maskkit.audit.survey import Survey
from maskkit.core import intervals
from maskkit.core.messages import message

SHARE = 0.2  # of the photos in a group by a property
LEAST, LEAST_SHARE = 20, 0.05  # originals of a group; fewer show nothing
PER_CLUSTER, MOST_CLUSTERS, COMPONENTS = 50, 8, 20  # originals; clusters; principal components they are formed in
PERMUTATIONS = 1000
ENDS: dict[str, tuple[Message, Message]] = {
    "size": (message("the smallest fifth"), message("the largest fifth")),
    "brightness": (message("the darkest fifth"), message("the brightest fifth")),
    "sharpness": (message("the least sharp fifth"), message("the sharpest fifth")),
    "colour": (message("the palest fifth"), message("the most colourful fifth")),
    "warmth": (message("the bluest fifth"), message("the reddest fifth")),
}


@dataclasses.dataclass(frozen=True)
class Originals:
    """Photos that were merged to their originals: first, of: place of each original's first photo, and each photo's
    original, int; labels int and wrong float (n_originals,)."""

    first: np.ndarray
    of: np.ndarray
    labels: np.ndarray
    wrong: np.ndarray

    def mean(self, measured: np.ndarray) -> np.ndarray:
        """The mean over the photos of each original."""
        return np.bincount(self.of, measured) / np.bincount(self.of)


@dataclasses.dataclass(frozen=True)
class Tested:
    """A group: its accuracy, that of the other photos of the same classes, the shortfall (their difference), each with
    an interval that holds for all groups together."""

    accuracy: float
    accuracy_interval: intervals.Interval
    others: float
    shortfall: float
    interval: intervals.Interval


def merge(labels: np.ndarray, groups: np.ndarray, wrong: np.ndarray) -> Originals:
    """Originals of photos; an original is wrong as often as its photos are, and of the class of its first photo.

    Args:
        labels, groups: int (n,); wrong: bool (n,).
    """
    _, first, of = np.unique(groups, return_index=True, return_inverse=True)
    return Originals(first, of, labels[first], np.bincount(of, wrong) / np.bincount(of))


def form(photos: Survey, X: torch.Tensor, originals: Originals, seed: int) -> dict[str, tuple[Message, np.ndarray]]:
    """{key: (name, bool (n_originals,))} of the groups: both ends of each property, and clusters of features."""
    formed: dict[str, tuple[Message, np.ndarray]] = {}
    for name, ends in ENDS.items():
        measured = originals.mean(properties.values(photos, name))
        low, high = np.quantile(measured, (SHARE, 1 - SHARE))
        for end, words, members in zip(("low", "high"), ends, (measured <= low, measured >= high), strict=True):
            formed[f"{name}_{end}"] = (words, members)
    cluster = clusters(X[torch.from_numpy(originals.first)].numpy(), seed)
    n = int(cluster.max()) + 1
    for index in range(n):
        words = message("cluster {place} of {n} of similar photos", place=index + 1, n=n)
        formed[f"cluster_{index + 1}"] = (words, cluster == index)
    least = max(LEAST, LEAST_SHARE * len(originals.first))
    return {key: one for key, one in formed.items() if least <= one[1].sum() <= len(originals.first) / 2}


def clusters(X: np.ndarray, seed: int) -> np.ndarray:
    """k-means clusters of features (n, d), int (n,), on the first principal components."""
    from sklearn.cluster import KMeans
    from sklearn.decomposition import PCA

    k = int(np.clip(len(X) // PER_CLUSTER, 2, MOST_CLUSTERS))
    few = PCA(min(COMPONENTS, *X.shape), svd_solver="randomized", random_state=seed).fit_transform(X)
    return KMeans(k, n_init=3, random_state=seed).fit_predict(few)


def test(originals: Originals, members: np.ndarray, seed: int) -> tuple[list[Tested], float]:
    """(each group tested, how probable the largest shortfall is by chance).

    Args:
        members: bool (n_groups, n_originals).
    """
    observed = scores(originals, members, originals.wrong[None])[0]
    shuffled = scores(originals, members, permute(originals, seed))
    chance = (1 + int((shuffled.max(1) >= observed.max() - 1e-9).sum())) / (PERMUTATIONS + 1)
    critical = max(intervals.Z_95, float(np.quantile(np.abs(shuffled).max(1), 0.95)))
    return [compare(originals, group, critical) for group in members], chance


def permute(originals: Originals, seed: int) -> np.ndarray:
    """The errors shuffled among the originals of each class, float32 (PERMUTATIONS, n_originals)."""
    rng = np.random.default_rng(seed)
    shuffled = np.tile(originals.wrong.astype(np.float32), (PERMUTATIONS, 1))
    for index in np.unique(originals.labels):
        own = np.flatnonzero(originals.labels == index)
        shuffled[:, own] = rng.permuted(shuffled[:, own], axis=1)
    return shuffled


def scores(originals: Originals, members: np.ndarray, wrong: np.ndarray) -> np.ndarray:
    """How many standard deviations each group has more errors than its classes let expect, (n_draws, n_groups).

    Args:
        members: bool (n_groups, n_originals); wrong: float (n_draws, n_originals).
    """
    expected, variance = np.zeros(len(members)), np.zeros(len(members))
    for index in np.unique(originals.labels):
        own = originals.labels == index
        n, inside = own.sum(), members[:, own].sum(1)
        expected += inside * originals.wrong[own].mean()
        variance += inside * (n - inside) / max(1, n - 1) * originals.wrong[own].var()
    found: np.ndarray = (wrong @ members.T.astype(wrong.dtype) - expected) / np.sqrt(np.maximum(variance, 1e-12))
    return np.where(variance > 1e-12, found, 0.0)


def compare(originals: Originals, group: np.ndarray, z: float) -> Tested:
    """A group and the other originals of the same classes, weighted as the classes are in the group.

    The interval joins those of both (method of variance estimates recovery: Zou and Donner 2008, Statistics in Medicine
    27:1693-1702), each Wilson's at z standard deviations.
    """
    n = int(group.sum())
    accuracy = 1 - float(originals.wrong[group].mean())
    low, high = intervals.wilson(n * accuracy, n, z)
    others, below, above = 0.0, 0.0, 0.0
    for index in np.unique(originals.labels[group]):
        inside, outside = ((originals.labels == index) & where for where in (group, ~group))
        share = inside.sum() / n
        compared = outside if outside.any() else inside  # a class that lies in the group alone adds no shortfall
        right, m = float((1 - originals.wrong[compared]).sum()), int(compared.sum())
        ends = intervals.wilson(right, m, z)
        others += share * right / m
        below += (share * (right / m - ends[0])) ** 2
        above += (share * (ends[1] - right / m)) ** 2
    shortfall = others - accuracy
    interval = [
        shortfall - float(np.sqrt(below + (high - accuracy) ** 2)),
        shortfall + float(np.sqrt(above + (accuracy - low) ** 2)),
    ]
    return Tested(accuracy, [low, high], others, shortfall, interval)
