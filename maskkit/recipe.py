"""How a network is trained: the recipe's numbers, and what a training leaves in the run's folder."""

import dataclasses
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Self

import torch
from torch import nn

from maskkit import checkpoint, model, pretrained, runs, train
from maskkit.core import disk, environment, parameters


@dataclasses.dataclass(frozen=True)
class Recipe:
    """A recipe; the defaults are the report's, which uses none of its proposed extensions.

    Args:
        epochs, batch_size, learning_rate: of the head, as `train.fit`.
        size_px: side of the network's input, pixels.
        augment, views: as `augment.views`.
        average_epochs: the last epochs whose weights are averaged, of the head as of the last stages, as
            `WeightAverage`; 1 averages none.
        bias_views: views of each validation photo that set the head's bias, as `ClassBias`; 0 leaves it as learned.
        tail_epochs: further epochs in which the last stages learn too; 0 leaves them frozen.
        tail_learning_rate, tail_share: Adam's step size of the last stages, and how far they and the head are kept
            from their first weights (0) to the tuned ones (1).
        keep: the epoch to save, "best" or "last".

    Raises:
        ValueError: a value that its parameter may not have.
    """

    epochs: int = 10
    batch_size: int = 16
    learning_rate: float = 0.001
    size_px: int = 224
    augment: str = "none"
    views: int = 1
    average_epochs: int = 1
    bias_views: int = 0
    tail_epochs: int = 0
    tail_learning_rate: float = 0.0001
    tail_share: float = 1.0
    keep: str = "best"

    @classmethod
    def of(cls, settings: Mapping[str, Any]) -> Self:
        """The recipe in parameters of the notebooks, {"EPOCHS": 10, ...}; what else they hold is not read."""
        return cls(**{field.name: settings[field.name.upper()] for field in dataclasses.fields(cls)})

    def __post_init__(self) -> None:
        parameters.check({name.upper(): value for name, value in dataclasses.asdict(self).items()})


def save_training(
    run_dir: Path,
    network: nn.Module,
    source: pretrained.Pretrained,
    recipe: Recipe,
    result: train.Fit,
    *,
    classes: Sequence[str],
    seed: int,
    device: torch.device,
    seconds: dict[str, float],
    features_computed: int,
) -> dict[str, Any]:
    """Write history.csv, model.safetensors, model.json and environment.json, and the training's part of metrics.json.

    Args:
        network: trained, with the weights of the kept epoch.
        seconds: of the steps `features`, `train` and `tail`.
        features_computed: photos whose features were not in the cache.

    Returns:
        all of metrics.json.
    """
    settings = dataclasses.asdict(recipe)
    disk.write_json(run_dir / "environment.json", environment.environment())
    disk.write_csv(run_dir / "history.csv", result.history, train.HISTORY_COLUMNS)
    checkpoint.save(
        network,
        run_dir,
        source=source,
        classes=classes,
        transform=model.Transform(recipe.size_px),
        parameters=settings | {"seed": seed},
    )
    trainable, total = model.count_weights(network)
    return runs.record(
        run_dir,
        arch=source.arch,
        network=source.title,
        weights=source.weights,
        weights_note=source.note,
        weights_notes=source.notes,
        **settings,
        trainable=trainable,
        total=total,
        best=result.best,
        last=result.last,
        device=device.type,
        versions=environment.versions(),
        seconds={"tail": 0.0} | seconds,
        run={"features_computed": features_computed},
    )
