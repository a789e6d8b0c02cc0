"""Common functions of the benchmarks: ways measured in turns, medians, the machine, results as JSON and as a figure."""

import datetime
import gc
import os
import statistics
import time
from pathlib import Path

from maskkit import runs
from maskkit.core import disk
from maskkit.improve import benchmark_networks  # before torch, see maskkit/__init__.py

# isort: split
import matplotlib.pyplot as plt
import torch

# Of torch's threads as others have them: turns that libgomp spins by default.
SPINNING = {"GOMP_SPINCOUNT": "300000"}

RESULTS = Path(__file__).resolve().parent / "results"


def machine(device="cpu"):
    """Device, processor, versions, and how busy the machine is now."""
    return benchmark_networks.describe(device=torch.device(device), threads=torch.get_num_threads(), when=runs.now())


def on(device, name):
    """Name of a benchmark's results on a device: of CUDA's they lie beside the CPU's."""
    return name if torch.device(device).type == "cpu" else f"{name}-{device}"


def in_turns(ways, repeats, warm_up=True):
    """{name: [seconds]} of functions without arguments, each run once a turn, one after the other.

    With `warm_up` a first turn is not counted. A way that returns a float has measured its own seconds.
    """
    seconds = {name: [] for name in ways}
    for turn in range(repeats + warm_up):
        for name, way in ways.items():
            gc.collect()
            start = time.perf_counter()
            measured = way()
            if turn >= warm_up:
                elapsed = time.perf_counter() - start
                seconds[name].append(measured if isinstance(measured, float) else elapsed)
    return seconds


def row(name, seconds, **more):
    """A row of results: the median, its spread (fastest, slowest), how often, each; `accuracy` where there is one."""
    return {
        "name": name,
        "median_seconds": statistics.median(seconds),
        "spread": [min(seconds), max(seconds)],
        "accuracy": None,
        "n": len(seconds),
        "seconds": list(seconds),
    } | more


def publish(name, rows, ratios, title, **more):
    """Write results/<name>.json and a figure, and print a table."""
    write(name, rows, ratios, **more)
    save(points(rows, title), name)
    print_table(rows, ratios)


def write(name, rows, ratios, **more):
    """Write results/<name>.json; returns its content."""
    now = datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds")
    content = {"rows": rows, "ratios": ratios, "finished": now, "load_after": os.getloadavg()[0]} | more
    disk.write_json(RESULTS / f"{name}.json", content)
    return content


def print_table(rows, ratios):
    """Print rows and ratios."""
    for row in rows:
        low, high = row["spread"]
        scores = "".join(f"  {name} {100 * value:.1f} %" for name, value in (row["accuracy"] or {}).items())
        print(f"{row['name']:42} {row['median_seconds']:9.4f} s  ({low:.4f}-{high:.4f}, n {row['n']}){scores}")
    for name, value in ratios.items():
        print(f"{name:42} {value:9.2f}")


def points(rows, title):
    """One point per row on a logarithmic axis, the fastest on top, its spread as a whisker."""
    rows = sorted(rows, key=lambda row: row["median_seconds"], reverse=True)
    fig, ax = plt.subplots(figsize=(8, 1.2 + 0.34 * len(rows)), layout="constrained")
    medians = [row["median_seconds"] for row in rows]
    whiskers = [
        [m - row["spread"][0] for m, row in zip(medians, rows, strict=True)],
        [row["spread"][1] - m for m, row in zip(medians, rows, strict=True)],
    ]
    names = [row["name"] for row in rows]
    ax.errorbar(medians, names, xerr=whiskers, fmt="o", color="#4c72b0", ecolor="#333333", capsize=3)
    for place, row in enumerate(rows):
        ax.text(row["spread"][1] * 1.08, place, f"  {row['median_seconds']:.3g}", va="center", fontsize=9)
    ax.grid(axis="y", color="#dddddd")
    slowest = max(row["spread"][1] for row in rows)
    ax.set(xscale="log", xlabel="seconds (logarithmic axis)", xlim=(min(medians) / 2, 2.2 * slowest))
    ax.spines[["top", "right"]].set_visible(False)
    fig.suptitle(title, x=0.01, ha="left")  # over the names too: the axes alone are too narrow for it
    return fig


def save(fig, name):
    """results/<name>.png and .svg."""
    for suffix, metadata in (("svg", {"Date": None}), ("png", {"Software": None})):
        with disk.replacing(RESULTS / f"{name}.{suffix}") as path:
            fig.savefig(path, dpi=150, metadata=metadata)
    plt.close(fig)


def below(ratios, floors):
    """One line for each ratio under its floor."""
    return [f"{name} is {ratios[name]:.1f}, below {floor}" for name, floor in floors.items() if ratios[name] < floor]
