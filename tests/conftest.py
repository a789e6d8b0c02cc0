"""Small drawn photos, a recorded audit, and a project root of its own for every test that writes."""

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from maskkit import checkpoint, data, model, pretrained, split
from maskkit.core import paths
from maskkit.improve import test_sets
from maskkit.sources import faces, folders

TOLERANCE = 1e-4  # of probabilities: what batch shapes, thread counts, processors and code paths may change (design.md)


def same_answers(rows, others):
    """Whether two tables of predictions agree: files and notes, probabilities within TOLERANCE, labels up to ties.

    Args:
        rows, others: dicts with the columns of a prediction table, values as text or as numbers.
    """
    return len(rows) == len(others) and all(map(same_answer, rows, others))


def same_answer(row, other):
    """`same_answers` of one row; a photo as likely of one class as of another may get either label."""
    if any((row[name] or "") != (other[name] or "") for name in ("file", "note")):
        return False
    if not row["label"] or not other["label"]:
        return not row["label"] and not other["label"]
    first, second = float(row["probability"]), float(other["probability"])
    tie = first < 0.5 + TOLERANCE and len({row["label"], other["label"]}) == 2  # of two classes
    return abs(first - second) <= TOLERANCE and (row["label"] == other["label"] or tie)


def recorded_audit():
    """audit.json as the audit wrote it of 124 synthetic faces and odd files, against 60 other faces."""
    return json.loads((Path(__file__).parent / "recorded_audit.json").read_text(encoding="utf-8"))


def draw_photo(seed, size_px=48, bright=False):
    """Noise, bright below the middle where `bright`: two classes that a network can tell apart."""
    pixels = np.random.default_rng(seed).integers(0, 160, (size_px, size_px, 3), dtype=np.uint8)
    if bright:
        pixels[size_px // 2 :] += 90
    return Image.fromarray(pixels)


def fill(folder, names, n, size_px=48):
    """`n` different photos in a sub-folder for each of `names`."""
    for place, name in enumerate(names):
        (folder / name).mkdir(parents=True)
        for index in range(n):
            draw_photo(1000 * place + index, size_px, bright=place % 2 == 0).save(folder / name / f"{index:03d}.png")
    return folder


@pytest.fixture(autouse=True)
def close_figures():
    """Close what a test has drawn: matplotlib warns, in whichever test comes next, when 20 figures are open."""
    yield
    if pyplot := sys.modules.get("matplotlib.pyplot"):
        pyplot.close("all")


@pytest.fixture
def project(tmp_path, monkeypatch):
    """A project of small notebooks that need no torch, and its folders."""
    from small_project import make_project

    monkeypatch.setattr(paths, "NOTEBOOKS", make_project(tmp_path) / "notebooks")
    monkeypatch.setattr(paths, "RUNS", tmp_path / "runs")
    return tmp_path


@pytest.fixture(scope="session")
def demo_set(tmp_path_factory):
    """The folder of the drawn faces, drawn once for all tests; not to be changed."""
    return faces.make(tmp_path_factory.mktemp("demo") / "set")


@pytest.fixture
def photo_folder(tmp_path):
    """15 photos of each of the report's classes."""
    return fill(tmp_path / "photos", ("with_mask", "without_mask"), 15)


@pytest.fixture
def curated(photo_folder, tmp_path):
    """(run_dir, rows) of the 30 photos: 24 train, 6 validation."""
    run_dir = tmp_path / "run"
    run_dir.mkdir()
    rows, _ = split.curate(folders.find(str(photo_folder)), run_dir, per_class=0, split="grouped", seed=0)
    return run_dir, rows


@pytest.fixture
def face_source(demo_set, tmp_path):
    """A folder of 28 drawn faces a class."""
    for name in folders.REPORT_CLASSES:
        (tmp_path / "faces" / name).mkdir(parents=True)
        for path in sorted((demo_set / name).iterdir())[:28]:
            shutil.copy(path, tmp_path / "faces" / name)
    return folders.find(str(tmp_path / "faces"))


@pytest.fixture
def drawn_faces(face_source, tmp_path):
    """15 of each class, split three times."""
    (tmp_path / "run").mkdir()
    split.curate(face_source, tmp_path / "run", per_class=15, split="grouped", seed=0)
    return test_sets.draw(tmp_path / "run", n_seeds=3, seed=0)


@pytest.fixture
def dwarf():
    """A transform to 64 px: the size does not matter to most tests, their time does."""
    return model.Transform(size_px=64)


@pytest.fixture(scope="session")
def trained(tmp_path_factory):
    """The two files of a model, as `model.save` left them: random ResNet18, two classes, 64 px."""
    run_dir = tmp_path_factory.mktemp("trained")
    source = pretrained.Pretrained("resnet18", "none", None, "")
    network = model.build(source, 2, seed=0)
    network.fc.weight.data *= 4  # else every photo is 0.5
    checkpoint.save(
        network,
        run_dir,
        source=source,
        classes=("with_mask", "without_mask"),
        transform=model.Transform(size_px=64),
        parameters={"epochs": 1},
    )
    return run_dir


@pytest.fixture
def photos(curated, dwarf):
    """(train, val) as MaskDatasets of 24 and 6 drawn photos."""
    run_dir, _ = curated
    return tuple(data.MaskDataset(rows, run_dir, folders.REPORT_CLASSES, dwarf) for rows in data.read_split(run_dir))


# --- Dask ---------------------------------------------------------------------------------------


@pytest.fixture
def thread_client():
    """A client of a scheduler and two workers in this process, of two threads each."""
    distributed = pytest.importorskip("distributed")
    with (
        distributed.LocalCluster(
            n_workers=2, threads_per_worker=2, processes=False, dashboard_address="127.0.0.1:0"
        ) as workers,
        distributed.Client(workers, set_as_default=False) as client,
    ):
        yield client


def start_dask(*arguments, limit=None):
    """`dask ...` as a process that finds the tests and maskkit; `limit` is called in it before it begins."""
    here = str(Path(__file__).parent)
    env = os.environ | {"PYTHONPATH": os.pathsep.join([here, str(Path(here).parent)])}
    return subprocess.Popen(
        [sys.executable, "-m", "dask", *arguments],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        env=env,
        preexec_fn=limit,
    )


@pytest.fixture(scope="session")
def scheduler_file(tmp_path_factory):
    """The file that names a scheduler with two worker processes, each with a nanny that starts it anew."""
    folder = tmp_path_factory.mktemp("dask")
    path = folder / "scheduler.json"
    shared = ("--scheduler-file", str(path), "--no-dashboard", "--host", "127.0.0.1")
    started = [start_dask("scheduler", *shared, "--port", "0")]
    try:
        while not (path.is_file() and path.read_text().rstrip().endswith("}")):
            assert started[0].poll() is None, "the scheduler ended"
            time.sleep(0.1)
        workers = ("--nworkers", "2", "--nthreads", "1", "--local-directory", str(folder))
        started.append(start_dask("worker", *shared, *workers))
        yield path
    finally:
        for process in reversed(started):
            process.terminate()
            process.wait()


@pytest.fixture
def process_client(scheduler_file, monkeypatch):
    """A client of that scheduler."""
    from maskkit.sweep import cluster

    monkeypatch.setattr(cluster, "CONNECT_SECONDS", 120)  # a busy machine takes its time to start a worker
    with cluster.connect(json.loads(scheduler_file.read_text())["address"]) as client:
        client.wait_for_workers(2, timeout=120)
        yield client


def kill_a_busy_worker(client):
    """SIGKILL to a worker process that has a job under way; returns its process id."""
    while not (busy := [worker for worker, jobs in client.processing().items() if jobs]):
        time.sleep(0.01)
    pid = client.run(os.getpid, workers=[busy[0]])[busy[0]]
    os.kill(pid, signal.SIGKILL)
    return pid
