"""How often the check of weak groups finds one, by the number of photos and how weak it is, with simulated errors.

usage: python benchmarks/weak_groups.py [--draws 100] [--out FOLDER]

    synthetic faces, their survey and features (`planting.store`, computed once into runs/planted/whole)
      -> a draw of n photos, half of each class
      -> errors: ERRORS of the photos at random, and of the darkest DARKEST so many points more
      -> the groups of `weak_groups.form`, judged by the check's own `judge_groups`

The errors are simulated, so the truth is exact and a draw takes 0.1 s: `planted.py` plants groups into photos instead,
but its folders have 400. Writes results/weak_groups.json.
"""

import argparse
import dataclasses
from collections import Counter
from pathlib import Path

import measure
import numpy as np
import torch

from maskkit.audit import weak_groups
from maskkit.audit.checks.weak_groups import CHECK, judge_groups
from maskkit.core import disk, paths

# isort: split
from planting.faults import Photo
from planting.pools import CLASSES, synthetic
from planting.store import ARRAYS, Store
from planting.versions import Version

ERRORS, DARKEST = 0.04, 0.15
SIZES, WORSE = (100, 150, 200, 400, 1000), (0.0, 0.1, 0.2, 0.3, 0.5)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--draws", type=int, default=100)
    parser.add_argument("--out", type=Path, default=paths.RUNS / "planted" / "whole", help="of planted.py")
    given = parser.parse_args()
    torch.set_num_threads(1)
    pool = synthetic()
    store = Store(given.out / pool.name, pool)
    faces = [Photo(Version(name), label, "", label, name) for label in CLASSES for name in pool.by_class[label]]
    photos = store.survey(faces)
    X = store.features(photos.rows, store.classifier.transform)
    rows = [measure_cell(photos, X, n, worse, given.draws) for n in SIZES for worse in WORSE]
    content = {"errors": ERRORS, "darkest": DARKEST, "rows": rows, "machine": measure.machine()}
    disk.write_json(measure.RESULTS / "weak_groups.json", content)


def measure_cell(photos, X, n, worse, draws):
    """How often each result is given, and the mean upper end of the interval where no group is weak."""
    found, tested, ends = Counter(), 0, []
    for seed in range(draws):
        rng = np.random.default_rng([n, round(100 * worse), seed])
        labels = photos.labels
        places = np.concatenate([rng.choice(np.flatnonzero(labels == one), n // 2, False) for one in (0, 1)])
        few = take(photos, places)
        brightness = few.small.reshape(n, -1).mean(1)
        dark = brightness <= np.quantile(brightness, DARKEST)
        wrong = rng.random(n) < np.where(dark, ERRORS + worse, ERRORS)
        originals = weak_groups.merge(few.labels, np.arange(n), wrong)
        measured = judge_groups(weak_groups.form(few, X[torch.from_numpy(places)], originals, seed), originals, seed)
        found[CHECK.result(measured)["result"]] += 1
        weakest = measured.entries["weakest"]
        ends.append(weakest["interval"])
        tested += weakest["message"]["values"]["chance"] <= 5
    low, high = np.mean(ends, 0)
    row = {"n": n, "worse": worse, "draws": draws, "tested": tested, "results": dict(found)}
    row |= {"low": float(low), "high": float(high), "highest": float(max(end for _, end in ends))}
    print(row, flush=True)
    return row


def take(photos, places):
    """A survey of some of the photos."""
    arrays = {name: getattr(photos, name)[places] for name in (*ARRAYS, "hog")}
    return dataclasses.replace(photos, rows=[photos.rows[place] for place in places], **arrays)


if __name__ == "__main__":
    main()
