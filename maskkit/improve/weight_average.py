"""The mean of the weights of a training's last epochs, in place of those of its last step."""

import torch

from maskkit import train


class WeightAverage(train.Hook):
    """Validates and keeps the mean of the weights at the end of each of the last epochs.

    Epochs that take different views in turn pull the weights in different directions, and the last view decides. The
    mean over a whole round of views weighs them equally (Izmailov et al., UAI 2018, arXiv 1803.05407, average a whole
    network over epochs for the same reason). Learning itself is the same.

    Args:
        n: how many epochs are averaged; of fewer, all of them.
        epochs: of the training.
    """

    def __init__(self, n: int, epochs: int) -> None:
        self.first = max(1, epochs - n + 1)
        self.learned: dict[str, torch.Tensor] = {}

    @torch.no_grad()
    def before_validation(self, training: train.Training) -> None:
        n_added = len(training.history) + 2 - self.first
        if n_added < 1:
            return
        for name, weight in train.learning(training.network):
            self.learned[name] = weight.detach().clone()
            mean = training.mean_state.setdefault(name, weight.detach().clone())
            weight.copy_(mean.lerp_(weight, 1 / n_added))

    def after_validation(self, training: train.Training) -> None:
        training.network.load_state_dict(self.learned, strict=False)

    def end(self, training: train.Training) -> None:
        training.network.load_state_dict(training.mean_state, strict=False)


def hooks(n: int, epochs: int) -> list[train.Hook]:
    """The hooks of `train.fit` for parameter AVERAGE_EPOCHS: none where it is 1."""
    return [WeightAverage(n, epochs)] if n > 1 else []
