"""Whether the learning curve's forecast holds: draws of 200 photos, forecasts for +100 and twice as many, against the
truth.

usage: python benchmarks/photos_needed.py FOLDER [--weights W] [--groups source_groups.csv] [--draws 100]
                                          [--photos 200] [--seed 2]

FOLDER as DATA, W a ResNet18 state dict (else MobileNetV2's packaged weights); groups: a table (path, group) of photos
that come from one original. The truth at each number of photos is the mean error of 96 heads that learned from random
photos of the whole folder, on all photos without a version among them. Of each draw only its own photos are used. Four
kinds of features make tasks of different difficulty: the network's, 32 of its numbers, gradients (HOG), and 64 numbers
with noise. For each: in how many draws the forecast error rate is within 30 % of the truth, and how often the 95 %
interval holds it; for the law that is used, for a single power law through the counted errors, and for the counted
error without a law. Writes results/photos_needed.json.
"""

import argparse
import time
from pathlib import Path

import measure
import numpy as np
import torch

from maskkit.audit import audit, classifiers, learning_curve, splits
from maskkit.audit.recipes import fit_settings
from maskkit.core import disk
from maskkit.report import REPORT_RECIPE

N_TRUTH = 96


def arguments(description, draws):
    """A parser of what `read` takes, and of the number of draws and of the photos in each."""
    parser = argparse.ArgumentParser(description=description, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder")
    parser.add_argument("--weights")
    parser.add_argument("--groups")
    parser.add_argument("--draws", type=int, default=draws)
    parser.add_argument("--photos", type=int, default=200)
    return parser


def main():
    parser = arguments(__doc__, draws=100)
    parser.add_argument(
        "--seed", type=int, default=2, help="of the draws; the constants were chosen on those of seed 1"
    )
    given = parser.parse_args()
    photos, X, groups = read(given)
    rows = []
    for name, features in tasks(X, photos.hog).items():
        rows += measure_task(name, features, photos.labels, groups, given)
    content = {
        "rows": rows,
        "draws": given.draws,
        "photos": given.photos,
        "seed": given.seed,
        "machine": measure.machine(),
    }
    disk.write_json(measure.RESULTS / "photos_needed.json", content)


def read(given):
    """(survey, features, groups of originals)."""
    _, photos = audit.read_photos(given.folder, print)
    arch, weights = ("resnet18", given.weights) if given.weights else ("mobilenet_v2", "packaged")
    network = classifiers.find_pretrained(arch, weights, photos.classes)
    X = network.features(photos.rows, photos.classes, torch.device("cpu"))
    names = np.array([row["file"] for row in photos.rows])
    if given.groups:
        known = {row["path"]: row["group"] for row in disk.read_csv(Path(given.groups))}
        names = np.array([known.get(name, name) for name in names])
    return photos, X, np.unique(names, return_inverse=True)[1]


def tasks(X, hog):
    """{name: features float32}: the network's, and three that make the task harder."""
    rng = np.random.default_rng(5)
    few, some = X[:, rng.permutation(X.shape[1])[:32]] * 3, X[:, rng.permutation(X.shape[1])[:64]]
    noise = torch.from_numpy(rng.normal(scale=1.5, size=tuple(some.shape)).astype(np.float32))
    return {"network": X, "gradients": torch.from_numpy(hog), "32 numbers": few, "64 numbers, noise": some + noise}


def true_error(X, labels, groups, size):
    """The mean error of heads that learned from `size` photos, on the rest of all photos; a mean over the classes."""
    rng, y = np.random.default_rng(size), torch.from_numpy(labels)
    classes = range(labels.max() + 1)
    drawn = [
        np.concatenate([rng.choice(np.flatnonzero(labels == index), size // len(classes), False) for index in classes])
        for _ in range(N_TRUTH)
    ]
    learned, nobody = torch.from_numpy(np.stack(drawn)), torch.zeros((N_TRUTH, 0), dtype=torch.long)
    settings = fit_settings(REPORT_RECIPE)
    heads = splits.fit_many(X, y, learned, nobody, seeds=range(N_TRUTH), **settings).last
    right = splits.right(heads, X, y)
    rest = [~np.isin(groups, groups[subset]) for subset in drawn]
    return float(np.mean([[1 - right[i][r & (labels == c)].mean() for c in classes] for i, r in enumerate(rest)]))


def measure_task(name, X, labels, groups, given):
    """Rows of results: for +100 and for twice the photos."""
    n, rng, share = given.photos, np.random.default_rng(given.seed), learning_curve.TRAIN_SHARE
    aims = {"now": n, "+100": n + 100, "twice": 2 * n}
    truth = {aim: true_error(X, labels, groups, round(share * photos)) for aim, photos in aims.items()}
    found = {aim: {"law": [], "power": [], "counted": [], "held": [], "gain_held": []} for aim in aims}
    seconds = []
    for seed in range(given.draws):
        places = np.concatenate([rng.choice(np.flatnonzero(labels == index), n // 2, False) for index in (0, 1)])
        start = time.process_time()
        curve = learning_curve.measure(X[places], labels[places], groups[places], n, REPORT_RECIPE, seed)
        said = learning_curve.forecast(curve, seed)
        seconds.append(time.process_time() - start)
        power = power_law(curve)
        for aim, photos in aims.items():
            accuracy, (low, high) = said.accuracy(photos)
            _, (least, most) = said.gain(photos)
            one = found[aim]
            one["law"].append(1 - accuracy)
            one["power"].append(power(share * photos))
            one["counted"].append(curve.errors[curve.now])
            one["held"].append(low <= 1 - truth[aim] <= high)
            one["gain_held"].append(least - 5e-5 <= truth["now"] - truth[aim] <= most + 5e-5)
    rows = []
    for aim, one in found.items():
        near = {way: int(sum(abs(np.array(one[way]) / truth[aim] - 1) <= 0.3)) for way in ("law", "power", "counted")}
        held, gained = int(sum(one["held"])), int(sum(one["gain_held"]))
        row = {"task": name, "aim": aim, "truth": truth[aim], "within_30": near, "held": held, "gain_held": gained}
        rows.append(
            row | {"n": given.draws, "mean": float(np.mean(one["law"])), "cpu_seconds": float(np.median(seconds))}
        )
        print(
            f"{name:18} {aim:6} true error {100 * truth[aim]:.2f} %, forecast {100 * np.mean(one['law']):.2f} %; "
            f"within 30 %: law {near['law']}, power law {near['power']}, counted {near['counted']} of {given.draws}; "
            f"interval holds error {held}, gain {gained}; {np.median(seconds):.2f} s",
            flush=True,
        )
    return rows


def power_law(curve):
    """The least-squares line through log(error) over log(size); sizes without an error are left out."""
    seen = curve.errors > 0
    if seen.sum() < 2:
        return lambda size: float(curve.errors[curve.now])
    slope, level = np.polyfit(np.log(curve.sizes[seen]), np.log(curve.errors[seen]), 1)
    return lambda size: float(np.exp(level + slope * np.log(size)))


if __name__ == "__main__":
    main()
