"""`maskkit predict --not-sure` on photos of another source: how many have no answer, and how many errors are left.

    python benchmarks/not_sure.py DATA WEIGHTS --other FOLDER [--draws 10 11 ...] [--shares 0.1 0.2]

A model of notebooks/best.yaml is trained on each draw of 100 + 100 photos, and calibrated on its validation photos as
the command does it. VIEWS of `conformal` and the share that the documentation names were chosen on draws 0 to 9; report
others. Results: results/not_sure.json.
"""

import argparse
import datetime
import statistics
import tempfile
from pathlib import Path

import numpy as np
import recipes

from maskkit import split
from maskkit.core import disk, environment, markdown, parallel
from maskkit.deploy import classifier, conformal
from maskkit.deploy.photo_files import read_photo
from maskkit.improve import train_recipe
from maskkit.sources import folders

RESULTS = Path(__file__).parent / "results" / "not_sure.json"


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data")
    parser.add_argument("weights")
    parser.add_argument("--other", type=Path, required=True, help="a folder of photos of another source")
    parser.add_argument("--draws", type=int, nargs="+", default=list(range(10, 20)))
    parser.add_argument("--shares", type=float, nargs="+", default=[0.05, 0.1, 0.15, 0.2, 0.3])
    given = parser.parse_args()
    source = folders.find(given.data)
    photos = recipes.listed(given.other, None, None)
    rows = []
    for draw in given.draws:
        with tempfile.TemporaryDirectory() as folder:
            run_dir = Path(folder)
            drawn, _ = split.curate(source, run_dir, per_class=100, split="grouped", seed=draw)
            settings = {"arch": "resnet18", "weights": given.weights, "seed": draw, "device": "cpu"}
            train_recipe.train_recipe(run_dir, train_recipe.read_best(), **settings)
            network, description, device = classifier.load_network(run_dir, "cpu")
            calibration = conformal.of_run(run_dir, network, description, device)
            model = classifier.of_network(f"draw {draw}", network, description, device)
            probabilities = classify(model, [row["path"] for row in photos.rows])
        labels = np.array([model.classes.index(row["label"]) for row in photos.rows])
        digests = {"drawn_sha256": recipes.digest(row["sha256"] for row in drawn)}
        rows.append(
            {"draw": draw, "n": len(labels)} | digests | count(probabilities, labels, calibration, given.shares)
        )
        print(rows[-1], flush=True)
    about = {
        "other": given.other.name,
        "other_sha256": recipes.digest(row["sha256"] for row in photos.rows),
        "weights_sha256": disk.sha256(given.weights),
        "recipe": "notebooks/best.yaml",
        "rule": conformal.describe_rule(),
        "versions": environment.versions(),
        "date": str(datetime.date.today()),
    }
    disk.write_json(RESULTS, about | {"rows": rows})
    print(table(rows, given.shares))


def classify(model, paths):
    """Probabilities (n, C) of the photos at some paths."""
    images = [*parallel.in_threads(lambda path: model.prepare(read_photo(path)), paths)]
    return np.concatenate([model.classify(images[at : at + model.batch]) for at in range(0, len(images), model.batch)])


def count(probabilities, labels, calibration, shares):
    """Errors of all answers, and for each share what is not answered, the errors left, whose own class is ruled out."""
    wrong = probabilities.argmax(1) != labels
    found = {"errors": int(wrong.sum()), "shares": {}}
    for share in shares:
        limits = calibration.limits(share)
        sure = np.array([conformal.rule(limits)(each) for each in probabilities])
        ruled_out = probabilities[np.arange(len(labels)), labels] < limits[labels]
        counts = {"unanswered": ~sure, "errors_left": sure & wrong, "ruled_out": ruled_out}
        found["shares"][f"{share:g}"] = {name: int(each.sum()) for name, each in counts.items()}
    return found


def table(rows, shares):
    """A line for each share: means over draws, with 95 % intervals, and the range over draws."""
    lines = []
    for share in map("{:g}".format, shares):
        unanswered = [100 * row["shares"][share]["unanswered"] / row["n"] for row in rows]
        ruled_out = [100 * row["shares"][share]["ruled_out"] / row["n"] for row in rows]
        left = [row["shares"][share]["errors_left"] for row in rows]
        errors = [row["errors"] for row in rows]
        parts = [100 * part / whole for part, whole in zip(left, errors, strict=True)]
        lines.append(
            [
                share,
                "{:.1f} ± {:.1f}".format(*recipes.interval(unanswered)),
                f"{min(unanswered):.1f}-{max(unanswered):.1f}",
                f"{sum(left)} of {sum(errors)} ({100 * sum(left) / sum(errors):.0f} %)",
                f"{min(parts):.0f}-{max(parts):.0f}",
                f"{statistics.mean(ruled_out):.1f}",
            ]
        )
    head = ("share", "not answered, %", "by draw", "errors left", "by draw, %", "right class ruled out, %")
    return markdown.table(head, lines)


if __name__ == "__main__":
    main()
