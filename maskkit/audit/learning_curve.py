"""How many photos are needed: the error over the number of training photos, and how many photos measure it.

The curve is measured on cached features: heads learn from random subsets of the photos, and every photo outside the
subset (and without a version in it) is tested. It is extrapolated by averaging over laws

    error(m) = error(m_now) * f(m) / f(m_now),   f(m) = floor + (1 - floor) * (m / m_now) ** -slope

with weights by how well each explains the measured errors (Bayesian model averaging; the inverse power law is one of
them: Hestness et al. 2017, Deep learning scaling is predictable, empirically). The error at m_now itself is counted,
and where few errors were seen it leans on the tail of the margins: benchmarks/photos_needed.py measures both.
"""

import dataclasses
from collections.abc import Sequence

import numpy as np
import torch

from maskkit.audit import splits
from maskkit.audit.recipes import Recipe, fit_settings
from maskkit.core import intervals

TRAIN_SHARE = 0.8  # of the photos that a recipe draws
REPEATS = 24  # subsets of each size: each photo is tested about five times beside the largest
SIZES = 6  # of the curve, each 0.87 times the next; smaller ones follow another law (benchmarks/photos_needed.py)
STEP = 0.87
LEAST_PER_CLASS = 4  # training photos of the smallest size
MOST = 2000  # training photos of the largest: minutes of fitting otherwise
TAIL_WEIGHT = 8.0  # the tail of the margins counts as much as this many observed errors
TAIL_FREEDOM = 5  # degrees of freedom of Student's t; normal tails are too short (benchmarks/photos_needed.py)
SLOPES = np.linspace(0, 2, 41)
FLOORS = np.linspace(0, 0.5, 11)
DRAWS = 2000


@dataclasses.dataclass(frozen=True)
class Curve:
    """The measured curve.

    sizes: training photos, int (n_sizes,), ascending; wrong: float (n_sizes, n), how often each photo was wrong among
    the times it was tested, nan where it never was; tail: error by the tail of the margins at `now`; now: place of the
    size that is used now; groups: int (n,).
    """

    sizes: np.ndarray
    wrong: np.ndarray
    tail: float
    now: int
    groups: np.ndarray

    @property
    def errors(self) -> np.ndarray:
        """The error of each size, (n_sizes,)."""
        return np.nanmean(self.wrong, 1)

    @property
    def independent(self) -> int:
        """How many originals the photos come from."""
        return len(np.unique(self.groups))

    def intervals(self, seed: int) -> list[intervals.Interval]:
        """The 95 % interval of each size's error."""
        found = []
        for row in self.wrong:
            tested = ~np.isnan(row)
            _, interval = intervals.rate(row[tested], self.groups[tested], seed)
            assert interval is not None
            found.append(interval)
        return found


def sizes_of(n_now: int, n_pool: int, n_classes: int) -> tuple[np.ndarray, int]:
    """(training sizes, the place of the one used now): downwards from 80 % of `n_now`, and upwards as photos allow.

    Args:
        n_now: photos used now, training and validation; n_pool: photos there are.
    """
    m_now = round(TRAIN_SHARE * n_now)
    below = [round(m_now * STEP**place) for place in range(1, SIZES)]
    most = min(MOST, round(TRAIN_SHARE * n_pool))
    above = [round(m_now / STEP**place) for place in range(1, SIZES) if m_now / STEP**place <= most]
    sizes = [size for size in sorted(below) if size >= LEAST_PER_CLASS * n_classes] + [m_now]
    return np.array(sizes + above), len(sizes) - 1


def draw_subset(labels: np.ndarray, groups: np.ndarray, size: int, rng: np.random.Generator) -> np.ndarray:
    """Places of `size` training photos, the classes in proportion; versions of one original lie together."""
    places = []
    for index in np.unique(labels):
        own = np.flatnonzero(labels == index)
        n = max(2, round(size * len(own) / len(labels)))
        order = rng.permutation(np.unique(groups[own]))
        rank = np.argsort(order)[np.searchsorted(np.sort(order), groups[own])]
        places.append(own[np.argsort(rank, kind="stable")][:n])
    return np.concatenate(places)


def measure(
    X: torch.Tensor,
    labels: np.ndarray,
    groups: np.ndarray,
    n_now: int,
    recipe: Recipe,
    seed: int,
    repeats: int = REPEATS,
) -> Curve:
    """The learning curve of a recipe's head.

    Args:
        X: features float32 (n, n_features) of the photos there are; labels, groups: int (n,).
        n_now: photos that are used now; recipe: of the head; repeats: subsets of each size.

    Raises:
        ValueError: a class has fewer than 10 originals, or the photos used now are too few for a curve.
    """
    n_classes = int(labels.max()) + 1
    fewest = min(len(np.unique(groups[labels == index])) for index in range(n_classes))
    if fewest < 10:
        raise ValueError(f"a class has {fewest} independent photos; a learning curve needs 10")
    n_now = min(n_now, len(labels))
    sizes, now = sizes_of(n_now, len(labels), n_classes)
    if now < 2:
        raise ValueError(f"{n_now} photos are too few for a learning curve")
    rng, tail, wrong = np.random.default_rng(seed), 0.0, []
    for place, size in enumerate(sizes):
        subsets = [draw_subset(labels, groups, size, rng) for _ in range(repeats)]
        margins = margins_of(X, labels, groups, subsets, recipe, seed + 1000 * place)
        tested = ~np.isnan(margins)
        times = tested.sum(0)
        with np.errstate(invalid="ignore"):
            wrong.append(np.where(times > 0, (margins < 0).sum(0) / times, np.nan))
        if place == now:
            tail = tail_error(margins, labels)
    return Curve(sizes, np.array(wrong), tail, now, groups)


@torch.inference_mode()
def margins_of(
    X: torch.Tensor, labels: np.ndarray, groups: np.ndarray, subsets: Sequence[np.ndarray], recipe: Recipe, seed: int
) -> np.ndarray:
    """Margins (n_subsets, n): each photo's logit of its class minus the largest other one; nan of photos not tested.

    Tested are the photos without a version in the subset that the head learned from.
    """
    y = torch.from_numpy(np.asarray(labels, dtype=np.int64))
    nobody = torch.zeros((len(subsets), 0), dtype=torch.long)
    heads = splits.fit_many(
        X,
        y,
        torch.from_numpy(np.stack(subsets)),
        nobody,
        seeds=range(seed, seed + len(subsets)),
        **fit_settings(recipe),
    ).last
    rows = []
    for place, subset in enumerate(subsets):
        logits = splits.Heads(heads.weight[place : place + 1], heads.bias[place : place + 1]).logits(X)[0]
        own = logits.gather(1, y[:, None])[:, 0]
        margin = (own - logits.scatter(1, y[:, None], -torch.inf).max(1).values).numpy().astype(float)
        margin[np.isin(groups, groups[subset])] = np.nan
        rows.append(margin)
    return np.array(rows)


def tail_error(margins: np.ndarray, labels: np.ndarray) -> float:
    """The error that the distribution of the margins implies: Student's t, fitted to each class in each subset.

    Args:
        margins: (n_subsets, n), nan where a photo was not tested; labels: int (n,).
    """
    import scipy.stats

    shares, weights = [], []
    for index in np.unique(labels):
        for row in margins[:, labels == index]:
            values = row[~np.isnan(row)]
            if len(values) >= 5:
                centre, spread = fit_student(values)
                shares.append(scipy.stats.t.cdf(-centre / spread, TAIL_FREEDOM))
                weights.append((labels == index).sum())
    return float(np.average(shares, weights=weights)) if shares else 0.5


def fit_student(values: np.ndarray) -> tuple[float, float]:
    """(location, scale) of Student's t with `TAIL_FREEDOM`, by maximum likelihood (EM); values: (n,)."""
    centre, spread = float(np.median(values)), float(values.std()) + 1e-9
    for _ in range(20):
        weight = (TAIL_FREEDOM + 1) / (TAIL_FREEDOM + ((values - centre) / spread) ** 2)
        centre = float((weight * values).sum() / weight.sum())
        spread = float(np.sqrt((weight * (values - centre) ** 2).mean())) + 1e-9
    return centre, spread


# --- the forecast -------------------------------------------------------------------------------


@dataclasses.dataclass(frozen=True)
class Forecast:
    """Draws of the error now (DRAWS,), and of the laws: (slope, floor) of each; m_now: training photos now."""

    level: np.ndarray
    slope: np.ndarray
    floor: np.ndarray
    m_now: int

    def errors(self, size: float) -> np.ndarray:
        """Draws of the error with `size` training photos, (DRAWS,)."""
        return np.minimum(self.level * law(size / self.m_now, self.slope, self.floor), 1)

    def accuracy(self, n_photos: float) -> tuple[float, intervals.Interval]:
        """The accuracy with so many photos in all, 80 % of them training photos, with its 95 % interval."""
        return summary(1 - self.errors(TRAIN_SHARE * n_photos))

    def gain(self, n_photos: float) -> tuple[float, intervals.Interval]:
        """What the accuracy gains with so many photos in all, with its 95 % interval."""
        return summary(self.level - self.errors(TRAIN_SHARE * n_photos))


def law(ratio: float | np.ndarray, slope: np.ndarray, floor: np.ndarray) -> np.ndarray:
    """f of this module: 1 at a ratio of 1."""
    return floor + (1 - floor) * np.asarray(ratio, dtype=float) ** -slope


def summary(draws: np.ndarray) -> tuple[float, intervals.Interval]:
    """(mean, [2.5 %, 97.5 %]) of draws."""
    low, high = np.quantile(draws, (0.025, 0.975))
    return float(draws.mean()), [float(low), float(high)]


def forecast(curve: Curve, seed: int) -> Forecast:
    """What the measured curve says of more photos.

    The error now: a gamma distribution, of the errors that were counted and of `TAIL_WEIGHT` errors at the rate of the
    tail. The law: drawn by its likelihood, of how the errors are distributed among the sizes (multinomial: the level
    drops out); all (slope, floor) are equally likely before.
    """
    rng = np.random.default_rng(seed)
    photos = curve.independent
    counted = curve.errors * photos
    shape = counted[curve.now] + TAIL_WEIGHT
    level = rng.gamma(shape, 1 / (photos + TAIL_WEIGHT / max(curve.tail, 1e-6)), DRAWS)
    slope, floor = (grid.ravel() for grid in np.meshgrid(SLOPES, FLOORS))
    m_now = int(curve.sizes[curve.now])
    shares = law(curve.sizes[:, None] / m_now, slope, floor)
    likelihood = (counted[:, None] * np.log(shares / shares.sum(0))).sum(0)
    weight = np.exp(likelihood - likelihood.max())
    drawn = rng.choice(len(slope), DRAWS, p=weight / weight.sum())
    return Forecast(np.minimum(level, 1), slope[drawn], floor[drawn], m_now)


def photos_for_width(accuracy: float, width: float) -> int:
    """The smallest number of validation photos whose Wilson 95 % interval at this accuracy is at most `width` long.

    Args:
        accuracy: a fraction 0..1; width: of the interval, a fraction above 0.
    """
    low, high = 1, 1
    while length(accuracy, high) > width:
        low, high = high, 2 * high
    while low < high:
        middle = (low + high) // 2
        low, high = (low, middle) if length(accuracy, middle) <= width else (middle + 1, high)
    return high


def length(accuracy: float, n: int) -> float:
    """How long Wilson's 95 % interval of an accuracy is on n photos."""
    low, high = intervals.wilson_at(accuracy, n)
    return high - low
