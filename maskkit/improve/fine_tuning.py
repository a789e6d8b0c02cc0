"""Fine-tuning: a network's last stages learn too, after its head, with small steps."""

import dataclasses
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
from torch import nn
from torch.utils.data import TensorDataset

from maskkit import data, features, model, train
from maskkit.core import parameters
from maskkit.improve import class_bias, weight_average
from maskkit.improve.training_checkpoint import TrainingCheckpoint


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
    *,
    bias_views: Sequence[data.Photos] = (),
    epochs: int,
    average_epochs: int = 1,
    tail_learning_rate: float,
    tail_share: float = 1.0,
    keep: str,
    device: torch.device,
    learning_rate: float,
    checkpoint: Path | None = None,
    **settings: Any,
) -> train.Fit:
    """`train.fit` for a network's last stages and its head, which goes on from where it is.

    The trunk stays frozen, so each view of a photo passes it once, and an epoch costs the last stages only.

    Args:
        network: of `model.build`, its head trained; `model.unfreeze`d here, holds the kept epoch afterwards.
        arch: its architecture.
        train_views: datasets of (image, label), such as `augment.views`; val: one such dataset.
        bias_views: of the validation photos, for `ClassBias`.
        epochs: passes over the photos; average_epochs: the last of them whose weights are averaged, as `WeightAverage`.
        tail_learning_rate: Adam's step size of the last stages; learning_rate: that of the head.
        tail_share: `share` of `WeightInterpolation`, of head and last stages: 1 keeps them as tuned.
        keep: the epoch to keep, "best" or "last".
        device: where both parts run.
        checkpoint: the file of a `TrainingCheckpoint`, from which an interrupted training goes on; None for none.
        settings: batch_size and seed, as `train.fit`.

    Returns:
        the `Fit`.

    Raises:
        ValueError: as `train.fit`; or a rate above 1e-4, at which a few hundred photos undo what ImageNet taught.
    """
    parameters.check({"TAIL_LEARNING_RATE": tail_learning_rate, "TAIL_SHARE": tail_share})
    trunk, tail = model.cut(model.unfreeze(network, arch), arch)

    def pair(photos: data.Photos) -> train.Pair:
        return features.outputs(trunk, photos, device), photos.label_tensor()

    datasets = [*train_views, val]
    once = {id(photos): photos for photos in datasets}  # `augment.views` has the photos as they are before each view
    passed = {key: TensorDataset(*pair(photos)) for key, photos in once.items()}
    examples = [passed[id(photos)] for photos in datasets]
    hooks = weight_average.hooks(average_epochs, epochs)
    hooks += [WeightInterpolation(tail, tail_share)] if tail_share < 1 else []
    hooks += class_bias.hooks([pair(photos) for photos in bias_views])
    if checkpoint:
        numbers = [*settings.values(), epochs, average_epochs, len(bias_views)]
        numbers += [learning_rate, tail_learning_rate, tail_share]
        hooks.append(TrainingCheckpoint(checkpoint, numbers, examples))
    rates = tail_rates(tail, learning_rate, tail_learning_rate)
    result = train.fit(
        tail, examples[:-1], examples[-1], epochs=epochs, learning_rate=rates, device=device, hooks=hooks, **settings
    )
    tail.load_state_dict(result.state(keep))
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
