"""Photos of notebook 04: the run's own, split many times, and the test sets that every recipe answers."""

import dataclasses
from pathlib import Path
from typing import Any

import numpy as np

from maskkit import data, model
from maskkit.audit import leaks, splits, survey
from maskkit.audit.audited import find_versions
from maskkit.audit.splits import draw_evenly
from maskkit.core.groups import components
from maskkit.improve import augment
from maskkit.sources import decoding, folders, listing

SPARE = 1.5  # candidates read per photo that is needed: some are versions of drawn ones


@dataclasses.dataclass(frozen=True)
class TestSet:
    """Photos that every recipe answers. words: for sentences; transform: turns a photo into the network's input.

    rows: dicts with path, label, sha256; groups: int (n,), versions of one original.
    """

    name: str
    words: str
    rows: list[dict[str, Any]] = dataclasses.field(repr=False)
    groups: np.ndarray = dataclasses.field(repr=False)
    transform: model.Transform | augment.View = dataclasses.field(default_factory=model.Transform)

    __test__ = False  # no class of tests for pytest

    def dataset(self, classes: tuple[str, ...]) -> data.Photos:
        return data.Photos(self.rows, classes, self.transform)


@dataclasses.dataclass(frozen=True)
class Drawn:
    """The run's photos (a `data.Photos`), and the splits of them to learn from: pairs (train, val) of int arrays."""

    photos: data.Photos
    parts: list[tuple[np.ndarray, np.ndarray]]


def draw(run_dir: Path, *, n_seeds: int, seed: int) -> Drawn:
    """Split the photos of a run's split.csv `n_seeds` times: 20 % validation, no group in both parts.

    If the run validated on a given part (SPLIT='given'), only photos of the training part are split.

    Raises:
        FileNotFoundError, ValueError: raised by `data.read_split`; or there are too few originals to split.
    """
    rows = [row for part in data.read_split(run_dir) for row in part]
    given = (folders.VALIDATION, folders.TEST)  # with SPLIT='given' these photos are for measuring
    rows = [row for row in rows if listing.origin(row["source"])[0] not in given]
    photos = data.MaskDataset(rows, run_dir, data.classes(rows), model.Transform())
    groups = np.unique([row["group"] for row in rows], return_inverse=True)[1]
    everyone = np.ones(len(rows), dtype=bool)
    parts = splits.draw(np.array(photos.labels), groups, everyone, per_class=0, n_splits=n_seeds, seed=seed)
    return Drawn(photos, parts)


def find(drawn: Drawn, source: folders.Source, against: folders.Source | None, *, n: int, seed: int) -> list[TestSet]:
    """Find the test sets: `unseen`, the same photos as `street_camera`, and `other_source` if there is one.

    Args:
        source: from which the run was drawn; its test part is taken, or its validation part if there is no test part,
            or the photos that were not drawn if there are no parts.
        against: the source of other photos, or None.
        n: photos of each at most, evenly from the classes.

    Returns:
        the test sets; `unseen` holds no version of a drawn photo.

    Raises:
        ValueError: no photo is left, or the other source has other classes.
    """
    plain = find_unseen(drawn, source, n, seed)
    street = augment.View(model.Transform(), "street", seed, 0)
    words = "photos through a simulated street camera"
    both = [plain, dataclasses.replace(plain, name="street_camera", words=words, transform=street)]
    if against is None:
        return both
    files = survey.find_files(against)
    names = tuple(sorted({row["label"] for row in files}))
    if names != drawn.photos.classes:
        raise ValueError(f"AGAINST holds the classes {', '.join(names)}, the run {', '.join(drawn.photos.classes)}")
    known = {row["sha256"] for row in drawn.photos.rows}
    others = survey.read(sample(files, n, seed))
    new = [row for row in others.rows if row["sha256"] not in known]
    groups = components(len(new), leaks.exact(np.array([row["sha256"] for row in new])))
    return [*both, TestSet("other_source", f"photos of another source ({against.photos})", new, groups)]


def find_unseen(drawn: Drawn, source: folders.Source, n: int, seed: int) -> TestSet:
    """Find photos that no recipe learned from: candidates that are versions of drawn photos are left out."""
    known = {row["sha256"] for row in drawn.photos.rows}
    files = survey.find_files(source)
    parts = ([row for row in files if row["part"] == part] for part in (folders.TEST, folders.VALIDATION))
    separate = next((rows for rows in parts if rows), files)
    candidates = sample([row for row in separate if decoding.sha256(row["path"]) not in known], round(SPARE * n), seed)
    photos = drawn.photos
    learned = [
        {"path": photos.path(i), "file": row["file"], "label": row["label"], "part": "drawn"}
        for i, row in enumerate(photos.rows)
    ]
    if not candidates:
        raise ValueError(f"every photo of {source.photos} was drawn, so none is left to be measured on")
    read = survey.read(candidates + learned)
    groups = find_versions(read, None)["all"]
    free = np.flatnonzero(~np.isin(groups, groups[read.column("part") == "drawn"]))
    if len(np.unique(read.labels[free])) < len(read.classes):
        raise ValueError(f"no photo of some class of {source.photos} is left that is no version of a drawn one")
    places = draw_evenly(free, read.labels, n, seed)
    return TestSet("unseen", f"unseen photos of {source.photos}", [read.rows[i] for i in places], groups[places])


def sample(files: list[dict[str, Any]], n: int, seed: int) -> list[dict[str, Any]]:
    """Up to n of some files, evenly from each class, drawn by seed."""
    labels = np.array([row["label"] for row in files])
    return [files[place] for place in draw_evenly(np.arange(len(files)), labels, n, seed)]
