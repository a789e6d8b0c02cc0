import numpy as np
import pytest
import torch

from maskkit import model, train
from maskkit.audit import splits
from maskkit.core import parameters

pytestmark = pytest.mark.numeric

RECIPE = {"epochs": 4, "batch_size": 16, "learning_rate": 0.001}


@pytest.fixture
def photos():
    """60 photos of two classes as features of 24 numbers that overlap."""
    chance = torch.Generator().manual_seed(0)
    y = torch.arange(60) % 2
    return torch.randn(60, 24, generator=chance) + 0.4 * y[:, None], y


@pytest.mark.parametrize("n_train", [48, 43], ids=["whole batches", "a short last batch"])
def test_many_heads_at_once_are_fit_head_by_head(photos, n_train):
    X, y = photos
    orders = [torch.randperm(60, generator=torch.Generator().manual_seed(100 + seed)) for seed in range(5)]
    places = torch.stack(orders)
    found = splits.fit_many(X, y, places[:, :n_train], places[:, n_train:], seeds=range(5), **RECIPE)
    for seed, order in enumerate(orders):
        head = model.new_head(24, 2, seed)
        parts = [torch.utils.data.TensorDataset(X[part], y[part]) for part in (order[:n_train], order[n_train:])]
        alone = train.fit(head, *parts, seed=seed, device=torch.device("cpu"), **RECIPE)
        assert found.val_correct[seed].tolist() == [row["val_correct"] for row in alone.history]
        assert found.best_epoch[seed] == alone.best["epoch"]
        assert torch.allclose(found.last.weight[seed], alone.last_state["weight"], atol=1e-5)
        assert torch.allclose(found.best.weight[seed], alone.best_state["weight"], atol=1e-5)
        assert torch.allclose(found.best.bias[seed], alone.best_state["bias"], atol=1e-5)


def test_among_equal_accuracies_many_heads_keep_what_one_head_keeps(photos):
    """Classes so far apart that most epochs are right for all: the losses decide."""
    X, y = photos
    X = X + 3 * y[:, None]
    places = torch.stack([torch.randperm(60, generator=torch.Generator().manual_seed(seed)) for seed in range(8)])
    recipe = RECIPE | {"epochs": 12, "learning_rate": 0.05}
    found = splits.fit_many(X, y, places[:, :48], places[:, 48:], seeds=range(8), **recipe)
    equals = 0
    for seed, order in enumerate(places):
        parts = [torch.utils.data.TensorDataset(X[part], y[part]) for part in (order[:48], order[48:])]
        alone = train.fit(model.new_head(24, 2, seed), *parts, seed=seed, device=torch.device("cpu"), **recipe)
        most = max(row["val_correct"] for row in alone.history)
        best = [row for row in alone.history if row["val_correct"] == most]
        equals += len(best) > 1
        assert found.best_epoch[seed] == alone.best["epoch"] == min(best, key=lambda row: row["val_loss"])["epoch"]
        assert torch.allclose(found.best.weight[seed], alone.best_state["weight"], atol=1e-5)
    assert equals >= 6


def test_it_leaves_the_random_state_alone(photos):
    torch.manual_seed(3)
    expected = torch.rand(1)
    torch.manual_seed(3)
    places = torch.arange(60)[None]
    splits.fit_many(*photos, places[:, :40], places[:, 40:], seeds=[0], **RECIPE)
    assert torch.equal(torch.rand(1), expected)


def test_splits_are_stratified_and_keep_groups_together():
    labels = np.repeat([0, 1], 150)
    groups = np.concatenate([np.arange(150) // 3, 1000 + np.arange(150)])
    parts = splits.draw(labels, groups, labels >= 0, per_class=100, n_splits=20, seed=0)
    for train_places, val in parts:
        assert np.bincount(labels[train_places]).tolist() == [80, 80]
        assert np.bincount(labels[val]).tolist() == [20, 20]
        assert not set(groups[train_places]) & set(groups[val])
    assert len({tuple(val) for _, val in parts}) == 20
    again = splits.draw(labels, groups, labels >= 0, per_class=100, n_splits=20, seed=0)
    assert all(np.array_equal(a[1], b[1]) for a, b in zip(parts, again, strict=True))


def test_a_group_that_spans_classes_trains():
    labels, groups = np.repeat([0, 1], 50), np.arange(100)
    groups[50:60] = np.arange(10)
    for train_places, _ in splits.draw(labels, groups, labels >= 0, per_class=0, n_splits=5, seed=0):
        assert set(range(10)) <= set(groups[train_places])


def test_too_few_photos_are_named():
    labels = np.repeat([0, 1], [9, 50])
    with pytest.raises(ValueError, match=f"9 photos.*need {parameters.MIN_PER_CLASS}"):
        splits.draw(labels, np.arange(59), labels >= 0, per_class=100, n_splits=2, seed=0)
    with pytest.raises(ValueError, match="too few to split"):
        splits.draw(np.repeat([0, 1], 20), np.repeat([0, 1], 20), np.ones(40, bool), per_class=0, n_splits=1, seed=0)


def test_unseen_photos_have_no_version_in_the_split(photos):
    X, y = photos
    labels = y.numpy()
    groups = np.arange(60) // 4 * 2 + labels  # pairs of one class
    parts = splits.draw(labels, groups, labels >= 0, per_class=12, n_splits=6, seed=0)
    found = splits.repeat(X, y, groups, parts, seed=0, **RECIPE)
    for index, (train_places, val) in enumerate(parts):
        drawn = np.concatenate([train_places, val])
        assert not set(groups[found.unseen[index]]) & set(groups[drawn])
        assert found.last[index] == found.last_right[index, val].sum()
        assert found.best[index] == found.best_right[index, val].sum() >= found.last[index]


def test_folds_keep_groups_and_classes():
    labels, groups = np.arange(100) % 2, np.arange(100) // 4
    fold = splits.folds(labels, groups, 5, seed=0)
    assert all(len(set(fold[groups == group])) == 1 for group in range(25))
    assert set(fold) == set(range(5))
    with pytest.raises(ValueError, match="5 folds need 5"):
        splits.folds(np.array([0] * 20 + [1] * 4), np.arange(24), 5, seed=0)
