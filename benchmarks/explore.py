"""How long after a click a changed label has taught a new head, and all of 06_explore's gallery shows it.

usage: python benchmarks/explore.py RUN [--repeats N]

RUN: a run of two classes below runs/. Labels of different photos are changed and changed back, in a corrections.csv of
its own. "learned" is the head, the answers of every photo, and the heads that did not see it; "shown" is from the click
to the last figure. Writes results/explore.json and a figure.
"""

import argparse
import itertools
import tempfile
import time
from pathlib import Path

import measure

from maskkit import runs
from maskkit.explore import widgets
from maskkit.explore.explorer import Explorer


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("run")
    parser.add_argument("--repeats", type=int, default=10)
    given, setting = parser.parse_args(), measure.machine()
    with tempfile.TemporaryDirectory() as folder:
        explorer = Explorer(runs.find(given.run))
        explorer.file = Path(folder) / "corrections.csv"  # not the user's
        gallery = widgets.Gallery(explorer)
        found = {"learned": [], "shown": []}
        for place in itertools.islice(range(0, len(explorer.rows), 7), given.repeats):
            for label in (1 - explorer.labels[place], explorer.labels[place]):
                start = time.perf_counter()
                gallery.do(explorer.change, place, int(label))
                found["shown"].append(time.perf_counter() - start)
                found["learned"].append(explorer.learned.seconds)
    n = len(explorer.rows)
    rows = [measure.row(f"a label changed, {name}, {n} photos", seconds) for name, seconds in found.items()]
    title = f"After a click in 06_explore, {setting['processors']} cores"
    measure.publish("explore", rows, {}, title, n=n, network=explorer.metrics["network"], setting=setting)


if __name__ == "__main__":
    main()
