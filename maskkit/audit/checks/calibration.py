"""Is the model as often right as it is confident, and when should it say "don't know"?"""

import math
from typing import Any

import numpy as np
from matplotlib.figure import Figure

from maskkit.audit import calibration, figures, shortcuts, splits
from maskkit.audit.audited import ENOUGH, Audited
from maskkit.audit.checks.check import Audit, Check, Context, Measured
from maskkit.audit.checks.regions import no_model
from maskkit.audit.entries import Entry, Message, entry, judge, rate, undefined, with_interval
from maskkit.core.intervals import wilson
from maskkit.core.messages import message, reason_of, said
from maskkit.plot_style import ACCENT, GREY, INK, figure, heading, percent, phrase, styled

DONT_KNOW = 0.01  # error rate to reach by not answering
MIN_PHOTOS = 30  # fewer leave bins of nothing
# A result needs evidence, so the lower end of the interval is judged. Chosen on planted folders of seeds from 1000 on:
# of 80 calibrated models one has it above 2 points (4.7); of 80 whose confidence is four times too high or too low,
# with gaps of 10 to 19 points, all have it above 3, not all above 4. docs/audit.md has other seeds.
LIMITS = (0.02, 0.03)
UNCERTAIN = 0.2  # a gap of 20 points that cannot be excluded says that the photos are too few


# --- measuring ----------------------------------------------------------------------------------


def measure(audited: Audited, context: Context) -> Measured:
    """On photos the model has not seen where there are enough, else out of fold on all."""
    if not audited.trained:
        return Measured(judged=no_model(audited))
    places, classifier = audited.judged, audited.classifier
    if len(places) >= ENOUGH and not audited.validation[places].any():
        logits = classifier.logits(classifier.X[places])
        photos = message("{n:,} photos the model has not seen", n=len(places))
    else:
        places = np.arange(len(audited.photos))
        try:
            logits = audited.out_of_fold(context.seed)
        except ValueError as error:
            nothing = undefined(reason_of(error))
            return Measured({"ece": nothing}, nothing, names=entry_names())
        photos = message("{n:,} photos, each classified by a head that did not learn from it", n=len(places))
    entries = entries_of(logits, audited.labels[places], audited.groups[places], photos, context.seed)
    return judge_error(entries)


def judge_error(entries: dict[str, Entry]) -> Measured:
    """The lower end of the error's interval is judged: a warning needs a gap that is shown, a pass enough photos."""
    error = entries["ece"]
    if error["value"] is None:
        return Measured(entries, error, names=entry_names())
    low, high = error["interval"]
    if is_uncertain(low, high):
        why = message(
            "{n} photos are too few: a gap of {points:.0f} points is possible", n=error["n"], points=100 * high
        )
        return Measured(entries, undefined(why), names=entry_names())
    return Measured(entries, error, [low, low], names=entry_names())


def is_uncertain(low: float, high: float) -> bool:
    """Whether the photos are too few: no gap is shown, but a large one is possible."""
    return low <= LIMITS[0] and high > UNCERTAIN


def entry_names() -> dict[str, Message]:
    return {
        "ece": message("gap between confidence and accuracy (ECE)"),
        "ece_scaled": message("the same, after temperature scaling"),
        "dont_know": message("errors among those answered, if it may say “don't know”"),
    }


def entries_of(
    logits: np.ndarray, labels: np.ndarray, groups: np.ndarray, photos: Message, seed: int
) -> dict[str, Entry]:
    """How far stated confidence can be trusted, before and after temperature scaling, and what "don't know" gains.

    Args:
        logits: float (n, C) of photos the head has not seen; labels, groups: int (n,); photos: which ones, in words.
    """
    if len(labels) < MIN_PHOTOS:
        why = message("{n} unseen photos are too few; {m} are needed", n=len(labels), m=MIN_PHOTOS)
        return {"ece": undefined(why)}
    try:
        fold = splits.folds(labels, groups, shortcuts.N_FOLDS, seed)
    except ValueError as error:
        return {"ece": undefined(reason_of(error))}
    scaled, temperature = calibration.scale(logits, labels, fold)
    probabilities = calibration.softmax(scaled)
    return {
        "ece": error_entry(calibration.softmax(logits), labels, groups, photos, None, seed),
        "ece_scaled": error_entry(probabilities, labels, groups, photos, temperature, seed)
        | {"temperature": temperature},
        "dont_know": dont_know(probabilities, labels, groups, fold, seed),
    }


def error_entry(
    probabilities: np.ndarray,
    labels: np.ndarray,
    groups: np.ndarray,
    photos: Message,
    temperature: float | None,
    seed: int,
) -> Entry:
    """The expected calibration error; temperature: None before scaling."""
    confidence, right = probabilities.max(1), probabilities.argmax(1) == labels
    value, interval = calibration.expected_error(confidence, right, groups)
    if temperature is not None:
        photos = message(
            "{photos}, after division by a temperature of {value:.2f}, fitted on other photos",
            photos=photos,
            value=temperature,
        )
    sentence = said(
        "stated confidence and accuracy differ by {points:.1f} points on average (95 % interval "
        "{low:.1f}-{high:.1f}) on {words}",
        points=100 * value,
        low=100 * interval[0],
        high=100 * interval[1],
        words=photos,
    )
    more: dict[str, Any] = {"bins": calibration.bins(confidence, right, groups, seed)}
    if temperature is not None:  # not what the check is judged by
        more["result"] = "unknown" if is_uncertain(*interval) else judge([interval[0]] * 2, *LIMITS)
    return entry(value, interval, len(labels), sentence, **more)


def dont_know(probabilities: np.ndarray, labels: np.ndarray, groups: np.ndarray, fold: np.ndarray, seed: int) -> Entry:
    """The threshold of confidence below which the model had better not answer."""
    confidence, right = probabilities.max(1), probabilities.argmax(1) == labels
    threshold, answered = calibration.choose_threshold(confidence, right, DONT_KNOW, fold)
    curve, aim = calibration.risk_curve(confidence, right), 100 * DONT_KNOW
    if threshold is None or not answered.any():
        why = message("no threshold brings the error rate to {aim:.0f} %", aim=aim)
        return undefined(why, threshold=None, curve=curve, answered=None)
    share = float(answered.mean())
    value, interval, n = rate(~right[answered], groups[answered], seed)
    words = {"rate": with_interval(value, interval), "aim": aim}
    if threshold:
        sentence = said(
            'with "don\'t know" below a confidence of {confidence:percent}, {answered:percent} of the '
            "photos are answered, and {rate} of these answers are wrong (aim: {aim:.0f} %)",
            confidence=threshold,
            answered=share,
            **words,
        )
    else:
        sentence = said("no answer has to be withheld: {rate} of all answers are wrong (aim: {aim:.0f} %)", **words)
    result = judge([1 - end for end in reversed(interval)], 1 - DONT_KNOW, 1 - DONT_KNOW) if interval else "unknown"
    return entry(value, interval, n, sentence, threshold=threshold, curve=curve, answered=share, result=result)


# --- the figure ---------------------------------------------------------------------------------


@styled
def draw(audit: Audit, *, language: str = "en") -> Figure:
    """Reliability before and after temperature scaling; what "don't know" costs and saves, over its threshold."""
    before, after, refusal = (audit["calibration"][name] for name in ("ece", "ece_scaled", "dont_know"))
    fig, grid = figure(11, 5.4, 2, 2, width_ratios=(1, 1.1))
    draw_reliability(figures.spanning(fig, grid, np.s_[:, 0]), before, after)
    draw_refusals(grid[:, 1], refusal)
    heading(fig, phrase("Calibration: does the confidence match the accuracy?"), figures.photos_and_model(audit))
    return fig


def draw_reliability(axis: Any, before: Entry, after: Entry) -> None:
    """How often the network is right, over how confident it is."""
    diagonal = {"color": GREY, "lw": 1.2, "ls": (0, (4, 3)), "zorder": 1}
    axis.plot((0, 100), (0, 100), label=phrase("accuracy equals confidence"), **diagonal)
    scaled = phrase("temperature {value:.2f}", value=after["temperature"])
    for row, words, colour, more in (
        (before, phrase("as trained"), figures.RED, {"marker": "s", "mfc": "white", "ls": (0, (1, 1.5))}),
        (after, scaled, ACCENT, {"marker": "o", "ls": "-"}),
    ):
        x, y = (100 * np.array([part[key] for part in row["bins"]]) for key in ("confidence", "accuracy"))
        ends = 100 * np.array([part["interval"] for part in row["bins"]])
        axis.vlines(x, *ends.T, color=colour, lw=3.5, alpha=0.3)
        low, high = (100 * end for end in row["interval"])
        points = {"points": 100 * row["value"], "low": low, "high": high}
        error = phrase("{name}: {points:.1f} points apart on average ({low:.1f}-{high:.1f})", name=words, **points)
        axis.plot(x, y, color=colour, ms=6, lw=1.4, clip_on=False, label=error, **more)
    axis.set(xlim=(0, 100), ylim=(0, 100), xlabel=phrase("confidence (%)"), ylabel=phrase("accuracy (%)"))
    axis.set_title(phrase("confidence and accuracy, 95 % intervals"))
    axis.grid()
    axis.legend(loc="upper left", bbox_to_anchor=(-0.02, -0.13))  # below: the dots may lie anywhere


def draw_refusals(axes: Any, refusal: Entry) -> None:
    """Share answered and error rate among those answered against the threshold, each with its interval."""
    rows, at = [row for row in refusal["curve"] if row["n"]], refusal["threshold"]
    total = rows[0]["n"]  # its threshold is 0
    rows = [row for row in rows if row["threshold"] >= 0.5] or rows
    x = [100 * row["threshold"] for row in rows]
    answered = [wilson(row["n"], total) for row in rows]
    errors = [wilson(row["wrong"], row["n"]) for row in rows]
    for axis, key, ends in ((axes[0], "answered", answered), (axes[1], "error", errors)):
        axis.fill_between(x, *100 * np.array(ends).T, color=ACCENT, alpha=0.18, lw=0)
        axis.plot(x, [100 * row[key] for row in rows], color=ACCENT)
        if at is not None:
            axis.axvline(100 * at, color=INK, lw=1.3, ls=(0, (4, 3)))
        axis.set(xlabel=phrase("confidence required to answer (%)"), xlim=(min(x[0], 50), 100))
        axis.grid(axis="y")
    top = min(100, max(5, 5 * math.ceil(20 * max(high for _, high in errors))))
    axes[0].set(
        ylim=(0, 100), ylabel=phrase("answered (%)"), title=figures.wrap(figures.why_unknown(refusal), 4.6, 11, 2)
    )
    axes[1].set(ylim=(0, top), ylabel=phrase("wrong (%)") if top == 100 else phrase("wrong (%), axis to {n} %", n=top))
    axes[1].set_title(phrase("error rate among those answered"))
    if figures.is_measured(refusal):
        share = percent(refusal["answered"])
        axes[0].set_title(phrase("required: {n:g} %; it answers {share} of the photos", n=100 * at, share=share))
        share, interval = percent(refusal["value"]), figures.format_interval(refusal)
        axes[1].set_title(phrase("of these answers {share} are wrong ({ends})", share=share, ends=interval))


CHECK = Check(
    code="MK007",
    name="calibration",
    section="calibration",
    title="Calibration",
    section_title="Whether the confidence is right",
    limits=LIMITS,
    reason="the lower end of the interval counts, so that a warning needs a gap that is shown; a gap of 2 points is "
    "hardly noticed, and where 3 points are shown with 200 photos the gap itself is mostly 6 or more",
    detected="Confidence and accuracy are compared within groups of answers with similar confidence, on photos "
    "that the head has not learned from. The interval comes from the slope and the intercept of calibration.",
    matters="A probability is useful only if it is true: of all answers with 90 % confidence, 90 % should be right.",
    advice="Divide the logits by the temperature given below, or let the model say “don't know” below the threshold.",
    measure=measure,
    draw=draw,
    look_for={"calibration": "Look for points below the diagonal: there the confidence is too high."},
)
