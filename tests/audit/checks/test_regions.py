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


@pytest.mark.parametrize(("hurts", "expected"), [("lower_half", "pass"), ("upper_half", "fail")])
def test_which_half_matters_is_judged(hurts, expected):
    labels = np.arange(80) % 2
    right = np.eye(2)[labels] * 0.9 + 0.05
    answers = {(region, fill): np.full((80, 2), 0.5) if region == hurts else right for region, fill in regions.HIDDEN}
    entries = regions.entries_of("resnet18", answers, labels, np.arange(80), 0)
    assert regions.CHECK.result(Measured(entries, entries["resnet18_mouth"]))["result"] == expected
    assert entries["resnet18_whole"]["value"] == 1 and entries[f"resnet18_{hurts}_mean"]["value"] == 0.5
    assert entries.keys() == regions.entry_names("resnet18").keys()


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
