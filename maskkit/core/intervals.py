"""95 % intervals that stay valid if photos come in groups (versions of one original), and near 0 and 100 %.

Photos of one group tend to be right or wrong together, so n of them carry less information than n independent photos.
Every interval here resamples whole groups; if each photo is a group of its own, it is the ordinary interval.
"""

import functools
import math
from collections.abc import Sequence

import numpy as np

Z_95 = 1.959963984540054  # the normal distribution's 97.5 % point
RESAMPLES = 2000  # of the groups, for each interval: its ends move by about 2 % of its length from seed to seed


Interval = list[float]  # [low, high]
Groups = Sequence | np.ndarray  # (n,) any hashable or integer labels, one per photo


def resample(groups: Groups, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Draw bootstrap resamples of the groups.

    Groups are drawn with replacement, as many as there are (Efron & Tibshirani, 1993, An introduction to the
    bootstrap, chapter 8.6: the cluster is what is resampled, not its members).

    Args:
        groups: (n,) any hashable or integer labels, one per photo.

    Returns:
        counts float64 (RESAMPLES, n_groups), how often each group is drawn; and each photo's column in it, int (n,).
    """
    names, column = np.unique(np.asarray(groups), return_inverse=True)
    return draw_groups(len(names), seed), column


@functools.lru_cache(maxsize=1)  # intervals that follow each other are mostly of the same number of groups
def draw_groups(n_groups: int, seed: int) -> np.ndarray:
    """Counts float64 (RESAMPLES, n_groups), read-only: how often each group is drawn."""
    drawn = np.random.default_rng(seed).multinomial(n_groups, np.full(n_groups, 1 / n_groups), RESAMPLES).astype(float)
    drawn.flags.writeable = False
    return drawn


def mean(values: Sequence | np.ndarray, groups: Groups, seed: int) -> tuple[float, Interval] | tuple[None, None]:
    """The mean of one value per photo with its cluster-bootstrap 95 % interval (percentiles).

    Args:
        values: float (n,); groups: (n,); seed: of the resamples.

    Returns:
        (mean, [low, high]); (None, None) if there is no photo.
    """
    values = np.asarray(values, dtype=float)
    if not len(values):
        return None, None
    counts, column = resample(groups, seed)
    sums = counts @ np.bincount(column, values)
    sizes = counts @ np.bincount(column)
    low, high = np.quantile(sums / sizes, (0.025, 0.975))
    return float(values.mean()), [float(low), float(high)]


def paired(differences: np.ndarray, groups: Groups, seed: int) -> tuple[float, Interval]:
    """The mean of paired differences of two recipes, with a 95 % interval for other seeds and other photos.

    Seeds and groups of photos are both resampled, each photo's weight being the product (Owen 2007, The pigeonhole
    bootstrap, Annals of Applied Statistics 1:386-411, who shows that it errs on the side of too wide).

    Args:
        differences: float (n_seeds, n), a row per seed, a column per photo; groups: (n,); seed: of the resamples.

    Returns:
        (mean, [low, high]).

    Raises:
        ValueError: there is no seed or no photo.
    """
    differences = np.asarray(differences, dtype=float)
    if not differences.size:
        raise ValueError(f"differences of shape {differences.shape} have no mean")
    n_seeds = len(differences)
    counts, column = resample(groups, seed)
    sums = np.zeros((n_seeds, counts.shape[1]))
    np.add.at(sums.T, column, differences.T)
    times = np.random.default_rng([seed, 1]).multinomial(n_seeds, np.full(n_seeds, 1 / n_seeds), len(counts))
    means = ((times @ sums) * counts).sum(1) / (n_seeds * (counts @ np.bincount(column)))
    low, high = np.quantile(means, (0.025, 0.975))
    return float(differences.mean()), [float(low), float(high)]


def rate(correct: Sequence | np.ndarray, groups: Groups, seed: int) -> tuple[float, Interval] | tuple[None, None]:
    """A share of photos with its 95 % interval: Wilson's, at the number of independent photos these are worth.

    That number is n / the design effect: the variance from a cluster bootstrap over that of n independent photos.
    Where few groups show the rarer answer it can hardly be estimated, so the effect of groups that are all alike
    (sum of squared group sizes / n: Kish 1965, Survey sampling) joins in with the weight of one such group; where
    all photos agree it stands alone. Wilson at an effective n covers well near 0 and 1, where percentiles of a
    bootstrap do not (Franco, Little, Louis & Slud 2019, Comparative study of confidence intervals for proportions
    in complex sample surveys, Journal of Survey Statistics and Methodology 7:334-364).

    Args:
        correct: bool (n,), or fractions 0..1 such as the share of splits in which a photo was right;
        groups: (n,); seed: of the resamples.

    Returns:
        (share, [low, high]); (None, None) if there is no photo.
    """
    correct = np.asarray(correct, dtype=float)
    n = len(correct)
    if not n:
        return None, None
    share = float(correct.mean())
    counts, column = resample(groups, seed)
    sizes, hits = np.bincount(column), np.bincount(column, correct)
    together = (sizes**2).sum() / n  # the design effect if all photos of a group were alike
    rarer = int(min((hits > 0).sum(), (hits < sizes).sum()))  # groups that show the rarer answer
    effect = together
    if rarer:
        draws = counts @ hits / (counts @ sizes)
        measured = draws.var() / (share * (1 - share) / n)
        effect = (rarer * measured + together) / (rarer + 1)
    return share, wilson_at(share, min(n, n / max(effect, 1e-12)))


def wilson(correct: float, n: float, z: float = Z_95) -> tuple[float, float]:
    """The Wilson score interval of `correct` successes in `n` trials, as fractions (low, high); z: how many standard
    deviations it reaches, 95 % unless given.

    Wilson, E. B. (1927), Probable inference, the law of succession, and statistical inference, JASA 22:209-212.
    39 of 40 gives 0.871 to 0.996. It treats the photos as independent.

    Raises:
        ValueError: n is not positive, or `correct` is not within 0..n.
    """
    if not 0 <= correct <= n or n < 1:
        raise ValueError(f"{correct} of {n} is no share")
    share = correct / n
    middle = share + z**2 / (2 * n)
    half = z * math.sqrt(share * (1 - share) / n + z**2 / (4 * n * n))
    scale = 1 + z**2 / n
    return max(0.0, (middle - half) / scale), min(1.0, (middle + half) / scale)


def wilson_at(share: float, n: float) -> Interval:
    """`wilson` for a share of n photos, n not necessarily whole."""
    return [float(end) for end in wilson(min(share * n, n), n)]


def balanced(
    shares: list[float | None], intervals: list[Interval | None]
) -> tuple[float, Interval] | tuple[None, None]:
    """The mean of the classes' recalls, with its 95 % interval.

    The interval combines the classes' own, which are independent (method of variance estimates recovery: Zou &
    Donner 2008, Construction of confidence limits about effect measures, Statistics in Medicine 27:1693-1702).

    Args:
        shares: one fraction per class; intervals: their [low, high]. None for a class without photos.

    Returns:
        (mean, [low, high]); (None, None) if a class has no photos.
    """
    if not shares or None in shares:
        return None, None
    recalls, ends = np.array(shares, dtype=float), np.array(intervals)
    below = np.sqrt(((recalls - ends[:, 0]) ** 2).sum()) / len(recalls)
    above = np.sqrt(((ends[:, 1] - recalls) ** 2).sum()) / len(recalls)
    middle = float(recalls.mean())
    return middle, [max(0.0, middle - float(below)), min(1.0, middle + float(above))]


def balanced_accuracy(
    labels: np.ndarray, predicted: np.ndarray, n_classes: int, groups: np.ndarray, seed: int
) -> tuple[float, Interval] | tuple[None, None]:
    """`balanced` of the recalls of predictions: labels, predicted int (n,), groups (n,)."""
    labels, hit, groups = np.asarray(labels), np.asarray(labels) == np.asarray(predicted), np.asarray(groups)
    recalls = [rate(hit[labels == index], groups[labels == index], seed) for index in range(n_classes)]
    return balanced([share for share, _ in recalls], [interval for _, interval in recalls])


def paired_shares(both: int, first: int, second: int, neither: int) -> tuple[float, Interval]:
    """The second share minus the first, of two answers to each of the same photos, with its 95 % interval.

    Newcombe, R. G. (1998), Improved confidence intervals for the difference between binomial proportions based on
    paired data, Statistics in Medicine 17:2635-2650, method 10: Wilson's limits of both shares, joined by their
    correlation (continuity-corrected). Unlike a bootstrap it has a width even if no photo tells the two apart.

    Args:
        both, first, second, neither: photos that both, only the first, only the second, and neither got right.

    Returns:
        (difference, [low, high]).

    Raises:
        ValueError: there is no photo.
    """
    n = both + first + second + neither
    margins = (both + first) * (second + neither) * (both + second) * (first + neither)
    product: float = both * neither - first * second
    if product > 0:
        product = max(product - n / 2, 0)
    correlation = product / margins**0.5 if margins else 0.0
    return joined_shares(both + second, n, both + first, n, correlation)


def unpaired_shares(first: int, n_first: int, second: int, n_second: int) -> tuple[float, Interval]:
    """The second share minus the first, of different photos, with its 95 % interval (Newcombe 1998, Statistics in
    Medicine 17:873-890, method 10)."""
    return joined_shares(second, n_second, first, n_first, 0.0)


def joined_shares(correct: int, n: int, correct_less: int, n_less: int, correlation: float) -> tuple[float, Interval]:
    """(correct / n - correct_less / n_less, [low, high]) from both shares' Wilson limits and their correlation."""
    (more_low, more_high), (less_low, less_high) = wilson(correct, n), wilson(correct_less, n_less)
    more, less = correct / n, correct_less / n_less

    def reach(a: float, b: float) -> float:
        return max(0.0, a * a - 2 * correlation * a * b + b * b) ** 0.5

    difference = more - less
    low = difference - reach(more - more_low, less_high - less)
    return difference, [low, difference + reach(more_high - more, less - less_low)]
