"""`maskkit predict --not-sure` on photos of another source: how many have no answer, and how many errors are left.

    python benchmarks/not_sure.py DATA WEIGHTS --other FOLDER [--draws 20 21 ...] [--shares 0.1 0.2] [--views 2 3]

A model of notebooks/best.yaml is trained on each draw of 100 + 100 photos, and calibrated on its validation photos as
the command does it, with as many occluded views as `--views` says (without it `conformal.VIEWS`). VIEWS and the
share that the documentation names were chosen on draws 0 to 19; report others. Results: results/not_sure.json.
"""

import datetime
import itertools
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
    parser = recipes.make_parser(__doc__, range(20, 30))
    parser.add_argument("--shares", type=float, nargs="+", default=[0.05, 0.1, 0.15, 0.2, 0.3])
    parser.add_argument("--views", type=int, nargs="+", default=[conformal.VIEWS])
    parser.add_argument("--out", type=Path, default=RESULTS)
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
            calibrations = {n: calibrate(run_dir, n, network, description, device) for n in given.views}
            model = classifier.of_network(f"draw {draw}", network, description, device)
            probabilities = classify(model, [row["path"] for row in photos.rows])
        labels = np.array([model.classes.index(row["label"]) for row in photos.rows])
        digests = {"drawn_sha256": recipes.digest(row["sha256"] for row in drawn)}
        for n, calibration in calibrations.items():
            found = count(probabilities, labels, calibration, given.shares)
            rows.append({"draw": draw, "views": n, "n": len(labels)} | digests | found)
        print(draw, rows[-1]["errors"], flush=True)
    about = {
        "other": given.other.name,
        "other_sha256": recipes.digest(row["sha256"] for row in photos.rows),
        "weights_sha256": disk.sha256(given.weights),
        "recipe": "notebooks/best.yaml",
        "rule": conformal.describe_rule(),
        "versions": environment.versions(),
        "date": str(datetime.date.today()),
    }
    disk.write_json(given.out, about | {"rows": rows})
    print(table(rows, given.shares))


def calibrate(run_dir, n_views, *model):
    """The calibration of a run's model by another number of views."""
    own, conformal.VIEWS = conformal.VIEWS, n_views
    try:
        return conformal.of_run(run_dir, *model)
    finally:
        conformal.VIEWS = own


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
    """A line for each number of views and share: means over draws, with 95 % intervals, and the range over draws."""
    lines = []
    for n, share in itertools.product(dict.fromkeys(row["views"] for row in rows), map("{:g}".format, shares)):
        found = [(row, row["shares"][share]) for row in rows if row["views"] == n]
        unanswered = [100 * counts["unanswered"] / row["n"] for row, counts in found]
        ruled_out = [100 * counts["ruled_out"] / row["n"] for row, counts in found]
        left = [counts["errors_left"] for _, counts in found]
        errors = [row["errors"] for row, _ in found]
        parts = [100 * part / whole for part, whole in zip(left, errors, strict=True)]
        lines.append(
            [
                n,
                share,
                "{:.1f} ± {:.1f}".format(*recipes.interval(unanswered)),
                f"{min(unanswered):.1f}-{max(unanswered):.1f}",
                f"{sum(left)} of {sum(errors)} ({100 * sum(left) / sum(errors):.0f} %)",
                f"{min(parts):.0f}-{max(parts):.0f}",
                f"{statistics.mean(ruled_out):.1f}",
            ]
        )
    head = ("views", "share", "not answered, %", "by draw", "errors left", "by draw, %", "right class ruled out, %")
    return markdown.table(head, lines)


if __name__ == "__main__":
    main()
