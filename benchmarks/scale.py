"""What many recipes and many partitions cost beside the work itself.

usage: python benchmarks/scale.py [--recipes 60] [--photos 1000] [--empty 10000] [--repeats 3]

1. Overhead per recipe: a sweep of short trainings on cached features here, less the time inside the trainings.
2. Efficiency: the same sweep, and a prediction of drawn photos by MobileNetV2, on 1 and on 2 worker processes of one
   thread each, in turns; time on 1 / (2 x time on 2).
3. Scheduler: empty partitions through `jobs.run_jobs` on 2 workers, seconds per partition, and the client's memory.

Writes results/scale.json with every round, and a figure; prints medians. Needs 2 cores that nothing else uses.
"""

import argparse
import os
import statistics
import tempfile
import time
from pathlib import Path

import measure

from maskkit import checkpoint, model, pretrained
from maskkit.core import memory, paths
from maskkit.deploy import partitions
from maskkit.sources import folders
from maskkit.sweep import cluster, jobs, sweep


def nothing(number):
    """A partition without work."""
    return number


def recipes(n):
    """A sweep of `n` recipes on one draw: two epochs each, told apart by their learning rate."""
    rates = [round(0.001 + 0.00001 * step, 6) for step in range(n)]
    return {"RUN": "scale", "DATA": "demo", "EPOCHS": 2, "LEARNING_RATE": rates}


def time_sweep(n, client=None):
    """(seconds of the whole, seconds inside trainings) of a sweep whose features are cached."""
    with tempfile.TemporaryDirectory() as out:
        started = time.perf_counter()
        # The best recipe's notebooks would take the same time however many recipes there are.
        found = sweep.run(recipes(n), Path(out) / "sweep", client=client, best=False, print_line=lambda line: None)
        whole = time.perf_counter() - started
    assert found.counts["done"] == n, found.counts
    return whole, sum(row["seconds"] for row in found.rows.values())


def time_predict(run, files, client):
    """Seconds of a prediction in partitions of 64 files, its model loaded by every worker beforehand."""
    with tempfile.TemporaryDirectory() as out:
        started = time.perf_counter()
        partitions.predict_partitions(client, run, files, Path(out) / "tables", size=64)
        return time.perf_counter() - started


def time_empty(n, client):
    """(seconds, growth of this process's memory in MiB) of `n` partitions without work."""
    before, started = memory.status_mib("VmRSS"), time.perf_counter()
    n_done = sum(not outcome.error for _, outcome in jobs.run_jobs(nothing, ((k,) for k in range(n)), client))
    assert n_done == n
    return time.perf_counter() - started, memory.status_mib("VmRSS") - before


def make_model(folder):
    """A run's two files: MobileNetV2 with packaged weights and a head that has learned nothing."""
    source = pretrained.find("mobilenet_v2", "packaged")
    network = model.build(source, 2, seed=0)
    transform = model.Transform()
    checkpoint.save(network, folder, source=source, classes=folders.REPORT_CLASSES, transform=transform, parameters={})
    return folder


def main():
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    for name, default in (("recipes", 60), ("photos", 1000), ("empty", 10_000), ("repeats", 3)):
        options.add_argument(f"--{name}", type=int, default=default)
    given, setting = options.parse_args(), measure.machine()
    os.environ["OMP_NUM_THREADS"] = "1"
    found = {"here": [], "one": [], "two": [], "predict_one": [], "predict_two": [], "empty": []}
    with tempfile.TemporaryDirectory() as folder:
        paths.CACHE = Path(folder) / "cache"
        run = make_model(Path(folder))
        drawn = sorted(folders.find("demo").folder.rglob("*.jpg")) or sorted(folders.find("demo").folder.rglob("*.png"))
        files = [str(drawn[index % len(drawn)]) for index in range(given.photos)]
        time_sweep(2)  # draws the faces, fills the cache
        with cluster.open_client(n_workers=2) as two, cluster.open_client(n_workers=1) as one:
            for client in (one, two):  # imports and models before anything is timed
                time_predict(run, files[:256], client)
                time_sweep(4, client)
            for _ in range(given.repeats):
                found["here"].append(time_sweep(given.recipes))
                for name, client in (("one", one), ("two", two)):
                    found[name].append(time_sweep(given.recipes, client))
                    found[f"predict_{name}"].append(time_predict(run, files, client))
                found["empty"].append(time_empty(given.empty, two))
    rows = each(found, given)
    seconds = {row["name"]: row["seconds"] for row in rows}
    ratios = {}
    for kind in ("a recipe", "a photo"):
        turns = zip(seconds[f"{kind}, 1 worker"], seconds[f"{kind}, 2 workers"], strict=True)
        ratios[f"{kind}, efficiency of 2 workers"] = statistics.median(one / (2 * two) for one, two in turns)
    growth_mib = max(growth for _, growth in found["empty"])
    title = f"Through Dask, {setting['processors']} cores, one thread per worker"
    measure.publish("scale", rows, ratios, title, options=vars(given), client_growth_mib=growth_mib, setting=setting)
    print(f"the client's memory grew by at most {growth_mib:.0f} MiB over {given.empty:,} empty partitions")


def each(found, given):
    """Rows whose seconds are those of one recipe, one photo, one partition."""
    whole = {name: [seconds for seconds, _ in found[name]] for name in ("here", "one", "two", "empty")}
    training = [inside for _, inside in found["here"]]
    around = [seconds - inside for seconds, inside in found["here"]]
    ways = {
        "a recipe here: training": (training, given.recipes),
        "a recipe here: around it": (around, given.recipes),
        "a recipe, 1 worker": (whole["one"], given.recipes),
        "a recipe, 2 workers": (whole["two"], given.recipes),
        "a photo, 1 worker": (found["predict_one"], given.photos),
        "a photo, 2 workers": (found["predict_two"], given.photos),
        "an empty partition, 2 workers": (whole["empty"], given.empty),
    }
    return [measure.row(name, [value / n for value in seconds]) for name, (seconds, n) in ways.items()]


if __name__ == "__main__":
    main()
