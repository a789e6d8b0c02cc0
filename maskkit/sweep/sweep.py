"""Many recipes: SWEEP.yaml -> recipes -> one result each, here or on a Dask cluster -> runs.csv, sweep.html.

A recipe is a flat dict of the parameters of notebooks 01-03 but RUN, all of them, defaults included; its `key` is the
hash of that. Its result lies in recipes/<key>/, so a sweep that stopped goes on, and new values compute only
themselves. Each recipe takes the notebooks' own steps, on cached features, without a kernel and without saving a
network.
"""

import dataclasses
import functools
import hashlib
import itertools
import json
import math
import time
from pathlib import Path

import yaml

from maskkit import runs
from maskkit.core import disk, paths
from maskkit.runner import check_inputs, notebook_parameters, reproduce
from maskkit.runner.notebooks import find_report
from maskkit.sweep import cluster, extraction

VERSION = 1  # of SWEEP.yaml and of the folder
MOST = 100_000  # recipes of one file
DRAW = ("DATA", "PER_CLASS", "SPLIT", "GROUPS", "CORRECTIONS", "SEED")  # what decides which photos learn and which ask
WARM = 64  # photos per job that fills the cache, so that a few hundred are shared out among several workers
SECONDS = 1.0  # between two writings of runs.csv
NUMBERS = (
    "n_train", "n_val", "best_epoch", "best_correct", "best_accuracy", "best_low", "best_high",
    "last_epoch", "last_correct", "last_accuracy", "last_low", "last_high", "train_loss", "val_loss", "seconds",
)  # fmt: skip
ABOUT = ("photos", "network", "error")


# --- recipes ------------------------------------------------------------------------------------


def read(source):
    """(name, recipes) of a sweep: a YAML file, or a dict of what it would hold.

    Each parameter has one value or a list of values, and the lists span a grid; or `runs` lists complete settings.
    What is not given has the notebooks' default. RUN, a single value, names the sweep; else the file's name does.

    Raises:
        FileNotFoundError, ValueError, TypeError: as `notebook_parameters.check`; or a newer version, an empty grid.
    """
    given, name = (dict(source), "sweep") if isinstance(source, dict) else (load(source), Path(source).stem)
    version = given.pop("version", VERSION)
    if type(version) is not int or not 1 <= version <= VERSION:
        raise ValueError(f"{name} is a sweep of version {version!r}; this maskkit reads {VERSION}: update maskkit")
    name = given.pop("RUN", name)
    if not isinstance(name, str):
        raise ValueError(f"RUN names the sweep, so it must be one text, got {name!r}")
    runs.path(name)  # a plain folder name
    listed = given.pop("runs", None)
    if listed is not None and given:
        raise ValueError(f"a sweep has either runs: or a grid, but beside runs: there is {', '.join(given)}")
    names = {notebook: notebook_parameters.read_defaults(notebook) for notebook in find_report()}
    defaults = {key: value for own in names.values() for key, value in own.items() if key != "RUN"}
    recipes = {}
    for settings in grid(given) if listed is None else complete(listed):
        checked = notebook_parameters.check_against(names, settings, {})
        recipe = defaults | {key: value for own in checked.values() for key, value in own.items()}
        recipes[key_of(recipe)] = recipe
    return name, recipes


def load(path):
    """The content of a sweep file."""
    if not Path(path).is_file():
        raise FileNotFoundError(f"there is no sweep file {path}; docs/scale.md shows one")
    try:
        given = yaml.safe_load(Path(path).read_text(encoding="utf-8")) or {}
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise ValueError(f"{path} is not YAML: {error}") from error
    if not isinstance(given, dict):
        raise ValueError(f"{path} must hold one NAME: value or NAME: [values] per line, or runs:")
    return given


def grid(given):
    """Every combination of the values, as settings."""
    lists = {name: value if isinstance(value, list) else [value] for name, value in given.items()}
    for name, values in lists.items():
        if not values:
            raise ValueError(f"{name} is an empty list, so the grid is empty; give it a value or leave it out")
    if (n := math.prod(map(len, lists.values()))) > MOST:
        raise ValueError(f"the grid has {n:,} recipes, more than {MOST:,}; sweep fewer values at a time")
    return (dict(zip(lists, values, strict=True)) for values in itertools.product(*lists.values()))


def complete(listed):
    """The settings under `runs:`."""
    if not isinstance(listed, list) or not listed:
        raise ValueError("runs: must list at least one recipe, each a block of NAME: value")
    for place, settings in enumerate(listed, start=1):
        if not isinstance(settings, dict) or any(isinstance(value, dict | list) for value in settings.values()):
            raise ValueError(f"runs: entry {place} must be flat, NAME: value")
        if "RUN" in settings:
            raise ValueError(f"runs: entry {place} has RUN; a recipe is named by the hash of its parameters")
    return listed


def key_of(settings):
    """The name of a recipe, or of a part of it: 12 hex digits of the hash of its content."""
    return hashlib.sha256(json.dumps(settings, sort_keys=True).encode()).hexdigest()[:12]


def draw_of(recipe):
    return {name: recipe[name] for name in DRAW}


def varied(recipes):
    """The parameters that have more than one value among recipes."""
    recipes = list(recipes)
    return [name for name in (recipes[0] if recipes else ()) if len({recipe[name] for recipe in recipes}) > 1]


# --- one recipe ---------------------------------------------------------------------------------


@dataclasses.dataclass(frozen=True)
class Draw:
    """The photos of a recipe: `rows` as split.csv has them, with `path`. Equal keys mean equal rows."""

    key: str
    rows: tuple = dataclasses.field(compare=False, repr=False)


@dataclasses.dataclass(frozen=True)
class Looks:
    """What decides a recipe's features, beside the draw; equal ones are read from the cache once by a process."""

    backbone: extraction.Backbone
    size_px: int
    augment: str
    views: int
    seed: int  # of the views; 0 without
    device: str
    cache: str

    @classmethod
    def of(cls, recipe, arch, weights, cache):
        """Of a recipe, with the network that its ARCH and WEIGHTS came to."""
        backbone = extraction.Backbone(arch, weights, recipe["SEED"] if weights == "none" else 0)
        seed = recipe["SEED"] if recipe["AUGMENT"] != "none" else 0
        return cls(backbone, recipe["SIZE_PX"], recipe["AUGMENT"], recipe["VIEWS"], seed, recipe["DEVICE"], str(cache))

    def datasets(self, draw):
        """(views to learn from, validation photos)."""
        from maskkit import augment, data, model

        classes = data.classes(draw.rows)
        train, val = (
            data.Photos([row for row in draw.rows if row["part"] == part], classes, model.Transform(self.size_px))
            for part in data.PARTS
        )
        return augment.views(train, self.augment, self.views, self.seed), val


def draw_photos(source, settings):
    """(rows, rejected) of a recipe's draw; a job."""
    from maskkit import split

    return split.choose(
        source,
        per_class=settings["PER_CLASS"],
        split=settings["SPLIT"],
        seed=settings["SEED"],
        groups=settings["GROUPS"],
        correct_by=settings["CORRECTIONS"],
    )


@functools.lru_cache(maxsize=4)
def inputs(draw, looks):
    """((features, labels) of each view, (features, labels) of the validation photos, n_computed)."""
    from maskkit import features, model

    views, val = looks.datasets(draw)
    backbone = looks.backbone
    X, n_computed = features.extract_each(
        backbone.network(), backbone.arch, [*views, val], cache=looks.cache, device=model.device(looks.device)
    )
    y = views[0].label_tensor()
    return [(one, y) for one in X[:-1]], (X[-1], val.label_tensor()), n_computed


def fit(recipe, draw, looks):
    """A recipe's numbers, by the steps of 02_train; a job.

    Returns:
        n_train, n_val, best and last (scores with their epoch), history, and `right`: "1" for each validation photo,
        in the draw's order, that the last epoch's head gets right, else "0".
    """
    import torch
    from torch.utils.data import DataLoader

    from maskkit import data, evaluate, fine_tuning, model, pretrained, train

    views, val, _ = inputs(draw, looks)
    n_classes = len(data.classes(draw.rows))
    settings = {"epochs": recipe["EPOCHS"], "batch_size": recipe["BATCH_SIZE"], "seed": recipe["SEED"]}
    settings["learning_rate"] = recipe["LEARNING_RATE"]
    head = model.new_head(val[0].shape[1], n_classes, recipe["SEED"])
    found = train.fit_features(head, views, val, **settings)
    kept = found.state(recipe["KEEP"])
    with torch.inference_mode():
        right = head(val[0]).argmax(1) == val[1]
    if recipe["TAIL_EPOCHS"]:
        backbone, device = looks.backbone, model.device(looks.device)
        source = pretrained.find(backbone.arch, backbone.weights)
        network = model.build(source, n_classes, recipe["SEED"])  # one of its own, since its last stages change
        model.head(network, backbone.arch).load_state_dict(kept)
        photos, val_photos = looks.datasets(draw)
        tail = fine_tuning.fit_tail(
            network,
            backbone.arch,
            photos,
            val_photos,
            tail_learning_rate=recipe["TAIL_LEARNING_RATE"],
            tail_share=recipe["TAIL_SHARE"],
            keep="last",
            device=device,
            **settings | {"epochs": recipe["TAIL_EPOCHS"]},
        )
        found = fine_tuning.joined(found, tail)
        probabilities, labels = evaluate.predict(network, DataLoader(val_photos, recipe["BATCH_SIZE"]), device)
        right = torch.from_numpy(probabilities.argmax(1) == labels)
    return {
        "n_train": len(views[0][1]),
        "n_val": len(val[1]),
        "best": found.best,
        "last": found.last,
        "history": found.history,
        "right": "".join("01"[hit] for hit in right.tolist()),
    }


# --- the sweep ----------------------------------------------------------------------------------


class Folder:
    """A sweep's folder: sweep.json, draws/<key>/, recipes/<key>/, runs.csv."""

    def __init__(self, out, name):
        """Make it, or take one of the same sweep.

        Raises:
            ValueError: it holds another sweep, or something else.
        """
        self.path, about = Path(out), {"format": VERSION, "name": name, "auto": {}}
        mark = self.path / "sweep.json"
        if mark.is_file():
            self.about = disk.read_json(mark)
            if (self.about.get("format"), self.about.get("name")) != (VERSION, name):
                raise ValueError(
                    f"{out} holds the sweep {self.about.get('name')!r} of version {self.about.get('format')!r}, not "
                    f"{name!r}; name another folder with --out"
                )
        elif self.path.exists() and any(self.path.iterdir()):
            raise ValueError(f"{out} holds something else than a sweep; name another folder with --out")
        else:
            self.about = about
            disk.write_json(mark, about)

    def recipe(self, key):
        return self.path / "recipes" / key

    def state(self, key):
        """("done" | "broken" | "open", what its file holds)."""
        for state, name in (("done", "result.json"), ("broken", "broken.json")):
            if (self.recipe(key) / name).is_file():
                return state, disk.read_json(self.recipe(key) / name)
        return "open", {}

    def agree(self, asked, came_to):
        """Note what an "auto" came to.

        Raises:
            ValueError: it came to something else when the sweep began, so its numbers would not compare.
        """
        before = self.about["auto"].setdefault(asked, came_to)
        if before != came_to:
            raise ValueError(
                f"{asked} came to {before} when {self.path} was begun and comes to {came_to} now; name it in the sweep"
            )
        disk.write_json(self.path / "sweep.json", self.about)

    def keep(self, key, recipe, outcome, about):
        """Write a recipe's result, or how it broke."""
        folder = self.recipe(key)
        text = yaml.safe_dump(recipe, sort_keys=False, allow_unicode=True)
        disk.write_text(folder / "recipe.yaml", text)
        said = {"recipe": recipe} | about
        run = {"finished": runs.now(), "worker": outcome.worker}
        if outcome.error:
            said |= {"error": outcome.error, "trace": outcome.trace, "run": run}
            disk.write_json(folder / "broken.json", said)
            return
        history = outcome.value["history"]
        disk.write_csv(folder / "history.csv", history, list(history[0]))
        found = {name: value for name, value in outcome.value.items() if name != "history"}
        losses = {name: history[-1][name] for name in ("train_loss", "val_loss")}
        disk.write_json(folder / "result.json", said | found | losses | {"seconds": outcome.seconds, "run": run})
        (folder / "broken.json").unlink(missing_ok=True)


@dataclasses.dataclass
class Sweep:
    """A sweep under way or done. `rows`: one dict per recipe, as runs.csv has them, with `key` and `state`."""

    name: str
    folder: Path
    recipes: dict
    rows: dict

    @property
    def counts(self):
        """Recipes by state."""
        states = [row["state"] for row in self.rows.values()]
        return {state: states.count(state) for state in ("done", "broken", "open")}

    def of(self, state):
        return [key for key, row in self.rows.items() if row["state"] == state]


def run(source, out=None, *, client=None, notebooks=False, retry=(), say=print, watch=None):
    """Compute what of a sweep is not there yet; write runs.csv, the figure and sweep.html.

    Args:
        source: a SWEEP.yaml, or a dict of what it would hold. out: its folder; runs/sweep-<name> where None.
        client: a Dask `Client`, whoever made it; None works in this process. notebooks: run each recipe through
            01-03 too, into runs/<name>-<key>; the best one always is. retry: keys, or their beginnings, of broken
            recipes to compute again; "all" for all. watch: called with the `Sweep` at each change; by default a live
            table in a notebook, and nothing elsewhere.

    Returns:
        the `Sweep`.

    Raises:
        FileNotFoundError, ValueError, TypeError: a user's mistake, before anything is computed.
    """
    from maskkit.sweep import live

    name, recipes = read(source)
    folder = Folder(out or paths.RUNS / f"sweep-{name}", name)
    sweep = Sweep(name, folder.path, recipes, {key: row_of(key, recipes[key], *folder.state(key)) for key in recipes})
    again = chosen(retry, sweep.of("broken"))
    todo = {key: recipes[key] for key in recipes if key in again or sweep.rows[key]["state"] == "open"}
    counts = sweep.counts
    say(f"{len(recipes):,} recipes: {counts['done']:,} done, {counts['broken']:,} broken, {len(todo):,} to compute")
    if client is not None:
        cluster.check(client)
    board = Board(sweep, folder, watch or live.watcher())
    board.show(force=True)
    try:
        compute(todo, folder, client, board, say)
    finally:
        board.show(force=True)
    for key in sweep.of("broken"):
        say(f"broken: {key}: {sweep.rows[key]['error']}")
    finish(sweep, client, notebooks, say)
    return sweep


def chosen(retry, broken):
    """The broken recipes that `retry` names."""
    found = set()
    for name in retry:
        matching = [key for key in broken if name == "all" or key.startswith(name)]
        if not matching and name != "all":
            raise ValueError(f"--retry {name}: no broken recipe has a name that begins so; broken are: {broken}")
        found |= set(matching)
    return found


class Board:
    """Keeps runs.csv and whoever watches up to date, at most once in SECONDS."""

    def __init__(self, sweep, folder, watch):
        self.sweep, self.folder, self.watch, self.shown = sweep, folder, watch, -math.inf

    def set(self, key):
        self.sweep.rows[key] = row_of(key, self.sweep.recipes[key], *self.folder.state(key))
        self.show()

    def show(self, force=False):
        if not force and time.monotonic() - self.shown < SECONDS:
            return
        rows = list(self.sweep.rows.values())
        disk.write_csv(self.folder.path / "runs.csv", rows, list(rows[0]))
        if self.watch:
            self.watch(self.sweep)
        self.shown = time.monotonic()


def row_of(key, recipe, state, said):
    """A recipe's row of runs.csv; what is not known yet is empty."""
    numbers = {}
    for which in ("best", "last") if state == "done" else ():
        score = said[which]
        low, high = score["interval"]
        numbers |= {f"{which}_{name}": score[name] for name in ("epoch", "correct", "accuracy")}
        numbers |= {f"{which}_low": low, f"{which}_high": high}
    numbers = {name: numbers.get(name, said.get(name, "")) for name in NUMBERS}
    return {"key": key, "state": state} | recipe | numbers | {name: said.get(name, "") for name in ABOUT}


def compute(todo, folder, client, board, say):
    """Draw photos, then (on a cluster) fill the cache, then fit; each recipe's end is kept as it comes."""

    def broke(key, outcome, about=None):
        folder.keep(key, todo.pop(key), outcome, about or {})
        board.set(key)

    sources, networks = resolve(todo, folder, broke, say)
    draws = draw_all(todo, sources, folder, client, broke)
    looks = {key: Looks.of(recipe, *networks[key][:2], paths.CACHE) for key, recipe in todo.items()}
    order = sorted(todo, key=lambda key: (repr(looks[key]), draws[key].key))  # neighbours share what they read
    if client is not None:
        jobs = warm([(draws[key], looks[key]) for key in order])
        for _ in cluster.each(extraction.compute, jobs, client):
            pass  # photos that fail do so again in the recipes that need them, and are named there
    jobs = ((todo[key], draws[key], looks[key]) for key in order)
    for place, outcome in cluster.each(fit, jobs, client):
        key = order[place]
        about = {"photos": sources[todo[key]["DATA"]].photos, "network": networks[key][2]}
        folder.keep(key, todo[key], outcome, about)
        board.set(key)


def resolve(todo, folder, broke, say):
    """Find photos and weights once, here: ({DATA: source}, {key: (arch, weights, title)}).

    A recipe whose own cannot be had is broken.
    """
    from maskkit import pretrained
    from maskkit.sources import folders

    @functools.cache
    def find(name):
        return outcome_of(folders.find, name)

    @functools.cache
    def weights_of(arch, weights):
        found = outcome_of(pretrained.find, arch, weights)
        return found if found.error else dataclasses.replace(found, value=dataclasses.replace(found.value, state=None))

    sources, networks, said = {}, {}, set()
    for key, recipe in list(todo.items()):
        photos, network = find(recipe["DATA"]), weights_of(recipe["ARCH"], recipe["WEIGHTS"])
        if photos.error or network.error:
            broke(key, photos if photos.error else network)
            continue
        source, weights = photos.value, network.value
        named = recipe["WEIGHTS"] if weights.weights not in pretrained.WEIGHTS_NAMES else weights.weights
        sources[recipe["DATA"]], networks[key] = source, (weights.arch, named, weights.title)
        for asked, came_to, note in (
            (f"DATA={recipe['DATA']}", source.photos, source.note),
            (f"ARCH={recipe['ARCH']} WEIGHTS={recipe['WEIGHTS']}", f"{weights.arch}, {weights.weights}", weights.note),
        ):
            if "auto" in asked.replace("=", " ").split() and asked not in said:
                said.add(asked)
                folder.agree(asked, came_to)
                say(check_inputs.format_fallback(note) if note else f"{asked}: {came_to}")
    return sources, networks


def outcome_of(function, *arguments):
    return cluster.attempt(function, arguments)


def draw_all(todo, sources, folder, client, broke):
    """{key: Draw}; drawn once for all recipes that share one, and kept in draws/<key>/."""
    from maskkit import data, split

    wanted = {}
    for key, recipe in todo.items():
        wanted.setdefault(key_of(draw_of(recipe)), []).append(key)
    drawn = {name: folder.path / "draws" / name for name in wanted}
    missing = [name for name in wanted if not (drawn[name] / "split.csv").is_file()]
    recipes = [todo[wanted[name][0]] for name in missing]
    jobs = ((sources[recipe["DATA"]], draw_of(recipe)) for recipe in recipes)
    for place, outcome in cluster.each(draw_photos, jobs, client):
        name = missing[place]
        if outcome.error:
            for key in wanted.pop(name):
                broke(key, outcome)
            continue
        rows, rejected = outcome.value
        disk.write_csv(drawn[name] / "rejected.csv", rejected, split.REJECTED_COLUMNS)
        disk.write_csv(drawn[name] / "split.csv", rows, data.SPLIT_COLUMNS)
    draws = {}
    for name, keys in wanted.items():
        root = sources[todo[keys[0]]["DATA"]].folder
        rows = tuple(row | {"path": str(root / row["source"])} for row in disk.read_csv(drawn[name] / "split.csv"))
        draws |= dict.fromkeys(keys, Draw(key_of(rows), rows))
    return draws


def warm(pairs):
    """Jobs of `cluster.compute` that put into the cache what recipes need and it lacks: each photo's look once.

    pairs: (Draw, Looks) of each recipe.
    """
    from maskkit import features, model

    wanted = {}
    for draw, looks in dict.fromkeys(pairs):
        try:
            views, val = looks.datasets(draw)
        except ValueError:  # such as an unknown AUGMENT: `fit` says so
            continue
        for photos in (*views, val):
            entry = wanted.setdefault((looks.backbone, photos.transform, looks.device, looks.cache), ({}, photos))
            entry[0].update((row["sha256"], row) for row in photos.rows)
    for (backbone, transform, device, cache), (rows, photos) in wanted.items():
        n_features = model.head(backbone.network(), backbone.arch).in_features
        known = features.read_shards(backbone.folder(cache, transform), n_features)
        missing = {digest: row for digest, row in rows.items() if digest not in known}
        yield from extraction.chunks(backbone, photos, missing, cache, device, chunk=WARM, keep=False)


# --- what came of it ----------------------------------------------------------------------------


def finish(sweep, client, notebooks, say):
    """Rank, run the best through the notebooks, draw the figure, write the page."""
    from maskkit.sweep import page, ranking

    exams = ranking.rank(sweep)
    for exam in exams:
        say(f"best of {len(exam.settings):,} settings on {exam.photos}: {exam.settings[0].words}")
    wanted = {f"{sweep.name}-best" + (f"-{n}" if n else ""): exam.settings[0].keys[0] for n, exam in enumerate(exams)}
    if notebooks:
        wanted |= {f"{sweep.name}-{key}": key for key in sweep.of("done")}
    failed = through_notebooks(sweep, wanted, client, say)
    page.write(sweep, exams, [name for name in wanted if (runs.path(name) / "report.html").is_file()])
    if failed:
        raise OSError(
            f"{len(failed)} of {len(wanted)} runs through the notebooks failed, the first {failed[0]}; "
            f"all else is in {sweep.folder}, and the same command tries them again"
        )


def through_notebooks(sweep, wanted, client, say):
    """Run recipes, {run name: key}, through 01-03, where that run is not there yet; returns what failed, in words."""
    open_runs = {name: key for name, key in wanted.items() if made_of(name) != key}
    jobs = ((str(sweep.folder / "recipes" / key / "recipe.yaml"), name) for name, key in open_runs.items())
    names, failed = list(open_runs), []
    for place, outcome in cluster.each(one_through_notebooks, jobs, client):
        name, key = names[place], open_runs[names[place]]
        if outcome.error:
            failed.append(f"{name}: {outcome.error}")
            continue
        same = outcome.value["last"]["correct"] == sweep.rows[key]["last_correct"]
        disk.write_json(runs.path(name) / "sweep.json", {"key": key, "folder": str(sweep.folder)})
        say(f"runs/{name}: notebooks 01-03 passed, last epoch as the sweep found: {same}")
    return failed


def made_of(name):
    """The key of the recipe that a run was made of by a sweep, or None."""
    path = runs.path(name) / "sweep.json"
    return disk.read_json(path)["key"] if path.is_file() else None


def one_through_notebooks(recipe_file, name):
    """A recipe through 01-03 into runs/<name>; returns its metrics. A job."""
    run_dir = reproduce.reproduce(recipe_file, {"RUN": name}, print_line=lambda line: None)
    return runs.read_metrics(run_dir)
