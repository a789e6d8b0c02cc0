"""What could tell the classes apart without a look at the mask, and how far each of it gets.

Blind measures cannot see a mask: any success of theirs is success a network may have without masks. Weak ones see a
little: they say how easy the task is.
"""

import dataclasses

import numpy as np
from sklearn.ensemble import HistGradientBoostingClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from maskkit.audit import splits
from maskkit.core import parameters

N_FOLDS = 5


@dataclasses.dataclass(frozen=True)
class Measure:
    """One thing that a classifier is given: `kind` is blind | weak, `title` and `sees` are words for people."""

    kind: str
    title: str
    sees: str


MEASURES = {
    "width_height": Measure("blind", "width and height", "the photo's size in pixels"),
    "metadata": Measure("blind", "metadata", "the file's kind, channels, EXIF, colour profile, compression"),
    "border": Measure("blind", "outer ring", "the outer 6 % of the pixels, at 32 x 32"),
    "file_size": Measure("weak", "file size", "the number of bytes"),
    "sharpness": Measure("weak", "sharpness and noise", "five numbers on edges and grain"),
    "thumbnail": Measure("weak", "thumbnail", "the photo at 16 x 16 pixels"),
    "hog": Measure("weak", "gradients (HOG)", "histograms of oriented gradients at 64 x 64"),
    "random_network": Measure("weak", "untrained ResNet18", "features of a network with random weights"),
}


def values(photos, name):
    """What the measure `name` is given, float32 (n, d), from a `survey.Survey`."""
    if name == "width_height":
        return np.stack([photos.column("width"), photos.column("height")], 1).astype(np.float32)
    if name == "file_size":
        return photos.column("bytes")[:, None].astype(np.float32)
    return {
        "metadata": lambda: photos.metadata,
        "border": lambda: photos.border,
        "sharpness": lambda: photos.sharpness,
        "thumbnail": lambda: photos.thumbnails,
        "hog": lambda: photos.hog,
    }[name]()


@dataclasses.dataclass(frozen=True)
class Protocol:
    """Who learns and who is measured: pairs (train, test) of int arrays, and the words for it."""

    pairs: list
    measured_on: str

    @property
    def tested(self):
        """Every photo that is measured, int (n_tested,), in the order `Protocol.predict` gives."""
        return np.concatenate([test for _, test in self.pairs])

    def predict(self, learn, X, y):
        """Predicted classes of `tested`; `learn(X, y, X_test)` returns predictions int."""
        return np.concatenate([learn(X[train], y[train], X[test]) for train, test in self.pairs])


def protocol(labels, groups, parts, seed):
    """The set's own Test part (else Validation), learned from its Train part; else five folds. A group is never on both
    sides.

    Args:
        labels, groups: int (n,); parts: text (n,).

    Raises:
        ValueError: a class has too few photos for either.
    """
    name = "Test" if "Test" in parts else "Validation"
    test = np.flatnonzero(parts == name)
    train = np.flatnonzero((parts == "Train") & ~np.isin(groups, groups[test]))
    if has_enough(labels, train, parameters.MIN_PER_CLASS) and has_enough(labels, test, 1):
        return Protocol([(train, test)], f"the {name} part, learned from Train photos without a version in it")
    fold = splits.folds(labels, groups, N_FOLDS, seed)
    pairs = [(np.flatnonzero(fold != index), np.flatnonzero(fold == index)) for index in range(N_FOLDS)]
    return Protocol(pairs, f"{N_FOLDS} folds")


def has_enough(labels, places, least):
    """Whether every class of `labels` has at least `least` photos among `places`."""
    return np.bincount(labels[places], minlength=labels.max() + 1).min() >= least


def learn_rule(X, y, X_test):
    """A few small trees: finds "narrower than a or wider than b" in one number or ten."""
    trees = HistGradientBoostingClassifier(
        max_iter=50, max_leaf_nodes=8, min_samples_leaf=5, early_stopping=False, random_state=0
    )
    return trees.fit(X, y).predict(X_test)


def learn_line(X, y, X_test):
    """A regularised linear classifier, for hundreds of numbers."""
    line = make_pipeline(StandardScaler(), LogisticRegression(C=0.01, max_iter=300))
    return line.fit(X, y).predict(X_test)


def learner(width):
    """Which of the two suits a measure of `width` numbers."""
    return learn_rule if width <= 16 else learn_line


def guess(X, y, X_test):
    """Always the class that is most frequent among the training photos."""
    return np.full(len(X_test), np.bincount(y).argmax())
