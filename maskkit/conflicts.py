"""Photos with the same bytes in two classes or more: one of their labels is wrong."""

import stat
from collections import defaultdict
from pathlib import Path

from maskkit import corrections
from maskkit.core import disk
from maskkit.data import Rows
from maskkit.sources import decoding, folders, listing

COLUMNS = ("sha256", "source", "label", "drawn")  # of conflicts.csv


def find(source: folders.Source, rows: Rows, *, split: str, corrected: Path | None = None) -> Rows:
    """Files with the same bytes in two classes or more, drawn or not.

    Only files of a size that another class has too are hashed.

    Args:
        rows: of split.csv, the photos drawn from `source`; split: parameter SPLIT.
        corrected: a corrections.csv, whose labels count, without the photos excluded there; None for none.

    Returns:
        dicts of COLUMNS, sorted by bytes.
    """
    parts = [source.training] + ([source.parts[source.validation]] if split == "given" else [])
    files = [(path, label) for part in parts for label, folder in part.items() for path in listing.list_photos(folder)]
    sizes = [size_of(path) for path, _ in files]
    labels_of_size = defaultdict(set)
    for (_, label), size in zip(files, sizes, strict=True):
        labels_of_size[size].add(label)
    drawn = {row["source"]: row["sha256"] for row in rows}
    changed = corrections.labels(corrected) if corrected else {}
    candidates = []
    for (path, folder_label), size in zip(files, sizes, strict=True):
        name = path.relative_to(source.folder).as_posix()
        digest = drawn.get(name, "")
        if size > 0 and len(labels_of_size[size]) > 1:
            digest = digest or hash_of(path)
        label = changed.get(digest, folder_label) or ""  # of an excluded photo none
        if digest and label:
            row = {"sha256": digest, "source": name, "label": label, "drawn": "yes" if name in drawn else "no"}
            candidates.append(row)
    return among(candidates)


def among(rows: Rows) -> Rows:
    """Those of some rows (sha256, source, label, drawn) whose bytes have another label too, by bytes and name."""
    labels = defaultdict(set)
    for row in rows:
        labels[row["sha256"]].add(row["label"])
    conflicting = [row for row in rows if len(labels[row["sha256"]]) > 1]
    return sorted(conflicting, key=lambda row: (row["sha256"], row["source"]))


def read(run_dir: Path) -> Rows:
    """The rows of the run's conflicts.csv; none where there is no such file, as in runs of earlier versions."""
    path = Path(run_dir) / "conflicts.csv"
    return disk.read_csv(path) if path.is_file() else []


def size_of(path: Path) -> int:
    """A regular file's size in bytes, -1 for anything else."""
    try:
        about = path.stat()
    except OSError:
        return -1
    return about.st_size if stat.S_ISREG(about.st_mode) else -1


def hash_of(path: Path) -> str:
    """A file's sha256, or "" where it cannot be read."""
    try:
        return decoding.sha256(path)
    except (OSError, ValueError):
        return ""
