"""Leaks: one held-out photo of 40 that was trained on is a warning, ten fail."""

import dataclasses

import numpy as np
import pytest

from maskkit.audit.checks import leaks
from maskkit.core.intervals import wilson
from maskkit.core.messages import message
from tests.audit.synthetic import CONTEXT, audited, features

PARTS = np.repeat(["Train", "Test"], [160, 40])


def leaky(n_leaked, **more):
    groups = np.arange(200)
    groups[160 : 160 + n_leaked] = np.arange(n_leaked)
    return audited(*features(200, 6.0), versions={"sha256": np.arange(200), "all": groups}, **more)


@pytest.mark.parametrize(("n_leaked", "expected"), [(0, "pass"), (1, "warning"), (10, "fail")])
def test_the_share_of_held_out_photos_is_judged(n_leaked, expected):
    measured = leaks.measure(leaky(n_leaked, parts=PARTS), CONTEXT)
    held_out = measured.entries["held_out"]
    assert leaks.CHECK.result(measured)["result"] == expected and held_out["value"] == n_leaked / 40
    assert held_out["by_detector"] == {"sha256": 0.0} and held_out["held_out"] == "Test"


def test_without_parts_a_run_s_own_validation_photos_are_held_out():
    measured = leaks.measure(
        leaky(3, training=np.arange(200) < 160, origin=message("of run {name}", name="x")), CONTEXT
    )
    assert measured.judged["value"] == 3 / 40 and measured.judged["held_out"] == "the run's validation set"


def test_without_any_held_out_photos_all_photos_are_judged():
    measured = leaks.measure(leaky(10), CONTEXT)
    assert measured.entries["held_out"]["value"] is None
    assert measured.judged["value"] == 20 / 200 and leaks.CHECK.result(measured)["result"] == "fail"


@pytest.mark.parametrize(("n_leaked", "expected"), [(0, "warning"), (10, "fail")])
def test_a_run_s_own_photos_are_a_sample_whose_interval_is_judged(n_leaked, expected):
    subject = leaky(n_leaked, training=np.arange(200) < 160, origin=message("of this run"))
    result = leaks.CHECK.result(leaks.measure(subject, dataclasses.replace(CONTEXT, is_sample=True)))
    assert result["result"] == expected and result["value"] == n_leaked / 40
    assert result["interval"] == list(wilson(n_leaked, 40))
