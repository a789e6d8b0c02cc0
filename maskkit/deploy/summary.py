"""What a page and the last line say of predictions, in bounded memory."""

import collections
import heapq
from collections.abc import Iterable, Mapping
from typing import Any

from PIL import Image

from maskkit.deploy.predict_faces import NO_FACE

Row = Mapping[str, Any]  # of `predict` or `predict_faces`

SHOWN = 96  # the photos of lowest confidence that a page shows: enough to judge by eye, under a megabyte of pictures
NAMED = 100  # skipped files that a page names; the table names all
CONFIDENCE_LEVELS = ("below 70 %", "70-90 %", "90-99 %", "99 % and more")


class Summary:
    """Counts of rows, and the rows that a page shows.

    unit: what a row with a probability is, "photo" or "face". counts: of these by label. confidence: {label: counts by
    level}. unsure: of these, those without a label. skipped: number of files that are no photo, `skipped_rows`: the
    first NAMED of them. Where faces are counted, pictures: number of those read, without_face: of these without one.
    """

    def __init__(self, classes: Iterable[str], unit: str = "photo") -> None:
        self.unit, self.pictures, self.without_face, self.unsure = unit, 0, 0, 0
        self.counts: collections.Counter[str] = collections.Counter(dict.fromkeys(classes, 0))
        self.confidence: dict[str, collections.Counter[str]] = {name: collections.Counter() for name in self.counts}
        self.skipped = 0
        self.skipped_rows: list[Row] = []
        # The highest confidence on top, replaced first.
        self._heap: list[tuple[float, int, Row, Image.Image | None]] = []

    def add(self, row: Row, picture: Image.Image | None = None) -> None:
        """Count a row; `picture` is what a page shows of it, None where it can read the file again."""
        label, probability = row["label"], row["probability"]
        if row["note"] == NO_FACE:
            self.without_face += 1
            return
        if probability is None:
            self.skipped += 1
            self.skipped_rows += [row] if len(self.skipped_rows) < NAMED else []
            return
        if label is None:
            self.unsure += 1
        else:
            self.counts[label] += 1
            self.confidence[label][confidence_level(probability)] += 1
        entry = (-probability, -self.n, row, picture)  # among equals the earlier one stays
        (heapq.heappush if len(self._heap) < SHOWN else heapq.heappushpop)(self._heap, entry)

    @property
    def n(self) -> int:
        """Photos, or faces, that the model has seen."""
        return self.counts.total() + self.unsure

    @property
    def pictured(self) -> list[tuple[Row, Image.Image | None]]:
        """Rows of up to SHOWN photos, the lowest confidence first, each with its picture."""
        return [(row, picture) for _, _, row, picture in sorted(self._heap, key=lambda entry: entry[:2], reverse=True)]


def confidence_level(probability: float) -> str:
    """Which of CONFIDENCE_LEVELS a probability falls into."""
    return CONFIDENCE_LEVELS[sum(probability >= limit for limit in (0.7, 0.9, 0.99))]
