"""The network: architectures, the transform of its input, its backbone frozen, its new head."""

from __future__ import annotations

import copy
import dataclasses
import functools
import hashlib
import warnings
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, cast

import numpy as np
import torch
import torchvision
from PIL import Image
from torch import nn
from torch.fx.experimental import optimization
from torchvision.transforms import v2

from maskkit.core import memory, parameters

if TYPE_CHECKING:
    from maskkit.pretrained import Pretrained


@dataclasses.dataclass(frozen=True)
class Architecture:
    """A torchvision classifier whose last layer, the module called `head`, is a Linear that we replace."""

    build: Callable[..., nn.Module]
    imagenet: Any  # torchvision's weights entry, for its address and hash
    head: str
    last_stage: str  # the module whose output Grad-CAM explains, (N, channels, h, w)
    # network -> (trunk, tail): what `unfreeze` leaves frozen, and the last stages with the head
    cut: Callable[[Any], tuple[nn.Sequential, nn.Sequential]] | None = None


def cut_resnet(network: Any) -> tuple[nn.Sequential, nn.Sequential]:
    trunk = (network.conv1, network.bn1, network.relu, network.maxpool, network.layer1, network.layer2, network.layer3)
    return nn.Sequential(*trunk), nn.Sequential(network.layer4, network.avgpool, nn.Flatten(), network.fc)


def cut_mobilenet(network: Any) -> tuple[nn.Sequential, nn.Sequential]:
    tail = (network.features[17:], nn.AdaptiveAvgPool2d(1), nn.Flatten(), network.classifier)
    return network.features[:17], nn.Sequential(*tail)


# The networks named in menus and messages; `architecture` finds torchvision's others. See CONTRIBUTING.md.
ARCHITECTURES = {
    "resnet18": Architecture(
        torchvision.models.resnet18,
        torchvision.models.ResNet18_Weights.IMAGENET1K_V1,
        "fc",
        "layer4",
        cut_resnet,
    ),
    "mobilenet_v2": Architecture(
        torchvision.models.mobilenet_v2,
        torchvision.models.MobileNet_V2_Weights.IMAGENET1K_V1,
        "classifier.1",
        "features",
        cut_mobilenet,
    ),
}


@functools.cache
def architecture(name: str) -> Architecture:
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
        path
        for path, child in network.named_children()
        if any(isinstance(m, nn.Conv2d) for m in child.modules())
        and "aux" not in path.lower()  # heads of their own, for training
    ]
    return Architecture(build, getattr(weights, "IMAGENET1K_V1", weights.DEFAULT), head, stages[-1])


# --- images in ----------------------------------------------------------------------------------


@dataclasses.dataclass(frozen=True)
class Transform:
    """A PIL RGB image of any size as the network's input, float32 (3, size_px, size_px).

    Resized as floats (bilinear, antialias; the aspect ratio is not kept), then normalised with the mean and
    standard deviation that torchvision's ImageNet weights were trained with.
    """

    size_px: int = 224
    mean: tuple[float, float, float] = (0.485, 0.456, 0.406)
    std: tuple[float, float, float] = (0.229, 0.224, 0.225)

    def __call__(self, image: Image.Image | np.ndarray) -> torch.Tensor:
        pixels = torch.from_numpy(np.array(image, dtype=np.uint8)).permute(2, 0, 1)
        pixels = v2.functional.to_dtype(pixels, torch.float32, scale=True)
        pixels = v2.functional.resize(pixels, [self.size_px, self.size_px], antialias=True)
        return v2.functional.normalize(pixels, self.mean, self.std)

    def describe(self) -> dict[str, Any]:
        """A complete description: stored beside every model, and part of the feature cache's key."""
        return dataclasses.asdict(self) | {"resize": "bilinear antialias float32", "colour": "RGB"}


# --- network ------------------------------------------------------------------------------------


def build(source: Pretrained, n_classes: int, seed: int) -> nn.Module:
    """The network of a `Pretrained`, all frozen but a new Linear head of `n_classes` outputs drawn from `seed`.

    Returns:
        the torchvision module, images (N, 3, H, W) to logits (N, n_classes).
    """
    if source.state is None:
        return freeze(skeleton(source.arch, n_classes, seed), source.arch)
    network = skeleton(source.arch, n_classes, seed, empty=True)
    head_state = head(network, source.arch).state_dict(prefix=architecture(source.arch).head + ".")
    counters = {name: torch.tensor(0) for name in network.state_dict() if name.endswith("num_batches_tracked")}
    state = {name: values.clone() for name, values in source.state.items()}  # training must not change the source
    network.load_state_dict(counters | state | head_state, assign=True)
    return freeze(network, source.arch)


def skeleton(arch: str, n_classes: int, seed: int, empty: bool = False) -> nn.Module:
    """The network with random weights drawn from `seed`; the global random state is left as it was.

    empty: draw the head's alone; the others have no values yet, for whoever loads them at once (`assign=True`).
    """
    memory.keep_freed()
    head_name = architecture(arch).head
    with torch.random.fork_rng(devices=[]), torch.device("meta" if empty else "cpu"):
        torch.manual_seed(seed)
        network = architecture(arch).build(weights=None)
    network.set_submodule(head_name, new_head(head(network, arch).in_features, n_classes, seed))
    for module in network.modules():
        if isinstance(module, nn.Dropout):
            module.p = 0.0  # the same plain linear head for every backbone, as the report's ResNet18 has
    return network


def new_head(n_features: int, n_classes: int, seed: int) -> nn.Linear:
    """A Linear with weights drawn from `seed` alone: the same ones whatever backbone stands before it."""
    with torch.random.fork_rng(devices=[]):
        torch.default_generator.manual_seed(seed)  # `torch.manual_seed` seeds GPUs too, with a stack trace for each
        return nn.Linear(n_features, n_classes)


def freeze(network: nn.Module, arch: str) -> nn.Module:
    """Let only the head learn. Frozen layers stay in eval mode: see `train.set_mode`."""
    network.requires_grad_(False)
    head(network, arch).requires_grad_(True)
    return network.eval()


def cut(network: nn.Module, arch: str) -> tuple[nn.Sequential, nn.Sequential]:
    """(trunk, tail) of a network, sharing its modules: tail(trunk(images)) is network(images).

    The tail is ResNet18's layer4, or MobileNetV2's last two stages (features 17 and 18), with all that follows.

    Raises:
        ValueError: an architecture that does not name the place.
    """
    cut_network = architecture(arch).cut
    if cut_network is None:
        raise ValueError(f"{arch} has no `cut` in model.ARCHITECTURES, so it cannot be unfrozen")
    return cut_network(network)


def unfreeze(network: nn.Module, arch: str) -> nn.Module:
    """Let the tail learn, all but its batch norms, whose running statistics and weights stay what they are."""
    _, tail = cut(network, arch)
    for module in tail.modules():
        if not isinstance(module, nn.BatchNorm2d):
            for weight in module.parameters(recurse=False):
                weight.requires_grad_(True)
    return network


def head(network: nn.Module, arch: str) -> nn.Linear:
    """The last layer, a Linear (n_features -> n_classes)."""
    return cast(nn.Linear, network.get_submodule(architecture(arch).head))


class Backbone(nn.Module):
    """Everything before the head: images (N, 3, H, W) to features (N, n_features). Shares the network's tensors."""

    def __init__(self, network: nn.Module, arch: str) -> None:
        super().__init__()
        shared = {id(tensor): tensor for tensor in (*network.parameters(), *network.buffers())}
        self.network = copy.deepcopy(network, shared)
        self.network.set_submodule(architecture(arch).head, nn.Identity())

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        return self.network(images)


def for_inference(network: nn.Module) -> nn.Module:
    """An equal network for inference only, and faster: batch norms folded into convolutions, channels last.

    Its outputs agree with the network's to 1e-4 of the largest (float32 rounds elsewhere). A network that torch.fx
    cannot follow keeps its batch norms.
    """
    try:
        folded = optimization.fuse(network.eval())
    except (torch.fx.proxy.TraceError, TypeError, RuntimeError):  # a branch on values, an iteration, a length
        folded = copy.deepcopy(network)
    return folded.requires_grad_(False).to(memory_format=torch.channels_last)


def fingerprint(network: nn.Module, arch: str) -> str:
    """The sha256 of everything before the head: two networks with equal ones give a photo equal features."""
    digest = hashlib.sha256()
    for name, value in network.state_dict().items():
        if not name.startswith(architecture(arch).head + "."):
            digest.update(name.encode())
            digest.update(value.detach().cpu().contiguous().numpy().tobytes())
    return digest.hexdigest()


def count_weights(network: nn.Module) -> tuple[int, int]:
    """(number that learn, number in all)."""
    sizes = [(weight.numel(), weight.requires_grad) for weight in network.parameters()]
    return sum(n for n, learns in sizes if learns), sum(n for n, _ in sizes)


def device(name: str) -> torch.device:
    """The torch device that parameter DEVICE means: "auto" takes CUDA where there is one.

    Raises:
        ValueError: an unknown name, or CUDA asked for and not there.
    """
    if parameters.need("DEVICE", name) == "cuda" and not torch.cuda.is_available():
        raise ValueError("DEVICE='cuda', but torch sees no CUDA device; use DEVICE='auto' or 'cpu'")
    return torch.device("cuda" if name != "cpu" and torch.cuda.is_available() else "cpu")
