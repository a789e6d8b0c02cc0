"""What a recipe is computed from: its photos, and the features of a frozen network."""

import dataclasses
import functools
from pathlib import Path
from typing import TYPE_CHECKING, Any

from maskkit.sweep.recipes import Recipe

if TYPE_CHECKING:
    from torch import nn

    from maskkit.data import ImageTransform, Photos
    from maskkit.sources.folders import Source


@dataclasses.dataclass(frozen=True)
class Draw:
    """The photos of a recipe: `rows` as split.csv has them, with `path`. Equal keys mean equal rows."""

    key: str
    rows: tuple[dict[str, str], ...] = dataclasses.field(compare=False, repr=False)


@dataclasses.dataclass(frozen=True)
class Backbone:
    """How any process builds one frozen network: `arch` and `weights` as parameters, `seed` of random weights."""

    arch: str
    weights: str
    seed: int = 0

    def network(self) -> "nn.Module":
        """The network, built once by each process."""
        return build_network(self)

    def folder(self, cache: str | Path, transform: "ImageTransform") -> Path:
        """Where the cache keeps its features."""
        from maskkit import features

        return Path(cache) / features.key(self.arch, fingerprint_of(self), transform)


@functools.lru_cache(maxsize=2)
def build_network(backbone: Backbone) -> "nn.Module":
    from maskkit import model, pretrained

    return model.build(pretrained.find(backbone.arch, backbone.weights), n_classes=2, seed=backbone.seed)


@functools.lru_cache(maxsize=64)
def fingerprint_of(backbone: Backbone) -> str:
    from maskkit import model

    return model.fingerprint(build_network(backbone), backbone.arch)


@dataclasses.dataclass(frozen=True)
class FeatureSettings:
    """What decides a recipe's features, beside the draw; a process reads equal ones from the cache once."""

    backbone: Backbone
    size_px: int
    augment: str
    views: int
    bias_views: int
    seed: int  # of the views; 0 without augmentation
    device: str
    cache: str

    @classmethod
    def of(cls, recipe: Recipe, arch: str, weights: str, cache: Path) -> "FeatureSettings":
        """Those of a recipe, with the network that its ARCH and WEIGHTS came to."""
        backbone = Backbone(arch, weights, recipe["SEED"] if weights == "none" else 0)
        seed = recipe["SEED"] if recipe["AUGMENT"] != "none" else 0
        return cls(
            backbone,
            recipe["SIZE_PX"],
            recipe["AUGMENT"],
            recipe["VIEWS"],
            recipe["BIAS_VIEWS"],
            seed,
            recipe["DEVICE"],
            str(cache),
        )

    def datasets(self, draw: Draw) -> "tuple[list[Photos], Photos, list[Photos]]":
        """(views of the training photos, validation photos, their views of parameter BIAS_VIEWS)."""
        from maskkit import data, model
        from maskkit.improve import augment

        classes = data.classes(draw.rows)
        train, val = (
            data.Photos([row for row in draw.rows if row["part"] == part], classes, model.Transform(self.size_px))
            for part in data.PARTS
        )
        bias_views = augment.changed_views(val, self.augment, self.bias_views, self.seed)
        return augment.views(train, self.augment, self.views, self.seed), val, bias_views


def draw_photos(source: "Source", settings: dict[str, Any]) -> tuple[list[dict[str, str]], list[dict[str, str]]]:
    """(rows, rejected) of a recipe's draw; a job."""
    from maskkit import split

    return split.choose(
        source,
        per_class=settings["PER_CLASS"],
        split=settings["SPLIT"],
        seed=settings["SEED"],
        groups=settings["GROUPS"],
        correct_by=settings["CORRECTIONS"],
    )
