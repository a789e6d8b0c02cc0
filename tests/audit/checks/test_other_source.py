"""Another source: pass where little is lost on it."""

import numpy as np
import pytest

from maskkit.audit.checks import other_source
from maskkit.audit.checks.check import Measured
from maskkit.core.messages import message
from tests.audit.synthetic import photos


@pytest.mark.parametrize(("share", "expected"), [(0.99, "pass"), (0.6, "fail")])
def test_the_loss_is_judged(share, expected):
    labels, everyone = np.arange(400) % 2, np.ones(400, dtype=bool)
    right = np.random.default_rng(0).random(400) < share
    logits = 5 * np.eye(2)[np.where(right, labels, 1 - labels)]
    there = message("there")
    entry = other_source.measure_direction(logits, photos(labels), everyone, np.arange(400), there, 0.98, 0)
    assert other_source.CHECK.result(Measured(judged=entry, limits=(0.93, 0.88)))["result"] == expected
    assert np.sum(entry["confusion"]) == 400 and len(entry["mistakes"]) == (~right).sum()
    assert entry["sentence"].endswith("; on its own source's unseen photos 98.0 %")
