"""Seconds of the audit: a thousand splits against training head by head, and the whole of it, cold and warm.

usage: python benchmarks/audit.py FOLDER [--weights W] [--against FOLDER2] [--repeats N]

FOLDER as DATA, W a ResNet18 state dict (without it ResNet18 counts as unknown where it cannot be downloaded). The two
ways to train a thousand splits run in turns on the same features of 100 + 100 photos, the slow one on ten of the splits
(its time times a hundred). Each whole audit is a process of its own with imports, on 100 + 100 photos and on FOLDER;
cold is with an empty feature cache. Writes benchmarks/results/audit.json.
"""

import argparse
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import torch
from torch.utils.data import TensorDataset

from maskkit import claims, data, features, model, runs, splits, train

N_SPLITS, N_ALONE = 1000, 10
RECIPE = {name: claims.REPORT_RECIPE[name] for name in claims.FIT_SETTINGS}


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder")
    parser.add_argument("--weights")
    parser.add_argument("--against")
    parser.add_argument("--repeats", type=int, default=5)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as place:
        few = Path(place) / "few"
        rows, _ = data.curate(data.find(arguments.folder), few, per_class=100, split="grouped", seed=0)
        ways = time_splits(few, rows, arguments.weights, arguments.repeats, Path(place) / "cache")
        audits = time_audits(few / "data-mask", arguments, Path(place))
    slow, fast = (ways[name]["median_seconds"] for name in ("one_by_one", "at_once"))
    result = {
        "splits": ways, "audits": audits, "load": os.getloadavg(), "processors": os.cpu_count(),
        "threads": torch.get_num_threads(), "versions": runs.versions(),
        "ratios": {"splits_one_by_one_vs_at_once": slow / fast}
        | {f"{name}_cold_vs_warm": one["cold"] / one["warm"] for name, one in audits.items()},
    }  # fmt: skip
    for name, one in ways.items():
        print(f"{N_SPLITS:,} splits {name}: {one['median_seconds']:.1f} s (median of {one['n']}, {one['spread']})")
    for name, one in audits.items():
        print(f"audit of {one['n']:,} photos ({name}): cold {one['cold']:.0f} s, warm {one['warm']:.0f} s")
    ratios = ", ".join(f"{name} {ratio:.1f}" for name, ratio in result["ratios"].items())
    print(f"{ratios}; load {result['load'][0]:.1f}")
    runs.write_json(Path(__file__).parent / "results" / "audit.json", result)


def time_splits(run_dir, rows, weights, repeats, cache):
    """Both ways to train the recipe on 1,000 splits, in turns; the first turn is a warm-up."""
    classes = data.classes(rows)
    arch, weights = ("resnet18", weights) if weights else ("mobilenet_v2", "packaged")
    network = model.build(model.pretrained(arch, weights), len(classes), seed=0)
    dataset = data.MaskDataset(rows, run_dir, classes, model.Transform())
    X, _ = features.extract(network, arch, dataset, cache=cache, device=torch.device("cpu"))
    y, labels = dataset.label_tensor(), np.array(dataset.labels)
    places = splits.draw(labels, np.arange(len(rows)), labels >= 0, per_class=100, n_splits=N_SPLITS, seed=0)
    parts = [torch.from_numpy(np.stack(part)) for part in zip(*places, strict=True)]

    def at_once():
        splits.fit_many(X, y, *parts, n_classes=len(classes), seeds=range(N_SPLITS), **RECIPE)
        return 1

    def one_by_one():
        for seed, (fit_on, check_on) in enumerate(places[:N_ALONE]):
            head = model.new_head(X.shape[1], len(classes), seed)
            own = [TensorDataset(X[part], y[part]) for part in (fit_on, check_on)]
            train.fit(head, *own, seed=seed, device=torch.device("cpu"), **RECIPE)
        return N_SPLITS / N_ALONE

    found = {"at_once": [], "one_by_one": []}
    for turn in range(repeats + 1):
        for way in (at_once, one_by_one):
            start = time.perf_counter()
            times = way()
            if turn:
                found[way.__name__].append((time.perf_counter() - start) * times)
    return {
        name: {"median_seconds": statistics.median(seconds), "n": len(seconds),
               "spread": f"{min(seconds):.1f}-{max(seconds):.1f} s", "arch": arch} for name, seconds in found.items()
    }  # fmt: skip


def time_audits(few, arguments, place):
    """{name: seconds cold and warm, n} of the audit as the command line runs it, each with a cache of its own."""
    found = {}
    for name, folder in (("few", few), ("all", arguments.folder)):
        command = [sys.executable, "-m", "maskkit", "audit", str(folder), "--arch", "resnet18"]
        command += ["--weights", arguments.weights] if arguments.weights else []
        command += ["--against", arguments.against] if arguments.against else []
        command += ["--out", str(place / name)]
        environment = os.environ | {"MASKKIT_CACHE": str(place / f"cache-{name}")}
        found[name] = {}
        for state in ("cold", "warm"):
            start = time.perf_counter()
            subprocess.run(command, env=environment, check=True, stdout=subprocess.DEVNULL)
            found[name][state] = time.perf_counter() - start
        found[name]["n"] = runs.read_json(place / name / "audit.json")["n"]
    return found


if __name__ == "__main__":
    main()
