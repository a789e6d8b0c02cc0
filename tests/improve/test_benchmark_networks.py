"""Small images, few rounds; no time is asserted, only what is reported."""

import importlib.util
import json
import random

import numpy as np
import pytest
import torch

from maskkit.improve import benchmark_networks, engines, network_memory, speed_table

SETTINGS = {
    "n_classes": 2, "size_px": 32, "engines": ("onnxruntime",), "batches": (1, 2), "rounds": 2, "seconds": 0.0,
    "threads": 1, "device": torch.device("cpu"), "seed": 0,
}  # fmt: skip
PAIR = ("shufflenet_v2_x0_5", "mobilenet_v2")


@pytest.fixture(autouse=True)
def no_memory_probe(monkeypatch):
    """The fresh processes take seconds; tests/improve/test_network_memory.py starts one."""
    monkeypatch.setattr(network_memory, "PROBED", ())


@pytest.fixture
def no_onnx(monkeypatch):
    find_spec = importlib.util.find_spec
    monkeypatch.setattr(
        importlib.util, "find_spec", lambda name, *rest: None if name == "onnx" else find_spec(name, *rest)
    )


def test_the_comparison_is_complete_and_leaves_everything_as_it_was(no_onnx):
    torch.set_num_threads(2)
    before = torch.get_num_threads(), torch.get_rng_state(), random.getstate(), np.random.get_state()[1].tolist()
    rows = benchmark_networks.compare(PAIR, weights={}, accuracy={PAIR[0]: {"correct": 39, "n": 40}}, **SETTINGS)
    assert torch.get_num_threads() == before[0] and torch.equal(torch.get_rng_state(), before[1])
    assert random.getstate() == before[2] and np.random.get_state()[1].tolist() == before[3]
    assert json.loads(json.dumps(rows, allow_nan=False)) == rows
    first, second = rows
    assert first["accuracy"]["accuracy"] == 0.975 and first["accuracy"]["interval"][0] == pytest.approx(0.871, abs=1e-3)
    assert second["accuracy"] is None and second["n_weights"] == 2_226_434
    assert second["file_bytes"] > 4 * second["n_weights"]
    for row in rows:
        assert set(row["speed"]) == {"eager"} and "random weights" in row["weights_note"]
        assert "ONNX needs onnx: pip install -e '.[onnx]'" in row["notes"]["onnxruntime"]
        assert row["notes"]["cuda"] == "not measured here" and set(row["speed"]["eager"]) == {"1", "2"}
        for cell in row["speed"]["eager"].values():
            assert len(cell["rounds_ms"]) == 2 <= cell["n"] and cell["p50_ms"] > 0
    text = speed_table.format_table(rows)
    assert "39 of 40 (97.5 %" in text and "not measured in this comparison" in text and "threads: 1" in text


def test_weights_that_are_not_available_do_not_stop_the_comparison():
    settings = SETTINGS | {"engines": ()}
    [row] = benchmark_networks.compare(("resnet18",), weights={"resnet18": "nowhere.pth"}, accuracy={}, **settings)
    assert row["weights"] == "none" and "there is no file" in row["weights_note"]


def wrong_engine(network, *_):
    return lambda images: 1.01 * network(images) + 0.01


def broken_engine(*_):
    raise RuntimeError("No working C++ compiler found\nand a long trace")


@pytest.mark.parametrize(
    ("engine", "note"),
    [
        (wrong_engine, "not available: outputs differ from eager's by"),
        (broken_engine, "not available: No working C++ compiler found"),
    ],
)
def test_an_engine_with_other_outputs_or_an_error_is_left_out(monkeypatch, engine, note):
    monkeypatch.setattr(engines, "run_onnx", engine)
    [row] = benchmark_networks.compare(PAIR[:1], weights={}, accuracy={}, **SETTINGS)
    assert row["notes"]["onnxruntime"].startswith(note) and "trace" not in row["notes"]["onnxruntime"]
    assert set(row["speed"]) == {"eager"}


@pytest.mark.parametrize(
    ("archs", "message"),
    [((), "one architecture or more"), (("resnet18", "resnet18"), "each once"), (("resnet",), "ARCH must be")],
)
def test_invalid_networks_are_refused(archs, message):
    with pytest.raises(ValueError, match=message):
        benchmark_networks.compare(archs, weights={}, accuracy={}, **SETTINGS)


def test_summarise_by_hand():
    blocks = [[0.010, 0.020, 0.030], [0.040]]
    cell = benchmark_networks.summarise(blocks, 16)
    assert cell["p50_ms"] == pytest.approx(25) and cell["photos_per_second"] == pytest.approx(16 / 0.025)
    assert cell["rounds_ms"] == pytest.approx([20, 40]) and cell["n"] == 4
