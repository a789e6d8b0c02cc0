"""Recipes of a sweep through notebooks 01-03, each into a run of its own."""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from maskkit import runs
from maskkit.core import disk
from maskkit.runner import reproduce
from maskkit.sweep import folder, jobs
from maskkit.sweep.state import Sweep

if TYPE_CHECKING:
    from distributed import Client


def run_recipes(
    sweep: Sweep, wanted: Mapping[str, str], client: "Client | None", print_line: Callable[[str], object]
) -> list[str]:
    """Run recipes, {run name: key}, through 01-03, if that run is not there yet; returns what failed, in words."""
    open_runs = [(name, key) for name, key in wanted.items() if recipe_of(name) != key]
    recipe_files = ((str(folder.recipe_folder(sweep.folder, key) / "recipe.yaml"), name) for name, key in open_runs)
    failed = []
    for index, outcome in jobs.run_jobs(run_recipe, recipe_files, client):
        name, key = open_runs[index]
        if outcome.error:
            failed.append(f"{name}: {outcome.error}")
            continue
        same = outcome.value["last"]["correct"] == sweep.rows[key]["last_correct"]
        disk.write_json(runs.path(name) / "sweep.json", {"key": key, "folder": str(sweep.folder)})
        agrees = "has the sweep's score" if same else "has another score than in the sweep"
        print_line(f"runs/{name}: notebooks 01-03 passed; the last epoch {agrees}")
    return failed


def recipe_of(name: str) -> str | None:
    """The key of the recipe that a run was made of by a sweep, or None."""
    path: Path = runs.path(name) / "sweep.json"
    return disk.read_json(path)["key"] if path.is_file() else None


def run_recipe(recipe_file: str, name: str) -> dict[str, Any]:
    """A recipe through 01-03 into runs/<name>; returns its metrics. A job."""
    run_dir = reproduce.reproduce(recipe_file, {"RUN": name}, print_line=lambda line: None)
    return runs.read_metrics(run_dir)
