"""Intervals against known answers: simulated photos whose true rate is known."""

import numpy as np
import pytest

from maskkit.core import intervals

REPEATS = 300  # a true coverage of 95 % then shows 91.2 to 98.0 % in 999 of 1,000 runs


def simulate(share, n_groups, size, alike, chance):
    """(right, groups): groups of 1 to 2 * size - 1 photos; in a share `alike` of them all photos are right or wrong."""
    sizes = chance.integers(1, 2 * size, n_groups)
    groups = np.repeat(np.arange(n_groups), sizes)
    together = (chance.random(n_groups) < share)[groups]
    alone = chance.random(len(groups)) < share
    return np.where((chance.random(n_groups) < alike)[groups], together, alone), groups


def coverage(measure, truth, draw):
    """In how many of REPEATS simulations the interval holds the truth."""
    chance, hits = np.random.default_rng(0), 0
    for _ in range(REPEATS):
        low, high = measure(*draw(chance))[1]
        hits += low <= truth <= high
    return hits / REPEATS


@pytest.fixture(autouse=True)
def fewer_resamples(monkeypatch):
    monkeypatch.setattr(intervals, "RESAMPLES", 400)


@pytest.mark.parametrize(
    ("share", "n_groups", "size", "alike"),
    [(0.9, 40, 1, 0), (0.975, 100, 1, 0), (0.6, 40, 1, 0), (0.9, 100, 3, 1), (0.975, 300, 3, 1), (0.5, 30, 4, 1)],
)
def test_a_rate_s_interval_covers_95_percent(share, n_groups, size, alike):
    found = coverage(
        lambda right, groups: intervals.rate(right, groups, 0),
        share,
        lambda chance: simulate(share, n_groups, size, alike, chance),
    )
    assert 0.912 <= found <= 0.995


def test_ignoring_groups_would_not_cover():
    """What the cluster bootstrap is there for: Wilson's interval alone is right far less than 95 times of 100."""
    found = coverage(
        lambda right, _: (None, intervals.wilson(int(right.sum()), len(right))),
        0.9,
        lambda chance: simulate(0.9, 100, 5, 1, chance),
    )
    assert found < 0.8


def test_without_groups_it_is_wilson_s():
    right = np.arange(40) < 39
    value, interval = intervals.rate(right, np.arange(40), 0)
    assert value == 0.975 and interval == pytest.approx(intervals.wilson(39, 40), abs=0.02)


def test_all_right_is_still_uncertain_and_more_so_in_groups():
    alone, grouped = (intervals.rate(np.ones(40), groups, 0)[1] for groups in (np.arange(40), np.arange(40) // 4))
    assert alone == pytest.approx(intervals.wilson(40, 40))
    assert grouped == pytest.approx(intervals.wilson(10, 10))


def test_means_cover_too():
    def draw(chance):
        groups = np.repeat(np.arange(60), 3)
        return chance.normal(0.2, 1, 60)[groups] + chance.normal(0, 0.3, 180), groups

    assert 0.9 <= coverage(lambda values, groups: intervals.mean(values, groups, 0), 0.2, draw) <= 0.985


def test_balanced_accuracy_covers_with_unequal_classes():
    def draw(chance):
        labels = np.repeat([0, 1], [150, 30])
        return labels, np.where(chance.random(180) < np.where(labels, 0.8, 0.95), labels, 1 - labels)

    def measure(labels, predicted):
        return intervals.balanced_accuracy(labels, predicted, 2, np.arange(180), 0)

    assert 0.912 <= coverage(measure, 0.875, draw) <= 0.995


def test_nothing_to_measure_is_none_not_nan():
    assert intervals.rate([], [], 0) == (None, None) == intervals.mean([], [], 0)
    assert intervals.balanced_accuracy([0, 0], [0, 0], 2, [0, 1], 0) == (None, None)


def test_same_seed_same_interval():
    right = np.arange(50) % 7 > 0
    assert intervals.rate(right, np.arange(50) // 2, 3) == intervals.rate(right, np.arange(50) // 2, 3)


@pytest.mark.parametrize("of_seeds", [0.0, 0.04])
def test_a_paired_gain_s_interval_covers_other_seeds_and_other_photos(of_seeds):
    """Twenty seeds and 60 photos of a world in which a gain of 3 points varies from seed to seed and photo to photo."""

    def draw(chance):
        rows = 0.03 + chance.normal(0, of_seeds, (20, 1)) + chance.normal(0, 0.1, (1, 60))
        return rows + chance.normal(0, 0.2, (20, 60)), np.arange(60)

    found = coverage(lambda differences, groups: intervals.paired(differences, groups, 0), 0.03, draw)
    assert 0.912 <= found <= 0.995
    photos_alone = coverage(lambda rows, groups: intervals.mean(rows.mean(0), groups, 0), 0.03, draw)
    assert (photos_alone < 0.912) == (of_seeds > 0)  # what resampling the seeds is there for


def test_a_paired_gain_by_hand():
    differences = np.array([[0.0, 1.0, 0.0], [0.0, 1.0, 0.0]])
    value, (low, high) = intervals.paired(differences, np.arange(3), 0)
    assert value == pytest.approx(1 / 3) and low == 0 and high == 1
    assert intervals.paired(np.full((2, 3), 0.5), np.array([0, 0, 1]), 0) == (0.5, [0.5, 0.5])
    with pytest.raises(ValueError, match="no mean"):
        intervals.paired(np.zeros((2, 0)), [], 0)


def test_differences_of_shares_are_newcombe_s():
    """The examples of both 1998 papers (Statistics in Medicine 17), method 10 each."""
    found, ends = intervals.paired_shares(36, 2, 12, 0)
    assert found == pytest.approx(0.2) and ends == pytest.approx([0.0569, 0.3404], abs=1e-4)
    found, ends = intervals.unpaired_shares(48, 80, 56, 70)
    assert found == pytest.approx(0.2) and ends == pytest.approx([0.0524, 0.3339], abs=1e-4)


def test_a_difference_that_no_photo_shows_still_has_a_width():
    found, (low, high) = intervals.paired_shares(40, 0, 0, 0)
    assert found == 0 and low == -high and high > 0.05
    with pytest.raises(ValueError, match="0 of 0 is no share"):
        intervals.paired_shares(0, 0, 0, 0)


def test_answers_that_agree_narrow_a_paired_difference_by_the_corrected_correlation():
    correlation = (20 * 14 - 2 * 4 - 40 / 2) / (22 * 18 * 24 * 16) ** 0.5  # Newcombe's: n / 2 off the product
    found = intervals.paired_shares(20, 2, 4, 14)
    assert found == intervals.joined_shares(24, 40, 22, 40, correlation)
    (_, (low, high)), (_, (wide_low, wide_high)) = found, intervals.unpaired_shares(22, 40, 24, 40)
    assert wide_low < low < 0 < high < wide_high


def test_wilson_gives_the_textbook_interval():
    assert intervals.wilson(39, 40) == pytest.approx((0.8712, 0.9956), abs=1e-4)
    assert intervals.wilson(0, 10) == pytest.approx((0, 0.2775), abs=1e-4)
    assert intervals.wilson(40, 40)[1] == 1


def test_wilson_covers_the_truth_about_95_times_in_100():
    drawn = np.random.default_rng(0).binomial(40, 0.9, 4000)
    found = [intervals.wilson(int(correct), 40) for correct in drawn]
    covered = np.mean([low <= 0.9 <= high for low, high in found])
    assert 0.93 < covered < 0.975


@pytest.mark.parametrize(("correct", "n"), [(1, 0), (5, 4), (-1, 4)])
def test_wilson_refuses_what_is_no_share(correct, n):
    with pytest.raises(ValueError, match="is no share"):
        intervals.wilson(correct, n)
