"""Fine-tuning: a network's last stages learn too, after its head, with small steps."""

import dataclasses
from collections.abc import Sequence
from pathlib import Path

import torch
from torch import nn
from torch.utils.data import TensorDataset

from maskkit import data, features, model, train
from maskkit.improve import class_bias, weight_average
from maskkit.improve.training_checkpoint import TrainingCheckpoint
from maskkit.recipe import Recipe


class WeightInterpolation(train.Hook):
    """Validates and keeps a network whose weights lie between the first ones and those it has learned.

    Weights between those of ImageNet and those tuned on few photos keep more of what either knows: WiSE-FT (Wortsman
    et al., CVPR 2022, arXiv 2109.01903), which does so for the whole of a zero-shot network. Learning itself is the
    same for every share.

    Args:
        network: as it is before training.
        share: how far the network that is validated and kept stands from the first weights (0) to the learned ones (1).
    """

    def __init__(self, network: nn.Module, share: float) -> None:
        self.share = share
        self.first = {name: weight.detach().clone() for name, weight in train.learning(network)}
        self.learned: dict[str, torch.Tensor] = {}

    @torch.no_grad()
    def before_validation(self, training: train.Training) -> None:
        for name, first in self.first.items():
            weight = training.network.get_parameter(name)
            self.learned[name] = weight.detach().clone()
            weight.copy_(first.to(weight.device).lerp(weight, self.share))

    def after_validation(self, training: train.Training) -> None:
        training.network.load_state_dict(self.learned, strict=False)

    def end(self, training: train.Training) -> None:
        self.before_validation(training)


def fit_tail(
    network: nn.Module,
    arch: str,
    train_views: list[data.Photos],
    val: data.Photos,
    recipe: Recipe,
    *,
    bias_views: Sequence[data.Photos] = (),
    seed: int,
    device: torch.device,
    checkpoint: Path | None = None,
) -> train.Fit:
    """`train.fit` for a network's last stages and its head, which goes on from where it is.

    The trunk stays frozen, so each view of a photo passes it once, and an epoch costs the last stages only.

    Args:
        network: of `model.build`, its head trained; `model.unfreeze`d here, holds the kept epoch afterwards.
        arch: its architecture.
        train_views: datasets of (image, label), such as `augment.views`; val: one such dataset.
        recipe: of it `tail_epochs`, `average_epochs`, `batch_size`, `learning_rate` (Adam's step size of the head),
            `tail_learning_rate` (that of the last stages), `tail_share` (that of `WeightInterpolation`) and `keep`.
        bias_views: of the validation photos, for `ClassBias`.
        seed: of the order of the photos; device: where both parts run.
        checkpoint: the file of a `TrainingCheckpoint`, from which an interrupted training goes on; None for none.

    Returns:
        the `Fit`.

    Raises:
        ValueError: as `train.fit`.
    """
    trunk, tail = model.cut(model.unfreeze(network, arch), arch)

    def pair(photos: data.Photos) -> train.Pair:
        return features.outputs(trunk, photos, device), photos.label_tensor()

    datasets = [*train_views, val]
    once = {id(photos): photos for photos in datasets}  # `augment.views` has the photos as they are before each view
    passed = {key: TensorDataset(*pair(photos)) for key, photos in once.items()}
    examples = [passed[id(photos)] for photos in datasets]
    hooks = weight_average.hooks(recipe.average_epochs, recipe.tail_epochs)
    hooks += [WeightInterpolation(tail, recipe.tail_share)] if recipe.tail_share < 1 else []
    hooks += class_bias.hooks([pair(photos) for photos in bias_views])
    if checkpoint:
        hooks.append(TrainingCheckpoint(checkpoint, [recipe, seed, len(bias_views)], examples))
    result = train.fit(
        tail,
        examples[:-1],
        examples[-1],
        epochs=recipe.tail_epochs,
        batch_size=recipe.batch_size,
        learning_rate=tail_rates(tail, recipe.learning_rate, recipe.tail_learning_rate),
        seed=seed,
        device=device,
        hooks=hooks,
    )
    tail.load_state_dict(result.state(recipe.keep))
    return result


def tail_rates(tail: nn.Sequential, learning_rate: float, tail_learning_rate: float) -> train.Rates:
    """Step sizes for a tail of `model.cut`: its last module, the head, and all before it."""
    return [(tail[-1], learning_rate), (tail[:-1], tail_learning_rate)]


def joined(first: train.Fit, second: train.Fit) -> train.Fit:
    """The `Fit` of a training that went on in a second one: epochs counted through, best and last the second's."""

    def later(entry: train.Row) -> train.Row:
        return entry | {"epoch": len(first.history) + entry["epoch"]}

    history = first.history + [later(row) for row in second.history]
    return dataclasses.replace(second, history=history, best=later(second.best), last=later(second.last))
