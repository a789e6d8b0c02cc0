"""Who learns a shortcut and who is measured."""

import numpy as np

from maskkit.audit import shortcuts


def test_a_test_part_is_measured_without_its_versions_in_train():
    labels = np.arange(480) % 2
    parts = np.repeat(["Train", "Test"], [80, 400])
    groups = np.arange(480)
    groups[80:90] = np.arange(10)
    way = shortcuts.protocol(labels, groups, parts, 0)
    ((train, test),) = way.pairs
    assert len(test) == 400 and set(train) == set(range(10, 80)) and way.part == "Test"
    assert len(shortcuts.protocol(labels, groups, np.full(480, ""), 0).pairs) == 5


def test_a_small_test_part_is_not_enough_and_all_photos_are_tested_in_folds():
    labels = np.arange(479) % 2
    parts = np.repeat(["Train", "Test"], [80, 399])
    way = shortcuts.protocol(labels, np.arange(479), parts, 0)
    assert len(way.pairs) == 5 and len(way.tested) == 479


def test_a_sample_keeps_groups_apart_and_classes_even():
    labels = np.arange(1200) % 2
    groups = np.arange(1200) // 3
    for parts in (np.repeat(["Train", "Test"], [800, 400]), np.full(1200, "")):
        way = shortcuts.protocol(labels, groups, parts, 0)
        few = way.sample(labels, 100, 0)
        assert len(few.tested) == 100 == 2 * labels[few.tested].sum() and few.is_sample and not way.is_sample
        assert len(few.used) == (200 if "Test" in parts else 100)
        for train, test in few.pairs:
            assert len(train) and not set(groups[train]) & set(groups[test])
        assert way.sample(labels, 800, 0) is way or "Test" not in parts
