"""CUDA absent, CUDA out of memory, no workers: simulated at the call, for a machine without a GPU."""

import re
from pathlib import Path

import pytest
import torch
from torch import nn
from torch.utils.data import TensorDataset

from maskkit import evaluate, features, model, runs, train
from maskkit.core import batches, paths

CPU = torch.device("cpu")


class Small(nn.Module):
    """A linear layer that runs out of memory for more than `limit` photos, as CUDA does."""

    def __init__(self, limit):
        super().__init__()
        torch.manual_seed(0)
        self.layer, self.limit, self.seen = nn.Linear(5, 2), limit, []

    def forward(self, inputs):
        if len(inputs) > self.limit:
            raise torch.cuda.OutOfMemoryError("CUDA out of memory")
        self.seen.append(len(inputs))
        return self.layer(inputs)


@pytest.fixture
def photos():
    chance = torch.Generator().manual_seed(0)
    return TensorDataset(torch.randn(20, 5, generator=chance), torch.arange(20) % 2)


@pytest.mark.fault("machine", "CUDA out of memory")
def test_in_training_the_batch_halves_and_the_recipe_stays(photos):
    whole, pieces = Small(16), Small(5)
    settings = {"epochs": 3, "batch_size": 16, "learning_rate": 0.01, "seed": 0, "device": CPU}
    expected = train.fit(whole, photos, photos, **settings)
    with pytest.warns(UserWarning) as told:
        found = train.fit(pieces, photos, photos, **settings)
    assert {str(one.message) for one in told} == {
        f"CUDA ran out of memory; going on with {n} photos at a time" for n in (8, 4)
    }
    assert set(whole.seen) == {16, 4} and set(pieces.seen) == {4}
    for mine, theirs in zip(found.history, expected.history, strict=True):
        assert mine == pytest.approx(theirs, abs=1e-6)
    for name, value in expected.last_state.items():
        assert torch.allclose(found.last_state[name], value, atol=1e-6)


@pytest.mark.fault("machine", "CUDA out of memory")
def test_in_passes_the_batch_halves_and_the_results_stay(photos):
    images, labels = photos.tensors
    with pytest.warns(UserWarning, match="going on with 4 photos"), torch.inference_mode():
        pieces = torch.from_numpy(features.pass_images(Small(4), list(images[:7]), CPU))
        assert torch.allclose(pieces, Small(16)(images[:7]), atol=1e-6)
    with pytest.warns(UserWarning, match="going on with 10 photos"):
        probabilities, _ = evaluate.predict(Small(10), [(images, labels)], CPU)
    assert probabilities.shape == (20, 2)


@pytest.mark.fault("machine", "CUDA out of memory")
def test_a_single_photo_too_many_is_an_error_that_helps(photos):
    with pytest.warns(UserWarning), pytest.raises(MemoryError, match="not hold a single photo; use DEVICE='cpu'"):
        batches.forward(Small(0), photos.tensors[0], CPU)


@pytest.mark.fault("machine", "CUDA asked for and absent")
def test_cuda_asked_for_and_absent_is_an_error_and_auto_is_not(monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    with pytest.raises(ValueError, match="DEVICE='cuda', but torch sees no CUDA device; use DEVICE='auto' or 'cpu'"):
        model.device("cuda")
    assert model.device("auto") == CPU


@pytest.mark.fault("machine", "small /dev/shm, worker crashes")
def test_no_worker_processes_are_used_so_none_can_crash_and_dev_shm_stays_empty():
    """Photos pass once, so loading is no bottleneck that workers would widen; decoding ahead takes threads."""
    sources = [*Path(runs.__file__).parent.rglob("*.py"), *paths.NOTEBOOKS.glob("*.ipynb")]
    used = re.compile(r"num_workers|multiprocessing|ProcessPoolExecutor|share_memory|shared_memory|os\.fork\b")
    found = {path.name: match[0] for path in sources if (match := used.search(path.read_text(encoding="utf-8")))}
    assert len(sources) > 30 and found == {"warm_kernels.py": "os.fork"}  # which forks kernels, before torch has run
