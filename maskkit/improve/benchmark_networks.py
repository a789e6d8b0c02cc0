"""Measure networks against each other: size, arithmetic, memory, and the speed of each engine.

The measurement consists of rounds. In a round every engine passes every batch size, in random order; for each engine
and batch size the networks follow one another directly, so that other programs on the machine affect all of them
alike. Ratios are computed within a round; their median over the rounds is reported (`speed_table`).
"""

import dataclasses
import os
import random
import statistics
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import safetensors.torch
import torch
from torch.utils import benchmark

from maskkit import evaluate, model, pretrained
from maskkit.core import environment, parameters
from maskkit.core.parallel import torch_threads
from maskkit.core.progress import bar
from maskkit.improve import engines as engine_module
from maskkit.improve import network_memory
from maskkit.improve.engines import ENGINES, Run

Key = tuple[str, str, int]  # architecture, engine, batch size


@dataclasses.dataclass(frozen=True)
class Setup:
    """What all networks have in common. images: {batch size: float32 (N, 3, H, W)}; folder: for weight files."""

    images: dict[int, torch.Tensor]
    n_classes: int
    engines: set[str]
    threads: int
    device: torch.device
    folder: Path
    seed: int

    @property
    def size_px(self) -> int:
        return self.images[1].shape[-1]


def compare(
    archs: Sequence[str],
    *,
    weights: Mapping[str, str],
    accuracy: Mapping[str, dict | str],
    n_classes: int,
    size_px: int,
    engines: Sequence[str],
    batches: Sequence[int],
    rounds: int,
    seconds: float,
    threads: int,
    device: torch.device,
    seed: int,
) -> list[dict[str, Any]]:
    """Measure networks against each other; torch's random state and thread count are left unchanged.

    Args:
        archs: names that `model.architecture` knows; ratios refer to the first.
        weights: {arch: WEIGHTS}. If weights are missing or not available, random weights are measured and
            `weights_note` says so: speed does not depend on their values.
        accuracy: {arch: dict with correct and n, and interval if it is not Wilson's; or a text: why it is unknown}.
        n_classes: outputs of the head; size_px: side of the square input, pixels.
        engines: of `ENGINES`, measured besides "eager", with which the others are compared. "cuda" is measured only if
            `device` is a CUDA device.
        batches: photos per pass, such as (1, 16, 64); rounds: how often each is measured.
        seconds: the shortest time that an engine, network and batch size gets in a round (never less than one pass).
        threads: of torch and of ONNX Runtime.
        device: a torch device; for a CUDA device speeds include the copies to it and back. Not yet run on a GPU.
        seed: draws random weights, images, and the order within each round.

    Returns:
        one dict per network, JSON values only: arch, weights, weights_note, accuracy (`evaluate.score` or None),
        accuracy_note, n_weights, file_bytes (safetensors), multiply_adds (one photo), memory_mib {engine: peak above
        the imports, of loading it and passing `memory_batch` photos; None if unknown}, speed {engine: {batch: cell}},
        notes {engine: why it is not available}, setting (the same in each row). A cell holds n (passes), p50_ms,
        p95_ms, photos_per_second, and each round's median pass in rounds_ms.

    Raises:
        ValueError: no network, a name given twice, or one that `model.architecture` does not know.
    """
    if not archs or len(set(archs)) < len(archs):
        raise ValueError(f"benchmark_networks.compare takes one architecture or more, each once, got {list(archs)}")
    if engines:
        parameters.need("ENGINES", ", ".join(engines))
    for arch in archs:
        model.architecture(arch)
    setting = describe(threads=threads, device=device, rounds=rounds, seconds=seconds, size_px=size_px, seed=seed)
    wanted = set(engines) - ({"cuda"} if device.type != "cuda" else set())
    with torch_threads(threads), torch.random.fork_rng(devices=[]), tempfile.TemporaryDirectory() as folder:
        images = draw_images({1, *batches}, size_px, seed)
        setup = Setup(images, n_classes, wanted, threads, device, Path(folder), seed)
        rows: list[dict[str, Any]] = []
        passes: dict[Key, tuple[Run, torch.Tensor]] = {}
        for arch in archs:
            row, runs = prepare(arch, weights.get(arch, "none"), setup)
            rows.append(row | describe_accuracy(accuracy.get(arch)) | {"setting": setting})
            passes |= {(arch, engine, n): (run, images[n]) for engine, run in runs.items() for n in batches}
        times = measure(passes, rounds, seconds, seed)
    for (arch, engine, n), blocks in times.items():
        rows[archs.index(arch)]["speed"][engine][str(n)] = summarise(blocks, n)
    setting["load_after"] = environment.load_average()
    return rows


def describe(*, device: torch.device, **settings: Any) -> dict[str, Any]:
    """Return the settings of a measurement, with machine and versions, and how busy the machine is now."""
    names = {
        "device": str(device),
        "processor": environment.processor(),
        "processors": os.cpu_count(),
        "load_before": environment.load_average(),
    }
    if device.type == "cuda":
        names["gpu"] = torch.cuda.get_device_name(device)
    return settings | names | {"versions": environment.versions()}


def describe_accuracy(accuracy: dict | str | None) -> dict[str, Any]:
    """Return an entry of `accuracy` as a row holds it: the score or None, and why it is unknown."""
    if accuracy is None or isinstance(accuracy, str):
        return {"accuracy": None, "accuracy_note": accuracy or "not measured in this comparison"}
    score = evaluate.score(accuracy["correct"], accuracy["n"]) | accuracy
    return {"accuracy": score, "accuracy_note": ""}


def draw_images(sizes: set[int], size_px: int, seed: int) -> dict[int, torch.Tensor]:
    """Return random images for each batch size."""
    generator = torch.Generator().manual_seed(seed)
    return {n: torch.randn(n, 3, size_px, size_px, generator=generator) for n in sorted(sizes)}


# --- before the rounds --------------------------------------------------------------------------


def prepare(arch: str, weights: str, setup: Setup) -> tuple[dict[str, Any], dict[str, Run]]:
    """Build a network and its engines: (a row without its speed and accuracy, {engine: function})."""
    network, row = build(arch, weights, setup)
    files = {"eager": setup.folder / f"{arch}.safetensors", "onnxruntime": setup.folder / f"{arch}.onnx"}
    safetensors.torch.save_file({k: v.contiguous() for k, v in network.state_dict().items()}, files["eager"])
    runs: dict[str, Run] = {"eager": network}
    notes = {engine: "not measured here" for engine in ENGINES if engine not in {"eager", *setup.engines}}
    for engine in [name for name in ENGINES if name in setup.engines - {"eager"}]:
        try:
            runs[engine] = engine_module.make_engine(
                engine, network, setup.images, files["onnxruntime"], setup.threads, setup.device
            )
        except (RuntimeError, OSError) as error:
            notes[engine] = f"not available: {first_line(error)}"
    memory, batch = {}, max(setup.images)
    for engine in network_memory.PROBED:
        if engine in runs:
            memory[engine] = network_memory.peak_mib(
                engine, arch, files[engine], setup.n_classes, batch, setup.size_px, setup.threads
            )
    speed: dict[str, dict] = {engine: {} for engine in runs}
    size = files["eager"].stat().st_size
    more = {"file_bytes": size, "memory_mib": memory, "memory_batch": batch, "speed": speed, "notes": notes}
    return row | more, runs


def build(arch: str, weights: str, setup: Setup) -> tuple[torch.nn.Module, dict[str, Any]]:
    """Return the network in eval mode, and the part of its row that is known before it runs."""
    try:
        source, note = pretrained.find(arch, weights), ""
    except (FileNotFoundError, ValueError) as error:
        source, note = pretrained.find(arch, "none"), f"{first_line(error)}; random weights measured, as fast as any"
    network = model.build(source, setup.n_classes, setup.seed)
    if source.state is None:
        note = note or "random weights, as fast as any"
        engine_module.set_norm_statistics(network, setup.images[max(setup.images)])
    return network, {
        "arch": arch,
        "weights": source.weights,
        "weights_note": note,
        "n_weights": model.count_weights(network)[1],
        "multiply_adds": engine_module.count_multiply_adds(network, setup.images[1]),
    }


def first_line(error: Exception) -> str:
    """Return the first line of an error, short enough for a table."""
    lines = str(error).strip().splitlines() or [type(error).__name__]
    return lines[0][:200]


# --- the rounds ---------------------------------------------------------------------------------


@torch.inference_mode()
def measure(
    passes: dict[Key, tuple[Run, torch.Tensor]],
    rounds: int,
    seconds: float,
    seed: int,
) -> dict[Key, list[list[float]]]:
    """Time every architecture, engine and batch size in every round.

    Args:
        passes: {key: (function, images)}.

    Returns:
        {key: the seconds of the passes of each round}.
    """
    draw = random.Random(seed)
    groups: dict[tuple[str, int], list[str]] = {}
    for arch, engine, batch in passes:
        groups.setdefault((engine, batch), []).append(arch)
    times: dict[Key, list[list[float]]] = {key: [] for key in passes}
    for _ in bar(range(rounds), desc="comparing", unit=" rounds"):
        for engine, batch in draw.sample(list(groups), len(groups)):
            for arch in draw.sample(groups[engine, batch], len(groups[engine, batch])):
                times[arch, engine, batch].append(time_passes(*passes[arch, engine, batch], seconds))
    return times


def time_passes(run: Run, images: torch.Tensor, seconds: float) -> list[float]:
    """Seconds of each pass, for at least so many in all, after one or more that are not counted."""
    variables = {"run": run, "images": images}
    timer = benchmark.Timer("run(images)", globals=variables, num_threads=torch.get_num_threads())
    return timer.blocked_autorange(min_run_time=seconds).times


def summarise(blocks: list[list[float]], batch: int) -> dict[str, Any]:
    """Return a cell of `compare` from the seconds of the passes of each round."""
    times = 1000 * np.concatenate(blocks)
    return {
        "n": len(times),
        "p50_ms": float(np.median(times)),
        "p95_ms": float(np.percentile(times, 95)),
        "photos_per_second": 1000 * batch / float(np.median(times)),
        "rounds_ms": [1000 * statistics.median(block) for block in blocks],
    }
