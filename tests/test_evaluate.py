import json

import numpy as np
import pytest
import torch
from torch import nn

from maskkit import evaluate

pytestmark = pytest.mark.numeric


def test_a_score_reads_as_a_sentence():
    assert evaluate.format_score(evaluate.score(39, 40)) == "39 of 40 (97.5 %, 95 % interval 87.1-99.6 %)"


def test_confusion_and_rates_by_hand():
    labels, predicted = np.array([0, 0, 0, 1, 1, 2]), np.array([0, 0, 1, 1, 1, 2])
    matrix = evaluate.confusion(labels, predicted, 4)
    assert matrix.tolist() == [[2, 1, 0, 0], [0, 2, 0, 0], [0, 0, 1, 0], [0, 0, 0, 0]]
    first, second, third, fourth = evaluate.per_class(matrix, "abcd")
    assert [first[name] for name in ("precision", "recall", "f1", "n", "predicted")] == [1, 2 / 3, 4 / 5, 3, 2]
    assert [second[name] for name in ("precision", "recall", "f1", "n", "predicted")] == [2 / 3, 1, 4 / 5, 2, 3]
    assert third["recall_interval"] == pytest.approx([0.2065, 1], abs=1e-4)
    assert [fourth[name] for name in ("precision", "recall", "f1", "recall_interval", "n")] == [None] * 4 + [0]
    json.dumps([first, second, third, fourth])


def test_a_class_never_predicted_is_undefined_not_zero():
    (_, never) = evaluate.per_class([[3, 0], [2, 0]], ("a", "b"))
    assert never["precision"] is None and never["recall"] == 0
    assert "undefined" in evaluate.format_per_class(evaluate.per_class([[3, 0], [2, 0]], ("a", "b")))


def test_predict_keeps_order_and_sums_to_one():
    images = torch.randn(5, 4)
    loader = [(images[:3], torch.tensor([0, 1, 0])), (images[3:], torch.tensor([1, 1]))]
    network = nn.Sequential(nn.Linear(4, 2), nn.Dropout(0.9))
    probabilities, labels = evaluate.predict(network, loader, torch.device("cpu"))
    assert np.allclose(probabilities, network.eval()(images).softmax(1).detach(), atol=1e-6)
    assert np.allclose(probabilities.sum(1), 1) and labels.tolist() == [0, 1, 0, 1, 1]
    with pytest.raises(ValueError, match="no photo to predict"):
        evaluate.predict(network, [], torch.device("cpu"))


def test_mistakes_come_the_most_confident_first():
    probabilities = np.array([[0.6, 0.4], [0.9, 0.1], [0.2, 0.8]])
    rows = [{"file": name} for name in ("x", "y", "z")]
    found = evaluate.mistakes(rows, np.array([1, 1, 1]), probabilities, ("a", "b"))
    assert [(row["file"], row["label"], row["predicted"]) for row in found] == [("y", "b", "a"), ("x", "b", "a")]


def test_a_table_per_class_is_in_natural_order():
    scores = evaluate.per_class(np.eye(3, dtype=int), ("class 1", "class 10", "class 2"))
    rows = evaluate.format_per_class(scores).splitlines()[2:]
    assert [row.split(" | ")[0] for row in rows] == ["| class 1", "| class 2", "| class 10"]
    assert [score["class"] for score in scores] == ["class 1", "class 10", "class 2"]
