"""Calibration: expected calibration error, temperature scaling, and a threshold of confidence for "don't know"."""

from typing import Any

import numpy as np

from maskkit.core import intervals

N_BINS = 10
# Of `recalibration_interval`: 95 % point of chi-squared with two degrees of freedom; groups of photos of like
# confidence that stand for all; cells per side and refinements of its search; a confidence's least distance from 0, 1.
REGION, N_POINTS, CELLS, ZOOMS, LEAST = 5.991, 100, 33, 4, 1e-6


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


def expected_error(confidence: np.ndarray, right: np.ndarray, groups: np.ndarray) -> tuple[float, list[float]]:
    """Expected calibration error over bins of equally many photos, corrected for its bias, with a 95 % interval.

    Within a bin confidence and accuracy differ by chance even if the network is calibrated, and absolute values do not
    cancel. So the variance of each difference is subtracted from its square before the root (Bröcker 2012,
    Estimating reliability and resolution of probability forecasts, Climate Dynamics 39:655-667, for the squares). The
    interval is that of `recalibration_interval`, which knows that neighbouring bins are alike and is shorter than one
    of ten separate bins; it is widened to hold the error. benchmarks/coverage.py counts how often it holds the truth.

    Args:
        confidence: float (n,) of the predicted class; right: bool (n,); groups: (n,).

    Returns:
        (error, [low, high]), fractions.
    """
    _, column, sizes = np.unique(np.asarray(groups), return_inverse=True, return_counts=True)
    gap, error = np.asarray(right, dtype=float) - confidence, 0.0
    n_bins = min(N_BINS, max(2, len(right) // 50))
    for members in np.array_split(np.argsort(confidence, kind="stable"), n_bins):
        mean = gap[members].mean()
        by_group = np.bincount(column[members], gap[members] - mean)  # photos of one group count together
        variance = (by_group**2).sum() / len(members) ** 2
        error += len(members) / len(right) * np.sqrt(max(0.0, mean**2 - variance))
    low, high = recalibration_interval(confidence, np.asarray(right, dtype=float), 1 / sizes[column])
    return float(error), [min(low, error), max(high, error)]


def recalibration_interval(confidence: np.ndarray, right: np.ndarray, weight: np.ndarray) -> tuple[float, float]:
    """The least and the largest mean |confidence - accuracy| among the accuracies that the answers do not contradict.

    The accuracy at each confidence is sigmoid(a + b logit(confidence)): a and b are Cox's intercept and slope of
    calibration, b below 1 for a network that is too confident (Cox 1958, Two further applications of a model for binary
    regression, Biometrika 45:562-565; Van Calster et al. 2019, BMC Medicine 17:230). Not contradicted are those in the
    95 % region of a and b by the likelihood ratio. The least is 0 where a = 0 and b = 1 lie in it. The region holds for
    a and b together, so the interval holds the error of such a network in more than 95 %.

    Args:
        confidence: float (n,); right: 0 or 1 (n,); weight: float (n,), less than 1 for photos that are not independent.
    """
    logit = np.log(np.clip(confidence, LEAST, 1 - LEAST)) - np.log1p(-np.clip(confidence, LEAST, 1 - LEAST))
    parts = np.array_split(np.argsort(logit, kind="stable"), min(N_POINTS, len(logit)))
    n = np.array([weight[part].sum() for part in parts])
    n_right = np.array([weight[part] @ right[part] for part in parts])
    x, stated = (np.array([weight[part] @ of[part] for part in parts]) / n for of in (logit, confidence))
    middle = n @ x / n.sum()  # around the middle, intercept and slope hardly depend on each other

    def compare(intercepts: np.ndarray, slopes: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        z = intercepts[:, None, None] + slopes[None, :, None] * (x - middle)
        softplus = np.logaddexp(0, z)
        return (z * n_right - softplus * n).sum(2), np.abs(np.exp(z - softplus) - stated) @ n / n.sum()

    as_stated = float(compare(np.array([middle]), np.array([1.0]))[0][0, 0])
    box, best = np.array([[-6.0, 9.0], np.log([0.02, 30.0])]), as_stated
    for _ in range(ZOOMS):
        intercepts, logs = (np.linspace(least, most, CELLS) for least, most in box)
        likelihood, errors = compare(intercepts, np.exp(logs))
        best = max(best, float(likelihood.max()))
        within = 2 * (best - likelihood) <= REGION
        near = within if within.any() else likelihood == likelihood.max()
        for axis, values in enumerate((intercepts, logs)):
            places = np.flatnonzero(near.any(1 - axis))
            box[axis] = values[max(0, places[0] - 1)], values[min(CELLS - 1, places[-1] + 1)]
    found = errors[within] if within.any() else errors[near]
    contradicted = 2 * (best - as_stated) > REGION
    return float(found.min()) if contradicted else 0.0, float(found.max())


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
