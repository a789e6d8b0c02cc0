"""Photos through a trained model: one row each, as they come, so that memory stays flat; written as CSV."""

import csv
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, TextIO, TypedDict, TypeVar

from maskkit.core import disk, parallel
from maskkit.deploy import addresses
from maskkit.deploy.classifier import Answer, Classifier
from maskkit.deploy.photo_files import read_photo


class Row(TypedDict):
    """A file's prediction: `label` and its `probability`, 0..1. Where the model is not sure, `label` is None, and
    `note` names the class that the probability is of. Of a file that is no photo both are None, and `note` says why.
    """

    file: str
    label: str | None
    probability: float | None
    note: str


NOT_SURE = "not sure"
COLUMNS = tuple(Row.__annotations__)
AnyRow = TypeVar("AnyRow", bound=Mapping[str, Any])


def predict(files: Iterable[str], classifier: Classifier, folder: str = "") -> Iterator[Row]:
    """One row per file, in their order, as they come; folder: what relative names mean."""

    def prepare(name: str) -> tuple[str, Any, str]:
        try:
            return name, classifier.prepare(read_photo(addresses.absolute(name, folder))), ""
        except ValueError as error:
            return name, None, str(error)

    def make_rows(batch: list[tuple[str, Any, str]]) -> list[Row]:
        answers = iter(classifier.answer([image for _, image, _ in batch if image is not None]))
        return [
            Row(file=name, label=None, probability=None, note=note)
            if image is None
            else Row(file=name, **cells(next(answers)))
            for name, image, note in batch
        ]

    workers = min(4, parallel.WORKERS)  # a phone's photo takes 150 MB meanwhile
    for rows in parallel.read_and_pass(
        prepare, make_rows, files, classifier.batch, core_each=classifier.core_each, workers=workers
    ):
        yield from rows


class Cells(TypedDict):
    """What an answer fills of a row."""

    label: str | None
    probability: float | None
    note: str


def cells(answer: Answer) -> Cells:
    """An answer as it stands in a table; without a label where the model is not sure."""
    if answer.sure:
        return Cells(label=answer.label, probability=answer.probability, note="")
    return Cells(label=None, probability=answer.probability, note=f"{NOT_SURE}, likeliest {answer.label}")


def write_csv(rows: Iterable[AnyRow], file: TextIO, columns: Sequence[str] = COLUMNS) -> Iterator[AnyRow]:
    """Pass rows on, each written to a text file first: UTF-8, a name's other bytes kept, formulas defused."""
    writer = csv.DictWriter(disk.LineFeeds(file), columns)
    writer.writeheader()
    for row in rows:
        writer.writerow({name: disk.escape(format_cell(name, row[name])) for name in columns})
        yield row


def format_cell(column: str, value: Any) -> str:
    if value is None:
        return ""
    decimals = {"probability": 6, "time": 3}.get(column)
    return str(value) if decimals is None else f"{value:.{decimals}f}"
