"""Shortcuts: how far does one get without seeing a mask?"""

from collections.abc import Callable, Iterable

import numpy as np
import torch
from matplotlib.figure import Figure

from maskkit import model, pretrained
from maskkit.audit import figures, shortcuts
from maskkit.audit.audited import Audited
from maskkit.audit.checks.check import Audit, Check, Context, Limits, Measured
from maskkit.audit.classifiers import Classifier
from maskkit.audit.entries import Entry, Message, entry, judge, rate, undefined, with_interval
from maskkit.audit.recipes import Recipe, fit_head
from maskkit.core.messages import fields, message, reason_of, said, translatable
from maskkit.plot_style import ACCENT, GREY, figure, heading, label, phrase, stored, styled, translate

KINDS = {  # words, style in the figure
    "guess": ("guess: the most frequent class", (GREY, "v", "")),
    "blind": ("blind: never sees the face", (figures.RED, "X", "")),
    "weak": ("weak: sees little of the photo", ("#7a5c00", "s", "")),
    "real": (translatable("real: sees the whole photo"), (ACCENT, "o", "")),
}
SHARES = (0.25, 0.50)  # of the way from guessing to the model
UNTRAINED_PHOTOS = 500  # that the untrained network learns from, and as many to test: an interval of 4 points
UNTRAINED_PX = 112  # a third of the time of 224 px, and as often right: 91.0 and 92.4 % of 500 photos of the 12K set
GUESS = shortcuts.Measure("guess", "the commonest class", "nothing")


# --- measuring ----------------------------------------------------------------------------------


def measure(audited: Audited, context: Context) -> Measured:
    """Every measure of `shortcuts.MEASURES`; of a run's own photos, in seconds, all but the untrained network's."""
    photos = audited.photos
    given = {name: shortcuts.values(photos, name) for name in shortcuts.MEASURES if name != "random_network"}
    if context.is_sample:
        return measure_rules(given, audited, context.seed)
    network = model.build(pretrained.Pretrained("resnet18", "none", None, ""), len(photos.classes), seed=0)
    untrained = Classifier("resnet18", "none", "", network, transform=model.Transform(UNTRAINED_PX))

    def features_of(places: np.ndarray) -> np.ndarray:
        rows = [photos.rows[place] for place in places]
        return untrained.features(rows, photos.classes, context.device).numpy()

    return measure_rules(given, audited, context.seed, features_of)


def measure_rules(
    given: dict[str, np.ndarray],
    audited: Audited,
    seed: int,
    features_of: Callable[[np.ndarray], np.ndarray] | None = None,
) -> Measured:
    """How far each rule gets, beside guessing and the recipe's own head on the same photos; the best blind one is
    judged.

    Args:
        given: {name of `shortcuts.MEASURES`: float32 (n, d)}.
        features_of: the untrained network's features (n_places, d) of the photos at some places; it sees a sample.
    """
    labels, groups = audited.labels, audited.groups
    try:
        protocol = shortcuts.protocol(labels, groups, audited.parts, seed)
    except ValueError as error:
        nothing, untrained = undefined(reason_of(error)), ["random_network"] if features_of else []
        return Measured(dict.fromkeys(["guess", *given, *untrained, "model"], nothing), nothing)
    rules: dict[str, tuple[shortcuts.Measure, Callable, np.ndarray, shortcuts.Protocol]] = {
        "guess": (GUESS, shortcuts.guess, np.zeros((len(labels), 1)), protocol)
    }
    for name, X in given.items():
        rules[name] = (shortcuts.MEASURES[name], shortcuts.learner(X.shape[1]), X, protocol)
    if features_of:
        few = protocol.sample(labels, UNTRAINED_PHOTOS, seed)
        found = features_of(few.used)
        X = np.zeros((len(labels), found.shape[1]), dtype=found.dtype)
        X[few.used] = found
        rules["random_network"] = (shortcuts.MEASURES["random_network"], shortcuts.learner(X.shape[1]), X, few)
    entries = {
        name: rule_entry(rule, correct(tested, learn, X, labels), tested, groups, seed)
        for name, (rule, learn, X, tested) in rules.items()
    }
    if audited.classifier.network is None:
        why = message("the weights of no backbone are available")
        entries["model"] = undefined(why, kind="real", title=translatable("the recipe"), sees=translatable("all"))
        return Measured(entries, entries["model"])
    right = correct(protocol, recipe_learner(audited.recipe, seed), audited.classifier.X.numpy(), labels)
    entries["model"] = model_entry(audited.arch, right, protocol, groups, seed)
    names = {"model": message("the recipe ({arch})", arch=audited.arch)}
    return judge_rules(Measured(entries, names=names), where(protocol))


def where(protocol: shortcuts.Protocol) -> Message:
    """Which photos are measured, in a sentence."""
    n = len(protocol.tested)
    if protocol.is_sample and protocol.part:
        return message("{n} of the test photos", n=n)
    if protocol.is_sample:
        return message("{n} of the photos, each tested once", n=n)
    return message("the test photos") if protocol.part else message("the photos, each tested once")


def correct(protocol: shortcuts.Protocol, learn: Callable, X: np.ndarray, y: np.ndarray) -> np.ndarray:
    """Whether a rule is right on each photo that is tested, bool (n_tested,)."""
    return protocol.predict(learn, X, y) == y[protocol.tested]


def recipe_learner(recipe: Recipe, seed: int) -> Callable:
    """The recipe's head, of the last epoch, on features, as `Protocol.predict` takes a learner."""

    def learn(X: np.ndarray, y: np.ndarray, X_test: np.ndarray) -> np.ndarray:
        heads = fit_head(torch.as_tensor(X), y, np.arange(len(y)), recipe, seed).last
        return heads.logits(torch.as_tensor(X_test))[0].argmax(1).numpy()

    return learn


def rule_entry(
    rule: shortcuts.Measure, right: np.ndarray, protocol: shortcuts.Protocol, groups: np.ndarray, seed: int
) -> Entry:
    """A rule's accuracy."""
    value, interval, n = rate(right, groups[protocol.tested], seed)
    sentence = said(
        "{title}: a rule that uses nothing else is right for {share:percent} of {where}",
        title=message(rule.title),
        share=value,
        where=where(protocol),
    )
    words = {"kind": rule.kind, "title": rule.title, "sees": rule.sees}
    return entry(value, interval, n, sentence, **words, **fields(measured_on=measured_on(protocol)))


def model_entry(arch: str, right: np.ndarray, protocol: shortcuts.Protocol, groups: np.ndarray, seed: int) -> Entry:
    """The accuracy of the recipe on the same photos."""
    value, interval, n = rate(right, groups[protocol.tested], seed)
    sentence = said(
        "the recipe itself ({arch}) is right for {rate} of {where}",
        arch=arch,
        rate=with_interval(value, interval),
        where=where(protocol),
    )
    title, sees = message("the recipe ({arch})", arch=arch), translatable("the whole photo")
    words = fields(title=title, measured_on=measured_on(protocol))
    return entry(value, interval, n, sentence, kind="real", sees=sees, **words)


def measured_on(protocol: shortcuts.Protocol) -> Message:
    """Which photos are measured, as a field of an entry."""
    if protocol.part:
        return message("the {part} set, learned from Train photos without a near copy in it", part=protocol.part)
    return message("{n} folds", n=shortcuts.N_FOLDS)


def judge_rules(measured: Measured, where: Message) -> Measured:
    """Judge all rules by limits on the way from guessing to the model, and take the best blind one as the result."""
    guess, real = (measured.entries[name]["value"] for name in ("guess", "model"))
    if real <= guess:
        measured.judged = undefined(message("the recipe itself is no better than guessing"))
        return measured
    limits: Limits = (guess + SHARES[0] * (real - guess), guess + SHARES[1] * (real - guess))
    for rule in measured.entries.values():
        if rule["kind"] != "real":
            rule["result"] = judge(rule["interval"], *limits)
        if rule["kind"] == "blind" and rule["result"] != "pass":
            rule |= said(
                "{title}: a rule that uses nothing else is right for {share:percent} of {where}: a score up to this "
                "level may have nothing to do with masks",
                title=message(rule["title"]),
                share=rule["value"],
                where=where,
            )
    blind = [rule for rule in measured.entries.values() if rule["kind"] == "blind"]
    measured.judged, measured.limits = max(blind, key=lambda rule: rule["value"]), limits
    return measured


# --- the figure ---------------------------------------------------------------------------------


@styled
def draw(audit: Audit, *, language: str = "en") -> Figure:
    """Accuracy of what cannot or hardly see a mask, beside guessing and the audited network."""
    section = audit["shortcuts"]
    rows: list[Entry | None] = []
    heads = {}
    for kind, (words, _) in KINDS.items():
        heads[len(rows)] = translate(words)
        rows += [None, *(rule for rule in section.values() if rule["kind"] == kind)]
    styles = [KINDS[row.get("kind", "guess")][1] if row else None for row in rows]
    fig, [[axis]] = figure(10.5, 0.43 * len(rows) + 0.9, 1, 1)
    figures.draw_rows(axis, rows, styles, 6.2, size=8.5)
    axis.set(xlabel=phrase("accuracy (%)"), ylim=(len(rows) - 0.4, -0.55), yticks=[])
    for y, row in enumerate(rows):
        if row is None:
            axis.axhspan(y - 0.36, y + 0.36, color="#eef1f4", lw=0, zorder=2)
            axis.text(1, y, heads[y], fontsize=9.5, weight="bold", va="center", zorder=3)
        else:
            title, sees = (stored(row, field) if field in row else "" for field in ("title", "sees"))
            figures.label_row(axis, y, figures.fit(title, 3.6, 10), figures.fit(sees, 3.6, 8.5))
    for name, style in (("guess", (0, (2, 2))), ("model", "-")):
        if figures.is_measured(section.get(name)):
            colour = KINDS[section[name]["kind"]][1][0]
            axis.axvline(100 * section[name]["value"], color=colour, lw=1.3, ls=style, zorder=1.5)
    heading(
        fig,
        phrase("Shortcuts: the accuracy of rules that do not see a mask"),
        below(section.values()) + figures.photos_and_model(audit),
    )
    return fig


def below(rules: Iterable[Entry]) -> str:
    """Which photos are measured, for the line below the heading."""
    photos = sorted({stored(rule, "measured_on") for rule in rules if rule.get("measured_on")})
    return phrase("measured on {photos}", photos=label(", ".join(photos), 40)) + " · " if photos else ""


CHECK = Check(
    code="MK003",
    name="shortcuts",
    section="shortcuts",
    title="Shortcuts without a mask",
    section_title="How well rules without the face do",
    limits=SHARES,
    reason="the limits are a quarter and a half of the way from guessing to the model's accuracy; "
    "beyond a half, a rule that cannot see a mask reaches most of what the model reaches",
    step="shortcuts",
    detected="Small classifiers learn from one property each, such as width and height, metadata or the outer "
    "border, and are tested on other photos.",
    matters="A property that cannot show a mask but separates the classes can be learned instead of the mask. "
    "The score then does not hold on other photos.",
    advice="Remove the difference (crop all photos alike, save them with one program) and measure again, or "
    "test on photos that do not have it.",
    measure=measure,
    draw=draw,
    look_for={
        "shortcuts": "Look for a rule that never sees a face and is still nearly as good as the network: the "
        "network may use it too."
    },
    kinds={kind: words for kind, (words, _) in KINDS.items()} | {"real": "real: the audited network"},
)
