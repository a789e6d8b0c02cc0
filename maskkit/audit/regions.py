"""Which parts of a photo matter to the network: answers with a region hidden, occlusion maps, and Grad-CAM."""

import dataclasses
import hashlib
import itertools
from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np
import torch
from PIL import Image
from torch import nn

from maskkit import data, model
from maskkit.core import batches

REGIONS = ("lower_half", "upper_half")
FILLS = ("blur", "mean")
OVAL = (0.42, 0.5)  # half width and half height of the oval that counts as face, as shares of the photo
BLUR = 1 / 12  # sigma of the fill, as a share of the photo's side: a mask's edge is gone, its colour is not
STRIDE, PATCH = 7, 3  # occlusion: positions per side, and the square's side in strides
PLACES = range(-1, STRIDE - 1)  # first row or column of a square; outer ones extend beyond the photo by one stride
BATCH = 32


class KeptPhotos(data.Photos):
    """Photos that are decoded once and stay in memory as the network takes them, 600 KB each at 224 px."""

    def __init__(self, rows: Iterable[dict[str, Any]], classes: Sequence[str], transform: model.Transform) -> None:
        super().__init__(rows, classes, transform)
        self.kept: dict[int, torch.Tensor] = {}

    def __getitem__(self, index: int) -> tuple[torch.Tensor, int]:
        if index not in self.kept:
            self.kept[index], _ = super().__getitem__(index)
        return self.kept[index], self.labels[index]


@dataclasses.dataclass(frozen=True)
class Changed:
    """The transform of changed photos, as the cache of features tells it from others; change: what `describe` adds."""

    transform: data.ImageTransform
    change: dict[str, Any]

    def __call__(self, image: Image.Image) -> torch.Tensor:
        """The photo as it is: the dataset changes it."""
        return self.transform(image)

    def describe(self) -> dict[str, Any]:
        return self.transform.describe() | self.change


class HiddenPhotos(data.Photos):
    """Photos with a part hidden, for any torch DataLoader and the cache of features.

    whole: the photos; region, fill: as `hide`.
    """

    def __init__(self, whole: data.Photos, region: str, fill: str) -> None:
        self.whole, self.region, self.fill = whole, region, fill
        change = {"hidden": region, "fill": fill, "oval": OVAL, "blur": BLUR}
        super().__init__(whole.rows, whole.classes, Changed(whole.transform, change))

    def __getitem__(self, index: int) -> tuple[torch.Tensor, int]:
        image, label = self.whole[index]
        return hide(image, self.region, self.fill), label


def hide(image: torch.Tensor, region: str, fill: str) -> torch.Tensor:
    """Fill a region of a normalised photo float32 (3, H, W). (Mean and blur commute with normalising.)

    Args:
        region: one of REGIONS; fill: "blur" (the photo itself, strongly blurred) or "mean" (its mean colour).

    Raises:
        ValueError: an unknown region or fill.
    """
    if region not in REGIONS or fill not in FILLS:
        raise ValueError(f"region must be one of {REGIONS} and fill one of {FILLS}, got {region!r} and {fill!r}")
    where = areas(image)[region]
    mean = image.mean((1, 2), keepdim=True)
    filled = mean if fill == "mean" else gaussian(image, BLUR * image.shape[1])
    return torch.where(where, filled, image)


def areas(image: torch.Tensor) -> dict[str, torch.Tensor]:
    """{region: bool (H, W)} of an image (3, H, W); "surroundings" is what lies around the face above the middle, where
    no mask, hand or collar reaches."""
    y, x = torch.meshgrid(*map(middle_out, image.shape[1:]), indexing="ij")
    around = (x / OVAL[0]) ** 2 + (y / OVAL[1]) ** 2 > 1
    return {"lower_half": y > 0, "upper_half": y < 0, "surroundings": around & (y < 0)}


class Exchanged(data.Photos):
    """Photos before the surroundings of other photos, for any torch DataLoader and the cache of features.

    What is blurred or filled with the photo's mean keeps the background's colour, so a network that goes by it is not
    found by hiding the background: it answers before another one.

    Args:
        whole: the photos; donors: int (n,), the place among them of each one's donor of the surroundings.
    """

    def __init__(self, whole: data.Photos, donors: Sequence[int] | np.ndarray) -> None:
        self.whole, self.donors = whole, [int(place) for place in donors]
        pairs = [(row, whole.rows[place]) for row, place in zip(whole.rows, self.donors, strict=True)]
        rows = [row | {"sha256": pair_hash(row, donor)} for row, donor in pairs]
        super().__init__(rows, whole.classes, Changed(whole.transform, {"exchanged": "surroundings", "oval": OVAL}))

    def __getitem__(self, index: int) -> tuple[torch.Tensor, int]:
        image, label = self.whole[index]
        return exchange(image, self.whole[self.donors[index]][0]), label


def exchange(image: torch.Tensor, donor: torch.Tensor) -> torch.Tensor:
    """An image (3, H, W) before the surroundings of another of the same size."""
    return torch.where(areas(image)["surroundings"], donor, image)


def pair_hash(row: dict[str, Any], donor: dict[str, Any]) -> str:
    """The name in the cache of a photo before another one's surroundings, 64 hexadecimal digits."""
    return hashlib.sha256(f"{row['sha256']} {donor['sha256']}".encode()).hexdigest()


def donors(labels: np.ndarray, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """(place of another photo of the same class, of one of another class) for each photo, int (n,), each drawn about
    equally often; a photo that is alone in its class is its own donor.

    Args:
        labels: int (n,), of at least two classes.
    """
    rng = np.random.default_rng(seed)
    own, other = np.empty(len(labels), dtype=int), np.empty(len(labels), dtype=int)
    for index in np.unique(labels):
        here = rng.permutation(np.flatnonzero(labels == index))
        own[here] = np.roll(here, 1)
        other[here] = np.resize(rng.permutation(np.flatnonzero(labels != index)), len(here))
    return own, other


def middle_out(size: int) -> torch.Tensor:
    """Pixel centres from -0.5 to 0.5."""
    return (torch.arange(size) + 0.5) / size - 0.5


def gaussian(image: torch.Tensor, sigma: float) -> torch.Tensor:
    """Blur an image (3, H, W) strongly, computed at a quarter of its size."""
    from torchvision.transforms.v2 import functional

    small = functional.resize(image, [max(8, side // 4) for side in image.shape[1:]], antialias=True)
    kernel = 2 * min(round(3 * sigma / 4), min(small.shape[1:]) - 1) + 1
    small = functional.gaussian_blur(small, [kernel, kernel], [sigma / 4, sigma / 4])
    return functional.resize(small, list(image.shape[1:]), antialias=True)


def occlusion(
    network: nn.Module, images: torch.Tensor, classes: np.ndarray | list[int], device: torch.device
) -> np.ndarray:
    """`occlusion_map` of each of some photos.

    Args:
        network: images (N, 3, H, W) to logits, in eval mode; images: float32 (n, 3, H, W); classes: int (n,).

    Returns:
        float32 (n, STRIDE, STRIDE).
    """
    network = model.for_inference(network).to(device)
    return np.stack(
        [occlusion_map(network, image, int(index), device) for image, index in zip(images, classes, strict=True)]
    )


@torch.inference_mode()
def occlusion_map(network: nn.Module, image: torch.Tensor, index: int, device: torch.device) -> np.ndarray:
    """How much probability of a class a photo loses if a square of it is replaced by its mean colour.

    Zeiler & Fergus (2014), Visualizing and understanding convolutional networks, ECCV. Unlike those of captum's
    `Occlusion`, outer squares extend beyond the photo, so that cells at the rim are covered as often as others; inside
    both agree to 1e-6.

    Args:
        network: as in `occlusion`, on the device, best one of `model.for_inference`; image: float32 (3, H, W); index:
            of the class.

    Returns:
        float32 (STRIDE, STRIDE), the mean loss over the squares that cover each cell.
    """
    whole = probabilities(network, image[None], device)[0, index]
    step = image.shape[-1] / STRIDE
    mean = image.mean((1, 2), keepdim=True)
    hidden, cells = [], []
    for row, column in itertools.product(PLACES, PLACES):
        top, left = (max(0, round(place * step)) for place in (row, column))
        bottom, right = (round((place + PATCH) * step) for place in (row, column))
        occluded = image.clone()
        occluded[:, top:bottom, left:right] = mean
        hidden.append(occluded)
        cells.append((slice(max(0, row), row + PATCH), slice(max(0, column), column + PATCH)))
    lost = whole - probabilities(network, torch.stack(hidden), device)[:, index]
    total, count = np.zeros((2, STRIDE, STRIDE), dtype=np.float32)
    for value, cell in zip(lost.tolist(), cells, strict=True):
        total[cell] += value
        count[cell] += 1
    return total / count


def probabilities(network: nn.Module, images: torch.Tensor, device: torch.device) -> torch.Tensor:
    """Class probabilities float32 (n, C) of images, BATCH at a time."""
    return torch.cat([batches.forward(network, few, device).softmax(1) for few in images.split(BATCH)])


def grad_cam(
    network: nn.Module, arch: str, images: torch.Tensor, classes: np.ndarray | list[int], device: torch.device
) -> np.ndarray:
    """Grad-CAM (Selvaraju et al. 2017, ICCV) at the last convolutional stage, not enlarged.

    Equal to captum's `LayerGradCam` with `relu_attributions`, which needs networks whose weights have gradients.

    Args:
        network: images (N, 3, H, W) to logits, in eval mode; arch: its architecture, as of `model.architecture`.
        images: float32 (n, 3, H, W); classes: int (n,), whose logit is explained.

    Returns:
        float32 (n, h, w), 0 or more: the stage's channels weighted by their mean gradient, negative sums set to 0.
    """
    activations: list[torch.Tensor] = []

    def keep(module: nn.Module, inputs: Any, output: torch.Tensor) -> torch.Tensor:
        activations.append(output.detach().requires_grad_())
        return activations[0]

    hook = network.to(device).get_submodule(model.architecture(arch).last_stage).register_forward_hook(keep)
    try:
        with torch.enable_grad():
            logits = network(images.to(device))
            chosen = logits.gather(1, torch.as_tensor(classes, device=device)[:, None]).sum()
            (gradient,) = torch.autograd.grad(chosen, activations[0])
    finally:
        hook.remove()
    weighted = (gradient.mean((2, 3), keepdim=True) * activations[0]).sum(1)
    return nn.functional.relu(weighted).detach().cpu().numpy()
