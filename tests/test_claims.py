import pytest

from maskkit import claims, evaluate
from maskkit.core import messages


def metrics(**changes):
    """A run that found exactly what the report says."""
    return {
        "classes": ["with_mask", "without_mask"],
        "arch": "resnet18",
        "n_train": 160,
        "n_val": 40,
        "trainable": 1026,
        "total": 11_177_538,
        "best": {"epoch": 5} | evaluate.score(39, 40),
        "confusion": [[20, 0], [1, 19]],
    } | changes


def history(train=(0.7, 0.9, 0.96, 0.97), val=(0.7, 0.9, 0.95, 0.96), loss=(0.6, 0.3, 0.2, 0.17)):
    columns = zip(train, val, loss, strict=True)
    return [{"train_accuracy": t, "val_accuracy": v, "train_loss": x, "val_loss": x} for t, v, x in columns]


def verdicts(metrics, history):
    return {row["claim"]: row["verdict"] for row in claims.compare(metrics, history)}


def test_the_report_s_own_numbers_hold():
    found = verdicts(metrics(), history())
    assert set(found.values()) == {"same", "within the interval"} and len(found) == 7
    assert claims.summary(claims.compare(metrics(), history())) == "7 statements: 6 same, 1 within the interval"


@pytest.mark.parametrize(
    ("change", "claim"),
    [
        ({"n_train": 159}, "photos in each set"),
        ({"trainable": 1025}, "trained weights"),
        ({"best": {"epoch": 1} | evaluate.score(20, 40)}, "best validation accuracy"),
        ({"confusion": [[10, 10], [1, 19]]}, "confusion matrix"),
    ],
)
def test_a_number_that_differs_is_called_so(change, claim):
    assert verdicts(metrics(**change), history())[claim] == "differs"


@pytest.mark.parametrize(
    ("curves", "claim"),
    [
        (history(train=(0.9, 0.9, 0.9, 0.8)), "curves rise"),
        (history(loss=(0.6, 0.55, 0.5, 0.1)), "curves converge"),
        (history(train=(0.7, 0.9, 0.99, 1.0), val=(0.7, 0.8, 0.8, 0.8)), "no gap between training and validation"),
    ],
)
def test_a_curve_that_breaks_its_rule_is_called_so(curves, claim):
    assert verdicts(metrics(), curves)[claim] == "differs"


def test_other_classes_sizes_and_networks_are_not_comparable():
    found = verdicts(metrics(classes=["cat", "dog"]), history())
    assert [found[name] for name in ("photos in each set", "best validation accuracy", "confusion matrix")] == [
        "not comparable"
    ] * 3
    assert verdicts(metrics(arch="mobilenet_v2", trainable=2562), history())["trained weights"] == "not comparable"
    assert verdicts(metrics(n_val=100), history())["confusion matrix"] == "not comparable"
    assert verdicts(metrics(), history()[:1])["curves rise"] == "not comparable"


def test_what_is_made_of_a_template_carries_its_message():
    for row in claims.compare(metrics(), history()):
        for name, message in row.get("messages", {}).items():
            assert messages.in_english(message) == row[name]
    best = claims.compare(metrics(), history())[2]
    assert best["messages"].keys() == {"report", "here", "rule"} and best["messages"]["here"]["values"]["n"] == 39


def test_the_table_holds_every_statement():
    assert claims.table(claims.compare(metrics(), history())).count("\n") == 2 + 7 - 1


def test_a_large_matrix_is_summed_up():
    matrix = [[9 if row == column else 0 for column in range(30)] for row in range(30)]
    found = {row["claim"]: row for row in claims.compare(metrics(classes=list("ab"), confusion=matrix), history())}
    assert found["confusion matrix"]["here"] == "30 classes, 270 of 270 photos on the diagonal"
