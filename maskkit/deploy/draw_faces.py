"""Copies of pictures with a box and a label around each face, told apart without colour."""

import functools
import hashlib
import os
from collections.abc import Sequence
from pathlib import Path
from typing import TypeAlias

import matplotlib
import numpy as np
from PIL import Image, ImageDraw, ImageFont

from maskkit.core import disk
from maskkit.deploy.classifier import Answer
from maskkit.deploy.predict import NOT_SURE
from maskkit.deploy.predict_faces import JudgedFace, JudgedPicture, Picture
from maskkit.sources.face_finder import Face

Box: TypeAlias = tuple[int, int, int, int]  # left, top, right, bottom

INK, PAPER = (0, 0, 0), (255, 255, 255)
DASHES = (0, 4, 1.5)  # length of a dash in line widths, by class: solid, dashed, dotted, then again


def write(judged: JudgedPicture, classes: Sequence[str], folder: str | Path) -> None:
    """Write a picture's copy into a folder, named by `file_name`; what is no picture has none."""
    picture = judged.picture
    if picture.image is None:
        return
    with disk.replacing(Path(folder) / file_name(picture)) as temporary:
        draw(picture.image, judged.faces, classes).save(temporary, "JPEG", quality=90)


def file_name(picture: Picture) -> str:
    """The picture's own name, with a hash of its path: files of one name in two folders stay apart."""
    digest = hashlib.sha256(os.fsencode(picture.file)).hexdigest()[:8]
    time = "" if picture.time is None else f"-{picture.time:.3f}s"
    stem = os.fsencode(os.path.basename(picture.file))[:150].decode("utf-8", "replace")
    return f"{stem}-{digest}{time}.jpg"


def draw(
    image: Image.Image,
    faces: Sequence[JudgedFace],
    classes: Sequence[str],
    texts: Sequence[str] | None = None,
    first: int = 0,
) -> Image.Image:
    """A copy with a box around each face, solid or dashed by its class, and beside it the class and probability.

    Where the model is not sure, the box has the style after those of the classes, and NOT_SURE stands for the class.
    Where that would cover another face or its label, only the face's number stands there.

    texts: what stands beside the boxes instead, one for each face. first: the number of the first face.
    """
    texts = texts or [describe(judged.answer) for judged in faces]
    copy = image.copy()
    canvas = ImageDraw.Draw(copy)
    width = max(2, round(max(image.size) / 400))
    letters = font(max(12, round(max(image.size) / 60)))
    boxes = [corners(judged.face) for judged in faces]
    texts = shorten(texts, boxes, letters, image.size, first)
    for judged, box, text in reversed([*zip(faces, boxes, texts, strict=True)]):  # the largest on top
        answer = judged.answer
        style = DASHES[(classes.index(answer.label) if answer.sure else len(classes)) % len(DASHES)]
        canvas.rectangle(box, outline=INK, width=width + 2)
        draw_dashes(canvas, box, style * width, width)
        write_label(canvas, text, box, letters, image.size)
    return copy


def describe(answer: Answer) -> str:
    """Such as "with_mask 98%"."""
    return f"{answer.label if answer.sure else NOT_SURE} {answer.probability:.0%}"


def draw_dashes(canvas: ImageDraw.ImageDraw, box: Box, dash: float, width: int) -> None:
    """A white rectangle of dashes and gaps of `dash` pixels each; 0 is a solid one."""
    left, top, right, bottom = box
    if not dash:
        canvas.rectangle(box, outline=PAPER, width=width)
        return
    for start, end in (((left, top), (right, top)), ((left, bottom), (right, bottom)), ((left, top), (left, bottom)),
                       ((right, top), (right, bottom))):  # fmt: skip
        length = max(end[0] - start[0], end[1] - start[1])
        along = ((end[0] - start[0]) / max(1, length), (end[1] - start[1]) / max(1, length))
        for step in range(0, length, max(2, round(2 * dash))):
            stop = min(length, step + dash)
            ends = [tuple(corner + way * at for corner, way in zip(start, along, strict=True)) for at in (step, stop)]
            canvas.line(ends, fill=PAPER, width=width)


def corners(face: Face) -> Box:
    """left, top, right, bottom."""
    return face.x, face.y, face.x + face.width, face.y + face.height


def shorten(
    texts: Sequence[str], boxes: Sequence[Box], letters: ImageFont.FreeTypeFont, size: tuple[int, int], first: int
) -> list[str]:
    """The labels of faces; those that would lie on another face or label are its number, counted from `first`."""
    areas = np.array([label_area(*pair, letters, size) for pair in zip(texts, boxes, strict=True)]).reshape(-1, 4)
    taken = np.concatenate([np.array(boxes).reshape(-1, 4), areas])
    shortened = []
    for number, (text, area) in enumerate(zip(texts, areas, strict=True)):
        covers = (np.minimum(area[2:], taken[:, 2:]) > np.maximum(area[:2], taken[:, :2])).all(1)
        covers[[number, number + len(boxes)]] = False
        shortened.append(str(first + number) if covers.any() else text)
    return shortened


def label_area(text: str, box: Box, letters: ImageFont.FreeTypeFont, size: tuple[int, int]) -> Box:
    """Where a label lies: above a box, or inside it where the picture ends."""
    _, _, across, down = (round(side) for side in letters.getbbox(text))
    left = max(0, min(box[0], size[0] - across - 5))
    top = box[1] - down - 4 if box[1] >= down + 4 else box[1]
    return left, top, left + across + 4, top + down + 4


def write_label(
    canvas: ImageDraw.ImageDraw, text: str, box: Box, letters: ImageFont.FreeTypeFont, size: tuple[int, int]
) -> None:
    """Black letters on white, see `label_area`."""
    area = label_area(text, box, letters, size)
    canvas.rectangle(area, fill=PAPER, outline=INK)
    canvas.text((area[0] + 2, area[1] + 2), text, fill=INK, font=letters)


@functools.cache
def font(size_px: int) -> ImageFont.FreeTypeFont:
    """DejaVu Sans, which matplotlib brings with it: it has the letters of most class names."""
    return ImageFont.truetype(Path(matplotlib.get_data_path()) / "fonts" / "ttf" / "DejaVuSans.ttf", size_px)
