"""Photos through a trained model: one row each, as they come, so that memory stays flat; written as CSV."""

import csv
import itertools
from collections.abc import Iterable, Iterator
from typing import Any, TextIO, TypedDict

from maskkit.core import disk, parallel
from maskkit.deploy.classifier import Classifier
from maskkit.deploy.photo_files import read_photo


class Row(TypedDict):
    """A file's prediction. `label` and `probability` (of that label, 0..1) are None for a file that is no photo;
    `note` says why.
    """

    file: str
    label: str | None
    probability: float | None
    note: str


COLUMNS = tuple(Row.__annotations__)


def predict(files: Iterable[str], classifier: Classifier) -> Iterator[Row]:
    """One row per file, in their order, as they come."""

    def prepare(name: str) -> tuple[str, Any, str]:
        try:
            return name, classifier.prepare(read_photo(name)), ""
        except ValueError as error:
            return name, None, str(error)

    prepared = parallel.in_threads(prepare, files, min(4, parallel.WORKERS))  # a phone's photo takes 150 MB meanwhile
    while batch := list(itertools.islice(prepared, classifier.batch)):
        yield from make_rows(batch, classifier)


def make_rows(batch: list[tuple[str, Any, str]], classifier: Classifier) -> Iterator[Row]:
    """Rows of some (name, prepared image or None, note)."""
    images = [image for _, image, _ in batch if image is not None]
    all_probabilities = iter(classifier.classify(images) if images else ())
    for name, image, note in batch:
        if image is None:
            yield Row(file=name, label=None, probability=None, note=note)
            continue
        probabilities = next(all_probabilities)
        best = int(probabilities.argmax())
        yield Row(file=name, label=classifier.classes[best], probability=float(probabilities[best]), note="")


def write_csv(rows: Iterable[Row], file: TextIO) -> Iterator[Row]:
    """Pass rows on, each written to a text file first: UTF-8, a name's other bytes kept, formulas defused."""
    writer = csv.DictWriter(disk.LineFeeds(file), COLUMNS)
    writer.writeheader()
    for row in rows:
        probability = "" if row["probability"] is None else f"{row['probability']:.6f}"
        cells = {"file": row["file"], "label": row["label"] or "", "probability": probability, "note": row["note"]}
        writer.writerow({name: disk.escape(cell) for name, cell in cells.items()})
        yield row
