"""What is audited: the photos, which of them are versions of one original, and the model with the photos it saw."""

import dataclasses
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch

from maskkit import data, model, runs
from maskkit.audit import leaks, recipes, splits, survey
from maskkit.audit.classifiers import Classifier
from maskkit.audit.entries import Message
from maskkit.audit.recipes import Recipe
from maskkit.core import disk, paths
from maskkit.core.groups import components
from maskkit.core.messages import message, reason_of

# As `leaks.aligned_once`, without its cache; a benchmark that audits thousands of folders keeps pairs itself.
Align = Callable[[np.ndarray, np.ndarray, np.ndarray, np.ndarray | None], np.ndarray]
ENOUGH = 100  # unseen photos, from which on a rate of them is worth more than the 40 of the validation part


@dataclasses.dataclass
class Audited:
    """The photos and the model of an audit.

    versions: {detector: groups int (n,)} of photos that are versions of one original, "all" among them.
    recipe: of the model; origin: who trained it, as a message; arch: its key among `classifiers`.
    training, validation: bool (n,), the photos its head learned from, and those its epoch was chosen by.
    odd: {problem: [(row, detail)]}, once the check `files` has found them; folded: {seed: what `out_of_fold` returned}.
    """

    photos: survey.Survey
    versions: dict[str, np.ndarray]
    recipe: Recipe
    origin: Message
    arch: str
    classifiers: dict[str, Classifier]
    training: np.ndarray
    validation: np.ndarray
    odd: dict[str, list[tuple[dict[str, Any], str]]] = dataclasses.field(default_factory=dict)
    folded: dict[int, np.ndarray] = dataclasses.field(default_factory=dict)

    @property
    def groups(self) -> np.ndarray:
        """Groups of versions of one original, int (n,)."""
        return self.versions["all"]

    @property
    def classifier(self) -> Classifier:
        """The audited one."""
        return self.classifiers[self.arch]

    @property
    def labels(self) -> np.ndarray:
        """Class indices int (n,)."""
        return self.photos.labels

    @property
    def parts(self) -> np.ndarray:
        """The part of its set that each photo lies in, text (n,); "" where the set has none."""
        return self.photos.column("part")

    @property
    def pool(self) -> np.ndarray:
        """bool (n,): photos that may be drawn, all but Test and Validation."""
        return ~np.isin(self.parts, ("Test", "Validation"))

    @property
    def unseen(self) -> np.ndarray:
        """bool (n,): photos of which the model has seen no version, in training or in choosing its epoch."""
        seen = self.training | self.validation
        return ~np.isin(self.groups, self.groups[seen])

    @property
    def judged(self) -> np.ndarray:
        """Places of photos to judge the model by: unseen ones, else the validation photos its epoch was chosen by."""
        places = np.flatnonzero(self.unseen)
        some_of_each = len(np.unique(self.labels[places])) == len(self.photos.classes)
        return places if len(places) >= ENOUGH and some_of_each else np.flatnonzero(self.validation)

    @property
    def trained(self) -> bool:
        """Whether there is a model to judge."""
        return self.classifier.network is not None and bool(self.training.any())

    def out_of_fold(self, seed: int) -> np.ndarray:
        """Logits (n, C) of every photo, each by a head of the recipe that learned from the other folds; computed once.

        Raises:
            ValueError: a class has too few photos for folds.
        """
        if seed not in self.folded:
            self.folded[seed] = recipes.out_of_fold(self.classifier.X, self.labels, self.groups, self.recipe, seed)
        return self.folded[seed]


def align_once(small: np.ndarray, colours: np.ndarray, usable: np.ndarray, features: np.ndarray | None) -> np.ndarray:
    """`leaks.aligned_once` with the project's cache."""
    return leaks.aligned_once(small, colours, usable, features, cache=paths.CACHE)


def find_versions(photos: survey.Survey, X: torch.Tensor | None, align: Align = align_once) -> dict[str, np.ndarray]:
    """{detector: groups int (n,)}: what each finds by itself, and "all" together, with a run's own groups.

    X: features float32 (n, n_features), or None; align: finds the aligned pairs.
    """
    usable = photos.column("deviation") >= leaks.FLAT
    pairs = {
        "sha256": leaks.exact(photos.column("sha256")),
        "perceptual_hash": leaks.alike(photos.column("hash"), photos.column("hash_mirrored"), usable),
        "alignment": align(photos.small, photos.colours, usable, None if X is None else X.numpy()),
    }
    versions = {name: components(len(photos), found) for name, found in pairs.items()}
    if "group" in photos.rows[0]:
        pairs["known"] = leaks.exact(photos.column("group"))
    return versions | {"all": components(len(photos), *pairs.values())}


def parts_of_run(run: Path | None, photos: survey.Survey) -> tuple[np.ndarray, np.ndarray]:
    """(training, validation) bool (n,): which of the photos the run's head learned from, and was chosen by."""
    if not run:
        return np.zeros(len(photos), dtype=bool), np.zeros(len(photos), dtype=bool)
    rows = disk.read_csv(runs.need(run, "split.csv", "01_prepare.ipynb"))
    digests = photos.column("sha256")
    training, validation = (
        np.isin(digests, [row["sha256"] for row in rows if row["part"] == part]) for part in data.PARTS
    )
    return training, validation


def fit_heads(audited: Audited, run: Path | None, seed: int) -> None:
    """Give every backbone the recipe's head, and note which photos it learned from.

    A run's own head stays as it is, and the other backbones learn from the run's photos; without a run all learn
    from a draw of the photos. Where a class has too few the heads stay untrained and `training` empty.
    """
    labels = audited.labels
    if run:
        drawn = np.flatnonzero(audited.training), np.flatnonzero(audited.validation)
        if all(len(np.unique(labels[part])) == len(audited.photos.classes) for part in drawn):
            for classifier in audited.classifiers.values():
                if classifier is not audited.classifier:
                    classifier.fit_head(labels, *drawn, audited.recipe, seed)
        return
    try:
        ((train, val),) = splits.draw(
            labels, audited.groups, audited.pool, per_class=audited.recipe["per_class"], n_splits=1, seed=seed
        )
    except ValueError as error:
        audited.origin = message("none: {error}", error=reason_of(error))
        return
    audited.training[train], audited.validation[val] = True, True
    audited.origin = message("trained here on {n} of them", n=len(train))
    for classifier in audited.classifiers.values():
        classifier.fit_head(labels, train, val, audited.recipe, seed)


# --- a run by itself ----------------------------------------------------------------------------


def read_run_photos(run_dir: Path, rows: data.Rows, classes: Sequence[str]) -> survey.Survey:
    """The survey of a run's own photos, which are `rows` of its split.csv; each keeps its "group"."""
    dataset = data.MaskDataset(rows, run_dir, tuple(classes), model.Transform())
    kept = ("file", "label", "part", "group")
    files = [{"path": dataset.path(index)} | {key: row[key] for key in kept} for index, row in enumerate(rows)]
    photos = survey.read(files, cache=paths.CACHE)
    return dataclasses.replace(photos, classes=dataset.classes)


def same_name(names: np.ndarray) -> np.ndarray:
    """Groups int (n,) of photos with the same name, or hash."""
    return components(len(names), leaks.exact(names))
