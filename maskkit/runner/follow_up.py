"""Notebook 04 or 05, run in the folder of a finished run."""

import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from maskkit import runs
from maskkit.core import disk, paths
from maskkit.runner import check_inputs, notebook_parameters, notebooks, reproduce


def run(
    name: str, parameter_file: str | Path, overrides: Mapping[str, str], print_line: Callable[[str], object] = print
) -> Path:
    """Run a follow-up notebook in the folder of the run RUN; notebooks 01-03 first where there is no such run.

    Its executed notebook takes the place of an earlier one when it has passed; the run's other files stay.

    Args:
        name: the notebook's file name, such as `notebooks.TRUST`.
        parameter_file: flat YAML such as notebooks/trust.yaml; overrides: of `--set`. Parameters of 01-03 are taken
            too. DATA "run" means the photos that the run was drawn from.
        print_line: receives each line about the progress.

    Returns:
        the run's folder. Raises as `reproduce`.
    """
    notebook = notebooks.find(name)
    parameters = read_parameters(notebook, parameter_file, overrides)
    run_dir = runs.path(parameters["RUN"])
    if not (run_dir / "model.json").is_file():
        print_line(f"there is no run {parameters['RUN']} yet: first the report")
        make_run(overrides, print_line)
    if parameters["DATA"] == "run":
        parameters["DATA"] = runs.read_metrics(run_dir)["run"].get("data", "auto")
    print_line(f"{notebook.stem}: {run_dir.name}, photos {parameters['DATA']}")
    started, output = time.perf_counter(), run_dir / f"{notebook.stem}{runs.PART}.ipynb"
    with runs.locked(run_dir):
        disk.check_writable(run_dir)
        notebooks.execute(notebook, output, parameters, show_output=True)
        output.replace(run_dir / notebook.name)
        reproduce.write_card(run_dir)
    print_line(f"{notebook.name}: passed in {time.perf_counter() - started:.0f} s")
    return run_dir


def read_parameters(notebook: Path, parameter_file: str | Path, overrides: Mapping[str, str]) -> dict[str, Any]:
    """All parameters of the notebook, checked together with those of 01-03; its folders of photos are there."""
    from maskkit.sources import folders

    settings = notebook_parameters.read_file(parameter_file)
    defaults = notebook_parameters.read_all_defaults([notebook, *notebooks.find_report()])
    parameters = defaults[notebook] | notebook_parameters.check(defaults, settings, overrides)[notebook]
    check_inputs.check_mutes(parameters)
    for name in ("AGAINST", "DATA"):
        if parameters[name] not in notebook_parameters.PATHS[name]:
            folders.find(parameters[name], name)
    return parameters


def make_run(overrides: Mapping[str, str], print_line: Callable[[str], object]) -> None:
    """The report with those of the overrides that notebooks 01-03 declare."""
    declared = {name for path in notebooks.find_report() for name in notebook_parameters.read_defaults(path)}
    own = {name: text for name, text in overrides.items() if name in declared}
    reproduce.reproduce(paths.NOTEBOOKS / "report.yaml", own, print_line)
