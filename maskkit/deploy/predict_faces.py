"""Whole pictures and videos: every face found in them, and what a trained model says of it."""

import dataclasses
import functools
import math
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, TypedDict

from PIL import Image

from maskkit.core import memory, parallel
from maskkit.deploy import addresses, photo_files, video
from maskkit.deploy.classifier import Answer, Classifier
from maskkit.deploy.predict import cells
from maskkit.sources import decoding, face_crops
from maskkit.sources.face_finder import Face, Finder

NO_FACE = "no face found"
VIDEO = "a video: give --every N to read one of N frames"


class FaceRow(TypedDict):
    """A face's prediction; the box is in pixels of the upright picture, the largest face is number 0.

    Its answer is as that of `predict.Row`. A picture without a face and a file that is no picture are a row each, empty
    but for `file` and `note`, which says which. `time`: of a video's frame, in seconds.
    """

    file: str
    time: float | None
    face: int | None
    x: int | None
    y: int | None
    width: int | None
    height: int | None
    label: str | None
    probability: float | None
    note: str


def columns(every: int | None) -> tuple[str, ...]:
    """The columns of a table: `time` only where videos are read."""
    return tuple(name for name in FaceRow.__annotations__ if every or name != "time")


@dataclasses.dataclass(frozen=True)
class JudgedFace:
    """A found face, the square that the model saw, and its answer."""

    face: Face
    crop: Image.Image
    answer: Answer


@dataclasses.dataclass(frozen=True)
class Picture:
    """A picture as it was read (None: it could not be, `note` says why), and its upright width and height on disk."""

    file: str
    image: Image.Image | None
    size: tuple[int, int]
    note: str = ""
    time: float | None = None


@dataclasses.dataclass(frozen=True)
class JudgedPicture:
    picture: Picture
    faces: tuple[JudgedFace, ...]

    def rows(self) -> Iterator[FaceRow]:
        """A row for each face, or one that says why there is none."""
        picture = self.picture
        if not self.faces or picture.image is None:
            yield empty_row(picture, picture.note or NO_FACE)
            return
        across, down = (own / read for own, read in zip(picture.size, picture.image.size, strict=True))
        for number, judged in enumerate(self.faces):
            face = judged.face
            yield FaceRow(
                file=picture.file,
                time=picture.time,
                face=number,
                x=round(face.x * across),
                y=round(face.y * down),
                width=round(face.width * across),
                height=round(face.height * down),
                **cells(judged.answer),
            )


def is_skipped(row: Mapping[str, Any]) -> bool:
    """Whether a row, of `predict` too, is of a file that is no picture."""
    return row["probability"] is None and row["note"] != NO_FACE


def empty_row(picture: Picture, note: str) -> FaceRow:
    values = dict.fromkeys(FaceRow.__annotations__)
    return FaceRow(**values | {"file": picture.file, "time": picture.time, "note": note})  # type: ignore[typeddict-item]


def predict(
    files: Iterable[str], find: Finder, classifier: Classifier, every: int | None = None, folder: str = ""
) -> Iterator[JudgedPicture]:
    """Every picture of some files, in their order, as they come.

    Args:
        every: of videos, one frame of so many is read; None: none. folder: what relative names mean.
    """
    for picture in read_pictures(files, every, folder):
        faces = judge(picture.image, find, classifier) if picture.image else []
        release_if_large(picture)
        yield JudgedPicture(picture, tuple(faces))


def release_if_large(picture: Picture) -> None:
    """Return to the system what a large picture took: a classifier lets the process keep freed memory.

    Otherwise each thread that decodes would hold as much as its largest photo took.
    """
    if math.prod(picture.size) > decoding.LARGE_PIXELS:
        memory.release_freed()


def judge(image: Image.Image, find: Finder, classifier: Classifier) -> list[JudgedFace]:
    """The faces of an RGB picture, the largest first, each with the model's answer."""
    judged: list[JudgedFace] = []
    for faces in parallel.in_batches(find(image), classifier.batch):
        crops = [face_crops.crop(image, face) for face in faces]
        answers = classifier.answer([classifier.prepare(crop) for crop in crops])
        judged += map(JudgedFace, faces, crops, answers)
    return judged


def read_pictures(files: Iterable[str], every: int | None, folder: str) -> Iterator[Picture]:
    """The pictures of some files; photos are read ahead in two threads, as four of them can take 200 MB."""
    for picture in parallel.in_threads(functools.partial(read_picture, folder), files, 2):
        if picture.note != VIDEO or every is None:
            yield picture
        else:
            yield from read_video(folder, picture.file, every)


def read_picture(folder: str, name: str) -> Picture:
    """A photo; a video is not read here, its note is VIDEO."""
    path = addresses.absolute(name, folder)
    if video.is_video(path):
        return Picture(name, None, (0, 0), VIDEO)
    try:
        image, size = photo_files.read_sized(path)
    except ValueError as error:
        return Picture(name, None, (0, 0), str(error))
    picture = Picture(name, image, size)
    release_if_large(picture)
    return picture


def read_video(folder: str, name: str, every: int) -> Iterator[Picture]:
    try:
        for seconds, frame in video.read_frames(addresses.absolute(name, folder), every):
            yield Picture(name, frame, frame.size, time=seconds)
    except ValueError as error:
        yield Picture(name, None, (0, 0), str(error))
