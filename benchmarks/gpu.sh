#!/usr/bin/env bash
# One run of the report on a CUDA device and again on the same machine's CPU: do they agree to within one photo?
# Then the speed of feature extraction on the device, and of 200 to 12,000 photos from files to a trained head.
#
# usage: benchmarks/gpu.sh [DATA [WEIGHTS]]
#   DATA, WEIGHTS   as of `maskkit reproduce`; without them the synthetic faces and the packaged weights
#   PYTHON=...      a Python that has the dependencies; without it .venv's, else python3
#
# Keeps device, versions, both metrics.json and the comparison under benchmarks/results/gpu/, the speeds beside it as
# extraction-cuda.json and growth-cuda.json.
# exit code: 0 they agree, 1 they do not or a run failed, 2 no CUDA device here or wrong usage.
set -euo pipefail

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
usage() { sed -n '2,/^set/s/^# \{0,1\}//p' "${BASH_SOURCE[0]}"; }
case "${1:-}" in -h | --help) usage && exit 0 ;; esac
if [ $# -gt 2 ]; then
    usage >&2
    exit 2
fi
data=${1:-demo} weights=${2:-packaged}
if [ -z "${PYTHON:-}" ]; then
    PYTHON=python3
    [ ! -x "$root/.venv/bin/python" ] || PYTHON=$root/.venv/bin/python
fi
results=$root/benchmarks/results/gpu
export PYTHONPATH="$root${PYTHONPATH:+:$PYTHONPATH}" JUPYTER_PREFER_ENV_PATH=1

cuda=$("$PYTHON" -c 'import torch; print(torch.cuda.is_available())')
if [ "$cuda" != True ]; then
    echo "gpu.sh: torch sees no CUDA device on this machine, so nothing was run" >&2
    exit 2
fi

# The cache does not ask which device computed a feature, so each run gets an empty one of its own.
caches=$(mktemp -d)
trap 'rm -rf "$caches"' EXIT
for device in cuda cpu; do
    MASKKIT_CACHE=$caches/$device "$PYTHON" -P -m maskkit reproduce "$root/notebooks/report.yaml" \
        --set "DATA=$data" --set "WEIGHTS=$weights" --set "DEVICE=$device" --set "RUN=gpu-$device"
done

mkdir -p "$results"
for device in cuda cpu; do
    cp "$root/runs/gpu-$device/metrics.json" "$results/$device.json"
    cp "$root/runs/gpu-$device/environment.json" "$results/$device-environment.json"
done
agreed=0
"$PYTHON" -P - "$results" "$root/runs" <<'PYTHON' | tee "$results/comparison.txt" || agreed=1
import json
import sys
from pathlib import Path

import torch

results, runs = map(Path, sys.argv[1:])
cuda, cpu = (json.loads((results / f"{device}.json").read_text()) for device in ("cuda", "cpu"))


def predictions(metrics):
    """{file: predicted class} of the photos that were not right; a photo missing here was."""
    return {row["file"]: row["predicted"] for row in metrics["mistakes"]}


def moved():
    """Photos that the two devices call differently."""
    first, second = predictions(cuda), predictions(cpu)
    return sorted(file for file in first.keys() | second.keys() if first.get(file) != second.get(file))


def apart(which):
    return abs(cuda[which]["correct"] - cpu[which]["correct"])


splits = [(runs / f"gpu-{device}" / "split.csv").read_bytes() for device in ("cuda", "cpu")]
same = ("photos", "arch", "weights", "classes", "n_train", "n_val", "trainable", "total", "versions")
checks = {
    "one run was on CUDA, one on the CPU": (cuda["device"], cpu["device"]) == ("cuda", "cpu"),
    "same photos in the same parts": splits[0] == splits[1],
    "same network, weights, sizes, versions": all(cuda[key] == cpu[key] for key in same),
    "each computed its own features": min(m["run"]["features_computed"] for m in (cuda, cpu)) > 0,
    f"predictions: {len(moved())} photos called differently, at most 1": len(moved()) <= 1,
    f"best epoch: {apart('best')} photos apart, at most 1": apart("best") <= 1,
    f"last epoch: {apart('last')} photos apart, at most 1": apart("last") <= 1,
}
print(f"{torch.cuda.get_device_name(0)}, CUDA {torch.version.cuda}, torch {torch.__version__}")
print(f"{cuda['photos']}, {cuda['arch']}, weights {cuda['weights']}, {cuda['n_train']} + {cuda['n_val']} photos")
for name, metrics in (("cuda", cuda), ("cpu", cpu)):
    best, last = (f"{metrics[which]['correct']} of {metrics[which]['n']}" for which in ("best", "last"))
    print(f"{name}: best {best}, last {last}, seconds {metrics['seconds']}")
for claim, holds in checks.items():
    print(f"{'ok  ' if holds else 'FAIL'} {claim}")
sys.exit(0 if all(checks.values()) else 1)
PYTHON

settings=(--data "$data" --device cuda)
[ "$weights" = packaged ] || settings+=(--weights "$weights")
"$PYTHON" "$root/benchmarks/extraction.py" --slow --batches 16 64 256 --photos 512 "${settings[@]}"
"$PYTHON" "$root/benchmarks/growth.py" --sizes 200 12000 --classes 2 "${settings[@]}"
exit "$agreed"
