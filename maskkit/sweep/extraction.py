"""Features of many photos, computed by the workers of a Dask cluster into the cache."""

import dataclasses
import functools
import itertools
from pathlib import Path

from maskkit.sweep import cluster

CHUNK = 512  # photos per job of an extraction; one shard of the cache


# --- features -----------------------------------------------------------------------------------


@dataclasses.dataclass(frozen=True)
class Backbone:
    """How any process builds one frozen network: `arch` and `weights` as parameters, `seed` of random weights."""

    arch: str
    weights: str
    seed: int = 0

    def network(self):
        return network_of(self)

    def folder(self, cache, transform):
        """Where the cache keeps its features."""
        from maskkit import features

        return Path(cache) / features.key(self.arch, fingerprint_of(self), transform)


@functools.lru_cache(maxsize=2)
def network_of(backbone):
    from maskkit import model, pretrained

    return model.build(pretrained.find(backbone.arch, backbone.weights), n_classes=2, seed=backbone.seed)


@functools.lru_cache(maxsize=64)
def fingerprint_of(backbone):
    from maskkit import model

    return model.fingerprint(network_of(backbone), backbone.arch)


def extract(client, backbone, photos, *, cache, device="auto", chunk=CHUNK):
    """`features.extract` on a cluster: the photos that the cache lacks are shared out among the workers.

    Args:
        client: Dask's. backbone: a `Backbone`, built once by each worker. photos: a `data.Photos`, whose rows have
            path, label and sha256. cache: the cache's folder, as workers see it. device: as parameter DEVICE, each
            worker's own. chunk: photos per job.

    Returns:
        (features float32 (n_photos, n_features) on the CPU, number of photos computed now).

    Raises:
        OSError: some chunk could not be computed; what was is in the cache.
    """
    import numpy as np
    import torch

    from maskkit import features, model

    n_features = model.head(backbone.network(), backbone.arch).in_features
    known = features.read_shards(backbone.folder(cache, photos.transform), n_features)
    missing = {row["sha256"]: row for row in photos.rows if row["sha256"] not in known}
    n_missing = len(missing)
    for _, outcome in cluster.each(compute, chunks(backbone, photos, missing, cache, device, chunk), client):
        if outcome.error:
            raise OSError(f"a chunk of photos could not be computed: {outcome.error}")
        known |= outcome.value
    return torch.from_numpy(np.stack([known[row["sha256"]] for row in photos.rows])), n_missing


def chunks(backbone, photos, missing, cache, device, chunk=CHUNK, keep=True):
    """The jobs of `compute` for the rows `missing`, {sha256: row}."""
    rows = iter(missing.values())
    while some := list(itertools.islice(rows, chunk)):
        yield backbone, some, photos.classes, photos.transform, str(cache), device, keep


def compute(backbone, rows, classes, transform, cache, device, keep):
    """Put photos' features into the cache; returns {sha256: features} where `keep`, else {}."""
    from maskkit import data, features, model

    photos = data.Photos(rows, classes, transform)
    missing = {row["sha256"]: index for index, row in enumerate(rows)}
    folder = backbone.folder(cache, transform)
    found = features.compute(backbone.network(), backbone.arch, photos, missing, folder, model.device(device))
    return found if keep else {}
