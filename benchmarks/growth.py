"""How time and memory grow with the photos, and whether an interrupted extraction goes on.

usage: python benchmarks/growth.py [--data DATA] [--weights W] [--sizes 200 1000 4000 12000] [--classes 2 100]
                                   [--repeats N] [--device cpu|cuda]

Every size is a process of its own: photos drawn and checked, features extracted (empty cache), head trained; then again
in another process, the features cached. Where DATA has fewer photos than asked for, drawn pictures of like sizes, as
PNG, make up the rest. Memory is the most that was held above the imports, features not cached. The largest size is
killed once on its way and run again: what the second run still computes shows that it went on. Writes
results/growth.json and a figure; of CUDA, growth-cuda.json.
"""

import argparse
import json
import os
import random
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import measure
import numpy as np
from PIL import Image

from maskkit import data, features, model, pretrained, split, train
from maskkit.core import memory, parameters
from maskkit.sources import folders, listing

RECIPE = {"epochs": 10, "batch_size": 16, "learning_rate": 0.001, "seed": 0}


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", default="demo")
    parser.add_argument("--weights")
    parser.add_argument("--sizes", type=int, nargs="*", default=[200, 1000, 4000, 12000])
    parser.add_argument("--classes", type=int, nargs="*", default=[2, 100])
    parser.add_argument("--repeats", type=int, default=1)
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--folder", help=argparse.SUPPRESS)  # how this script calls itself, with the next
    parser.add_argument("--place", help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.folder:
        print(json.dumps(run(given)))
        return
    setting, rows = measure.machine(given.device), []
    with tempfile.TemporaryDirectory() as place:
        for n_classes in given.classes:
            for size in given.sizes:
                if size < parameters.MIN_PER_CLASS * n_classes:
                    continue
                folder = make(Path(place) / f"{n_classes}-{size}", given.data, size, n_classes)
                places = [Path(place) / f"run-{n_classes}-{size}-{turn}" for turn in range(given.repeats)]
                found = [call(folder, one, given) for one in places]
                again = [call(folder, one, given) for one in places]
                rows.append(
                    measure.row(
                        f"{size:,} photos, {n_classes} classes",
                        [one["seconds"] for one in found],
                        photos=size,
                        memory_mib=max(one["memory_mib"] for one in found),
                        parts=found[-1]["parts"],
                        per_photo=found[-1]["seconds"] / size,
                        warm_seconds=[one["seconds"] for one in again],
                    )
                )
                print(
                    f"{rows[-1]['name']}: {rows[-1]['median_seconds']:.1f} s, {rows[-1]['memory_mib']:.0f} MiB; "
                    f"warm {again[-1]['seconds']:.1f} s"
                )
        resumed = interrupt(folder, Path(place) / "interrupted", given, rows[-1]["median_seconds"] / 2)
    ratios = {
        f"time a photo, {n} classes, largest against smallest": grown(rows, f"{n} classes")
        for n in given.classes
        if any(row["name"].endswith(f"{n} classes") for row in rows)
    }
    title = "Photos drawn, features extracted, head trained"
    measure.publish(measure.on(given.device, "growth"), rows, ratios, title, resumed=resumed, setting=setting)
    print(f"interrupted: {resumed['computed_after']} of {resumed['photos']} photos computed in the second run")


def grown(rows, ending):
    own = [row for row in rows if row["name"].endswith(ending)]
    return own[-1]["per_photo"] / own[0]["per_photo"]


def make(folder, given, size, n_classes):
    """A folder of `size` photos in `n_classes` folders: DATA's own for two classes, drawn pictures for the rest."""
    source = folders.find(given).training
    rng, draw = np.random.default_rng(0), random.Random(0)
    for place in range(n_classes):
        below = folder / f"class_{place:03d}"
        below.mkdir(parents=True)
        own = listing.list_photos(source[sorted(source)[place]]) if n_classes == 2 else []
        n = size // n_classes
        for index, path in enumerate(own[:n]):
            os.symlink(path, below / f"own-{index:05d}.png")
        for index in range(len(own[:n]), n):
            drawn(rng, draw.choice((64, 96, 128, 160, 200, 256))).save(below / f"drawn-{index:05d}.png")
    return folder


def drawn(rng, size_px):
    """A smooth coloured picture with grain: a PNG as large, and as long to decode, as a photo of its size."""
    coarse = Image.fromarray(rng.integers(0, 256, (8, 8, 3), dtype=np.uint8))
    pixels = np.asarray(coarse.resize((size_px, size_px), Image.Resampling.BICUBIC), dtype=np.int16)
    return Image.fromarray((pixels + rng.integers(-6, 7, pixels.shape)).clip(0, 255).astype(np.uint8))


def call(folder, place, given, timeout=None):
    """What `run` finds in a process of its own; None where it was ended after `timeout` seconds."""
    command = [sys.executable, __file__, "--folder", str(folder), "--place", str(place), "--device", given.device]
    command += ["--weights", given.weights] if given.weights else []
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
    try:
        out, _ = process.communicate(timeout=timeout)
    except subprocess.TimeoutExpired:
        process.send_signal(signal.SIGKILL)
        process.communicate()
        return None
    if process.returncode:
        sys.exit(f"growth.py: {' '.join(command)} ended with {process.returncode}")
    return json.loads(out.splitlines()[-1])


def run(given):
    """Within that process: seconds in all and in parts, the peak of memory above the imports, photos computed."""
    place, weights, device = Path(given.place), given.weights, model.device(given.device)
    imported, parts, start = memory.status_mib("VmRSS"), {}, time.perf_counter()

    def mark(name):
        parts[name] = time.perf_counter() - start - sum(parts.values())

    arch, weights = ("resnet18", weights) if weights else ("mobilenet_v2", "packaged")
    split.curate(folders.find(given.folder), place, per_class=0, split="grouped", seed=0)
    both = data.read_split(place)
    classes = data.classes(both[0])
    sets = [data.MaskDataset(part, place, classes, model.Transform()) for part in both]
    mark("photos drawn and checked")
    network = model.build(pretrained.find(arch, weights), len(classes), seed=0)
    X, computed = features.extract_each(network, arch, sets, cache=place / "cache", device=device)
    mark("features")
    pairs = [(x, part.label_tensor()) for x, part in zip(X, sets, strict=True)]
    train.fit_head(network, arch, *pairs, **RECIPE)
    mark("head")
    return {
        "seconds": time.perf_counter() - start,
        "parts": parts,
        "computed": computed,
        "memory_mib": memory.status_mib("VmHWM") - imported,
    }


def interrupt(folder, place, given, seconds):
    """Killed after some seconds, then run again: how many photos were left to compute."""
    ended = call(folder, place, given, timeout=seconds) is None
    again = call(folder, place, given)
    n = sum(1 for path in folder.rglob("*.png"))
    return {"killed_after_seconds": seconds if ended else None, "photos": n, "computed_after": again["computed"]}


if __name__ == "__main__":
    main()
