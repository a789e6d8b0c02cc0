"""Recipes from the same 200 photos, tested on three kinds of other photos, over many draws.

    python benchmarks/recipes.py DATA WEIGHTS --other FOLDER [--draws 10 11 ...] [--only NAME ...] [--workers 2]

DATA: the 12K set or a part of it, with its Train, Validation and Test, and above them source_groups.csv (columns path,
group) where there is one. Each draw is another 100 + 100 photos of Train. A trained network is tested on

- simulated changes of source: photos of Validation through every change in `augment.SHIFTS`;
- another source: the photos of FOLDER;
- hard photos: `hard_negatives.sets` of photos of Test.

Photos that are siblings of a drawn one are left out. A score is the mean of both classes' recall, in one kind the mean
over its sets. Draws 0-9 were used to choose the recipes; report others. Every (recipe, draw) is written to
results/recipes.json as soon as it is measured, and not measured again while recipe, weights and draw are the same.
"""

import argparse
import concurrent.futures
import datetime
import hashlib
import multiprocessing
import random
import statistics
import tempfile
import time
from pathlib import Path

import hard_negatives
import numpy as np
import torch
from scipy import stats
from torch.utils.data import TensorDataset

from maskkit import data, features, model, pretrained, split, train
from maskkit.core import disk, environment, markdown, paths
from maskkit.improve import augment, class_bias, fine_tuning, weight_average
from maskkit.recipe import Recipe
from maskkit.sources import decoding, folders, listing

CPU = torch.device("cpu")
REPORT = {"size_px": 224, "augment": "none", "views": 1, "epochs": 10, "tail_epochs": 0, "tail_share": 1.0,
          "keep": "best"}  # fmt: skip
STRONG = {"size_px": 160, "augment": "strong", "views": 8, "epochs": 16, "tail_epochs": 16, "tail_share": 0.5,
          "keep": "last"}  # fmt: skip
OCCLUDED = STRONG | {"augment": "occluded", "tail_epochs": 0}
SIX_VIEWS = OCCLUDED | {"views": 6, "epochs": 30, "plain": False}  # plain: whether the photos come before each view
IN_TURN = OCCLUDED | {"epochs": 48, "average_epochs": 16, "plain": True}
BIAS = IN_TURN | {"bias_views": 8}
RECIPES = {
    "the report's": REPORT,
    "the report's, last epoch": REPORT | {"keep": "last"},
    "100 epochs": REPORT | {"epochs": 100, "keep": "last"},
    "160 px, 8 strong views, layer4 by half": STRONG,  # best.yaml until 26 November 2026
    "160 px, 6 occluded views, frozen": SIX_VIEWS,  # until 27 November
    "160 px, 8 occluded views and the photos in turn, mean of the last round": IN_TURN,
    "the same, bias set by 8 views of the validation photos": BIAS,  # until 28 November
    "the same with 3 views instead of 8: quick.yaml": BIAS | {"views": 3, "bias_views": 3, "average_epochs": 18},
    "with 2 views, and 3 of the validation photos": BIAS | {"views": 2, "bias_views": 3},
    "with 8 views, and layer4 by half: best.yaml": BIAS | {"tail_epochs": 24},
}
FIXED = {"batch_size": 16, "learning_rate": 0.001, "tail_learning_rate": 3e-5}
KINDS = ("shifts", "other", "hard")
RESULTS = Path(__file__).parent / "results" / "recipes.json"


# --- the photos ---------------------------------------------------------------------------------


def listed(folder, n, transform):
    """Up to n photos of each class below a folder, drawn by a fixed seed."""
    rows = []
    for label, below in sorted(listing.class_folders(Path(folder)).items()):
        photos = listing.list_photos(below)
        random.Random(0).shuffle(photos)
        rows += [{"path": path, "label": label, "sha256": decoding.sha256(path)} for path in sorted(photos[:n])]
    return data.Photos(rows, folders.REPORT_CLASSES, transform)


def test_sets(whole, other, n, transform):
    """{(kind, name): `data.Photos`}: what every network is tested on, n photos of each class but for `other`."""
    validation, test = (listed(whole / part, n, transform) for part in ("Validation", "Test"))
    sets = {("plain", "Validation"): validation}
    for name in augment.SHIFTS:
        sets["shifts", name] = augment.through(validation, augment.View(transform, name, 0, 0))
    sets |= {("hard", name): photos for name, photos in hard_negatives.sets(test, transform).items()}
    return sets | {("other", other.name): listed(other, None, transform)}


def read_groups(folder):
    """{path below the set's folder: group} of source_groups.csv, empty where there is none."""
    path = folder.parent / "source_groups.csv"
    return {row["path"]: row["group"] for row in disk.read_csv(path)} if path.is_file() else {}


# --- one recipe on one draw ---------------------------------------------------------------------


def learn(source, rows, run_dir, recipe, seed):
    """The tail (`model.cut`) of a network trained as 02_train and 02_train_recipe do it."""
    transform = model.Transform(recipe["size_px"])
    photos, val = (data.MaskDataset(part, run_dir, folders.REPORT_CLASSES, transform) for part in rows)
    views = augment.views(photos, recipe["augment"], recipe["views"], seed)
    if not recipe.get("plain", True):
        views = [view for view in views if view is not photos]
    bias_views = augment.changed_views(val, recipe["augment"], recipe.get("bias_views", 0), seed)
    network = model.build(source, 2, seed)
    (train_pairs, (val_pair,), bias_pairs), _ = features.extract_pairs(
        network, source.arch, views, [val], bias_views, cache=paths.CACHE, device=CPU
    )
    hooks = weight_average.hooks(recipe.get("average_epochs", 1), recipe["epochs"]) + class_bias.hooks(bias_pairs)
    train.fit_head(
        network,
        source.arch,
        train_pairs,
        val_pair,
        epochs=recipe["epochs"],
        batch_size=FIXED["batch_size"],
        learning_rate=FIXED["learning_rate"],
        seed=seed,
        keep=recipe["keep"],
        hooks=hooks,
    )
    if recipe["tail_epochs"]:
        fine_tuning.fit_tail(
            network,
            source.arch,
            views,
            val,
            Recipe(**{name: value for name, value in recipe.items() if name != "plain"} | FIXED),
            bias_views=bias_views,
            seed=seed,
            device=CPU,
        )
    return model.cut(network, source.arch)[1].eval()


@torch.inference_mode()
def recalls(tail, seen, kept):
    """[recall of each class] among the photos `kept`; None of a class without photos."""
    outputs, labels = seen.tensors
    right = torch.cat([tail(part.float()) for part in outputs.split(50)]).argmax(1) == labels
    return [
        right[kept & (labels == index)].float().mean().item() if (kept & (labels == index)).any() else None
        for index in range(len(folders.REPORT_CLASSES))
    ]


def measure(name, source, given, other, n_photos, draws):
    """Rows of a recipe, one for each draw, on one thread; photos pass the frozen trunk once for all draws."""
    torch.set_num_threads(1)
    recipe, groups, whole = RECIPES[name], read_groups(given.folder), given.folder
    transform = model.Transform(recipe["size_px"])
    trunk, _ = model.cut(model.build(source, 2, seed=0), source.arch)
    sets = test_sets(whole, other, n_photos, transform)
    seen = {
        key: TensorDataset(features.outputs(trunk, photos, CPU).half(), photos.label_tensor())
        for key, photos in sets.items()
    }

    def group(path):
        return groups.get(path.relative_to(whole).as_posix(), str(path)) if path.is_relative_to(whole) else str(path)

    tests_sha256 = digest(row["sha256"] for photos in sets.values() for row in photos.rows)
    origin = {key: np.array([group(Path(row["path"])) for row in photos.rows]) for key, photos in sets.items()}
    rows = []
    for seed in draws:
        start = time.perf_counter()
        with tempfile.TemporaryDirectory() as run_dir:
            drawn, _ = split.curate(given, run_dir, per_class=100, split="grouped", seed=seed)
            tail = learn(source, data.read_split(run_dir), run_dir, recipe, seed)
        seconds = time.perf_counter() - start
        known = [group(whole / row["source"]) for row in drawn]
        found = {key: recalls(tail, seen[key], torch.from_numpy(~np.isin(origin[key], known))) for key in sets}
        photos = {"drawn_sha256": digest(row["sha256"] for row in drawn), "tests_sha256": tests_sha256}
        row = {"recipe": name, "settings": recipe, "draw": seed, "seconds": seconds} | photos
        row |= {kind: {of: each for (its, of), each in found.items() if its == kind} for kind in ("plain", *KINDS)}
        rows.append(row)
    return rows


def digest(hashes):
    """One hash for photos, in whatever order: figures can be compared where it is the same."""
    return hashlib.sha256("".join(sorted(hashes)).encode()).hexdigest()[:16]


# --- what they say together ---------------------------------------------------------------------


def score(row, kind):
    """Mean over a kind's sets of the mean recall, %."""
    sets = row[kind].values()
    return 100 * statistics.mean(statistics.mean(r for r in recall if r is not None) for recall in sets)


def bare(row, kind):
    """Mean over a kind's sets of the recall of bare faces, %."""
    return 100 * statistics.mean(recall[1] for recall in row[kind].values())


def interval(values):
    """(mean, half of the 95 % interval) over draws, by Student's t."""
    mean, n = statistics.mean(values), len(values)
    return mean, stats.t.ppf(0.975, n - 1) * statistics.stdev(values) / n**0.5 if n > 1 else float("nan")


def table(rows, baseline):
    """Each recipe's scores and its gains over the baseline, paired by draw, as Markdown."""
    by_recipe = {}
    for row in rows:
        by_recipe.setdefault(row["recipe"], {})[row["draw"]] = row
    lines = []
    for name, own in by_recipe.items():
        cells = [name, str(len(own)), f"{statistics.mean(score(row, 'plain') for row in own.values()):.1f}"]
        for kind in KINDS:
            mean, half = interval([score(row, kind) for row in own.values()])
            text = f"{mean:.1f} ± {half:.1f}"
            both = sorted(own.keys() & by_recipe.get(baseline, {}).keys())
            if name != baseline and len(both) > 1:
                gain = [score(own[draw], kind) - score(by_recipe[baseline][draw], kind) for draw in both]
                text += " ({:+.1f} ± {:.1f})".format(*interval(gain))
            cells.append(text)
        cells += [f"{min(score(row, 'other') for row in own.values()):.1f}"]
        cells += [f"{statistics.mean(bare(row, kind) for row in own.values()):.1f}" for kind in ("other", "hard")]
        cells += [f"{statistics.median(row['seconds'] for row in own.values()):.0f} s"]
        lines.append(cells)
    head = ("recipe", "draws", "Validation", *KINDS, "other, worst draw", "other, bare", "hard, bare", "time")
    return markdown.table(head, lines)


def make_parser(description, draws):
    """The arguments of a benchmark over draws."""
    parser = argparse.ArgumentParser(description=description, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data")
    parser.add_argument("weights")
    parser.add_argument("--other", type=Path, required=True, help="a folder of photos of another source")
    parser.add_argument("--draws", type=int, nargs="+", default=list(draws))
    return parser


def main():
    parser = make_parser(__doc__, range(10, 20))
    parser.add_argument("--photos", type=int, default=50, help="of each class of Validation and of Test")
    parser.add_argument("--only", nargs="+", default=list(RECIPES), help="names of recipes")
    frozen = "the same, bias set by 8 views of the validation photos"
    parser.add_argument("--baseline", default=frozen, help="what gains are over")
    parser.add_argument("--out", type=Path, default=RESULTS)
    parser.add_argument("--workers", type=int, default=2, help="processes of one thread")
    given = parser.parse_args()
    source = pretrained.find("resnet18", given.weights)
    fixed = {"weights_sha256": source.sha256, "photos": given.photos, "other": given.other.name}
    before = disk.read_json(given.out) if given.out.exists() else {}
    kept = before.get("rows", []) if {key: before.get(key) for key in fixed} == fixed else []
    rows = {(row["recipe"], row["draw"]): row for row in kept if row["settings"] == RECIPES.get(row["recipe"])}
    settings = (source, folders.find(given.data), given.other, given.photos)
    with concurrent.futures.ProcessPoolExecutor(given.workers, multiprocessing.get_context("spawn")) as pool:
        jobs = []
        for name in given.only:
            missing = [draw for draw in given.draws if (name, draw) not in rows]
            jobs += [pool.submit(measure, name, *settings, missing[at : at + 5]) for at in range(0, len(missing), 5)]
        for job in concurrent.futures.as_completed(jobs):
            rows |= {(row["recipe"], row["draw"]): row for row in job.result()}
            ordered = [rows[key] for key in sorted(rows, key=lambda key: (list(RECIPES).index(key[0]), key[1]))]
            about = fixed | {"versions": environment.versions(), "date": str(datetime.date.today())}
            disk.write_json(given.out, about | {"rows": ordered})
    shown = [row for (name, draw), row in sorted(rows.items()) if name in given.only and draw in given.draws]
    print(table(sorted(shown, key=lambda row: list(RECIPES).index(row["recipe"])), given.baseline))


if __name__ == "__main__":
    main()
