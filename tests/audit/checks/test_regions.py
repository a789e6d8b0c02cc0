"""Regions: pass where the lower half decides; occlusion maps are computed once."""

import numpy as np
import pytest
import torch

from maskkit import model, pretrained
from maskkit.audit import regions as hiding
from maskkit.audit.checks import regions
from maskkit.audit.checks.check import Measured
from maskkit.audit.classifiers import Classifier
from maskkit.core import paths

CPU = torch.device("cpu")


LABELS = np.arange(80) % 2
RIGHT = np.eye(2)[LABELS] * 0.9 + 0.05


def entries_where(hurts, before_others=RIGHT, hidden=regions.HIDDEN):
    """Entries of a network that is right unless a region is hidden; before_others: its answers before the surroundings
    of another class."""
    answers = {(region, fill): np.full((80, 2), 0.5) if region == hurts else RIGHT for region, fill in hidden}
    if regions.EXCHANGED[1] in answers:
        answers[regions.EXCHANGED[1]] = before_others
    return regions.entries_of("resnet18", answers, LABELS, np.arange(80), 0)


def result(entries):
    return regions.CHECK.result(regions.judge_regions("resnet18", Measured(entries)))


@pytest.mark.parametrize(("hurts", "expected"), [("lower_half", "pass"), ("upper_half", "fail")])
def test_which_half_matters_is_judged(hurts, expected):
    entries = entries_where(hurts)
    assert result(entries)["result"] == expected
    assert entries["resnet18_whole"]["value"] == 1 and entries[f"resnet18_{hurts}_mean"]["value"] == 0.5
    assert entries.keys() == regions.entry_names("resnet18").keys()


@pytest.mark.parametrize(("probability", "expected"), [(0.95, "pass"), (0.935, "pass"), (0.80, "fail"), (0.05, "fail")])
def test_a_network_that_goes_by_the_surroundings_is_found_although_it_uses_the_mouth(probability, expected):
    before_others = np.where(np.eye(2)[LABELS] == 1, probability, 1 - probability)
    found = result(entries_where("lower_half", before_others))
    assert found["result"] == expected
    margin = np.log(0.95 / 0.05)
    assert found["value"] == pytest.approx(min(1, 1 - np.log(probability / (1 - probability)) / margin), abs=1e-4)


def test_a_run_s_own_photos_are_judged_by_both_halves_alone():
    hidden = [("whole", ""), *regions.HIDDEN_AT_ONCE]
    entries = entries_where("lower_half", hidden=hidden)
    assert "resnet18_surroundings" not in entries and result(entries)["result"] == "pass"


def test_margins_are_log_odds_of_the_likeliest_other_class():
    found = regions.margins(np.array([[0.7, 0.2, 0.1], [0.7, 0.2, 0.1]]), np.array([0, 2]))
    assert found == pytest.approx([np.log(0.7 / 0.2), np.log(0.1 / 0.7)])


def test_occlusion_maps_are_kept_for_one_network_and_its_photos(tmp_path, monkeypatch):
    monkeypatch.setattr(paths, "CACHE", tmp_path)
    calls = []
    monkeypatch.setattr(hiding, "occlusion", lambda *given: calls.append(given) or np.ones((1, 7, 7), np.float32))
    network = model.build(pretrained.Pretrained("resnet18", "none", None, ""), 2, seed=0)
    classifier = Classifier("resnet18", "none", "", network)
    photo, predicted = torch.zeros(1, 3, 64, 64), np.array([1])
    for _ in range(2):
        assert np.array_equal(regions.occlusion_maps(classifier, photo, predicted, CPU), np.ones((1, 7, 7)))
    assert len(calls) == 1
    regions.occlusion_maps(classifier, photo + 1, predicted, CPU)
    regions.occlusion_maps(classifier, photo, 1 - predicted, CPU)
    assert len(calls) == 3
    with torch.no_grad():
        classifier.head().bias += 1
    regions.occlusion_maps(classifier, photo, predicted, CPU)
    assert len(calls) == 4
    with torch.no_grad():
        network.layer4[0].conv1.weight += 1
    regions.occlusion_maps(classifier, photo, predicted, CPU)
    assert len(calls) == 5
