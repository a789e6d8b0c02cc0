"""A run's photos with labels that can be changed: every change is saved, and a new head is trained, at once.

There is no widget here: `widgets` and `gallery` show the state. The photos' features are cached, so a change of labels
costs the training of a head only, and the numbers are those of a new run with the same corrections.csv.
"""

import dataclasses
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image

from maskkit import checkpoint, corrections, data, evaluate, features, model, runs, split, train
from maskkit.audit import calibration, label_errors, recipes, regions
from maskkit.core import paths
from maskkit.core.messages import translatable
from maskkit.html import languages, markup
from maskkit.improve import augment, class_bias, weight_average

SORTS = translatable("likely wrong label"), translatable("loss"), translatable("file name")
VERDICTS = (
    translatable("right"),
    translatable("wrong"),
    translatable("likely wrong label"),
    translatable("changed"),
    translatable("excluded"),
)
ANY = translatable("all")
THUMBNAIL_PX = 144
UNCHANGED = -1  # in place of a label, where a view leaves the photo's own label


@dataclasses.dataclass(frozen=True)
class Learned:
    """The result of training with the current labels.

    history, best: of `train.fit`; kept: the score of the epoch whose head is used.
    probabilities: float (n, C) of that head, for every photo; unseen: float (n, C), each by a head that was trained on
    other photos (rows of excluded photos are nan), or None if a class has too few photos; why: then the reason.
    confusion: int (C, C) of the validation photos; original_score: by the original labels, including excluded photos:
    the validation set that the run itself had. seconds: the time that all this took.
    """

    history: list[dict[str, Any]]
    best: dict[str, Any]
    kept: dict[str, Any]
    probabilities: np.ndarray
    unseen: np.ndarray | None
    why: str
    confusion: np.ndarray
    original_score: dict[str, Any]
    seconds: float


@dataclasses.dataclass(frozen=True)
class Answer:
    """The network's answer for a photo: probabilities (C,), Grad-CAM's map float (h, w)."""

    probabilities: np.ndarray
    heat: np.ndarray


class Explorer:
    """The photos of a run, their labels as corrected so far, and the head trained with these.

    Args:
        run_dir: of a run with split.csv, data-mask/ and a model.
        device: the parameter DEVICE: where the frozen network runs.

    Attributes:
        rows: of split.csv; classes; parts: text (n,); original_labels, labels: int (n,), indices of `classes`, by the
            photo folders and as corrected; excluded: bool (n,); file: the corrections.csv that is read and written.
        language: of the run's figures; spoken: its `Language`, for words and numbers.
        learned: the `Learned` of these labels; tuned: whether the run's last stages were trained too. They do not
            change here, so a new run with the same labels has other numbers.

    Raises:
        FileNotFoundError, ValueError: the run is not complete, its photos have changed, or corrections.csv is damaged.
    """

    def __init__(self, run_dir: Path, device: str = "auto") -> None:
        self.metrics = runs.read_metrics(run_dir)
        self.language = self.metrics.get("language", "en")
        self.spoken = languages.get(self.language)
        self.network, about = checkpoint.load(run_dir)
        self.arch, self.classes, self.transform = about["arch"], tuple(about["classes"]), about["transform"]
        self.parameters = about["parameters"]
        self.tuned = checkpoint.is_tuned(about)
        self.rows = [row for part in data.read_split(run_dir) for row in part]
        self.parts = np.array([row["part"] for row in self.rows])
        self.groups = np.unique([row["group"] for row in self.rows], return_inverse=True)[1]
        self.original_labels = np.array([self.classes.index(split.folder_label(row)) for row in self.rows])
        used = self.metrics.get("run", {}).get("corrections", "")
        self.file = (used not in ("", "auto") and corrections.find(used)) or corrections.default()
        self._photos = data.MaskDataset(self.rows, run_dir, self.classes, self.transform)
        self._thumbnails: dict[int, str] = {}
        self._listeners: list[Callable[[], None]] = []
        self._extract(model.device(device))
        self.reload()

    def _extract(self, device: torch.device) -> None:
        """Extract features of every photo, and of the views of each part that the run used."""

        def of(photos: data.Photos) -> torch.Tensor:
            return features.extract(self.network, self.arch, photos, cache=paths.CACHE, device=device)[0]

        def pairs(photos: data.Photos, views: list[data.Photos]) -> list[tuple[torch.Tensor, torch.Tensor]]:
            """Each view's features, and the labels that it changes: a photo with a mask drawn on it shows a mask."""
            own, labels = photos.label_tensor(), [view.label_tensor() for view in views]
            changed = [torch.where(label == own, UNCHANGED, label) for label in labels]
            return list(zip(map(of, views), changed, strict=True))

        self._X, settings = of(self._photos), self.parameters
        name, seed = settings.get("augment", "none"), settings["seed"]
        train_photos, val_photos = (self._photos.subset(np.flatnonzero(self.parts == part)) for part in data.PARTS)
        self._views = {
            "train": pairs(train_photos, augment.views(train_photos, name, settings.get("views", 1), seed)),
            "val": pairs(val_photos, augment.changed_views(val_photos, name, settings.get("bias_views", 0), seed)),
        }

    # --- changes --------------------------------------------------------------------------------

    def reload(self) -> None:
        """Read corrections.csv, and train with its labels."""
        labels, excluded = self._apply(corrections.read(self.file))
        self._check(labels, excluded)
        self.labels, self.excluded = labels, excluded
        self._learn()

    def _apply(self, lines: list[dict[str, str]]) -> tuple[np.ndarray, np.ndarray]:
        """(labels, excluded) after lines of corrections.csv."""
        changed = corrections.labels_of(lines)
        pairs = list(zip(self.rows, self.original_labels, strict=True))
        names = [changed.get(row["sha256"], self.classes[original]) for row, original in pairs]
        unknown = set(names) - {None, *self.classes}
        if unknown:
            raise ValueError(f"CORRECTIONS: {self.file} has label {unknown.pop()!r}; the classes are {self.classes}")
        labels = [
            original if name is None else self.classes.index(name)
            for name, (_, original) in zip(names, pairs, strict=True)
        ]
        return np.array(labels), np.array([name is None for name in names])

    def change(self, place: int, label: int | None) -> None:
        """Give the photo at `place` a label, an index of `classes`, or None to exclude it; the file is written first.

        All photos with the same bytes change. A label that the photo has already is not written again.

        Raises:
            ValueError: a class would have no photo left in a part; OSError: the file cannot be written. In both cases
            nothing has changed.
        """
        same = np.array([row["sha256"] == self.rows[place]["sha256"] for row in self.rows])
        labels, excluded = self.labels.copy(), self.excluded.copy()
        labels[same], excluded[same] = self.original_labels[same] if label is None else label, label is None
        if np.array_equal(labels, self.labels) and np.array_equal(excluded, self.excluded):
            return
        self._check(labels, excluded)
        row, name = self.rows[place], None if label is None else self.classes[label]
        original = self.classes[self.original_labels[place]]
        corrections.append(self.file, sha256=row["sha256"], source=row["source"], found=original, label=name)
        self.labels, self.excluded = labels, excluded
        self._learn()

    def undo(self) -> dict[str, str] | None:
        """Undo the last change in the file, also one of an earlier session; returns its line or None.

        Raises:
            ValueError, OSError: as `change`; nothing has changed.
        """
        lines = corrections.read(self.file)
        if not lines:
            return None
        *before, last = lines
        labels, excluded = self._apply(before)
        self._check(labels, excluded)
        corrections.undo(self.file)
        self.labels, self.excluded = labels, excluded
        self._learn()
        return last

    def _check(self, labels: np.ndarray, excluded: np.ndarray) -> None:
        """Raise ValueError if a class would have no photo left in a part."""
        left = zip((self.classes[label] for label in labels[~excluded]), self.parts[~excluded], strict=True)
        missing = split.first_empty_part(left, self.classes)
        if missing:
            raise ValueError("{}: that leaves no photo of class {} in part {}".format(self.file.name, *missing))

    @property
    def changed(self) -> np.ndarray:
        """bool (n,): photos that are excluded or have another label than their folder."""
        return self.excluded | (self.labels != self.original_labels)

    # --- learning -------------------------------------------------------------------------------

    def listen(self, callback: Callable[[], None]) -> None:
        """Call `callback` whenever the labels have changed and a new head was trained with them."""
        self._listeners.append(callback)

    def _learn(self) -> None:
        self.learned = self._fit()
        for callback in self._listeners:
            callback()

    def _places(self, part: str) -> list[int]:
        """Indices of a part's photos that are not excluded, in the order of a new run."""
        places = np.flatnonzero((self.parts == part) & ~self.excluded)
        return sorted(places, key=lambda at: self.classes[self.labels[at]] + "/" + self.name(at))

    def _pairs(self, part: str) -> list[train.Pair]:
        """Features and labels of a part's views, of the photos that are not excluded."""
        places = self._places(part)
        y, at = torch.from_numpy(self.labels)[places], (np.cumsum(self.parts == part) - 1)[places]
        return [(X[at], torch.where(drawn[at] == UNCHANGED, y, drawn[at])) for X, drawn in self._views[part]]

    def _fit(self) -> Learned:
        started, validation = time.perf_counter(), self._places("val")
        settings, seed = {name: self.parameters[name] for name in train.FIT_SETTINGS}, self.parameters["seed"]
        keep = self.parameters.get("keep", "best")
        hooks = weight_average.hooks(self.parameters.get("average_epochs", 1), settings["epochs"])
        hooks += class_bias.hooks(self._pairs("val"))
        head = model.head(self.network, self.arch)
        head.load_state_dict(model.new_head(head.in_features, head.out_features, seed).state_dict())
        result = train.fit_head(
            self.network,
            self.arch,
            self._pairs("train"),
            (self._X[validation], torch.from_numpy(self.labels)[validation]),
            seed=seed,
            keep=keep,
            hooks=hooks,
            **settings,
        )
        with torch.inference_mode():
            probabilities = head(self._X).softmax(1).numpy()
        predicted, in_val = probabilities.argmax(1), self.parts == "val"
        right = int((predicted[in_val] == self.original_labels[in_val]).sum())
        unseen, why = self._unseen(settings, seed)
        return Learned(
            result.history,
            result.best,
            getattr(result, keep),
            probabilities,
            unseen,
            why,
            evaluate.confusion(self.labels[validation], predicted[validation], len(self.classes)),
            evaluate.score(right, int(in_val.sum())),
            time.perf_counter() - started,
        )

    def _unseen(self, settings: dict[str, Any], seed: int) -> tuple[np.ndarray | None, str]:
        """(probabilities (n, C) out of fold, "") or (None, why not)."""
        if self.tuned:
            return None, translatable(
                "the run's last stages learned from these photos too, so no head has not seen them"
            )
        kept = ~self.excluded
        try:
            logits = recipes.out_of_fold(self._X[kept], self.labels[kept], self.groups[kept], settings, seed)
        except ValueError as error:
            return None, str(error)
        unseen = np.full((len(self.rows), len(self.classes)), np.nan)
        unseen[kept] = calibration.softmax(logits)
        return unseen, ""

    # --- looking --------------------------------------------------------------------------------

    def name(self, place: int) -> str:
        """The photo's file name in data-mask/, without its class."""
        return self.rows[place]["file"].partition("/")[2]

    def label_probability(self, probabilities: np.ndarray) -> np.ndarray:
        """The probability of each photo's label, (n,)."""
        return label_errors.label_quality(probabilities, self.labels)

    @property
    def suspects(self) -> np.ndarray:
        """Indices of photos whose label is likely wrong by heads not trained on them, the most likely first."""
        kept = np.flatnonzero(~self.excluded)
        if self.learned.unseen is None:
            return kept[:0]
        return kept[label_errors.likely_wrong(self.learned.unseen[kept], self.labels[kept])]

    def select(self, sort: str = SORTS[0], label: str = ANY, part: str = ANY, verdict: str = ANY) -> list[int]:
        """Indices of the photos that pass the filters, sorted; excluded photos come last.

        Args:
            sort: one of SORTS; label: a class by the current labels, or ANY; part: one of `data.PARTS`, or ANY.
            verdict: one of VERDICTS, right and wrong by the head in use; or ANY.

        Raises:
            ValueError: an unknown sort or verdict.
        """
        if sort not in SORTS or verdict not in (ANY, *VERDICTS):
            raise ValueError(f"sort must be one of {SORTS} and verdict one of {(ANY, *VERDICTS)}")
        right, suspects = self.learned.probabilities.argmax(1) == self.labels, self.suspects
        passes = {
            ANY: np.ones(len(self.rows), dtype=bool),
            "right": right & ~self.excluded,
            "wrong": ~right & ~self.excluded,
            "likely wrong label": np.isin(np.arange(len(self.rows)), suspects),
            "changed": self.changed & ~self.excluded,
            "excluded": self.excluded,
        }[verdict]
        if label != ANY:
            passes = passes & (self.labels == self.classes.index(label))
        if part != ANY:
            passes = passes & (self.parts == part)
        names = [row["file"] for row in self.rows]
        by_doubt = sort == "likely wrong label"
        confidence = self.label_probability(self.answers if by_doubt else self.learned.probabilities)
        first = set(suspects.tolist()) if by_doubt else set()
        key = (
            (lambda at: (self.excluded[at], names[at]))
            if sort == "file name"
            else (lambda at: (self.excluded[at], at not in first, confidence[at], names[at]))
        )
        return sorted(np.flatnonzero(passes).tolist(), key=key)

    @property
    def answers(self) -> np.ndarray:
        """float (n, C): each photo's probabilities out of fold, or of the head in use if there are none."""
        return self.learned.probabilities if self.learned.unseen is None else self.learned.unseen

    @property
    def threshold_photos(self) -> tuple[np.ndarray, np.ndarray, str]:
        """(probabilities (m, C), labels (m,), words): answers for choosing a threshold, out of fold if possible.

        words: which photos these are, a message id.
        """
        kept = np.flatnonzero(~self.excluded)
        if self.learned.unseen is not None:
            return (
                self.learned.unseen[kept],
                self.labels[kept],
                translatable("photos, each by a head that did not learn from it"),
            )
        kept = kept[self.parts[kept] == "val"]
        return self.learned.probabilities[kept], self.labels[kept], translatable("validation photos")

    def image(self, place: int) -> Image.Image:
        """The photo, RGB."""
        return self._photos.image(place)

    def thumbnail(self, place: int) -> str:
        """The photo made small, for a `src` attribute."""
        if place not in self._thumbnails:
            self._thumbnails[place] = markup.thumbnail(self.image(place), THUMBNAIL_PX)
        return self._thumbnails[place]

    def explain(self, image: Image.Image) -> Answer:
        """The `Answer` for an RGB photo of one face; nothing of it is saved."""
        pixels = self.transform(image)[None]
        with torch.inference_mode():
            probabilities = self.network(pixels).softmax(1)[0].numpy()
        (heat,) = regions.grad_cam(self.network, self.arch, pixels, [int(probabilities.argmax())], torch.device("cpu"))
        return Answer(probabilities, heat)


def count_answers(probabilities: np.ndarray, labels: np.ndarray, threshold: float) -> np.ndarray:
    """Counts int (C, C + 1): rows are the truth, columns the prediction, the last one "don't know".

    Args:
        probabilities: float (n, C); labels: int (n,); threshold: a photo is answered from this probability on.
    """
    n_classes = probabilities.shape[1]
    answers = np.where(probabilities.max(1) >= threshold, probabilities.argmax(1), n_classes)
    return evaluate.confusion(labels, answers, n_classes + 1)[:-1]
