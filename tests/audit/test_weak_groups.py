"""Weak groups and properties of photos: what is formed, how it is tested, how far a property moved."""

import numpy as np
import pytest
import torch

from maskkit.audit import properties, survey, weak_groups


def photos(n, brightness, seed=0):
    """A survey of photos of noise, whose mean grey level is `brightness` (n,)."""
    rng = np.random.default_rng(seed)
    small = np.clip(rng.integers(-40, 40, (n, 8, 8, 3)) + np.asarray(brightness)[:, None, None, None], 0, 255)
    rows = [
        {"file": f"{place}.png", "label": "ab"[place % 2], "width": 100 + place % 7, "height": 100, "saturation": 0.3}
        for place in range(n)
    ]
    nothing = np.zeros((n, 0), dtype=np.float32)
    sharpness = rng.normal(size=(n, 5)).astype(np.float32)
    return survey.Survey(("a", "b"), rows, [], nothing, sharpness, small.astype(np.uint8), nothing, nothing)


def originals(wrong, labels=None, groups=None):
    n = len(wrong)
    labels = np.arange(n) % 2 if labels is None else labels
    return weak_groups.merge(labels, np.arange(n) if groups is None else groups, np.asarray(wrong))


def test_versions_of_one_original_count_once():
    merged = originals([True, False, True, True], labels=np.array([0, 0, 1, 1]), groups=np.array([5, 5, 7, 8]))
    assert merged.wrong.tolist() == [0.5, 1, 1] and merged.labels.tolist() == [0, 1, 1]
    assert merged.mean(np.array([1.0, 3.0, 5.0, 7.0])).tolist() == [2, 5, 7]


def test_groups_are_the_ends_of_properties_and_clusters():
    n, rng = 200, np.random.default_rng(0)
    brightness = rng.integers(60, 200, n)
    X = torch.from_numpy(np.concatenate([rng.normal(size=(n, 4)), 9.0 * (np.arange(n)[:, None] % 4)], 1))
    formed = weak_groups.form(photos(n, brightness), X, originals(np.zeros(n, bool)), 0)
    words, dark = formed["brightness_low"]
    assert words["id"] == "the darkest fifth" and dark.sum() == pytest.approx(40, abs=3)
    assert brightness[dark].max() < brightness[~dark].min() + 12
    assert "colour_low" not in formed  # all alike: the lowest fifth would be all of them
    clusters = [members for key, (_, members) in formed.items() if key.startswith("cluster")]
    assert len(clusters) == 4 and all(len(set(np.flatnonzero(members) % 4)) == 1 for members in clusters)


def test_a_weak_group_is_found_with_its_shortfall():
    n = 600
    group = np.arange(n) < 120
    wrong = np.where(group, np.arange(n) % 5 < 2, np.arange(n) % 50 == 7)
    members = np.stack([group, np.arange(n) % 3 == 0])
    (weak, ordinary), chance = weak_groups.test(originals(wrong), members, 0)
    assert weak.accuracy == pytest.approx(0.6, abs=1e-9) and weak.others == pytest.approx(0.98, abs=0.005)
    assert weak.interval[0] > 0.15 and weak.interval[0] < weak.shortfall < weak.interval[1] and chance < 0.002
    assert ordinary.interval[0] < 0 < ordinary.interval[1]


def test_chance_alone_is_seldom_called_a_weak_group():
    rng, n, found = np.random.default_rng(1), 200, 0
    members = np.stack([np.isin(np.arange(n), rng.choice(n, 40, replace=False)) for _ in range(14)])
    for seed in range(100):
        tested, _ = weak_groups.test(originals(rng.random(n) < 0.06), members, seed)
        found += max(group.interval[0] for group in tested) > 0
    assert found <= 5  # 2.5 are expected, of 100


def test_a_group_of_a_harder_class_is_no_weak_group():
    n = 400
    labels = np.arange(n) % 2
    wrong = (labels == 1) & (np.arange(n) % 20 < 6)  # only class 1 has errors
    group = (labels == 1) & (np.arange(n) % 40 < 20)
    (found,), chance = weak_groups.test(originals(wrong, labels), group[None], 0)
    assert found.shortfall == pytest.approx(0, abs=0.02) and chance > 0.3


def test_a_group_that_holds_a_whole_class_has_no_shortfall_of_it():
    labels = np.repeat([0, 1], 50)
    (found,), _ = weak_groups.test(originals(np.arange(100) % 10 == 0, labels), (labels == 1)[None], 0)
    assert found.shortfall == 0


def test_properties_are_those_of_the_photos():
    measured = photos(4, [40, 80, 120, 160])
    assert np.diff(properties.values(measured, "brightness")).min() > 20
    assert properties.values(measured, "size")[0] == pytest.approx(np.log(100 * 100))
    assert set(properties.PROPERTIES) == set(weak_groups.ENDS)
    for name in properties.PROPERTIES:
        assert properties.values(measured, name).shape == (4,)


def test_a_property_that_moved_is_seen_with_its_distance():
    rng = np.random.default_rng(0)
    here, there = rng.normal(0, 1, 400), rng.normal(1, 1, 300)
    difference, (low, high), share, (least, most) = properties.shift(here, there, np.arange(400), np.arange(300), 0)
    assert low < 1 < high and difference == pytest.approx(1, abs=0.15) and high - low < 0.4
    assert least < share < most and share == pytest.approx(0.76, abs=0.03)  # of normal distributions: Phi(1 / sqrt(2))
    _, (low, high), _, (least, most) = properties.shift(here, here, np.arange(400), np.arange(400), 0)
    assert low < 0 < high and least < 0.5 < most


def test_versions_make_a_shift_less_certain():
    rng = np.random.default_rng(0)
    here, there = np.repeat(rng.normal(0, 1, 40), 10), np.repeat(rng.normal(0.5, 1, 40), 10)
    alone = properties.shift(here, there, np.arange(400), np.arange(400), 0)[1]
    together = properties.shift(here, there, np.arange(400) // 10, np.arange(400) // 10, 0)[1]
    assert together[1] - together[0] > 2 * (alone[1] - alone[0])
