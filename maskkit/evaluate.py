"""Predictions and the numbers made of them: counts divided by counts, each rate with its interval."""

import math

import numpy as np
import torch

from maskkit.core import batches, class_names, markdown

Z_95 = 1.959963984540054  # the normal distribution's 97.5 % point


@torch.inference_mode()
def predict(model, loader, device):
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
    model.eval().to(device)
    logits, labels = [], []
    for images, truth in loader:
        logits.append(batches.forward(model, images, device))
        labels.append(torch.as_tensor(truth))
    if not logits:
        raise ValueError("there is no photo to predict; run 01_prepare.ipynb first")
    return torch.cat(logits).softmax(1).numpy(), torch.cat(labels).numpy()


def confusion(labels, predicted, n_classes):
    """Counts int (n_classes, n_classes): rows are the truth, columns the prediction."""
    matrix = np.zeros((n_classes, n_classes), dtype=int)
    np.add.at(matrix, (np.asarray(labels), np.asarray(predicted)), 1)
    return matrix


def wilson(correct, n):
    """The Wilson score interval (95 %) of `correct` successes in `n` trials, as fractions (low, high).

    Wilson, E. B. (1927), Probable inference, the law of succession, and statistical inference, JASA 22:209-212.
    39 of 40 gives 0.871 to 0.996. It treats the photos as independent.

    Raises:
        ValueError: n is not positive, or `correct` is not within 0..n.
    """
    if not 0 <= correct <= n or n < 1:
        raise ValueError(f"{correct} of {n} is no share")
    share = correct / n
    middle = share + Z_95**2 / (2 * n)
    half = Z_95 * math.sqrt(share * (1 - share) / n + Z_95**2 / (4 * n * n))
    scale = 1 + Z_95**2 / n
    return max(0.0, (middle - half) / scale), min(1.0, (middle + half) / scale)


def score(correct, n):
    """A rate as metrics.json holds it: `correct` of `n`, `accuracy` and its 95 % `interval` as fractions."""
    return {"correct": int(correct), "n": int(n), "accuracy": correct / n, "interval": list(wilson(correct, n))}


def say(score):
    """'39 of 40 (97.5 %, 95 % interval 87.1-99.6 %)'."""
    low, high = (100 * end for end in score["interval"])
    share = 100 * score["accuracy"]
    return f"{score['correct']} of {score['n']} ({share:.1f} %, 95 % interval {low:.1f}-{high:.1f} %)"


def is_better(correct, loss, most, lowest):
    """Whether an epoch beats the best so far: more validation photos right, or as many at a lower validation loss.

    The report keeps the epoch with the best validation accuracy. With 40 photos many epochs are equal; the first of
    them is often an unfinished head, the one with the lowest loss is not (docs/design.md has the figures).

    Args:
        correct, loss: photos right and mean loss of the epoch, numbers or tensors of one element per head.
        most, lowest: the same of the best epoch so far.
    """
    return (correct > most) | ((correct == most) & (loss < lowest))


def best_epoch(history):
    """The row of `train.fit`'s history that `is_better` than all others; the first where rows are equal in both."""
    best = history[0]
    for row in history[1:]:
        if is_better(row["val_accuracy"], row["val_loss"], best["val_accuracy"], best["val_loss"]):
            best = row
    return best


def per_class(matrix, classes):
    """Precision, recall and F1 of each class, from a confusion matrix.

    Returns:
        one dict per class: class, precision, recall, f1 (fractions; None where there is nothing to divide by), n
        (photos of the class), predicted (photos called so), recall_interval (Wilson 95 %).
    """
    matrix = np.asarray(matrix)
    rows = []
    for index, name in enumerate(classes):
        hit, n, called = (int(x) for x in (matrix[index, index], matrix[index].sum(), matrix[:, index].sum()))
        rows.append(
            {
                "class": name,
                "precision": hit / called if called else None,
                "recall": hit / n if n else None,
                "f1": 2 * hit / (n + called) if n + called else None,
                "n": n,
                "predicted": called,
                "recall_interval": list(wilson(hit, n)) if n else None,
            }
        )
    return rows


def per_class_table(scores):
    """`per_class` as a Markdown table, rates in percent, classes in natural order."""
    rows = []
    for row in class_names.by_name(scores, lambda row: row["class"]):
        rates = [percent(row[name]) for name in ("precision", "recall", "f1")]
        interval = "-".join(f"{100 * end:.1f}" for end in row["recall_interval"] or ()) or "none"
        rows.append([row["class"], *rates[:2], f"{interval} %", rates[2], row["n"]])
    return markdown.table(("class", "precision", "recall", "95 % interval", "F1", "photos"), rows)


def percent(share):
    return "undefined" if share is None else f"{100 * share:.1f} %"


def mistake_indices(labels, probabilities):
    """Indices of the photos called something else than they are, the surest first."""
    wrong = np.flatnonzero(probabilities.argmax(1) != labels)
    return wrong[np.argsort(-probabilities[wrong].max(1), kind="stable")]


def mistakes(rows, labels, probabilities, classes):
    """The photos called something else than they are, the surest first.

    Returns:
        dicts: file, label, predicted, probability (of the predicted class, 0..1).
    """
    predicted = probabilities.argmax(1)
    return [
        {
            "file": rows[index]["file"],
            "label": classes[labels[index]],
            "predicted": classes[predicted[index]],
            "probability": round(float(probabilities[index].max()), 4),
        }
        for index in mistake_indices(labels, probabilities)
    ]
