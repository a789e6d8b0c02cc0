"""Whole commands, from Enter to prompt, as a user waits for them: imports, training, figures and page.

usage: python benchmarks/commands.py DATA WEIGHTS [--photos FOLDER] [--repeats N]

In turns: the report as a plain script (plain_script.py), `maskkit reproduce` with an empty cache and with a full one.
DATA is as the parameter DATA, WEIGHTS a state dict of ResNet18. FOLDER holds the class folders for the plain script; by
default they are DATA's training part. Results: results/commands.json.
"""

import argparse
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

import measure

from maskkit.sources import folders

PLAIN, COLD, WARM = "plain script", "make reproduce, cold", "make reproduce, warm"


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data")
    parser.add_argument("weights")
    parser.add_argument("--photos")
    parser.add_argument("--repeats", type=int, default=3)
    given = parser.parse_args()
    photos = given.photos or next(iter(folders.find(given.data).training.values())).parent
    before = measure.machine()
    with tempfile.TemporaryDirectory() as place:
        cold, warm = Path(place) / "cold", Path(place) / "warm"

        def plain():
            run(
                str(Path(__file__).with_name("plain_script.py")), str(photos), given.weights, str(Path(place) / "plain")
            )

        def reproduce(cache):
            settings = {"DATA": given.data, "ARCH": "resnet18", "WEIGHTS": given.weights, "RUN": "bench-commands"}
            more = [word for name, value in settings.items() for word in ("--set", f"{name}={value}")]
            run("-P", "-m", "maskkit", "reproduce", *more, cache=cache)

        def reproduce_cold():
            shutil.rmtree(cold, ignore_errors=True)
            reproduce(cold)

        reproduce(warm)  # fills its cache
        ways = {PLAIN: plain, COLD: reproduce_cold, WARM: lambda: reproduce(warm)}
        seconds = measure.in_turns(ways, given.repeats, warm_up=False)
    rows = [measure.row(name, times) for name, times in seconds.items()]
    medians = {row["name"]: row["median_seconds"] for row in rows}
    ratios = {"plain_vs_cold": medians[PLAIN] / medians[COLD], "plain_vs_warm": medians[PLAIN] / medians[WARM]}
    measure.write("commands", rows, ratios, before=before)
    measure.print_table(rows, ratios)


def run(*words, cache=None):
    """A command of this Python; its output is not shown."""
    env = os.environ | ({"MASKKIT_CACHE": str(cache)} if cache else {})
    subprocess.run([sys.executable, *words], check=True, stdout=subprocess.DEVNULL, env=env)


if __name__ == "__main__":
    main()
