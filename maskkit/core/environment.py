"""The environment of a run: versions, machine, GPU, commit."""

import contextlib
import hashlib
import importlib.metadata
import os
import platform
import subprocess
from pathlib import Path
from typing import Any

from maskkit import __version__
from maskkit.core import paths


def versions() -> dict[str, str]:
    """Return the versions of the packages that the results depend on."""
    names = ("torch", "torchvision", "numpy", "pillow", "matplotlib")
    ours = {"maskkit": __version__, "python": platform.python_version()}
    return ours | {name: importlib.metadata.version(name) for name in names}


def environment() -> dict[str, Any]:
    """Return the content of environment.json: versions, machine, GPU, and the commit of a source tree."""
    import torch

    return {
        "versions": versions(),
        "platform": platform.platform(),
        "processors": os.cpu_count(),
        "cuda": torch.cuda.get_device_name(0) if torch.cuda.is_available() else None,
        "commit": commit(),
    }


def commit() -> str | None:
    """Return the source tree's commit, with `+changes` if files differ from it; None outside a git checkout."""
    describe = ["git", "-C", str(paths.ROOT), "describe", "--always", "--abbrev=12", "--dirty=+changes"]
    try:
        done = subprocess.run(describe, capture_output=True, text=True, timeout=10, check=False)
    except (OSError, subprocess.TimeoutExpired):  # no git on this machine: the run is none the worse
        return None
    return done.stdout.strip() or None


def code_hash() -> str:
    """Return a hash of maskkit's own Python files, for cached results that depend on much of the code."""
    digest = hashlib.sha256()
    for path in sorted(Path(__file__).parents[1].rglob("*.py")):
        digest.update(path.read_bytes())
    return digest.hexdigest()


def processor() -> str:
    """Return the processor's name."""
    with contextlib.suppress(OSError):
        for line in Path("/proc/cpuinfo").read_text().splitlines():
            if line.startswith("model name"):
                return line.split(":", 1)[1].strip()
    return platform.processor() or platform.machine()


def load_average() -> float | None:
    """Return how many processes wanted a core during the last minute, on average; None if the system does not say."""
    return round(os.getloadavg()[0], 2) if hasattr(os, "getloadavg") else None
