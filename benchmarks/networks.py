"""Are the ratios between networks reproducible? The comparison of notebook 04, several times.

usage: python benchmarks/networks.py [--sittings 2] [--rounds 5] [--seconds 0.3] [--engines eager onnxruntime]
                                     [--batches 1 16 64] [--threads N] [--weights ARCH=WEIGHTS ...] [ARCH ...]

Writes benchmarks/results/networks.json: the rows of every sitting, the ratios of each network to the first, how far
these disagree, device, versions, load. Disagreement is reported twice: between sittings one after the other, minutes
apart and with everything built anew, and between two interleaved ones, which take all rounds in turns. Prints the
last sitting's table. Ends with 0 where all ratios of the interleaved sittings repeat within 15 %, else with 1.
"""

import argparse
import statistics
import sys
from pathlib import Path

import torch

from maskkit import model, runs
from maskkit.core import disk
from maskkit.improve import benchmark_networks, speed_table

RESULTS = Path(__file__).resolve().parent / "results" / "networks.json"
ALLOWED = 0.15  # of a ratio, between sittings


def ratios_by_round(rows):
    """{'mobilenet_v2, eager, batch 1': each round's time of a pass as a multiple of the first network's}."""
    ratios = {}
    for row in rows[1:]:
        for engine in row["speed"].keys() & rows[0]["speed"].keys():
            for batch, cell in row["speed"][engine].items():
                first = rows[0]["speed"][engine][batch]
                pairs = zip(cell["rounds_ms"], first["rounds_ms"], strict=True)
                ratios[f"{row['arch']}, {engine}, batch {batch}"] = [other / reference for other, reference in pairs]
    return ratios


def one_after_the_other(sittings):
    """Each sitting's ratios: medians over its rounds."""
    return [{name: statistics.median(each) for name, each in ratios_by_round(rows).items()} for rows in sittings]


def interleaved(sittings):
    """The ratios of two sittings to which all rounds, in the order of time, are dealt in turns."""
    rounds = [ratios_by_round(rows) for rows in sittings]
    joined = {name: [ratio for each in rounds for ratio in each.get(name, [])] for name in rounds[0]}
    return [{name: statistics.median(each[turn::2]) for name, each in joined.items()} for turn in (0, 1)]


def disagreements(sittings):
    """{name: largest over smallest of its ratios, minus 1}; what one sitting lacks is left out."""
    names = set.intersection(*(set(sitting) for sitting in sittings))
    ratios = {name: [sitting[name] for sitting in sittings] for name in sorted(names)}
    return {name: max(values) / min(values) - 1 for name, values in ratios.items()}


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("archs", nargs="*", default=list(model.ARCHITECTURES), metavar="ARCH")
    parser.add_argument("--sittings", type=int, default=2)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=float, default=0.3, help="of each engine, network and batch size a round")
    parser.add_argument("--engines", nargs="*", default=["eager", "onnxruntime", "cuda"])
    parser.add_argument("--batches", type=int, nargs="*", default=[1, 16, 64], help="photos per pass")
    parser.add_argument("--threads", type=int, default=torch.get_num_threads())
    parser.add_argument("--weights", nargs="*", default=["mobilenet_v2=packaged"], metavar="ARCH=WEIGHTS")
    given = parser.parse_args()
    sittings, seconds = [], []
    for seed in range(given.sittings):
        with runs.Stopwatch() as watch:
            rows = benchmark_networks.compare(
                given.archs,
                weights=dict(text.split("=", 1) for text in given.weights),
                accuracy={},
                n_classes=2,
                size_px=224,
                engines=given.engines,
                batches=given.batches,
                rounds=given.rounds,
                seconds=given.seconds,
                threads=given.threads,
                device=model.device("auto"),
                seed=seed,
            )
        sittings.append(rows)
        seconds.append(watch.seconds)
    largest = write_results(sittings, seconds)
    print(speed_table.format_table(sittings[-1]))
    print(f"\n{given.sittings} sittings of {', '.join(f'{s:.0f}' for s in seconds)} s")
    for name, apart in largest.items():
        print(f"{name}: ratios differ by at most {100 * apart:.1f} %")
    sys.exit(0 if largest["interleaved"] <= ALLOWED else 1)


def write_results(sittings, seconds):
    """results/networks.json; returns the largest disagreements, {way of comparing: value}."""
    ways = {"interleaved": interleaved, "one after the other": one_after_the_other}
    ratios = {name: way(sittings) for name, way in ways.items()}
    apart = {name: disagreements(each) for name, each in ratios.items()}
    largest = {name: max(each.values(), default=0.0) for name, each in apart.items()}
    disk.write_json(
        RESULTS,
        {
            "setting": sittings[0][0]["setting"],
            "seconds": seconds,
            "largest_disagreement": largest,
            "disagreements": apart,
            "ratios": ratios,
            "sittings": sittings,
        },
    )
    return largest


if __name__ == "__main__":
    main()
