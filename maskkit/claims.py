"""The report's statements, each compared with the results of this run."""

from collections.abc import Mapping, Sequence
from typing import Any

from maskkit import evaluate
from maskkit.core import intervals, markdown
from maskkit.core.messages import said, translatable
from maskkit.report import REPORT_BEST, REPORT_CONFUSION, REPORT_PARTS, REPORT_TRAINABLE
from maskkit.sources import folders

GAP = 0.05  # accuracy: two photos of 40, about what chance moves a part of this size by

COLUMNS = ("claim", "report", "here", "verdict", "rule")
SAME = translatable("same")
WITHIN = translatable("within the interval")
DIFFERS = translatable("differs")
NOT_COMPARABLE = translatable("not comparable")

Metrics = Mapping[str, Any]  # what metrics.json holds
History = Sequence[Mapping[str, Any]]  # rows of `train.fit`, one per epoch
Text = str | dict[str, Any]  # a constant text, or one made of a template by `messages.said`


def compare(metrics: Metrics, history: History) -> list[dict[str, Any]]:
    """One row per statement of the report.

    Args:
        metrics: metrics.json after 03_evaluate's confusion matrix.
        history: rows of `train.fit`.

    Returns:
        dicts of text: claim, report, here, verdict ("same", "within the interval", "differs", "not comparable"),
        rule (how the verdict was reached); and `messages`: {of these: its message, where it is made of a template}.
    """
    same_classes = tuple(metrics["classes"]) == folders.REPORT_CLASSES
    same_split = same_classes and (metrics["n_train"], metrics["n_val"]) == REPORT_PARTS
    return [
        split_sizes(metrics, same_classes),
        trained_weights(metrics, same_classes),
        best_accuracy(metrics, same_classes),
        confusion_matrix(metrics, same_split),
        curves_rise(history),
        curves_converge(history),
        no_gap(history),
    ]


def row(claim: str, report: Text, here: Text, verdict: str, rule: Text) -> dict[str, Any]:
    """A statement as claims.json holds it."""
    texts = dict(zip(COLUMNS, (claim, report, here, verdict, rule), strict=True))
    messages = {name: text["message"] for name, text in texts.items() if isinstance(text, dict)}
    row = {name: text["sentence"] if isinstance(text, dict) else text for name, text in texts.items()}
    return row | ({"messages": messages} if messages else {})


def same_or_differs(is_equal: bool, comparable: bool = True) -> str:
    if not comparable:
        return NOT_COMPARABLE
    return SAME if is_equal else DIFFERS


def split_sizes(metrics: Metrics, comparable: bool) -> dict[str, Any]:
    """How many photos the network learned from, and how many it was measured on."""
    sizes = (metrics["n_train"], metrics["n_val"])
    report, here = (said("{n} training, {m} validation photos", n=n, m=m) for n, m in (REPORT_PARTS, sizes))
    verdict = same_or_differs(sizes == REPORT_PARTS, comparable)
    return row(translatable("photos in each set"), report, here, verdict, translatable("equal"))


def trained_weights(metrics: Metrics, comparable: bool) -> dict[str, Any]:
    """How many weights are trained."""
    comparable = comparable and metrics["arch"] == "resnet18"
    report = said("{n:,} (resnet18)", n=REPORT_TRAINABLE)
    numbers = {"n": metrics["trainable"], "of": metrics["total"], "arch": metrics["arch"]}
    here = said("{n:,} of {of:,} ({arch})", **numbers)
    verdict = same_or_differs(metrics["trainable"] == REPORT_TRAINABLE, comparable)
    return row(translatable("trained weights"), report, here, verdict, translatable("equal, for ResNet18"))


def best_accuracy(metrics: Metrics, comparable: bool) -> dict[str, Any]:
    """The best epoch's validation accuracy."""
    report, best = evaluate.score(*REPORT_BEST), metrics["best"]
    low, high = best["interval"]
    verdict = (WITHIN if low <= report["accuracy"] <= high else DIFFERS) if comparable else NOT_COMPARABLE
    rule = said("the report's {share:percent} lies in this run's 95 % interval", share=report["accuracy"])
    report_words, best_words = evaluate.score_message(report), evaluate.score_message(best)
    return row(translatable("best validation accuracy"), report_words, best_words, verdict, rule)


def confusion_matrix(metrics: Metrics, comparable: bool) -> dict[str, Any]:
    """The confusion matrix, by the share of right answers in each class where it is not equal."""
    matrix = tuple(map(tuple, metrics["confusion"]))
    verdict = same_or_differs(matrix == REPORT_CONFUSION, comparable)
    if verdict == DIFFERS:
        recalls = [intervals.wilson(counts[index], sum(counts)) for index, counts in enumerate(matrix)]
        shares = [counts[index] / sum(counts) for index, counts in enumerate(REPORT_CONFUSION)]
        is_inside = all(low <= share <= high for (low, high), share in zip(recalls, shares, strict=True))
        verdict = WITHIN if is_inside else DIFFERS
    rule = translatable("equal, or the recall of each class lies in this run's 95 % interval")
    report, here = matrix_text(REPORT_CONFUSION), matrix_text(matrix)
    return row(translatable("confusion matrix"), report, here, verdict, rule)


def matrix_text(matrix: Sequence[Sequence[int]]) -> dict[str, Any]:
    """'20 / 0 // 1 / 19': rows true, columns predicted; of more than four classes only what is on the diagonal."""
    if len(matrix) <= 4:
        return said("{matrix}", matrix=" // ".join(" / ".join(map(str, counts)) for counts in matrix))
    right, of = sum(counts[index] for index, counts in enumerate(matrix)), sum(map(sum, matrix))
    return said("{n} classes, {right:,} of {of:,} photos on the diagonal", n=len(matrix), right=right, of=of)


def curves_rise(history: History) -> dict[str, Any]:
    """Whether accuracy and loss of the training photos got better."""
    first, last = history[0], history[-1]
    is_better = last["train_accuracy"] > first["train_accuracy"] and last["train_loss"] < first["train_loss"]
    here = said(
        "training accuracy {first:.1f} to {last:percent}, loss {start:.2f} to {end:.2f}",
        first=100 * first["train_accuracy"],
        last=last["train_accuracy"],
        start=first["train_loss"],
        end=last["train_loss"],
    )
    return row(
        translatable("curves rise"),
        translatable("accuracy rises, loss falls"),
        here,
        same_or_differs(is_better, len(history) > 1),
        translatable("last epoch better than the first, in both"),
    )


def curves_converge(history: History) -> dict[str, Any]:
    """Whether the validation loss levels off."""
    claim, report = translatable("curves converge"), translatable("both level off")
    if len(history) < 4:
        here, rule = translatable("too few epochs"), translatable("needs four epochs")
        return row(claim, report, here, NOT_COMPARABLE, rule)
    losses = [epoch["val_loss"] for epoch in history]
    half = len(losses) // 2
    early, late = losses[0] - losses[half], losses[half] - losses[-1]
    here_measured = said(
        "validation loss fell by {early:.3f} up to epoch {n}, by {late:.3f} after it",
        early=early,
        n=half + 1,
        late=late,
    )
    rule = translatable(
        "the change of the validation loss in the second half is smaller than its fall in the first half"
    )
    return row(claim, report, here_measured, same_or_differs(abs(late) < early), rule)


def no_gap(history: History) -> dict[str, Any]:
    """Whether training and validation accuracy end near each other."""
    last = history[-1]
    gap = last["train_accuracy"] - last["val_accuracy"]
    here = said("training minus validation accuracy, last epoch: {gap:+.1f} points", gap=100 * gap)
    rule = said("at most {n:.0f} points: two photos of 40", n=100 * GAP)
    claim, report = translatable("no gap between training and validation"), translatable("no gap")
    return row(claim, report, here, same_or_differs(gap <= GAP), rule)


def summary(verdicts: Sequence[Mapping[str, Any]]) -> str:
    """'7 statements: 4 same, 2 within the interval, 1 not comparable'."""
    words = [row["verdict"] for row in verdicts]
    counts = ", ".join(f"{words.count(verdict)} {verdict}" for verdict in dict.fromkeys(words))
    return f"{len(words)} statements: {counts}"


def table(verdicts: Sequence[Mapping[str, Any]]) -> str:
    """The rows as a Markdown table."""
    return markdown.table(COLUMNS, ([row[name] for name in COLUMNS] for row in verdicts))
