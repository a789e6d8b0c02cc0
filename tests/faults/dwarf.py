"""A dwarf run: `reproduce` with 01 and 02_train_recipe as they are, small, in a process that may be killed anywhere.

Only the kernel is missing: the notebooks' cells run in the child itself, which starts in milliseconds, forked from a
server that has imported torch. Figures are not drawn.
"""

import hashlib
import json
import multiprocessing
import os
import re
import signal
import sys
from pathlib import Path

import nbformat

from maskkit import plots, runs
from maskkit.core import paths
from maskkit.runner import notebooks, reproduce, warm_kernels

NAME = "dwarf"
PARAMETERS = {
    "RUN": NAME, "PER_CLASS": "0", "ARCH": "mobilenet_v2", "WEIGHTS": "none", "SIZE_PX": "64", "EPOCHS": "2",
    "TAIL_EPOCHS": "3", "TAIL_SHARE": "0.5", "DEVICE": "cpu",
}  # fmt: skip
FILE_EVENTS = ("open", "os.rename", "os.remove", "os.link", "os.mkdir", "os.rmdir", "shutil.rmtree", "half written")

forks = multiprocessing.get_context("forkserver")
forks.set_forkserver_preload(["faults.dwarf"])


def run(root, photos, kill=None, after=None):
    """One run in a process of its own, below `root`.

    Args:
        kill: (what, n): the process kills itself at the n-th file event that the pattern `what` finds in
            "event path", or at the n-th of all where it is "".
        after: seconds after which it is killed from here; None does not.

    Returns:
        (exit code, its file events in order as "event path", as far as they were told at its end).
    """
    child = forks.Process(target=work, args=(root, photos, kill))
    child.start()
    child.join(after)
    if child.is_alive():
        child.kill()
    child.join()
    told = root / "events.json"
    events = json.loads(told.read_text()) if told.is_file() else []
    told.unlink(missing_ok=True)
    return child.exitcode, events


def work(root, photos, kill):
    paths.RUNS, paths.CACHE = root / "runs", root / "cache"
    notebooks.REPORT, notebooks.execute = notebooks.REPORT[:2], execute
    warm_kernels.SUPPORTED = False  # cells run in this process
    plots.save = lambda *_: None
    for draw in ("split_counts", "photos_grid", "training_curves"):
        setattr(plots, draw, lambda *_, **__: None)
    Path.write_bytes = write_in_halves
    events = watch(root, kill)
    (root / "empty.yaml").touch()
    reproduce.reproduce(root / "empty.yaml", PARAMETERS | {"DATA": str(photos)}, print_line=lambda line: None)
    (root / "events.json").write_text(json.dumps(events))


def execute(notebook, output, parameters, kernels):
    """The notebook's cells here, in order; what papermill writes, it writes."""
    content, names = nbformat.read(notebook, 4), {}
    nbformat.write(content, output)
    for cell in content.cells:
        if cell.cell_type == "code":
            exec(cell.source, names)
            if "parameters" in cell.metadata.get("tags", []):
                names.update(parameters)
    nbformat.write(content, output)


def watch(root, kill):
    """Note every file event below root, and die at the one that `kill` names."""
    events = []
    pattern, n = kill or ("", 0)

    def hook(event, arguments):
        if event not in FILE_EVENTS:
            return
        named = [str(x) for x in arguments[:2] if isinstance(x, str | os.PathLike) and str(x).startswith(str(root))]
        if named and not named[0].endswith("events.json"):
            events.append(" ".join([event, *named]))
            if kill and re.search(pattern, events[-1]) and sum(bool(re.search(pattern, one)) for one in events) == n:
                os.kill(os.getpid(), signal.SIGKILL)

    sys.addaudithook(hook)
    return events


def write_in_halves(path, content):
    with open(path, "wb") as file:
        file.write(content[: len(content) // 2])
        file.flush()
        sys.audit("half written", str(path))
        return file.write(content[len(content) // 2 :])


def results(root):
    """{file of the run: sha256}, metrics.json without what may differ; and that nothing is left beside the run."""
    run_dir = root / "runs" / NAME
    assert sorted(path.name for path in run_dir.parent.iterdir()) == [f".{NAME}.lock", NAME]
    assert not list(run_dir.rglob(".*")) and not (run_dir / runs.CHECKPOINT).exists()
    found = {str(path.relative_to(run_dir)): path.read_bytes() for path in run_dir.rglob("*") if path.is_file()}
    for varies in ("environment.json", "01_prepare.ipynb", "02_train_recipe.ipynb"):
        found.pop(varies)
    metrics = json.loads(found["metrics.json"])
    assert metrics.pop("run")["name"] == NAME and metrics.pop("seconds")
    found["metrics.json"] = json.dumps(metrics).encode()
    assert {"split.csv", "history.csv", "model.safetensors", "model.json"} <= found.keys()
    return {name: hashlib.sha256(content).hexdigest() for name, content in found.items()}
