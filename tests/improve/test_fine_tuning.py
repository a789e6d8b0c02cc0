import copy
import dataclasses
import math

import pytest
import torch
from torch import nn
from torch.utils.data import TensorDataset

from maskkit import features, model, train
from maskkit.improve import augment, fine_tuning
from maskkit.recipe import Recipe
from tests.test_train import CPU, RANDOM, SETTINGS, losses, within_a_photo

pytestmark = pytest.mark.numeric
SEED = SETTINGS["seed"]
RECIPE = Recipe(
    batch_size=SETTINGS["batch_size"], learning_rate=SETTINGS["learning_rate"], tail_epochs=SETTINGS["epochs"],
    keep="last",
)  # fmt: skip


@pytest.mark.parametrize("arch", ["resnet18", "mobilenet_v2"])
def test_a_tail_on_its_trunk_s_outputs_learns_as_the_whole_network_on_the_photos(photos, arch):
    train_photos, val_photos = photos
    seen = augment.views(train_photos, "report", 2, seed=0)
    source = dataclasses.replace(RANDOM, arch=arch)
    whole, cut = model.unfreeze(model.build(source, 2, seed=0), arch), model.build(source, 2, seed=0)
    rates = fine_tuning.tail_rates(model.cut(whole, arch)[1], SETTINGS["learning_rate"], 1e-4)
    plain = train.fit(whole, seen, val_photos, **SETTINGS | {"learning_rate": rates}, device=CPU)
    before = copy.deepcopy(cut.state_dict())
    quick = fine_tuning.fit_tail(cut, arch, seen, val_photos, RECIPE, seed=SEED, device=CPU)
    assert losses(quick) == pytest.approx(losses(plain), abs=1e-4) and within_a_photo(quick, plain)
    moved = {name for name, value in cut.state_dict().items() if not torch.equal(value, before[name])}
    assert moved == {name for name, weight in cut.named_parameters() if weight.requires_grad}  # no batch norm


def test_photos_given_twice_pass_the_trunk_once(photos, monkeypatch):
    train_photos, val_photos = photos
    passed, outputs = [], features.outputs
    monkeypatch.setattr(features, "outputs", lambda module, *given: passed.append(given[0]) or outputs(module, *given))
    (view,) = augment.changed_views(train_photos, "report", 1, seed=0)
    network = model.build(RANDOM, 2, seed=0)
    views = [train_photos, view, train_photos, view]
    fine_tuning.fit_tail(network, "resnet18", views, val_photos, RECIPE, seed=SEED, device=CPU)
    assert passed == [train_photos, view, val_photos]


def test_a_share_keeps_part_of_the_first_weights_and_is_what_is_validated():
    chance = torch.Generator().manual_seed(0)
    inputs, labels = torch.randn(20, 4, generator=chance), torch.arange(20) % 2
    first, part, fitted = nn.Linear(4, 2), TensorDataset(inputs, labels), {}
    for share in (1, 0.5):
        network = copy.deepcopy(first)
        hooks = [fine_tuning.WeightInterpolation(network, share)]
        fitted[share] = train.fit(network, part, part, **SETTINGS, device=CPU, hooks=hooks)
        assert all(torch.equal(value, fitted[share].last_state[name]) for name, value in network.state_dict().items())
    whole, half = fitted[1], fitted[0.5]
    assert [row["train_loss"] for row in half.history] == [row["train_loss"] for row in whole.history]
    for name, begun in first.state_dict().items():
        assert torch.equal(half.last_state[name], begun.lerp(whole.last_state[name], 0.5))
    first.load_state_dict(half.last_state)
    loss = nn.functional.cross_entropy(first(inputs), labels).item()
    assert half.history[-1]["val_loss"] == pytest.approx(loss) and loss != pytest.approx(whole.history[-1]["val_loss"])


def test_a_tail_s_share_reaches_its_weights(photos):
    train_photos, val_photos = photos
    seen, kept = augment.views(train_photos, "none", 1, seed=0), {}
    for share in (1, 0.25):
        network = model.build(RANDOM, 2, seed=0)
        before = copy.deepcopy(network.state_dict())
        recipe = dataclasses.replace(RECIPE, tail_share=share)
        fine_tuning.fit_tail(network, "resnet18", seen, val_photos, recipe, seed=SEED, device=CPU)
        kept[share] = network.state_dict()
    name = "layer4.0.conv1.weight"
    assert torch.equal(kept[0.25][name], before[name].lerp(kept[1][name], 0.25))
    assert not torch.equal(kept[0.25][name], kept[1][name])


def test_a_tail_s_last_epochs_are_averaged(photos):
    train_photos, val_photos = photos
    seen, kept = augment.views(train_photos, "report", 2, seed=0), {}
    for epochs, average_epochs in ((1, 1), (2, 1), (2, 2)):
        network = model.build(RANDOM, 2, seed=0)
        recipe = dataclasses.replace(RECIPE, tail_epochs=epochs, average_epochs=average_epochs)
        fine_tuning.fit_tail(network, "resnet18", seen, val_photos, recipe, seed=SEED, device=CPU)
        kept[epochs, average_epochs] = network.state_dict()
    for name in ("layer4.0.conv1.weight", "fc.weight"):
        mean = (kept[1, 1][name] + kept[2, 1][name]) / 2
        assert torch.allclose(kept[2, 2][name], mean, atol=1e-6)
        assert not torch.allclose(kept[2, 2][name], kept[2, 1][name], atol=1e-6)


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"tail_learning_rate": 1e-3}, "TAIL_LEARNING_RATE must be above 0 and at most 0.0001"),
        *(({"tail_share": share}, "TAIL_SHARE must be above 0 and at most 1, got") for share in (0, -1, 1.5, math.nan)),
    ],
)
def test_a_recipe_of_a_tail_is_checked(wrong, message):
    with pytest.raises(ValueError, match=message):
        dataclasses.replace(RECIPE, **wrong)


def test_a_training_that_goes_on_counts_its_epochs_through():
    part = TensorDataset(torch.randn(20, 4, generator=torch.Generator().manual_seed(0)), torch.arange(20) % 2)
    first, second = (
        train.fit(nn.Linear(4, 2), part, part, **SETTINGS | {"epochs": epochs}, device=CPU) for epochs in (2, 3)
    )
    both = fine_tuning.joined(first, second)
    assert [row["epoch"] for row in both.history] == [1, 2, 3, 4, 5]
    assert both.best == second.best | {"epoch": second.best["epoch"] + 2} and both.last["epoch"] == 5
    assert second.history[0]["epoch"] == 1
