"""The dataset: rows of split.csv, and the photos they name as a torch Dataset."""

from __future__ import annotations

import copy
import random
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from PIL import Image

from maskkit import runs
from maskkit.core import class_names, disk
from maskkit.sources import decoding

if TYPE_CHECKING:
    import torch

SPLIT_COLUMNS = ("file", "label", "part", "sha256", "group", "source")
PARTS = ("train", "val")
Rows = list[dict[str, str]]  # of a table such as split.csv


def count_by_class(rows: Rows) -> dict[str, dict[str, int]]:
    """{part: {label: n}} of split rows."""
    labels = classes(rows)
    return {part: {x: sum(r["part"] == part and r["label"] == x for r in rows) for x in labels} for part in PARTS}


def format_summary(rows: Rows) -> str:
    """One line that is the same on every machine: '160 train, 40 validation, classes with_mask, without_mask'."""
    n_val = count(rows, "val")
    return f"{len(rows) - n_val} train, {n_val} validation, classes {', '.join(classes(rows))}"


def count(rows: Rows, part: str) -> int:
    """How many photos are in a part."""
    return sum(row["part"] == part for row in rows)


def sample(
    rows: Rows, run_dir: Path, *, per_class: int, seed: int, most_classes: int | None = None
) -> tuple[list[Image.Image], list[int]]:
    """Up to `per_class` photos of each class, drawn by seed: (RGB images, labels as class indices).

    Of more than `most_classes` classes only the first so many by name.
    """
    names = classes(rows)
    picked: Rows = []
    for label in class_names.first(names, most_classes or len(names)):
        candidates = [row for row in rows if row["label"] == label]
        picked += random.Random(f"sample {seed} {label}").sample(candidates, min(per_class, len(candidates)))
    images = [decoding.decode(Path(run_dir) / "data-mask" / row["file"]) for row in picked]
    return images, [names.index(row["label"]) for row in picked]


def classes(rows: Sequence[dict[str, str]]) -> tuple[str, ...]:
    """The classes of split rows, sorted."""
    return tuple(sorted({row["label"] for row in rows}))


def read_split(run_dir: Path) -> tuple[Rows, Rows]:
    """(train rows, val rows) of the run's split.csv, every photo's bytes checked: features come from the cache by hash.

    Raises:
        FileNotFoundError: split.csv or some of its photos are not there.
        ValueError: split.csv is not such a file, or a photo has changed since it was written.
    """
    path = runs.need(run_dir, "split.csv", "01_prepare.ipynb")
    rows = disk.read_csv(path)
    if not rows or not set(SPLIT_COLUMNS) <= rows[0].keys():
        columns = ", ".join(SPLIT_COLUMNS)
        raise ValueError(f"{path} has no rows of {columns}; run 01_prepare.ipynb with the same RUN again")
    n_present = sum((Path(run_dir) / "data-mask" / row["file"]).is_file() for row in rows)
    if n_present < len(rows):
        raise FileNotFoundError(
            f"{Path(run_dir) / 'data-mask'} holds {n_present} of the {len(rows)} photos in split.csv; "
            "run 01_prepare.ipynb with the same RUN first"
        )
    for row in rows:
        check_bytes(Path(run_dir) / "data-mask" / row["file"], row["sha256"], MaskDataset.listed)
    train, val = ([row for row in rows if row["part"] == part] for part in PARTS)
    return train, val


def check_bytes(path: Path, expected: str, since: str) -> None:
    """Raise ValueError unless a file has the sha256 `expected`; `since` ends the message."""
    actual = decoding.sha256(path)
    if actual != expected:
        raise ValueError(f"{path} (sha256 {actual[:12]}..., listed as {expected[:12]}...) has changed since {since}")


class ImageTransform(Protocol):
    """Maps a PIL RGB image to the network's input, and describes itself: `model.Transform`, `augment.View`."""

    def __call__(self, image: Image.Image) -> torch.Tensor: ...

    def describe(self) -> dict[str, Any]: ...


class Photos:
    """Photos as (image float32 (3, size, size), label int), for any torch DataLoader.

    Args:
        rows: dicts with path, label and sha256.
        classes: label names; a label's index is its place here.
        transform: maps a PIL RGB image to the tensor, such as `model.Transform()`.

    Raises:
        ValueError: on access, a photo whose bytes are no longer those of its row.
    """

    listed = "it was listed; run the same command again"  # ends the message of changed bytes

    def __init__(self, rows: Iterable[dict[str, Any]], classes: Sequence[str], transform: ImageTransform) -> None:
        self.rows, self.classes, self.transform = list(rows), tuple(classes), transform
        self.labels = [self.classes.index(row["label"]) for row in self.rows]

    def __len__(self) -> int:
        return len(self.rows)

    def __getitem__(self, index: int) -> tuple[torch.Tensor, int]:
        return self.transform(self.image(index)), self.labels[index]

    def label_tensor(self) -> torch.Tensor:
        """The labels, int64 (n_photos,)."""
        import torch  # here, so that the command line can find photos without it

        return torch.tensor(self.labels, dtype=torch.int64)

    def pick(self, n: int, seed: int) -> list[int]:
        """Indices of up to `n` photos drawn by seed, sorted."""
        return sorted(random.Random(f"pick {seed}").sample(range(len(self)), min(n, len(self))))

    def subset(self, indices: Iterable[int]) -> Photos:
        """Some of the photos, through the same transform."""
        other, picked = copy.copy(self), list(indices)
        other.rows = [self.rows[index] for index in picked]
        other.labels = [self.labels[index] for index in picked]
        return other

    def image(self, index: int) -> Image.Image:
        """The photo as RGB, untransformed."""
        path = self.path(index)
        check_bytes(path, self.rows[index]["sha256"], self.listed)
        return decoding.decode(path)

    def path(self, index: int) -> Path:
        """The photo's file."""
        return self.rows[index]["path"]


class MaskDataset(Photos):
    """The photos of some rows of split.csv, in the data-mask/ of a run's folder `run_dir`; else as `Photos`."""

    listed = "split.csv was written; run 01_prepare.ipynb again"

    def __init__(self, rows: Rows, run_dir: Path, classes: Sequence[str], transform: ImageTransform) -> None:
        super().__init__(rows, classes, transform)
        self.folder = Path(run_dir) / "data-mask"

    def path(self, index: int) -> Path:
        return self.folder / self.rows[index]["file"]
