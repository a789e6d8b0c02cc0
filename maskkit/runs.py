"""The run folder: its name, who is writing it, how it comes to its place, and metrics.json."""

import contextlib
import datetime
import os
import shutil
import time
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Self

import filelock

from maskkit.core import disk, parameters, paths

PART = parameters.PART
CHECKPOINT = "tail.checkpoint"  # a training that stopped, in the run's folder


def path(run: str) -> Path:
    """The absolute path of run `run`'s folder.

    Raises:
        ValueError: the name is not a plain folder name.
    """
    return paths.RUNS / parameters.need("RUN", run)


def find(run: str) -> Path:
    """The folder of a run that exists, given by its name or as a folder anywhere.

    Raises:
        FileNotFoundError: there is no such run.
        ValueError: it is a file.
    """
    given = Path(os.path.expanduser(run))
    if os.path.isfile(given):  # os.path's, as a Path's own raise where the name is longer than the system takes
        raise ValueError(f"{run} is a file; give a run's name, or the folder with model.json")
    named = paths.RUNS / run
    if given.name == run and os.path.isdir(named) and not (given / "model.json").is_file():
        return named
    if not os.path.isdir(given):
        raise FileNotFoundError(f"there is no run {run}; `maskkit reproduce` makes one")
    return given


def folder(run: str) -> Path:
    """The absolute folder of run `run`, made if need be.

    Raises:
        OSError: no file can be written there; better known now than after a training.
    """
    run_dir = path(run)
    disk.check_writable(run_dir)
    return run_dir


# --- a run that comes to its place whole ---------------------------------------------------------


@contextlib.contextmanager
def locked(run_dir: Path) -> Iterator[None]:
    """Keep a run's folder from every other process that asks, until the block ends.

    The lock is the system's own and goes with the process, however that ends: a lock file that a killed process left
    behind holds nobody up.

    Raises:
        ValueError: another process has it.
        OSError: nothing can be written beside the folder.
    """
    disk.check_writable(run_dir.parent)
    try:
        with filelock.FileLock(run_dir.with_name(f".{run_dir.name}.lock"), timeout=0):
            yield
    except filelock.Timeout as error:
        raise in_use(run_dir) from error


def in_use(run_dir: Path) -> ValueError:
    """The error of a run that another process is writing."""
    return ValueError(f"RUN: another process is writing {run_dir}; wait for its end, or give another RUN")


def is_locked(run_dir: Path) -> bool:
    """Whether another process is writing a run's folder; asked without waiting, and without leaving a lock file."""
    lock = run_dir.with_name(f".{run_dir.name}.lock")
    if not lock.is_file():
        return False
    try:
        with filelock.FileLock(lock, timeout=0):
            return False
    except filelock.Timeout:
        return True


def working_folder(run_dir: Path) -> Path:
    """A new, empty working folder for the run: the folder to work in, for `publish` to put in run_dir's place.

    It has a new name each time, since the kernel of a process that was killed may write into the old one for another
    second. What earlier tries left is removed, but for a checkpoint, which comes along. Wants `locked`.
    """
    old = earlier_run(run_dir)
    if old.exists() and not run_dir.exists():  # a `publish` was cut off between its two renames
        old.rename(run_dir)
    part = run_dir.with_name(f"{run_dir.name}.{uuid.uuid4().hex[:8]}{PART}")
    part.mkdir()
    for left in run_dir.parent.glob(f"*{PART}"):
        if left != part and run_name(left) == run_dir.name:
            if (left / CHECKPOINT).is_file():
                os.replace(left / CHECKPOINT, part / CHECKPOINT)
            shutil.rmtree(left, ignore_errors=True)  # a dying kernel may write at this moment; the next try removes it
    return part


def run_name(run_dir: Path) -> str:
    """The run's name, of its folder or of its `working_folder`."""
    return parameters.WORKPLACE.sub("", run_dir.name)


def publish(part: Path, run_dir: Path) -> None:
    """Put `part` in the place of `run_dir`. Interrupted, the next `working_folder` brings the earlier run back."""
    old = earlier_run(run_dir)
    if old.exists():
        shutil.rmtree(old)
    if run_dir.exists():
        run_dir.rename(old)
    part.rename(run_dir)
    if old.exists():
        shutil.rmtree(old)


def earlier_run(run_dir: Path) -> Path:
    """Where an earlier run stands while the new one takes its place; no run can be called so."""
    return run_dir.with_name(f".{run_dir.name}.old")


def need(run_dir: Path, name: str, notebook: str) -> Path:
    """The path of a file of the run.

    Raises:
        FileNotFoundError: it is not there; says which notebook writes it.
    """
    path = Path(run_dir) / name
    if not path.exists():
        raise FileNotFoundError(f"{path} is missing; run {notebook} with the same RUN first")
    return path


def read_metrics(run_dir: Path) -> dict[str, Any]:
    """The run's metrics.json. Raises as `need`."""
    return disk.read_json(need(run_dir, "metrics.json", "01_prepare.ipynb"))


def record(run_dir: Path, **entries: Any) -> dict[str, Any]:
    """Merge `entries` into metrics.json; the sections `seconds` and `run` are merged key by key."""
    path = Path(run_dir) / "metrics.json"
    metrics = disk.read_json(path) if path.exists() else {}
    for key, value in entries.items():
        if key in ("seconds", "run"):
            value = {**metrics.get(key, {}), **value}
        metrics[key] = value
    disk.write_json(path, metrics)
    return metrics


def start(run_dir: Path) -> None:
    """Forget an earlier run's results in this folder, so that nothing of it can be taken for this one's."""
    run_dir = Path(run_dir)
    for name in (
        "metrics.json",
        "environment.json",
        "claims.json",
        "history.csv",
        "model.safetensors",
        "model.json",
        "report.html",
        "audit.json",
        "audit.html",
        "suspects.csv",
        "groups.csv",
        "MODEL_CARD.md",
        "conflicts.csv",
        "improve.json",
        "not_sure.json",
        "sweep.json",
    ):
        (run_dir / name).unlink(missing_ok=True)
    for figure in (run_dir / "figures").glob("*.*"):
        figure.unlink()
    record(run_dir, run={"name": run_name(run_dir), "started": now()})


def now() -> str:
    """The time in UTC, ISO 8601."""
    return datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds")


class Stopwatch:
    """`with Stopwatch() as watch: ...`; then `watch.seconds`."""

    def __enter__(self) -> Self:
        self.seconds, self._start = 0.0, time.perf_counter()
        return self

    def __exit__(self, *_: object) -> None:
        self.seconds = round(time.perf_counter() - self._start, 3)
