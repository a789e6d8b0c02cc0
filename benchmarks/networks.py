"""Do the ratios between networks repeat? The comparison of notebook 04, sitting after sitting.

usage: python benchmarks/networks.py [--sittings 2] [--rounds 5] [--seconds 0.3] [--engines eager compiled onnxruntime]
                                     [--batches 1 16 64] [--threads N] [--weights ARCH=WEIGHTS ...] [ARCH ...]

Writes benchmarks/results/networks.json: the rows of every sitting, the ratios of each network to the first, the largest
disagreement between sittings, device, versions, load. Prints the last sitting's table. Ends with 0 where all ratios
repeat within 15 %, else with 1.
"""

import argparse
import sys
from pathlib import Path

import torch

from maskkit import compare, model, runs

RESULTS = Path(__file__).resolve().parent / "results" / "networks.json"
ALLOWED = 0.15  # of a ratio, between sittings


def ratios(rows, of):
    """{'mobilenet_v2, eager, batch 1': time of a pass as a multiple of the first network's}."""
    return {
        f"{row['arch']}, {engine}, batch {batch}": compare.ratio(row, rows[0], engine, batch, of)[0]
        for row in rows[1:]
        for engine in row["speed"]
        if engine in rows[0]["speed"]
        for batch in row["speed"][engine]
    }


def disagreements(sittings):
    """{name: largest over smallest of its ratios, minus 1}; what one sitting lacks is left out."""
    names = set.intersection(*(set(sitting) for sitting in sittings))
    found = {name: [sitting[name] for sitting in sittings] for name in sorted(names)}
    return {name: max(values) / min(values) - 1 for name, values in found.items()}


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("archs", nargs="*", default=list(model.ARCHITECTURES), metavar="ARCH")
    parser.add_argument("--sittings", type=int, default=2)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=float, default=0.3, help="of each engine, network and batch size a round")
    parser.add_argument("--engines", nargs="*", default=["eager", "compiled", "onnxruntime", "cuda"])
    parser.add_argument("--batches", type=int, nargs="*", default=[1, 16, 64], help="photos per pass")
    parser.add_argument("--threads", type=int, default=torch.get_num_threads())
    parser.add_argument("--weights", nargs="*", default=["mobilenet_v2=packaged"], metavar="ARCH=WEIGHTS")
    given = parser.parse_args()
    sittings, seconds = [], []
    for seed in range(given.sittings):
        with runs.Stopwatch() as watch:
            rows = compare.networks(
                given.archs, weights=dict(text.split("=", 1) for text in given.weights), accuracy={}, n_classes=2,
                size_px=224, engines=given.engines, batches=given.batches, rounds=given.rounds, seconds=given.seconds,
                threads=given.threads, device=model.device("auto"), seed=seed,
            )  # fmt: skip
        sittings.append(rows)
        seconds.append(watch.seconds)
    wall, cpu = ([ratios(rows, of) for rows in sittings] for of in ("rounds_ms", "rounds_cpu_ms"))
    apart = {"wall": disagreements(wall), "processor": disagreements(cpu)}
    largest = {kind: max(values.values(), default=0.0) for kind, values in apart.items()}
    runs.write_json(RESULTS, {
        "setting": sittings[0][0]["setting"], "seconds": seconds, "largest_disagreement": largest,
        "disagreements": apart, "ratios": {"wall": wall, "processor": cpu}, "sittings": sittings,
    })  # fmt: skip
    print(compare.table(sittings[-1]))
    print(f"\n{given.sittings} sittings of {', '.join(f'{s:.0f}' for s in seconds)} s; ratios differ by at most "
          f"{100 * largest['wall']:.1f} % (time), {100 * largest['processor']:.1f} % (processor time)")  # fmt: skip
    sys.exit(0 if largest["wall"] <= ALLOWED else 1)


if __name__ == "__main__":
    main()
