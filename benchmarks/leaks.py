"""How well the leak detectors find photos of one original, against a file that knows.

usage: python benchmarks/leaks.py FOLDER TRUTH.csv [--weights W]

FOLDER is the 12K set or a part of it; TRUTH.csv has columns `path` (below the folder of parts) and `group`. The
thresholds in use were chosen on one half of the groups; recall and precision over pairs are reported on the other half,
with the photos that TRUTH.csv does not name as distractors. With --weights (a ResNet18 state dict) its features propose
pairs to the aligning detector, as in the audit, and are measured alone. Writes benchmarks/results/leaks.json.
"""

import argparse
import os
from pathlib import Path

import numpy as np
import torch

from maskkit import data, features, model, pretrained, runs
from maskkit.audit import leaks, survey
from maskkit.core import disk, environment, memory, paths
from maskkit.core.groups import components
from maskkit.sources import folders


def agreement(groups, truth):
    """(recall, precision) of detected groups over pairs of photos, compared with the true groups.

    Args:
        groups: int (n,), detected; truth: text (n,), the true group; "" for a distractor, which has no version in a
            true group, and possibly versions among other distractors.

    Returns:
        fractions 0..1, None if there is no pair to divide by; pairs among distractors do not count.
    """
    listed = truth != ""
    right = leaks.count_pairs(groups[listed], truth[listed])
    joined = leaks.count_pairs(groups) - leaks.count_pairs(groups[~listed])
    total = leaks.count_pairs(truth[listed])
    return (right / total if total else None), (right / joined if joined else None)


def detectors(photos, backbone):
    """{name: (pairs (m, 2), score of each, thresholds from strict to loose)}; a pair counts from its threshold on."""
    usable = photos.column("deviation") >= leaks.FLAT
    looks = photos.column("hash"), photos.column("hash_mirrored")
    found, seconds = {}, {}

    def keep(name, thresholds, find):
        with runs.Stopwatch() as watch:
            pairs, score = find()
        seconds[name], found[name] = watch.seconds, (pairs, score, thresholds)

    keep("sha256", (0,), lambda: scored(leaks.exact(photos.column("sha256"))))
    keep("perceptual_hash", tuple(-bits for bits in range(0, 15, 2)), lambda: by_distance(looks, usable))
    keep(
        "alignment",
        (0.99, 0.985, 0.98, 0.97, 0.96, 0.95, 0.93),
        lambda: leaks.compare(photos.small, leaks.candidates(photos.colours, usable, backbone)),
    )
    if backbone is not None:
        own = leaks.directions(backbone)
        keep("features_alone", (0.97, 0.95, 0.9, 0.85, 0.8), lambda: by_product(own, usable))
    return found, seconds


def scored(pairs):
    return pairs, np.zeros(len(pairs))


def by_distance(looks, usable):
    """Pairs within 14 bits, scored by the distance, negative."""
    found = {}
    for bits in range(14, -1, -2):
        found |= dict.fromkeys(map(tuple, leaks.alike(*looks, usable, bits).tolist()), -bits)
    return np.array(list(found)).reshape(-1, 2), np.array(list(found.values()))


def by_product(vectors, usable):
    pairs = leaks.neighbours(vectors, usable, leaks.NEIGHBOURS, 0.8)
    return pairs, (vectors[pairs[:, 0]] * vectors[pairs[:, 1]]).sum(1)


IN_USE = {"sha256": 0, "perceptual_hash": -leaks.HASH_DISTANCE, "alignment": leaks.ALIGNED}


def curve(pairs, score, thresholds, truth, seen):
    """Recall and precision of the groups that each threshold makes, among the photos marked in `seen`."""
    rows = []
    for threshold in thresholds:
        groups = components(len(truth), pairs[score >= threshold])
        recall, precision = agreement(groups[seen], truth[seen])
        rows.append({"threshold": threshold, "recall": recall, "precision": precision})
    return rows


def backbone_features(photos, weights):
    network = model.build(pretrained.find("resnet18", weights), len(photos.classes), seed=0)
    dataset = data.Photos(photos.rows, photos.classes, model.Transform())
    return features.extract(network, "resnet18", dataset, cache=paths.CACHE, device=torch.device("cpu"))[0].numpy()


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder")
    parser.add_argument("truth", type=Path)
    parser.add_argument("--weights")
    arguments = parser.parse_args()
    files = survey.find_files(folders.find(arguments.folder))
    imported = memory.status_mib("VmHWM")
    with runs.Stopwatch() as watch:
        photos = survey.read(files)
    backbone = backbone_features(photos, arguments.weights) if arguments.weights else None
    found, seconds = detectors(photos, backbone)
    memory_mib = memory.status_mib("VmHWM") - imported
    named = {row["path"]: row["group"] for row in disk.read_csv(arguments.truth)}
    truth = np.array([named.get(row["file"], "") for row in photos.rows])
    names = np.unique(truth[truth != ""])
    tuning = np.random.default_rng(0).permutation(names)[: len(names) // 2]
    tuned_on, measured_on = np.isin(truth, tuning) | (truth == ""), ~np.isin(truth, tuning)
    together = [pairs[score >= IN_USE[name]] for name, (pairs, score, _) in found.items() if name in IN_USE]
    recall, precision = agreement(components(len(truth), *together)[measured_on], truth[measured_on])
    result = {
        "n": len(photos),
        "groups": len(names),
        "processors": os.cpu_count(),
        "versions": environment.versions(),
        "seconds": {"read": watch.seconds} | seconds,
        "memory_mib_above_imports": round(memory_mib),
        "together": {"recall": recall, "precision": precision},
        "rows": [
            {
                "name": name,
                "in_use": IN_USE.get(name),
                "tuned_on": curve(*of, truth, tuned_on),
                "measured_on": curve(*of, truth, measured_on),
            }
            for name, of in found.items()
        ],
    }
    for row in result["rows"]:
        for one in row["measured_on"]:
            mark = "*" if one["threshold"] == row["in_use"] else " "
            shares = " ".join(f"{what} {one[what]:.4f}" for what in ("recall", "precision") if one[what] is not None)
            print(f"{row['name']:16}{mark} from {one['threshold']:<6} {shares}")
    print(f"together: recall {recall:.4f} precision {precision:.4f}")
    print(f"seconds {result['seconds']}, memory above the imports {memory_mib:.0f} MiB")
    disk.write_json(Path(__file__).parent / "results" / "leaks.json", result)


if __name__ == "__main__":
    main()
