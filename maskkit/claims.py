"""The report's statements, each held against what this run found."""

from maskkit import evaluate
from maskkit.core import intervals
from maskkit.report import REPORT_BEST, REPORT_CONFUSION, REPORT_PARTS, REPORT_TRAINABLE
from maskkit.sources import folders

GAP = 0.05  # accuracy: two photos of 40, about what chance moves a part of this size by


def compare(metrics, history):
    """One row per statement of the report.

    Args:
        metrics: metrics.json after 03_evaluate's confusion matrix.
        history: rows of `train.fit`.

    Returns:
        dicts of text: claim, report, here, verdict ("same", "within the interval", "differs", "not comparable"),
        rule (how the verdict was reached).
    """
    ours = tuple(metrics["classes"]) == folders.REPORT_CLASSES
    sized = ours and (metrics["n_train"], metrics["n_val"]) == REPORT_PARTS
    return [
        parts(metrics, ours),
        weights(metrics, ours),
        best(metrics, ours),
        confusion(metrics, sized),
        rises(history),
        converges(history),
        no_gap(history),
    ]


def row(claim, report, here, verdict, rule):
    return {"claim": claim, "report": report, "here": here, "verdict": verdict, "rule": rule}


def exactly(equal, comparable):
    return ("same" if equal else "differs") if comparable else "not comparable"


def parts(metrics, comparable):
    found = (metrics["n_train"], metrics["n_val"])
    text = "{} training, {} validation photos"
    verdict = exactly(found == REPORT_PARTS, comparable)
    return row("photos in each part", text.format(*REPORT_PARTS), text.format(*found), verdict, "equal")


def weights(metrics, comparable):
    verdict = exactly(metrics["trainable"] == REPORT_TRAINABLE, comparable and metrics["arch"] == "resnet18")
    here = f"{metrics['trainable']:,} of {metrics['total']:,} ({metrics['arch']})"
    return row("weights that learn", f"{REPORT_TRAINABLE:,} (resnet18)", here, verdict, "equal, for ResNet18")


def best(metrics, comparable):
    report = evaluate.score(*REPORT_BEST)
    found = metrics["best"]
    overlap = found["interval"][0] <= report["accuracy"] <= found["interval"][1]
    verdict = ("within the interval" if overlap else "differs") if comparable else "not comparable"
    rule = "the report's 97.5 % lies in this run's 95 % interval"
    return row("best validation accuracy", evaluate.format_score(report), evaluate.format_score(found), verdict, rule)


def confusion(metrics, comparable):
    found = tuple(map(tuple, metrics["confusion"]))
    if not comparable:
        verdict = "not comparable"
    elif found == REPORT_CONFUSION:
        verdict = "same"
    else:
        recalls = [intervals.wilson(counts[index], sum(counts)) for index, counts in enumerate(found)]
        shares = [counts[index] / sum(counts) for index, counts in enumerate(REPORT_CONFUSION)]
        inside = all(low <= share <= high for (low, high), share in zip(recalls, shares, strict=True))
        verdict = "within the interval" if inside else "differs"
    rule = "equal, or each class's share of right answers lies in this run's 95 % interval"
    return row("confusion matrix", spell(REPORT_CONFUSION), spell(found), verdict, rule)


def spell(matrix):
    """'20 / 0 // 1 / 19': rows true, columns predicted; of more than four classes only what is on the diagonal."""
    if len(matrix) > 4:
        right, of = sum(counts[index] for index, counts in enumerate(matrix)), sum(map(sum, matrix))
        return f"{len(matrix)} classes, {right:,} of {of:,} photos on the diagonal"
    return " // ".join(" / ".join(map(str, counts)) for counts in matrix)


def rises(history):
    first, last = history[0], history[-1]
    holds = last["train_accuracy"] > first["train_accuracy"] and last["train_loss"] < first["train_loss"]
    here = (
        f"training accuracy {100 * first['train_accuracy']:.1f} to {100 * last['train_accuracy']:.1f} %, "
        f"loss {first['train_loss']:.2f} to {last['train_loss']:.2f}"
    )
    verdict = exactly(holds, len(history) > 1)
    return row("curves rise", "accuracy rises, loss falls", here, verdict, "last epoch better than the first, in both")


def converges(history):
    if len(history) < 4:
        return row("curves converge", "both level off", "too few epochs", "not comparable", "needs four epochs")
    losses = [epoch["val_loss"] for epoch in history]
    half = len(losses) // 2
    early, late = losses[0] - losses[half], losses[half] - losses[-1]
    here = f"validation loss fell by {early:.3f} up to epoch {half + 1}, by {late:.3f} after it"
    rule = "the validation loss falls less in the second half than in the first, and does not rise by more"
    return row("curves converge", "both level off", here, exactly(abs(late) < early, True), rule)


def no_gap(history):
    last = history[-1]
    gap = last["train_accuracy"] - last["val_accuracy"]
    here = f"training minus validation accuracy, last epoch: {100 * gap:+.1f} points"
    rule = f"at most {100 * GAP:.0f} points: two photos of 40"
    return row("no gap between the parts", "no gap", here, exactly(gap <= GAP, True), rule)


def summary(verdicts):
    """'7 statements: 4 same, 2 within the interval, 1 not comparable'."""
    found = [row["verdict"] for row in verdicts]
    counts = ", ".join(f"{found.count(verdict)} {verdict}" for verdict in dict.fromkeys(found))
    return f"{len(found)} statements: {counts}"


def table(verdicts):
    """The rows as a Markdown table."""
    columns = ("claim", "report", "here", "verdict", "rule")
    lines = ["| " + " | ".join(columns) + " |", "|" + "---|" * len(columns)]
    return "\n".join(lines + ["| " + " | ".join(row[name] for name in columns) + " |" for row in verdicts])
