"""Features that recipes need, computed by the workers of a Dask cluster into the cache: each photo once."""

import itertools
from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING, Any

from maskkit.sweep.recipe_inputs import Backbone, Draw, FeatureSettings

if TYPE_CHECKING:
    from maskkit.data import Photos
    from maskkit.model import Transform

CHUNK = 64  # photos per job, so that a few hundred are shared out among several workers


def extraction_jobs(needed: Iterable[tuple[Draw, FeatureSettings]]) -> Iterator[tuple[Any, ...]]:
    """Jobs of `compute_features` for all photos whose features the cache lacks; no two jobs share a photo.

    Args:
        needed: what each recipe needs.
    """
    for (backbone, transform, device, cache), (photos, rows) in join_photos(needed).items():
        missing = iter(find_missing(backbone, transform, cache, rows))
        while some := list(itertools.islice(missing, CHUNK)):
            yield backbone, some, photos.classes, transform, device, cache


def join_photos(
    needed: Iterable[tuple[Draw, FeatureSettings]],
) -> "dict[tuple[Backbone, Transform, str, str], tuple[Photos, dict[str, dict[str, str]]]]":
    """{(backbone, transform, device, cache): (photos, {sha256: row})}: the photos of all recipes, each once."""
    joined: dict[tuple[Backbone, Any, str, str], tuple[Photos, dict[str, dict[str, str]]]] = {}
    for draw, settings in dict.fromkeys(needed):
        try:
            views, val, bias_views = settings.datasets(draw)
        except ValueError:  # such as an unknown AUGMENT: `fit_recipe` says so
            continue
        for photos in (*views, val, *bias_views):
            key = settings.backbone, photos.transform, settings.device, settings.cache
            joined.setdefault(key, (photos, {}))[1].update((row["sha256"], row) for row in photos.rows)
    return joined


def find_missing(
    backbone: Backbone, transform: "Transform", cache: str, rows: dict[str, dict[str, str]]
) -> list[dict[str, str]]:
    """The rows, of {sha256: row}, whose features the cache lacks."""
    from maskkit import features, model

    n_features = model.head(backbone.network(), backbone.arch).in_features
    known = features.read_shards(backbone.folder(cache, transform), n_features)
    return [row for digest, row in rows.items() if digest not in known]


def compute_features(
    backbone: Backbone,
    rows: list[dict[str, str]],
    classes: tuple[str, ...],
    transform: "Transform",
    device: str,
    cache: str,
) -> None:
    """Put photos' features into the cache; a job."""
    from maskkit import data, features, model

    photos = data.Photos(rows, classes, transform)
    indices = {row["sha256"]: index for index, row in enumerate(rows)}
    folder = backbone.folder(cache, transform)
    features.compute(backbone.network(), backbone.arch, photos, indices, folder, model.device(device))
