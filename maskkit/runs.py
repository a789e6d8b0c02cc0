"""The run folder: its name, its files written whole or not at all, and metrics.json."""

import contextlib
import csv
import dataclasses
import datetime
import errno
import importlib.metadata
import io
import json
import os
import platform
import re
import shutil
import subprocess
import tempfile
import time
import uuid
from pathlib import Path

import filelock

from maskkit import __version__
from maskkit.core import parameters, paths

FORMULA = re.compile(r"'*[=+\-@\t\r\n]")  # what makes a spreadsheet run a cell (OWASP, CSV injection)
PART = parameters.PART
CHECKPOINT = "tail.checkpoint"  # a training that stopped, in the run's folder
DISK_FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
WRITE_FAULTS = (*DISK_FULL, errno.EROFS, errno.EACCES, errno.EPERM, errno.EIO)


def path(run):
    """The absolute path of run `run`'s folder.

    Raises:
        ValueError: the name is not a plain folder name.
    """
    return paths.RUNS / parameters.need("RUN", run)


def find(run):
    """The folder of a run that exists, given by its name or as a folder anywhere.

    Raises:
        FileNotFoundError: there is no such run.
        ValueError: it is a file.
    """
    given = Path(os.path.expanduser(run))
    if os.path.isfile(given):  # os.path's, as a Path's own raise where the name is longer than the system takes
        raise ValueError(f"--model: {run} is a file; give a run's name, or the folder with model.json")
    named = paths.RUNS / run
    if given.name == run and os.path.isdir(named) and not (given / "model.json").is_file():
        return named
    if not os.path.isdir(given):
        raise FileNotFoundError(f"--model: there is no run {run}; `maskkit reproduce` makes one")
    return given


def folder(run):
    """The absolute folder of run `run`, made if need be.

    Raises:
        OSError: no file can be written there; better known now than after a training.
    """
    run_dir = path(run)
    check_writable(run_dir)
    return run_dir


# --- a run that comes to its place whole ---------------------------------------------------------


@contextlib.contextmanager
def locked(run_dir):
    """Keep a run's folder from every other process that asks, until the block ends.

    The lock is the system's own and goes with the process, however that ends: a lock file that a killed process left
    behind holds nobody up.

    Raises:
        ValueError: another process has it.
        OSError: nothing can be written beside the folder.
    """
    check_writable(run_dir.parent)
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


def workplace(run_dir):
    """A new, empty working folder for the run: the folder to work in, for `publish` to put in run_dir's place.

    It has a new name each time, since the kernel of a process that was killed may write into the old one for another
    second. What earlier tries left is removed, but for a checkpoint, which comes along. Wants `locked`.
    """
    old = aside(run_dir)
    if old.exists() and not run_dir.exists():  # a `publish` was cut off between its two renames
        old.rename(run_dir)
    part = run_dir.with_name(f"{run_dir.name}.{uuid.uuid4().hex[:8]}{PART}")
    part.mkdir()
    for left in run_dir.parent.glob(f"*{PART}"):
        if left != part and own_name(left) == run_dir.name:
            if (left / CHECKPOINT).is_file():
                os.replace(left / CHECKPOINT, part / CHECKPOINT)
            shutil.rmtree(left, ignore_errors=True)  # a dying kernel may write at this moment; the next try removes it
    return part


def own_name(run_dir):
    """The run's name, of its folder or of its `workplace`."""
    return parameters.WORKPLACE.sub("", run_dir.name)


def publish(part, run_dir):
    """Put `part` in the place of `run_dir`. Cut off in between, the next `workplace` brings the earlier run back."""
    old = aside(run_dir)
    if old.exists():
        shutil.rmtree(old)
    if run_dir.exists():
        run_dir.rename(old)
    part.rename(run_dir)
    if old.exists():
        shutil.rmtree(old)


def aside(run_dir):
    """Where an earlier run stands while the new one takes its place; no run can be called so."""
    return run_dir.with_name(f".{run_dir.name}.old")


# --- files, whole or not at all -----------------------------------------------------------------


@contextlib.contextmanager
def replacing(path):
    """A temporary path beside `path`; renamed to `path` when the block ends well, removed when it does not.

    Raises:
        OSError: it could not be written, and what was there before is as it was.
    """
    path, temporary = Path(path), None
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        handle, name = tempfile.mkstemp(prefix=f".{path.name[:60]}.", suffix=path.suffix[:20], dir=path.parent)
        os.close(handle)
        temporary = Path(name)
        yield temporary
        temporary.chmod(0o644)  # mkstemp's 0600 would hide the result from a group or a web server
        os.replace(temporary, path)
    except OSError as error:
        if error.errno not in WRITE_FAULTS:
            raise
        raise not_written(path, error) from error
    finally:
        if temporary:
            temporary.unlink(missing_ok=True)


def not_written(path, error):
    """The error that says what a user can do about `error`, which kept `path` from being written."""
    what = "free some space" if error.errno in DISK_FULL else "make the folder writable, or write elsewhere"
    return OSError(f"{path} could not be written ({error.strerror}) and is as it was; {what}, then run it again")


def check_writable(folder):
    """Make the folder if need be, and see whether a file can be written there.

    Raises:
        OSError: it cannot.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=folder) as file:
            file.write(b"0" * 4096)  # a full disk takes a name, not a block
    except OSError as error:
        raise not_written(folder, error) from error


def write_bytes(path, data):
    with replacing(path) as temporary:
        temporary.write_bytes(data)


def write_text(path, text):
    """UTF-8; bytes of a file name that are not UTF-8 come through unchanged."""
    write_bytes(path, text.encode("utf-8", "surrogateescape"))


def write_json(path, value):
    write_text(path, json.dumps(value, indent=2, ensure_ascii=False, allow_nan=False) + "\n")


def read_json(path):
    """What a JSON file holds. Raises ValueError, which names the file, where it is no JSON."""
    try:
        return json.loads(Path(path).read_text(encoding="utf-8", errors="surrogateescape"))
    except json.JSONDecodeError as error:
        raise ValueError(f"{path} is damaged ({error}): remove it, and run again what wrote it") from error


def write_csv(path, rows, columns):
    """Rows are dicts; a header even where there is no row. Text that a spreadsheet would run is defused."""
    text = io.StringIO(newline="")
    writer = csv.DictWriter(LineFeeds(text), columns)
    writer.writeheader()
    writer.writerows({name: defuse(cell) for name, cell in row.items()} for row in rows)
    write_text(path, text.getvalue())


def read_csv(path):
    """The rows as dicts of text, as they were before `write_csv` defused them; a byte order mark, which spreadsheets
    write, is passed over.

    Raises:
        ValueError: it is no CSV file.
    """
    try:
        with open(path, encoding="utf-8-sig", errors="surrogateescape", newline="") as file:
            return [{name: restore(cell) for name, cell in row.items()} for row in csv.DictReader(file)]
    except csv.Error as error:
        raise ValueError(f"{path} is no CSV file: {error}") from error


@dataclasses.dataclass
class LineFeeds:
    """Ends csv's lines in a line feed. Before Python 3.13 csv quotes a carriage return only if its own lines end so."""

    file: object

    def write(self, line):
        self.file.write(line.removesuffix("\r\n") + "\n")


def defuse(cell):
    """A cell that a spreadsheet shows rather than runs: an apostrophe before what begins like a formula.

    One is added too where only apostrophes stand before such a beginning, so that `restore` gives every text back.
    """
    return f"'{cell}" if isinstance(cell, str) and FORMULA.match(cell) else cell


def restore(cell):
    """What `defuse` was given."""
    return cell[1:] if isinstance(cell, str) and cell.startswith("'") and FORMULA.match(cell) else cell


def need(run_dir, name, notebook):
    """The path of a file of the run.

    Raises:
        FileNotFoundError: it is not there; says which notebook writes it.
    """
    path = Path(run_dir) / name
    if not path.exists():
        raise FileNotFoundError(f"{path} is missing; run {notebook} with the same RUN first")
    return path


def read_metrics(run_dir):
    return read_json(need(run_dir, "metrics.json", "01_prepare.ipynb"))


def record(run_dir, **entries):
    """Merge `entries` into metrics.json; the sections `seconds` and `run` are merged key by key."""
    path = Path(run_dir) / "metrics.json"
    metrics = read_json(path) if path.exists() else {}
    for key, value in entries.items():
        if key in ("seconds", "run"):
            value = {**metrics.get(key, {}), **value}
        metrics[key] = value
    write_json(path, metrics)
    return metrics


def start(run_dir):
    """Forget an earlier run's results in this folder, so that nothing of it can be taken for this one's."""
    run_dir = Path(run_dir)
    for name in (
        "metrics.json", "claims.json", "history.csv", "model.safetensors", "model.json", "report.html",
        "audit.json", "audit.html", "suspects.csv", "groups.csv", "MODEL_CARD.md", "conflicts.csv",
    ):  # fmt: skip
        (run_dir / name).unlink(missing_ok=True)
    for figure in (run_dir / "figures").glob("*.*"):
        figure.unlink()
    record(run_dir, run={"name": own_name(run_dir), "started": now()})
    write_json(run_dir / "environment.json", environment())


def now():
    return datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds")


class Stopwatch:
    """`with Stopwatch() as watch: ...`; then `watch.seconds`."""

    def __enter__(self):
        self.seconds, self._start = 0.0, time.perf_counter()
        return self

    def __exit__(self, *_):
        self.seconds = round(time.perf_counter() - self._start, 3)


def versions():
    """Versions of what the numbers depend on."""
    names = ("torch", "torchvision", "numpy", "pillow", "matplotlib")
    ours = {"maskkit": __version__, "python": platform.python_version()}
    return ours | {name: importlib.metadata.version(name) for name in names}


def environment():
    """What environment.json holds: versions, the machine and its device, and the commit of a source tree."""
    import torch

    return {
        "versions": versions(),
        "platform": platform.platform(),
        "processors": os.cpu_count(),
        "cuda": torch.cuda.get_device_name(0) if torch.cuda.is_available() else None,
        "commit": commit(),
    }


def commit():
    """The source tree's commit, with `+changes` where it differs; None outside a git checkout."""
    describe = ["git", "-C", str(paths.ROOT), "describe", "--always", "--abbrev=12", "--dirty=+changes"]
    try:
        done = subprocess.run(describe, capture_output=True, text=True, timeout=10, check=False)
    except (OSError, subprocess.TimeoutExpired):  # no git on this machine: the run is none the worse
        return None
    return done.stdout.strip() or None
