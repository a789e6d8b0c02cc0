"""Features that recipes need, computed by the workers of a Dask cluster into the cache: each photo once."""

import itertools
from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING, Any, TypeAlias

from maskkit.core import parallel
from maskkit.sweep.recipe_inputs import Backbone, Draw, FeatureSettings

if TYPE_CHECKING:
    from maskkit.data import Photos

Place: TypeAlias = "tuple[Photos, int]"  # a photo: the dataset that it is in, and its index there

CHUNK = 64  # photos per job, so that a few hundred are shared out among several workers


def extraction_jobs(needed: Iterable[tuple[Draw, FeatureSettings]]) -> Iterator[tuple[Any, ...]]:
    """Jobs of `compute_features` for all photos whose features the cache lacks; no two jobs share a photo.

    Args:
        needed: what each recipe needs.
    """
    for (backbone, _, device, cache), places in join_photos(needed).items():
        for photos, indices in itertools.groupby(find_missing(backbone, cache, places), key=lambda place: place[0]):
            missing = (index for _, index in indices)
            for some in parallel.in_batches(missing, CHUNK):
                yield backbone, photos.subset(some), device, cache


def join_photos(
    needed: Iterable[tuple[Draw, FeatureSettings]],
) -> dict[tuple[Backbone, Any, str, str], dict[str, Place]]:
    """{(backbone, transform, device, cache): {sha256: place}}: the photos of all recipes, each once."""
    joined: dict[tuple[Backbone, Any, str, str], dict[str, Place]] = {}
    for draw, settings in dict.fromkeys(needed):
        views, val, bias_views = settings.datasets(draw)
        for photos in (*views, val, *bias_views):
            places = joined.setdefault((settings.backbone, photos.transform, settings.device, settings.cache), {})
            for index, row in enumerate(photos.rows):
                places.setdefault(row["sha256"], (photos, index))
    return joined


def find_missing(backbone: Backbone, cache: str, places: dict[str, Place]) -> list[Place]:
    """The places, of {sha256: place} under one transform, whose features the cache lacks."""
    from maskkit import features, model

    photos, _ = next(iter(places.values()))
    n_features = model.head(backbone.network(), backbone.arch).in_features
    known = features.read_shards(backbone.folder(cache, photos.transform), n_features)
    return [place for digest, place in places.items() if digest not in known]


def compute_features(backbone: Backbone, photos: "Photos", device: str, cache: str) -> None:
    """Put photos' features into the cache; a job."""
    from maskkit import features, model

    indices = {row["sha256"]: index for index, row in enumerate(photos.rows)}
    folder = backbone.folder(cache, photos.transform)
    features.compute(backbone.network(), backbone.arch, photos, indices, folder, model.device(device))
