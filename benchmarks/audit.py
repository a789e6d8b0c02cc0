"""Seconds of the audit: a thousand splits against training head by head, and the whole of it, cold and warm.

usage: python benchmarks/audit.py FOLDER [--weights W] [--against FOLDER2] [--repeats N]
       python benchmarks/audit.py FOLDER [--weights W] --grow 11792

FOLDER as DATA, W a ResNet18 state dict (without it ResNet18 counts as unknown where it cannot be downloaded). The two
ways to train a thousand splits run in turns on the same features of 100 + 100 photos, the slow one on ten of the splits
(its time times a hundred). Each whole audit is a process of its own with imports: of 100 + 100 photos, alone and
against FOLDER2, and of FOLDER; cold is with an empty feature cache. Writes benchmarks/results/audit.json.

With --grow one cold audit alone, of FOLDER's photos and as many versions of them as make up that number, for its memory
above the imports: audit_grown.json.
"""

import argparse
import os
import random
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import torch
from PIL import Image, ImageEnhance

from maskkit import data, features, model, pretrained, split, train
from maskkit.audit import splits, survey
from maskkit.core import disk, environment, memory
from maskkit.report import REPORT_RECIPE
from maskkit.sources import decoding, folders

N_SPLITS, N_ALONE = 1000, 10
IMPORTS = "from maskkit.audit import audit; from maskkit.core import memory; print(memory.status_mib('VmRSS'))"
RECIPE = {name: REPORT_RECIPE[name] for name in train.FIT_SETTINGS}


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder")
    parser.add_argument("--weights")
    parser.add_argument("--against")
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--grow", type=int, metavar="N", help="alone, without --against and --repeats")
    arguments = parser.parse_args()
    if arguments.grow:
        measure_grown(arguments)
        return
    with tempfile.TemporaryDirectory() as place:
        few = Path(place) / "few"
        rows, _ = split.curate(folders.find(arguments.folder), few, per_class=100, split="grouped", seed=0)
        ways = time_splits(few, rows, arguments.weights, arguments.repeats, Path(place) / "cache")
        audits = time_audits(few / "data-mask", arguments, Path(place))
    slow, fast = (ways[name]["median_seconds"] for name in ("one_by_one", "at_once"))
    result = {
        "splits": ways,
        "audits": audits,
        "load": os.getloadavg(),
        "processors": os.cpu_count(),
        "threads": torch.get_num_threads(),
        "versions": environment.versions(),
        "ratios": {"splits_one_by_one_vs_at_once": slow / fast}
        | {f"{name}_cold_vs_warm": one["cold"] / one["warm"] for name, one in audits.items()},
    }
    for name, one in ways.items():
        print(f"{N_SPLITS:,} splits {name}: {one['median_seconds']:.1f} s (median of {one['n']}, {one['spread']})")
    for name, one in audits.items():
        print(f"audit of {one['n']:,} photos ({name}): cold {one['cold']:.0f} s, warm {one['warm']:.0f} s")
    ratios = ", ".join(f"{name} {ratio:.1f}" for name, ratio in result["ratios"].items())
    print(f"{ratios}; load {result['load'][0]:.1f}")
    disk.write_json(Path(__file__).parent / "results" / "audit.json", result)


def time_splits(run_dir, rows, weights, repeats, cache):
    """Both ways to train the recipe on 1,000 splits, in turns; the first turn is a warm-up."""
    classes = data.classes(rows)
    arch, weights = ("resnet18", weights) if weights else ("mobilenet_v2", "packaged")
    network = model.build(pretrained.find(arch, weights), len(classes), seed=0)
    dataset = data.MaskDataset(rows, run_dir, classes, model.Transform())
    X, _ = features.extract(network, arch, dataset, cache=cache, device=torch.device("cpu"))
    y, labels = dataset.label_tensor(), np.array(dataset.labels)
    places = splits.draw(labels, np.arange(len(rows)), labels >= 0, per_class=100, n_splits=N_SPLITS, seed=0)
    parts = [torch.from_numpy(np.stack(part)) for part in zip(*places, strict=True)]

    def at_once():
        splits.fit_many(X, y, *parts, seeds=range(N_SPLITS), **RECIPE)
        return 1

    def one_by_one():
        for seed, (fit_on, check_on) in enumerate(places[:N_ALONE]):
            head = model.new_head(X.shape[1], len(classes), seed)
            own = [(X[part], y[part]) for part in (fit_on, check_on)]
            train.fit_features(head, *own, seed=seed, **RECIPE)
        return N_SPLITS / N_ALONE

    found = {"at_once": [], "one_by_one": []}
    for turn in range(repeats + 1):
        for way in (at_once, one_by_one):
            start = time.perf_counter()
            times = way()
            if turn:
                found[way.__name__].append((time.perf_counter() - start) * times)
    return {
        name: {
            "median_seconds": statistics.median(seconds),
            "n": len(seconds),
            "spread": f"{min(seconds):.1f}-{max(seconds):.1f} s",
            "arch": arch,
        }
        for name, seconds in found.items()
    }


def time_audits(few, arguments, place):
    """{name: seconds cold and warm, n, whether against photos from elsewhere}, each with a cache of its own."""
    found = {}
    against = arguments.against
    for name, folder, far in (("alone", few, None), ("few", few, against), ("all", arguments.folder, against)):
        if name == "few" and not against:
            continue
        found[name] = {
            state: audit(folder, place / name, arguments.weights, far)["seconds"] for state in ("cold", "warm")
        }
        found[name]["against"] = bool(far)
        found[name]["n"] = disk.read_json(place / name / "audit.json")["n"]
    return found


def audit(folder, out, weights, against):
    """Seconds of one audit as the command line runs it, with the cache `out`-cache, and its peak of memory in MiB."""
    command = [sys.executable, "-m", "maskkit", "audit", str(folder), "--arch", "resnet18", "--out", str(out)]
    command += ["--weights", weights] if weights else []
    command += ["--against", against] if against else []
    environment, peak = os.environ | {"MASKKIT_CACHE": f"{out}-cache"}, 0.0
    start = time.perf_counter()
    with subprocess.Popen(command, env=environment, stdout=subprocess.DEVNULL) as process:
        while process.poll() is None:
            peak = max(peak, held_mib(process.pid))
            time.sleep(0.2)
    if process.returncode:
        sys.exit(f"audit.py: {' '.join(command)} ended with {process.returncode}")
    return {"seconds": time.perf_counter() - start, "peak_mib": peak}


def held_mib(process):
    """The most memory a process has held so far, MiB; 0 once it has ended."""
    try:
        return memory.status_mib("VmHWM", process)
    except (OSError, StopIteration):
        return 0.0


# --- memory -------------------------------------------------------------------------------------


def measure_grown(arguments):
    """One cold audit of `--grow` photos: seconds and memory."""
    with tempfile.TemporaryDirectory() as place:
        folder = grow(arguments.folder, Path(place) / "grown", arguments.grow)
        imported = float(subprocess.run([sys.executable, "-c", IMPORTS], check=True, capture_output=True).stdout)
        found = audit(folder, Path(place) / "audited", arguments.weights, None)
        n = disk.read_json(Path(place) / "audited" / "audit.json")["n"]
    found |= {"n": n, "imports_mib": imported, "above_imports_mib": found["peak_mib"] - imported}
    found |= {"load": os.getloadavg(), "versions": environment.versions()}
    print(f"{n:,} photos, cold: {found['seconds']:.0f} s, {found['above_imports_mib']:.0f} MiB above the imports")
    disk.write_json(Path(__file__).parent / "results" / "audit_grown.json", found)


def grow(folder, place, n):
    """A folder of n photos, as many of each class: those below `folder`, then versions of them, turned, cut, re-lit."""
    chance = random.Random(0)
    files = survey.find_files(folders.find(folder))
    classes = sorted({file["label"] for file in files})
    for label in classes:
        photos = [file["path"] for file in files if file["label"] == label]
        (place / label).mkdir(parents=True)
        for index in range(n // len(classes)):
            image = decoding.decode(photos[index % len(photos)])
            if index >= len(photos):
                image = version(image, chance)
            image.save(place / label / f"{index:05d}.png")
    return place


def version(image, chance):
    """A photo turned by up to 15 degrees, cut by up to a tenth, lighter or darker by up to a quarter."""
    width, height = image.size
    left, top = (round(side * chance.uniform(0, 0.1)) for side in (width, height))
    cut = image.rotate(chance.uniform(-15, 15), Image.Resampling.BILINEAR).crop((left, top, width, height))
    return ImageEnhance.Brightness(cut).enhance(chance.uniform(0.75, 1.25))


if __name__ == "__main__":
    main()
