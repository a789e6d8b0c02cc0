"""A trained network on disk: model.safetensors and model.json, saved and loaded."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import safetensors.torch
import torch
from torch import nn

from maskkit import model, pretrained, runs
from maskkit.core import disk


def save(
    network: nn.Module,
    run_dir: Path,
    *,
    source: pretrained.Pretrained,
    classes: Sequence[str],
    transform: model.Transform,
    parameters: dict[str, Any],
) -> None:
    """Write model.safetensors (the complete network, tensors only) and model.json (all that `load` needs)."""
    tensors = {name: value.detach().cpu().contiguous() for name, value in network.state_dict().items()}
    path = Path(run_dir) / "model.safetensors"
    disk.write_bytes(path, safetensors.torch.save(tensors))
    description = {
        "arch": source.arch,
        "classes": list(classes),
        "transform": transform.describe(),
        "weights": source.weights,
        "weights_sha256": source.sha256,
        "model_sha256": disk.sha256(path),
        "parameters": parameters,
    }
    disk.write_json(Path(run_dir) / "model.json", description)


def is_tuned(description: dict[str, Any]) -> bool:
    """Whether the last stages learned too, according to a run's model.json."""
    return description["parameters"].get("tail_epochs", 0) > 0


def load(run_dir: Path, classes: Sequence[str] | None = None) -> tuple[nn.Module, dict[str, Any]]:
    """The trained network of a run folder, in eval mode.

    Args:
        run_dir: holds model.safetensors and model.json.
        classes: where given, the classes the model must have been trained on, in this order.

    Returns:
        (network, description): description is model.json with `transform` as a `Transform`.

    Raises:
        FileNotFoundError: a file is missing.
        ValueError: other classes, other shapes, or a damaged file.
    """
    path = runs.need(run_dir, "model.safetensors", "02_train.ipynb")
    text = runs.need(run_dir, "model.json", "02_train.ipynb").read_bytes()
    try:
        description = json.loads(text)
        arch, trained_on = description["arch"], description["classes"]
        settings = description["transform"]
        transform = model.Transform(settings["size_px"], tuple(settings["mean"]), tuple(settings["std"]))
        network = model.skeleton(arch, len(trained_on), seed=0, empty=True)
    except (ValueError, KeyError, TypeError) as error:
        raise ValueError(f"{Path(run_dir) / 'model.json'} does not describe a model of maskkit: {error!r}") from error
    if classes is not None and list(classes) != trained_on:
        raise ValueError(f"{path} was trained on {', '.join(trained_on)}, but the photos are {', '.join(classes)}")
    state = pretrained.read_tensors(path)
    try:
        network.load_state_dict(state, assign=True)
    except RuntimeError as error:
        reason = " ".join(str(error).split())[:300]
        raise ValueError(f"{path} does not fit {arch} with {len(trained_on)} classes: {reason}") from error
    for name, value in state.items():
        if not torch.isfinite(value).all():
            raise ValueError(f"{path}: {name} holds values that are not finite; run 02_train.ipynb again")
    digest = disk.sha256(path)
    if description.get("model_sha256", digest) != digest:
        raise ValueError(f"{path} is not the file that model.json describes; take both from the same run")
    return model.freeze(network, arch), description | {"transform": transform}
