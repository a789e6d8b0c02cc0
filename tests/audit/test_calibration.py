"""Calibration against simulated networks whose truth is known, and against well-kept libraries."""

import cleanlab.filter
import cleanlab.rank
import numpy as np
import pytest

from maskkit.audit import calibration, label_errors


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
    before, after = (calibration.expected_error(*said(values, labels))[0] for values in (logits, scaled))
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
def test_the_error_s_interval_covers_and_is_hardly_biased(temperature, n):
    truth, found, hits = true_error(temperature), [], 0
    for seed in range(100):
        photos = simulate(n, temperature, np.random.default_rng(seed))
        value, (low, high) = calibration.expected_error(*said(*photos))
        found.append(value)
        hits += low <= truth <= high
    assert np.mean(found) == pytest.approx(truth, abs=0.02)
    assert hits / 100 >= 0.9


def test_the_interval_is_that_of_slope_and_intercept():
    """Beside a search by scipy over the same region, and 0 where the network is calibrated."""
    from scipy.optimize import minimize

    logits, labels = simulate(300, 3.0, np.random.default_rng(4))
    confidence, right, groups = said(logits, labels)
    x = np.log(confidence) - np.log1p(-confidence)

    def likelihood(line):
        z = line[0] + line[1] * x
        return float((z * right - np.logaddexp(0, z)).sum())

    def error(line):
        return float(np.abs(1 / (1 + np.exp(-line[0] - line[1] * x)) - confidence).mean())

    best = minimize(lambda line: -likelihood(line), [0.0, 1.0]).x
    cells = [best + [a, b] for a in np.linspace(-3, 3, 301) for b in np.linspace(-1, 1, 201)]
    within = [error(line) for line in cells if 2 * (likelihood(best) - likelihood(line)) <= calibration.REGION]
    _, interval = calibration.expected_error(confidence, right, groups)
    assert interval == pytest.approx([min(within), max(within)], abs=0.006) and interval[0] > 0.05
    assert calibration.expected_error(*said(*simulate(300, 1.0, np.random.default_rng(4))))[1][0] == 0


def test_versions_of_a_photo_count_once_in_the_interval():
    confidence, right, _ = said(*simulate(100, 3.0, np.random.default_rng(5)))
    once = calibration.expected_error(confidence, right, np.arange(100))
    often = calibration.expected_error(np.repeat(confidence, 5), np.repeat(right, 5), np.repeat(np.arange(100), 5))
    assert often[1] == pytest.approx(once[1], abs=0.01)


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
    value, (low, high) = calibration.expected_error(confidence, right, np.arange(200))
    least = np.exp(-calibration.REGION / 400) - 0.97  # the lowest accuracy that 200 right answers do not contradict
    assert (
        value == pytest.approx(0.03) and low == pytest.approx(least, abs=2e-3) and high == pytest.approx(0.03, abs=2e-3)
    )
