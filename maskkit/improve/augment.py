"""Changed versions of a photo: augmentations to learn from, and simulated other sources to be tested on.

Both are chains of `torchvision.transforms.v2` under a name in AUGMENTATIONS. A `View` draws from one: a pure function
of the photo, the name, a seed and a number, so that a frozen network sees K views of each photo once and no more.
"""

import copy
import dataclasses
import hashlib
import math
import threading
from typing import Any

import numpy as np
import torch
from PIL import Image
from torchvision.transforms import v2

from maskkit import data
from maskkit.core import parameters

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


def moved(**affine: Any) -> v2.Compose:
    """Turned, shifted and zoomed (`v2.RandomAffine`'s arguments) before a mirrored border."""
    bilinear = v2.InterpolationMode.BILINEAR
    return v2.Compose(
        [
            v2.Pad(MARGIN_PX, padding_mode="reflect"),
            v2.RandomAffine(interpolation=bilinear, **affine),
            v2.CenterCrop(FRAME_PX),
        ]
    )


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
            torch.manual_seed(int.from_bytes(digest.digest()[:8], "big", signed=True))
            return AUGMENTATIONS[self.augmentation](image)

    def describe(self) -> dict[str, Any]:
        """A complete description, as `model.Transform.describe`."""
        steps = " ".join(str(AUGMENTATIONS[self.augmentation]).split())
        return self.transform.describe() | {"augmentation": steps, "seed": self.seed, "view": self.index}


def views(photos: data.Photos, augmentation: str, n: int, seed: int) -> list[data.Photos]:
    """`n` views of a dataset, one after the other: what `train.fit` takes as training part, a view per epoch in turn.

    Args:
        photos: a `data.Photos`; augmentation: a name in TRAINING, or "none" for the photos as they are.

    Returns:
        a list of n datasets of the same photos in the same order; with "none" `photos` alone.

    Raises:
        ValueError: an unknown name, or "none" with n other than 1, or no view.
    """
    parameters.check({"AUGMENT": augmentation, "VIEWS": n})
    if augmentation == "none":
        return [photos]
    return [through(photos, View(photos.transform, augmentation, seed, index)) for index in range(n)]


def through(photos: data.Photos, transform: data.ImageTransform) -> data.Photos:
    """The same photos through another transform."""
    other = copy.copy(photos)
    other.transform = transform
    return other
