"""The set of synthetic faces on disk: it needs no download and shows no real person. `face_drawing` draws each face."""

import csv
import shutil
from pathlib import Path
from typing import Any

import filelock

from maskkit.core import disk
from maskkit.core.progress import bar
from maskkit.sources import face_drawing

VERSION = "2"  # changes whenever a pixel changes
LABELS = face_drawing.LABELS


def make(folder: str | Path, n_per_class: int = 240, seed: int = 0) -> Path:
    """Draw the set into folder/with_mask, folder/without_mask and folder/faces.csv, unless it is there already.

    The faces are drawn beside the folder and moved in place at the end, so no other process sees half a set. A second
    process waits for the first and takes its set.

    Args:
        folder: of the set; replaced if it holds another or a damaged demo set.
        n_per_class: faces per class, 1 or more.
        seed: 0 or more; the same seed gives the same bytes.

    Returns:
        the folder as a Path.

    Raises:
        ValueError: n_per_class is below 1.
        FileExistsError: the folder holds something that is no demo set.
    """
    folder = Path(folder).absolute()
    if n_per_class < 1:
        raise ValueError(f"n_per_class must be 1 or more, got {n_per_class}")
    settings = {"version": VERSION, "n_per_class": n_per_class, "seed": seed}
    if is_complete(folder, settings):
        return folder
    if folder.exists() and any(folder.iterdir()) and not (folder / "demo.json").exists():
        raise FileExistsError(f"{folder} holds something else than the demo set; name another folder")
    folder.parent.mkdir(parents=True, exist_ok=True)
    part = folder.with_name(f".{folder.name}.part")
    with filelock.FileLock(folder.with_name(f".{folder.name}.lock")):
        if is_complete(folder, settings):  # of the process that had the lock before
            return folder
        shutil.rmtree(part, ignore_errors=True)  # of a process that was killed
        try:
            draw_all(part, n_per_class, seed)
            disk.write_json(part / "demo.json", settings)
            if folder.exists():
                shutil.rmtree(folder)
            part.rename(folder)
        finally:
            shutil.rmtree(part, ignore_errors=True)
    return folder


def draw_all(part: Path, n_per_class: int, seed: int) -> None:
    """Draw the photos and faces.csv into a folder that does not exist yet."""
    rows = []
    for label in LABELS:
        (part / label).mkdir(parents=True)
    for i in bar(range(2 * n_per_class), desc="drawing faces", unit=" faces"):
        image, attributes = face_drawing.draw(i, LABELS[i % 2], seed)
        file = f"{LABELS[i % 2]}/face_{i:04d}.png"
        image.save(part / file, compress_level=4)
        rows.append({"file": file, **attributes})
    with open(part / "faces.csv", "w", newline="") as stream:
        writer = csv.DictWriter(stream, list(rows[0]), lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)


def is_complete(folder: Path, settings: dict[str, Any]) -> bool:
    """Whether the folder holds the set with these settings, and every file of faces.csv."""
    try:
        saved = disk.read_json(folder / "demo.json")
        files = [row["file"] for row in disk.read_csv(folder / "faces.csv")]
    except (OSError, ValueError, KeyError):
        return False
    return saved == settings and len(files) > 0 and all((folder / file).is_file() for file in files)
