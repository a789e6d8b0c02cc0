"""Who learns and who asks in notebook 04: the run's photos split many times, and photos that every recipe answers."""

import dataclasses

import numpy as np

from maskkit import augment, data, model
from maskkit.audit import leaks, splits, survey
from maskkit.audit.audited import draw_evenly, find_versions
from maskkit.sources import decoding, folders

SPARE = 1.5  # candidates looked at per photo wanted: some are versions of drawn ones


@dataclasses.dataclass(frozen=True)
class Exam:
    """Photos that every recipe answers. words: for sentences; transform: how they are shown.

    rows: dicts with path, label, sha256; groups: int (n,), versions of one original.
    """

    name: str
    words: str
    rows: list = dataclasses.field(repr=False)
    groups: np.ndarray = dataclasses.field(repr=False)
    transform: object = dataclasses.field(default_factory=model.Transform)

    def dataset(self, classes):
        return data.Photos(self.rows, classes, self.transform)


@dataclasses.dataclass(frozen=True)
class Drawn:
    """The run's photos (a `data.Photos`), and the splits of them to learn from: pairs (train, val) of int arrays."""

    photos: data.Photos
    parts: list

    @property
    def y(self):
        return self.photos.label_tensor()


def draw(run_dir, *, n_seeds, seed):
    """The photos of a run's split.csv, split `n_seeds` times: 20 % validation, no group in both parts.

    Where the run validated on a part of its own (SPLIT='given'), photos of the training part alone.

    Raises:
        FileNotFoundError, ValueError: as `data.read_split`; or too few originals to split.
    """
    rows = [row for part in data.read_split(run_dir) for row in part]
    given = (folders.VALIDATION, folders.TEST)  # of SPLIT='given': these photos are for measuring
    rows = [row for row in rows if folders.origin(row["source"])[0] not in given]
    photos = data.MaskDataset(rows, run_dir, data.classes(rows), model.Transform())
    groups = np.unique([row["group"] for row in rows], return_inverse=True)[1]
    everyone = np.ones(len(rows), dtype=bool)
    parts = splits.draw(np.array(photos.labels), groups, everyone, per_class=0, n_splits=n_seeds, seed=seed)
    return Drawn(photos, parts)


def find(drawn, source, against, *, n, seed):
    """The photos to be measured on: `unseen`, the same as `street`, and `elsewhere` where there is another source.

    Args:
        source: the `folders.Source` the run was drawn from; its test part is taken, its validation part where there
            is no test part, what was not drawn where there are no parts.
        against: the `folders.Source` of other photos, or None.
        n: photos of each at most, evenly from the classes.

    Returns:
        a list of `Exam`; `unseen` holds no version of a drawn photo.

    Raises:
        ValueError: no photo is left over, or the other source has other classes.
    """
    found = unseen(drawn, source, n, seed)
    street = augment.View(model.Transform(), "street", seed, 0)
    words = "the same photos as a street camera might take them (simulated)"
    both = [found, dataclasses.replace(found, name="street", words=words, transform=street)]
    if against is None:
        return both
    files = survey.find_files(against)
    names = tuple(sorted({row["label"] for row in files}))
    if names != drawn.photos.classes:
        raise ValueError(f"AGAINST holds the classes {', '.join(names)}, the run {', '.join(drawn.photos.classes)}")
    known = {row["sha256"] for row in drawn.photos.rows}
    others = survey.read(sample(files, n, seed))
    new = [row for row in others.rows if row["sha256"] not in known]
    groups = leaks.components(len(new), leaks.exact(np.array([row["sha256"] for row in new])))
    return [*both, Exam("elsewhere", f"photos of another source ({against.photos})", new, groups)]


def unseen(drawn, source, n, seed):
    """The exam of photos that nobody learned from: candidates are compared with the drawn ones, versions left out."""
    known = {row["sha256"] for row in drawn.photos.rows}
    files = survey.find_files(source)
    own = next((own for part in (folders.TEST, folders.VALIDATION) if (own := of_part(files, part))), files)
    candidates = sample([row for row in own if decoding.sha256(row["path"]) not in known], round(SPARE * n), seed)
    photos = drawn.photos
    learned = [
        {"path": photos.path(i), "file": row["file"], "label": row["label"], "part": "drawn"}
        for i, row in enumerate(photos.rows)
    ]
    if not candidates:
        raise ValueError(f"every photo of {source.photos} was drawn, so none is left to be measured on")
    found = survey.read(candidates + learned)
    groups = find_versions(found, None)["all"]
    free = np.flatnonzero(~np.isin(groups, groups[found.column("part") == "drawn"]))
    if len(np.unique(found.labels[free])) < len(found.classes):
        raise ValueError(f"no photo of some class of {source.photos} is left that is no version of a drawn one")
    places = draw_evenly(free, found.labels, n, seed)
    return Exam("unseen", f"unseen photos of {source.photos}", [found.rows[i] for i in places], groups[places])


def of_part(files: list[dict], part: str) -> list[dict]:
    return [row for row in files if row["part"] == part]


def sample(files, n, seed):
    """Up to n of some files, evenly from each class, drawn by seed."""
    labels = np.array([row["label"] for row in files])
    return [files[place] for place in draw_evenly(np.arange(len(files)), labels, n, seed)]
