"""Is 90 % sure right 90 times of 100? Expected calibration error, temperature scaling, and when to say "don't know"."""

import numpy as np

from maskkit.core import intervals

N_BINS = 10


def softmax(logits):
    """Probabilities float64 (n, C) of logits (n, C)."""
    shifted = np.exp(logits - logits.max(1, keepdims=True))
    return shifted / shifted.sum(1, keepdims=True)


def log_loss(logits, labels):
    """Mean negative log-likelihood of the true classes, in nats."""
    top = logits.max(1, keepdims=True)
    normaliser = np.log(np.exp(logits - top).sum(1)) + top[:, 0]
    return float((normaliser - logits[np.arange(len(labels)), labels]).mean())


def fit_temperature(logits, labels):
    """The divisor of the logits with the least log-loss (Guo et al. 2017, On calibration of modern neural networks,
    ICML), sought between 0.05 and 20."""
    from scipy.optimize import minimize_scalar

    found = minimize_scalar(
        lambda log: log_loss(logits / np.exp(log), labels), bounds=np.log([0.05, 20]), method="bounded"
    )
    return float(np.exp(found.x))


def scale(logits, labels, fold):
    """Logits (n, C) each divided by a temperature fitted on the other folds, and the mean temperature.

    Args:
        logits: float (n, C); labels, fold: int (n,).
    """
    scaled, temperatures = np.empty_like(logits, dtype=float), []
    for index in np.unique(fold):
        here = fold == index
        temperatures.append(fit_temperature(logits[~here], labels[~here]))
        scaled[here] = logits[here] / temperatures[-1]
    return scaled, float(np.exp(np.mean(np.log(temperatures))))


def bins(confidence, right, groups, seed):
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


def expected_error(confidence, right, groups, seed):
    """Expected calibration error over equally filled bins, freed of its bias, with a 95 % interval.

    Within a bin confidence and accuracy differ by chance alone even if the network is calibrated, and absolute
    values only add up. So the square of each difference is lowered by its variance before the root (Bröcker 2012,
    Estimating reliability and resolution of probability forecasts, Climate Dynamics 39:655-667, for the squares),
    and the interval is the basic one of a cluster bootstrap. In simulations it holds the truth 88 to 98 times of 100,
    with 100 to 1,000 photos; the value is off by 0.02 at most (tests/test_calibration.py).

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
    # A resample's own difference varies twice: as a sample, and drawn from it.
    low, high = 2 * value - np.quantile(root(drawn, 2 * variance) @ share, (0.975, 0.025))
    # Small differences in many bins are taken for chance, so the upper end also heeds the error as it stands.
    raw = np.abs(mean) @ share
    high = max(high, 2 * raw - np.quantile(np.abs(drawn) @ share, 0.025))
    return float(value), [max(0.0, min(float(low), float(value))), min(1.0, max(float(high), float(value)))]


def root(difference, variance):
    """|difference| freed of what chance adds to its square; 0 where chance explains all of it."""
    return np.sqrt(np.maximum(difference**2 - variance, 0))


def risk_curve(confidence, right):
    """Thresholds of confidence, the share of photos answered at each, and the error rate among those.

    Returns:
        dicts: threshold, answered, error (None where nothing is answered), n, wrong; the first answers all.
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


def choose_threshold(confidence, right, aim, fold):
    """The lowest threshold with an error rate of at most `aim` among the answered, and what it buys on other photos.

    The threshold is chosen on the other folds for each fold, so that the error rate reported is not one it was
    chosen by.

    Returns:
        (threshold chosen on all photos, or None where none gets there; answered bool (n,), by the folds' thresholds).
    """
    answered = np.zeros(len(right), dtype=bool)
    for index in np.unique(fold):
        here = fold == index
        threshold = lowest(risk_curve(confidence[~here], right[~here]), aim)
        answered[here] = confidence[here] >= (2.0 if threshold is None else threshold)
    return lowest(risk_curve(confidence, right), aim), answered


def lowest(curve, aim):
    """The first threshold of a `risk_curve` that keeps the error rate at `aim` or below, None where none does."""
    return next((row["threshold"] for row in curve if row["n"] and row["error"] <= aim), None)
