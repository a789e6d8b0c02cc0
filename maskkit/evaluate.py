"""Predictions and the numbers made of them: counts divided by counts, each rate with its interval."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from maskkit.core import class_names, markdown
from maskkit.core.intervals import wilson
from maskkit.core.messages import format_percent, said

if TYPE_CHECKING:
    import torch


def predict(
    model: torch.nn.Module, loader: Iterable[tuple[torch.Tensor, Any]], device: torch.device
) -> tuple[np.ndarray, np.ndarray]:
    """Class probabilities for every image of a loader, in the loader's order.

    Args:
        model: maps images (N, 3, H, W) to logits (N, C); left in eval mode.
        loader: yields images float32 (N, 3, H, W), normalised as the model's transform says, and labels (N,).
        device: where the forward pass runs; results come back to the CPU.

    Returns:
        probabilities float32 (n_images, C), rows sum to 1, columns ordered as the model's classes; labels int64
        (n_images,). Both numpy.

    Raises:
        ValueError: the loader is empty.
    """
    import torch  # here, so that a score can be shown without it

    from maskkit.core import batches
    from maskkit.model import for_inference

    network = for_inference(model).to(device)
    logits, labels = [], []
    with torch.inference_mode():
        for images, truth in loader:
            logits.append(batches.forward(network, images, device))
            labels.append(torch.as_tensor(truth))
    if not logits:
        raise ValueError("there is no photo to predict; run 01_prepare.ipynb first")
    return torch.cat(logits).softmax(1).numpy(), torch.cat(labels).numpy()


def confusion(labels: np.ndarray, predicted: np.ndarray, n_classes: int) -> np.ndarray:
    """Counts int (n_classes, n_classes): rows are the truth, columns the prediction.

    Raises:
        ValueError: there is no photo.
    """
    if not len(labels):
        raise ValueError("there is no photo to count; run 01_prepare.ipynb first")
    counts = np.zeros((n_classes, n_classes), dtype=int)
    np.add.at(counts, (labels, predicted), 1)  # as sklearn.metrics has it, whose import takes a tenth of a run's time
    return counts


def score(correct: int, n: int) -> dict[str, Any]:
    """A rate as metrics.json holds it: `correct` of `n`, `accuracy` and its 95 % `interval` as fractions."""
    return {"correct": int(correct), "n": int(n), "accuracy": correct / n, "interval": list(wilson(correct, n))}


def score_message(score: Mapping[str, Any]) -> dict[str, Any]:
    """`format_score` as `messages.said` gives it, for files that pages in other languages read."""
    return said(
        "{n} of {of} ({share:percent}, 95 % interval {ends:interval})",
        n=score["correct"],
        of=score["n"],
        share=score["accuracy"],
        ends=score["interval"],
    )


def format_score(score: Mapping[str, Any]) -> str:
    """'39 of 40 (97.5 %, 95 % interval 87.1-99.6 %)'."""
    return score_message(score)["sentence"]


def is_better(correct: Any, loss: Any, most: Any, lowest: Any) -> Any:
    """Whether an epoch beats the best so far: more validation photos right, or as many at a lower validation loss.

    The report keeps the epoch with the best validation accuracy. With 40 photos many epochs are equal; the first of
    them is often an unfinished head, the one with the lowest loss is not (docs/design.md has the figures).

    Args:
        correct, loss: photos right and mean loss of the epoch, numbers or tensors of one element per head.
        most, lowest: the same of the best epoch so far.

    Returns:
        a truth value, or a tensor of one per head.
    """
    return (correct > most) | ((correct == most) & (loss < lowest))


def best_epoch(history: list[dict[str, Any]]) -> dict[str, Any]:
    """The row of `train.fit`'s history that `is_better` than all others; the first where rows are equal in both."""
    best = history[0]
    for row in history[1:]:
        if is_better(row["val_accuracy"], row["val_loss"], best["val_accuracy"], best["val_loss"]):
            best = row
    return best


def per_class(matrix: np.ndarray | list[list[int]], classes: Sequence[str]) -> list[dict[str, Any]]:
    """Precision, recall and F1 of each class, from a confusion matrix.

    Returns:
        one dict per class: class, precision, recall, f1 (fractions; None where there is nothing to divide by), n
        (photos of the class), predicted (photos called so), recall_interval (Wilson 95 %).
    """
    matrix = np.asarray(matrix)
    rows = []
    for index, name in enumerate(classes):
        n, predicted, right = int(matrix[index].sum()), int(matrix[:, index].sum()), int(matrix[index, index])
        rows.append(
            {
                "class": name,
                "precision": right / predicted if predicted else None,
                "recall": right / n if n else None,
                "f1": 2 * right / (n + predicted) if n + predicted else None,
                "n": n,
                "predicted": predicted,
                "recall_interval": list(wilson(right, n)) if n else None,
            }
        )
    return rows


def format_per_class(scores: list[dict[str, Any]]) -> str:
    """`per_class` as a Markdown table, rates in percent, classes in natural order."""
    rows = []
    for row in class_names.by_name(scores, lambda row: row["class"]):
        rates = [format_share(row[name]) for name in ("precision", "recall", "f1")]
        interval = "-".join(f"{100 * end:.1f}" for end in row["recall_interval"] or ()) or "none"
        rows.append([row["class"], *rates[:2], f"{interval} %", rates[2], row["n"]])
    return markdown.table(("class", "precision", "recall", "95 % interval", "F1", "photos"), rows)


def format_share(share: float | None) -> str:
    """'97.5 %', or that there is nothing to divide by."""
    return "undefined" if share is None else format_percent(share)


def mistake_indices(labels: np.ndarray, probabilities: np.ndarray) -> np.ndarray:
    """Indices of the wrongly classified photos, the most confident first."""
    wrong = np.flatnonzero(probabilities.argmax(1) != labels)
    return wrong[np.argsort(-probabilities[wrong].max(1), kind="stable")]


def mistakes(
    rows: list[dict[str, str]], labels: np.ndarray, probabilities: np.ndarray, classes: Sequence[str]
) -> list[dict[str, Any]]:
    """The wrongly classified photos, the most confident first.

    Returns:
        dicts: file, label, predicted, probability (of the predicted class, 0..1).
    """
    predicted = probabilities.argmax(1)
    return [
        {
            "file": rows[index]["file"],
            "label": classes[labels[index]],
            "predicted": classes[predicted[index]],
            "probability": float(probabilities[index].max()),
        }
        for index in mistake_indices(labels, probabilities)
    ]
