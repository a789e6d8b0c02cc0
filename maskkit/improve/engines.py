"""Engines that run a network: torch, ONNX Runtime and CUDA, each checked against torch's outputs."""

import contextlib
import copy
import importlib.util
import sys
import warnings
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import torch
from torch.utils.flop_counter import FlopCounterMode

from maskkit.core import disk

if TYPE_CHECKING:
    import onnx

Run = Callable[[torch.Tensor], torch.Tensor]  # images (N, 3, H, W) to logits (N, C), both on the CPU

ENGINES = {"eager": "torch, eager", "onnxruntime": "ONNX Runtime", "cuda": "CUDA, eager"}
OPSET = 18  # the first whose Resize knows antialias, which `maskkit export` needs
TOLERANCE = 1e-4  # an engine's logits against eager's; relative to the largest one if that is above 1
CUDA_TOLERANCE = 1e-2  # cuDNN's convolutions use TF32 numbers, ten bits of mantissa, by default


def make_engine(
    engine: str,
    network: torch.nn.Module,
    images: dict[int, torch.Tensor],
    path: Path,
    threads: int,
    device: torch.device,
) -> Run:
    """Return an engine that runs the network, after a pass of each batch size.

    Args:
        engine: one of ENGINES; network: in eval mode; images: {batch size: images}.
        path: of the ONNX file that "onnxruntime" writes and reads; threads: of ONNX Runtime; device: of "cuda".

    Raises:
        RuntimeError, OSError: the engine is not available here, or its outputs differ from eager's.
    """
    if engine == "eager":
        return network
    if engine == "onnxruntime":
        run = run_onnx(network, path, threads, next(iter(images.values())).shape[-1])
    else:
        run = run_on_cuda(network, device)
    check_outputs(run, network, images, CUDA_TOLERANCE if engine == "cuda" else TOLERANCE)
    return run


def run_onnx(network: torch.nn.Module, path: Path, threads: int, size_px: int) -> Run:
    """ONNX Runtime on the CPU, from a file that is written here."""
    graph = to_onnx(network, torch.zeros(2, 3, size_px, size_px), free=(0,), output="logits")
    disk.write_bytes(path, graph.SerializeToString())
    return open_onnx(path, threads)


def need_onnx() -> None:
    """Raise FileNotFoundError where the extra [onnx] is not installed; the exporter would name one missing package."""
    missing = [name for name in ("onnx", "onnxscript", "onnxruntime") if not importlib.util.find_spec(name)]
    if missing:
        raise FileNotFoundError(f"ONNX needs {', '.join(missing)}: pip install -e '.[onnx]'")


def to_onnx(network: torch.nn.Module, images: torch.Tensor, *, free: Sequence[int], output: str) -> "onnx.ModelProto":
    """A network as an ONNX graph, weights inside, from its input `images` to an output of a given name.

    Args:
        images: an example; no two sizes that are free may be alike, or they would be tied to each other.
        free: the dimensions of the input that may have any size.

    Raises:
        FileNotFoundError: as `need_onnx`.
    """
    need_onnx()
    with warnings.catch_warnings(), contextlib.redirect_stdout(sys.stderr):
        warnings.simplefilter("ignore")  # the exporter's own use of what torch deprecates
        program = torch.onnx.export(
            network,
            (images,),
            input_names=["images"],
            output_names=[output],
            dynamic_shapes=(dict.fromkeys(free, torch.export.Dim.DYNAMIC),),
            opset_version=OPSET,
            dynamo=True,
            external_data=False,
            verbose=False,
        )
    assert program is not None  # of dynamo=True
    return program.model_proto


def open_onnx(path: str | Path, threads: int) -> Run:
    """Open an ONNX file with ONNX Runtime.

    Its threads sleep between passes: by default they spin, which would take the cores from the engine measured next.
    """
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads, options.inter_op_num_threads = threads, 1
    options.add_session_config_entry("session.force_spinning_stop", "1")
    session = onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
    return lambda images: torch.from_numpy(session.run(None, {"images": images.numpy()})[0])


def run_on_cuda(network: torch.nn.Module, device: torch.device) -> Run:
    """A copy of the network on the GPU; copying the outputs to the CPU waits until they are computed."""
    on_device = copy.deepcopy(network).to(device)
    return lambda images: on_device(images.to(device)).cpu()


@torch.inference_mode()
def check_outputs(run: Run, network: torch.nn.Module, images: dict[int, torch.Tensor], tolerance: float) -> None:
    """Pass each batch size once, which also warms the engine up, and compare the outputs with eager's.

    Raises:
        RuntimeError: they differ by more than `tolerance`, relative to the largest one if that is above 1.
    """
    for batch in images.values():
        expected = network(batch)
        difference = ((run(batch) - expected).abs().max() / expected.abs().max().clamp(min=1)).item()
        if not difference <= tolerance:
            raise RuntimeError(f"outputs differ from eager's by {difference:.1e}, over {tolerance:.0e}")


@torch.inference_mode()
def count_multiply_adds(network: torch.nn.Module, image: torch.Tensor) -> int:
    """Count the multiply-adds of one photo (1, 3, H, W) in convolutions and matrix products."""
    with FlopCounterMode(display=False) as counter:
        network(image)
    return counter.get_total_flops() // 2


@torch.inference_mode()
def set_norm_statistics(network: torch.nn.Module, images: torch.Tensor) -> None:
    """Compute the batch-norm statistics of a network with random weights.

    Without them activations shrink from layer to layer (MobileNetV2's features to 1e-11), and two engines that differ
    in them would still have equal outputs: the head's bias.
    """
    norms = [m for m in network.modules() if isinstance(m, torch.nn.BatchNorm2d)]
    if len(images) < 2 or not norms:
        return
    for norm in norms:
        norm.train().momentum = 1.0
    network(images)
    network.eval()
