"""Changed versions of a photo: augmentations to learn from, and simulated other sources to be tested on.

Both are chains of `torchvision.transforms.v2` under a name in AUGMENTATIONS. A `View` draws from one: a pure function
of the photo, the name, a seed and a number, so that a frozen network sees K views of each photo once and no more.
AUGMENT="occluded" is "strong" after something was drawn on the photo (`OccludedPhotos`).
"""

import copy
import dataclasses
import hashlib
import math
import threading
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image
from torchvision.transforms import v2

from maskkit import data
from maskkit.core import parameters
from maskkit.improve import occluders
from maskkit.sources.folders import REPORT_CLASSES

FRAME_PX = 224  # chains turn, cut and colour in a frame of this side, so that their pixels mean the same everywhere
MARGIN_PX = 112  # mirrored border around the frame, so that turning and zooming out need no black corners


class Smaller(v2.Transform):
    """An image reduced to a side drawn from low_px to high_px (even in its logarithm): what a far camera keeps."""

    def __init__(self, low_px: int, high_px: int) -> None:
        super().__init__()
        self.low_px, self.high_px = low_px, high_px

    def make_params(self, flat_inputs: list[Any]) -> dict[str, Any]:
        low, high = math.log(self.low_px), math.log(self.high_px)
        return {"side_px": round(math.exp(low + (high - low) * torch.rand(()).item()))}

    def transform(self, image: Any, params: dict[str, Any]) -> Any:
        return v2.functional.resize(image, [params["side_px"]] * 2, antialias=True)

    def extra_repr(self) -> str:
        return f"low_px={self.low_px}, high_px={self.high_px}"


def framed(*steps: v2.Transform) -> v2.Compose:
    """A chain whose steps see the photo FRAME_PX a side."""
    return v2.Compose([v2.Resize([FRAME_PX, FRAME_PX]), *steps])


class Turn(v2.RandomAffine):
    """`v2.RandomAffine` and a cut of the middle, FRAME_PX a side, in one step: what is cut off is never computed."""

    def transform(self, image: Image.Image, params: dict[str, Any]) -> Image.Image:
        shear_x, shear_y = (math.radians(degrees) for degrees in params["shear"])
        turned = params["scale"] * rotation(math.radians(params["angle"]))
        sheared = np.array([[1, 0], [-math.tan(shear_y), 1]]) @ np.array([[1, -math.tan(shear_x)], [0, 1]])
        inverse = np.linalg.inv(turned @ sheared)
        # A pixel of the result lies at `pixel - middle` from its centre; so far, through the inverse, from the photo's.
        middle = np.full(2, FRAME_PX / 2) + params["translate"]
        offset = np.array(image.size) / 2 - inverse @ middle
        coefficients = np.column_stack([inverse, offset]).ravel()
        return image.transform(
            (FRAME_PX, FRAME_PX), Image.Transform.AFFINE, tuple(coefficients), Image.Resampling.BILINEAR
        )


def rotation(angle: float) -> np.ndarray:
    """The matrix (2, 2) that turns by an angle in radians, clockwise where y points down."""
    return np.array([[math.cos(angle), -math.sin(angle)], [math.sin(angle), math.cos(angle)]])


def moved(**affine: Any) -> v2.Compose:
    """Turned, shifted and zoomed (`v2.RandomAffine`'s arguments) before a mirrored border."""
    return v2.Compose([v2.Pad(MARGIN_PX, padding_mode="reflect"), Turn(**affine)])


def either(*steps: v2.Transform) -> v2.RandomChoice:
    """One of the steps, drawn evenly."""
    return v2.RandomChoice(list(steps))


def sometimes(step: v2.Transform, probability: float) -> v2.RandomApply:
    """The step, or nothing."""
    return v2.RandomApply([step], p=probability)


def detected(low_px: int, high_px: int, quality: tuple[int, int]) -> v2.Compose:
    """What a detector's crop has been through: few pixels, unsteady focus, strong compression."""
    return v2.Compose(
        [
            Smaller(low_px, high_px),
            sometimes(v2.GaussianBlur(5, sigma=(0.3, 1.5)), 0.4),
            sometimes(v2.JPEG(quality), 0.6),
        ]
    )


# "report": the augmentation that the report proposes. "strong": everything a crop of another source may differ in.
TRAINING = {
    "report": framed(
        v2.RandomHorizontalFlip(),
        moved(degrees=15),
        v2.ColorJitter(brightness=0.3),
    ),
    "strong": framed(
        v2.RandomHorizontalFlip(),
        moved(degrees=25, translate=(0.08, 0.08), scale=(0.7, 1.4), shear=(-8, 8, -8, 8)),
        v2.ColorJitter(brightness=0.5, contrast=0.5, saturation=0.5, hue=0.05),
        v2.RandomGrayscale(0.1),
        detected(20, FRAME_PX, (8, 95)),
    ),
}
# One change of source each, as severe for every photo; what chance decides is a direction.
SHIFTS = {
    "sizes_matched": framed(Smaller(64, 64)),
    "low_resolution": framed(Smaller(24, 24)),
    "blur": framed(Smaller(56, 56), v2.GaussianBlur(13, sigma=(2, 2))),  # sigma is 8 px in the frame
    "jpeg": framed(Smaller(112, 112), v2.JPEG((5, 5))),
    "tight": framed(moved(degrees=0, scale=(1.5, 1.5))),
    "loose": framed(moved(degrees=0, scale=(0.6, 0.6))),
    "turned": framed(either(moved(degrees=(30, 30)), moved(degrees=(-30, -30)))),
    "colour": framed(
        v2.ColorJitter(saturation=(0.2, 0.2)),
        either(v2.ColorJitter(hue=(-0.08, -0.08)), v2.ColorJitter(hue=(0.08, 0.08))),
    ),
    "dark": framed(v2.ColorJitter(brightness=(0.3, 0.3))),
    "bright": framed(v2.ColorJitter(brightness=(1.9, 1.9))),
    # Several at once, as in crops from street scenes: turned, cut too wide or too close, badly lit, few pixels.
    "street": framed(
        either(moved(degrees=(20, 20), scale=(0.7, 0.7)), moved(degrees=(-20, -20), scale=(1.35, 1.35))),
        either(v2.ColorJitter(brightness=(0.45, 0.45)), v2.ColorJitter(brightness=(1.6, 1.6), saturation=(0.5, 0.5))),
        either(Smaller(20, 20), v2.Compose([Smaller(32, 32), v2.GaussianBlur(5, sigma=(1, 1)), v2.JPEG((30, 30))])),
    ),
}
AUGMENTATIONS = TRAINING | SHIFTS

WITH_MASK = REPORT_CLASSES[0]
MASK = (occluders.mask,)

DRAWING = threading.Lock()  # torchvision's transforms draw from torch's one random state: one thread at a time


@dataclasses.dataclass(frozen=True)
class View:
    """A transform that augments the photo first; usable wherever a `model.Transform` is, and cached separately.

    The same photo (its pixels), augmentation, seed and index give the same view, whatever was drawn before; the global
    random state is left as it was.

    transform: what follows; augmentation: a name in AUGMENTATIONS; index: the view's number, 0, 1, 2, ...
    """

    transform: data.ImageTransform
    augmentation: str
    seed: int
    index: int

    def __post_init__(self) -> None:
        if self.augmentation not in AUGMENTATIONS:
            raise ValueError(f"AUGMENT must be 'none' or one of {', '.join(AUGMENTATIONS)}, got {self.augmentation!r}")

    def __call__(self, image: Image.Image) -> torch.Tensor:
        return self.transform(self.changed(image))

    def changed(self, image: Image.Image) -> Image.Image:
        """The augmented photo, a PIL RGB image."""
        digest = hashlib.sha256(f"{self.augmentation} {self.seed} {self.index}".encode())
        digest.update(np.asarray(image).tobytes())
        with DRAWING, torch.random.fork_rng(devices=[]):
            # Not `torch.manual_seed`, which seeds GPUs too and keeps a stack trace of each call: a tenth of the time.
            torch.default_generator.manual_seed(int.from_bytes(digest.digest()[:8], "big", signed=True))
            return AUGMENTATIONS[self.augmentation](image)

    def describe(self) -> dict[str, Any]:
        """A complete description, as `model.Transform.describe`."""
        steps = " ".join(str(AUGMENTATIONS[self.augmentation]).split())
        return self.transform.describe() | {"augmentation": steps, "seed": self.seed, "view": self.index}


# How often something is drawn on a photo: on bare faces, and on masked ones.
BELOW_SHARE, MASK_SHARE, ABOVE_SHARE = 0.5, 0.2, 0.3


@dataclasses.dataclass(frozen=True)
class OccludedView(View):
    """The `View` of `OccludedPhotos`; labels: a hash of the label of each photo, which decides what is drawn on it."""

    labels: str = ""

    def describe(self) -> dict[str, Any]:
        return super().describe() | {"occluders": occluders.VERSION, "labels": self.labels}


class OccludedPhotos(data.Photos):
    """A view of photos of the classes with_mask and without_mask: things are drawn on some, then all are changed.

    Half of the bare faces get a hand, a scarf, a beard or the like before the mouth and stay bare; a fifth gets a mask,
    and its label is then with_mask. Of the masked faces three in ten get sunglasses, a hat or a hand at the forehead.
    Which ones depends on the photo, the seed and the view's number.
    """

    def __init__(self, photos: data.Photos, transform: data.ImageTransform, seed: int, index: int) -> None:
        labels = sorted((row["sha256"], label) for row, label in zip(photos.rows, photos.labels, strict=True))
        digest = hashlib.sha256(repr(labels).encode()).hexdigest()
        super().__init__(photos.rows, photos.classes, OccludedView(transform, "strong", seed, index, digest))
        self.photos, self.tag = photos, f"occluded {seed} {index}"
        self.drawn = [self.choose(index) for index in range(len(self))]
        masked = self.classes.index(WITH_MASK)
        self.labels = [masked if drawn == MASK else label for drawn, label in zip(self.drawn, self.labels, strict=True)]

    def generator(self, index: int, use: str) -> np.random.Generator:
        """Random numbers for one use, from the photo, the seed and the view's number."""
        digest = hashlib.sha256(f"{self.tag} {self.rows[index]['sha256']} {use}".encode()).digest()
        return np.random.default_rng(int.from_bytes(digest[:8], "big"))

    def choose(self, index: int) -> tuple[occluders.Occluder, ...]:
        """What may be drawn on a photo."""
        chance = self.generator(index, "chosen").random()
        if self.rows[index]["label"] == WITH_MASK:
            return occluders.ABOVE if chance < ABOVE_SHARE else ()
        if chance < BELOW_SHARE:
            return occluders.BELOW
        return MASK if chance < BELOW_SHARE + MASK_SHARE else ()

    def image(self, index: int) -> Image.Image:
        """The photo with what is drawn on it."""
        photo, drawn = self.photos.image(index), self.drawn[index]
        return occluders.draw(photo, drawn, self.generator(index, "drawn")) if drawn else photo

    def path(self, index: int) -> Path:
        """The photo's file."""
        return self.photos.path(index)

    def subset(self, indices: Iterable[int]) -> data.Photos:
        """Some of the photos, each with what is drawn on it here."""
        picked = list(indices)
        other = super().subset(picked)
        assert isinstance(other, OccludedPhotos)
        other.photos, other.drawn = self.photos.subset(picked), [self.drawn[index] for index in picked]
        return other


def views(photos: data.Photos, augmentation: str, n: int, seed: int) -> list[data.Photos]:
    """`n` views of a dataset, one after the other: what `train.fit` takes as training part, a view per epoch in turn.

    Args:
        photos: a `data.Photos`; augmentation: a name in `parameters.AUGMENT`, "none" for the photos as they are.

    Returns:
        a list of n datasets of the same photos in the same order; with "none" `photos` alone. With "occluded" `photos`
        come before each of them, and the labels differ from the photos' own where a mask was drawn; for other classes
        than with_mask and without_mask it is "strong".

    Raises:
        ValueError: an unknown name, or "none" with n other than 1, or no view.
    """
    parameters.check({"AUGMENT": augmentation, "VIEWS": n})
    if augmentation == "none":
        return [photos]
    changed = changed_views(photos, augmentation, n, seed)
    if isinstance(changed[0], OccludedPhotos):
        return [part for view in changed for part in (photos, view)]
    return changed


def changed_views(photos: data.Photos, augmentation: str, n: int, seed: int) -> list[data.Photos]:
    """`n` views of a dataset that all change the photos: those of `views` without the photos as they are."""
    if augmentation == "occluded":
        if set(photos.classes) == set(REPORT_CLASSES):
            return [OccludedPhotos(photos, photos.transform, seed, index) for index in range(n)]
        augmentation = "strong"
    return [through(photos, View(photos.transform, augmentation, seed, index)) for index in range(n)]


def through(photos: data.Photos, transform: data.ImageTransform) -> data.Photos:
    """The same photos through another transform."""
    other = copy.copy(photos)
    other.transform = transform
    return other
