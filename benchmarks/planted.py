"""How often the audit is right: folders with planted faults of known dose, audited by the audit's own checks.

usage: python benchmarks/planted.py --quick
       python benchmarks/planted.py [--data FOLDER [--truth TABLE]] [--folders N] [--hours H] [--only CHECK ...]
       python benchmarks/planted.py --table

    (pool, fault, dose, seed)         which folder; pools are the synthetic faces and, with --data, the 12K set
      -> photos, parts and labels     `planting.faults.plant`; the same four give the same folder
      -> survey, features, pairs      `planting.store`: computed once per (photo, transformation), whatever the folder
      -> results of the checks        `planting.checks`: the audit's own `prepare` and checks, as its page states them
      -> one line in rows.jsonl       {pool, fault, dose, seed, rows: [{check, verdict, value, low, high, truth, ...}]}
      -> tables                       `planting.tables`: sensitivity, false alarms, coverage, smallest dose found

A clean 12K folder holds one photo of each original. The whole run goes through all cells in rounds of ROUND folders
and can be stopped at any time: the same command goes on where it stopped. --quick measures a few cells on synthetic
faces in minutes and ends with exit code 1 if a check misses what benchmarks/results/planted.json states of it.
--table writes what was measured here into benchmarks/results/planted.json, where other cells stay, and into
docs/audit.md. All of it lies in runs/planted/.
"""

import argparse
import concurrent.futures
import functools
import json
import multiprocessing
import os
import platform
import sys
import time
from pathlib import Path

from maskkit import runs
from maskkit.audit import sensitivity
from maskkit.core import disk, environment, paths

# isort: split
from planting import tables
from planting.faults import FAULTS, Photo, plant
from planting.pools import CLASSES, kaggle_12k, synthetic

ROUND = 5  # folders per cell and round
IMAGES = (0.0, 1.0)  # doses at which Datalab looks at the properties of the images, which takes longest
CHUNK = 256  # versions prepared by a worker at once
RESULTS = Path(__file__).resolve().parent / "results" / "planted.json"
DOCS = paths.SOURCE / "docs" / "audit.md"
QUICK = {  # {(fault, dose): folders} of a quick run
    ("clean", 0.0): 10,
    ("clean-mouth", 0.0): 3,
    ("clean-shortcuts", 0.0): 10,
    ("copies-jpeg", 0.05): 8,
    ("copies-crop", 0.1): 8,
    ("shortcut-border", 1.0): 8,
    ("labels", 0.1): 8,
    ("confidence-high", 1.0): 8,
    ("confidence-high", 4.0): 8,
    ("clean-groups", 0.0): 8,
    ("group-dark", 0.5): 8,
    ("second-source", 0.0): 8,
    ("second-source", 4.0): 8,
}
# Checks that take seconds a folder, or features of their own: {check: folders of a whole run, of a quick one}.
SLOW = {"split_variance": (30, 0), "mouth": (100, 3)}
QUICK_FACES = 320  # per class


def main():
    arguments = parse()
    out = arguments.out / ("quick" if arguments.quick else "whole")
    out.mkdir(parents=True, exist_ok=True)
    pools = find_pools(arguments)
    if not arguments.table:
        run(pools, out, arguments)
    found = tables.cells(tables.read(out / "rows.jsonl"))
    if arguments.quick:
        sys.exit(1 if compare(found, disk.read_json(RESULTS)) else 0)
    if arguments.table:
        write_results(found)
    print(tables.markdown(found))


def parse():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="a few cells on synthetic faces, in minutes")
    parser.add_argument("--table", action="store_true", help="write the tables, with what was measured so far")
    parser.add_argument("--data", help="folder of the 12K set; without it only synthetic faces")
    parser.add_argument("--truth", help="table of the 12K photos' originals (default: source_groups.csv above)")
    parser.add_argument("--arch", default="mobilenet_v2")
    parser.add_argument("--weights", default="packaged", help="as WEIGHTS of a run")
    parser.add_argument("--folders", type=int, default=100, help="per cell (default 100)")
    parser.add_argument("--hours", type=float, help="stop after this time")
    parser.add_argument("--only", nargs="+", metavar="CHECK", help="only faults that these checks should find")
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--out", type=Path, default=paths.RUNS / "planted")
    return parser.parse_args()


def write_results(found):
    """benchmarks/results/planted.json, the audit's own sensitivity.json, and the tables of docs/audit.md.

    Cells that were not measured here stay as they stand in planted.json.
    """
    here = {"date": runs.now()[:10], "processor": processor(), "torch": environment.versions()["torch"]}
    stated = {tables.key_of(cell): cell for cell in disk.read_json(RESULTS)["cells"]} if RESULTS.exists() else {}
    new = {key: cell | {"measured": here} for key, cell in found.items()}
    merged = dict(sorted((stated | new).items()))
    listed = [dict(zip(tables.KEY, key, strict=True)) | cell for key, cell in merged.items()]
    disk.write_json(RESULTS, {"cells": listed})
    measured = tables.measured(merged)
    disk.write_json(sensitivity.PATH, {"measured": measured, "sections": tables.statements(merged)})
    text = DOCS.read_text(encoding="utf-8")
    before, rest = text.split(tables.BEGIN)
    _, after = rest.split(tables.END)
    disk.write_text(DOCS, before + tables.document(merged, measured) + after)


def processor():
    """The processor's name and number of cores."""
    lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines() if Path("/proc/cpuinfo").exists() else []
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    name = names[0] if names else platform.processor()
    return f"{os.cpu_count()} cores of {name.replace('(R)', '').removesuffix(' Processor')}"


def compare(found, stated):
    """What the cells of a quick run miss of those stated, a line each; prints a line per check and a summary."""
    stated = {tables.key_of(cell): cell for cell in stated["cells"]}
    missed = []
    for key, cell in found.items():
        if key in stated:
            line, is_missed = tables.compare(key, cell, stated[key])
            missed += [line] if is_missed else []
            print(("MISSED  " if is_missed else "ok      ") + line)
    print(f"{len(found)} cells, {len(missed)} miss what {RESULTS.name} states beyond their intervals")
    return missed


def find_pools(arguments):
    """{name: Pool}."""
    pools = [synthetic(QUICK_FACES) if arguments.quick else synthetic()]
    if arguments.data:
        pools.append(kaggle_12k(arguments.data, arguments.truth))
    return {pool.name: pool for pool in pools}


# --- which folders ------------------------------------------------------------------------------


def cells_of(pools, only):
    """(pool, fault, dose) of every cell."""
    return [
        (pool, fault, dose)
        for fault, of in FAULTS.items()
        if not only or set(only) & set(of.checks)
        for pool in pools
        if pool in of.pools
        for dose in of.doses
    ]


def batches(cells, n_folders, done, quick=False):
    """Lists of folders (pool, fault, dose, seed) that are not done yet: a cell's next ROUND, cell by cell."""
    for at in range(0, n_folders, ROUND):
        for cell in cells:
            most = min(n_folders, QUICK[cell[1:]]) if quick else n_folders
            wanted = [(*cell, seed) for seed in range(at, min(at + ROUND, most))]
            if left := [folder for folder in wanted if folder not in done]:
                yield left


def folders_done(path):
    """{(pool, fault, dose, seed)} of the lines of a results file; a line that was cut off does not count."""
    done = set()
    for line in path.read_text(encoding="utf-8").splitlines() if path.exists() else ():
        try:
            row = json.loads(line)
        except json.JSONDecodeError:
            continue
        done.add((row["pool"], row["fault"], row["dose"], row["seed"]))
    return done


# --- the run ------------------------------------------------------------------------------------


def run(pools, out, arguments):
    """Audit what is left, and append a line per folder."""
    path, started = out / "rows.jsonl", time.monotonic()
    if arguments.quick:
        path.unlink(missing_ok=True)
    end_line(path)
    cells = cells_of(pools, arguments.only)
    if arguments.quick:
        cells = [cell for cell in cells if cell[1:] in QUICK]
    context = multiprocessing.get_context("fork")  # Datalab forks once more
    settings = (pools, out, arguments.arch, arguments.weights)
    with concurrent.futures.ProcessPoolExecutor(arguments.workers, context, begin, settings) as workers:
        for folders in batches(cells, arguments.folders, folders_done(path), arguments.quick):
            if arguments.hours and time.monotonic() - started > 3600 * arguments.hours:
                break
            pool, fault, dose, _ = folders[0]
            for chunk in workers.map(prepare, *zip(*needed(pools[pool], folders), strict=True)):
                assert chunk is None
            clock = time.monotonic()
            with open(path, "a", encoding="utf-8") as stream:
                for line in workers.map(functools.partial(audit, quick=arguments.quick), folders):
                    stream.write(json.dumps(line) + "\n")
                    stream.flush()
            print(f"{fault} {dose:g} {pool}: {len(folders)} folders, {time.monotonic() - clock:.0f} s", flush=True)


def end_line(path):
    """End a line that a killed process left unfinished, so that the next one does not continue it."""
    if path.exists() and (text := path.read_bytes()) and not text.endswith(b"\n"):
        with open(path, "ab") as stream:
            stream.write(b"\n")


def needed(pool, folders):
    """[(pool's name, versions)]: the versions that folders need, in chunks."""
    versions = {}
    for _, fault, dose, seed in folders:
        folder = plant(pool, fault, dose, seed)
        photos = [*folder.photos, *folder.spare, *folder.second, *folder.second_spare]
        versions |= dict.fromkeys(photo.version for photo in photos)
    listed = sorted(versions)
    return [(pool.name, listed[at : at + CHUNK]) for at in range(0, len(listed), CHUNK)]


STORES = {}  # of this worker, by pool


def begin(pools, out, arch, weights):
    """Begin a worker: one thread, and a store per pool."""
    os.environ["OMP_NUM_THREADS"] = "1"
    import torch
    from planting.store import Store

    torch.set_num_threads(1)
    for name, pool in pools.items():
        STORES[name] = Store(out / name, pool, arch, weights)


def prepare(pool, versions):
    """Measure versions, and compute their features, in a worker."""
    store = STORES[pool]
    missing = store.missing(versions)
    store.measure(missing)
    if missing:
        photos = [Photo(version, CLASSES[0], "", CLASSES[0]) for version in missing]
        store.features(store.survey(photos).rows, store.classifier.transform)


def audit(folder, quick=False):
    """The line of a folder (pool, fault, dose, seed), in a worker; quick: without Datalab."""
    from planting import datalab
    from planting.checks import audit_folder

    pool, fault, dose, seed = folder
    most = {check: SLOW.get(check, (seed + 1,) * 2)[quick] for check in FAULTS[fault].checks}
    only = [check for check, n_folders in most.items() if seed < n_folders]
    rows, planted, audited = audit_folder(STORES[pool], fault, dose, seed, only)
    if not quick and datalab.is_installed() and ("shortcut" not in fault or dose in IMAGES):
        head = {name: rows[0][name] for name in ("pool", "fault", "dose", "seed")}
        rows += [head | row for row in datalab.measure(fault, planted, audited)]
    return {"pool": pool, "fault": fault, "dose": dose, "seed": seed, "rows": rows}


if __name__ == "__main__":
    main()
