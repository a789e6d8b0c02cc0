"""Dwarf photos, few rounds; no time is asserted, only what is said of the times."""

import importlib.util
import json
import random

import numpy as np
import pytest
import torch

from maskkit import model
from maskkit.core import environment
from maskkit.improve import benchmark_networks

SETTINGS = {
    "n_classes": 2, "size_px": 32, "engines": ("compiled", "onnxruntime"), "batches": (1, 2), "rounds": 2,
    "seconds": 0.0, "threads": 1, "device": torch.device("cpu"), "seed": 0,
}  # fmt: skip
PAIR = ("shufflenet_v2_x0_5", "mobilenet_v2")


@pytest.fixture
def quick(monkeypatch):
    """torch.compile and the fresh processes take their time: a slow test has them."""
    monkeypatch.setattr(benchmark_networks, "compiled", lambda network: lambda images: network(images))
    monkeypatch.setattr(benchmark_networks, "peak_mib", lambda *_: 12.0)


@pytest.fixture
def no_onnx(monkeypatch):
    found = importlib.util.find_spec
    monkeypatch.setattr(importlib.util, "find_spec", lambda name, *rest: None if name == "onnx" else found(name, *rest))


def cell(p50_ms, rounds_ms, batch=1):
    return {
        "n": 3,
        "p50_ms": p50_ms,
        "p95_ms": 2 * p50_ms,
        "cpu_ms": p50_ms,
        "rounds_ms": rounds_ms,
        "rounds_cpu_ms": rounds_ms,
        "photos_per_second": 1000 * batch / p50_ms,
    }


def row(arch, eager, **changes):
    """A row by hand: `eager` is {batch: rounds_ms}."""
    setting = {
        "rounds": 3,
        "threads": 2,
        "size_px": 224,
        "processor": "a processor",
        "processors": 2,
        "device": "cpu",
        "load_before": 0.1,
        "load_after": 0.2,
        "versions": environment.versions(),
    }
    speed = {str(n): cell(float(np.median(ms)), ms, n) for n, ms in eager.items()}
    whole = {
        "arch": arch,
        "weights": "none",
        "weights_note": "",
        "accuracy": None,
        "accuracy_note": "no photos",
        "n_weights": 100,
        "multiply_adds": 2_000_000_000,
        "file_bytes": 4_000_000,
        "memory_batch": 64,
        "memory_mib": {"eager": 50.0},
        "speed": {"eager": speed},
        "setting": setting,
        "notes": dict.fromkeys(("compiled", "onnxruntime", "cuda"), "not available: a reason"),
    }
    return whole | changes


def test_the_comparison_is_complete_and_leaves_everything_as_it_was(quick, no_onnx):
    torch.set_num_threads(2)
    before = torch.get_num_threads(), torch.get_rng_state(), random.getstate(), np.random.get_state()[1].tolist()
    rows = benchmark_networks.networks(PAIR, weights={}, accuracy={PAIR[0]: {"correct": 39, "n": 40}}, **SETTINGS)
    assert torch.get_num_threads() == before[0] and torch.equal(torch.get_rng_state(), before[1])
    assert random.getstate() == before[2] and np.random.get_state()[1].tolist() == before[3]
    assert json.loads(json.dumps(rows, allow_nan=False)) == rows
    first, second = rows
    assert first["accuracy"]["accuracy"] == 0.975 and first["accuracy"]["interval"][0] == pytest.approx(0.871, abs=1e-3)
    assert second["accuracy"] is None and second["n_weights"] == 2_226_434
    assert second["file_bytes"] > 4 * second["n_weights"]
    for each in rows:
        assert set(each["speed"]) == {"eager", "compiled"} and "random weights" in each["weights_note"]
        assert "onnx is not installed: pip install -e '.[onnx]'" in each["notes"]["onnxruntime"]
        for engine in each["speed"].values():
            assert set(engine) == {"1", "2"}
            assert all(len(cell["rounds_ms"]) == 2 <= cell["n"] and cell["p50_ms"] > 0 for cell in engine.values())
    text = benchmark_networks.table(rows)
    assert "39 of 40 (97.5 %" in text and "unknown: not measured in this comparison" in text and "threads: 1" in text


def test_threads_come_back_after_a_fault(monkeypatch):
    monkeypatch.setattr(benchmark_networks, "prepare", lambda *_: 1 / 0)
    before = torch.get_num_threads()
    with pytest.raises(ZeroDivisionError):
        benchmark_networks.networks(PAIR[:1], weights={}, accuracy={}, **SETTINGS | {"threads": before + 1})
    assert torch.get_num_threads() == before


def test_weights_that_cannot_be_had_do_not_stop_the_comparison(quick):
    settings = SETTINGS | {"engines": ()}
    [found] = benchmark_networks.networks(("resnet18",), weights={"resnet18": "nowhere.pth"}, accuracy={}, **settings)
    assert found["weights"] == "none" and "there is no file" in found["weights_note"]
    assert found["notes"]["compiled"] == "not measured here"


def test_an_engine_with_other_outputs_or_without_its_compiler_is_left_out(quick, monkeypatch):
    settings = SETTINGS | {"engines": ("compiled",)}
    monkeypatch.setattr(benchmark_networks, "compiled", lambda network: lambda images: 1.01 * network(images) + 0.01)
    [wrong] = benchmark_networks.networks(PAIR[:1], weights={}, accuracy={}, **settings)
    assert "outputs differ from eager's by" in wrong["notes"]["compiled"] and set(wrong["speed"]) == {"eager"}

    def missing(network):
        raise RuntimeError("InvalidCxxCompiler: No working C++ compiler found\nand a long trace")

    monkeypatch.setattr(benchmark_networks, "compiled", missing)
    [none] = benchmark_networks.networks(PAIR[:1], weights={}, accuracy={}, **settings)
    assert none["notes"]["compiled"] == "not available: InvalidCxxCompiler: No working C++ compiler found"


def test_random_weights_give_outputs_worth_comparing():
    images = {n: torch.randn(n, 3, 64, 64) for n in (1, 8)}
    network, _ = benchmark_networks.build("mobilenet_v2", "none", 2, images, seed=0)
    with torch.inference_mode():
        assert model.Backbone(network, "mobilenet_v2")(images[8]).abs().max() > 0.1  # 1e-11 without `settle`
    assert not network.training and not any(module.training for module in network.modules())


@pytest.mark.parametrize(("arch", "published"), [("resnet18", 1.81), ("mobilenet_v2", 0.30)])
def test_multiply_adds_are_the_published_ones(arch, published):
    # https://docs.pytorch.org/vision/stable/models.html: GFLOPS, which counts a multiply-add once
    network = model.skeleton(arch, 1000, seed=0).eval()
    assert benchmark_networks.multiply_adds(network, torch.zeros(1, 3, 224, 224)) / 1e9 == pytest.approx(
        published, abs=0.005
    )


@pytest.mark.parametrize(
    ("archs", "message"),
    [((), "one architecture or more"), (("resnet18", "resnet18"), "each once"), (("resnet",), "ARCH must be")],
)
def test_what_cannot_be_compared_is_said(archs, message):
    with pytest.raises(ValueError, match=message):
        benchmark_networks.networks(archs, weights={}, accuracy={}, **SETTINGS)


# --- what it says -------------------------------------------------------------------------------


def test_a_ratio_is_the_median_of_the_rounds_own():
    first, second = row("a", {1: [10, 20, 40]}), row("b", {1: [20, 30, 20]})  # 2, 1.5, 0.5; of medians it were 1
    assert benchmark_networks.ratio(second, first, "eager", 1) == pytest.approx((1.5, 1.0, 1.75))
    assert benchmark_networks.ratio(second, first, "compiled", 1) is None


def test_summarise_by_hand():
    blocks = [[(0.010, 0.02), (0.020, 0.02), (0.030, 0.02)], [(0.040, 0.08)]]
    found = benchmark_networks.summarise(blocks, 16)
    assert found["p50_ms"] == pytest.approx(25) and found["photos_per_second"] == pytest.approx(16 / 0.025)
    assert found["rounds_ms"] == pytest.approx([20, 40]) and found["n"] == 4 and found["cpu_ms"] == pytest.approx(20)


def test_slower_is_said_plainly():
    rows = [
        row("ResNet18", {1: [10, 10, 10], 16: [90, 100, 110], 64: [400, 400, 400]}),
        row("MobileNetV2", {1: [13, 13, 13], 16: [100, 90, 110], 64: [200, 200, 200]}),
    ]
    slower, alike, faster = benchmark_networks.sentences(rows)
    assert slower.startswith("MobileNetV2 is slower than ResNet18") and "torch, eager, batch 1: x 1.30" in slower
    assert "about as fast as" in alike and "batch 16: x 1.00" in alike
    assert "faster than" in faster and "batch 64: x 0.50" in faster


def test_the_table_says_what_is_missing_and_its_ratios_are_to_the_first_column():
    text = benchmark_networks.table(
        [row("a", {1: [10, 10, 10]}), row("b", {1: [13, 13, 13]}, n_weights=25, memory_mib={})]
    )
    assert "| weights | 100 | 25 (x 0.25) |" in text
    assert "| one photo, torch, eager, p50 / p95 ms | 10.0 / 20.0 | 13.0 / 26.0 (x 1.30) |" in text
    assert "| photos per second, torch, eager, batch 1 | 100.0 | 76.9 (x 0.77) |" in text
    assert "| one photo, ONNX Runtime, p50 / p95 ms | not available: a reason | not available: a reason |" in text
    assert "unknown: no photos" in text and "MiB | 50 | unknown |" in text


# --- the engines themselves ---------------------------------------------------------------------


def test_onnx_runtime_passes_any_batch_with_eagers_outputs(tmp_path):
    for name in ("onnx", "onnxscript", "onnxruntime"):
        pytest.importorskip(name)
    images = {n: torch.randn(n, 3, 64, 64) for n in (1, 3)}
    network, _ = benchmark_networks.build("shufflenet_v2_x0_5", "none", 2, images, seed=0)
    benchmark_networks.check(
        benchmark_networks.onnxruntime(network, tmp_path / "n.onnx", 1, 64),
        network,
        images,
        benchmark_networks.TOLERANCE,
    )


@pytest.mark.slow
def test_compiled_passes_any_batch_with_eagers_outputs():
    images = {n: torch.randn(n, 3, 64, 64) for n in (1, 3)}
    network, _ = benchmark_networks.build("resnet18", "none", 2, images, seed=0)
    benchmark_networks.check(benchmark_networks.compiled(network), network, images, benchmark_networks.TOLERANCE)


def test_memory_of_a_fresh_process_holds_the_weights_and_not_the_imports(tmp_path):
    import safetensors.torch

    network = model.skeleton("mobilenet_v2", 2, seed=0)
    safetensors.torch.save_file(network.state_dict(), tmp_path / "n.safetensors")
    found = benchmark_networks.peak_mib("eager", "mobilenet_v2", tmp_path / "n.safetensors", 2, 1, 64, 1)
    if found is None:
        pytest.skip("this system does not say how much memory a process holds")
    assert 8.5 < found < 150  # 2.2 million float32 are 8.5 MiB; torch alone would be over 150
