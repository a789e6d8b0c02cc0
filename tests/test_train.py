import copy
import dataclasses
import math
from pathlib import Path

import pytest
import torch
from conftest import TOLERANCE
from torch import nn
from torch.utils.data import TensorDataset

from maskkit import augment, data, evaluate, features, model, pretrained, train
from maskkit.core.parallel import torch_threads
from maskkit.sources import folders

pytestmark = pytest.mark.numeric

RANDOM = pretrained.Pretrained("resnet18", "none", None, "")
SETTINGS = {"epochs": 3, "batch_size": 7, "learning_rate": 0.01, "seed": 3}  # 24 photos: the last batch has 3
CPU = torch.device("cpu")


@pytest.fixture
def photos(curated, dwarf):
    """(train, val) as MaskDatasets of 24 and 6 drawn photos."""
    run_dir, _ = curated
    return tuple(data.MaskDataset(rows, run_dir, folders.REPORT_CLASSES, dwarf) for rows in data.read_split(run_dir))


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
def test_among_equal_accuracies_the_epoch_of_the_lowest_validation_loss_is_kept(monkeypatch, measured, kept):
    validation = iter([(loss, correct) for correct, loss in measured])

    def run_epoch(network, dataset, order, batch_size, device, optimizer=None):
        with torch.no_grad():
            network.bias += 1 if optimizer else 0
        return (0.5, 1) if optimizer else next(validation)

    monkeypatch.setattr(train, "run_epoch", run_epoch)
    network = nn.Linear(1, 1)
    nn.init.zeros_(network.bias)
    part = TensorDataset(torch.zeros(2, 1), torch.zeros(2))
    result = train.fit(network, part, part, epochs=4, batch_size=2, learning_rate=1, seed=0, device=CPU)
    assert (result.best["epoch"], result.best["correct"], result.last["epoch"]) == (kept, 2, 4)
    assert (result.best_state["bias"].item(), result.last_state["bias"].item()) == (kept, 4)
    assert evaluate.best_epoch(result.history)["epoch"] == kept  # the figures mark the epoch that is kept


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


# --- views, the tail, and trainings that stop -----------------------------------------------------


@pytest.mark.parametrize("arch", ["resnet18", "mobilenet_v2"])
def test_a_tail_on_its_trunk_s_outputs_learns_as_the_whole_network_on_the_photos(photos, arch):
    train_photos, val_photos = photos
    seen = augment.views(train_photos, "report", 2, seed=0)
    source = dataclasses.replace(RANDOM, arch=arch)
    whole, cut = model.unfreeze(model.build(source, 2, seed=0), arch), model.build(source, 2, seed=0)
    slow = (model.cut(whole, arch)[1][:-1], 1e-4)
    plain = train.fit(whole, seen, val_photos, **SETTINGS, device=CPU, slow=slow)
    before = copy.deepcopy(cut.state_dict())
    quick = train.fit_tail(cut, arch, seen, val_photos, tail_learning_rate=1e-4, keep="last", device=CPU, **SETTINGS)
    assert losses(quick) == pytest.approx(losses(plain), abs=1e-4) and within_a_photo(quick, plain)
    moved = {name for name, value in cut.state_dict().items() if not torch.equal(value, before[name])}
    assert moved == {name for name, weight in cut.named_parameters() if weight.requires_grad}  # no batch norm


def test_a_head_learns_on_one_thread_whatever_the_caller_has(monkeypatch):
    """A second one would wait for its core at each step where the machine is busy (benchmarks/threads.py)."""
    seen, run_epoch = [], train.run_epoch
    monkeypatch.setattr(train, "run_epoch", lambda *a, **k: seen.append(torch.get_num_threads()) or run_epoch(*a, **k))
    pair = torch.rand(20, 512), torch.arange(20) % 2
    with torch_threads(3):
        train.fit_head(model.build(RANDOM, 2, seed=0), "resnet18", pair, pair, **SETTINGS)
        assert torch.get_num_threads() == 3
    assert set(seen) == {1}


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


@pytest.fixture
def resumable(tmp_path):
    """A function that trains a small network on two views, its first layer slowly, with the checkpoint given."""
    chance = torch.Generator().manual_seed(0)
    parts = [TensorDataset(torch.randn(20, 4, generator=chance), torch.arange(20) % 2) for _ in range(3)]

    def run(checkpoint=None, **changes):
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(0)
            network = nn.Sequential(nn.Linear(4, 8), nn.ReLU(), nn.Linear(8, 2))
        settings = SETTINGS | {"epochs": 5} | changes
        slow = (network[0], 1e-3)
        return train.fit(network, parts[:2], parts[2], **settings, device=CPU, slow=slow, checkpoint=checkpoint)

    return run


@pytest.mark.parametrize("share", [1, 0.5])
def test_a_training_cut_short_ends_as_the_unbroken_one_to_the_last_bit(resumable, tmp_path, monkeypatch, share):
    unbroken, checkpoint = resumable(share=share), tmp_path / "checkpoint.pt"
    whole, epochs = train.write_checkpoint, []

    def stop_after_two(*args):
        whole(*args)
        epochs.append(1)
        if len(epochs) == 2:
            raise KeyboardInterrupt

    monkeypatch.setattr(train, "write_checkpoint", stop_after_two)
    with pytest.raises(KeyboardInterrupt):
        resumable(checkpoint, share=share)
    resumed = resumable(checkpoint, share=share)
    assert len(epochs) == 5  # two, and then three more
    assert (resumed.history, resumed.best, resumed.last) == (unbroken.history, unbroken.best, unbroken.last)
    for mine, theirs in ((resumed.best_state, unbroken.best_state), (resumed.last_state, unbroken.last_state)):
        assert all(torch.equal(mine[name], theirs[name]) for name in theirs)
    assert not checkpoint.exists()


def test_a_checkpoint_of_another_training_or_damaged_is_said_and_not_used(resumable, tmp_path, monkeypatch):
    checkpoint = tmp_path / "checkpoint.pt"
    monkeypatch.setattr(Path, "unlink", lambda *_, **__: None)
    resumable(checkpoint)
    with pytest.warns(UserWarning, match="another training .*; training begins anew"):
        assert resumable(checkpoint, seed=4).history == resumable(seed=4).history
    checkpoint.write_bytes(checkpoint.read_bytes()[:500])
    with pytest.warns(UserWarning, match="damaged .*; training begins anew"):
        assert resumable(checkpoint).history == resumable().history


def test_a_share_keeps_part_of_the_first_weights_and_is_what_is_checked(resumable):
    whole, half = resumable(), resumable(share=0.5)
    assert [row["train_loss"] for row in half.history] == [row["train_loss"] for row in whole.history]
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        first = nn.Sequential(nn.Linear(4, 8), nn.ReLU(), nn.Linear(8, 2))
    for name, begun in first.state_dict().items():
        assert torch.equal(half.last_state[name], begun.lerp(whole.last_state[name], 0.5))
    first.load_state_dict(half.last_state)
    chance = torch.Generator().manual_seed(0)
    val = [torch.randn(20, 4, generator=chance) for _ in range(3)][2]
    loss = nn.functional.cross_entropy(first(val), torch.arange(20) % 2).item()
    assert half.history[-1]["val_loss"] == pytest.approx(loss) and loss != pytest.approx(whole.history[-1]["val_loss"])


@pytest.mark.parametrize("share", [0, -1, 1.01, float("nan")])
def test_a_tail_keeps_a_share_of_its_tuning(photos, share):
    network = model.build(RANDOM, 2, seed=0)
    with pytest.raises(ValueError, match="TAIL_SHARE must be above 0 and at most 1, got"):
        train.fit_tail(
            network,
            "resnet18",
            photos[:1],
            photos[1],
            tail_learning_rate=1e-4,
            tail_share=share,
            keep="last",
            device=CPU,
            **SETTINGS,
        )


def test_a_tail_s_share_reaches_its_weights(photos):
    train_photos, val_photos = photos
    seen, kept = augment.views(train_photos, "none", 1, seed=0), {}
    for share in (1, 0.25):
        network = model.build(RANDOM, 2, seed=0)
        before = copy.deepcopy(network.state_dict())
        train.fit_tail(
            network,
            "resnet18",
            seen,
            val_photos,
            tail_learning_rate=1e-4,
            tail_share=share,
            keep="last",
            device=CPU,
            **SETTINGS,
        )
        kept[share] = network.state_dict()
    name = "layer4.0.conv1.weight"
    assert torch.equal(kept[0.25][name], before[name].lerp(kept[1][name], 0.25))
    assert not torch.equal(kept[0.25][name], kept[1][name])


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"tail_learning_rate": 1e-3}, "TAIL_LEARNING_RATE must be above 0 and at most 0.0001"),
        ({"tail_share": 1.5}, "TAIL_SHARE must be above 0 and at most 1, got 1.5"),
    ],
)
def test_a_tail_s_settings_are_checked_before_photos_pass_its_trunk(photos, monkeypatch, wrong, message):
    monkeypatch.setattr(features, "outputs", lambda *_: pytest.fail("photos passed the trunk"))
    settings = SETTINGS | {"tail_learning_rate": 1e-4, "keep": "last", "device": CPU} | wrong
    with pytest.raises(ValueError, match=message):
        train.fit_tail(model.build(RANDOM, 2, seed=0), "resnet18", photos[:1], photos[1], **settings)


def test_the_epoch_to_keep_is_best_or_last(resumable):
    result = resumable()
    assert result.state("best") is result.best_state and result.state("last") is result.last_state
    with pytest.raises(ValueError, match="KEEP must be 'best' or 'last', got 'first'"):
        result.state("first")


def test_a_training_that_goes_on_counts_its_epochs_through(resumable):
    first, second = resumable(epochs=2), resumable(epochs=3)
    both = train.joined(first, second)
    assert [row["epoch"] for row in both.history] == [1, 2, 3, 4, 5]
    assert both.best == second.best | {"epoch": second.best["epoch"] + 2} and both.last["epoch"] == 5
    assert second.history[0]["epoch"] == 1
