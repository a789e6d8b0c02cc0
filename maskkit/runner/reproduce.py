"""Notebooks 01-03 run one after another into one run folder."""

import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from maskkit import runs
from maskkit.core import disk
from maskkit.runner import check_inputs, notebook_parameters, notebooks
from maskkit.runner.warm_kernels import WarmKernels

AUDIT = "maskkit.audit.audit"
IDLE = 19  # niceness: for what is needed later only


def reproduce(
    parameter_file: str | Path, overrides: Mapping[str, str], print_line: Callable[[str], object] = print
) -> Path:
    """Run notebooks 01-03 with a parameter file and `--set` texts; returns the run's folder.

    Where a setting is given that only 02_train_recipe declares, it runs in place of 02_train.

    The work is done in a folder runs/<RUN>.<8 digits>.part, which takes the place of an earlier runs/<RUN> once every
    notebook has passed; when one fails, the earlier run stays as it was and the .part folder shows how far this one
    came. A run that was killed is begun again in the same way; only a network that was being unfrozen goes on where it
    stopped.

    Args:
        parameter_file: flat YAML such as notebooks/report.yaml.
        overrides: {name: text} of `--set`; they win over the file.
        print_line: receives each line about the progress.

    Raises:
        FileNotFoundError, ValueError, TypeError: a user's mistake, found before any kernel starts; one is that another
            process is writing this run.
        OSError: runs/ cannot be written; found before any kernel starts too.
        NotebookError: a cell failed.
    """
    parameters = notebook_parameters.check_run(notebook_parameters.read_file(parameter_file), overrides)
    settings = {name: value for own in parameters.values() for name, value in own.items()}
    run_dir = runs.path(settings["RUN"])
    disk.check_writable(run_dir.parent)
    if runs.is_locked(run_dir):  # asked here too: looking for photos may take minutes
        raise runs.in_use(run_dir)
    with WarmKernels() as kernels:  # begins to import torch, while the inputs are checked here
        check_inputs.check_inputs(settings, print_line)  # before the lock, whose file would stay behind
        with runs.locked(run_dir):
            part = runs.working_folder(run_dir)
            execute_all(parameters, part, kernels, print_line)
            rename_run(part, run_dir.name)
            write_card(part)
            runs.publish(part, run_dir)
    return run_dir


def execute_all(
    parameters: Mapping[Path, dict[str, Any]], part: Path, kernels: WarmKernels, print_line: Callable[[str], object]
) -> None:
    """Execute {notebook: its parameters} in the folder `part`, in their order."""
    started = time.perf_counter()
    for notebook, values in parameters.items():
        notebook_started = time.perf_counter()
        notebooks.execute(notebook, part / notebook.name, values | {"RUN": part.name}, kernels=kernels)
        print_line(f"{notebook.name}: passed in {time.perf_counter() - notebook_started:.0f} s")
        begin_audit(notebook.name, part, parameters, kernels)
    runs.record(part, run={"finished": runs.now()}, seconds={"total": round(time.perf_counter() - started, 3)})


def begin_audit(notebook: str, part: Path, parameters: Mapping[Path, dict[str, Any]], kernels: WarmKernels) -> None:
    """Begin what 03 will ask for, as soon as the notebook before it has made what it needs.

    What needs no trained model takes the time that training leaves; with a frozen backbone that is all but the audit.
    """
    settings = {name: value for own in parameters.values() for name, value in own.items()}
    device, seed = settings.get("DEVICE", "auto"), settings.get("SEED", 0)
    is_frozen = notebooks.TRAIN in {path.name for path in parameters}
    if notebook == notebooks.PREPARE:
        kernels.call(AUDIT, "prepare_run_audit", str(part), niceness=IDLE)
        if is_frozen:
            network = settings.get("ARCH", "auto"), settings.get("WEIGHTS", "auto"), seed
            kernels.call(AUDIT, "find_frozen_hidden_features", str(part), *network, device, niceness=IDLE)
    elif notebook in (notebooks.TRAIN, notebooks.TRAIN_RECIPE):
        if not is_frozen:
            kernels.call(AUDIT, "find_hidden_features", str(part), device)
        kernels.call(AUDIT, "find_run_audit", str(part), device, seed)


def rename_run(part: Path, name: str) -> None:
    """Give the executed notebooks the run's own name, under which a reader may run them again."""
    for path in part.glob("*.ipynb"):
        text = path.read_text(encoding="utf-8")
        for quoted in ('\\"{}\\"', '"{}"'):  # in the cell's source, and in papermill's metadata
            text = text.replace(quoted.format(part.name), quoted.format(name))
        disk.write_text(path, text)


def write_card(run_dir: Path) -> None:
    """MODEL_CARD.md, where the notebooks left a model."""
    from maskkit.runner import card

    if (run_dir / "model.json").is_file():
        card.write(run_dir)
