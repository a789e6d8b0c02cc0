"""The recipes of notebook 04: the head alone on augmented views, and the last stages unfrozen.

For each of many seeds the same drawn photos are split anew. Every recipe learns from the same training photos of each
split, and answers the same photos, those of the test sets: unseen ones of the same source, the same photos as a street
camera might take them, and photos of another source.

split.csv -> `test_sets.Drawn` -> `train_heads`, `train_tails` -> `Trained`: right answers, bool (splits, photos) ->
`paired_gains.compare`.
"""

import dataclasses
from typing import Any

import numpy as np
import torch
from torch.utils.data import TensorDataset

from maskkit import augment, features, fine_tuning, model, train
from maskkit.audit.classifiers import Classifier
from maskkit.core import batches, parameters
from maskkit.core.progress import bar
from maskkit.improve.test_sets import Drawn, TestSet

CPU = torch.device("cpu")


@dataclasses.dataclass(frozen=True)
class Trained:
    """The result of a recipe over all splits.

    right: {test set: bool (splits, photos)}, which photos each split's head answers right.
    states: the weights, one state dict per split. history: of the first split, as `train.fit` returns it.
    """

    right: dict[str, np.ndarray]
    states: list[dict[str, torch.Tensor]] = dataclasses.field(repr=False)
    history: list[dict[str, Any]]


def train_heads(nets: dict[str, Classifier], drawn: Drawn, sets: list[TestSet], **settings: Any) -> dict[str, Trained]:
    """{architecture: `train_head` of that network}, with its `settings`."""
    return {arch: train_head(net, drawn, sets, **settings) for arch, net in nets.items()}


def train_tails(
    nets: dict[str, Classifier], drawn: Drawn, sets: list[TestSet], heads: dict[str, Trained], **settings: Any
) -> dict[str, Trained]:
    """{architecture: `train_tail` of that network}, from the heads of `train_heads`, with its `settings`."""
    return {arch: train_tail(net, drawn, sets, heads[arch].states, **settings) for arch, net in nets.items()}


def train_head(
    net: Classifier,
    drawn: Drawn,
    sets: list[TestSet],
    *,
    augmentation: str,
    n_views: int,
    recipe: dict[str, Any],
    device: torch.device,
    seed: int,
) -> Trained:
    """Train the recipe's head on cached features, once per split of `drawn`, and use the last epoch.

    The last epoch, not the best: choosing the best on 40 similar photos would add the variance of that choice to both
    sides of every difference.

    Args:
        augmentation, n_views: of `augment.views`; each epoch takes the next view of every training photo.
        recipe: holds train.FIT_SETTINGS.
    """
    settings = {name: recipe[name] for name in train.FIT_SETTINGS}
    augmented = [net.extract(view, device) for view in augment.views(drawn.photos, augmentation, n_views, seed)]
    plain, y, classes = net.extract(drawn.photos, device), drawn.y, drawn.photos.classes
    inputs = {each.name: net.extract(each.dataset(classes), device) for each in sets}
    head, states, right, histories = model.new_head(plain.shape[1], len(classes), seed), [], [], []
    for index, (fit_on, check_on) in enumerate(drawn.parts):
        head.load_state_dict(model.new_head(plain.shape[1], len(classes), seed + index).state_dict())
        views = [(X[fit_on], y[fit_on]) for X in augmented]
        fitted = train.fit_features(head, views, (plain[check_on], y[check_on]), seed=seed + index, **settings)
        states.append(fitted.last_state)
        histories.append(fitted.history)
        right.append({each.name: right_answers(head, inputs[each.name], each, classes, CPU) for each in sets})
    return Trained(stack(right), states, histories[0])


def train_tail(
    net: Classifier,
    drawn: Drawn,
    sets: list[TestSet],
    heads: list[dict[str, torch.Tensor]],
    *,
    augmentation: str,
    n_views: int,
    recipe: dict[str, Any],
    tail_learning_rate: float,
    device: torch.device,
    seed: int,
) -> Trained:
    """Train the last stages too, once per split, starting with the heads of `train_head`; use the last epoch.

    The stages before them stay frozen, so their outputs are computed once for each view; batch norm stays in eval mode.

    Args:
        heads: `Trained.states` of `train_head` for the same splits; other arguments as there.
        tail_learning_rate: Adam's step size of the last stages; the recipe's learning rate is the head's.

    Returns:
        a `Trained` without `states` (45 MB each). The network is unchanged afterwards.
    """
    parameters.need("TAIL_LEARNING_RATE", tail_learning_rate)
    settings = {name: recipe[name] for name in ("epochs", "batch_size")}
    assert net.network is not None, "only networks whose weights were found are trained"
    trunk, tail = model.cut(net.network, net.arch)
    y, classes = drawn.y, drawn.photos.classes
    views_of = augment.views(drawn.photos, augmentation, n_views, seed)
    augmented = [features.outputs(trunk, view, device) for view in views_of]
    plain = features.outputs(trunk, drawn.photos, device)
    inputs = {each.name: features.outputs(trunk, each.dataset(classes), device) for each in sets}
    before = {name: value.clone() for name, value in tail.state_dict().items()}
    model.unfreeze(net.network, net.arch)
    right, histories = [], []
    try:
        progress = bar(drawn.parts, desc=f"{net.arch} unfrozen", unit=" splits")
        for index, (fit_on, check_on) in enumerate(progress):
            tail.load_state_dict(before)
            net.head().load_state_dict(heads[index])
            views = [TensorDataset(X[fit_on], y[fit_on]) for X in augmented]
            fitted = train.fit(
                tail,
                views,
                TensorDataset(plain[check_on], y[check_on]),
                learning_rate=fine_tuning.tail_rates(tail, recipe["learning_rate"], tail_learning_rate),
                seed=seed + index,
                device=device,
                **settings,
            )
            histories.append(fitted.history)
            right.append({each.name: right_answers(tail, inputs[each.name], each, classes, device) for each in sets})
    finally:
        tail.load_state_dict(before)
        model.freeze(net.network, net.arch)
    return Trained(stack(right), [], histories[0])


@torch.inference_mode()
def right_answers(
    module: torch.nn.Module, inputs: torch.Tensor, test_set: TestSet, classes: tuple[str, ...], device: torch.device
) -> np.ndarray:
    """bool (n,): which photos of a test set the module answers right, from their features or trunk outputs."""
    module.eval().to(device)
    predicted = torch.cat([batches.forward(module, few, device).argmax(1) for few in inputs.split(64)]).numpy()
    return predicted == np.array([classes.index(row["label"]) for row in test_set.rows])


def stack(splits: list[dict[str, np.ndarray]]) -> dict[str, np.ndarray]:
    """{test set: bool (splits, photos)} of one dict per split."""
    return {name: np.stack([right[name] for right in splits]) for name in splits[0]}
