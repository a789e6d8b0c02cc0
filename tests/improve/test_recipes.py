"""Recipes on small synthetic photos: same splits, same answers, and the network is unchanged afterwards."""

import dataclasses

import numpy as np
import pytest
import torch

from maskkit import model, pretrained
from maskkit.audit.classifiers import Classifier
from maskkit.core import paths
from maskkit.improve import recipes, test_sets

CPU = torch.device("cpu")
RECIPE = {"epochs": 2, "batch_size": 8, "learning_rate": 0.01}


@pytest.fixture(autouse=True)
def own_cache(tmp_path, monkeypatch):
    monkeypatch.setattr(paths, "CACHE", tmp_path / "cache")


@pytest.fixture
def net():
    return Classifier(
        "resnet18", "none", "", model.build(pretrained.Pretrained("resnet18", "none", None, ""), 2, seed=0)
    )


def small(sets):
    """The first test set at 64 px."""
    return [dataclasses.replace(sets[0], transform=model.Transform(64))]


@pytest.mark.numeric
def test_heads_and_tails_answer_the_test_set_and_leave_the_network_as_it_was(net, drawn_faces, face_source):
    drawn_faces.photos.transform = model.Transform(64)
    sets = small(test_sets.find(drawn_faces, face_source, None, n=12, seed=0))
    before = {name: value.clone() for name, value in net.network.state_dict().items()}
    experiment = recipes.Experiment({"resnet18": net}, drawn_faces, sets, RECIPE, CPU, seed=0)
    plain = recipes.train_heads(experiment, augmentation="none", n_views=1)["resnet18"]
    heads = recipes.train_heads(experiment, augmentation="report", n_views=2)
    unfrozen = recipes.train_tails(
        experiment, heads, augmentation="report", n_views=2, tail_epochs=2, tail_learning_rate=1e-4
    )["resnet18"]
    views = heads["resnet18"]
    for trained in (plain, views, unfrozen):
        assert trained.right["unseen"].shape == (3, 12) and trained.right["unseen"].dtype == bool
        assert len(trained.history) == 2
    assert not torch.equal(plain.states[0]["weight"], views.states[0]["weight"])
    assert all(torch.equal(value, before[name]) for name, value in net.network.state_dict().items())
    assert model.count_weights(net.network)[0] == 1026
    again = recipes.train_head(experiment, "resnet18", "report", 2)
    assert np.array_equal(views.right["unseen"], again.right["unseen"])


def test_a_tail_s_rate_is_checked_before_photos_pass_its_trunk(net, drawn_faces):
    experiment = recipes.Experiment({"resnet18": net}, drawn_faces, [], RECIPE, CPU, seed=0)
    with pytest.raises(ValueError, match="TAIL_LEARNING_RATE must be above 0 and at most 0.0001, got 1.0"):
        recipes.train_tails(experiment, {}, augmentation="report", n_views=2, tail_epochs=2, tail_learning_rate=1.0)
