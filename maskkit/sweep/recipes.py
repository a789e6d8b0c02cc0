"""The recipes of a sweep: read from SWEEP.yaml, checked, and named by their parameters.

A recipe is a flat dict of all parameters of notebooks 01-03 and 02_train_recipe but RUN, defaults included. Its key is
the hash of that.
"""

import hashlib
import itertools
import json
import math
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any, TypeAlias

import yaml

from maskkit import runs
from maskkit.runner import notebook_parameters

Recipe: TypeAlias = dict[str, Any]

VERSION = 1  # of SWEEP.yaml
MAX_RECIPES = 100_000  # of one file
DRAW_PARAMETERS = ("DATA", "PER_CLASS", "SPLIT", "GROUPS", "CORRECTIONS", "SEED")  # decide which photos are drawn


def read_sweep(source: str | Path | dict[str, Any]) -> tuple[str, dict[str, Recipe]]:
    """(name, {key: recipe}) of a sweep: a YAML file, or a dict of what it would hold.

    Each parameter has one value or a list of values, and the lists span a grid; or `runs` lists complete settings.
    A parameter that is not given has the notebooks' default. RUN, a single value, names the sweep; else the file's
    name does.

    Raises:
        FileNotFoundError, ValueError, TypeError: as `notebook_parameters.check`; or a newer version, an empty grid.
    """
    given, name = (dict(source), "sweep") if isinstance(source, dict) else (read_file(source), Path(source).stem)
    version = given.pop("version", VERSION)
    if type(version) is not int or not 1 <= version <= VERSION:
        raise ValueError(f"{name} is a sweep of version {version!r}; this maskkit reads {VERSION}: update maskkit")
    name = given.pop("RUN", name)
    if not isinstance(name, str):
        raise ValueError(f"RUN names the sweep, so it must be one text, got {name!r}")
    runs.path(name)  # a plain folder name
    listed = given.pop("runs", None)
    if listed is not None and given:
        raise ValueError(f"a sweep has either runs: or a grid, but beside runs: there is {', '.join(given)}")
    declared = notebook_parameters.read_run_defaults()
    settings = span_grid(given) if listed is None else check_listed(listed)
    recipes = [complete_recipe(each, declared) for each in settings]
    return name, {key_of(recipe): recipe for recipe in recipes}


def read_file(path: str | Path) -> dict[str, Any]:
    """The content of a sweep file."""
    if not Path(path).is_file():
        raise FileNotFoundError(f"there is no sweep file {path}; docs/scale.md shows one")
    try:
        given = yaml.safe_load(Path(path).read_text(encoding="utf-8")) or {}
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise ValueError(f"{path} is not YAML: {error}") from error
    if not isinstance(given, dict):
        raise ValueError(f"{path} must hold one NAME: value or NAME: [values] per line, or runs:")
    return given


def span_grid(given: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """Every combination of the values, as settings."""
    lists = {name: value if isinstance(value, list) else [value] for name, value in given.items()}
    for name, values in lists.items():
        if not values:
            raise ValueError(f"{name} is an empty list, so the grid is empty; give it a value or leave it out")
    if (n := math.prod(map(len, lists.values()))) > MAX_RECIPES:
        raise ValueError(f"the grid has {n:,} recipes, more than {MAX_RECIPES:,}; sweep fewer values at a time")
    return (dict(zip(lists, values, strict=True)) for values in itertools.product(*lists.values()))


def check_listed(listed: Any) -> list[dict[str, Any]]:
    """The settings under `runs:`.

    Raises:
        ValueError: they are no list of flat blocks, or one has RUN.
    """
    if not isinstance(listed, list) or not listed:
        raise ValueError("runs: must list at least one recipe, each a block of NAME: value")
    for number, settings in enumerate(listed, start=1):
        if not isinstance(settings, dict) or any(isinstance(value, dict | list) for value in settings.values()):
            raise ValueError(f"runs: entry {number} must be flat, NAME: value")
        if "RUN" in settings:
            raise ValueError(f"runs: entry {number} has RUN; a recipe is named by the hash of its parameters")
    return listed


def complete_recipe(settings: dict[str, Any], declared: dict[Path, dict[str, Any]]) -> Recipe:
    """The recipe of some settings, which are checked; other parameters get their defaults.

    Args:
        declared: {notebook: {name: default}}.
    """
    checked = notebook_parameters.check(declared, settings, {})
    recipe = {name: value for notebook in declared for name, value in (declared[notebook] | checked[notebook]).items()}
    return {name: value for name, value in recipe.items() if name != "RUN"}


def key_of(content: Any) -> str:
    """The name of a recipe, or of a part of it: 12 hex digits of the hash of its content."""
    return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()[:12]


def draw_settings(recipe: Recipe) -> dict[str, Any]:
    """The part of a recipe that decides which photos are drawn."""
    return {name: recipe[name] for name in DRAW_PARAMETERS}


def varied_parameters(recipes: Iterable[Recipe]) -> list[str]:
    """The parameters that have more than one value among recipes."""
    recipes = list(recipes)
    return [name for name in (recipes[0] if recipes else ()) if len({recipe[name] for recipe in recipes}) > 1]
