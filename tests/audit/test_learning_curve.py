"""The learning curve: what is measured, what is forecast, and how many photos an interval needs."""

import numpy as np
import pytest

from maskkit.audit import learning_curve
from maskkit.core import intervals
from tests.audit.synthetic import RECIPE, features


def made(errors, n=400, tail=0.02, now=None):
    """A curve of photos that are all independent, with these errors at sizes 0.87 apart."""
    sizes = np.round(160 * 0.87 ** np.arange(len(errors))[::-1]).astype(int)
    wrong = np.zeros((len(errors), n))
    for row, error in zip(wrong, errors, strict=True):
        row[: round(error * n)] = 1
    return learning_curve.Curve(sizes, wrong, tail, len(errors) - 1 if now is None else now, np.arange(n))


def test_sizes_go_down_from_80_percent_and_up_as_far_as_there_are_photos():
    sizes, now = learning_curve.sizes_of(200, 200, 2)
    assert sizes[now] == 160 == sizes[-1] and len(sizes) == learning_curve.SIZES
    more, now = learning_curve.sizes_of(200, 1000, 2)
    assert more[now] == 160 and 160 < more[-1] <= 800 and (np.diff(more) > 0).all()
    few, now = learning_curve.sizes_of(24, 24, 4)
    assert few[0] >= 16 and few[now] == 19


def test_a_subset_has_the_classes_in_proportion_and_whole_originals():
    labels, groups = np.repeat([0, 1], [60, 20]), np.concatenate([np.arange(60), 60 + np.arange(20) // 4])
    subset = learning_curve.draw_subset(labels, groups, 40, np.random.default_rng(0))
    assert len(set(subset)) == 40 and np.bincount(labels[subset]).tolist() == [30, 10]
    assert len(np.unique(groups[subset[labels[subset] == 1]])) == 3  # ten photos of originals of four each


def test_photos_with_a_version_in_the_subset_are_not_tested():
    X, labels = features(40, 4.0)
    groups = np.arange(40) // 4
    margins = learning_curve.margins_of(X, labels, groups, [np.arange(8)], RECIPE, 0)
    assert np.isnan(margins[0, :8]).all() and not np.isnan(margins[0, 8:]).any()


def test_the_measured_curve_falls_and_its_last_error_is_that_of_the_photos():
    X, labels = features(300, 1.2)
    curve = learning_curve.measure(X, labels, np.arange(300), 300, RECIPE, seed=0)
    true = 0.5 * 1.2 * 8**0.5  # standard deviations between the border and each class, at best
    assert curve.errors[-1] == pytest.approx(0.045, abs=0.02) and true == pytest.approx(1.697, abs=1e-3)
    assert len(curve.intervals(0)) == len(curve.sizes)


def test_few_photos_have_no_curve():
    X, labels = features(18, 4.0)
    with pytest.raises(ValueError, match="a class has 9 independent photos; a learning curve needs 10"):
        learning_curve.measure(X, labels, np.arange(18), 18, RECIPE, 0)


def test_the_tail_of_normal_margins_is_their_error_and_of_a_long_tail_it_is_more():
    rng = np.random.default_rng(0)
    labels = np.zeros(5000, dtype=int)
    student = rng.standard_t(learning_curve.TAIL_FREEDOM, size=(1, 5000)) * 2 + 4
    assert learning_curve.tail_error(student, labels) == pytest.approx((student < 0).mean(), abs=0.01)
    centre, spread = learning_curve.fit_student(student[0])
    assert centre == pytest.approx(4, abs=0.1) and spread == pytest.approx(2, abs=0.1)


def test_a_power_law_is_continued():
    sizes = 160 * 0.87 ** np.arange(6)[::-1]
    curve = made(0.2 * (sizes / 160) ** -0.8, n=20_000, tail=0.2)
    forecast = learning_curve.forecast(curve, seed=0)
    accuracy, (low, high) = forecast.accuracy(400)
    assert accuracy == pytest.approx(1 - 0.2 * 2**-0.8, abs=0.01) and low < accuracy < high
    gain, (least, most) = forecast.gain(400)
    assert gain == pytest.approx(0.2 - 0.2 * 2**-0.8, abs=0.01) and 0 < least < most


def test_without_an_error_the_forecast_leans_on_the_tail_and_keeps_a_width():
    forecast = learning_curve.forecast(made([0.0] * 6, n=200, tail=0.01), seed=0)
    accuracy, (low, high) = forecast.accuracy(200)
    assert 0.985 < accuracy < 0.995 and low < accuracy < high < 1
    assert forecast.gain(300)[1][0] >= 0


@pytest.mark.parametrize(("accuracy", "width"), [(0.95, 0.03), (0.5, 0.1), (0.999, 0.01), (1.0, 0.03)])
def test_the_photos_for_a_width_are_just_enough(accuracy, width):
    n = learning_curve.photos_for_width(accuracy, width)
    low, high = intervals.wilson_at(accuracy, n)
    assert high - low <= width
    low, high = intervals.wilson_at(accuracy, n - 1)
    assert high - low > width
