"""Who learns a shortcut and who is measured."""

import numpy as np

from maskkit.audit import shortcuts


def test_a_test_part_is_measured_without_its_versions_in_train():
    labels = np.arange(120) % 2
    parts = np.repeat(["Train", "Test"], [80, 40])
    groups = np.arange(120)
    groups[80:90] = np.arange(10)
    way = shortcuts.protocol(labels, groups, parts, 0)
    ((train, test),) = way.pairs
    assert len(test) == 40 and set(train) == set(range(10, 80)) and way.measured_on.startswith("the Test part")
    assert len(shortcuts.protocol(labels, groups, np.full(120, ""), 0).pairs) == 5
