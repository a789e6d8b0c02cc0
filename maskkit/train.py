"""One training loop, for a head on cached features and for a network on photos."""

import copy
import dataclasses
import functools
import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Protocol

import torch
from torch import nn
from torch.utils.data import TensorDataset, default_collate

from maskkit import evaluate, model, runs
from maskkit.core import batches, disk, parameters
from maskkit.core.parallel import torch_threads
from maskkit.core.progress import bar

HISTORY_COLUMNS = ("epoch", "train_loss", "train_accuracy", "val_loss", "val_accuracy", "val_correct")
FIT_SETTINGS = ("epochs", "batch_size", "learning_rate")  # of a recipe, what `fit` takes
Row = dict[str, Any]  # an epoch, with HISTORY_COLUMNS; or an `evaluate.score` with its epoch
Pair = tuple[torch.Tensor, torch.Tensor]  # features float32 (n, n_features) and labels int64 (n,)
Rates = float | Sequence[tuple[nn.Module, float]]


class Examples(Protocol):
    """A dataset of (input, label int), such as a TensorDataset of features or a `data.MaskDataset`."""

    def __len__(self) -> int: ...

    def __getitem__(self, index: Any, /) -> Any: ...


@dataclasses.dataclass(frozen=True)
class Fit:
    """The result of `fit`. `best` and `last` are `evaluate.score`s with their epoch; the states are state dicts."""

    history: list[Row]
    best: Row
    last: Row
    best_state: dict[str, torch.Tensor] = dataclasses.field(repr=False)
    last_state: dict[str, torch.Tensor] = dataclasses.field(repr=False)

    def state(self, keep: str) -> dict[str, torch.Tensor]:
        """The state dict of the epoch to keep, "best" or "last".

        Raises:
            ValueError: something else is asked for.
        """
        return self.best_state if parameters.need("KEEP", keep) == "best" else self.last_state


@dataclasses.dataclass
class Training:
    """A training under way: all that changes from epoch to epoch."""

    network: nn.Module
    optimizer: torch.optim.Optimizer
    order: torch.Generator  # draws the order of the photos of each epoch
    history: list[Row] = dataclasses.field(default_factory=list)
    best: Row = dataclasses.field(default_factory=dict)
    best_state: dict[str, torch.Tensor] = dataclasses.field(default_factory=dict)
    mean_state: dict[str, torch.Tensor] = dataclasses.field(default_factory=dict)  # of a `WeightAverage`

    def add(self, row: Row, n_val: int) -> None:
        """Add an epoch that has been validated on `n_val` photos; keep the weights if it is the best so far."""
        self.history.append(row)
        best = self.history[self.best["epoch"] - 1] if self.best else {"val_correct": -1, "val_loss": math.inf}
        if evaluate.is_better(row["val_correct"], row["val_loss"], best["val_correct"], best["val_loss"]):
            self.best = {"epoch": row["epoch"]} | evaluate.score(row["val_correct"], n_val)
            self.best_state = copy.deepcopy(self.network.state_dict())

    def state_dict(self) -> dict[str, Any]:
        """All of it, as tensors and plain values."""
        return {
            "network": self.network.state_dict(),
            "optimizer": self.optimizer.state_dict(),
            "order": self.order.get_state(),
            "history": self.history,
            "best": self.best,
            "best_state": self.best_state,
            "mean_state": self.mean_state,
        }

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Bring it to where it was when `state` was taken by `state_dict`."""
        self.network.load_state_dict(state["network"])
        self.optimizer.load_state_dict(state["optimizer"])
        self.order.set_state(state["order"])
        self.history, self.best = state["history"], state["best"]
        self.best_state, self.mean_state = state["best_state"], state["mean_state"]


class Hook:
    """What a training does besides learning; `fit` calls these methods, each with the `Training`.

    Hooks are called in their order, for `after_validation` in the opposite one: each finds the weights as it left them.
    """

    def start(self, training: Training) -> None:
        """Before the first epoch."""

    def before_validation(self, training: Training) -> None:
        """After an epoch's last step."""

    def after_validation(self, training: Training) -> None:
        """When the epoch is in the history, and its weights are kept if it is the best."""

    def end_epoch(self, training: Training) -> None:
        """After `after_validation` of every hook."""

    def end(self, training: Training) -> None:
        """After the last epoch, before the network's last weights are kept."""


def fit(
    network: nn.Module,
    train: Examples | list[Examples],
    val: Examples,
    *,
    epochs: int,
    batch_size: int,
    learning_rate: Rates,
    seed: int,
    device: torch.device,
    hooks: Sequence[Hook] = (),
) -> Fit:
    """Train what of `network` has `requires_grad`, as the report did: cross-entropy, Adam, a fixed step size.

    The same function trains a head on features and a whole network on photos; with a frozen backbone both give
    the same numbers, since the order of the photos comes from `seed` alone.

    Args:
        network: maps inputs (N, ...) to logits (N, n_classes); changed in place, left with the last weights.
        train, val: what it learns from and is validated on. `train` may be a list, views of the same photos, which the
            epochs take in turn.
        epochs: passes over `train`, at least 1.
        batch_size: inputs per step; the last batch of an epoch may be shorter.
        learning_rate: Adam's step size; or (module, step size) of each part of the network that learns.
        seed: of the order of the photos, drawn anew for each epoch.
        device: where it trains.
        hooks: such as `TrainingCheckpoint` and `WeightInterpolation`.

    Returns:
        a `Fit`: history (one dict of HISTORY_COLUMNS per epoch; losses are means over photos, accuracies counts
        over counts, those of training measured while the network learns), the best epoch by validation accuracy
        (`evaluate.is_better`: the lowest validation loss decides among equals) and the last.

    Raises:
        ValueError: a dataset is empty, nothing would learn, or a number is out of range.
    """
    views = train if isinstance(train, list) else [train]
    check(network, views[0], val, epochs, batch_size, seed)
    network.to(device)
    optimizer = torch.optim.Adam(parameter_groups(network, learning_rate))
    training = Training(network, optimizer, torch.Generator().manual_seed(seed))
    call(hooks, "start", training)
    validate = functools.partial(run_epoch, network, val, torch.arange(len(val)), batch_size, device)
    to_do = range(len(training.history) + 1, epochs + 1)
    for epoch in bar(to_do, desc="training", unit=" epochs", delay=0.5):  # not for a training that takes a moment
        set_mode(network)
        view = views[(epoch - 1) % len(views)]
        shuffled = torch.randperm(len(view), generator=training.order)
        learned = run_epoch(network, view, shuffled, batch_size, device, optimizer)
        check_loss(learned[0], epoch, learning_rate)
        network.eval()
        call(hooks, "before_validation", training)
        with torch.inference_mode():
            validated = validate()
        training.add(history_row(epoch, learned, len(view), validated, len(val)), len(val))
        call(hooks[::-1], "after_validation", training)
        call(hooks, "end_epoch", training)
    call(hooks, "end", training)
    last = {"epoch": epochs} | evaluate.score(training.history[-1]["val_correct"], len(val))
    return Fit(training.history, training.best, last, training.best_state, copy.deepcopy(network.state_dict()))


def check(network: nn.Module, train: Examples, val: Examples, epochs: int, batch_size: int, seed: int) -> None:
    """Raise ValueError where `fit` could not train."""
    if not len(train) or not len(val):
        raise ValueError(f"there are {len(train)} training and {len(val)} validation photos; both parts need some")
    parameters.need("EPOCHS", epochs)
    parameters.need("BATCH_SIZE", batch_size)
    parameters.need("SEED", seed)
    if not learning(network):
        raise ValueError("no weight of the network has requires_grad, so nothing would learn")


def check_loss(loss: float, epoch: int, learning_rate: Rates) -> None:
    """Raise ValueError where a training loss is not finite."""
    if not math.isfinite(loss):
        largest = learning_rate if isinstance(learning_rate, (int, float)) else max(rate for _, rate in learning_rate)
        raise ValueError(f"the loss is {loss} in epoch {epoch}; LEARNING_RATE={largest} is too large")


def parameter_groups(network: nn.Module, learning_rate: Rates) -> list[dict[str, Any]]:
    """Adam's parameter groups: the weights that learn, with their step size.

    Raises:
        ValueError: a step size out of range.
    """
    rates = [(network, learning_rate)] if isinstance(learning_rate, (int, float)) else learning_rate
    return [
        {"params": [weight for _, weight in learning(part)], "lr": parameters.need("LEARNING_RATE", rate)}
        for part, rate in rates
    ]


def learning(network: nn.Module) -> list[tuple[str, nn.Parameter]]:
    """[(name, weight)] of the weights that learn."""
    return [(name, weight) for name, weight in network.named_parameters() if weight.requires_grad]


def call(hooks: Sequence[Hook], method: str, training: Training) -> None:
    """Call a method of each hook, in their order."""
    for hook in hooks:
        getattr(hook, method)(training)


def history_row(epoch: int, learned: tuple[float, int], n: int, validated: tuple[float, int], n_val: int) -> Row:
    """An epoch's HISTORY_COLUMNS, of (mean loss, photos right) in training and in validation."""
    values = (epoch, learned[0], learned[1] / n, validated[0], validated[1] / n_val, validated[1])
    return dict(zip(HISTORY_COLUMNS, values, strict=True))


def set_mode(network: nn.Module) -> None:
    """Train mode for what learns, eval mode for every frozen part.

    In train mode a frozen batch norm would still drift: it normalises with each batch's own statistics and
    moves its running ones, although none of its weights learns.
    """
    network.train()
    for module in network.modules():
        if not any(weight.requires_grad for weight in module.parameters()):
            module.eval()


def run_epoch(
    network: nn.Module,
    dataset: Examples,
    order: torch.Tensor,
    batch_size: int,
    device: torch.device,
    optimizer: torch.optim.Optimizer | None = None,
) -> tuple[float, int]:
    """(mean loss per photo, number of correct photos) over `dataset` in `order`; learns where given an optimizer."""
    loss_sum, correct, size = 0.0, 0, batch_size
    for indices in order.split(batch_size):
        inputs, labels = collate(dataset, indices)
        pass_in_pieces = functools.partial(pass_batch, network, inputs, labels, device, optimizer)
        (batch_loss, batch_correct), size = batches.until_it_fits(pass_in_pieces, size)
        if optimizer:
            optimizer.step()
        loss_sum += batch_loss
        correct += batch_correct
    return loss_sum / len(order), correct


def pass_batch(
    network: nn.Module,
    inputs: torch.Tensor,
    labels: torch.Tensor,
    device: torch.device,
    optimizer: torch.optim.Optimizer | None,
    size: int,
) -> tuple[float, int]:
    """(loss summed over the photos of a batch, number correct), and the batch's gradients where given an optimizer.

    `size` photos pass at a time; their gradients add up to the whole batch's, so the step to come is the same one.
    """
    loss_sum, correct = 0.0, 0
    if optimizer:
        optimizer.zero_grad()
    for piece, truth in zip(inputs.split(size), labels.to(device).split(size), strict=True):
        logits = network(piece.to(device))
        loss = nn.functional.cross_entropy(logits, truth)
        if optimizer:
            (loss * (len(truth) / len(labels))).backward()
        loss_sum += loss.item() * len(truth)
        correct += int((logits.argmax(1) == truth).sum().item())
    return loss_sum, correct


def collate(dataset: Examples, indices: torch.Tensor) -> Sequence[torch.Tensor]:
    """(inputs, labels) of some items; a TensorDataset is indexed at once."""
    if isinstance(dataset, TensorDataset):
        return dataset[indices]
    return default_collate([dataset[index] for index in indices.tolist()])


def fit_features(head: nn.Module, train: Pair | list[Pair], val: Pair, **settings: Any) -> Fit:
    """`fit` for a head alone, on cached features: on the CPU and on one thread.

    Each step is microseconds of arithmetic. A second thread gains nothing, and where another program wants its core
    every step waits for it: seconds instead of a tenth of one where threads spin (benchmarks/threads.py).

    Args:
        head: maps features (N, n_features) to logits; changed in place, left with the last weights.
        train, val: features and labels; `train` may be a list of such pairs, one for each view.
        settings: as `fit`, without `device`.

    Returns:
        the `Fit`.
    """
    views: list[Examples] = [TensorDataset(*view) for view in (train if isinstance(train, list) else [train])]
    with torch_threads(1):
        return fit(head, views, TensorDataset(*val), device=torch.device("cpu"), **settings)


def fit_head(
    network: nn.Module, arch: str, train: Pair | list[Pair], val: Pair, *, keep: str = "best", **settings: Any
) -> Fit:
    """`fit_features` for the head of a frozen network.

    Args:
        network: the complete network, its backbone frozen; holds the kept epoch's head afterwards, on the CPU.
        arch: its architecture.
        train, val: features and labels, as of `fit_features`.
        keep: the epoch whose head stays, "best" (the report's choice) or "last".
        settings: as `fit`, without `device`: so few weights learn fastest on the CPU, and the same everywhere.

    Returns:
        the `Fit`.
    """
    head = model.head(network.to("cpu"), arch)
    result = fit_features(head, train, val, **settings)
    head.load_state_dict(result.state(keep))
    return result


def read_history(run_dir: Path) -> list[Row]:
    """history.csv as `fit` returned it."""
    rows = disk.read_csv(runs.need(run_dir, "history.csv", "02_train.ipynb"))
    whole = ("epoch", "val_correct")
    return [{name: int(value) if name in whole else float(value) for name, value in row.items()} for row in rows]
