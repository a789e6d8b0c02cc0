"""How much of a score is the choice of photos? The recipe over a thousand splits of the same photos."""

from typing import Any

import numpy as np
import torch
from matplotlib.figure import Figure

from maskkit.audit import figures, splits
from maskkit.audit.audited import Audited
from maskkit.audit.checks.check import Audit, Check, Context, Measured
from maskkit.audit.classifiers import Classifier
from maskkit.audit.entries import UNAVAILABLE, Entry, counted, entry, rate, undefined, unknown, with_interval
from maskkit.audit.recipes import fit_settings
from maskkit.core import intervals
from maskkit.core.messages import message, reason_of, said
from maskkit.plot_style import (
    ACCENT,
    GREY,
    INK,
    LINE,
    figure,
    heading,
    label,
    phrase,
    styled,
)
from maskkit.report import REPORT_ACCURACY

N_SPLITS = 1000
RUN_SPLITS = 400  # of a run's own photos: a share of them is known to 5 points, in a second
WORK_AT_ONCE = 16_000_000  # photos x classes x epochs x splits: ten times those splits of the report's 200 photos
EPOCHS = {"last": message("last epoch"), "best": message("best epoch")}
MISLEADS = 0.05  # accuracy: two photos of 40
TUNED = said("not measured: the network's last stages were fine-tuned on these photos, so no other split is new to it")


# --- measuring ----------------------------------------------------------------------------------


def measure(audited: Audited, context: Context) -> Measured:
    """The recipe over `N_SPLITS` splits, with each network; the audited one's is judged.

    Of a run's own photos as many splits as seconds allow.
    """
    n_splits = N_SPLITS
    if context.is_sample:
        n_splits = affordable_splits(len(audited.photos), len(audited.photos.classes), audited.recipe["epochs"])
    measured = Measured(judged=unknown(UNAVAILABLE))
    for classifier in audited.classifiers.values():
        entries, judged = measure_classifier(classifier, audited, n_splits, context.seed)
        measured.entries |= entries
        measured.names |= entry_names(classifier.arch)
        if classifier is audited.classifier:
            measured.judged = judged
    return measured


def affordable_splits(n_photos: int, n_classes: int, epochs: int) -> int:
    """How many splits take seconds: `RUN_SPLITS` up to ten times the report's work, at least 100."""
    return max(100, min(RUN_SPLITS, WORK_AT_ONCE // (n_photos * n_classes * epochs)))


def entry_names(arch: str) -> dict[str, dict[str, Any]]:
    """The names of a network's entries."""
    return {
        f"{arch}_last": message("{arch}: last epoch, mean over the splits", arch=arch),
        f"{arch}_best": message("{arch}: best epoch, mean over the splits", arch=arch),
        f"{arch}_reach": message("{arch}: splits that reach the report's score", arch=arch),
        f"{arch}_unseen": message("{arch}: photos not drawn, last epoch", arch=arch),
        f"{arch}_unseen_best": message("{arch}: photos not drawn, best epoch", arch=arch),
    }


def measure_classifier(
    classifier: Classifier, audited: Audited, n_splits: int, seed: int
) -> tuple[dict[str, Entry], Entry]:
    """(entries of one network, the entry of how often a split misleads)."""
    key = f"{classifier.arch}_last"
    if classifier.network is None:
        return {key: undefined(UNAVAILABLE["message"])}, unknown(UNAVAILABLE)
    if classifier.tuned:
        return {key: undefined(TUNED["message"])}, unknown(TUNED)
    labels, groups, pool, recipe = audited.labels, audited.groups, audited.pool, audited.recipe
    try:
        drawn = splits.draw(labels, groups, pool, per_class=recipe["per_class"], n_splits=n_splits, seed=seed)
    except ValueError as error:
        nothing = undefined(reason_of(error))
        return {key: nothing}, nothing
    y = torch.from_numpy(labels)
    repeated = splits.repeat(classifier.X, y, groups, drawn, seed=seed, **fit_settings(recipe))
    entries = {
        f"{classifier.arch}_{name}": measured
        for name, measured in entries_of(classifier.arch, repeated, groups, pool, seed).items()
    }
    return entries, misleading_splits(classifier.arch, repeated)


def entries_of(
    arch: str, repeated: splits.Repeated, groups: np.ndarray, pool: np.ndarray, seed: int
) -> dict[str, Entry]:
    """The entries of a network, by their key without the network's name."""
    n_splits = len(repeated.n_val)
    reached = int((repeated.best >= REPORT_ACCURACY * repeated.n_val - 1e-9).sum())
    sentence = said(
        "{arch}: {reached:,} of {n:,} splits reach the report's {share:percent} in their best epoch",
        arch=arch,
        reached=reached,
        n=n_splits,
        share=REPORT_ACCURACY,
    )
    return {
        "last": scores(arch, "last", repeated, groups, seed),
        "unseen": unseen(arch, "last", repeated, groups, seed),
        "best": scores(arch, "best", repeated, groups, seed) | optimism(repeated, groups, pool, seed),
        "unseen_best": unseen(arch, "best", repeated, groups, seed),
        "reach": counted(reached, n_splits, sentence, report=REPORT_ACCURACY),
    }


def scores(arch: str, epoch: str, repeated: splits.Repeated, groups: np.ndarray, seed: int) -> Entry:
    """The validation accuracy over all splits, and how it spreads; epoch: "last" or "best"."""
    correct, right = (repeated.last, repeated.last_right) if epoch == "last" else (repeated.best, repeated.best_right)
    value, interval, n = rate(*of_photos(right, repeated.validation, groups), seed)
    n_val, n_splits = int(np.median(repeated.n_val)), len(repeated.n_val)
    shares = correct / repeated.n_val
    sentence = said(
        "{arch}: over {n:,} splits the {epoch} is right for {rate} of the validation photos; one split's score "
        "of {m} lies between {low:.1f} and {high:percent} in 95 of 100 (sd {sd:.1f} points)",
        arch=arch,
        n=n_splits,
        epoch=EPOCHS[epoch],
        rate=with_interval(value, interval),
        m=n_val,
        low=float(100 * np.quantile(shares, 0.025)),
        high=float(np.quantile(shares, 0.975)),
        sd=float(100 * shares.std()),
    )
    return entry(
        value,
        interval,
        n,
        sentence,
        distribution=np.bincount(np.round(shares * n_val).astype(int), minlength=n_val + 1).tolist(),
        sd=float(shares.std()),
        n_splits=n_splits,
        n_val=n_val,
    )


def of_photos(right: np.ndarray, where: np.ndarray, groups: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """(share of splits in which each photo was right, its group), of photos that are in `where` at least once.

    Args:
        right, where: bool (S, n): of which splits the photo counts; groups: int (n,).
    """
    times = where.sum(0)
    counted = times > 0
    return (right & where).sum(0)[counted] / times[counted], groups[counted]


def unseen(arch: str, epoch: str, repeated: splits.Repeated, groups: np.ndarray, seed: int) -> Entry:
    """Accuracy on all photos that a split did not draw, nor any version of them."""
    right = repeated.last_right if epoch == "last" else repeated.best_right
    shares, groups_left = of_photos(right, repeated.unseen, groups)
    if not len(shares):
        return undefined(message("every photo is drawn in every split, so none is left over ({arch})", arch=arch))
    value, interval, n = rate(shares, groups_left, seed)
    sentence = said(
        "{arch}: heads of the {epoch} are right for {rate} of the photos not drawn",
        arch=arch,
        epoch=EPOCHS[epoch],
        rate=with_interval(value, interval),
    )
    return entry(value, interval, n, sentence)


def optimism(repeated: splits.Repeated, groups: np.ndarray, pool: np.ndarray, seed: int) -> dict[str, Any]:
    """How much the best epoch's own score lies above its accuracy on photos of the same pool that were not drawn."""
    left_over = repeated.unseen & pool
    both = (repeated.validation.sum(0) > 0) & (left_over.sum(0) > 0)
    if not both.any():
        return {"optimism": None, "optimism_interval": None}
    own, others = (
        (repeated.best_right & where).sum(0)[both] / where.sum(0)[both] for where in (repeated.validation, left_over)
    )
    value, interval = intervals.mean(own - others, groups[both], seed)
    return {"optimism": value, "optimism_interval": interval}


def misleading_splits(arch: str, repeated: splits.Repeated) -> Entry:
    """How often a split's score lies more than `MISLEADS` from what its own head does on photos not drawn."""
    left, n_splits = repeated.unseen.sum(1), len(repeated.n_val)
    if left.min() > 0:
        truth = (repeated.best_right & repeated.unseen).sum(1) / left
        of = message("the accuracy of the same head on the photos not drawn")
    else:  # all photos are drawn: the mean over all splits is the best that can be said of unseen photos
        truth = (repeated.last / repeated.n_val).mean()
        of = message("the mean of all splits (no photo is left over)")
    far = int((np.abs(repeated.best / repeated.n_val - truth) > MISLEADS + 1e-9).sum())
    sentence = said(
        "in {far:,} of {n:,} splits ({share:percent}, {arch}), the best epoch's score differs from "
        "{of} by more than {limit:.0f} points",
        of=of,
        limit=100 * MISLEADS,
        far=far,
        n=n_splits,
        share=far / n_splits,
        arch=arch,
    )
    return counted(far, n_splits, sentence)


# --- the figure ---------------------------------------------------------------------------------


@styled
def draw(audit: Audit, *, language: str = "en") -> Figure:
    """Per network: scores over many splits, last and best epoch, and the accuracy on the photos not drawn."""
    networks = sorted(audit["networks"], key=lambda arch: not figures.is_measured(audit["splits"][f"{arch}_last"]))
    had = [arch for arch in networks if figures.is_measured(audit["splits"][f"{arch}_last"])]
    ratios = [part for arch in networks for part in ((1.8, 2.2) if arch in had else (0.6,))]
    fig, grid = figure(9.5, sum(ratios) + 0.6 * len(had), len(ratios), 1, height_ratios=ratios)
    axes = iter(grid[:, 0])
    for arch in networks:
        if arch not in had:
            why = figures.why_unknown(audit["splits"][f"{arch}_last"])
            figures.draw_reason(next(axes), f"{arch}: {why}", 6.2)
            continue
        entries = {
            name: audit["splits"][f"{arch}_{name}"] for name in ("last", "best", "unseen", "unseen_best", "reach")
        }
        draw_distribution(next(axes), arch, entries)
        draw_rates(next(axes), entries)
    heading(fig, phrase("Split variance: the same recipe on other splits"), figures.photos_and_model(audit))
    return fig


def goal_of(reach: Entry) -> str:
    """The report's score in words."""
    return phrase("{n:g} %", n=100 * reach["report"]) if figures.is_measured(reach) else phrase("the report")


def draw_goal(axis: Any, reach: Entry) -> None:
    """A line at the report's score."""
    if figures.is_measured(reach):
        line = {"color": figures.BROWN, "lw": 1.4, "ls": (0, (5, 3)), "zorder": 1}
        axis.axvline(100 * reach["report"], label=phrase("the report's {goal}", goal=goal_of(reach)), **line)


def draw_distribution(axis: Any, arch: str, entries: dict[str, Entry]) -> None:
    """How often each score came up, in the last and the best epoch."""
    last, best = entries["last"], entries["best"]
    n_val, n_splits = last["n_val"], last["n_splits"]
    edges = 100 * (np.arange(n_val + 2) - 0.5) / n_val
    share = 100 * np.asarray(last["distribution"]) / n_splits
    style = {"color": LINE, "edgecolor": GREY, "lw": 0.6, "clip_on": False}
    axis.bar(edges[:-1], share, np.diff(edges), align="edge", label=phrase("last epoch"), **style)
    if figures.is_measured(best):
        share = 100 * np.asarray(best["distribution"]) / best["n_splits"]
        first = int(np.flatnonzero(share)[0])
        axis.stairs(share[first:], edges[first:], color=ACCENT, lw=2, label=phrase("best epoch"), clip_on=False)
    draw_goal(axis, entries["reach"])
    axis.set(
        xlim=(0, 100),
        xticks=range(0, 101, 10),
        xlabel=phrase("validation photos right (%)"),
        ylabel=phrase("splits (%)"),
    )
    axis.set_title(phrase("{arch}: {n:,} splits with {m:,} validation photos", arch=label(arch), n=n_splits, m=n_val))
    axis.margins(y=0.08)
    axis.grid(axis="y")
    axis.legend(loc="upper left", frameon=True, edgecolor="none", framealpha=1)


def draw_rates(axis: Any, entries: dict[str, Entry]) -> None:
    """The entries as rows, with their intervals, and above them, by how much the best epoch is too high."""
    draw_goal(axis, entries["reach"])
    rows = [entries[name] for name in ("last", "best", "unseen", "unseen_best", "reach")]
    n_splits = entries["last"]["n_splits"]
    over, of = phrase("over {n:,} splits", n=n_splits), phrase("of {n:,} splits", n=n_splits)
    styles = [(INK, "d", ""), (ACCENT, "o", "")] * 2 + [(figures.BROWN, "P", "")]
    figures.draw_rows(axis, rows, styles, 6.2, [over] * 2 + [None] * 2 + [of])
    names = [
        phrase("mean of splits, last epoch"),
        phrase("mean of splits, best epoch"),
        phrase("undrawn photos, last epoch"),
        phrase("undrawn photos, best epoch"),
    ]
    axis.set_yticklabels([*names, phrase("best epoch reaches {goal}", goal=goal_of(entries["reach"]))])
    axis.axhline(3.5, color=LINE, lw=2.5, zorder=3.5)
    axis.set(xlabel=phrase("accuracy, last row share of splits (%)"), ylabel=phrase("measure"))
    optimism, ends = entries["best"].get("optimism"), entries["best"].get("optimism_interval")
    if optimism is not None:
        words = phrase("the best epoch is {points:.1f} points above the photos not drawn", points=100 * optimism)
        if ends:
            words += phrase(" (95 % interval {low:.1f} to {high:.1f})", low=100 * ends[0], high=100 * ends[1])
        axis.set_title(figures.wrap(words, 8.5, 10, 2), fontsize=10)


CHECK = Check(
    code="MK001",
    name="split_variance",
    section="splits",
    title="Split variance",
    section_title="Split variance",
    limits=(0.05, 0.20),
    reason="if at most one split in twenty is wrong by more than two photos of 40, that is ordinary "
    "chance; if one in five is, a single score says little",
    step=f"{N_SPLITS:,} splits",
    detected="The same recipe is trained on many other splits of the same photos. For each split the score of "
    "the best epoch is compared with the accuracy of the same weights on photos that were not drawn.",
    matters="A score on 40 photos depends on which 40 were drawn. One favourable split looks like a good model.",
    advice="Report the mean over many splits with its spread instead of one score, or collect more validation photos.",
    measure=measure,
    draw=draw,
    look_for={"splits": "Look at how far the scores spread: a single split gives one of them, by chance."},
)
