"""What is paired, and what counts as a gain."""

import json

import numpy as np
import pytest

from maskkit.core import intervals
from maskkit.improve import paired_gains, recipes, test_sets


def make_set(n):
    return test_sets.TestSet("unseen", "unseen photos", [{"label": "a"}] * n, np.arange(n))


def experiment(nets, n):
    return recipes.Experiment(nets, None, [make_set(n)], {}, None, seed=0)


def trained(right):
    return recipes.Trained({"unseen": right}, [], [])


@pytest.mark.parametrize(
    ("before", "after", "answer"), [(0.7, 0.95, "yes"), (0.95, 0.7, "worse"), (0.9, 0.9, "no gain shown")]
)
def test_a_gain_is_yes_only_beyond_chance(before, after, answer):
    chance = np.random.default_rng(0)
    sides = [trained(chance.random((20, 200)) < share) for share in (before, after)]
    entry = paired_gains.gain("views", sides[1], sides[0], make_set(200), 0)
    assert entry["answer"] == answer and f"views: {answer}" in entry["sentence"]
    assert entry["value"] == pytest.approx(entry["after"] - entry["before"])
    assert entry["interval"][0] <= entry["value"] <= entry["interval"][1]
    assert entry["n"] == 200 and entry["splits"] == 20
    json.dumps(entry)


def test_the_table_shows_before_after_and_answer():
    right = np.ones((20, 4), dtype=bool)
    half = right.copy()
    half[:, :2] = False
    sides = [{"resnet18": trained(rights)} for rights in (right, half)]
    found = paired_gains.compare("strong views", *sides, experiment({}, 4))
    row = paired_gains.format_table(found).splitlines()[2]
    assert row.startswith("| resnet18, strong views | 4 unseen photos, 20 splits | 50.0 % | 100.0 % | +50.0 (")
    score = paired_gains.accuracy(trained(half), make_set(4), 0)
    assert (score["correct"], score["n"], score["accuracy"]) == (2, 4, 0.5)
    assert score["interval"] == pytest.approx(intervals.wilson(2, 4), abs=0.05)


def test_the_lighter_network_is_compared_only_if_both_were_trained():
    right = np.ones((20, 4), dtype=bool)
    both = {"resnet18": trained(right), "mobilenet_v2": trained(~right)}
    (entries,) = paired_gains.compare_networks(both, experiment({}, 4)).values()
    assert entries["unseen"]["value"] == -1 and entries["unseen"]["answer"] == "worse"
    assert paired_gains.compare_networks({"resnet18": trained(right)}, experiment({}, 4)) == {}
