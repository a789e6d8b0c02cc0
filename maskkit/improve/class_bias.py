"""The head's bias, set on augmented views of the validation photos, with each class weighed equally."""

import torch
from torch import nn

from maskkit import train

RIDGE = 1e-4  # keeps the shift of a class without photos finite, and the mean of all shifts 0
PASS = 64  # inputs that pass the network at a time


class ClassBias(train.Hook):
    """Validates and keeps the network with its head's bias shifted; learning itself is the same.

    A head trained on few photos errs to one side on photos of another source: of bare faces 92 % were right, of masked
    ones 98 % (benchmarks/README.md). The photos it is validated on are too easy to show that, augmented views of them
    do. The shift minimises the cross-entropy on these views, each class weighed equally. It has one number per class,
    too few to learn the photos by heart. Logits shifted by class are also what Menon et al. (ICLR 2021, arXiv
    2007.07314) use against classes of unequal size.

    Args:
        views: (inputs, labels) of augmented views of the validation photos, as the network takes them.
    """

    def __init__(self, views: list[train.Pair]) -> None:
        self.inputs, self.labels = (torch.cat(parts) for parts in zip(*views, strict=True))
        self.learned = torch.empty(0)

    @torch.no_grad()
    def before_validation(self, training: train.Training) -> None:
        bias = last_layer(training.network).bias
        self.learned = bias.detach().clone()
        logits = torch.cat([training.network(part.to(bias.device)).cpu() for part in self.inputs.split(PASS)])
        bias.add_(find_shift(logits, self.labels).to(bias.device))

    @torch.no_grad()
    def after_validation(self, training: train.Training) -> None:
        last_layer(training.network).bias.copy_(self.learned)

    def end(self, training: train.Training) -> None:
        self.before_validation(training)


def last_layer(network: nn.Module) -> nn.Linear:
    """A head, or the head's layer in a tail of `model.cut`, which MobileNetV2 has behind a dropout."""
    *_, layer = (module for module in network.modules() if isinstance(module, nn.Linear))
    return layer


def find_shift(logits: torch.Tensor, labels: torch.Tensor) -> torch.Tensor:
    """What to add to logits (n, C) for the lowest cross-entropy, each class weighed equally: float32 (C,)."""
    logits, n_classes = logits.double(), logits.shape[1]
    weights = 1 / torch.bincount(labels, minlength=n_classes).clamp(min=1).double()
    shift = torch.zeros(n_classes, dtype=torch.float64, requires_grad=True)
    optimizer = torch.optim.LBFGS([shift], max_iter=100, line_search_fn="strong_wolfe")

    def loss() -> torch.Tensor:
        optimizer.zero_grad()
        value = nn.functional.cross_entropy(logits + shift, labels, weight=weights) + RIDGE * shift.square().sum()
        value.backward()
        return value

    with torch.enable_grad():
        optimizer.step(loss)
    return shift.detach().float()


def hooks(views: list[train.Pair]) -> list[train.Hook]:
    """The hooks of `train.fit` for parameter BIAS_VIEWS: none where there are no views."""
    return [ClassBias(views)] if views else []
