"""Calibration against simulated networks whose truth is known, and against well-kept libraries."""

import cleanlab.filter
import cleanlab.rank
import numpy as np
import pytest

from maskkit.audit import calibration, label_errors
from maskkit.core import intervals


def simulate(n, temperature, chance):
    """Logits (n, 2) and labels of a network whose true probabilities are those of logits / temperature."""
    logits = np.zeros((n, 2))
    logits[:, 0] = chance.normal(0, 3, n)
    truth = calibration.softmax(logits / temperature)[:, 0]
    return logits, np.where(chance.random(n) < truth, 0, 1)


def said(logits, labels):
    probabilities = calibration.softmax(logits)
    return probabilities.max(1), probabilities.argmax(1) == labels, np.arange(len(labels))


@pytest.mark.parametrize("temperature", [0.5, 1.0, 2.5])
def test_the_temperature_is_found(temperature):
    logits, labels = simulate(4000, temperature, np.random.default_rng(0))
    assert calibration.fit_temperature(logits, labels) == pytest.approx(temperature, rel=0.1)


def test_scaling_uses_other_folds_and_calibrates():
    logits, labels = simulate(2000, 2.5, np.random.default_rng(1))
    fold = np.arange(2000) % 5
    scaled, temperature = calibration.scale(logits, labels, fold)
    assert temperature == pytest.approx(2.5, rel=0.1)
    before, after = (calibration.expected_error(*said(values, labels), 0)[0] for values in (logits, scaled))
    assert before > 0.08 > 0.03 > after
    changed = labels.copy()
    changed[fold == 0] = 1 - changed[fold == 0]
    assert np.array_equal(calibration.scale(logits, changed, fold)[0][fold == 0], scaled[fold == 0])


def true_error(temperature):
    """|confidence - accuracy| of `simulate`, averaged over a million photos: no sampling of labels in it."""
    logits = np.zeros((1_000_000, 2))
    logits[:, 0] = np.random.default_rng(9).normal(0, 3, len(logits))
    stated = calibration.softmax(logits)
    index = stated.argmax(1)
    return np.abs(stated.max(1) - calibration.softmax(logits / temperature)[np.arange(len(logits)), index]).mean()


@pytest.mark.parametrize("temperature", [1.0, 2.0, 4.0])
@pytest.mark.parametrize("n", [200, 1000])
def test_the_error_s_interval_covers_and_is_hardly_biased(temperature, n, monkeypatch):
    monkeypatch.setattr(intervals, "RESAMPLES", 300)
    truth, found, hits = true_error(temperature), [], 0
    for seed in range(150):
        photos = simulate(n, temperature, np.random.default_rng(seed))
        value, (low, high) = calibration.expected_error(*said(*photos), 0)
        found.append(value)
        hits += low <= truth <= high
    assert np.mean(found) == pytest.approx(truth, abs=0.02)
    assert hits / 150 >= 0.86


def test_bins_hold_everybody_once():
    confidence, right, groups = said(*simulate(137, 1.0, np.random.default_rng(0)))
    rows = calibration.bins(confidence, right, groups, 0)
    assert sum(row["n"] for row in rows) == 137 and len(rows) == 10
    assert all(row["interval"][0] <= row["accuracy"] <= row["interval"][1] for row in rows)


def test_dont_know_keeps_its_word_on_other_photos():
    confidence, right, _ = said(*simulate(4000, 1.0, np.random.default_rng(2)))
    threshold, answered = calibration.choose_threshold(confidence, right, 0.02, np.arange(4000) % 5)
    assert 0.5 < threshold < 1 and (~right[answered]).mean() < 0.035 < 0.05 < (~right).mean()
    assert calibration.choose_threshold(confidence, ~right, 0.001, np.arange(4000) % 5)[0] is None


def test_likely_wrong_labels_rank_as_cleanlab_does():
    logits, truth = simulate(600, 1.0, np.random.default_rng(3))
    labels = truth.copy()
    labels[:40] = 1 - labels[:40]
    probabilities = calibration.softmax(logits)
    theirs = cleanlab.rank.get_label_quality_scores(labels, probabilities, method="self_confidence")
    assert np.allclose(label_errors.label_quality(probabilities, labels), theirs)
    found = label_errors.likely_wrong(probabilities, labels)
    reference = cleanlab.filter.find_label_issues(
        labels,
        probabilities,
        filter_by="confident_learning",
        return_indices_ranked_by="self_confidence",
        min_examples_per_class=0,
        n_jobs=1,
    )
    assert found.tolist() == reference.tolist()
    assert len(set(found[:20].tolist()) & set(range(40))) >= 10


def test_without_a_mistake_the_interval_is_as_uncertain_as_the_accuracy():
    confidence, right = np.full(200, 0.97), np.ones(200, dtype=bool)
    value, (low, high) = calibration.expected_error(confidence, right, np.arange(200), 0)
    assert (
        value == pytest.approx(0.03) and low == pytest.approx(0.9812 - 0.97, abs=1e-3) and high == pytest.approx(0.03)
    )
