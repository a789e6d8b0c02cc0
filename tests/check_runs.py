"""Two runs of the report on real photos: do they repeat the report, and each other?

usage: python tests/check_runs.py FIRST_RUN_DIR SECOND_RUN_DIR
"""

import json
import sys
from pathlib import Path


def read(run_dir):
    """(run, seconds, the rest) of a run's metrics.json: only the first two may differ between equal runs."""
    metrics = json.loads((Path(run_dir) / "metrics.json").read_text(encoding="utf-8"))
    return metrics.pop("run"), metrics.pop("seconds"), metrics


def check(first_dir, second_dir):
    """{what must hold: whether it does}."""
    _, _, first = read(first_dir)
    run, _, second = read(second_dir)
    differing = sorted(key for key in first.keys() | second.keys() if first.get(key) != second.get(key))
    return {
        "160 training and 40 validation photos": (first["n_train"], first["n_val"]) == (160, 40),
        "1,026 of 11,177,538 weights are trained": (first["trainable"], first["total"]) == (1_026, 11_177_538),
        "at least 38 of 40 right": first["best"]["correct"] >= 38 and first["best"]["n"] == 40,
        "the second run computed no features": run["features_computed"] == 0,
        f"both runs found the same (differing: {', '.join(differing) or 'nothing'})": not differing,
        "the page is there": (Path(first_dir) / "report.html").stat().st_size > 10_000,
    }


def main(first_dir, second_dir):
    checks = check(first_dir, second_dir)
    for claim, holds in checks.items():
        print(f"{'ok  ' if holds else 'FAIL'} {claim}")
    _, seconds, first = read(first_dir)
    print(f"best {first['best']['correct']} of {first['best']['n']}; seconds of the first: {seconds}")
    return 0 if all(checks.values()) else 1


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
