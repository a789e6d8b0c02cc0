"""A trained model as a function of photos: that of a run (torch), or an exported file (which needs no torch)."""

import dataclasses
import json
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from PIL import Image

from maskkit.deploy import conformal

if TYPE_CHECKING:
    import torch
    from torch import nn


@dataclasses.dataclass(frozen=True)
class Answer:
    """The likeliest class of a photo and its probability, 0..1; whether the model is sure."""

    label: str
    probability: float
    sure: bool = True


@dataclasses.dataclass(frozen=True)
class Classifier:
    """A trained model.

    prepare: an RGB PIL image to what `classify` takes, called in several threads at once.
    classify: a list of up to `batch` of these to probabilities float32 (n, C), columns as `classes`.
    about: {name: value}, what a page says of the model.
    is_sure: whether a photo's probabilities (C,) are an answer; without it all are.
    core_each: as `parallel.read_and_pass`.
    """

    classes: tuple[str, ...]
    prepare: Callable[[Image.Image], Any]
    classify: Callable[[list[Any]], np.ndarray]
    batch: int
    about: dict[str, str]
    is_sure: Callable[[np.ndarray], bool] = lambda probabilities: True
    core_each: bool = False

    def answer(self, images: list[Any]) -> list[Answer]:
        """The answers to what `classify` takes."""
        if not images:
            return []
        best = [(probabilities, int(probabilities.argmax())) for probabilities in self.classify(images)]
        return [Answer(self.classes[index], float(each[index]), self.is_sure(each)) for each, index in best]

    def sure_by(self, calibration: conformal.Calibration, share: float) -> "Classifier":
        """This model, sure only where one class is possible: see `conformal`, also for `share` and its ValueError."""
        is_sure = conformal.rule(calibration.limits(share))
        about = self.about | {"answers only where one class is possible": calibration.describe(share)}
        return dataclasses.replace(self, is_sure=is_sure, about=about)


def from_run(run_dir: Path, device: str = "auto", not_sure: float | None = None) -> Classifier:
    """The model of a run's folder, as `load_network` reads it.

    Args:
        not_sure: the share of `Classifier.sure_by`; None: every photo gets an answer.

    Raises:
        FileNotFoundError, ValueError: as `checkpoint.load`; with `not_sure` as `conformal.of_run`.
    """
    network, description, torch_device = load_network(run_dir, device)
    model = of_network(run_dir.resolve().name, network, description, torch_device)
    if not_sure is None:
        return model
    return model.sure_by(conformal.of_run(run_dir, network, description, torch_device), not_sure)


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
    classes, prepare, on_cpu = tuple(description["classes"]), description["transform"], device.type == "cpu"
    return Classifier(classes, prepare, classify, BATCH[device.type], about, core_each=on_cpu)


def from_onnx(path: Path, not_sure: float | None = None) -> Classifier:
    """The model of a file that `maskkit export` wrote; it holds resize and normalisation itself.

    Args:
        not_sure: as `from_run`.

    Raises:
        FileNotFoundError: there is no such file, or onnxruntime is not installed.
        ValueError: it is not such a file; with `not_sure`, it holds no calibration.
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
    model = Classifier(tuple(json.loads(metadata["classes"])), np.asarray, classify, 1, about)
    if not_sure is None:
        return model
    calibration = conformal.from_json(metadata.get("not_sure", ""), model.classes, metadata.get("model_sha256", ""))
    if calibration is None:
        raise ValueError(
            f"--not-sure: {path} holds no calibration; export it again from a run whose validation photos are there"
        )
    return model.sure_by(calibration, not_sure)
