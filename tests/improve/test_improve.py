"""Wishes measured on small drawn photos: what is paired, what counts as a gain, and that nothing is left changed."""

import json

import numpy as np
import pytest
import torch

from maskkit import evaluate, model, pretrained
from maskkit.audit.classifiers import Classifier
from maskkit.core import paths
from maskkit.improve import improve, test_sets

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


def small(found):
    """The same exams at 64 px."""
    return [test_sets.Exam(exam.name, exam.words, exam.rows, exam.groups, model.Transform(64)) for exam in found[:1]]


@pytest.mark.numeric
def test_frozen_and_unfrozen_answer_the_exam_and_leave_the_network_as_it_was(net, drawn_faces, face_source):
    drawn_faces.photos.transform = model.Transform(64)
    asked = small(test_sets.find(drawn_faces, face_source, None, n=12, seed=0))
    before = {name: value.clone() for name, value in net.network.state_dict().items()}
    settings = {"recipe": RECIPE, "device": CPU, "seed": 0}
    nets = {"resnet18": net}
    plain = improve.frozen(nets, drawn_faces, asked, augmentation="none", n_views=1, **settings)["resnet18"]
    views = improve.frozen(nets, drawn_faces, asked, augmentation="report", n_views=2, **settings)
    thawed = improve.unfrozen(
        nets, drawn_faces, asked, views, augmentation="report", n_views=2, tail_learning_rate=1e-4, **settings
    )["resnet18"]
    views = views["resnet18"]
    for learned in (plain, views, thawed):
        assert learned.right["unseen"].shape == (3, 12) and learned.right["unseen"].dtype == bool
        assert len(learned.history) == 2
    assert not torch.equal(plain.states[0]["weight"], views.states[0]["weight"])
    assert all(torch.equal(value, before[name]) for name, value in net.network.state_dict().items())
    assert model.count_weights(net.network)[0] == 1026
    again = improve.learn_head(net, drawn_faces, asked, augmentation="report", n_views=2, **settings)
    assert np.array_equal(views.right["unseen"], again.right["unseen"])


def test_a_tail_s_rate_is_checked_before_photos_pass_its_trunk(net, drawn_faces):
    with pytest.raises(ValueError, match="TAIL_LEARNING_RATE must be above 0 and at most 0.0001, got 1.0"):
        improve.learn_tail(
            net,
            drawn_faces,
            [],
            [],
            augmentation="report",
            n_views=2,
            recipe=RECIPE,
            tail_learning_rate=1.0,
            device=CPU,
            seed=0,
        )


def exam_of(n):
    return test_sets.Exam("unseen", "unseen photos", [{"label": "a"}] * n, np.arange(n))


def learned(right):
    return improve.Learned({"unseen": right}, [], [])


@pytest.mark.parametrize(
    ("before", "after", "answer"), [(0.7, 0.95, "yes"), (0.95, 0.7, "worse"), (0.9, 0.9, "no gain shown")]
)
def test_a_gain_is_yes_only_beyond_chance(before, after, answer):
    chance = np.random.default_rng(0)
    sides = [learned(chance.random((20, 200)) < share) for share in (before, after)]
    one = improve.gain("views", sides[1], sides[0], exam_of(200), 0)
    assert one["answer"] == answer and f"views: {answer}" in one["sentence"]
    assert one["value"] == pytest.approx(one["after"] - one["before"])
    assert one["interval"][0] <= one["value"] <= one["interval"][1] and one["n"] == 200 and one["splits"] == 20
    json.dumps(one)


def test_the_table_says_before_after_and_answer():
    right = np.ones((20, 4), dtype=bool)
    half = right.copy()
    half[:, :2] = False
    sides = [{"resnet18": learned(rights)} for rights in (right, half)]
    found = improve.gains("strong views", *sides, [exam_of(4)], 0)
    row = improve.table(found).splitlines()[2]
    assert row.startswith("| resnet18, strong views | 4 unseen photos, 20 splits | 50.0 % | 100.0 % | +50.0 (")
    score = improve.accuracy(learned(half), exam_of(4), 0)
    assert (score["correct"], score["n"], score["accuracy"]) == (2, 4, 0.5)
    assert score["interval"] == pytest.approx(evaluate.wilson(2, 4), abs=0.05)


def test_the_lighter_network_is_compared_only_where_both_are_there():
    right = np.ones((20, 4), dtype=bool)
    both = {"resnet18": learned(right), "mobilenet_v2": learned(~right)}
    (entries,) = improve.lighter(both, [exam_of(4)], 0).values()
    assert entries["unseen"]["value"] == -1 and entries["unseen"]["answer"] == "worse"
    assert improve.lighter({"resnet18": learned(right)}, [exam_of(4)], 0) == {}
