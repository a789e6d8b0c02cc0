"""What a run depends on: versions, the machine and its device, the commit."""

import importlib.metadata
import os
import platform
import subprocess

from maskkit import __version__
from maskkit.core import paths


def versions():
    """Versions of what the numbers depend on."""
    names = ("torch", "torchvision", "numpy", "pillow", "matplotlib")
    ours = {"maskkit": __version__, "python": platform.python_version()}
    return ours | {name: importlib.metadata.version(name) for name in names}


def environment():
    """What environment.json holds: versions, the machine and its device, and the commit of a source tree."""
    import torch

    return {
        "versions": versions(),
        "platform": platform.platform(),
        "processors": os.cpu_count(),
        "cuda": torch.cuda.get_device_name(0) if torch.cuda.is_available() else None,
        "commit": commit(),
    }


def commit():
    """The source tree's commit, with `+changes` where it differs; None outside a git checkout."""
    describe = ["git", "-C", str(paths.ROOT), "describe", "--always", "--abbrev=12", "--dirty=+changes"]
    try:
        done = subprocess.run(describe, capture_output=True, text=True, timeout=10, check=False)
    except (OSError, subprocess.TimeoutExpired):  # no git on this machine: the run is none the worse
        return None
    return done.stdout.strip() or None
