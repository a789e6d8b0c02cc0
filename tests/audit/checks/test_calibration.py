"""Calibration: fail where logits are six times too large, and the temperature that mends it."""

import numpy as np
import pytest

from maskkit.audit.checks import calibration
from maskkit.audit.entries import entry
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
    assert calibration.CHECK.result(calibration.judge_error(entries))["result"] == expected
    assert entries["ece_scaled"]["temperature"] == pytest.approx(sharpness, rel=0.15)
    assert "result" not in entries["ece"]  # the check's own
    assert entries["ece_scaled"]["result"] == "pass"  # whatever the check's
    assert entries["dont_know"]["value"] < 0.03 < 0.5 < entries["dont_know"]["answered"] + 0.3


@pytest.mark.parametrize(("wrong", "expected"), [(0, "pass"), (10, "warning")])
def test_what_is_answered_is_judged_by_its_own_aim(wrong, expected):
    """1 % of 1,000 answers, which are all of one confidence, so that none can be withheld."""
    right = np.arange(1000) >= wrong
    probabilities = np.tile([0.999, 0.001], (1000, 1))
    found = calibration.dont_know(probabilities, (~right).astype(int), np.arange(1000), np.arange(1000) % 5, 0)
    assert found["result"] == expected


def test_a_warning_needs_a_gap_that_is_shown_and_a_pass_enough_photos():
    def result(low, high):
        entries = {"ece": entry((low + high) / 2, [low, high], 50, "")}
        return calibration.CHECK.result(calibration.judge_error(entries))

    found = [result(*ends)["result"] for ends in ((0.0, 0.19), (0.025, 0.19), (0.025, 0.3), (0.04, 0.3))]
    assert found == ["pass", "warning", "warning", "fail"]
    unsure = result(0.0, 0.21)
    assert unsure["result"] == "unknown" and "50 photos are too few: a gap of 21 points" in unsure["sentence"]


def test_too_few_photos_are_not_measured():
    logits, labels = logits_and_labels(29)
    entries = calibration.entries_of(logits, labels, np.arange(29), message("photos"), 0)
    assert list(entries) == ["ece"] and entries["ece"]["value"] is None
    assert entries["ece"]["sentence"] == "not measured: 29 unseen photos are too few; 30 are needed"
