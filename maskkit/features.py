"""Features of a frozen backbone, cached on disk for all runs: each photo passes the backbone once.

Features computed with another number of threads, beside other photos or on another processor agree within 1e-4 of the
largest, not to the last digit; the cache does not tell them apart.

The cache is a folder per key (weights + architecture + transform + dtype) of shard files; each holds the
features of up to SHARD photos and the photos' sha256. Shards are only ever added, whole, so that any number of
processes may fill and read one cache at once.
"""

import contextlib
import hashlib
import itertools
import json
import time
import warnings
from collections.abc import Iterable, Iterator
from pathlib import Path

import numpy as np
import safetensors
import safetensors.numpy
import torch
from torch import nn

from maskkit import data, model
from maskkit.core import batches, disk, parallel
from maskkit.core.cache import one_at_a_time
from maskkit.core.progress import bar
from maskkit.sources import decoding

BATCH = {"cpu": 8, "cuda": 256}  # photos per pass; benchmarks/README.md has the measurement
SHARD = 512  # photos per file: what an interrupted extraction can lose


def extract(
    network: nn.Module, arch: str, dataset: data.Photos, *, cache: Path, device: torch.device
) -> tuple[torch.Tensor, int]:
    """The backbone's features of every photo of a dataset, in its order.

    Args:
        network: a frozen network of `model.build`; everything before its head is the backbone.
        arch: its architecture.
        dataset: a `data.MaskDataset`; its rows' sha256 find photos in the cache.
        cache: the cache's folder.
        device: where the backbone runs.

    Returns:
        (features float32 (n_photos, n_features) on the CPU, number of photos computed now).

    Raises:
        ValueError: part of the backbone would learn, so its features would not stay what they are.
    """
    head = model.head(network, arch)
    if any(weight.requires_grad for name, weight in network.named_parameters() if not is_of(head, weight)):
        raise ValueError("part of the backbone learns, so its features cannot be cached; freeze it or fit on photos")
    folder = Path(cache) / key(arch, model.fingerprint(network, arch), dataset.transform)
    hashes = [row["sha256"] for row in dataset.rows]
    known = read_shards(folder, head.in_features)
    missing = {digest: index for index, digest in enumerate(hashes) if digest not in known}
    if missing:
        with one_at_a_time(folder / f".{hashlib.sha256(''.join(missing).encode()).hexdigest()[:24]}.lock"):
            known |= read_shards(folder, head.in_features)
            missing = {digest: index for digest, index in missing.items() if digest not in known}
            known |= compute(network, arch, dataset, missing, folder, device)
    return torch.from_numpy(np.stack([known[digest] for digest in hashes])), len(missing)


def extract_each(
    network: nn.Module, arch: str, datasets: Iterable[data.Photos], *, cache: Path, device: torch.device
) -> tuple[list[torch.Tensor], int]:
    """`extract` for several datasets, such as the views of one: (list of features, number of photos computed now)."""
    extracted = [extract(network, arch, dataset, cache=cache, device=device) for dataset in datasets]
    return [X for X, _ in extracted], sum(n_computed for _, n_computed in extracted)


def extract_pairs(
    network: nn.Module, arch: str, *groups: list[data.Photos], cache: Path, device: torch.device
) -> tuple[list[list[tuple[torch.Tensor, torch.Tensor]]], int]:
    """`extract` for groups of datasets: ([(features, labels int64 (n_photos,)) of each dataset] of each group, number
    of photos computed now).
    """
    found, n_computed = [], 0
    for group in groups:
        X, n = extract_each(network, arch, group, cache=cache, device=device)
        found.append([(x, photos.label_tensor()) for x, photos in zip(X, group, strict=True)])
        n_computed += n
    return found, n_computed


def outputs(module: nn.Module, dataset: data.Photos, device: torch.device) -> torch.Tensor:
    """A frozen module's outputs for every photo of a dataset, in memory: float32 (n_photos, ...) on the CPU.

    For a trunk of `model.cut`: its outputs are too large for the cache (200 KB a photo) and soon computed.
    Computed by the module as it is, not `model.for_inference`: a tail that learns on them would grow the rounding into
    another training (losses 2e-4 apart after three epochs).
    """
    parts = []
    with bar(total=len(dataset), desc="network", unit=" photos") as progress:
        for batch in passes(module, dataset, range(len(dataset)), device):
            parts.append(torch.from_numpy(batch))
            progress.update(len(batch))
    return torch.cat(parts)


def is_of(module: nn.Module, weight: nn.Parameter) -> bool:
    """Whether a weight is one of a module's."""
    return any(weight is parameter for parameter in module.parameters())


def key(arch: str, fingerprint: str, transform: data.ImageTransform) -> str:
    """The cache folder's name: anything that could change a feature changes it."""
    text = json.dumps([arch, fingerprint, transform.describe(), "float32", decoding.VERSION], sort_keys=True)
    return f"{arch}-{hashlib.sha256(text.encode()).hexdigest()[:24]}"


def compute(
    network: nn.Module, arch: str, dataset: data.Photos, missing: dict[str, int], folder: Path, device: torch.device
) -> dict[str, np.ndarray]:
    """{sha256: features (n_features,)} of the photos at the indices `missing`, written shard by shard."""
    if not missing:
        return {}
    backbone = model.Backbone(model.for_inference(network), arch)
    done: dict[str, np.ndarray] = {}
    shard: dict[str, np.ndarray] = {}
    hashes = iter(missing)
    with bar(total=len(missing), desc="features", unit=" photos") as progress:
        try:
            for batch in passes(backbone, dataset, missing.values(), device):
                shard |= zip(itertools.islice(hashes, len(batch)), batch, strict=True)
                progress.update(len(batch))
                if len(shard) >= SHARD or len(done) + len(shard) == len(missing):
                    write_shard(folder, shard)
                    done |= shard
                    shard = {}
        except (KeyboardInterrupt, SystemExit):  # a signal: what it cuts off need not be computed again
            if shard:
                write_shard(folder, shard)
            raise
    return done


def passes(
    module: nn.Module, dataset: data.Photos, indices: Iterable[int], device: torch.device
) -> Iterator[np.ndarray]:
    """A frozen module's outputs for some photos of a dataset, pass by pass: arrays (n, ...), n at most BATCH."""
    module = module.eval().to(device)
    return parallel.read_and_pass(
        lambda index: dataset[index][0],
        lambda images: pass_images(module, images, device),
        indices,
        BATCH[device.type],
        core_each=device.type == "cpu",
    )


@torch.inference_mode()
def pass_images(module: nn.Module, images: list[torch.Tensor], device: torch.device) -> np.ndarray:
    """The module's outputs for a list of images (3, H, W), at most BATCH: an array (n, ...).

    A short batch is filled up with zeros, so that every pass has one shape: the arithmetic library may sum in another
    order for another shape, which changes the last digits of a feature.
    """
    on_gpu = device.type == "cuda"  # from pinned memory the copy runs while the next photos are decoded
    filled = torch.zeros(BATCH[device.type], *images[0].shape, pin_memory=on_gpu)
    torch.stack(images, out=filled[: len(images)])
    return batches.forward(module, filled, device)[: len(images)].numpy()


def write_shard(folder: Path, shard: dict[str, np.ndarray]) -> None:
    """Add one shard file; its name is its content's, so two processes that computed the same write the same."""
    tensors = {
        "features": np.stack(list(shard.values())),
        "sha256": np.array([list(bytes.fromhex(digest)) for digest in shard], dtype=np.uint8),
    }
    content = safetensors.numpy.save(tensors)
    for left in folder.glob(".*.safetensors"):  # what a killed writer left; a writer of today may be at work
        with contextlib.suppress(FileNotFoundError):  # its writer has just renamed it
            if time.time() - left.stat().st_mtime > 86_400:
                left.unlink()
    disk.write_bytes(folder / f"{hashlib.sha256(content).hexdigest()[:24]}.safetensors", content)


def read_shards(folder: Path, n_features: int) -> dict[str, np.ndarray]:
    """{sha256: features} of every shard; a damaged one is skipped with a warning, its photos are computed again."""
    known: dict[str, np.ndarray] = {}
    for path in sorted(folder.glob("[!.]*.safetensors")):
        try:
            tensors = safetensors.numpy.load_file(path)
            features, hashes = tensors["features"], tensors["sha256"]
        except (safetensors.SafetensorError, KeyError) as error:
            warnings.warn(f"{path} is damaged ({error}); its photos are computed again", stacklevel=2)
            continue
        if features.shape != (len(hashes), n_features) or not np.isfinite(features).all():
            warnings.warn(f"{path} does not hold {n_features} finite features per photo; passed over", stacklevel=2)
            continue
        known |= {bytes(digest).hex(): values for digest, values in zip(hashes, features, strict=True)}
    return known
