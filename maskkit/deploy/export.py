"""A trained model as one ONNX file that takes photos as they are, checked against torch before it is kept."""

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import nn

from maskkit import __version__, checkpoint
from maskkit.core import disk
from maskkit.deploy import classifier, conformal
from maskkit.improve import engines
from maskkit.model import Transform

if TYPE_CHECKING:
    import onnx

MAX_DIFFERENCE = 1e-4  # how far a probability may be from torch's
SIZES = (  # height, width in pixels of the photos the file is checked with: smaller, equal, larger, odd shapes
    (1, 1), (2, 3), (17, 300), (37, 37), (80, 64), (127, 255), (223, 225), (224, 224), (225, 224), (300, 31),
    (448, 448), (449, 447), (500, 640), (1080, 1920),
)  # fmt: skip


class Photo(nn.Module):
    """Photos uint8 (N, H, W, 3), RGB, of any one size, to probabilities float32 (N, C): the transform, the network."""

    mean: torch.Tensor  # (1, 3, 1, 1)
    std: torch.Tensor

    def __init__(self, network: nn.Module, transform: Transform) -> None:
        super().__init__()
        self.network, self.size_px = network, transform.size_px
        self.register_buffer("mean", torch.tensor(transform.mean).reshape(1, 3, 1, 1))
        self.register_buffer("std", torch.tensor(transform.std).reshape(1, 3, 1, 1))

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        pixels = images.permute(0, 3, 1, 2).float() / 255
        size = (self.size_px, self.size_px)
        pixels = nn.functional.interpolate(pixels, size, mode="bilinear", align_corners=False, antialias=True)
        return self.network((pixels - self.mean) / self.std).softmax(1)


def export(run_dir: Path, path: str | Path, calibration: conformal.Calibration | None = None) -> float:
    """Write the model of a run as one ONNX file: input `images`, output `probabilities` as `Photo`; both sizes free.

    Its metadata: maskkit_version, classes and transform (JSON), arch, model_sha256, opset, input, output; with a
    `calibration`, which `predict --not-sure` needs, also not_sure (JSON).

    Returns:
        the largest difference from torch's probabilities over synthetic photos of SIZES.

    Raises:
        FileNotFoundError, ValueError: as `checkpoint.load`; the extra [onnx] is not installed; the file's probabilities
            differ from torch's by more than MAX_DIFFERENCE. Then there is no file, and an earlier one stays.
    """
    path = Path(path)
    network, description = checkpoint.load(run_dir)
    proto = to_onnx(network, description["transform"])
    add_metadata(proto, description, calibration)
    with disk.replacing(path) as temporary:
        temporary.write_bytes(proto.SerializeToString())
        difference = compare(network, description["transform"], temporary)
        if not difference <= MAX_DIFFERENCE:
            raise ValueError(
                f"--onnx: {path} is not written: it differs from torch by {difference:.1e}, over {MAX_DIFFERENCE}"
            )
    return difference


def to_onnx(network: nn.Module, transform: Transform) -> "onnx.ModelProto":
    """The graph of `Photo` around a network; batch, height and width are free."""
    example = torch.zeros(2, 48, 64, 3, dtype=torch.uint8)
    return engines.to_onnx(Photo(network, transform).eval(), example, free=(0, 1, 2), output="probabilities")


def add_metadata(
    proto: "onnx.ModelProto", description: dict[str, Any], calibration: conformal.Calibration | None = None
) -> None:
    """Add to an onnx.ModelProto what somebody who has only the file must know."""
    import onnx

    facts = {
        "maskkit_version": __version__,
        "classes": json.dumps(description["classes"]),
        "transform": json.dumps(description["transform"].describe()),
        "arch": description["arch"],
        "model_sha256": description.get("model_sha256", ""),
        "opset": str(next(entry.version for entry in proto.opset_import if not entry.domain)),
        "input": "images: uint8 (N, height, width, 3), RGB, upright, any size; resize and normalisation are inside",
        "output": "probabilities: float32 (N, classes), rows sum to 1, in the order of classes",
    }
    if calibration:
        facts["not_sure"] = calibration.to_json()
    onnx.helper.set_model_props(proto, facts)
    proto.producer_name, proto.producer_version = "maskkit", __version__


@torch.inference_mode()
def compare(network: nn.Module, transform: Transform, path: Path) -> float:
    """The largest difference between the probabilities of an ONNX file and torch's, over synthetic photos of SIZES."""
    classify = classifier.from_onnx(path).classify
    differences = []
    for seed, (height, width) in enumerate(SIZES):
        image = draw_photo(height, width, seed)
        expected = network(transform(image)[None]).softmax(1).numpy()
        differences.append(np.abs(classify([image]) - expected).max())
    return float(np.max(differences))  # nan where one is nan, which no limit lets pass


def draw_photo(height: int, width: int, seed: int) -> np.ndarray:
    """A photo uint8 (H, W, 3) of soft colours with noise on them: large shapes and fine grain, as photos have."""
    chance = np.random.default_rng(seed)
    y, x = np.mgrid[:height, :width] / max(height, width)
    waves = chance.uniform(1, 40, (3, 2)) @ np.stack([y, x]).reshape(2, -1)
    pixels = 127 + 90 * np.sin(waves.T.reshape(height, width, 3) + chance.uniform(0, 6, 3))
    return (pixels + chance.normal(0, 15, pixels.shape)).clip(0, 255).astype(np.uint8)
