"""Which recipes of a sweep are best, and which are as good within noise.

Recipes that differ only in their seed are one setting, repeated. Settings are compared on the photos that both
answered: the difference per photo of the last epoch, and its interval over groups of photos (`intervals.mean`). The
best epoch is not compared: it was chosen on these photos.
"""

import dataclasses
from collections.abc import Iterable
from typing import Any

import numpy as np

from maskkit import evaluate
from maskkit.core import intervals
from maskkit.sweep import folder
from maskkit.sweep.recipes import DRAW_PARAMETERS, Recipe, varied_parameters
from maskkit.sweep.state import Sweep

Interval = tuple[float | None, list[float] | None]  # mean and its ends, of `intervals.mean`


@dataclasses.dataclass
class Setting:
    """Recipes that differ in SEED only: `differs` {name: value} of what the sweep varies, `keys` by seed.

    score: over all seeds, as `evaluate.score`, its interval for photos that come in groups. gap: (mean, [low, high]) of
    its accuracy minus the best setting's, on the photos both answered; None for the best. noise: whether that is noise.
    """

    differs: dict[str, Any]
    keys: list[str] = dataclasses.field(default_factory=list)
    seeds: list[int] = dataclasses.field(default_factory=list)
    # {(draw, photo): (right, group)}
    answers: dict[tuple[str, str], tuple[int, str]] = dataclasses.field(default_factory=dict, repr=False)
    score: dict[str, Any] = dataclasses.field(default_factory=dict)
    gap: Interval | None = None
    noise: bool = True

    @property
    def name(self) -> str:
        """What it differs in: 'ARCH resnet18, EPOCHS 10'."""
        return ", ".join(f"{name} {value}" for name, value in self.differs.items()) or "the only setting"

    @property
    def words(self) -> str:
        """Its name and its score, for a reader."""
        return f"{self.name}: last epoch {evaluate.format_score(self.score)}, {len(self.seeds)} seeds"


@dataclasses.dataclass
class Ranking:
    """Settings that are validated on the same photos, the best first."""

    photos: str
    settings: list[Setting] = dataclasses.field(default_factory=list)


def rank(sweep: Sweep) -> list[Ranking]:
    """The settings of a sweep's finished recipes; the ranking with most settings first."""
    done = sorted(sweep.of("done"), key=lambda key: sweep.recipes[key]["SEED"])
    varied = [name for name in varied_parameters(sweep.recipes[key] for key in done) if name != "SEED"]
    rankings: dict[tuple, Ranking] = {}
    settings: dict[tuple, Setting] = {}
    for key in done:
        recipe = sweep.recipes[key]
        photos, everything = (without_seed(recipe, names) for names in (DRAW_PARAMETERS, recipe))
        ranking = rankings.setdefault(photos, Ranking(name_photos(sweep.rows[key]["photos"], recipe)))
        if everything not in settings:
            settings[everything] = Setting({name: recipe[name] for name in varied})
            ranking.settings.append(settings[everything])
        setting = settings[everything]
        setting.keys.append(key)
        setting.seeds.append(recipe["SEED"])
        setting.answers |= folder.read_answers(sweep.folder, key, recipe)
    for ranking in rankings.values():
        ranking.settings = compare(ranking.settings)
    return sorted(rankings.values(), key=lambda ranking: -len(ranking.settings))


def without_seed(recipe: Recipe, names: Iterable[str]) -> tuple[tuple[str, Any], ...]:
    """Some parameters of a recipe with their values, beside SEED."""
    return tuple((name, recipe[name]) for name in names if name != "SEED")


def name_photos(photos: str, recipe: Recipe) -> str:
    return f"{photos}, {recipe['PER_CLASS'] or 'all'} a class, {recipe['SPLIT']} split"


def compare(settings: list[Setting]) -> list[Setting]:
    """The settings, the best first, each with its score and its gap to the best."""
    for setting in settings:
        right, groups = zip(*setting.answers.values(), strict=True)
        share, interval = intervals.rate(right, groups, seed=0)
        setting.score = evaluate.score(sum(right), len(right)) | {"accuracy": share, "interval": interval}
    best, *others = settings = sorted(settings, key=lambda setting: -setting.score["accuracy"])  # equals keep the order
    for setting in others:
        shared = [photo for photo in setting.answers if photo in best.answers]
        gaps = np.array([setting.answers[photo][0] - best.answers[photo][0] for photo in shared])
        setting.gap = intervals.mean(gaps, [setting.answers[photo][1] for photo in shared], seed=0)
        ends = setting.gap[1]
        setting.noise = ends is None or ends[1] >= 0
    return settings
