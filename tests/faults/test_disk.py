"""Disk full and permission denied at every write, injected at the call: the last good file stays."""

import ast
import errno
import os
import re
import tempfile
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
import pytest

from maskkit import checkpoint, features, model, plots, pretrained, runs, split, train
from maskkit.audit import audit, leaks
from maskkit.core import paths
from maskkit.improve.training_checkpoint import TrainingCheckpoint
from maskkit.runner import reproduce
from maskkit.sources import folders

CALLS = ("mkstemp", "write", "replace")
FAULTS = {"disk full": errno.ENOSPC, "permission denied": errno.EACCES}


def inject(monkeypatch, call, number):
    """Let the next call of one step of a write fail as the system would."""

    def fail(*_, **__):
        raise OSError(number, os.strerror(number))

    def write_some(path, content):
        with open(path, "wb") as file:
            file.write(content[: len(content) // 2])
        fail()

    if call == "write":
        monkeypatch.setattr(Path, "write_bytes", write_some)
    else:
        monkeypatch.setattr(*{"mkstemp": (tempfile, "mkstemp"), "replace": (os, "replace")}[call], fail)


@pytest.fixture
def writers(curated, tmp_path):
    """{file: a function that writes it}, for each kind of file that maskkit writes."""
    run_dir, _ = curated
    source = folders.find(str(tmp_path / "photos"))
    plain = pretrained.Pretrained("mobilenet_v2", "none", None, "")
    network = model.build(plain, 2, seed=0)
    transform = model.Transform(size_px=32)
    optimizer = train.torch.optim.Adam(network.classifier.parameters())
    training = train.Training(network, optimizer, train.torch.Generator())
    cache = tmp_path / "cache"
    small = np.zeros((2, 8, 8, 3), np.float32)
    return {
        "split.csv": lambda: split.curate(source, run_dir, per_class=0, split="grouped", seed=0),
        "metrics.json": lambda: runs.record(run_dir, seed=1),
        "tail.checkpoint": lambda: TrainingCheckpoint(run_dir / "tail.checkpoint", [], []).end_epoch(training),
        "model.safetensors": lambda: checkpoint.save(
            network, run_dir, source=plain, classes=["a", "b"], transform=transform, parameters={}
        ),
        "figures/x.svg": lambda: plots.save(plt.figure(), run_dir, "x"),
        "cache shard": lambda: features.write_shard(cache, {"00" * 32: np.zeros(4, np.float32)}),
        "pairs in the cache": lambda: leaks.aligned_once(small, small[:, 0, 0], np.ones(2, bool), cache=cache),
    }


@pytest.mark.parametrize(
    ("words", "number"), [pytest.param(w, n, marks=pytest.mark.fault("machine", w)) for w, n in FAULTS.items()]
)
@pytest.mark.parametrize("call", CALLS)
def test_the_last_good_file_stays(writers, tmp_path, monkeypatch, call, words, number):
    for name, write in writers.items():
        write()
        before = contents(tmp_path)
        if name == "pairs in the cache":  # else it is read, not written again
            before = {path: content for path, content in before.items() if "aligned-" not in path.name}
            next((tmp_path / "cache").glob("aligned-*")).unlink()
        with monkeypatch.context() as patch:
            inject(patch, call, number)
            with pytest.raises(OSError, match=f"could not be written \\({os.strerror(number)}\\) and is as it was; "):
                write()
        assert contents(tmp_path) == before, name


def contents(folder):
    return {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()}


@pytest.mark.fault("machine", "read-only output, found before training")
def test_an_output_that_cannot_be_written_is_found_before_any_kernel(tmp_path, monkeypatch):
    printed = []
    monkeypatch.setattr(paths, "RUNS", tmp_path / "runs")

    def fail(*_, **__):
        raise OSError(errno.EROFS, os.strerror(errno.EROFS))

    monkeypatch.setattr(tempfile, "TemporaryFile", fail)
    with pytest.raises(OSError, match="runs could not be written .Read-only.*make the folder writable"):
        reproduce.reproduce(paths.NOTEBOOKS / "report.yaml", {"DATA": "demo"}, print_line=printed.append)
    with pytest.raises(OSError, match="runs/by-hand could not be written"):
        runs.folder("by-hand")  # what each notebook calls first
    with pytest.raises(OSError, match="audit could not be written"):
        audit.audit("no such folder", tmp_path / "audit")
    assert not printed  # not even the photos were looked for


# What may write or remove beside `runs`, and why it may.
ALLOWED = {
    "core/disk.py": "it is the place",
    "audit/audit.py": "removes the figures of an earlier audit",
    "core/cache.py": "removes the lock of a result that is there now",
    "runs.py": "the run folder takes its place",
    "sources/faces.py": "draws into a folder of its own, which is moved in place when whole",
    "split.py": "links photos into data-mask/; split.csv, which vouches for each by its hash, is written after them",
    "pretrained.py": "deletes weights of a wrong hash; torch.hub writes what it fetches under a temporary name",
    "runner/follow_up.py": "papermill writes the executed notebook; then it is renamed",
    "cli/predict.py": "the table of predict, through disk.replacing; what was reached when a signal comes",
    "deploy/export.py": "through runs.replacing",
    "improve/training_checkpoint.py": "removes the checkpoint of a finished training",
    "features.py": "removes what killed writers left in the cache",
    "sweep/folder.py": "removes the word of a broken recipe that is tried again",
    "improve/network_memory.py": "/proc",
    "improve/train_recipe.py": "copies data-mask/ into a new run, and after it split.csv, which vouches for it",
    "deploy/kaggle_upload.py": "both folders in a temporary one, which is moved in place when whole",
}
WRITES = re.compile(r"write_bytes|write_text|copyfile|copy2?|rename|replace|link|symlink_to|unlink|rmtree|touch|mkdir")
OWNERS = ("os", "shutil", "Path")
ROOT = Path(runs.__file__).parent


@pytest.mark.fault("machine", "a write around the functions that write whole or not at all")
def test_nothing_writes_around_runs():
    found = {}
    for path in sorted(ROOT.rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Call) and writes(node):
                found.setdefault(path.relative_to(ROOT).as_posix(), []).append(ast.unparse(node))
    assert {name: calls for name, calls in found.items() if name not in ALLOWED} == {}
    assert ALLOWED.keys() <= found.keys()  # the search finds what is there


def writes(call):
    """Whether a call writes, moves or removes a file: `open` for writing, or a method of that name on a path."""
    name = call.func.id if isinstance(call.func, ast.Name) else getattr(call.func, "attr", "")
    owner = ast.unparse(call.func.value) if isinstance(call.func, ast.Attribute) else ""
    if name == "open":
        modes = [x.value for x in (*call.args, *(k.value for k in call.keywords)) if isinstance(x, ast.Constant)]
        return any(isinstance(x, str) and re.fullmatch(r"[rwaxbt+]*[wax+][rwaxbt+]*", x) for x in modes)
    if owner in ("disk", "widgets") or not WRITES.fullmatch(name):
        return False
    if name == "replace":  # of a text it takes two, of a path one; `dataclasses.replace` takes names
        return owner == "os" or (owner != "dataclasses" and len(call.args) == 1 and not call.keywords)
    return name != "copy" or owner == "shutil"
