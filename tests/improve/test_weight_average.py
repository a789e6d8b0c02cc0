import pytest
import torch

from maskkit import model, train
from maskkit.improve import weight_average


def fit(epochs, n, n_val=10):
    """(the `Fit`, the trained head, its weights after each epoch) of a head on random features."""
    generator = torch.Generator().manual_seed(0)
    X, y = torch.randn(30, 5, generator=generator), torch.arange(30) % 2
    head, seen = model.new_head(5, 2, seed=0), []

    class Watch(train.Hook):
        def end_epoch(self, training):
            seen.append(head.weight.detach().clone())

    hooks = [*weight_average.hooks(n, epochs), Watch()]
    settings = {"epochs": epochs, "batch_size": 8, "learning_rate": 0.1, "seed": 0}
    result = train.fit_features(head, (X, y), (X[:n_val], y[:n_val]), hooks=hooks, **settings)
    return result, head, seen


@pytest.mark.parametrize("n, averaged", [(2, 2), (4, 4), (9, 4)], ids=["some", "all", "more than there are"])
def test_the_head_is_the_mean_of_its_last_epochs(n, averaged):
    _, _, plain = fit(4, 1)
    result, head, learned = fit(4, n)
    for own, other in zip(learned, plain, strict=True):  # learning itself is the same
        assert torch.allclose(own, other, atol=1e-6)
    expected = torch.stack(plain[-averaged:]).mean(0)
    assert not torch.allclose(expected, plain[-1], atol=1e-3)
    assert torch.allclose(head.weight, expected, atol=1e-6)
    assert torch.allclose(result.last_state["weight"], expected, atol=1e-6)


def test_the_last_epoch_s_score_is_that_of_the_mean():
    result, head, _ = fit(6, 3, n_val=30)
    generator = torch.Generator().manual_seed(0)
    X, y = torch.randn(30, 5, generator=generator), torch.arange(30) % 2
    with torch.inference_mode():
        logits = head(X)
    assert result.last["correct"] == int((logits.argmax(1) == y).sum())
    loss = torch.nn.functional.cross_entropy(logits, y).item()
    assert result.history[-1]["val_loss"] == pytest.approx(loss, abs=1e-5)


def test_one_epoch_is_no_average():
    assert weight_average.hooks(1, 10) == []
