"""Many recipes: SWEEP.yaml -> recipes -> one result each, here or on a Dask cluster -> runs.csv, sweep.html.

The result of a recipe lies in recipes/<key>/, so a sweep that stopped goes on, and new values compute only themselves.
"""

import math
import time
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from maskkit import runs
from maskkit.core import disk, paths
from maskkit.core.progress import bar
from maskkit.sweep import cluster, extraction, fitting, jobs, planning, through_notebooks
from maskkit.sweep.folder import SweepFolder
from maskkit.sweep.recipe_inputs import FeatureSettings
from maskkit.sweep.recipes import Recipe, read_sweep
from maskkit.sweep.state import Sweep, make_row

if TYPE_CHECKING:
    from distributed import Client

SECONDS = 1.0  # between two writings of runs.csv


def run(
    source: str | Path | dict[str, Any],
    out: str | Path | None = None,
    *,
    client: "Client | None" = None,
    best: bool = True,
    notebooks: bool = False,
    retry: Iterable[str] = (),
    print_line: Callable[[str], object] = print,
) -> Sweep:
    """Compute what of a sweep is not there yet; write runs.csv, the figure and sweep.html.

    Args:
        source: a SWEEP.yaml, or a dict of what it would hold.
        out: its folder; runs/sweep-<name> if None.
        client: a Dask `Client`, whoever made it; None works in this process.
        best: run the best recipe through 01-03, into runs/<name>-best.
        notebooks: run each recipe through 01-03 too, into runs/<name>-<key>.
        retry: keys, or their beginnings, of broken recipes to compute again; "all" for all.
        print_line: takes each line of progress.

    Raises:
        FileNotFoundError, ValueError, TypeError: a user's mistake, before anything is computed.
        OSError: no worker is left, or runs through the notebooks failed.
    """
    name, recipes = read_sweep(source)
    folder = SweepFolder(out or paths.RUNS / f"sweep-{name}", name)
    rows = {key: make_row(key, recipe, *folder.read_state(key)) for key, recipe in recipes.items()}
    sweep = Sweep(name, folder.path, recipes, rows)
    again = match_broken(retry, sweep.of("broken"))
    todo = {key: recipes[key] for key in recipes if key in again or rows[key]["state"] == "open"}
    done, broken = sweep.counts["done"], sweep.counts["broken"]
    print_line(f"{len(recipes):,} recipes: {done:,} done, {broken:,} broken, {len(todo):,} to compute")
    if client is not None:
        cluster.check_workers(client)
    with bar(total=len(recipes), initial=done + broken, unit=" recipes") as progress:
        recorder = Recorder(sweep, folder, progress)
        recorder.show(force=True)
        try:
            compute(todo, folder, client, recorder, print_line)
        finally:
            recorder.show(force=True)
    for key in sweep.of("broken"):
        print_line(f"broken: {key}: {sweep.rows[key]['error']}")
    finish(sweep, client, best, notebooks, print_line)
    return sweep


def match_broken(retry: Iterable[str], broken: list[str]) -> set[str]:
    """The broken recipes that `retry` names.

    Raises:
        ValueError: a name fits none.
    """
    matched = set()
    for name in retry:
        matching = [key for key in broken if name == "all" or key.startswith(name)]
        if not matching and name != "all":
            raise ValueError(f"--retry {name}: no broken recipe has a name that begins so; broken are: {broken}")
        matched |= set(matching)
    return matched


class Recorder:
    """Writes each outcome; keeps runs.csv and the bar up to date at most once in SECONDS."""

    def __init__(self, sweep: Sweep, folder: SweepFolder, progress: Any) -> None:
        self.sweep, self.folder, self.progress = sweep, folder, progress
        self.shown_at = -math.inf

    def record(self, key: str, outcome: jobs.Outcome, notes: dict[str, str]) -> None:
        recipe = self.sweep.recipes[key]
        self.folder.write_outcome(key, recipe, outcome, notes)
        self.sweep.rows[key] = make_row(key, recipe, *self.folder.read_state(key))
        self.show()

    def show(self, force: bool = False) -> None:
        if not force and time.monotonic() - self.shown_at < SECONDS:
            return
        rows = list(self.sweep.rows.values())
        disk.write_csv(self.folder.path / "runs.csv", rows, list(rows[0]))
        self.progress.update(len(rows) - self.sweep.counts["open"] - self.progress.n)
        self.shown_at = time.monotonic()


def compute(
    todo: dict[str, Recipe],
    folder: SweepFolder,
    client: "Client | None",
    recorder: Recorder,
    print_line: Callable[[str], object],
) -> None:
    """Draw photos, then (on a cluster) fill the cache, then train; each outcome is recorded as it comes."""
    inputs = planning.find_inputs(todo, folder, print_line)
    recipes = {key: recipe for key, recipe in todo.items() if key not in inputs.broken}
    draws, undrawn = planning.draw_all(recipes, inputs.sources, folder, client)
    for key, outcome in (inputs.broken | undrawn).items():
        recorder.record(key, outcome, {})
    settings = {
        key: FeatureSettings.of(recipes[key], inputs.networks[key].arch, inputs.networks[key].weights, paths.CACHE)
        for key in draws
    }
    order = sorted(settings, key=lambda key: (repr(settings[key]), draws[key].key))  # neighbours share what they read
    if client is not None:
        missing = extraction.extraction_jobs((draws[key], settings[key]) for key in order)
        for _ in jobs.run_jobs(extraction.compute_features, missing, client):
            pass  # photos that fail do so again in the recipes that need them, and are named there
    fits = ((recipes[key], draws[key], settings[key]) for key in order)
    for index, outcome in jobs.run_jobs(fitting.fit_recipe, fits, client):
        key = order[index]
        notes = {"photos": inputs.sources[recipes[key]["DATA"]].photos, "network": inputs.networks[key].title}
        recorder.record(key, outcome, notes)


def finish(
    sweep: Sweep, client: "Client | None", best: bool, notebooks: bool, print_line: Callable[[str], object]
) -> None:
    """Rank, run recipes through the notebooks, draw the figure, write the page.

    Raises:
        OSError: runs through the notebooks failed; all else is written.
    """
    from maskkit.sweep import page, ranking

    rankings = ranking.rank(sweep)
    wanted = {}
    for number, ranked in enumerate(rankings):
        print_line(f"best of {len(ranked.settings):,} settings on {ranked.photos}: {ranked.settings[0].words}")
        if best:
            wanted[f"{sweep.name}-best" + (f"-{number}" if number else "")] = ranked.settings[0].keys[0]
    if notebooks:
        wanted |= {f"{sweep.name}-{key}": key for key in sweep.of("done")}
    failed = through_notebooks.run_recipes(sweep, wanted, client, print_line)
    page.write(sweep, rankings, [name for name in wanted if (runs.path(name) / "report.html").is_file()])
    if failed:
        raise OSError(
            f"{len(failed)} of {len(wanted)} runs through the notebooks failed, the first {failed[0]}; "
            f"all else is in {sweep.folder}, and the same command tries them again"
        )
