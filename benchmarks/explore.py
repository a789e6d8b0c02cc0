"""How long it takes after a click in 06_explore until a new head is trained, and until the gallery shows it.

usage: python benchmarks/explore.py RUN [--repeats N]

RUN: a run of two classes below runs/. Labels of different photos are changed and changed back, in a corrections.csv of
its own. "learned" is the head, the answers of every photo, and the heads that were not trained on it; "shown" is from
the click to the last figure. Writes results/explore.json and a figure.
"""

import argparse
import itertools
import tempfile
import time
from pathlib import Path

import measure

from maskkit import runs
from maskkit.explore import gallery
from maskkit.explore.explorer import Explorer


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("run")
    parser.add_argument("--repeats", type=int, default=10)
    given, setting = parser.parse_args(), measure.machine()
    with tempfile.TemporaryDirectory() as folder:
        explorer = Explorer(runs.find(given.run))
        explorer.file = Path(folder) / "corrections.csv"  # not the user's
        shown = gallery.Gallery(explorer)
        times = {"learned": [], "shown": []}
        for place in itertools.islice(range(0, len(explorer.rows), 7), given.repeats):
            for label in (1 - explorer.labels[place], explorer.labels[place]):
                start = time.perf_counter()
                shown.do(explorer.change, place, int(label))
                times["shown"].append(time.perf_counter() - start)
                times["learned"].append(explorer.learned.seconds)
    n = len(explorer.rows)
    rows = [measure.row(f"a label changed, {name}, {n} photos", seconds) for name, seconds in times.items()]
    title = f"After a click in 06_explore, {setting['processors']} cores"
    measure.publish("explore", rows, {}, title, n=n, network=explorer.metrics["network"], setting=setting)


if __name__ == "__main__":
    main()
