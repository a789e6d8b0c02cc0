"""Calibration: expected calibration error, temperature scaling, and a threshold of confidence for "don't know"."""

from typing import Any

import numpy as np

from maskkit.core import intervals

N_BINS = 10


def softmax(logits: np.ndarray) -> np.ndarray:
    """Probabilities (n, C) of logits (n, C)."""
    import scipy.special  # here, as importing it takes 0.2 s

    return scipy.special.softmax(logits, axis=1)


def log_loss(logits: np.ndarray, labels: np.ndarray) -> float:
    """Mean negative log-likelihood of the true classes, in nats, from logits.

    (`sklearn.metrics.log_loss` takes probabilities: those of 0 would be clipped.)
    """
    import scipy.special

    return float(-scipy.special.log_softmax(logits, axis=1)[np.arange(len(labels)), labels].mean())


def fit_temperature(logits: np.ndarray, labels: np.ndarray) -> float:
    """The divisor of the logits with the smallest log-loss, between 0.05 and 20.

    Guo et al. (2017), On calibration of modern neural networks, ICML.
    """
    from scipy.optimize import minimize_scalar

    best = minimize_scalar(
        lambda log: log_loss(logits / np.exp(log), labels), bounds=np.log([0.05, 20]), method="bounded"
    )
    return float(np.exp(best.x))


def scale(logits: np.ndarray, labels: np.ndarray, fold: np.ndarray) -> tuple[np.ndarray, float]:
    """Divide logits (n, C) by a temperature fitted on the other folds; also return the mean temperature.

    Args:
        logits: float (n, C); labels, fold: int (n,).
    """
    scaled, temperatures = np.empty_like(logits, dtype=float), []
    for index in np.unique(fold):
        here = fold == index
        temperatures.append(fit_temperature(logits[~here], labels[~here]))
        scaled[here] = logits[here] / temperatures[-1]
    return scaled, float(np.exp(np.mean(np.log(temperatures))))


def bins(confidence: np.ndarray, right: np.ndarray, groups: np.ndarray, seed: int) -> list[dict[str, Any]]:
    """The reliability diagram: up to N_BINS bins of equally many photos by confidence.

    Returns:
        dicts: confidence (mean), accuracy, interval, n.
    """
    rows = []
    for places in np.array_split(np.argsort(confidence, kind="stable"), min(N_BINS, max(1, len(right) // 10))):
        accuracy, interval = intervals.rate(right[places], groups[places], seed)
        rows.append(
            {
                "confidence": float(confidence[places].mean()),
                "accuracy": accuracy,
                "interval": interval,
                "n": len(places),
            }
        )
    return rows


def expected_error(
    confidence: np.ndarray, right: np.ndarray, groups: np.ndarray, seed: int
) -> tuple[float, list[float]]:
    """Expected calibration error over bins of equally many photos, corrected for its bias, with a 95 % interval.

    Within a bin confidence and accuracy differ by chance even if the network is calibrated, and absolute values do not
    cancel. So the variance of each difference is subtracted from its square before the root (Bröcker 2012,
    Estimating reliability and resolution of probability forecasts, Climate Dynamics 39:655-667, for the squares),
    and the interval is the basic one of a cluster bootstrap. Where hardly an answer is wrong, resamples vary too
    little; so the interval also reaches as far as Wilson's interval of the accuracy lets the mean difference be.
    benchmarks/coverage.py counts how often it holds the truth.

    Args:
        confidence: float (n,) of the predicted class; right: bool (n,); groups: (n,).

    Returns:
        (error, [low, high]), fractions.
    """
    order = np.argsort(confidence, kind="stable")
    n_bins = min(N_BINS, max(2, len(right) // 50))
    place = np.empty(len(order), dtype=int)
    for index, members in enumerate(np.array_split(order, n_bins)):
        place[members] = index
    counts, column = intervals.resample(groups, seed)
    gap = np.asarray(right, dtype=float) - confidence
    shape = (n_bins, counts.shape[1])
    sums, sizes = np.zeros(shape), np.zeros(shape)
    np.add.at(sums, (place, column), gap)
    np.add.at(sizes, (place, column), 1)
    drawn = (counts @ sums.T) / np.maximum(counts @ sizes.T, 1)  # (n_resamples, n_bins)
    share = sizes.sum(1) / len(right)
    mean, variance = sums.sum(1) / sizes.sum(1), drawn.var(0)
    value = root(mean, variance) @ share
    # A resample's difference varies twice: as a sample, and as a draw from it.
    low, high = 2 * value - np.quantile(root(drawn, 2 * variance) @ share, (0.975, 0.025))
    # Small differences in many bins count as chance, so the upper end also takes the uncorrected error into account.
    raw = np.abs(mean) @ share
    high = max(high, 2 * raw - np.quantile(np.abs(drawn) @ share, 0.025))
    _, accuracy = intervals.rate(right, groups, seed)
    assert accuracy is not None
    gaps = [end - confidence.mean() for end in accuracy]
    low, high = min(low, 0.0 if gaps[0] <= 0 <= gaps[1] else min(map(abs, gaps))), max(high, *map(abs, gaps))
    return float(value), [max(0.0, min(float(low), float(value))), min(1.0, max(float(high), float(value)))]


def root(difference: np.ndarray, variance: np.ndarray) -> np.ndarray:
    """|difference|, corrected for the variance that chance adds to its square; 0 if chance explains all of it."""
    return np.sqrt(np.maximum(difference**2 - variance, 0))


def risk_curve(confidence: np.ndarray, right: np.ndarray) -> list[dict[str, Any]]:
    """The share of photos answered at each threshold of confidence, and the error rate among those.

    Returns:
        dicts: threshold, answered, error (None if nothing is answered), n, wrong; the first answers all photos.
    """
    rows = []
    for threshold in np.unique(np.concatenate([[0.0], np.linspace(0.5, 0.99, 50), [0.995, 0.999]])):
        answered = confidence >= threshold
        n, wrong = int(answered.sum()), int((answered & ~right).sum())
        rows.append(
            {
                "threshold": round(float(threshold), 3),
                "answered": n / len(right),
                "error": wrong / n if n else None,
                "n": n,
                "wrong": wrong,
            }
        )
    return rows


def choose_threshold(
    confidence: np.ndarray, right: np.ndarray, aim: float, fold: np.ndarray
) -> tuple[float | None, np.ndarray]:
    """The lowest threshold with an error rate of at most `aim` among the answered photos, and its effect on others.

    For each fold the threshold is chosen on the other folds, so that the reported error rate is measured on photos that
    did not choose it.

    Returns:
        (threshold chosen on all photos, or None if none reaches `aim`; answered bool (n,), by the folds' thresholds).
    """
    answered = np.zeros(len(right), dtype=bool)
    for index in np.unique(fold):
        here = fold == index
        threshold = lowest(risk_curve(confidence[~here], right[~here]), aim)
        answered[here] = confidence[here] >= (2.0 if threshold is None else threshold)
    return lowest(risk_curve(confidence, right), aim), answered


def lowest(curve: list[dict[str, Any]], aim: float) -> float | None:
    """The first threshold of a `risk_curve` with an error rate of at most `aim`; None if there is none."""
    return next((row["threshold"] for row in curve if row["n"] and row["error"] <= aim), None)
