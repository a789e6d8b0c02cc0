"""What `maskkit demo` answers for one picture: each face with its label, confidence and an occlusion map, as HTML."""

import dataclasses
import functools
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any, TypeAlias

import matplotlib
import numpy as np
from PIL import Image

from maskkit.core.messages import plural
from maskkit.deploy import classifier, draw_faces, predict_faces
from maskkit.deploy.classifier import Classifier
from maskkit.deploy.predict import NOT_SURE
from maskkit.deploy.predict_faces import JudgedFace
from maskkit.html import markup
from maskkit.html.render import render
from maskkit.sources import decoding
from maskkit.sources.face_finder import Finder

MAX_MAPS = 6  # an occlusion map takes 50 answers of the network
MAX_CARDS = 24  # of hundreds of faces; all have a box in the picture
PICTURE_PX, CROP_PX = 1200, 224  # the longer sides of what the page shows
FULL_LOSS = 0.2  # the strongest colour stands for a loss of at least this, so that noise does not shine

# An RGB crop and the index of its class to the probability lost, float32 (h, w); see `regions.occlusion_map`.
Explainer: TypeAlias = Callable[[Image.Image, int], np.ndarray]


@dataclasses.dataclass(frozen=True)
class Judge:
    """All that an answer needs. threshold: the probability below which the answer is NOT_SURE, 0..1."""

    find: Finder
    classifier: Classifier
    explain: Explainer
    threshold: float

    def __post_init__(self) -> None:
        if not 0 <= self.threshold <= 1:
            raise ValueError(f"--threshold takes 0 to 1, got {self.threshold:g}")

    @functools.cached_property
    def model(self) -> Classifier:
        """The classifier, sure where a class has the threshold."""
        return dataclasses.replace(self.classifier, is_sure=lambda each: bool(each.max() >= self.threshold))


def load_model(run_dir: Path, device: str = "auto") -> tuple[Classifier, Explainer]:
    """The answers and the occlusion maps of a run's network, which is loaded once.

    Raises:
        FileNotFoundError, ValueError: as `checkpoint.load`.
    """
    from maskkit.audit import regions

    network, description, torch_device = classifier.load_network(run_dir, device)

    def explain(crop: Image.Image, index: int) -> np.ndarray:
        return regions.occlusion_map(network, description["transform"](crop), index, torch_device)

    return classifier.of_network(run_dir.resolve().name, network, description, torch_device), explain


def answers(path: str | None, judge: Judge) -> Iterator[str]:
    """The page's answer to the picture in a file, as HTML, and again with each occlusion map as it is ready.

    Args:
        path: None: there is no picture yet.
    """
    if path is None:
        yield render("demo.html", state="empty", classes=judge.classifier.classes)
        return
    try:
        image = decoding.decode(path)
    except (ValueError, OSError) as error:
        yield render("demo.html", state="unreadable", reason=str(error))
        return
    faces = predict_faces.judge(image, judge.find, judge.model)
    if not faces:
        yield render("demo.html", state="no face", picture=markup.thumbnail(image, PICTURE_PX))
        return
    cards = [card(number, face) for number, face in enumerate(faces[:MAX_CARDS], 1)]
    words: dict[str, Any] = {
        "picture": markup.thumbnail(draw(image, faces, judge), PICTURE_PX),
        "headline": headline(faces, judge),
        "n_faces": len(faces),
        "max_maps": MAX_MAPS,
        "threshold": judge.threshold,
    }
    yield render("demo.html", state="faces", cards=cards, **words)
    for place, face in enumerate(faces[:MAX_MAPS]):
        cards[place] |= explained(face, judge)
        yield render("demo.html", state="faces", cards=cards, **words)


def shown_label(face: JudgedFace) -> str:
    return face.answer.label if face.answer.sure else NOT_SURE


def headline(faces: Sequence[JudgedFace], judge: Judge) -> str:
    """Such as "3 faces: 2 with_mask, 1 not sure"."""
    labels = [shown_label(face) for face in faces]
    counts = [f"{labels.count(name):,} {name}" for name in (*judge.classifier.classes, NOT_SURE) if name in labels]
    return f"{plural(len(faces), 'face')}: {', '.join(counts)}"


def draw(image: Image.Image, faces: Sequence[JudgedFace], judge: Judge) -> Image.Image:
    """A copy at most PICTURE_PX long, with a numbered box around each face; its line says the class, or NOT_SURE."""
    scale = min(1.0, PICTURE_PX / max(image.size))
    size = tuple(max(1, round(side * scale)) for side in image.size)
    scaled = []
    for judged in faces:
        box = {side: round(getattr(judged.face, side) * scale) for side in ("x", "y", "width", "height")}
        scaled.append(dataclasses.replace(judged, face=dataclasses.replace(judged.face, **box)))
    texts = [f"{number} {shown_label(face)}" for number, face in enumerate(faces, 1)]
    small = image.resize((size[0], size[1]), Image.Resampling.LANCZOS)
    return draw_faces.draw(small, scaled, judge.classifier.classes, texts, first=1)


def card(number: int, face: JudgedFace) -> dict[str, Any]:
    """What the page shows of a face, its occlusion map still missing."""
    return {
        "number": number,
        "label": shown_label(face),
        "best": face.answer.label,
        "sure": face.answer.sure,
        "probability": face.answer.probability,
        "crop": markup.thumbnail(enlarged(face), CROP_PX),
        "map": None,
    }


def explained(face: JudgedFace, judge: Judge) -> dict[str, Any]:
    """The occlusion map of a card, and the largest loss in it."""
    loss = judge.explain(face.crop, judge.classifier.classes.index(face.answer.label))
    return {"map": markup.thumbnail(overlay(enlarged(face), loss), CROP_PX), "loss": max(0.0, float(loss.max()))}


def enlarged(face: JudgedFace) -> Image.Image:
    return face.crop.resize((CROP_PX, CROP_PX), Image.Resampling.BICUBIC)


def overlay(crop: Image.Image, loss: np.ndarray) -> Image.Image:
    """A crop in grey, coloured where hiding a place loses probability; loss: float32 (h, w)."""
    raised = Image.fromarray(loss.astype(np.float32)).resize(crop.size, Image.Resampling.BICUBIC)
    strength = np.clip(np.asarray(raised) / max(FULL_LOSS, float(loss.max())), 0, 1)[..., np.newaxis]
    colours = matplotlib.colormaps["inferno"](strength[..., 0])[..., :3] * 255
    grey = np.asarray(crop.convert("L"), dtype=np.float32)[..., np.newaxis]
    share = 0.8 * np.sqrt(strength)
    return Image.fromarray(((1 - share) * grey + share * colours).astype(np.uint8))
