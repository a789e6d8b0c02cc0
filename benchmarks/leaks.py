"""How well the three leak detectors find photos of one original, against a file that knows.

usage: python benchmarks/leaks.py FOLDER TRUTH.csv [--weights W]

FOLDER is the 12K set or a part of it; TRUTH.csv has columns `path` (below the folder of parts) and `group`. Thresholds
are looked at on one half of the groups; recall and precision over pairs are reported on the other half, with the
photos that TRUTH.csv does not name as distractors. With --weights (a ResNet18 state dict) backbone features alone are
measured too. Writes benchmarks/results/leaks.json.
"""

import argparse
import collections
import os
import resource
import time
from pathlib import Path

import numpy as np

from maskkit import data, features, leaks, model, paths, runs, survey

AT_PRECISION = 0.99


def peak_mib():
    """The most memory this process has held, MiB."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def score(groups, truth, half):
    """Pairs within found groups against the truth, among the photos of `half` and the distractors.

    Args:
        groups: int (n,), found; truth: text (n,), "" for a distractor; half: bool (n,).

    Returns:
        dict: precision (of the pairs with at least one photo of `half`), recall, pairs (true ones), wrong.
    """
    seen = half | (truth == "")
    found = collections.defaultdict(collections.Counter)
    for group, name in zip(groups[seen], truth[seen], strict=True):
        found[group][name] += 1
    def pairs(n):
        return n * (n - 1) // 2
    right = sum(pairs(n) for counts in found.values() for name, n in counts.items() if name)
    joined = sum(pairs(sum(counts.values())) - pairs(counts[""]) for counts in found.values())
    total = sum(pairs(n) for n in collections.Counter(truth[half]).values())
    precision = right / joined if joined else None
    return {"precision": precision, "recall": right / total, "pairs": total, "wrong": joined - right}


def curve(pairs_at, thresholds, truth, half):
    """`score` at each threshold; `pairs_at` maps a threshold to pairs."""
    return [{"threshold": t} | score(leaks.components(len(truth), pairs_at(t)), truth, half) for t in thresholds]


def detectors(photos, usable, backbone):
    """{name: (threshold to pairs, thresholds, the one in use)}."""
    found = {
        "sha256": (lambda _: leaks.exact(photos.column("sha256")), [0], 0),
        "perceptual_hash": (
            lambda t: leaks.alike(photos.column("hash"), photos.column("hash_mirrored"), usable, t),
            range(0, 15, 2), leaks.HASH_DISTANCE,
        ),
        "alignment": (at_correlation(photos, usable), (0.93, 0.95, 0.96, 0.97, 0.98, 0.985, 0.99), leaks.ALIGNED),
    }  # fmt: skip
    if backbone is not None:
        own = backbone - backbone.mean(0)
        own /= np.linalg.norm(own, axis=1, keepdims=True)
        found["backbone_neighbours"] = (
            lambda t: leaks.neighbours(own, usable, leaks.NEIGHBOURS, t), (0.8, 0.85, 0.9, 0.95, 0.97), None,
        )  # fmt: skip
    return found


def at_correlation(photos, usable):
    def pairs(threshold):
        before, leaks.ALIGNED = leaks.ALIGNED, threshold
        try:
            return leaks.aligned(photos.small, photos.colours, usable)
        finally:
            leaks.ALIGNED = before
    return pairs


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder")
    parser.add_argument("truth", type=Path)
    parser.add_argument("--weights")
    arguments = parser.parse_args()
    files = survey.find_files(data.find(arguments.folder))
    imported = peak_mib()
    start = time.perf_counter()
    photos = survey.read(files)
    seconds = {"read": time.perf_counter() - start}
    usable = photos.column("deviation") >= leaks.FLAT
    for name, find in (("perceptual_hash", leaks.alike), ("alignment", leaks.aligned)):
        start = time.perf_counter()
        if name == "alignment":
            find(photos.small, photos.colours, usable)
        else:
            find(photos.column("hash"), photos.column("hash_mirrored"), usable)
        seconds[name] = time.perf_counter() - start
    memory = peak_mib() - imported
    named = {}
    for row in runs.read_csv(arguments.truth):
        named[row["path"]] = row["group"]
    truth = np.array([named.get(row["file"], "") for row in photos.rows])
    names = np.unique(truth[truth != ""])
    tuned = np.isin(truth, np.random.default_rng(0).permutation(names)[: len(names) // 2])
    measured = (truth != "") & ~tuned
    backbone = None
    if arguments.weights:
        source = model.pretrained("resnet18", arguments.weights)
        network = model.build(source, 2, seed=0)
        dataset = data.Photos(photos.rows, model.Transform())
        cpu = model.device("cpu")
        backbone = features.extract(network, "resnet18", dataset, cache=paths.CACHE, device=cpu)[0].numpy()
    result = {"n": len(photos), "groups": len(names), "seconds": seconds, "memory_mib_above_imports": round(memory),
              "processors": os.cpu_count(), "versions": runs.versions(), "rows": []}  # fmt: skip
    used = []
    for name, (pairs_at, thresholds, in_use) in detectors(photos, usable, backbone).items():
        tuning, found = (curve(pairs_at, thresholds, truth, half) for half in (tuned, measured))
        result["rows"].append({"name": name, "in_use": in_use, "tuned_on": tuning, "measured_on": found})
        for row in found:
            mark = "*" if row["threshold"] == in_use else " "
            precision = "-" if row["precision"] is None else f"{row['precision']:.4f}"
            print(f"{name:20}{mark} at {row['threshold']:<6} recall {row['recall']:.4f} precision {precision} "
                  f"({row['pairs']} true pairs, {row['wrong']} wrong)")  # fmt: skip
        if in_use is not None:
            used.append(pairs_at(in_use))
    together = score(leaks.components(len(photos), *used), truth, measured)
    result["together"] = together
    print("together", together)
    print(f"seconds {seconds}, memory above the imports {memory:.0f} MiB")
    runs.write_json(Path(__file__).parent / "results" / "leaks.json", result)


if __name__ == "__main__":
    main()
