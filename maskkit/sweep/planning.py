"""What recipes need before they are trained: the photos' source, the weights, the draw. Each is looked up once."""

import dataclasses
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, NamedTuple

from maskkit.runner import check_inputs
from maskkit.sweep import folder
from maskkit.sweep.jobs import Outcome, run_job, run_jobs
from maskkit.sweep.recipe_inputs import Draw, draw_photos
from maskkit.sweep.recipes import Recipe, draw_settings, key_of

if TYPE_CHECKING:
    from distributed import Client

    from maskkit.pretrained import Pretrained
    from maskkit.sources.folders import Source


class Network(NamedTuple):
    """What ARCH and WEIGHTS of a recipe came to, and the name for titles."""

    arch: str
    weights: str
    title: str


@dataclasses.dataclass
class Inputs:
    """sources: {DATA: source}. networks: {key: network}. broken: {key: outcome} of recipes that lack one of them."""

    sources: "dict[str, Source]" = dataclasses.field(default_factory=dict)
    networks: dict[str, Network] = dataclasses.field(default_factory=dict)
    broken: dict[str, Outcome] = dataclasses.field(default_factory=dict)


def find_inputs(
    recipes: Mapping[str, Recipe], sweep_folder: folder.SweepFolder, print_line: Callable[[str], object]
) -> Inputs:
    """Find the photos and weights of all recipes; what each "auto" came to is recorded and printed."""
    from maskkit import pretrained
    from maskkit.sources import folders

    sources = {name: run_job(folders.find, (name,)) for name in {recipe["DATA"]: 0 for recipe in recipes.values()}}
    pairs = {(recipe["ARCH"], recipe["WEIGHTS"]): 0 for recipe in recipes.values()}
    weights = {pair: run_job(find_weights, pair) for pair in pairs}
    inputs, chosen = Inputs(), {}
    for key, recipe in recipes.items():
        source, pair = sources[recipe["DATA"]], (recipe["ARCH"], recipe["WEIGHTS"])
        if source.error or weights[pair].error:
            inputs.broken[key] = source if source.error else weights[pair]
            continue
        found: Pretrained = weights[pair].value
        named = found.weights if found.weights in pretrained.WEIGHTS_NAMES else recipe["WEIGHTS"]
        inputs.sources[recipe["DATA"]] = source.value
        inputs.networks[key] = Network(found.arch, named, found.title)
        if recipe["DATA"] == "auto":
            chosen["DATA=auto"] = source.value.photos, source.value.note
        if "auto" in pair:
            chosen["ARCH={} WEIGHTS={}".format(*pair)] = f"{found.arch}, {found.weights}", found.note
    for parameter, (value, note) in chosen.items():
        sweep_folder.record_auto(parameter, value)
        print_line(check_inputs.format_fallback(note) if note else f"{parameter}: {value}")
    return inputs


def find_weights(arch: str, weights: str) -> "Pretrained":
    """`pretrained.find` without the tensors, which each process that needs them reads itself."""
    from maskkit import pretrained

    return dataclasses.replace(pretrained.find(arch, weights), state=None)


def draw_all(
    recipes: Mapping[str, Recipe],
    sources: "Mapping[str, Source]",
    sweep_folder: folder.SweepFolder,
    client: "Client | None",
) -> tuple[dict[str, Draw], dict[str, Outcome]]:
    """({key: draw}, {key: outcome} of broken recipes); each draw is made once, and kept in draws/<key>/."""
    by_draw: dict[str, list[str]] = {}
    for key, recipe in recipes.items():
        by_draw.setdefault(key_of(draw_settings(recipe)), []).append(key)
    missing = [name for name in by_draw if not sweep_folder.has_draw(name)]
    first = [recipes[by_draw[name][0]] for name in missing]
    draws: dict[str, Draw] = {}
    broken: dict[str, Outcome] = {}
    draw_jobs = ((sources[recipe["DATA"]], draw_settings(recipe)) for recipe in first)
    for index, outcome in run_jobs(draw_photos, draw_jobs, client):
        if outcome.error:
            broken |= dict.fromkeys(by_draw.pop(missing[index]), outcome)
        else:
            sweep_folder.write_draw(missing[index], *outcome.value)
    for name, keys in by_draw.items():
        photo_folder = sources[recipes[keys[0]]["DATA"]].folder
        rows = folder.read_draw(sweep_folder.path, name)
        with_paths = tuple(row | {"path": str(photo_folder / row["source"])} for row in rows)
        draws |= dict.fromkeys(keys, Draw(key_of(with_paths), with_paths))
    return draws, broken
