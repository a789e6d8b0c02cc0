"""Photos whose label is likely wrong, found by confident learning.

The library cleanlab gives the same photos in the same order (the tests compare); it would add pandas, 76 MiB, to what
maskkit installs, for these few lines.
"""

import numpy as np


def label_quality(probabilities: np.ndarray, labels: np.ndarray) -> np.ndarray:
    """The probability of each photo's label, (n,): the lower, the more likely the label is wrong."""
    return probabilities[np.arange(len(labels)), labels]


def likely_wrong(probabilities: np.ndarray, labels: np.ndarray) -> np.ndarray:
    """Indices of photos whose label is likely wrong, the most likely first.

    Confident learning (Northcutt, Jiang & Chuang 2021, J. Artificial Intelligence Research 70:1373-1411): a photo
    counts as another class if its probability of that class reaches the mean of the photos that have its label.

    Args:
        probabilities: float (n, C), out of fold; labels: int (n,).
    """
    classes = np.arange(probabilities.shape[1])
    usual = np.array([probabilities[labels == index, index].mean() for index in classes])
    reached = np.where(probabilities >= usual - 1e-6, probabilities, -1)
    counted = np.where((reached > -1).any(1), reached.argmax(1), labels)
    suspects = np.flatnonzero(counted != labels)
    return suspects[np.argsort(label_quality(probabilities, labels)[suspects], kind="stable")]
