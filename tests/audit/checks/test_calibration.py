"""Calibration: fail where logits are six times too large, and the temperature that mends it."""

import numpy as np
import pytest

from maskkit.audit.checks import calibration
from maskkit.audit.checks.check import Measured
from maskkit.core.messages import message


def logits_and_labels(n):
    generator = np.random.default_rng(0)
    logits = np.zeros((n, 2))
    logits[:, 0] = generator.normal(0, 3, n)
    return logits, (generator.random(n) > 1 / (1 + np.exp(-logits[:, 0]))).astype(int)


@pytest.mark.parametrize(("sharpness", "expected"), [(1.0, "pass"), (6.0, "fail")])
def test_the_error_before_scaling_is_judged(sharpness, expected):
    logits, labels = logits_and_labels(1500)
    entries = calibration.entries_of(logits * sharpness, labels, np.arange(1500), message("photos"), 0)
    assert calibration.CHECK.result(Measured(entries, entries["ece"]))["result"] == expected
    assert entries["ece_scaled"]["temperature"] == pytest.approx(sharpness, rel=0.15)
    assert entries["dont_know"]["value"] < 0.03 < 0.5 < entries["dont_know"]["answered"] + 0.3


def test_too_few_photos_are_not_measured():
    logits, labels = logits_and_labels(29)
    entries = calibration.entries_of(logits, labels, np.arange(29), message("photos"), 0)
    assert list(entries) == ["ece"] and entries["ece"]["value"] is None
    assert entries["ece"]["sentence"] == "not measured: 29 unseen photos are too few; 30 are needed"
