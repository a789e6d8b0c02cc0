"""Peak memory of a network, measured in a fresh process."""

import subprocess
import sys
from pathlib import Path

import safetensors.torch
import torch

from maskkit import model
from maskkit.core import memory
from maskkit.improve.engines import Run, open_onnx

PROBED = ("eager", "onnxruntime")  # engines whose memory is measured


def peak_mib(
    engine: str, arch: str, file: Path, n_classes: int, batch: int, size_px: int, threads: int
) -> float | None:
    """Return the peak memory of loading the network and passing one batch, in MiB above a process with the imports.

    Measured in a fresh process, because this one holds the other networks too. None if the system does not say (not
    Linux).
    """
    arguments = (engine, arch, str(file), n_classes, batch, size_px, threads)
    code = f"from maskkit.improve import network_memory; network_memory.print_peak{arguments!r}"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    return float(done.stdout) if done.returncode == 0 else None


def print_peak(engine: str, arch: str, file: str, n_classes: int, batch: int, size_px: int, threads: int) -> None:
    """Print the peak memory of this process above the imports, in MiB; called in the fresh process."""
    if engine == "onnxruntime":
        import onnxruntime  # noqa: F401  an import, so not counted
    torch.set_num_threads(threads)
    Path("/proc/self/clear_refs").write_text("5")  # resets the peak to what is held now
    before = memory.status_mib("VmRSS")
    with torch.inference_mode():
        run: Run
        if engine == "onnxruntime":
            run = open_onnx(file, threads)
        else:
            # Not `model.skeleton`, which tells the allocator to keep freed memory: holes between tensors, which no
            # network needs, would be counted (ResNet18 684 instead of 484 MiB, MobileNetV2 up to 1,097, not 770).
            network = model.architecture(arch).build(weights=None, num_classes=n_classes).eval()
            network.load_state_dict(safetensors.torch.load_file(file))
            run = network
        run(torch.zeros(batch, 3, size_px, size_px))
    print(memory.status_mib("VmHWM") - before)
