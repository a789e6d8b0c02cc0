"""The numeric tests and the report on other processors and numbers of threads: do they agree within the tolerance?

usage: python tests/check_processors.py [NAME=VALUE ...]      parameters of `maskkit reproduce`, such as DATA=folder

torch and oneDNN choose their kernels by what the processor can do; environment variables hold them to less, which
stands in for older processors. Nothing is bit-equal between these, nor between numbers of threads. What must hold: the
numeric tests pass; the report's counts agree within one photo, its losses within 1e-3, its kept epoch unless two
epochs are equally good within that, and every check has the same verdict.
"""

import itertools
import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path

PROCESSORS = {
    "as it is": {},
    "avx2": {"ATEN_CPU_CAPABILITY": "avx2", "ONEDNN_MAX_CPU_ISA": "AVX2"},
    "sse41": {"ATEN_CPU_CAPABILITY": "default", "ONEDNN_MAX_CPU_ISA": "SSE41"},
}
THREADS = (1, 2)
EMBEDDED = ("DATA=demo", "ARCH=mobilenet_v2", "WEIGHTS=packaged")
LOSS = 1e-3  # a mean of 40 logarithms of probabilities, each within 1e-4
ROOT = Path(__file__).parents[1]


def run(command: list[str], environment: dict[str, str]) -> None:
    """A command that must pass; its output is shown."""
    print("$", *(f"{name}={value}" for name, value in environment.items()), *command, flush=True)
    subprocess.run(command, cwd=ROOT, env=os.environ | environment, check=True)


def numeric_tests(environment: dict[str, str], processes: int) -> None:
    split = ["--numprocesses", str(processes), "--dist", "worksteal"] if processes > 1 else []
    run([sys.executable, "-m", "pytest", "--quiet", "-m", "numeric and not slow", *split, "tests"], environment)


def report(name: str, settings: tuple[str, ...], environment: dict[str, str]) -> dict[str, object]:
    """What one run of the report came to: metrics, history and the verdict of each check."""
    sets = itertools.chain.from_iterable(("--set", setting) for setting in (*settings, f"RUN={name}"))
    with tempfile.TemporaryDirectory() as cache:  # so that features are computed here and now
        run([sys.executable, "-m", "maskkit", "reproduce", *sets], environment | {"MASKKIT_CACHE": cache})
    run_dir = ROOT / "runs" / name
    metrics, audit = (json.loads((run_dir / file).read_text("utf-8")) for file in ("metrics.json", "audit.json"))
    lines = (run_dir / "history.csv").read_text("utf-8").splitlines()
    history = [dict(zip(lines[0].split(","), map(float, line.split(",")), strict=True)) for line in lines[1:]]
    checks = {title: check["result"] for title, check in audit["results"].items()}
    return {"metrics": metrics, "history": history, "checks": checks}


def differences(first: dict, second: dict) -> list[str]:
    """What lies outside the tolerance between two runs of one recipe, one line each."""
    found = []
    for which in ("best", "last"):
        one, other = (entry["metrics"][which] for entry in (first, second))
        if abs(one["correct"] - other["correct"]) > 1:
            found.append(f"{which} epoch: {one['correct']} and {other['correct']} of {one['n']} right")
    if first["metrics"]["best"]["epoch"] != second["metrics"]["best"]["epoch"] and not equally_good(first, second):
        epochs = [entry["metrics"]["best"]["epoch"] for entry in (first, second)]
        found.append(f"kept epoch: {epochs[0]} and {epochs[1]}")
    cells = zip(*(itertools.chain(*entry["metrics"]["confusion"]) for entry in (first, second)), strict=True)
    if any(abs(one - other) > 1 for one, other in cells):
        found.append(f"confusion matrix: {first['metrics']['confusion']} and {second['metrics']['confusion']}")
    for one, other in zip(first["history"], second["history"], strict=True):
        if abs(one["val_loss"] - other["val_loss"]) > LOSS:
            found.append(f"validation loss of epoch {one['epoch']:.0f}: {one['val_loss']} and {other['val_loss']}")
    if first["checks"] != second["checks"]:
        found.append(f"checks: {first['checks']} and {second['checks']}")
    return found


def equally_good(first: dict, second: dict) -> bool:
    """Whether the epochs that two runs kept are as good as each other in the first run, within the tolerance."""
    one, other = (first["history"][entry["metrics"]["best"]["epoch"] - 1] for entry in (first, second))
    return abs(one["val_correct"] - other["val_correct"]) <= 1 and abs(one["val_loss"] - other["val_loss"]) <= LOSS


def main(*settings: str) -> int:
    settings, found = settings or EMBEDDED, {}
    for (name, environment), threads in itertools.product(PROCESSORS.items(), THREADS):
        environment = environment | {"OMP_NUM_THREADS": str(threads)}
        if environment.keys() - {"OMP_NUM_THREADS"} or threads > 1:  # as it is, with one thread, is `make test`
            numeric_tests(environment, processes=2 // threads)
        found[f"{name}, {threads} threads"] = report(
            f"processor-{name.replace(' ', '-')}-{threads}", settings, environment
        )
    (first_name, first), *others = found.items()
    wrong = 0
    for name, other in others:
        apart = differences(first, other)
        wrong += bool(apart)
        print(f"{'FAIL' if apart else 'ok  '} {first_name} | {name}: {'; '.join(apart) or 'agree'}")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
