"""The rows of a prediction, of photos or of the faces in them, counted as they come."""

import dataclasses
import itertools
import os
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from maskkit.deploy import draw_faces, predict, predict_faces
from maskkit.deploy.classifier import Classifier
from maskkit.deploy.summary import Summary
from maskkit.sources.face_finder import Finder


@dataclasses.dataclass(frozen=True)
class FaceOptions:
    """How faces are searched: `every` as `predict_faces.predict`, `draw` a local folder for drawn copies, or None."""

    every: int | None = None
    draw: str | None = None


def columns(faces: FaceOptions | None) -> tuple[str, ...]:
    """The columns of a table of photos, or of faces."""
    return predict_faces.columns(faces.every) if faces else predict.COLUMNS


def photo_rows(
    files: Iterable[str], classifier: Classifier, summary: Summary, folder: str = ""
) -> Iterator[Mapping[str, Any]]:
    """A row for each file, added to the summary; folder: what relative names mean."""
    for row in predict.predict(files, classifier, folder):
        summary.add(row)
        yield row


def face_rows(
    files: Iterable[str], find: Finder, classifier: Classifier, faces: FaceOptions, summary: Summary, folder: str = ""
) -> Iterator[Mapping[str, Any]]:
    """A row for each face, added to the summary, and the drawn pictures; folder: what relative names mean."""
    for judged in predict_faces.predict(files, find, classifier, faces.every, folder):
        if faces.draw:
            draw_faces.write(judged, classifier.classes, os.path.join(folder, faces.draw))
        summary.pictures += judged.picture.image is not None
        for row, face in itertools.zip_longest(judged.rows(), judged.faces):
            summary.add(row, face.crop if face else None)
            yield row
