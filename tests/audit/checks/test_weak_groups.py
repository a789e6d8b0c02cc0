"""The check of weak groups: judged by the weakest one, and what it says."""

import dataclasses

import numpy as np

from maskkit.audit.checks import weak_groups as check
from maskkit.core.messages import message
from tests.audit.synthetic import CONTEXT, audited, features
from tests.audit.test_weak_groups import originals, photos


def judged(wrong, members):
    formed = {f"g{place}": (message("group"), group) for place, group in enumerate(members)}
    return check.judge_groups(formed, originals(wrong), 0)


def test_the_weakest_group_comes_first_and_is_judged():
    n = 800
    group = np.arange(n) % 5 == 0
    wrong = group & (np.arange(n) % 10 == 0)
    found = judged(wrong, np.stack([np.arange(n) % 4 == 1, group]))
    assert list(found.entries) == ["weakest", "g1", "g0"] and found.entries["g1"]["result"] == "fail"
    result = check.CHECK.result(found)
    assert result["result"] == "fail" and abs(result["value"] - 0.5) < 0.01
    assert "the weakest of 2 groups is group: 50.0 % right" in result["sentence"]


def test_photos_without_a_weak_group_pass_and_too_few_are_not_judged():
    for n, expected in ((8000, "pass"), (150, "pass"), (149, "unknown")):
        members = np.stack([np.arange(n) % 5 == place for place in range(5)])
        found = judged(np.arange(n) % 101 == 0, members)
        assert check.CHECK.result(found)["result"] == expected
        weakest = found.entries["weakest"]
        assert weakest["interval"][0] <= weakest["value"] <= weakest["interval"][1]
    assert "149 independent photos are too few to pass; 150 are needed" in found.judged["sentence"]


def test_a_weak_group_is_found_although_the_photos_are_few():
    group = np.arange(100) % 5 == 0
    found = judged(group & (np.arange(100) % 15 != 0), np.stack([np.arange(100) % 4 == 1, group]))
    assert check.CHECK.result(found)["result"] == "fail"


def test_a_weak_group_is_found_by_its_brightness():
    X, labels = features(400, 5.0)
    photos_at_hand = photos(400, np.where(np.arange(400) % 5 == 0, 40, 160))
    X[::5] = X[::5] * 0.0 + X[other_places()]  # the features of dark photos tell nothing about their class
    one = dataclasses.replace(audited(X, labels), photos=photos_at_hand)
    found = check.CHECK.measure(one, CONTEXT)
    assert (
        list(found.entries)[1] in ("brightness_low", "cluster_1", "cluster_2") or "darkest" in found.judged["sentence"]
    )
    assert check.CHECK.result(found)["result"] == "fail"


def other_places():
    """80 places of other photos, whatever their class."""
    return np.random.default_rng(0).choice(400, 80, replace=False)


def test_few_photos_and_missing_networks_are_not_measured():
    X, labels = features(40, 5.0)
    assert "40 independent photos are too few" in check.CHECK.measure(audited(X, labels), CONTEXT).judged["sentence"]
    X, labels = features(6, 5.0)
    assert check.CHECK.result(check.CHECK.measure(audited(X, labels), CONTEXT))["result"] == "unknown"
