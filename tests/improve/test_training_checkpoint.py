from pathlib import Path

import pytest
import torch
from torch import nn
from torch.utils.data import TensorDataset

from maskkit import train
from maskkit.improve import weight_average
from maskkit.improve.fine_tuning import WeightInterpolation
from maskkit.improve.training_checkpoint import TrainingCheckpoint
from tests.test_train import CPU, SETTINGS


class Interruption(train.Hook):
    """Stops a training at the end of its second epoch, and records the epochs that end."""

    def __init__(self):
        self.epochs = []

    def end_epoch(self, training):
        self.epochs.append(len(training.history))
        if self.epochs == [1, 2]:
            raise KeyboardInterrupt


@pytest.fixture
def run():
    """A function that trains a small network on two views, its first layer slowly, with the checkpoint given."""
    chance = torch.Generator().manual_seed(0)
    parts = [TensorDataset(torch.randn(20, 4, generator=chance), torch.arange(20) % 2) for _ in range(3)]

    def run(checkpoint=None, share=1, hooks=(), average=1, **changes):
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(0)
            network = nn.Sequential(nn.Linear(4, 8), nn.ReLU(), nn.Linear(8, 2))
        settings = SETTINGS | {"epochs": 5, "learning_rate": [(network[0], 1e-3), (network[2], 0.01)]} | changes
        own = [*weight_average.hooks(average, settings["epochs"]), WeightInterpolation(network, share)]
        if checkpoint:
            own.append(TrainingCheckpoint(checkpoint, [settings["epochs"], settings["seed"], share], parts))
        return train.fit(network, parts[:2], parts[2], **settings, device=CPU, hooks=[*own, *hooks])

    return run


@pytest.mark.parametrize(("share", "average"), [(1, 1), (0.5, 1), (1, 4), (0.5, 4)])
def test_a_training_cut_short_ends_as_the_unbroken_one_to_the_last_bit(run, tmp_path, share, average):
    unbroken, checkpoint, interruption = run(share=share, average=average), tmp_path / "checkpoint.pt", Interruption()
    with pytest.raises(KeyboardInterrupt):
        run(checkpoint, share, [interruption], average)
    assert checkpoint.is_file()
    resumed = run(checkpoint, share, [interruption], average)
    assert interruption.epochs == [1, 2, 3, 4, 5]
    assert (resumed.history, resumed.best, resumed.last) == (unbroken.history, unbroken.best, unbroken.last)
    for mine, theirs in ((resumed.best_state, unbroken.best_state), (resumed.last_state, unbroken.last_state)):
        assert all(torch.equal(mine[name], theirs[name]) for name in theirs)
    assert not checkpoint.exists()


def test_a_checkpoint_of_another_training_or_damaged_is_named_and_not_used(run, tmp_path, monkeypatch):
    checkpoint = tmp_path / "checkpoint.pt"
    monkeypatch.setattr(Path, "unlink", lambda *_, **__: None)
    run(checkpoint)
    with pytest.warns(UserWarning, match="another training .*; training begins anew"):
        assert run(checkpoint, seed=4).history == run(seed=4).history
    checkpoint.write_bytes(checkpoint.read_bytes()[:500])
    with pytest.warns(UserWarning, match="damaged .*; training begins anew"):
        assert run(checkpoint).history == run().history
