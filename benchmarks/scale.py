"""What many recipes and many partitions cost beside the work itself.

usage: python benchmarks/scale.py [--recipes 60] [--photos 1000] [--empty 10000] [--rounds 3]

1. Overhead per recipe: a sweep of short trainings on cached features here, less the time inside the trainings.
2. Efficiency: the same sweep, and a prediction of drawn photos by MobileNetV2, on 1 and on 2 worker processes of one
   thread each, in turns; time on 1 / (2 x time on 2).
3. Scheduler: empty partitions through `cluster.each` on 2 workers, seconds per partition, and the client's memory.

Writes benchmarks/results/scale.json with every round; prints medians. Needs 2 cores that nothing else uses.
"""

import argparse
import os
import statistics
import tempfile
import time
from pathlib import Path

from maskkit import cluster, data, model, paths, runs, sweep

RESULTS = Path(__file__).resolve().parent / "results" / "scale.json"


def nothing(number):
    """A partition without work."""
    return number


def memory_mib():
    """This process's resident memory."""
    status = Path("/proc/self/status").read_text()
    return int(next(line.split()[1] for line in status.splitlines() if line.startswith("VmRSS"))) / 1024


def recipes(n):
    """A sweep of `n` recipes on one draw: two epochs each, told apart by their learning rate."""
    rates = [round(0.001 + 0.00001 * step, 6) for step in range(n)]
    return {"RUN": "scale", "DATA": "demo", "EPOCHS": 2, "LEARNING_RATE": rates}


def time_sweep(n, client=None):
    """(seconds of the whole, seconds inside trainings) of a sweep whose features are cached."""
    with tempfile.TemporaryDirectory() as out:
        started = time.perf_counter()
        found = sweep.run(recipes(n), Path(out) / "sweep", client=client, say=lambda words: None)
        whole = time.perf_counter() - started
    assert found.counts["done"] == n, found.counts
    return whole, sum(row["seconds"] for row in found.rows.values())


def time_predict(run, files, client):
    """Seconds of a prediction in partitions of 64 files, its model loaded by every worker beforehand."""
    with tempfile.TemporaryDirectory() as out:
        started = time.perf_counter()
        cluster.predict(client, run, files, Path(out) / "tables", part=64)
        return time.perf_counter() - started


def time_empty(n, client):
    """(seconds, growth of this process's memory in MiB) of `n` partitions without work."""
    before, started = memory_mib(), time.perf_counter()
    n_done = sum(not outcome.error for _, outcome in cluster.each(nothing, ((k,) for k in range(n)), client))
    assert n_done == n
    return time.perf_counter() - started, memory_mib() - before


def make_model(folder):
    """A run's two files: MobileNetV2 with packaged weights and a head that has learned nothing."""
    source = model.pretrained("mobilenet_v2", "packaged")
    network = model.build(source, 2, seed=0)
    model.save(network, folder, source=source, classes=data.REPORT_CLASSES, transform=model.Transform(), parameters={})
    return folder


def main():
    options = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    for name, default in (("recipes", 60), ("photos", 1000), ("empty", 10_000), ("rounds", 3)):
        options.add_argument(f"--{name}", type=int, default=default)
    arguments = options.parse_args()
    sweep.through_notebooks = lambda *_: None  # the best one's notebooks take the same time however many recipes
    os.environ["OMP_NUM_THREADS"] = "1"
    found = {"here": [], "one": [], "two": [], "predict_one": [], "predict_two": [], "empty": []}
    with tempfile.TemporaryDirectory() as folder:
        paths.CACHE = Path(folder) / "cache"
        run = make_model(Path(folder))
        drawn = sorted(data.find("demo").folder.rglob("*.jpg")) or sorted(data.find("demo").folder.rglob("*.png"))
        files = [str(drawn[index % len(drawn)]) for index in range(arguments.photos)]
        time_sweep(2)  # draws the faces, fills the cache
        with cluster.clients(n_workers=2) as two, cluster.clients(n_workers=1) as one:
            for client in (one, two):  # imports and models before anything is timed
                time_predict(run, files[:256], client)
                time_sweep(4, client)
            for _ in range(arguments.rounds):
                found["here"].append(time_sweep(arguments.recipes))
                for name, client in (("one", one), ("two", two)):
                    found[name].append(time_sweep(arguments.recipes, client))
                    found[f"predict_{name}"].append(time_predict(run, files, client))
                found["empty"].append(time_empty(arguments.empty, two))
    runs.write_json(RESULTS, {"options": vars(arguments), "rounds": found, "environment": runs.environment()})
    report(found, arguments)


def report(found, arguments):
    """Medians over rounds."""
    def middle(values):
        return statistics.median(values)

    overhead = middle([(whole - inside) / arguments.recipes for whole, inside in found["here"]])
    each = middle([inside / arguments.recipes for _, inside in found["here"]])
    print(f"a recipe here: {1000 * each:.1f} ms of training, {1000 * overhead:.1f} ms around it")
    pairs = zip(found["one"], found["two"], strict=True)
    print(f"sweep, efficiency of 2 workers: {middle([a / (2 * b) for (a, _), (b, _) in pairs]):.0%}")
    pairs = zip(found["predict_one"], found["predict_two"], strict=True)
    print(f"predict, efficiency of 2 workers: {middle([a / (2 * b) for a, b in pairs]):.0%}, "
          f"{arguments.photos / middle(found['predict_one']):.0f} photos/s on one")  # fmt: skip
    seconds, growth = (middle(values) for values in zip(*found["empty"], strict=True))
    print(f"{arguments.empty:,} empty partitions: {seconds:.1f} s, {1e6 * seconds / arguments.empty:.0f} us each, "
          f"client's memory {growth:+.0f} MiB")  # fmt: skip


if __name__ == "__main__":
    main()
