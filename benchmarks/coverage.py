"""Whether 95 % intervals under cross-validation hold the truth, although the folds share photos.

usage: python benchmarks/coverage.py FOLDER [--weights W] [--groups source_groups.csv] [--draws 200] [--photos 200]
           [--seed 4]

Arguments as photos_needed.py. Of each draw the audit's own out-of-fold answers are taken: the accuracy with its
interval (`intervals.rate`, as the shortcuts have it), the expected calibration error with its interval, and a rule of
the shortcuts (a line on the thumbnails). The truth of a draw: the same five heads, or lines, on all photos of the
folder that the draw does not hold, nor a version of them. The truth of the recipe: the mean of that over all draws.
Synthetic features (two normal clouds in 512 dimensions, 20,000 photos to test) have neither versions nor a folder.
Writes results/coverage.json.
"""

import measure
import numpy as np
import photos_needed
import torch

from maskkit.audit import calibration, recipes, shortcuts, splits
from maskkit.core import disk, intervals
from maskkit.report import REPORT_RECIPE


def main():
    parser = photos_needed.arguments(__doc__, draws=200)
    parser.add_argument(
        "--seed", type=int, default=4, help="of the draws; an earlier interval was chosen on those of 3"
    )
    given = parser.parse_args()
    photos, X, groups = photos_needed.read(given)
    rows = []
    for name, features in photos_needed.tasks(X, photos.hog).items():
        rows += measure_task(name, answer_heads, features, photos.labels, groups, given)
    rows += measure_task("thumbnails, a line", answer_line, photos.thumbnail, photos.labels, groups, given)
    X, labels = clouds(20_000)
    rows += measure_task("synthetic", answer_heads, X, labels, np.arange(len(labels)), given)
    content = {"rows": rows, "draws": given.draws, "photos": given.photos, "seed": given.seed}
    content["machine"] = measure.machine()
    disk.write_json(measure.RESULTS / "coverage.json", content)


def clouds(n):
    """Two normal clouds in 512 dimensions, of which 16 tell them apart."""
    rng, labels = np.random.default_rng(0), np.arange(n) % 2
    X = rng.normal(size=(n, 512)).astype(np.float32)
    X[:, :16] += 1.2 * (labels[:, None] - 0.5)
    return torch.from_numpy(X), labels


def answer_heads(X, labels, places, rest, fold, seed):
    """(logits of the draw's photos out of fold, logits of the rest by each of the heads (n_folds, n_rest, C))."""
    own, others = np.zeros((len(places), labels.max() + 1), dtype=np.float32), []
    for index in range(shortcuts.N_FOLDS):
        head = recipes.fit_head(X, labels, places[fold != index], REPORT_RECIPE, seed).last
        own[fold == index] = head.logits(X[places[fold == index]])[0].numpy()
        others.append(head.logits(X[rest])[0].numpy())
    return own, np.array(others)


def answer_line(X, labels, places, rest, fold, seed):
    """The same by the shortcuts' line; its answers as logits of 0 and 1."""
    own, others = np.zeros((len(places), 2)), []
    for index in range(shortcuts.N_FOLDS):
        learned, here = places[fold != index], places[fold == index]
        found = shortcuts.learn_line(X[learned], labels[learned], X[np.concatenate([here, rest])])
        own[fold == index] = np.eye(2)[found[: len(here)]]
        others.append(np.eye(2)[found[len(here) :]])
    return own, np.array(others)


def measure_task(name, answer, X, labels, groups, given):
    """Rows of results: of the accuracy, and of the calibration error where there are logits."""
    rng, found = np.random.default_rng(given.seed), {"accuracy": [], "calibration": []}
    for seed in range(given.draws):
        n = given.photos
        places = np.concatenate([rng.choice(np.flatnonzero(labels == index), n // 2, False) for index in (0, 1)])
        rest = np.flatnonzero(~np.isin(groups, groups[places]))
        fold = splits.folds(labels[places], groups[places], shortcuts.N_FOLDS, seed)
        own, others = answer(X, labels, places, rest, fold, seed)
        share = np.where(labels[rest] == 1, (labels[rest] == 0).sum(), (labels[rest] == 1).sum()).astype(float)
        share /= share.sum()  # the classes count alike, as in the draw
        right = own.argmax(1) == labels[places]
        _, interval = intervals.rate(right, groups[places], seed)
        truth = float(((others.argmax(2) == labels[rest]) @ share).mean())
        found["accuracy"].append((*interval, truth))
        if answer is answer_heads:
            _, interval = calibration.expected_error(calibration.softmax(own).max(1), right, groups[places])
            found["calibration"].append((*interval, true_error(others, labels[rest], share)))
    rows = []
    for what, drawn in found.items():
        if drawn:
            low, high, truth = np.array(drawn).T
            held, of_recipe = (int(((low <= aim + 1e-9) & (aim <= high + 1e-9)).sum()) for aim in (truth, truth.mean()))
            row = {"task": name, "what": what, "truth": truth.mean(), "held": held, "held_recipe": of_recipe}
            rows.append(row | {"n": given.draws, "width": float((high - low).mean())})
            print(
                f"{name:20} {what:12} truth {100 * truth.mean():.2f} %, holds {held} and {of_recipe} of {given.draws}",
                flush=True,
            )
    return rows


def true_error(others, labels, share):
    """The calibration error of heads on photos that they have not seen: 20 bins of confidence, weighted by `share`."""
    probabilities = calibration.softmax(others.reshape(-1, others.shape[2]))
    confidence, right = probabilities.max(1), probabilities.argmax(1) == np.tile(labels, len(others))
    weight = np.tile(share, len(others))
    order = np.argsort(confidence, kind="stable")
    bins = np.array_split(order, 20)
    return sum(abs((weight[one] * (right[one] - confidence[one])).sum()) for one in bins) / weight.sum()


if __name__ == "__main__":
    main()
