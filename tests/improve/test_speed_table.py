"""The speed table: ratios by hand, and sentences and cells that say what was measured and what was not."""

import numpy as np
import pytest

from maskkit.core import environment
from maskkit.improve import speed_table


def cell(p50_ms, rounds_ms, batch=1):
    return {
        "n": 3,
        "p50_ms": p50_ms,
        "p95_ms": 2 * p50_ms,
        "rounds_ms": rounds_ms,
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
        "notes": dict.fromkeys(("onnxruntime", "cuda"), "not available: a reason"),
    }
    return whole | changes


def test_a_ratio_is_the_median_of_the_rounds_own():
    first, second = row("a", {1: [10, 20, 40]}), row("b", {1: [20, 30, 20]})  # 2, 1.5, 0.5; of medians it were 1
    assert speed_table.ratio(second, first, "eager", 1) == pytest.approx((1.5, 1.0, 1.75))
    assert speed_table.ratio(second, first, "onnxruntime", 1) is None


def test_slower_networks_are_named():
    rows = [
        row("ResNet18", {1: [10, 10, 10], 16: [90, 100, 110], 64: [400, 400, 400]}),
        row("MobileNetV2", {1: [13, 13, 13], 16: [100, 90, 110], 64: [200, 200, 200]}),
    ]
    slower, alike, faster = speed_table.format_sentences(rows)
    assert slower.startswith("MobileNetV2 is slower than ResNet18") and "torch, eager, batch 1: x 1.30" in slower
    assert "about as fast as" in alike and "batch 16: x 1.00" in alike
    assert "faster than" in faster and "batch 64: x 0.50" in faster


def test_the_table_names_what_is_missing_and_its_ratios_refer_to_the_first_column():
    text = speed_table.format_table(
        [row("a", {1: [10, 10, 10]}), row("b", {1: [13, 13, 13]}, n_weights=25, memory_mib={})]
    )
    assert "| weights | 100 | 25 (x 0.25) |" in text
    assert "| one photo, torch, eager, p50 / p95 ms | 10.0 / 20.0 | 13.0 / 26.0 (x 1.30) |" in text
    assert "| photos per second, torch, eager, batch 1 | 100.0 | 76.9 (x 0.77) |" in text
    assert "| one photo, ONNX Runtime, p50 / p95 ms | not available: a reason | not available: a reason |" in text
    assert "| no photos |" in text and "MiB | 50 | not measured |" in text
