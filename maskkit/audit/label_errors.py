"""Photos whose label is likely wrong."""

import numpy as np

# --- likely wrong labels ------------------------------------------------------------------------


def label_quality(probabilities, labels):
    """The probability that a photo's own label got, (n,): the lower, the likelier the label is wrong."""
    return probabilities[np.arange(len(labels)), labels]


def likely_wrong(probabilities, labels):
    """Photos whose label is likely wrong, the likeliest first: int places.

    Confident learning (Northcutt, Jiang & Chuang 2021, J. Artificial Intelligence Research 70:1373-1411): a photo
    counts as another class where its probability for that class reaches the mean that photos labelled so get.

    Args:
        probabilities: float (n, C), out of fold; labels: int (n,).
    """
    classes = np.arange(probabilities.shape[1])
    usual = np.array([probabilities[labels == index, index].mean() for index in classes])
    reached = np.where(probabilities >= usual - 1e-6, probabilities, -1)
    counted = np.where((reached > -1).any(1), reached.argmax(1), labels)
    suspects = np.flatnonzero(counted != labels)
    return suspects[np.argsort(label_quality(probabilities, labels)[suspects], kind="stable")]
