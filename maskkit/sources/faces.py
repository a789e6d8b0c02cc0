"""The set of synthetic faces on disk: it needs no download and shows no real person. `face_drawing` draws each face."""

import csv
import glob
import json
import shutil
import time
import uuid
from pathlib import Path
from typing import Any

from maskkit.core.progress import bar
from maskkit.sources import face_drawing

VERSION = "2"  # changes whenever a pixel changes
LABELS = face_drawing.LABELS


def make(folder: str | Path, n_per_class: int = 240, seed: int = 0) -> Path:
    """Draw the set into folder/with_mask, folder/without_mask and folder/faces.csv, unless it is there already.

    The faces are drawn beside the folder and moved in place at the end, so no other process sees half a set. If two
    processes draw at once, the result of one is kept.

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
    for left in folder.parent.glob(f"{glob.escape(folder.name)}.*.part"):  # of a process that was killed
        if time.time() - left.stat().st_mtime > 3600:
            shutil.rmtree(left, ignore_errors=True)
    part = folder.with_name(f"{folder.name}.{uuid.uuid4().hex[:8]}.part")
    try:
        draw_all(part, n_per_class, seed)
        (part / "demo.json").write_text(json.dumps(settings) + "\n")
        publish(part, folder, settings)
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
        saved = json.loads((folder / "demo.json").read_text())
        with open(folder / "faces.csv", newline="") as stream:
            files = [row["file"] for row in csv.DictReader(stream)]
    except (OSError, ValueError, KeyError):
        return False
    return saved == settings and len(files) > 0 and all((folder / file).is_file() for file in files)


def publish(part: Path, folder: Path, settings: dict[str, Any]) -> None:
    """Move the finished set in place of an older one; keep an equal one that another process has made meanwhile."""
    old = part.with_suffix(".old.part")
    for _ in range(5):
        if is_complete(folder, settings):
            return
        try:
            if folder.exists():
                folder.rename(old)
                shutil.rmtree(old, ignore_errors=True)
            part.rename(folder)
            return
        except OSError:  # another process was faster: check again
            time.sleep(0.2)
    raise OSError(f"{folder} could not be replaced by {part.name}; close what uses it and try again")
