"""The recipes of notebook 04: the head alone on augmented views, and the last stages unfrozen.

For each of many seeds the same drawn photos are split anew. Every recipe learns from the same training photos of each
split and classifies the same test sets: unseen photos of the same source, the same photos through a simulated street
camera, and photos of another source.

split.csv -> `test_sets.Drawn` -> `Experiment` -> `train_heads`, `train_tails` -> `Trained`: right answers, bool
(splits, photos) -> `paired_gains.compare`.
"""

import copy
import dataclasses
from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from torch.utils.data import TensorDataset

from maskkit import data, features, model, train
from maskkit.audit.classifiers import Classifier
from maskkit.core import batches, parameters
from maskkit.core.progress import bar
from maskkit.improve import augment, fine_tuning
from maskkit.improve.test_sets import Drawn, TestSet

CPU = torch.device("cpu")


@dataclasses.dataclass(frozen=True)
class Experiment:
    """What all recipes have in common, so that their results can be paired.

    nets: {architecture: a `Classifier` whose weights were found}. drawn: the photos and their splits.
    sets: the test sets. recipe: holds train.FIT_SETTINGS. device: where the networks run.
    seed: of views, heads and the order of photos; split number i adds i.
    """

    nets: dict[str, Classifier]
    drawn: Drawn
    sets: list[TestSet]
    recipe: dict[str, Any]
    device: torch.device
    seed: int


@dataclasses.dataclass(frozen=True)
class Trained:
    """The result of a recipe over all splits.

    right: {test set: bool (splits, photos)}, which photos each split's head answers right.
    states: the weights, one state dict per split. history: of the first split, as `train.fit` returns it.
    """

    right: dict[str, np.ndarray]
    states: list[dict[str, torch.Tensor]] = dataclasses.field(repr=False)
    history: list[dict[str, Any]]


@dataclasses.dataclass(frozen=True)
class FrozenOutputs:
    """The outputs of the frozen part of a network, float32 (n, ...): the trained part reads these, not photos.

    views: of each augmented view of the drawn photos, and the view's labels; plain: of the photos as they are; tests:
    {test set: outputs}.
    """

    views: list[train.Pair]
    plain: torch.Tensor
    tests: dict[str, torch.Tensor]


def run_frozen(
    frozen: Callable[[data.Photos], torch.Tensor], experiment: Experiment, augmentation: str, n_views: int
) -> FrozenOutputs:
    """Pass each view of the drawn photos, the photos as they are, and the test sets through the frozen part, once."""
    photos = experiment.drawn.photos
    return FrozenOutputs(
        [(frozen(view), view.label_tensor()) for view in augment.views(photos, augmentation, n_views, experiment.seed)],
        frozen(photos),
        {each.name: frozen(each.dataset(photos.classes)) for each in experiment.sets},
    )


def train_heads(experiment: Experiment, *, augmentation: str, n_views: int) -> dict[str, Trained]:
    """{architecture: `train_head` of that network}."""
    return {arch: train_head(experiment, arch, augmentation, n_views) for arch in experiment.nets}


def train_tails(
    experiment: Experiment,
    heads: dict[str, Trained],
    *,
    augmentation: str,
    n_views: int,
    tail_epochs: int,
    tail_learning_rate: float,
) -> dict[str, Trained]:
    """{architecture: `train_tail` of that network}, starting with the heads of `train_heads`.

    Args:
        tail_epochs, tail_learning_rate: of the last stages; the recipe's learning rate remains the head's.

    Raises:
        ValueError: a learning rate above `parameters.MAX_TAIL_RATE`.
    """
    parameters.need("TAIL_LEARNING_RATE", tail_learning_rate)
    return {
        arch: train_tail(experiment, arch, heads[arch].states, augmentation, n_views, tail_epochs, tail_learning_rate)
        for arch in experiment.nets
    }


def train_head(experiment: Experiment, arch: str, augmentation: str, n_views: int) -> Trained:
    """Train the recipe's head on cached features, once per split, and use the last epoch.

    The last epoch, not the best: choosing the best on 40 similar photos would add the variance of that choice to both
    sides of every difference.

    Args:
        arch: one of the experiment's networks.
        augmentation, n_views: of `augment.views`; each epoch takes the next view of every training photo.
    """
    net, drawn, seed = experiment.nets[arch], experiment.drawn, experiment.seed
    settings = {name: experiment.recipe[name] for name in train.FIT_SETTINGS}
    outputs = run_frozen(lambda photos: net.extract(photos, experiment.device), experiment, augmentation, n_views)
    y, n_features, n_classes = drawn.photos.label_tensor(), outputs.plain.shape[1], len(drawn.photos.classes)
    states, right, histories = [], [], []
    for index, (fit_on, check_on) in enumerate(drawn.parts):
        head = model.new_head(n_features, n_classes, seed + index)
        views = [(X[fit_on], labels[fit_on]) for X, labels in outputs.views]
        fitted = train.fit_features(head, views, (outputs.plain[check_on], y[check_on]), seed=seed + index, **settings)
        states.append(fitted.last_state)
        histories.append(fitted.history)
        right.append(right_answers(head, outputs, experiment, CPU))
    return Trained(stack(right), states, histories[0])


def train_tail(
    experiment: Experiment,
    arch: str,
    heads: list[dict[str, torch.Tensor]],
    augmentation: str,
    n_views: int,
    tail_epochs: int,
    tail_learning_rate: float,
) -> Trained:
    """Train the last stages too, once per split, starting with the heads of `train_head`; use the last epoch.

    The stages before them stay frozen, so their outputs are computed once for each view; batch norm stays in eval mode.

    Args:
        heads: `Trained.states` of `train_head`; tail_epochs, tail_learning_rate: as `train_tails`.
        arch, augmentation, n_views: as `train_head`.

    Returns:
        a `Trained` without `states` (45 MB each). The experiment's network is not changed.
    """
    net, drawn, device, recipe = experiment.nets[arch], experiment.drawn, experiment.device, experiment.recipe
    network = model.unfreeze(copy.deepcopy(net.module), arch)
    trunk, tail = model.cut(network, arch)
    outputs = run_frozen(lambda photos: features.outputs(trunk, photos, device), experiment, augmentation, n_views)
    y, before = drawn.photos.label_tensor(), copy.deepcopy(tail.state_dict())
    right, histories = [], []
    for index, (fit_on, check_on) in enumerate(bar(drawn.parts, desc=f"{arch} unfrozen", unit=" splits")):
        tail.load_state_dict(before)
        model.head(network, arch).load_state_dict(heads[index])
        fitted = train.fit(
            tail,
            [TensorDataset(X[fit_on], labels[fit_on]) for X, labels in outputs.views],
            TensorDataset(outputs.plain[check_on], y[check_on]),
            epochs=tail_epochs,
            batch_size=recipe["batch_size"],
            learning_rate=fine_tuning.tail_rates(tail, recipe["learning_rate"], tail_learning_rate),
            seed=experiment.seed + index,
            device=device,
        )
        histories.append(fitted.history)
        right.append(right_answers(tail, outputs, experiment, device))
    return Trained(stack(right), [], histories[0])


@torch.inference_mode()
def right_answers(
    trained: torch.nn.Module, outputs: FrozenOutputs, experiment: Experiment, device: torch.device
) -> dict[str, np.ndarray]:
    """{test set: bool (photos,)}: which photos the trained part answers right, from the frozen part's outputs."""
    trained.eval().to(device)
    right = {}
    for each in experiment.sets:
        parts = outputs.tests[each.name].split(64)
        predicted = torch.cat([batches.forward(trained, part, device).argmax(1) for part in parts])
        labels = each.dataset(experiment.drawn.photos.classes).label_tensor()
        right[each.name] = (predicted.cpu() == labels).numpy()
    return right


def stack(splits: list[dict[str, np.ndarray]]) -> dict[str, np.ndarray]:
    """{test set: bool (splits, photos)} of one dict per split."""
    return {name: np.stack([right[name] for right in splits]) for name in splits[0]}
