"""The whole report against every way a user would otherwise do it: seconds, and accuracy beside them.

usage: python benchmarks/report.py [--data DATA] [--weights W] [--elsewhere FOLDER] [--repeats N] [--add] [--quick]

Ways, in turns, on the same drawn photos and weights: maskkit cold (empty cache) and warm, in one process after imports
and through papermill; the plain loop of a Kaggle notebook (batch 16, the network in train mode, gradients through all
of it; with the best number of DataLoader workers of 0, 1, 2), the same with batch norm in eval mode; fastai's
`vision_learner`, frozen (extra [bench]); scikit-learn's LogisticRegression on extracted features; HOG + LinearSVC.
Each draws the curves it has, the confusion matrix and the grid of predictions, and writes them as PNG. Each runs in a
process of its own, as a user would run it, warmed up by a few photos; its seconds begin after the imports.

Results are written after each turn. --add adds turns to those in results/report.json, for a machine that cannot be kept
quiet for all of them at once.
--quick: 40 photos at 96 px, maskkit against the plain loop alone, all in one process and without figures; ends with 1
where a ratio is below its floor. It is CI's guard.

W is a ResNet18 state dict; without it MobileNetV2 with packaged weights takes its place.
"""

import argparse
import importlib.util
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import measure
import numpy as np
import torch
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.svm import LinearSVC
from torch import nn
from torch.utils.data import DataLoader

from maskkit import data, evaluate, features, model, plots, pretrained, split, train
from maskkit.audit import survey
from maskkit.core import disk, paths
from maskkit.sources import decoding, folders, listing

CPU = torch.device("cpu")
RECIPE = {"epochs": 10, "batch_size": 16, "learning_rate": 0.001, "seed": 0}  # the report's
FLOORS = {"cold_vs_plain": 2.5, "warm_vs_plain": 5.0, "warm_vs_cold": 1.3}  # of --quick: half of what it measures


class Bench:
    """The drawn photos of one benchmark, the network, and the ways through them; each leaves its predictions."""

    def __init__(self, place, given):
        self.place, self.given, self.quick = Path(place), given.data, given.quick
        self.arch, self.weights = ("resnet18", given.weights) if given.weights else ("mobilenet_v2", "packaged")
        self.per_class, self.transform = (20, model.Transform(96)) if self.quick else (100, model.Transform())
        self.run_dir = self.place / "drawn"
        self.predict = {}  # {way: function of `data.Photos` to class indices}
        self.source = folders.find(given.data)
        if not (self.run_dir / "split.csv").is_file():
            self.draw(self.run_dir)
        self.rows = [row for part in data.read_split(self.run_dir) for row in part]
        self.classes = data.classes(self.rows)

    def draw(self, run_dir):
        return split.curate(self.source, run_dir, per_class=self.per_class, split="grouped", seed=RECIPE["seed"])

    def parts(self, run_dir):
        rows = data.read_split(run_dir)
        return [data.MaskDataset(part, run_dir, self.classes, self.transform) for part in rows]

    def network(self):
        source = pretrained.find(self.arch, self.weights)
        return model.build(source, len(self.classes), RECIPE["seed"])

    def torchvision(self):
        """The network as a notebook builds it, without maskkit's settings: frozen, and a new head."""
        head = model.architecture(self.arch).head
        network = model.architecture(self.arch).build()
        state = pretrained.find(self.arch, self.weights).state
        network.load_state_dict(network.state_dict() | {k: v for k, v in state.items() if not k.startswith(head + ".")})
        network.requires_grad_(False)
        n_features = network.get_submodule(head).in_features
        network.set_submodule(head, model.new_head(n_features, len(self.classes), RECIPE["seed"]))
        return network

    def figures(self, way, photos, probabilities, history=None):
        """What the report shows; not with --quick, where drawing would take longer than all else."""
        if self.quick:
            return
        folder, labels = self.place / "figures" / way, np.array(photos.labels)
        folder.mkdir(parents=True, exist_ok=True)
        matrix = evaluate.confusion(labels, probabilities.argmax(1), len(self.classes))
        picked = photos.pick(20, seed=0)
        images = [photos.image(index) for index in picked]
        figures = {
            "confusion": plots.confusion(matrix, self.classes, "photos", way),
            "grid": plots.predictions(images, labels[picked], probabilities[picked], self.classes, "photos", way),
        }
        if history:
            figures["curves"] = plots.training_curves(history, "photos", way)
        for name, fig in figures.items():
            fig.savefig(folder / f"{name}.png")

    # --- the ways -------------------------------------------------------------------------------

    def maskkit(self, way, cache):
        """As notebooks 01-03 do it, photos drawn and checked included."""
        run_dir = self.place / f"run-{way}"
        self.draw(run_dir)
        parts, network = self.parts(run_dir), self.network()
        X, _ = features.extract_each(network, self.arch, parts, cache=cache, device=CPU)
        pairs = [(x, part.label_tensor()) for x, part in zip(X, parts, strict=True)]
        result = train.fit_head(network, self.arch, *pairs, **RECIPE)
        with torch.inference_mode():
            probabilities = model.head(network, self.arch)(X[1]).softmax(1).numpy()
        self.figures(way, parts[1], probabilities, result.history)
        self.predict[way] = lambda photos: self.through(network, photos).argmax(1)

    def cold(self):
        shutil.rmtree(self.place / "cold", ignore_errors=True)
        self.maskkit("maskkit, cold", self.place / "cold")

    def warm(self):
        self.maskkit("maskkit, warm", self.place / "warm")

    def through(self, network, photos):
        """Logits of a network whose backbone is the pretrained one: its features come from the cache."""
        X, _ = features.extract(network, self.arch, photos, cache=paths.CACHE, device=CPU)
        with torch.inference_mode():
            return model.head(network, self.arch)(X).numpy()

    def plain(self, way, eval_norms, workers, epochs=RECIPE["epochs"], n_batches=None):
        """The loop as notebooks on Kaggle have it. Gradients run back through the frozen layers' graph as written
        there: `requires_grad` is off for weights, but every batch passes the whole network, each epoch anew."""
        parts, network = self.parts(self.run_dir), self.torchvision()
        loaders = [
            DataLoader(part, RECIPE["batch_size"], shuffle=first, num_workers=workers)
            for part, first in zip(parts, (True, False), strict=True)
        ]
        criterion = nn.CrossEntropyLoss()
        optimizer = torch.optim.Adam(model.head(network, self.arch).parameters(), lr=RECIPE["learning_rate"])
        torch.manual_seed(RECIPE["seed"])
        history, kept = [], None
        for epoch in range(1, epochs + 1):
            entry = {"epoch": epoch}
            for loader, name in zip(loaders, ("train", "val"), strict=True):
                network.train(name == "train" and not eval_norms)
                loss_sum, correct, n = 0.0, 0, 0
                with torch.set_grad_enabled(name == "train"):
                    for number, (images, labels) in enumerate(loader):
                        if number == n_batches:
                            break
                        optimizer.zero_grad()
                        logits = network(images)
                        loss = criterion(logits, labels)
                        if name == "train":
                            loss.backward()
                            optimizer.step()
                        loss_sum += loss.item() * len(labels)
                        correct += (logits.argmax(1) == labels).sum().item()
                        n += len(labels)
                entry |= {f"{name}_loss": loss_sum / n, f"{name}_accuracy": correct / n, f"{name}_correct": correct}
            history.append(entry)
            if evaluate.best_epoch(history) is entry:  # the epoch that maskkit keeps, so that only the speed differs
                kept = {k: v.clone() for k, v in network.state_dict().items()}
        network.load_state_dict(kept)
        probabilities, _ = evaluate.predict(network, loaders[1], CPU)
        if n_batches is None:
            self.figures(way, parts[1], probabilities, history)
        self.predict[way] = lambda photos: evaluate.predict(network, DataLoader(photos, 16), CPU)[0].argmax(1)

    def best_workers(self):
        """0, 1 or 2: which reads the photos fastest for the plain loop, over one epoch of three batches."""
        ways = {n: lambda n=n: self.plain("trial", False, n, epochs=1, n_batches=3) for n in (0, 1, 2)}
        seconds = measure.in_turns(ways, 2)
        return min(seconds, key=lambda n: min(seconds[n]))

    def fastai(self, way, epochs=RECIPE["epochs"]):
        """`vision_learner` as fastai's own book has it: its head, its augmentation-free transforms, frozen fit."""
        from fastai.vision.all import CategoryBlock, DataBlock, ImageBlock, Resize, accuracy, vision_learner

        split = {str(self.run_dir / "data-mask" / row["file"]): row for row in self.rows}
        block = DataBlock(
            blocks=(ImageBlock, CategoryBlock),
            get_items=lambda _: sorted(split),
            get_y=lambda path: split[path]["label"],
            item_tfms=Resize(self.transform.size_px, method="squish"),
            splitter=lambda paths: [
                [i for i, path in enumerate(paths) if split[path]["part"] == part] for part in data.PARTS
            ],
        )
        loaders = block.dataloaders(self.run_dir, bs=RECIPE["batch_size"], num_workers=0, device=CPU)
        learner = vision_learner(loaders, model.architecture(self.arch).build, metrics=accuracy, pretrained=False)
        state = {k: v for k, v in pretrained.find(self.arch, self.weights).state.items() if not k.startswith("fc.")}
        body = model.architecture(self.arch).build()
        body.load_state_dict(body.state_dict() | state)
        for weights, loaded in zip(learner.model[0].state_dict().values(), body.state_dict().values(), strict=False):
            weights.copy_(
                loaded
            )  # the same tensors in the same order: fastai cuts torchvision's network before its pool
        learner.freeze()
        with learner.no_bar(), learner.no_logging():
            learner.fit(epochs, RECIPE["learning_rate"])
            probabilities = learner.get_preds()[0].numpy()
        if epochs == RECIPE["epochs"]:
            self.figures(way, self.parts(self.run_dir)[1], probabilities)

        def predict(photos):
            there = loaders.test_dl([str(photos.path(index)) for index in range(len(photos))], num_workers=0)
            with learner.no_bar():
                return learner.get_preds(dl=there)[0].numpy().argmax(1)

        self.predict[way] = predict

    def logistic(self):
        """scikit-learn on features extracted as everyone does: the plain network, batches of 16, no cache."""
        way, parts = "LogisticRegression on features", self.parts(self.run_dir)
        network = self.torchvision()
        backbone = model.Backbone(network.eval(), self.arch)
        with torch.inference_mode():
            X = [torch.cat([backbone(images) for images, _ in DataLoader(part, 16)]).numpy() for part in parts]
        classifier = LogisticRegression(max_iter=1000).fit(X[0], parts[0].labels)
        self.figures(way, parts[1], classifier.predict_proba(X[1]))

        def predict(photos):
            seen, _ = features.extract(network, self.arch, photos, cache=paths.CACHE, device=CPU)
            return classifier.predict(seen.numpy())

        self.predict[way] = predict

    def hog(self):
        """The audit's HOG of each photo, and a LinearSVC."""
        way, parts = "HOG + LinearSVC", self.parts(self.run_dir)
        X = [hogs(part) for part in parts]
        classifier = make_pipeline(StandardScaler(), LinearSVC(random_state=0)).fit(X[0], parts[0].labels)
        self.figures(way, parts[1], np.eye(len(self.classes))[classifier.predict(X[1])])
        self.predict[way] = lambda photos: classifier.predict(hogs(photos))

    def papermill(self, cache):
        """`maskkit reproduce`, a process of its own: three kernels, the page, the run folder."""
        command = [sys.executable, "-P", "-m", "maskkit", "reproduce", "--set", "RUN=bench-report"]
        command += ["--set", f"DATA={self.given}", "--set", f"ARCH={self.arch}", "--set", f"WEIGHTS={self.weights}"]
        subprocess.run(
            command,
            check=True,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            env=os.environ | {"MASKKIT_CACHE": str(cache)},
        )

    def papermill_cold(self):
        shutil.rmtree(self.place / "papermill", ignore_errors=True)
        self.papermill(self.place / "papermill")

    def papermill_warm(self):
        self.papermill(self.place / "warm")


def hogs(photos):
    """HOG of each photo (n, 1764), as the audit has it: `survey.measure`."""
    return np.stack([survey.measure(photos.path(index))[1][-1] for index in range(len(photos))])


def test_sets(source, elsewhere, classes, transform):
    """{test set: photos}: the 12K set's Test part if there is one, and photos of another source."""
    sets = {"Test": source.parts.get("Test"), "elsewhere": listing.class_folders(Path(elsewhere)) if elsewhere else {}}
    return {name: list_photos(parts, classes, transform) for name, parts in sets.items() if parts}


def list_photos(parts, classes, transform):
    """The photos of {class: folder}."""
    rows = [
        {"path": path, "label": label, "sha256": decoding.sha256(path)}
        for label, below in sorted(parts.items())
        for path in listing.list_photos(below)
    ]
    return data.Photos(rows, classes, transform)


PLAIN, NORMS, FASTAI = "plain loop", "plain loop, batch norm in eval", "fastai, frozen"
LOGISTIC, HOG = "LogisticRegression on features", "HOG + LinearSVC"
COLD, WARM, MILL_COLD, MILL_WARM = (
    "maskkit, cold", "maskkit, warm", "maskkit, papermill, cold", "maskkit, papermill, warm",
)  # fmt: skip


def ways_of(bench, workers):
    """{name: (function that is measured, function that warms up)}."""
    nothing = bench.source.photos.split  # the papermill run is a process of its own and starts as cold as it is
    return {
        COLD: (bench.cold, bench.cold),
        WARM: (bench.warm, bench.warm),
        PLAIN: (lambda: bench.plain(PLAIN, False, workers), lambda: bench.plain(PLAIN, False, workers, 1, 1)),
        NORMS: (lambda: bench.plain(NORMS, True, workers), lambda: bench.plain(NORMS, True, workers, 1, 1)),
        FASTAI: (lambda: bench.fastai(FASTAI), lambda: bench.fastai(FASTAI, 1)),
        LOGISTIC: (bench.logistic, bench.hog),
        HOG: (bench.hog, bench.hog),
        MILL_COLD: (bench.papermill_cold, nothing),
        MILL_WARM: (bench.papermill_warm, nothing),
    }


def run_one(bench, given):
    """Within the process of one way: warmed up, then measured; prints the result as JSON."""
    if given.way == "trial":
        print(json.dumps({"workers": bench.best_workers()}))
        return
    measured, warm_up = ways_of(bench, given.workers)[given.way]
    warm_up()
    start = time.perf_counter()
    measured()
    result = {"seconds": time.perf_counter() - start, "accuracy": {}}
    if given.score and given.way in bench.predict:
        for name, photos in test_sets(bench.source, given.elsewhere, bench.classes, bench.transform).items():
            right = bench.predict[given.way](photos) == np.array(photos.labels)
            result["accuracy"][name] = float(right.mean())
    print(json.dumps(result))


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", default="demo")
    parser.add_argument("--weights")
    parser.add_argument("--elsewhere", metavar="FOLDER")
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--without", nargs="*", default=[], metavar="WAY", help="leave out ways of these names")
    parser.add_argument("--add", action="store_true")
    parser.add_argument("--quick", action="store_true")
    for name in ("--way", "--place"):  # how this script calls itself
        parser.add_argument(name, help=argparse.SUPPRESS)
    parser.add_argument("--workers", type=int, default=0, help=argparse.SUPPRESS)
    parser.add_argument("--score", action="store_true", help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.way:
        run_one(Bench(given.place, given), given)
        return
    with tempfile.TemporaryDirectory() as place:
        bench = Bench(place, given)
        if given.quick:
            before = measure.machine()
            ways = {name: way for name, (way, _) in ways_of(bench, 0).items() if name in (COLD, WARM, PLAIN)}
            turn = {"before": before, "seconds": measure.in_turns(ways, given.repeats), "accuracy": {}}
            report("report-quick", bench, [turn], given)
            return
        path = measure.RESULTS / "report.json"
        turns = disk.read_json(path)["turns"] if given.add and path.is_file() else []
        workers, scores = call("trial", place, given)["workers"], {}

        def way(name):
            result = call(name, place, given, "--workers", str(workers), *([] if name in scores else ["--score"]))
            scores.setdefault(name, result["accuracy"])
            return result["seconds"]

        ways = {name: lambda name=name: way(name) for name in chosen(bench) if name not in given.without}
        for _ in range(given.repeats):  # a turn takes minutes: what is measured is written before the next
            before = measure.machine() | {"workers": workers}
            seconds = measure.in_turns(ways, 1, warm_up=False)
            turns.append({"before": before, "seconds": seconds, "accuracy": dict(scores)})
            report("report", bench, turns, given)


def call(way, place, given, *more):
    """What `run_one` prints in a process of its own."""
    command = [sys.executable, __file__, "--way", way, "--place", str(place), "--data", given.data, *more]
    command += [
        word
        for name in ("weights", "elsewhere")
        if getattr(given, name)
        for word in (f"--{name}", getattr(given, name))
    ]
    # Rivals have torch's threads as their users have them. They import maskkit too, for the drawn photos.
    env = os.environ | ({} if way.startswith("maskkit") else measure.SPINNING)
    done = subprocess.run(command, capture_output=True, text=True, check=False, env=env)
    if done.returncode:
        sys.exit(f"{way} failed:\n{done.stderr[-4000:]}")
    return json.loads(done.stdout.splitlines()[-1])


def chosen(bench):
    """The ways that can run here."""
    if bench.arch == "resnet18" and importlib.util.find_spec("fastai"):
        return list(ways_of(bench, 0))
    print("no row of fastai: it takes ResNet18 (--weights) and `pip install -e '.[bench]'`")
    return [name for name in ways_of(bench, 0) if name != FASTAI]


def report(name, bench, turns, given):
    """Rows, ratios, JSON, figure, table of all turns so far; with --quick the floors."""
    rows = []
    for way in dict.fromkeys(way for turn in turns for way in turn["seconds"]):
        seconds = [value for turn in turns for value in turn["seconds"].get(way, [])]
        scores = [turn["accuracy"].get(way) for turn in turns if turn["accuracy"].get(way)]
        rows.append(measure.row(way, seconds, accuracy=scores[-1] if scores else None))
    ratios = compare_ways({row["name"]: row["median_seconds"] for row in rows})
    setting = turns[-1]["before"]
    title = f"The report: {len(bench.rows)} photos ({bench.source.photos}), {bench.arch}, {setting['processors']} cores"
    measure.publish(
        name,
        rows,
        ratios,
        title,
        turns=turns,
        arch=bench.arch,
        photos=bench.source.photos,
        n=len(bench.rows),
        setting=setting,
    )
    if given.quick and (low := measure.below(ratios, FLOORS)):
        sys.exit("; ".join(low))


def compare_ways(seconds):
    """Ratios of medians: how many times as long the others take."""
    plain = seconds.get(PLAIN)
    cold, warm = seconds["maskkit, cold"], seconds["maskkit, warm"]
    ratios = {"warm_vs_cold": cold / warm}
    if plain:
        ratios |= {"cold_vs_plain": plain / cold, "warm_vs_plain": plain / warm}
    if FASTAI in seconds:
        ratios["cold_vs_fastai"] = seconds[FASTAI] / cold
    return ratios


if __name__ == "__main__":
    main()
