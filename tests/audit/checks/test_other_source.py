"""Another source: pass where little is lost on it."""

import numpy as np
import pytest

from maskkit.audit.checks import other_source
from maskkit.audit.checks.check import Measured
from maskkit.audit.entries import entry
from maskkit.core.messages import message
from tests.audit.synthetic import photos


@pytest.mark.parametrize(("share", "expected"), [(0.99, "pass"), (0.6, "fail")])
def test_the_loss_is_judged(share, expected):
    labels, everyone = np.arange(400) % 2, np.ones(400, dtype=bool)
    right = np.random.default_rng(0).random(400) < share
    logits = 5 * np.eye(2)[np.where(right, labels, 1 - labels)]
    there = message("there")
    measured = other_source.measure_direction(logits, photos(labels), everyone, np.arange(400), there, 0.98, 0)
    assert other_source.CHECK.result(Measured(judged=measured, limits=(0.93, 0.88)))["result"] == expected
    assert np.sum(measured["confusion"]) == 400 and len(measured["mistakes"]) == (~right).sum()
    assert measured["sentence"].endswith("; on its own source's unseen photos 98.0 %")


@pytest.mark.parametrize(
    ("value", "interval", "expected"),
    [
        (0.95, [0.90, 0.99], "pass"),  # not all of the interval is above 93 %, and 88 % is ruled out
        (0.95, [0.85, 0.99], "warning"),  # a loss of 10 points is possible
        (0.92, [0.90, 0.94], "warning"),
        (0.86, [0.83, 0.89], "warning"),
        (0.80, [0.75, 0.87], "fail"),
    ],
)
def test_a_source_passes_where_little_is_lost_and_much_is_ruled_out(value, interval, expected):
    judged = entry(value, interval, 100, "there")
    measured = Measured(judged=judged, interval=other_source.judged_interval(judged), limits=(0.93, 0.88))
    assert other_source.CHECK.result(measured)["result"] == expected


def test_without_an_interval_nothing_is_judged():
    assert other_source.judged_interval(entry(0.9, None, 3, "there")) is None
