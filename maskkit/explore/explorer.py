"""A run's photos with labels that can be changed: every change is kept at once and teaches a new head at once.

No widget here: `explore_widgets` shows what this holds. A photo's features are cached, so learning again from other
labels costs a head's training, and the numbers are those that a new run with the same corrections.csv would reach.
"""

import base64
import dataclasses
import io

import numpy as np
import torch
from PIL import Image

from maskkit import augment, checkpoint, claims, corrections, data, evaluate, features, model, runs, split, train
from maskkit.audit import calibration, label_errors, recipes, regions
from maskkit.core import paths
from maskkit.sources import decoding

SORTS = ("likely wrong label", "loss", "file name")
VERDICTS = ("right", "wrong", "likely wrong label", "changed", "set aside")
ANY = "all"
THUMBNAIL_PX = 144


@dataclasses.dataclass(frozen=True)
class Learned:
    """What the labels as they are now teach.

    history, best, last: as of `train.fit`; kept: the score of the epoch whose head is used.
    probabilities: float (n, C) of that head, for every photo; unseen: float (n, C), each by a head that learned from
    other photos (rows of photos set aside are nan), or None where a class has too few; why: then the reason.
    confusion: int (C, C) of the validation photos; as_found: the score by the labels as found, photos set aside
    included: the exam that the run itself had. seconds: what all this took.
    """

    history: list
    best: dict
    last: dict
    kept: dict
    probabilities: np.ndarray
    unseen: np.ndarray | None
    why: str
    confusion: np.ndarray
    as_found: dict
    seconds: float


@dataclasses.dataclass(frozen=True)
class Answer:
    """What the network says of a photo: the photo (RGB), probabilities (C,), Grad-CAM's heat float (h, w)."""

    image: Image.Image
    probabilities: np.ndarray
    heat: np.ndarray


class Explorer:
    """The photos of a run, their labels as corrected so far, and what these teach.

    Args:
        run_dir: of a run with split.csv, data-mask/ and a model.
        device: as parameter DEVICE: where the frozen network runs.

    Attributes:
        rows: of split.csv; classes; parts: text (n,); found, labels: int (n,), places in `classes`, as the photo
            folders have it and as corrected; aside: bool (n,), set aside; file: the corrections.csv read and written.
        learned: the `Learned` of these labels; tuned: whether the run's last stages learned too. They stay as they are
            here, so that a new run with the same labels has other numbers.

    Raises:
        FileNotFoundError, ValueError: the run is not complete, its photos have changed, or corrections.csv is damaged.
    """

    def __init__(self, run_dir, device="auto"):
        self.metrics = runs.read_metrics(run_dir)
        self.network, about = checkpoint.load(run_dir)
        self.arch, self.classes, self.transform = about["arch"], tuple(about["classes"]), about["transform"]
        self.parameters = about["parameters"]
        self.tuned = checkpoint.is_tuned(about)
        self.rows = [row for part in data.read_split(run_dir) for row in part]
        self.parts = np.array([row["part"] for row in self.rows])
        self.groups = np.unique([row["group"] for row in self.rows], return_inverse=True)[1]
        self.found = np.array([self.classes.index(split.found_label(row)) for row in self.rows])
        used = self.metrics.get("run", {}).get("corrections", "")
        self.file = (used not in ("", "auto") and corrections.find(used)) or corrections.default()
        self._photos = data.MaskDataset(self.rows, run_dir, self.classes, self.transform)
        self._thumbnails, self._listeners = {}, []
        self._extract(model.device(device))
        self.reload()

    def _extract(self, device):
        """Features of every photo, and of the training photos' views as the run took them."""

        def of(photos):
            return features.extract(self.network, self.arch, photos, cache=paths.CACHE, device=device)[0]

        self._X, settings = of(self._photos), self.parameters
        training = [row for row in self.rows if row["part"] == "train"]
        photos = data.MaskDataset(training, self._photos.folder.parent, self.classes, self.transform)
        name, n = settings.get("augment", "none"), settings.get("views", 1)
        self._views = [of(view) for view in augment.views(photos, name, n, settings["seed"])]

    # --- changes --------------------------------------------------------------------------------

    def reload(self):
        """Read corrections.csv, and learn from the labels as they then are."""
        labels, aside = self._as_in(corrections.read(self.file))
        self._check(labels, aside)
        self.labels, self.aside = labels, aside
        self._learn()

    def _as_in(self, lines):
        """(labels, aside) by lines of corrections.csv."""
        changed = corrections.last_words(lines)
        now = [changed.get(row["sha256"], self.classes[at]) for row, at in zip(self.rows, self.found, strict=True)]
        strange = set(now) - {None, *self.classes}
        if strange:
            raise ValueError(f"CORRECTIONS: {self.file} has label {strange.pop()!r}; the classes are {self.classes}")
        labels = np.array(
            [found if name is None else self.classes.index(name) for name, found in zip(now, self.found, strict=True)]
        )
        return labels, np.array([name is None for name in now])

    def change(self, place, label):
        """Give the photo at `place` a label, a place in `classes`, or None to set it aside; kept in the file first.

        All photos with the same bytes change. What is so already is not written again.

        Raises:
            ValueError: a class would be left without a photo in a part; OSError: the file cannot be written. Nothing
            has changed then.
        """
        same = np.array([row["sha256"] == self.rows[place]["sha256"] for row in self.rows])
        labels, aside = self.labels.copy(), self.aside.copy()
        labels[same], aside[same] = self.found[same] if label is None else label, label is None
        if np.array_equal(labels, self.labels) and np.array_equal(aside, self.aside):
            return
        self._check(labels, aside)
        row, name = self.rows[place], None if label is None else self.classes[label]
        found = self.classes[self.found[place]]
        corrections.append(self.file, sha256=row["sha256"], source=row["source"], found=found, label=name)
        self.labels, self.aside = labels, aside
        self._learn()

    def undo(self):
        """Take back the last change in the file, also one of an earlier session; returns its line or None.

        Raises:
            ValueError, OSError: as `change`. Nothing has changed then.
        """
        *before, last = corrections.read(self.file) or [None]
        if last:
            labels, aside = self._as_in(before)
            self._check(labels, aside)
            corrections.undo(self.file)
            self.labels, self.aside = labels, aside
            self._learn()
        return last

    def _check(self, labels, aside):
        left = zip((self.classes[label] for label in labels[~aside]), self.parts[~aside], strict=True)
        missing = split.lost(left, self.classes)
        if missing:
            raise ValueError("{}: that leaves no photo of class {} in part {}".format(self.file.name, *missing))

    @property
    def changed(self):
        """bool (n,): photos that are set aside or have another label than their folder says."""
        return self.aside | (self.labels != self.found)

    # --- learning -------------------------------------------------------------------------------

    def listen(self, callback):
        """Call `callback` whenever the labels have changed and a new head has learned from them."""
        self._listeners.append(callback)

    def _learn(self):
        with runs.Stopwatch() as watch:
            learned = self._fit()
        self.learned = dataclasses.replace(learned, seconds=watch.seconds)
        for callback in self._listeners:
            callback()

    def _places(self, part):
        """Photos of a part that are not set aside, in the order in which a new run would list them."""
        places = np.flatnonzero((self.parts == part) & ~self.aside)
        return sorted(places, key=lambda at: self.classes[self.labels[at]] + "/" + self.name(at))

    def _fit(self):
        training, validation, y = self._places("train"), self._places("val"), torch.from_numpy(self.labels)
        settings, seed = {name: self.parameters[name] for name in claims.FIT_SETTINGS}, self.parameters["seed"]
        keep = self.parameters.get("keep", "best")
        head = model.head(self.network, self.arch)
        head.load_state_dict(model.new_head(head.in_features, head.out_features, seed).state_dict())
        at = np.cumsum(self.parts == "train") - 1  # a training photo's place in each view
        result = train.fit_head(
            self.network,
            self.arch,
            [(view[at[training]], y[training]) for view in self._views],
            (self._X[validation], y[validation]),
            seed=seed,
            keep=keep,
            quiet=True,
            **settings,
        )
        with torch.inference_mode():
            probabilities = head(self._X).softmax(1).numpy()
        predicted, exam = probabilities.argmax(1), self.parts == "val"
        right = int((predicted[exam] == self.found[exam]).sum())
        unseen, why = self._unseen(settings, seed)
        return Learned(
            result.history,
            result.best,
            result.last,
            getattr(result, keep),
            probabilities,
            unseen,
            why,
            evaluate.confusion(self.labels[validation], predicted[validation], len(self.classes)),
            evaluate.score(right, int(exam.sum())),
            0.0,
        )

    def _unseen(self, settings, seed):
        """(probabilities (n, C) out of fold, "") or (None, why not)."""
        if self.tuned:
            return None, "the run's last stages learned from these photos too, so no head has not seen them"
        kept = ~self.aside
        try:
            logits = recipes.out_of_fold(self._X[kept], self.labels[kept], self.groups[kept], settings, seed)
        except ValueError as error:
            return None, str(error)
        unseen = np.full((len(self.rows), len(self.classes)), np.nan)
        unseen[kept] = calibration.softmax(logits)
        return unseen, ""

    # --- looking --------------------------------------------------------------------------------

    def name(self, place):
        """The photo's file name in data-mask/, without its class."""
        return self.rows[place]["file"].partition("/")[2]

    def own(self, probabilities):
        """The probability that each photo's label gets, (n,)."""
        return label_errors.label_quality(probabilities, self.labels)

    @property
    def suspects(self):
        """Places of photos whose label is likely wrong by heads that did not learn from them, the likeliest first."""
        kept = np.flatnonzero(~self.aside)
        if self.learned.unseen is None:
            return kept[:0]
        return kept[label_errors.likely_wrong(self.learned.unseen[kept], self.labels[kept])]

    def select(self, sort=SORTS[0], label=ANY, part=ANY, verdict=ANY):
        """Places of the photos that pass the filters, sorted; photos set aside come last.

        Args:
            sort: one of SORTS; label: a class as the labels now are, or ANY; part: one of `data.PARTS`, or ANY.
            verdict: one of VERDICTS, right and wrong by the head in use; or ANY.

        Raises:
            ValueError: an unknown sort or verdict.
        """
        if sort not in SORTS or verdict not in (ANY, *VERDICTS):
            raise ValueError(f"sort must be one of {SORTS} and verdict one of {(ANY, *VERDICTS)}")
        right, suspects = self.learned.probabilities.argmax(1) == self.labels, self.suspects
        passes = {
            ANY: np.ones(len(self.rows), dtype=bool),
            "right": right & ~self.aside,
            "wrong": ~right & ~self.aside,
            "likely wrong label": np.isin(np.arange(len(self.rows)), suspects),
            "changed": self.changed & ~self.aside,
            "set aside": self.aside,
        }[verdict]
        if label != ANY:
            passes = passes & (self.labels == self.classes.index(label))
        if part != ANY:
            passes = passes & (self.parts == part)
        names = [row["file"] for row in self.rows]
        by_doubt = sort == "likely wrong label"
        own = self.own(self.answers if by_doubt else self.learned.probabilities)
        first = set(suspects.tolist()) if by_doubt else set()
        key = (
            (lambda at: (self.aside[at], names[at]))
            if sort == "file name"
            else (lambda at: (self.aside[at], at not in first, own[at], names[at]))
        )
        return sorted(np.flatnonzero(passes).tolist(), key=key)

    @property
    def answers(self):
        """float (n, C): each photo's probabilities out of fold, or of the head in use where there are none."""
        return self.learned.probabilities if self.learned.unseen is None else self.learned.unseen

    @property
    def judged(self):
        """(probabilities (m, C), labels (m,), words): the fairest answers there are, for setting a threshold."""
        kept = np.flatnonzero(~self.aside)
        if self.learned.unseen is not None:
            return self.learned.unseen[kept], self.labels[kept], "photos, each by a head that did not learn from it"
        kept = kept[self.parts[kept] == "val"]
        return self.learned.probabilities[kept], self.labels[kept], "validation photos"

    def image(self, place):
        """The photo, RGB."""
        return self._photos.image(place)

    def thumbnail(self, place):
        """The photo as a small JPEG, base64."""
        if place not in self._thumbnails:
            image = self.image(place)
            image.thumbnail((THUMBNAIL_PX, THUMBNAIL_PX), Image.Resampling.LANCZOS)
            file = io.BytesIO()
            image.save(file, "JPEG", quality=85)
            self._thumbnails[place] = base64.b64encode(file.getvalue()).decode()
        return self._thumbnails[place]

    def explain(self, photo):
        """The `Answer` for a photo given as the bytes of its file; nothing of it is kept.

        Raises:
            ValueError: it is not a photo.
        """
        image = decoding.decode_open(io.BytesIO(photo))
        pixels = self.transform(image)[None]
        with torch.inference_mode():
            probabilities = self.network(pixels).softmax(1)[0].numpy()
        (heat,) = regions.grad_cam(self.network, self.arch, pixels, [int(probabilities.argmax())], torch.device("cpu"))
        return Answer(image, probabilities, heat)


def count_answers(probabilities, labels, threshold):
    """Counts int (C, C + 1): rows are the truth, columns the prediction, the last one "don't know".

    Args:
        probabilities: float (n, C); labels: int (n,); threshold: a photo is answered from this probability on.
    """
    n_classes = probabilities.shape[1]
    said = np.where(probabilities.max(1) >= threshold, probabilities.argmax(1), n_classes)
    counts = np.zeros((n_classes, n_classes + 1), dtype=int)
    np.add.at(counts, (labels, said), 1)
    return counts
