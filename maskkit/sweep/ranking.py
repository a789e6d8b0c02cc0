"""Which recipes of a sweep are best, and which are so within noise.

Recipes that differ in their seed only are one setting, repeated. Settings are compared on the photos that both
answered: the difference per photo of the last epoch, and its interval over groups of photos (`intervals.mean`). The
best epoch is not compared: it was chosen on these photos.
"""

import dataclasses

import numpy as np

from maskkit import evaluate
from maskkit.core import disk, intervals
from maskkit.sweep import sweep

EXAM = ("DATA", "PER_CLASS", "SPLIT", "GROUPS", "CORRECTIONS")  # settings that differ in these answer other photos


@dataclasses.dataclass
class Setting:
    """Recipes that differ in SEED only: `differs` {name: value} of what the sweep varies, `keys` by seed.

    score: over all seeds, as `evaluate.score`, its interval for photos that come in groups. gap: (mean, [low, high]) of
    its accuracy minus the best setting's, on the photos both answered; None for the best. noise: whether that is noise.
    """

    differs: dict
    keys: list
    seeds: list
    answers: dict = dataclasses.field(repr=False)  # {(draw, photo): (right, group)}
    score: dict = None
    gap: tuple = None
    noise: bool = True

    @property
    def words(self):
        said = ", ".join(f"{name} {value}" for name, value in self.differs.items()) or "the only setting"
        return f"{said}: last epoch {evaluate.format_score(self.score)}, {len(self.seeds)} seeds"


@dataclasses.dataclass
class Exam:
    """Settings that answer the same photos, the best first."""

    photos: str
    settings: list


def rank(found):
    """The exams of a `sweep.Sweep`, from its finished recipes; the one with most settings first."""
    done = [found.recipes[key] for key in found.of("done")]
    varied = [name for name in sweep.varied(done) if name != "SEED"]
    settings, photos = {}, {}
    for key in sorted(found.of("done"), key=lambda key: found.recipes[key]["SEED"]):
        recipe = found.recipes[key]
        exam, mark = (
            tuple((k, v) for k, v in recipe.items() if (k in EXAM) == inside and k != "SEED")
            for inside in (True, False)
        )
        differs = {name: recipe[name] for name in varied}
        one = settings.setdefault(exam, {}).setdefault(mark, Setting(differs, [], [], {}))
        one.keys.append(key)
        one.seeds.append(recipe["SEED"])
        one.answers |= answers(found.folder, key, recipe)
        photos[exam] = f"{found.rows[key]['photos']}, {recipe['PER_CLASS'] or 'all'} a class, {recipe['SPLIT']} split"
    exams = [Exam(photos[exam], compared(list(own.values()))) for exam, own in settings.items()]
    return sorted(exams, key=lambda exam: -len(exam.settings))


def answers(folder, key, recipe):
    """{(draw, sha256): (right 0 | 1, group)} of a recipe's validation photos."""
    draw = sweep.key_of(sweep.draw_of(recipe))
    rows = [row for row in disk.read_csv(folder / "draws" / draw / "split.csv") if row["part"] == "val"]
    right = disk.read_json(folder / "recipes" / key / "result.json")["right"]
    return {(draw, row["file"]): (int(hit), row["group"]) for row, hit in zip(rows, right, strict=True)}


def compared(settings):
    """The settings, the best first, each with its score and its gap to the best."""
    for one in settings:
        right, groups = zip(*one.answers.values(), strict=True)
        share, interval = intervals.rate(right, groups, seed=0)
        one.score = evaluate.score(sum(right), len(right)) | {"accuracy": share, "interval": interval}
    settings.sort(key=lambda one: -one.score["accuracy"])  # equals stay in the file's order
    best = settings[0]
    for one in settings[1:]:
        shared = [photo for photo in one.answers if photo in best.answers]
        gaps = np.array([one.answers[photo][0] - best.answers[photo][0] for photo in shared])
        groups = [one.answers[photo][1] for photo in shared]
        one.gap = intervals.mean(gaps, groups, seed=0)
        one.noise = one.gap[1] is None or one.gap[1][1] >= 0
    return settings
