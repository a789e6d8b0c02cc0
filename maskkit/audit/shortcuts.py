"""Shortcuts: measures that may separate the classes without the mask, and how well a classifier does with each.

Blind measures cannot show a mask: a network may have the same success without masks. Weak measures show a little of it:
they tell how easy the task is.
"""

import dataclasses
from collections.abc import Callable

import numpy as np
import threadpoolctl

from maskkit.audit import splits
from maskkit.audit.survey import Survey
from maskkit.core import parameters

N_FOLDS = 5
# Photos in a set's own Test or Validation part from which it is tested on that part alone. With 100, the best of three
# blind rules reached 59 % by chance in one clean folder of ten, and its interval the first limit; five folds of all 400
# photos reached 56 %, with half the interval (benchmarks/planted.py).
ENOUGH = 400
Learn = Callable[[np.ndarray, np.ndarray, np.ndarray], np.ndarray]  # X, y, X_test to predictions int


@dataclasses.dataclass(frozen=True)
class Measure:
    """One input of a classifier: `kind` is blind | weak, `title` and `sees` describe it for people."""

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


def values(photos: Survey, name: str) -> np.ndarray:
    """The values of the measure `name`, float32 (n, d)."""
    if name == "width_height":
        return np.stack([photos.column("width"), photos.column("height")], 1).astype(np.float32)
    if name == "file_size":
        return photos.column("bytes")[:, None].astype(np.float32)
    measured: np.ndarray = getattr(photos, name)
    return measured


@dataclasses.dataclass(frozen=True)
class Protocol:
    """Training and test photos: pairs (train, test) of int arrays.

    part: of the set, whose photos are tested; "" where they are tested in folds. is_sample: whether they are drawn from
    more.
    """

    pairs: list[tuple[np.ndarray, np.ndarray]]
    part: str = ""
    is_sample: bool = False

    @property
    def tested(self) -> np.ndarray:
        """All test photos, int (n_tested,), in the order of `Protocol.predict`."""
        return np.concatenate([test for _, test in self.pairs])

    @property
    def used(self) -> np.ndarray:
        """All photos of the pairs, int (n_used,), sorted."""
        return np.unique(np.concatenate([places for pair in self.pairs for places in pair]))

    def sample(self, labels: np.ndarray, n: int, seed: int) -> "Protocol":
        """The same pairs with at most n of the test photos and n of the training photos, evenly from each class."""
        learned = np.unique(np.concatenate([train for train, _ in self.pairs]))
        kept = np.concatenate(
            [splits.draw_evenly(places, labels, n, seed) for places in (learned, np.sort(self.tested))]
        )
        if len(np.intersect1d(self.used, kept)) == len(self.used):
            return self
        pairs = [(train[np.isin(train, kept)], test[np.isin(test, kept)]) for train, test in self.pairs]
        return Protocol(pairs, self.part, is_sample=True)

    def predict(self, learn: Learn, X: np.ndarray, y: np.ndarray) -> np.ndarray:
        """Predicted classes of `tested`; `learn(X, y, X_test)` returns predictions int."""
        with threadpoolctl.threadpool_limits(1):  # these fits are so small that threads wait longer than they work
            return np.concatenate([learn(X[train], y[train], X[test]) for train, test in self.pairs])


def protocol(labels: np.ndarray, groups: np.ndarray, parts: np.ndarray, seed: int) -> Protocol:
    """The set's Test part (else Validation), learned from its Train part, where it has ENOUGH photos; else five folds.

    A group is never in both training and test photos.

    Args:
        labels, groups: int (n,); parts: text (n,).

    Raises:
        ValueError: a class has too few photos for either.
    """
    name = "Test" if "Test" in parts else "Validation"
    test = np.flatnonzero(parts == name)
    train = np.flatnonzero((parts == "Train") & ~np.isin(groups, groups[test]))
    large = len(test) >= ENOUGH and has_enough(labels, test, 1)
    if large and has_enough(labels, train, parameters.MIN_PER_CLASS):
        return Protocol([(train, test)], name)
    fold = splits.folds(labels, groups, N_FOLDS, seed)
    pairs = [(np.flatnonzero(fold != index), np.flatnonzero(fold == index)) for index in range(N_FOLDS)]
    return Protocol(pairs)


def has_enough(labels: np.ndarray, places: np.ndarray, least: int) -> bool:
    """Whether every class of `labels` has at least `least` photos among `places`."""
    return bool(np.bincount(labels[places], minlength=labels.max() + 1).min() >= least)


def learn_rule(X: np.ndarray, y: np.ndarray, X_test: np.ndarray) -> np.ndarray:
    """A few small trees: they find "narrower than a or wider than b" in one number or ten."""
    from sklearn.ensemble import HistGradientBoostingClassifier  # here, as importing it takes a second

    trees = HistGradientBoostingClassifier(
        max_iter=50, max_leaf_nodes=8, min_samples_leaf=5, early_stopping=False, random_state=0
    )
    return trees.fit(X, y).predict(X_test)


def learn_line(X: np.ndarray, y: np.ndarray, X_test: np.ndarray) -> np.ndarray:
    """A regularised linear classifier, for hundreds of numbers."""
    from sklearn.linear_model import LogisticRegression  # here, as importing it takes a second
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    line = make_pipeline(StandardScaler(), LogisticRegression(C=0.01, max_iter=300))
    return line.fit(X, y).predict(X_test)


def learner(width: int) -> Learn:
    """The classifier that suits a measure of `width` numbers."""
    return learn_rule if width <= 16 else learn_line


def guess(X: np.ndarray, y: np.ndarray, X_test: np.ndarray) -> np.ndarray:
    """Always predict the class that is most frequent among the training photos."""
    return np.full(len(X_test), np.bincount(y).argmax())
