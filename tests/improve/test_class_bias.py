import numpy as np
import pytest
import torch
from scipy import optimize

from maskkit import model, pretrained, train
from maskkit.improve import class_bias, weight_average

EPOCHS = 4


def examples(seed, n, shift=0.0):
    """n features (n, 5) and labels: the classes overlap; `shift` moves all features along the line between them."""
    generator = torch.Generator().manual_seed(seed)
    y = torch.arange(n) % 2
    return torch.randn(n, 5, generator=generator) + 0.7 * y[:, None] + shift, y


def fit(hooks):
    head = model.new_head(5, 2, seed=0)
    settings = {"epochs": EPOCHS, "batch_size": 8, "learning_rate": 0.1, "seed": 0}
    return train.fit_features(head, examples(0, 40), examples(1, 20), hooks=hooks, **settings), head


def balanced_loss(logits, labels):
    losses = torch.nn.functional.cross_entropy(logits, labels, reduction="none")
    return sum(losses[labels == index].mean() for index in labels.unique()).item()


@pytest.mark.parametrize("n_classes", [2, 3, 7])
def test_no_other_shift_has_a_lower_loss_on_the_views(n_classes):
    generator = torch.Generator().manual_seed(n_classes)
    logits, labels = torch.randn(90, n_classes, generator=generator), torch.arange(90) % n_classes
    labels[: 30 * (n_classes == 2)] = 0  # classes of unequal size
    logits[:, 0] += 2
    shift = class_bias.find_shift(logits, labels)
    found = balanced_loss(logits + shift, labels)
    best = optimize.minimize(lambda other: balanced_loss(logits + torch.tensor(other), labels), np.zeros(n_classes))
    assert shift[0] < -0.5 and found == pytest.approx(best.fun, abs=1e-3) and shift.mean() == pytest.approx(0, abs=1e-5)


def test_a_class_without_views_and_perfect_answers_have_a_small_shift():
    labels = torch.arange(30) % 2
    assert class_bias.find_shift(torch.zeros(30, 3), labels).abs().max() < 8  # without RIDGE over 10
    assert class_bias.find_shift(torch.eye(3)[labels] * 50, labels)[:2].abs().max() < 10


def test_only_the_bias_changes_and_learning_stays_the_same():
    plain, plain_head = fit([])
    shifted, head = fit(class_bias.hooks([examples(2, 30, shift=1.0)]))
    assert torch.equal(head.weight, plain_head.weight) and not torch.allclose(head.bias, plain_head.bias, atol=0.1)
    assert [row["train_loss"] for row in shifted.history] == [row["train_loss"] for row in plain.history]
    assert [row["val_loss"] for row in shifted.history] != [row["val_loss"] for row in plain.history]


def test_the_kept_heads_are_those_that_were_validated():
    result, head = fit(class_bias.hooks([examples(2, 30, shift=1.0)]))
    X, y = examples(1, 20)
    for state, score in ((result.last_state, result.last), (result.best_state, result.best)):
        head.load_state_dict(state)
        with torch.inference_mode():
            logits = head(X)
        assert int((logits.argmax(1) == y).sum()) == score["correct"]
        loss = torch.nn.functional.cross_entropy(logits, y).item()
        assert result.history[score["epoch"] - 1]["val_loss"] == pytest.approx(loss, abs=1e-5)


@pytest.mark.parametrize("arch", model.ARCHITECTURES)
def test_in_a_tail_the_head_s_bias_is_set(arch):
    network = model.build(pretrained.Pretrained(arch, "none", None, ""), 2, seed=0)
    head = model.head(network, arch)
    assert class_bias.last_layer(model.cut(network, arch)[1]) is head is class_bias.last_layer(head)


def test_with_averaged_weights_the_mean_is_shifted():
    views = [examples(2, 30, shift=1.0)]
    averaged, head = fit(weight_average.hooks(3, EPOCHS))
    mean = {name: value.clone() for name, value in head.state_dict().items()}
    both, head = fit(weight_average.hooks(3, EPOCHS) + class_bias.hooks(views))
    with torch.no_grad():
        expected = mean["bias"] + class_bias.find_shift(torch.nn.functional.linear(views[0][0], **mean), views[0][1])
    assert torch.allclose(head.weight, mean["weight"], atol=1e-6)
    assert torch.allclose(head.bias, expected, atol=1e-5)
    assert [row["train_loss"] for row in both.history] == [row["train_loss"] for row in averaged.history]


def test_without_views_nothing_is_shifted():
    assert class_bias.hooks([]) == []
