import numpy as np
import pytest
import torch
from sklearn.metrics import confusion_matrix, precision_recall_fscore_support
from torch import nn

from maskkit import evaluate

pytestmark = pytest.mark.numeric


def test_wilson_gives_the_textbook_interval():
    assert evaluate.wilson(39, 40) == pytest.approx((0.8712, 0.9956), abs=1e-4)
    assert evaluate.wilson(0, 10) == pytest.approx((0, 0.2775), abs=1e-4)
    assert evaluate.wilson(40, 40)[1] == 1


def test_wilson_covers_the_truth_about_95_times_in_100():
    drawn = np.random.default_rng(0).binomial(40, 0.9, 4000)
    intervals = [evaluate.wilson(int(correct), 40) for correct in drawn]
    covered = np.mean([low <= 0.9 <= high for low, high in intervals])
    assert 0.93 < covered < 0.975


@pytest.mark.parametrize(("correct", "n"), [(1, 0), (5, 4), (-1, 4)])
def test_wilson_refuses_what_is_no_share(correct, n):
    with pytest.raises(ValueError, match="is no share"):
        evaluate.wilson(correct, n)


def test_say_reads_as_a_sentence():
    assert evaluate.say(evaluate.score(39, 40)) == "39 of 40 (97.5 %, 95 % interval 87.1-99.6 %)"


def test_confusion_and_per_class_agree_with_scikit_learn():
    generator = np.random.default_rng(0)
    labels, predicted = generator.integers(0, 3, (2, 50))
    matrix = evaluate.confusion(labels, predicted, 3)
    assert (matrix == confusion_matrix(labels, predicted)).all()
    ours = [[row[name] for row in evaluate.per_class(matrix, "abc")] for name in ("precision", "recall", "f1", "n")]
    assert np.allclose(ours, precision_recall_fscore_support(labels, predicted))


def test_a_class_never_predicted_is_undefined_not_zero():
    (_, never) = evaluate.per_class([[3, 0], [2, 0]], ("a", "b"))
    assert never["precision"] is None and never["recall"] == 0
    assert "undefined" in evaluate.per_class_table(evaluate.per_class([[3, 0], [2, 0]], ("a", "b")))


def test_predict_keeps_order_and_sums_to_one():
    images = torch.randn(5, 4)
    loader = [(images[:3], torch.tensor([0, 1, 0])), (images[3:], torch.tensor([1, 1]))]
    network = nn.Sequential(nn.Linear(4, 2), nn.Dropout(0.9))
    probabilities, labels = evaluate.predict(network, loader, torch.device("cpu"))
    assert np.allclose(probabilities, network.eval()(images).softmax(1).detach(), atol=1e-6)
    assert np.allclose(probabilities.sum(1), 1) and labels.tolist() == [0, 1, 0, 1, 1]
    with pytest.raises(ValueError, match="no photo to predict"):
        evaluate.predict(network, [], torch.device("cpu"))


def test_mistakes_come_the_surest_first():
    probabilities = np.array([[0.6, 0.4], [0.9, 0.1], [0.2, 0.8]])
    rows = [{"file": name} for name in ("x", "y", "z")]
    found = evaluate.mistakes(rows, np.array([1, 1, 1]), probabilities, ("a", "b"))
    assert [(row["file"], row["label"], row["predicted"]) for row in found] == [("y", "b", "a"), ("x", "b", "a")]


def test_a_table_per_class_is_in_natural_order():
    scores = evaluate.per_class(np.eye(3, dtype=int), ("class 1", "class 10", "class 2"))
    rows = evaluate.per_class_table(scores).splitlines()[2:]
    assert [row.split(" | ")[0] for row in rows] == ["| class 1", "| class 2", "| class 10"]
    assert [score["class"] for score in scores] == ["class 1", "class 10", "class 2"]
