import copy
import math

import pytest
import torch
from conftest import TOLERANCE
from torch import nn
from torch.utils.data import TensorDataset

from maskkit import evaluate, features, model, pretrained, train
from maskkit.core.parallel import torch_threads

pytestmark = pytest.mark.numeric

RANDOM = pretrained.Pretrained("resnet18", "none", None, "")
SETTINGS = {"epochs": 3, "batch_size": 7, "learning_rate": 0.01, "seed": 3}  # 24 photos: the last batch has 3
CPU = torch.device("cpu")


def cached(network, photos, cache):
    parts = []
    for part in photos:
        found, _ = features.extract(network, "resnet18", part, cache=cache, device=CPU)
        parts.append((found, part.label_tensor()))
    return train.fit_head(network, "resnet18", *parts, **SETTINGS)


def losses(result):
    return [epoch[name] for epoch in result.history for name in ("train_loss", "val_loss")]


def within_a_photo(first, second):
    """Whether two trainings were right for as many of the 24 and 6 photos in every epoch, to within one."""
    return all(
        abs(24 * (one["train_accuracy"] - other["train_accuracy"])) < 1.5
        and abs(one["val_correct"] - other["val_correct"]) <= 1
        for one, other in zip(first.history, second.history, strict=True)
    )


def test_cached_features_and_the_plain_loop_over_photos_agree(photos, tmp_path):
    plain_network, cached_network = (model.build(RANDOM, 2, seed=0) for _ in range(2))
    plain = train.fit(plain_network, *photos, **SETTINGS, device=CPU)
    quick = cached(cached_network, photos, tmp_path)
    assert losses(quick) == pytest.approx(losses(plain), abs=1e-5)
    assert within_a_photo(quick, plain)
    images = torch.stack([photos[1][index][0] for index in range(len(photos[1]))])
    cached_network.fc.load_state_dict(quick.last_state)
    answers = [network.eval()(images).softmax(1) for network in (plain_network, cached_network)]
    assert (answers[0] - answers[1]).abs().max() <= TOLERANCE


def test_without_eval_the_two_would_differ(photos, tmp_path, monkeypatch):
    """The agreement above is worth something: a frozen batch norm in train mode breaks it."""
    quick = cached(model.build(RANDOM, 2, seed=0), photos, tmp_path)
    monkeypatch.setattr(train, "set_mode", lambda network: network.train())
    drifting = train.fit(model.build(RANDOM, 2, seed=0), *photos, **SETTINGS, device=CPU)
    assert losses(quick) != pytest.approx(losses(drifting), abs=1e-3)


def test_frozen_layers_do_not_change_by_one_bit(photos):
    network = model.build(RANDOM, 2, seed=0)
    before = copy.deepcopy(network.state_dict())
    train.fit(network, *photos, **SETTINGS | {"epochs": 1}, device=CPU)
    changed = {name for name, value in network.state_dict().items() if not torch.equal(value, before[name])}
    assert changed == {"fc.weight", "fc.bias"}


def test_a_thawed_block_learns_and_its_batch_norm_stays_where_frozen(photos):
    network = model.build(RANDOM, 2, seed=0)
    network.layer4[1].conv2.weight.requires_grad_(True)
    before = copy.deepcopy(network.state_dict())
    train.fit(network, *photos, **SETTINGS | {"epochs": 1}, device=CPU)
    changed = {name for name, value in network.state_dict().items() if not torch.equal(value, before[name])}
    assert changed == {"fc.weight", "fc.bias", "layer4.1.conv2.weight"}


class Table(nn.Module):
    """Logits looked up by the input, moved by one weight that learns nothing of use."""

    def __init__(self, logits):
        super().__init__()
        self.logits, self.shift = torch.tensor(logits), nn.Parameter(torch.zeros(1))

    def forward(self, inputs):
        return self.logits[inputs] + self.shift


def test_losses_and_accuracy_by_hand_with_a_short_last_batch():
    table = Table([[2.0, 0.0], [0.0, 2.0], [2.0, 0.0]])
    part = TensorDataset(torch.tensor([0, 1, 2]), torch.tensor([0, 1, 1]))  # the third is wrong
    result = train.fit(table, part, part, epochs=1, batch_size=2, learning_rate=1e-9, seed=0, device=CPU)
    right, wrong = math.log(1 + math.exp(-2)), math.log(1 + math.exp(2))
    (epoch,) = result.history
    assert epoch["val_accuracy"] == epoch["train_accuracy"] == 2 / 3  # mean of batch means would be 1/2
    assert epoch["val_loss"] == pytest.approx((2 * right + wrong) / 3, abs=1e-6)


@pytest.mark.parametrize(
    ("measured", "kept"),
    [
        ([(1, 0.1), (2, 0.5), (2, 0.4), (1, 0.2)], 3),  # the lowest loss among the most correct, not of all
        ([(2, 0.5), (2, 0.6), (2, 0.4), (2, 0.45)], 3),
        ([(2, 0.5), (2, 0.5), (1, 0.5), (2, 0.5)], 1),  # equal in both: the first
    ],
)
def test_among_equal_accuracies_the_epoch_of_the_lowest_validation_loss_is_kept(measured, kept):
    network = nn.Linear(1, 1)
    training = train.Training(network, torch.optim.Adam(network.parameters()), torch.Generator())
    for epoch, (correct, loss) in enumerate(measured, start=1):
        with torch.no_grad():
            network.bias.fill_(epoch)
        training.add(train.history_row(epoch, (0.5, 1), 2, (loss, correct), 2), n_val=2)
    assert (training.best["epoch"], training.best["correct"]) == (kept, 2)
    assert training.best_state["bias"].item() == kept
    assert evaluate.best_epoch(training.history)["epoch"] == kept  # the figures mark the epoch that is kept


def test_same_seed_same_history_another_seed_another():
    part = (torch.randn(20, 4, generator=torch.Generator().manual_seed(0)), torch.arange(20) % 2)

    def run(seed):
        torch.manual_seed(0)
        settings = SETTINGS | {"seed": seed}
        return train.fit(nn.Linear(4, 2), TensorDataset(*part), TensorDataset(*part), **settings, device=CPU).history

    assert run(1) == run(1) != run(2)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"epochs": 0}, "EPOCHS must be at least 1"),
        ({"batch_size": 0}, "BATCH_SIZE must be at least 1"),
        ({"learning_rate": -0.1}, "LEARNING_RATE must be above 0"),
        ({"learning_rate": float("nan")}, "LEARNING_RATE must be above 0"),
    ],
)
def test_settings_out_of_range(change, message):
    part = TensorDataset(torch.zeros(2, 1), torch.zeros(2))
    with pytest.raises(ValueError, match=message):
        train.fit(nn.Linear(1, 1), part, part, **SETTINGS | change, device=CPU)


def test_empty_part_and_frozen_network_are_refused():
    part, empty = (TensorDataset(torch.zeros(n, 1), torch.zeros(n)) for n in (2, 0))
    with pytest.raises(ValueError, match="2 training and 0 validation photos"):
        train.fit(nn.Linear(1, 1), part, empty, **SETTINGS, device=CPU)
    with pytest.raises(ValueError, match="nothing would learn"):
        train.fit(nn.Linear(1, 1).requires_grad_(False), part, part, **SETTINGS, device=CPU)


def test_a_head_learns_on_one_thread_whatever_the_caller_has():
    """A second one would wait for its core at each step where the machine is busy (benchmarks/threads.py)."""
    seen, head = set(), nn.Linear(512, 2)
    head.register_forward_hook(lambda *_: seen.add(torch.get_num_threads()))
    pair = torch.rand(20, 512), torch.arange(20) % 2
    with torch_threads(3):
        train.fit_features(head, pair, pair, **SETTINGS)
        assert torch.get_num_threads() == 3
    assert seen == {1}


def test_epochs_take_the_views_in_turn():
    seen = []

    class Part(TensorDataset):
        def __getitem__(self, index):
            seen.append(self.tensors[0][0].item())
            return super().__getitem__(index)

    def part(value):
        return Part(torch.full((2, 1), value), torch.zeros(2, dtype=torch.int64))

    settings = SETTINGS | {"epochs": 5}
    train.fit(nn.Linear(1, 1), [part(1.0), part(2.0)], part(9.0), **settings, device=CPU)
    assert [value for value in seen if value < 9] == [1, 2, 1, 2, 1]


def test_the_epoch_to_keep_is_best_or_last():
    part = TensorDataset(torch.randn(20, 4, generator=torch.Generator().manual_seed(0)), torch.arange(20) % 2)
    result = train.fit(nn.Linear(4, 2), part, part, **SETTINGS, device=CPU)
    assert result.state("best") is result.best_state and result.state("last") is result.last_state
    with pytest.raises(ValueError, match="KEEP must be 'best' or 'last', got 'first'"):
        result.state("first")


def test_parts_learn_at_rates_of_their_own():
    part = TensorDataset(torch.randn(20, 4, generator=torch.Generator().manual_seed(0)), torch.arange(20) % 2)
    network = nn.Sequential(nn.Linear(4, 8), nn.ReLU(), nn.Linear(8, 2))
    before = copy.deepcopy(network.state_dict())
    rates = [(network[0], 1e-6), (network[2], 0.01)]
    train.fit(network, part, part, **SETTINGS | {"learning_rate": rates, "epochs": 1, "batch_size": 20}, device=CPU)
    steps = {name: (value - before[name]).abs().max().item() for name, value in network.state_dict().items()}
    assert steps["0.weight"] == pytest.approx(1e-6, rel=0.1) and steps["2.weight"] == pytest.approx(0.01, rel=0.1)


def test_hooks_are_called_in_order_and_see_the_training():
    seen = []

    class Recorder(train.Hook):
        def start(self, training):
            seen.append(("start", len(training.history)))

        def before_validation(self, training):
            seen.append(("before", len(training.history)))

        def after_validation(self, training):
            seen.append(("after", len(training.history)))

        def end_epoch(self, training):
            seen.append(("epoch", len(training.history)))

        def end(self, training):
            seen.append(("end", len(training.history)))

    part = TensorDataset(torch.randn(4, 4), torch.arange(4) % 2)
    train.fit(nn.Linear(4, 2), part, part, **SETTINGS | {"epochs": 2}, device=CPU, hooks=[Recorder()])
    epochs = [(name, n + (name != "before")) for n in (0, 1) for name in ("before", "after", "epoch")]
    assert seen == [("start", 0), *epochs, ("end", 2)]
