"""How many photos are needed: what would more photos gain, and how many measure the accuracy well enough?"""

from typing import Any

import numpy as np
import torch
from matplotlib.figure import Figure

from maskkit.audit import figures, learning_curve
from maskkit.audit.audited import Audited
from maskkit.audit.checks.check import Audit, Check, Context, Measured
from maskkit.audit.checks.split_variance import TUNED
from maskkit.audit.entries import Entry, Message, entry, undefined, unknown, with_interval
from maskkit.audit.recipes import Recipe
from maskkit.core.messages import message, said
from maskkit.plot_style import ACCENT, GREY, INK, figure, heading, phrase, styled

MORE = 100  # photos
WIDTH = 0.03  # of the 95 % interval of an accuracy, as `photos_for_width` takes it
LIMITS = (0.01, 0.05)


# --- measuring ----------------------------------------------------------------------------------


def measure(audited: Audited, context: Context) -> Measured:
    """The learning curve of the audited network's head, from as many photos as the model was trained with."""
    classifier, pool = audited.classifier, audited.pool
    if classifier.network is None:
        return Measured(judged=unknown(classifier.note))
    if classifier.tuned:
        return Measured(judged=unknown(TUNED))
    n_now = int((audited.training | audited.validation).sum()) or int(pool.sum())
    entries = entries_of(
        classifier.X[pool], audited.labels[pool], audited.groups[pool], n_now, audited.recipe, context.seed
    )
    return Measured(entries, entries["more"], names=entry_names())


def entry_names() -> dict[str, Message]:
    return {
        "more": message("gain of {n} more photos", n=MORE),
        "now": message("accuracy with the photos there are"),
        "accuracy_more": message("accuracy with {n} more photos", n=MORE),
        "accuracy_double": message("accuracy with twice the photos"),
    }


def entries_of(
    X: torch.Tensor, labels: np.ndarray, groups: np.ndarray, n_now: int, recipe: Recipe, seed: int, width: float = WIDTH
) -> dict[str, Entry]:
    """What more photos gain, and how many validation photos an interval of a width needs.

    Args:
        X: features float32 (n, n_features) of the photos there are; labels, groups: int (n,); n_now: photos used now.
        width: of the 95 % interval, a fraction.
    """
    try:
        curve = learning_curve.measure(X, labels, groups, n_now, recipe, seed)
    except ValueError as error:
        return {"more": undefined(str(error))}
    n_now = min(n_now, len(labels))
    forecast = learning_curve.forecast(curve, seed)
    accuracy, interval = forecast.accuracy(n_now)
    gain, ends = forecast.gain(n_now + MORE)
    needed = learning_curve.photos_for_width(accuracy, width)
    few, many = sorted(learning_curve.photos_for_width(end, width) for end in interval)
    sentence = said(
        "With {more} more photos, accuracy would rise by {low:.1f} to {high:.1f} points. For an interval of {width:g} "
        "points you need {needed:,} validation photos",
        more=MORE,
        low=100 * ends[0],
        high=100 * ends[1],
        width=100 * width,
        needed=needed,
    )
    now = said(
        "with {n:,} photos, of which 80 % are for training, the accuracy is {rate}; for a 95 % interval of {width:g} "
        "points at this accuracy you need {needed:,} validation photos ({few:,} to {many:,})",
        n=n_now,
        rate=with_interval(accuracy, interval),
        width=100 * width,
        needed=needed,
        few=few,
        many=many,
    )
    measured = measured_points(curve, seed)
    return {
        "more": entry(gain, ends, n_now, sentence),
        "now": entry(accuracy, interval, n_now, now, learned=measured, forecast=forecast_points(forecast, n_now)),
        "accuracy_more": accuracy_entry(forecast, n_now, n_now + MORE),
        "accuracy_double": accuracy_entry(forecast, n_now, 2 * n_now),
    }


def accuracy_entry(forecast: learning_curve.Forecast, n_now: int, n_photos: int) -> Entry:
    """The accuracy that is expected with more photos."""
    accuracy, interval = forecast.accuracy(n_photos)
    _, (low, high) = forecast.gain(n_photos)
    sentence = said(
        "with {n:,} photos instead of {now:,} the accuracy would be {rate}, a gain of {low:.1f} to {high:.1f} points",
        n=n_photos,
        now=n_now,
        rate=with_interval(accuracy, interval),
        low=100 * low,
        high=100 * high,
    )
    return entry(accuracy, interval, n_now, sentence)


def measured_points(curve: learning_curve.Curve, seed: int) -> list[dict[str, Any]]:
    """The measured curve as points over the number of photos in all."""
    return [
        {
            "photos": round(size / learning_curve.TRAIN_SHARE),
            "accuracy": float(1 - error),
            "interval": [1 - high, 1 - low],
        }
        for size, error, (low, high) in zip(curve.sizes.tolist(), curve.errors, curve.intervals(seed), strict=True)
    ]


def forecast_points(forecast: learning_curve.Forecast, n_now: int) -> list[dict[str, Any]]:
    """The forecast as points, from the photos used now to twice as many and `MORE`."""
    points = []
    for n_photos in np.unique(np.linspace(n_now, 2 * n_now + MORE, 12).round().astype(int)).tolist():
        accuracy, interval = forecast.accuracy(n_photos)
        points.append({"photos": n_photos, "accuracy": accuracy, "interval": interval})
    return points


# --- the figure ---------------------------------------------------------------------------------


@styled
def draw(audit: Audit, *, language: str = "en") -> Figure:
    """The measured learning curve and its forecast."""
    now = audit["photos_needed"]["now"]
    fig, [[axis]] = figure(9, 4.4, 1, 1)
    draw_curve(axis, now)
    heading(fig, phrase("How many photos are needed: accuracy with more photos"), figures.photos_and_model(audit))
    return fig


def draw_curve(axis: Any, now: Entry) -> None:
    """Measured points with their intervals, the forecast with its own, and how many photos there are now."""
    measured, forecast = ([*now[name]] for name in ("learned", "forecast"))
    x = [point["photos"] for point in forecast]
    low, high = (100 * np.array([point["interval"] for point in forecast])).T
    axis.fill_between(x, low, high, color=ACCENT, alpha=0.18, lw=0, label=phrase("forecast, 95 % interval"))
    axis.plot(
        x, [100 * point["accuracy"] for point in forecast], color=ACCENT, ls=(0, (4, 2)), label=phrase("forecast")
    )
    x = [point["photos"] for point in measured]
    y = 100 * np.array([point["accuracy"] for point in measured])
    low, high = (100 * np.array([point["interval"] for point in measured])).T
    axis.vlines(x, low, high, color=INK, lw=1.6, alpha=0.5)
    axis.plot(x, y, "o", color=INK, label=phrase("measured on the other photos, 95 % interval"))
    axis.axvline(now["n"], color=GREY, lw=1.2, ls=(0, (2, 2)), label=phrase("photos used now"))
    bottom = min(90.0, 10 * np.floor(min(low.min(), y.min()) / 10))
    axis.set(xlabel=phrase("photos, 80 % of them for training"), ylim=(bottom, 100.4))
    axis.set_ylabel(phrase("accuracy (%), axis from {n:.0f} %", n=bottom))
    axis.grid(axis="y")
    axis.legend(loc="lower right")


CHECK = Check(
    code="MK009",
    name="photos_needed",
    section="photos_needed",
    title="Enough photos",
    section_title="How many photos are needed",
    limits=LIMITS,
    reason="if 100 more photos gain less than 1 point, the number of photos is not what limits the accuracy; from 5 "
    "points on, the model has seen far too few",
    detected="The same recipe is trained on random parts of the photos, from half to 80 % of them, and tested on the "
    "others. The curve is continued by an average over inverse power laws, weighted by how well they explain it.",
    matters="It tells whether collecting more photos is worth the work, and how many are needed to measure the "
    "accuracy.",
    advice="If the gain is large, collect more training photos first; other changes can wait. If the interval of the "
    "accuracy is too wide, collect more validation photos.",
    measure=measure,
    draw=draw,
    look_for={
        "photos_needed": "Look at how steep the forecast is where your photos end: a flat curve means that more "
        "photos of the same kind would gain little."
    },
)
