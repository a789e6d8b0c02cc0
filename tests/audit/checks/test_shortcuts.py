"""Shortcuts: fail where the photo's size gives the class away; only blind rules are judged."""

import numpy as np
import pytest

from maskkit.audit.checks import shortcuts
from tests.audit.synthetic import audited, features


@pytest.mark.parametrize(("gives_away", "expected"), [(False, "pass"), (True, "fail")])
def test_the_best_blind_rule_is_judged(gives_away, expected):
    X, labels = features(600, 4.0)
    sizes = np.random.default_rng(1).integers(60, 200, (600, 2)).astype(np.float32)
    sizes += 300 * gives_away * labels[:, None]
    measured = shortcuts.measure_rules({"width_height": sizes}, audited(X, labels), 0)
    rule = measured.entries["width_height"]
    assert shortcuts.CHECK.result(measured)["result"] == rule["result"] == expected
    assert (rule["value"] > 0.95) == gives_away == rule["sentence"].endswith("may have nothing to do with masks")
    assert measured.entries["model"]["value"] > 0.95 and abs(measured.entries["guess"]["value"] - 0.5) < 0.05


def test_weak_rules_do_not_move_the_result():
    X, labels = features(400, 4.0)
    given = {"width_height": np.ones((400, 2), np.float32), "file_size": labels[:, None].astype(np.float32)}
    measured = shortcuts.measure_rules(given, audited(X, labels), 0)
    assert measured.entries["file_size"]["value"] == 1.0 and shortcuts.CHECK.result(measured)["result"] == "pass"


def test_without_a_network_rules_are_measured_but_not_judged():
    subject = audited(*features(400, 4.0))
    subject.classifier.network = None
    measured = shortcuts.measure_rules({"width_height": np.ones((400, 2), np.float32)}, subject, 0)
    assert measured.entries["width_height"]["value"] is not None
    result = shortcuts.CHECK.result(measured)
    assert result["result"] == "unknown" and "the weights of no backbone are available" in result["sentence"]


@pytest.mark.parametrize("parts", [np.repeat(["Train", "Test"], [1500, 900]), np.full(2400, "")])
def test_the_untrained_network_sees_a_sample_and_its_sentence_says_so(parts):
    X, labels = features(2400, 4.0)
    subject, seen = audited(X, labels), []
    subject.photos.rows[:] = [row | {"part": part} for row, part in zip(subject.photos.rows, parts, strict=True)]

    def features_of(places):
        seen.append(places)
        return X[places].numpy()

    given = {"width_height": np.ones((2400, 2), np.float32)}
    entry = shortcuts.measure_rules(given, subject, 0, features_of).entries["random_network"]
    assert len(seen) == 1 and len(seen[0]) == (1000 if "Test" in parts else 500)
    assert entry["n"] == 500 and entry["value"] > 0.9
    assert ("500 of the test photos" if "Test" in parts else "500 of the photos") in entry["sentence"]
