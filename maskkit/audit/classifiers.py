"""The networks of an audit: a backbone, its pretrained weights, and the head that tells the classes apart."""

import dataclasses
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch

from maskkit import checkpoint, data, features, model, pretrained, runs
from maskkit.audit import calibration, recipes
from maskkit.audit.entries import UNAVAILABLE, Message
from maskkit.audit.recipes import Recipe
from maskkit.core import parameters, paths
from maskkit.core.messages import message

BACKBONES = ("resnet18", "mobilenet_v2")


@dataclasses.dataclass
class Classifier:
    """A backbone with a head of the recipe.

    network: the complete torch module, or None where the weights are not available; note: then what was tried.
    X: features float32 (n, n_features) of the audited photos; empty where there is no network.
    transform: what feeds the network; tuned: whether its last stages learned from the run's photos too.
    """

    arch: str
    weights: str | None
    note: str
    network: torch.nn.Module | None = dataclasses.field(default=None, repr=False)
    X: torch.Tensor = dataclasses.field(default_factory=torch.Tensor, repr=False)
    transform: model.Transform = model.Transform()
    tuned: bool = False

    @property
    def module(self) -> torch.nn.Module:
        """The network, where its weights are available."""
        assert self.network is not None, self.note
        return self.network

    @property
    def short_note(self) -> str:
        """Why there is no network, in a few words for a table; "" where there is one."""
        return "" if self.network else UNAVAILABLE["sentence"]

    def features(self, rows: Iterable[dict[str, Any]], classes: Sequence[str], device: torch.device) -> torch.Tensor:
        """Features of photos, from the cache where they are known."""
        return self.extract(data.Photos(rows, classes, self.transform), device)

    def extract(self, dataset: data.Photos, device: torch.device) -> torch.Tensor:
        """Features of a dataset, from the cache where they are known."""
        return features.extract(self.module, self.arch, dataset, cache=paths.CACHE, device=device)[0]

    def head(self) -> torch.nn.Module:
        """The last layer."""
        return model.head(self.module, self.arch)

    @torch.inference_mode()
    def logits(self, X: torch.Tensor) -> np.ndarray:
        """The head's logits (n, C) of features."""
        return self.head().to("cpu")(X).numpy()

    def probabilities(self, X: torch.Tensor) -> np.ndarray:
        """The head's class probabilities (n, C) of features."""
        return calibration.softmax(self.logits(X))

    def fit_head(
        self, labels: np.ndarray, training: np.ndarray, validation: np.ndarray, recipe: Recipe, seed: int
    ) -> None:
        """Replace the head by the recipe's, of its best epoch; without a network nothing happens."""
        if self.network is None:
            return
        heads = recipes.fit_head(self.X, labels, training, recipe, seed, validation).best
        state = {"weight": heads.weight[0].clone(), "bias": heads.bias[0].clone()}
        self.head().load_state_dict(state)


def find_classifiers(
    run: Path | None, arch: str, weights: str, compare: str, classes: Sequence[str]
) -> tuple[dict[str, Classifier], str, Recipe, Message]:
    """({architecture: `Classifier`}, the audited one, the recipe, where it comes from); parameters as `audit.audit`.

    Raises:
        ValueError: `compare` is neither "both" nor "run", an unknown architecture, or a model of other classes.
    """
    parameters.need("COMPARE", compare)
    classifiers: dict[str, Classifier] = {}
    recipe, origin, named = recipes.recipe_of({}), message("trained here"), arch
    if run:
        network, description = checkpoint.load(run, classes=classes)
        arch, metrics = description["arch"], runs.read_metrics(run)
        recipe = recipes.recipe_of(metrics)
        origin = message("of run {name}", name=metrics.get("run", {}).get("name") or Path(run).name)
        classifiers[arch] = classifier_of_run(network, description)
    elif arch == "auto":
        classifiers, arch = first_available(weights, classes)
    for name in dict.fromkeys((arch, *(BACKBONES if compare == "both" else ()))):
        if name not in classifiers:
            classifiers[name] = find_pretrained(name, weights if name == named else "auto", classes)
    return classifiers, arch, recipe, origin


def classifier_of_run(network: torch.nn.Module, description: dict[str, Any]) -> Classifier:
    """The `Classifier` of a trained model, from what `checkpoint.load` returned."""
    tuned = checkpoint.is_tuned(description)
    transform = description["transform"]
    return Classifier(description["arch"], description["weights"], "", network, transform=transform, tuned=tuned)


def first_available(weights: str, classes: Sequence[str]) -> tuple[dict[str, Classifier], str]:
    """The backbone that ARCH="auto" means, ResNet18 where its weights are available, and its architecture."""
    for name in BACKBONES:
        usual = "packaged" if weights == "packaged" and name == "mobilenet_v2" else weights
        classifier = find_pretrained(name, usual, classes)
        if classifier.network is not None:
            return {name: classifier}, name
    return {}, BACKBONES[0]


def find_pretrained(arch: str, weights: str, classes: Sequence[str]) -> Classifier:
    """A `Classifier` with a backbone's pretrained weights, or one that says why they are not available.

    With "auto" MobileNetV2 takes the packaged weights where they are installed: the same everywhere.
    """
    automatic = ("packaged", "imagenet") if arch == "mobilenet_v2" else ("imagenet",)
    problems = []
    for choice in automatic if weights == "auto" else (weights,):
        try:
            found = pretrained.find(arch, choice)
        except FileNotFoundError as error:
            if choice not in pretrained.WEIGHTS_NAMES:
                raise  # a file that the user named
            problems.append(str(error))
        except ValueError as error:
            if choice not in ("packaged", "imagenet"):
                raise
            problems.append(str(error))
        else:
            return Classifier(arch, found.weights, found.note, model.build(found, len(classes), seed=0))
    return Classifier(arch, None, " ".join(problems))
