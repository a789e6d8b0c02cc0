"""Split variance: pass where every split tells the truth, fail where the score is chance."""

import pytest

from maskkit.audit.checks import split_variance
from tests.audit.synthetic import CONTEXT, audited, features


@pytest.mark.parametrize(("distance", "expected"), [(6.0, "pass"), (0.3, "fail")])
def test_the_result_says_how_often_a_split_misleads(monkeypatch, distance, expected):
    monkeypatch.setattr(split_variance, "N_SPLITS", 200)
    measured = split_variance.measure(audited(*features(400, distance)), CONTEXT)
    assert split_variance.CHECK.result(measured)["result"] == expected
    best, last = measured.entries["resnet18_best"], measured.entries["resnet18_last"]
    assert sum(best["distribution"]) == 200 and len(best["distribution"]) == 41
    assert best["value"] >= last["value"] and best["optimism"] >= -0.01
    assert (best["optimism"] > 0.01) == (expected == "fail")  # choosing is optimistic where epochs differ
    assert abs(measured.entries["resnet18_unseen"]["value"] - last["value"]) < 0.05


def test_without_photos_left_over_there_is_no_accuracy_on_them(monkeypatch):
    monkeypatch.setattr(split_variance, "N_SPLITS", 5)
    measured = split_variance.measure(audited(*features(60, 6.0)), CONTEXT)
    unseen = measured.entries["resnet18_unseen"]
    assert unseen["value"] is None and "left over" in unseen["sentence"]
    assert measured.entries["resnet18_best"]["optimism"] is None and measured.judged["value"] == 0


def test_a_network_that_learned_from_these_photos_is_not_measured():
    subject = audited(*features(60, 6.0))
    subject.classifier.tuned = True
    measured = split_variance.measure(subject, CONTEXT)
    assert split_variance.CHECK.result(measured)["sentence"].startswith("not measured: the network's last stages")
    assert list(measured.entries) == ["resnet18_last"] and measured.entries["resnet18_last"]["value"] is None


@pytest.mark.parametrize(
    ("n_photos", "n_classes", "expected"), [(200, 2, 400), (2000, 2, 400), (750, 30, 100), (100, 30, 400)]
)
def test_of_a_run_fewer_splits_are_made_where_each_is_more_work(n_photos, n_classes, expected):
    assert split_variance.affordable_splits(n_photos, n_classes, 10) == expected
