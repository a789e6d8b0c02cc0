"""Networks side by side: size, arithmetic, memory, and the speed of each engine, in one interleaved measurement.

A sitting is made of rounds. In a round every engine passes every batch size, in an order drawn from the seed; within
an engine and batch size the networks take turns at once, so that what else the machine does meets all of them alike.
Ratios are taken within a round, and their median over the rounds is what is said.
"""

import contextlib
import copy
import importlib.util
import os
import platform
import random
import statistics
import subprocess
import sys
import tempfile
import time
import warnings
from pathlib import Path

import numpy as np
import safetensors.torch
import torch
from torch.utils.flop_counter import FlopCounterMode

from maskkit import evaluate, model, pretrained
from maskkit.core import environment, parameters
from maskkit.core.parallel import torch_threads
from maskkit.core.progress import bar

ENGINES = {"eager": "torch, eager", "compiled": "torch.compile", "onnxruntime": "ONNX Runtime", "cuda": "CUDA, eager"}
PROBED = ("eager", "onnxruntime")  # engines whose memory is measured; torch.compile's would be its compiler's
TOLERANCE = 1e-4  # an engine's logits against eager's; of the largest, where that is above 1
CUDA_TOLERANCE = 1e-2  # cuDNN's convolutions take TF32 numbers, ten bits of mantissa, unless told otherwise
PREPARING = 4  # steps of the progress bar for each network before the rounds: two engines, two probes
MIB = 2**20


def networks(archs, *, weights, accuracy, n_classes, size_px, engines, batches, rounds, seconds, threads, device, seed):
    """Measure networks against each other; nothing is left changed: random state, thread count, gradients.

    Args:
        archs: names that `model.architecture` knows, the first is the one that ratios refer to.
        weights: {arch: WEIGHTS}; where one is missing or cannot be had, random weights take its place and
            `weights_note` says so. Speed does not depend on their values.
        accuracy: {arch: dict with correct and n, and interval where it is not Wilson's; or a text: why it is unknown}.
        n_classes: outputs of the head; size_px: side of the square input, pixels.
        engines: of `ENGINES`, measured besides "eager", which the others are checked against. "cuda" is measured where
            `device` is one.
        batches: photos per pass, such as (1, 16, 64); rounds: how often each is measured.
        seconds: the least time that an engine, network and batch size gets in a round (never less than one pass).
        threads: of torch and of ONNX Runtime alike.
        device: a torch device; a CUDA one adds speeds measured there, copies included. Not yet run on a GPU.
        seed: draws random weights, images, and the order within each round.

    Returns:
        one dict per network, JSON throughout: arch, weights, weights_note, accuracy (`evaluate.score` or None),
        accuracy_note, n_weights, file_bytes (safetensors), multiply_adds (one photo), memory_mib {engine: peak above
        the imports, of loading it and passing `memory_batch` photos; None where unknown}, speed {engine: {batch:
        cell}}, notes {engine: why it is not available}, setting (the same in each row). A cell holds n (passes),
        p50_ms, p95_ms, cpu_ms (median processor time of a pass, all threads), photos_per_second, and each round's
        median pass in rounds_ms and rounds_cpu_ms.

    Raises:
        ValueError: no network, a name given twice, or one that `model.architecture` does not know.
    """
    if not archs or len(set(archs)) < len(archs):
        raise ValueError(f"compare.networks takes one architecture or more, each once, got {list(archs)}")
    if engines:
        parameters.need("ENGINES", ", ".join(engines))
    for arch in archs:
        model.architecture(arch)
    generator = torch.Generator().manual_seed(seed)
    images = {n: torch.randn(n, 3, size_px, size_px, generator=generator) for n in sorted({1, *batches})}
    setting = describe(threads=threads, device=device, rounds=rounds, seconds=seconds, size_px=size_px, seed=seed)
    with untouched(threads), tempfile.TemporaryDirectory() as folder:
        steps = len(archs) * PREPARING + rounds * len(archs) * len(batches) * len({"eager", *engines})
        with bar(total=steps, desc="comparing", unit=" steps") as progress:
            rows, passes = [], {}
            wanted = set(engines) - ({"cuda"} if device.type != "cuda" else set())
            for arch in archs:
                score, note = said(accuracy.get(arch))
                network, row = build(arch, weights.get(arch, "none"), n_classes, images, seed)
                made = prepare(network, row, wanted, n_classes, images, Path(folder), threads, device, progress)
                rows.append(row | {"accuracy": score, "accuracy_note": note, "setting": setting})
                passes |= {(arch, engine, n): (run, images[n]) for engine, run in made.items() for n in batches}
            progress.total = progress.n + rounds * len(passes)
            timed = measure(passes, images[1], rounds, seconds, seed, progress)
    for (arch, engine, n), blocks in timed.items():
        rows[archs.index(arch)]["speed"][engine][str(n)] = summarise(blocks, n)
    setting["load_after"] = load()
    return rows


def describe(*, device, **settings):
    """What the numbers were measured with, and how busy the machine was before."""
    names = {"device": str(device), "processor": processor(), "processors": os.cpu_count(), "load_before": load()}
    if device.type == "cuda":
        names["gpu"] = torch.cuda.get_device_name(device)
    return settings | names | {"versions": environment.versions()}


def processor():
    """The processor's name."""
    with contextlib.suppress(OSError):
        for line in Path("/proc/cpuinfo").read_text().splitlines():
            if line.startswith("model name"):
                return line.split(":", 1)[1].strip()
    return platform.processor() or platform.machine()


def load():
    """The load average of the last minute: processes that wanted a core; None where the system does not say."""
    return round(os.getloadavg()[0], 2) if hasattr(os, "getloadavg") else None


@contextlib.contextmanager
def untouched(threads):
    """`threads` threads within the block; the caller's number and random states come back."""
    python, arrays = random.getstate(), np.random.get_state()
    try:
        with torch_threads(threads), torch.random.fork_rng(devices=[]):
            yield
    finally:
        random.setstate(python)
        np.random.set_state(arrays)


def said(accuracy):
    """(score or None, why it is unknown) of an entry of `accuracy`."""
    if accuracy is None or isinstance(accuracy, str):
        return None, accuracy or "not measured in this comparison"
    return evaluate.score(accuracy["correct"], accuracy["n"]) | accuracy, ""


# --- a network and its engines ------------------------------------------------------------------


def build(arch, weights, n_classes, images, seed):
    """(network in eval mode, what a row says of it before it runs)."""
    try:
        source, note = pretrained.find(arch, weights), ""
    except (FileNotFoundError, ValueError) as error:
        source, note = pretrained.find(arch, "none"), f"{reason(error)}; random weights measured, as fast as any"
    network = model.build(source, n_classes, seed)
    if source.state is None:
        note = note or "random weights, as fast as any"
        settle(network, images[max(images)])
    return network, {
        "arch": arch,
        "weights": source.weights,
        "weights_note": note,
        "n_weights": model.count_weights(network)[1],
        "multiply_adds": multiply_adds(network, images[1]),
    }


def prepare(network, row, wanted, n_classes, images, folder, threads, device, progress):
    """{engine: function of images (N, 3, H, W) to logits}; file, memory and what is not available go into `row`."""
    arch, size_px = row["arch"], images[1].shape[-1]
    files = {"eager": folder / f"{arch}.safetensors", "onnxruntime": folder / f"{arch}.onnx"}
    safetensors.torch.save_file({k: v.contiguous() for k, v in network.state_dict().items()}, files["eager"])
    makers = {
        "compiled": lambda: compiled(network),
        "onnxruntime": lambda: onnxruntime(network, files["onnxruntime"], threads, size_px),
    }
    if device.type == "cuda":
        makers["cuda"] = lambda: on_cuda(network, device)
    engines, memory = {"eager": network}, {}
    notes = {engine: "not measured here" for engine in ENGINES if engine != "eager" and engine not in wanted}
    for engine in [name for name in makers if name in wanted]:
        progress.set_postfix_str(f"{arch}: {ENGINES[engine]}")
        try:
            run = makers[engine]()
            check(run, network, images, CUDA_TOLERANCE if engine == "cuda" else TOLERANCE)
            engines[engine] = run
        except (ImportError, RuntimeError, OSError) as error:  # a missing C++ compiler is a RuntimeError of torch
            notes[engine] = f"not available: {reason(error)}"
        progress.update()
    for engine, file in files.items():
        progress.set_postfix_str(f"{arch}: memory")
        if engine in engines:
            memory[engine] = peak_mib(engine, arch, file, n_classes, max(images), size_px, threads)
        progress.update()
    row |= {
        "file_bytes": files["eager"].stat().st_size,
        "memory_mib": memory,
        "memory_batch": max(images),
        "speed": {engine: {} for engine in engines},
        "notes": notes,
    }
    return engines


@torch.inference_mode()
def settle(network, images):
    """Give random weights batch-norm statistics of their own.

    Without, activations shrink from layer to layer (MobileNetV2's features to 1e-11), and two engines that differ
    in them would still have equal outputs: the head's bias.
    """
    norms = [m for m in network.modules() if isinstance(m, torch.nn.BatchNorm2d)]
    if len(images) < 2 or not norms:
        return
    for norm in norms:
        norm.train().momentum = 1.0
    network(images)
    network.eval()


def compiled(network):
    """torch.compile, for any batch size; `fullgraph`: what cannot be compiled is an error, not quietly eager."""
    torch.compiler.reset()  # else networks of one class fill its limit of compiled versions
    return torch.compile(network, dynamic=True, fullgraph=True)


def export(network, images, path):
    """Write the bare network as ONNX, weights inside; images (batch, 3, H, W) to logits, any batch."""
    batch = torch.export.Dim("batch")
    with warnings.catch_warnings(), contextlib.redirect_stdout(sys.stderr):
        warnings.simplefilter("ignore")  # the exporter's notes on its own future
        program = torch.onnx.export(
            network,
            (images,),
            dynamo=True,
            dynamic_shapes=({0: batch},),
            input_names=["images"],
            output_names=["logits"],
            verbose=False,
        )
        program.save(path, external_data=False)


def onnxruntime(network, path, threads, size_px):
    """ONNX Runtime on the CPU, from a file written here."""
    for name in ("onnx", "onnxscript", "onnxruntime"):  # the exporter would name only the first one it misses
        if importlib.util.find_spec(name) is None:
            raise ImportError(f"{name} is not installed: pip install -e '.[onnx]'")
    export(network, torch.zeros(2, 3, size_px, size_px), path)
    return session(path, threads)


def session(path, threads):
    """A function of images to logits through ONNX Runtime.

    Its threads sleep between passes: spinning, their default, would take the cores from the engine measured next.
    """
    import onnxruntime as ort

    options = ort.SessionOptions()
    options.intra_op_num_threads, options.inter_op_num_threads = threads, 1
    options.add_session_config_entry("session.force_spinning_stop", "1")
    opened = ort.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
    return lambda images: torch.from_numpy(opened.run(None, {"images": images.numpy()})[0])


def on_cuda(network, device):
    """A copy of the network on the GPU; the copy of its outputs back to the CPU waits until they are there."""
    there = copy.deepcopy(network).to(device)
    return lambda images: there(images.to(device)).cpu()


@torch.inference_mode()
def check(run, network, images, tolerance):
    """Pass each batch size once, which is also the engine's warm-up, and want eager's outputs.

    Raises:
        RuntimeError: they differ by more than `tolerance`, of the largest where that is above 1.
    """
    for batch in images.values():
        wanted = network(batch)
        difference = ((run(batch) - wanted).abs().max() / wanted.abs().max().clamp(min=1)).item()
        if not difference <= tolerance:
            raise RuntimeError(f"outputs differ from eager's by {difference:.1e}, over {tolerance:.0e}")


@torch.inference_mode()
def multiply_adds(network, image):
    """Multiplications with an addition that one photo takes, convolutions and matrix products."""
    with FlopCounterMode(display=False) as counter:
        network(image)
    return counter.get_total_flops() // 2


def reason(error):
    """The first line of an error, short enough for a table."""
    lines = str(error).strip().splitlines() or [type(error).__name__]
    return lines[0][:200]


# --- memory -------------------------------------------------------------------------------------


def peak_mib(engine, arch, file, n_classes, batch, size_px, threads):
    """Peak memory of loading the network and passing one batch, MiB above a process with the imports alone.

    Measured in a fresh process: this one holds the other networks too. None where the system does not say (not Linux).
    """
    call = f"compare.probe({engine!r}, {arch!r}, {str(file)!r}, {n_classes}, {batch}, {size_px}, {threads})"
    command = [sys.executable, "-c", f"from maskkit.improve import benchmark_networks as compare; {call}"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    return float(done.stdout) if done.returncode == 0 else None


def probe(engine, arch, file, n_classes, batch, size_px, threads):
    """Within the fresh process: print its peak memory above the imports, MiB."""
    if engine == "onnxruntime":
        import onnxruntime  # noqa: F401  an import, so below the line
    torch.set_num_threads(threads)
    Path("/proc/self/clear_refs").write_text("5")  # the peak starts again at what is held now
    before = status_mib("VmRSS")
    with torch.inference_mode():
        if engine == "onnxruntime":
            run = session(file, threads)
        else:
            run = model.skeleton(arch, n_classes, seed=0).eval()
            run.load_state_dict(safetensors.torch.load_file(file))
        run(torch.zeros(batch, 3, size_px, size_px))
    print(status_mib("VmHWM") - before)


def status_mib(field, process="self"):
    """A size of a process (its id) from Linux's /proc. (getrusage's peak would be the parent's: it survives exec.)"""
    lines = Path(f"/proc/{process}/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith(field + ":")) / 1024


# --- time ---------------------------------------------------------------------------------------


@torch.inference_mode()
def measure(passes, one, rounds, seconds, seed, progress):
    """Time every (arch, engine, batch) in every round.

    Args:
        passes: {(arch, engine, batch): (function, images)}; one: a single photo (1, 3, H, W).

    Returns:
        {(arch, engine, batch): one list per round of (seconds, processor seconds) per pass}.
    """
    draw, groups = random.Random(seed), {}
    for arch, engine, batch in passes:
        groups.setdefault((engine, batch), []).append(arch)
    timed = {key: [] for key in passes}
    for _ in range(rounds):
        for engine, batch in draw.sample(list(groups), len(groups)):
            for arch in draw.sample(groups[engine, batch], len(groups[engine, batch])):
                progress.set_postfix_str(f"{arch}, {ENGINES[engine]}, batch {batch}")
                run, images = passes[arch, engine, batch]
                run(one)  # untimed: wakes the engine's threads, brings the weights back into the processor's cache
                timed[arch, engine, batch].append(block(run, images, seconds))
                progress.update()
    return timed


def block(run, images, seconds):
    """[(seconds, processor seconds)] of passes, until `seconds` have gone by."""
    times, end = [], time.perf_counter() + seconds
    while not times or time.perf_counter() < end:
        wall, cpu = time.perf_counter(), time.process_time()
        run(images)
        times.append((time.perf_counter() - wall, time.process_time() - cpu))
    return times


def summarise(blocks, batch):
    """A cell of `networks` from one list of (seconds, processor seconds) per round."""
    wall, cpu = np.array([times for block in blocks for times in block]).T * 1000
    return {
        "n": len(wall),
        "p50_ms": float(np.median(wall)),
        "p95_ms": float(np.percentile(wall, 95)),
        "cpu_ms": float(np.median(cpu)),
        "photos_per_second": 1000 * batch / float(np.median(wall)),
        "rounds_ms": [1000 * statistics.median(wall for wall, _ in block) for block in blocks],
        "rounds_cpu_ms": [1000 * statistics.median(cpu for _, cpu in block) for block in blocks],
    }


# --- what it says -------------------------------------------------------------------------------


def ratio(row, first, engine, batch, of="rounds_ms"):
    """How many times as long `row` takes as `first`: (median, lower quartile, upper quartile) over the rounds.

    Each round gives one ratio, of two blocks measured one right after the other. None where either lacks the engine.
    """
    cells = [entry["speed"].get(engine, {}).get(str(batch)) for entry in (row, first)]
    if None in cells:
        return None
    pairs = [mine / theirs for mine, theirs in zip(*(cell[of] for cell in cells), strict=True)]
    low, median, high = (float(value) for value in np.quantile(pairs, (0.25, 0.5, 0.75)))
    return median, low, high


def sentences(rows):
    """Where each network is slower, or as fast, or faster than the first: plain sentences."""
    first, lines = rows[0], []
    for row in rows[1:]:
        kinds = {"slower than": [], "about as fast as": [], "faster than": []}
        for engine in row["speed"]:
            for batch in row["speed"][engine]:
                found = ratio(row, first, engine, batch)
                if found is None:
                    continue
                median, low, high = found
                kind = "slower than" if low > 1 else "faster than" if high < 1 else "about as fast as"
                kinds[kind].append(f"{ENGINES[engine]}, batch {batch}: x {median:.2f}")
        lines += [
            f"{row['arch']} is {kind} {first['arch']} on this machine, time of a pass ({'; '.join(found)})."
            for kind, found in kinds.items()
            if found
        ]
    return lines


def table(rows):
    """The comparison in Markdown: one column per network, ratios to the first; then sentences, then how measured."""
    lines = ["| | " + " | ".join(row["arch"] for row in rows) + " |", "|---" * (1 + len(rows)) + "|"]
    for name, cells in entries(rows):
        lines.append(f"| {name} | " + " | ".join(str(cell).replace("|", "/") for cell in cells) + " |")
    setting = rows[0]["setting"]
    notes = [f"{row['arch']}: {row['weights_note']}." for row in rows if row["weights_note"]]
    how = (
        f"Medians of {setting['rounds']} rounds, networks and engines interleaved; threads: {setting['threads']} each; "
        f"{setting['size_px']} px; {setting['processor']}, {setting['processors']} processors, load "
        f"{setting['load_before']} before and {setting['load_after']} after; torch {setting['versions']['torch']}. "
        f"In brackets: times the first column's, the median of the rounds' own ratios. "
        f"A pass starts from a tensor: decoding and resizing are not in it."
    )
    return "\n".join([*lines, "", *sentences(rows), *notes, how])


def entries(rows):
    """(name, one text per row) of each line of the table."""

    def sized(name, values, form):
        ratios = [f" (x {value / values[0]:.2f})" if value and values[0] else "" for value in values[1:]]
        return name, [form(v) if v is not None else "unknown" for v in values[:1]] + [
            (form(v) if v is not None else "unknown") + text for v, text in zip(values[1:], ratios, strict=True)
        ]

    yield (
        "photos right",
        [
            evaluate.format_score(row["accuracy"]) if row["accuracy"] else f"unknown: {row['accuracy_note']}"
            for row in rows
        ],
    )
    yield sized("weights", [row["n_weights"] for row in rows], "{:,}".format)
    yield sized("file, MB", [row["file_bytes"] / 1e6 for row in rows], "{:.1f}".format)
    yield sized("multiply-adds of one photo, G", [row["multiply_adds"] / 1e9 for row in rows], "{:.2f}".format)
    for engine in PROBED:
        name = f"memory above the imports, batch {rows[0]['memory_batch']}, {ENGINES[engine]}, MiB"
        yield sized(name, [row["memory_mib"].get(engine) for row in rows], "{:.0f}".format)
    for engine, name in ENGINES.items():
        yield f"one photo, {name}, p50 / p95 ms", [latency(row, rows[0], engine) for row in rows]
        yield f"photos per second, {name}, batch {batches(rows)}", [throughput(row, rows[0], engine) for row in rows]


def batches(rows):
    """'1 / 16 / 64'."""
    return " / ".join(rows[0]["speed"]["eager"])


def latency(row, first, engine):
    """'12.1 / 13.0 (x 0.61)', or why there is none."""
    cell = row["speed"].get(engine, {}).get("1")
    if cell is None:
        return row["notes"].get(engine, "not measured at batch 1")
    found = ratio(row, first, engine, 1) if row is not first else None
    return f"{cell['p50_ms']:.1f} / {cell['p95_ms']:.1f}" + (f" (x {found[0]:.2f})" if found else "")


def throughput(row, first, engine):
    """'80 / 110 / 105 (x 1.64 / 2.10 / 2.05)', or why there is none; a rate's ratio is one over the time's."""
    if engine not in row["speed"]:
        return row["notes"][engine]
    cells = row["speed"][engine]
    text = " / ".join(f"{cell['photos_per_second']:.1f}" for cell in cells.values())
    found = [ratio(row, first, engine, batch) for batch in cells]
    if row is first or None in found:
        return text
    return f"{text} (x {' / '.join(f'{1 / median:.2f}' for median, _, _ in found)})"
