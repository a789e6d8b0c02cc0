"""A trained model as a function of photos: that of a run (torch), or an exported file (which needs no torch)."""

import dataclasses
import json
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from PIL import Image

if TYPE_CHECKING:
    import torch
    from torch import nn


@dataclasses.dataclass(frozen=True)
class Classifier:
    """A trained model.

    prepare: an RGB PIL image to what `classify` takes, called in several threads at once.
    classify: a list of up to `batch` of these to probabilities float32 (n, C), columns as `classes`.
    about: {name: value}, what a page says of the model.
    """

    classes: tuple[str, ...]
    prepare: Callable[[Image.Image], Any]
    classify: Callable[[list[Any]], np.ndarray]
    batch: int
    about: dict[str, str]


def from_run(run_dir: Path, device: str = "auto") -> Classifier:
    """The model of a run's folder, as `load_network` reads it.

    Raises:
        FileNotFoundError, ValueError: as `checkpoint.load`.
    """
    return of_network(run_dir.resolve().name, *load_network(run_dir, device))


def load_network(run_dir: Path, device: str) -> tuple["nn.Module", dict[str, Any], "torch.device"]:
    """A run's network on a device, and its model.json; the folder's model.safetensors and model.json are enough.

    It is the faster form that features are computed with (`model.for_inference`); probabilities agree with the saved
    network's to 1e-4.

    Args:
        device: as parameter DEVICE.

    Raises:
        FileNotFoundError, ValueError: as `checkpoint.load`.
    """
    from maskkit import checkpoint, model

    trained, description = checkpoint.load(run_dir)
    torch_device = model.device(device)
    return model.for_inference(trained).to(torch_device), description, torch_device


def of_network(name: str, network: "nn.Module", description: dict[str, Any], device: "torch.device") -> Classifier:
    """The classifier of what `load_network` returns. name: of the model, for pages."""
    import torch

    from maskkit.core import batches
    from maskkit.features import BATCH

    @torch.inference_mode()
    def classify(images: list[torch.Tensor]) -> np.ndarray:
        return batches.forward(network, torch.stack(images), device).softmax(1).numpy()

    about = {
        "model": name,
        "network": description["arch"],
        "model_sha256": description.get("model_sha256", "not recorded"),
    }
    return Classifier(tuple(description["classes"]), description["transform"], classify, BATCH[device.type], about)


def from_onnx(path: Path) -> Classifier:
    """The model of a file that `maskkit export` wrote; it holds resize and normalisation itself.

    Raises:
        FileNotFoundError: there is no such file, or onnxruntime is not installed.
        ValueError: it is not such a file.
    """
    if not path.is_file():
        raise FileNotFoundError(f"--onnx: there is no file {path}; `maskkit export` makes one")
    try:
        import onnxruntime
    except ImportError as error:
        raise FileNotFoundError(f"--onnx needs onnxruntime: pip install -e '.[onnx]' ({error})") from error
    try:
        session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
    except Exception as error:  # its fourteen kinds of error share no other class
        reason = " ".join(str(error).split())
        raise ValueError(f"--onnx: {path} is no model that onnxruntime can read: {reason}") from error
    metadata = session.get_modelmeta().custom_metadata_map
    if "maskkit_version" not in metadata or "classes" not in metadata:
        raise ValueError(f"--onnx: {path} was not written by `maskkit export`: it names no classes")

    def classify(images: list[np.ndarray]) -> np.ndarray:  # photos differ in size, so each is a batch of its own
        return np.concatenate([session.run(["probabilities"], {"images": image[np.newaxis]})[0] for image in images])

    about = {
        "model": path.name,
        "network": f"{metadata.get('arch')}, ONNX Runtime",
        "model_sha256": metadata.get("model_sha256", "not recorded"),
    }
    return Classifier(tuple(json.loads(metadata["classes"])), np.asarray, classify, 1, about)
