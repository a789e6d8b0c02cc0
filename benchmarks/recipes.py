"""Recipes from the same 200 photos, ranked by simulated changes of source; writes benchmarks/results/recipes.json.

    python benchmarks/recipes.py DATA WEIGHTS [--seeds 0 1 2] [--photos 50] [--test 200] [--elsewhere FOLDER]

DATA: the 12K set or a part of it, with its Train, Validation and Test, and above them source_groups.csv (columns path,
group) where there is one. Each seed is another draw of 100 + 100 from Train. Judged are photos of Validation, none of
them a sibling of a drawn one, as they are and through every change in `augment.SHIFTS`; Test, and photos from
elsewhere, are for the record and rank nothing.
"""

import argparse
import concurrent.futures
import datetime
import multiprocessing
import random
import tempfile
from pathlib import Path

import numpy as np
import torch
from torch import nn
from torch.utils.data import TensorDataset

from maskkit import data, features, model, pretrained, split, train
from maskkit.core import disk, environment, intervals, paths
from maskkit.improve import augment, fine_tuning
from maskkit.sources import decoding, folders, listing

CPU = torch.device("cpu")
REPORT = {"size_px": 224, "augment": "none", "views": 1, "epochs": 10, "tail_epochs": 0, "tail_share": 1.0,
          "keep": "best"}  # fmt: skip
STRONG = REPORT | {"augment": "strong", "views": 8, "epochs": 16, "keep": "last"}
TUNED = STRONG | {"size_px": 128, "tail_epochs": 16}
RECIPES = {
    "report": REPORT,
    "8 views": STRONG,
    "128 px": REPORT | {"size_px": 128},
    "128 px, 8 views": STRONG | {"size_px": 128},
    "128 px, 8 views, layer4": TUNED,
    "128 px, 8 views, layer4 by half": TUNED | {"tail_share": 0.5},
    "128 px, 8 views, layer4 by a quarter": TUNED | {"tail_share": 0.25},
    "160 px, 8 views, layer4 by half": TUNED | {"tail_share": 0.5, "size_px": 160},  # notebooks/best.yaml
}
FIXED = {"batch_size": 16, "learning_rate": 0.001}
TAIL_LEARNING_RATE = 3e-5
RESULTS = Path(__file__).parent / "results" / "recipes.json"


class Sight:
    """What a frozen trunk (`model.cut`) makes of photos, each set computed once for all seeds."""

    def __init__(self, source):
        self.source, self.kept = source, {}

    def __call__(self, photos):
        """TensorDataset of (outputs, label) of a `data.Photos`."""
        key = (str(photos.transform.describe()), tuple(row["sha256"] for row in photos.rows))
        if key not in self.kept:
            trunk, _ = model.cut(model.build(self.source, 2, seed=0), self.source.arch)
            self.kept[key] = TensorDataset(features.outputs(trunk, photos, CPU), photos.label_tensor())
        return self.kept[key]


def learn(source, rows, run_dir, recipe, seed):
    """The tail (`model.cut`) of a network trained as 02_train does it."""
    transform = model.Transform(recipe["size_px"])
    parts = [data.MaskDataset(part, run_dir, folders.REPORT_CLASSES, transform) for part in rows]
    views = augment.views(parts[0], recipe["augment"], recipe["views"], seed)
    network = model.build(source, 2, seed)
    settings = FIXED | {"seed": seed, "keep": recipe["keep"]}
    X, _ = features.extract_each(network, source.arch, [*views, parts[1]], cache=paths.CACHE, device=CPU)
    pairs = [(x, part.label_tensor()) for x, part in zip(X, [*views, parts[1]], strict=True)]
    train.fit_head(network, source.arch, pairs[:-1], pairs[-1], epochs=recipe["epochs"], **settings)
    if recipe["tail_epochs"]:
        fine_tuning.fit_tail(
            network,
            source.arch,
            views,
            parts[1],
            epochs=recipe["tail_epochs"],
            device=CPU,
            tail_learning_rate=TAIL_LEARNING_RATE,
            tail_share=recipe["tail_share"],
            **settings,
        )
    return model.cut(network, source.arch)[1].eval()


@torch.inference_mode()
def logits(tail, seen):
    return torch.cat([tail(outputs) for outputs in seen.tensors[0].split(50)])


def right(tail, seen):
    """bool (n,): which of the photos the tail gets right."""
    return (logits(tail, seen).argmax(1) == seen.tensors[1]).numpy()


def balanced(hit, labels):
    return float(np.mean([hit[labels == index].mean() for index in np.unique(labels)]))


def listed(folder, n, transform):
    """Up to n photos of each class below a folder, drawn by a fixed seed."""
    rows = []
    for label, below in sorted(listing.class_folders(Path(folder)).items()):
        photos = listing.list_photos(below)
        random.Random(0).shuffle(photos)
        rows += [{"path": path, "label": label, "sha256": decoding.sha256(path)} for path in sorted(photos[:n])]
    return data.Photos(rows, folders.REPORT_CLASSES, transform)


def read_groups(folder):
    """{path below the set's folder: group} of source_groups.csv, empty where there is none."""
    path = folder.parent / "source_groups.csv"
    return {row["path"]: row["group"] for row in disk.read_csv(path)} if path.is_file() else {}


def measure(name, source, given, seeds, n_photos, n_test, elsewhere):
    """A recipe's row: over the same photos and the same draws for each, so that rows can be compared."""
    groups, sight, recipe = read_groups(given.folder), Sight(source), RECIPES[name]
    whole, transform = given.folder, model.Transform(RECIPES[name]["size_px"])

    def group(path):
        return groups.get(Path(path).relative_to(whole).as_posix(), str(path))

    judged, test = (listed(whole / part, n, transform) for part, n in (("Validation", n_photos), ("Test", n_test)))
    far = listed(elsewhere, None, transform) if elsewhere else None
    labels, origin = np.array(judged.labels), np.array([group(row["path"]) for row in judged.rows])
    looks = {shift: augment.through(judged, augment.View(transform, shift, 0, 0)) for shift in augment.SHIFTS}
    hits, unseen, losses, plain, tests, fars = [], [], [], [], [], []
    for seed in seeds:
        with tempfile.TemporaryDirectory() as run_dir:
            drawn, _ = split.curate(given, run_dir, per_class=100, split="grouped", seed=seed)
            parts = data.read_split(run_dir)
            tail = learn(source, parts, run_dir, recipe, seed)
            held = data.MaskDataset(parts[1], run_dir, folders.REPORT_CLASSES, transform)
            street = augment.through(held, augment.View(transform, "street", 0, 0))
            found = torch.cat([logits(tail, sight(held)), logits(tail, sight(street))])
            losses.append(nn.functional.cross_entropy(found, held.label_tensor().repeat(2)).item())
        unseen.append(~np.isin(origin, [group(given.folder / row["source"]) for row in drawn]))
        hits.append([right(tail, sight(look)) for look in looks.values()])
        plain.append(balanced(right(tail, sight(judged))[unseen[-1]], labels[unseen[-1]]))
        tests.append(balanced(right(tail, sight(test)), np.array(test.labels)))
        if far:
            fars.append(balanced(right(tail, sight(far)), np.array(far.labels)))
        print(f"{name}: seed {seed} done, shifts {100 * np.mean(hits[-1]):.1f} % right", flush=True)
    row = summary(name, recipe, np.array(hits), np.array(unseen), labels, origin, list(looks))
    row |= {"seeds": seeds, "log_loss": mean(losses), "plain": mean(plain), "test": mean(tests), "n_test": len(test)}
    if far:
        row |= {"elsewhere": mean(fars), "elsewhere_each": fars, "n_elsewhere": len(far)}
        row |= {"read": str(datetime.date.today())}
    return row


def mean(values):
    return float(np.mean(values))


def summary(name, recipe, hits, unseen, labels, origin, shifts):
    """Figures of one recipe from hits bool (seeds, shifts, photos) and unseen bool (seeds, photos)."""
    each = {
        shift: mean([balanced(hit[at][ok], labels[ok]) for hit, ok in zip(hits, unseen, strict=True)])
        for at, shift in enumerate(shifts)
    }
    counted = unseen.sum(0)
    score = (hits.mean(1) * unseen).sum(0) / np.maximum(counted, 1)  # of each photo, over shifts and draws
    some = counted > 0
    rates = [intervals.rate(score[some & (labels == c)], origin[some & (labels == c)], 0) for c in np.unique(labels)]
    middle, ends = intervals.balanced(*map(list, zip(*rates, strict=True)))
    worst = min(each, key=each.get)
    return {
        "name": name,
        "recipe": recipe,
        "mean": middle,
        "mean_interval": ends,
        "worst": each[worst],
        "worst_shift": worst,
        "shifts": each,
        "n_photos": int(some.sum()),
        "score": np.where(some, score, np.nan),
        "labels": labels,
        "origin": origin,
    }


def compared(rows):
    """New rows: each recipe's figures with its gain over the first recipe, paired photo by photo, and the gain's 95 %
    interval; without the arrays of single photos."""
    first, found = rows[0]["score"], []
    for row in rows:
        score, labels, origin = (row[key] for key in ("score", "labels", "origin"))
        own = ~np.isnan(score)
        weight = np.array([0.5 * own.sum() / (own & (labels == label)).sum() for label in labels])  # balanced
        gain, ends = intervals.mean(((score - first) * weight)[own], origin[own], 0)
        kept = {key: value for key, value in row.items() if key not in ("score", "labels", "origin")}
        found.append(kept | {"gain": gain, "gain_interval": ends})
    return found


def table(rows):
    """The rows as Markdown."""
    lines = [
        "| recipe | log-loss | plain | mean of shifts | gain over report | worst shift | Test | elsewhere |",
        "|---|---|---|---|---|---|---|---|",
    ]
    for row in rows:
        ends, gains = ([f"{100 * end:.1f}" for end in row[key]] for key in ("mean_interval", "gain_interval"))
        far = f"{100 * row['elsewhere']:.1f}" if "elsewhere" in row else "not read"
        lines.append(
            f"| {row['name']} | {row['log_loss']:.3f} | {100 * row['plain']:.1f} | {100 * row['mean']:.1f} "
            f"({ends[0]}-{ends[1]}) | {100 * row['gain']:+.1f} ({gains[0]} to {gains[1]}) | {100 * row['worst']:.1f} "
            f"({row['worst_shift']}) | {100 * row['test']:.1f} | {far} |"
        )
    return "\n".join(lines)


if __name__ == "__main__":
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("data")
    options.add_argument("weights")
    options.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    options.add_argument("--photos", type=int, default=50, help="of each class, for the shifts")
    options.add_argument("--test", type=int, default=200, help="of each class, of the Test part")
    options.add_argument("--elsewhere", help="a folder of photos from elsewhere, read once per recipe")
    options.add_argument("--only", nargs="+", help="names of recipes; the first is compared with")
    options.add_argument("--workers", type=int, default=2, help="recipes measured at once")
    given = options.parse_args()
    origin, names = pretrained.find("resnet18", given.weights), given.only or list(RECIPES)
    settings = (origin, folders.find(given.data), given.seeds, given.photos, given.test, given.elsewhere)
    with concurrent.futures.ProcessPoolExecutor(given.workers, multiprocessing.get_context("spawn")) as pool:
        waiting, rows = [pool.submit(measure, name, *settings) for name in names], []
        for one in waiting:  # a recipe takes minutes: each is written as soon as those before it are there
            rows.append(one.result())
            done = compared(rows)
            disk.write_json(
                RESULTS, {"versions": environment.versions(), "weights_sha256": origin.sha256, "rows": done}
            )
    print(table(done))
