import collections
import contextlib
import csv
import errno
import io
import json
import os
import resource
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
import torch
from conftest import TOLERANCE, draw_photo, fill, same_answers

from maskkit import data, features, model
from maskkit.cli import main
from maskkit.core import disk, paths
from maskkit.core.parallel import torch_threads
from maskkit.deploy import addresses, partitions, predict
from maskkit.sources import decoding
from maskkit.sweep import cluster, extraction, sweep

# --- without a cluster --------------------------------------------------------------------------


def double(number):
    return 2 * number


def fail(kind):
    raise {"disk": OSError(errno.ENOSPC, "No space left on device"), "value": ValueError("too\nmany")}[kind]


def test_jobs_run_here_where_there_is_no_client():
    found = dict(cluster.each(double, ((n,) for n in range(3))))
    assert {place: outcome.value for place, outcome in found.items()} == {0: 0, 1: 2, 2: 4}


def test_an_outcome_tells_the_machine_s_fault_from_the_job_s():
    disk, value = (outcome for _, outcome in cluster.each(fail, [("disk",), ("value",)]))
    assert disk.machine and "No space left" in disk.error
    assert not value.machine and value.error == "ValueError: too many" and "Traceback" in value.trace


@pytest.fixture
def many(tmp_path):
    """25 files, three of them no photos, some with odd names."""
    fill(tmp_path / "many", ("a",), 22)
    folder = tmp_path / "many" / "a"
    (folder / "text.jpg").write_text("no photo")
    (folder / "empty.png").touch()
    (folder / "=1+1,\n😷.png").write_bytes(b"no photo")
    return folder


def single(folder, run, target):
    """The rows of `maskkit predict` in one process."""
    assert main.main(["predict", str(folder), "--model", str(run), "--csv", str(target)]) == 0
    return read_csv(target.read_bytes())


def read_csv(content):
    return list(csv.DictReader(io.StringIO(content.decode("utf-8", "surrogateescape"), newline="")))


def parts(out):
    """The rows of all partitions that the manifest names, and the manifest."""
    manifest = json.loads(addresses.read(addresses.join(out, "manifest.json")))
    contents = (addresses.read(addresses.join(out, entry["file"])) for entry in manifest["partitions"])
    return [row for content in contents for row in read_csv(content)], manifest


@pytest.mark.numeric
def test_partitions_together_answer_as_one_process(many, trained, tmp_path):
    files, _ = predict.find([str(many)], None)
    out = tmp_path / "out"
    partitions.predict(None, trained, files, out, part=8)
    rows, manifest = parts(out)
    assert same_answers(rows, single(many, trained, tmp_path / "one.csv"))
    assert manifest["complete"] and [entry["files"] for entry in manifest["partitions"]] == [8, 8, 8, 1]
    assert sum(entry["photos"] for entry in manifest["partitions"]) == 22
    assert sum(entry["skipped"] for entry in manifest["partitions"]) == 3


def test_a_prediction_goes_on_where_it_stopped(many, trained, tmp_path, monkeypatch):
    files, _ = predict.find([str(many)], None)
    classify, calls = partitions.classify, []

    def counted(*job):
        calls.append(Path(job[5]).name)
        if len(calls) == 3:
            raise OSError(errno.ENOSPC, "No space left on device")
        return classify(*job)

    monkeypatch.setattr(partitions, "classify", counted)
    with pytest.raises(OSError, match="1 of 4 partitions failed, the first part-0000002.csv: .*No space left"):
        partitions.predict(None, trained, files, tmp_path / "out", part=8)
    assert not parts(tmp_path / "out")[1]["complete"]
    partitions.predict(None, trained, files, tmp_path / "out", part=8)
    assert calls[4:] == ["part-0000002.csv"] and parts(tmp_path / "out")[1]["complete"]


def test_a_folder_of_something_else_is_refused(many, trained, tmp_path):
    files, _ = predict.find([str(many)], None)
    partitions.predict(None, trained, files, tmp_path / "out", part=8)
    with pytest.raises(ValueError, match=r"holds another prediction \(files, files_sha256 differ\)"):
        partitions.predict(None, trained, files[1:], tmp_path / "out", part=8)
    with pytest.raises(ValueError, match="holds something else than a prediction"):
        partitions.predict(None, trained, files, many)


class Blind:
    """As a client, as far as `check_seen` asks: one worker sees what is here, one sees nothing."""

    def run(self, function, file):
        return {"tcp://sees": function(file), "tcp://blind": False}


def test_a_worker_that_does_not_see_the_photos_is_named_before_it_notes_them_all_as_missing(tmp_path):
    (tmp_path / "a.png").touch()
    with pytest.raises(FileNotFoundError, match="worker tcp://blind does not see .*a.png"):
        partitions.check_seen(Blind(), [str(tmp_path / "gone.png"), str(tmp_path / "a.png")])
    partitions.check_seen(Blind(), [str(tmp_path / "gone.png")])  # missing here too: a note in the table
    partitions.check_seen(None, [str(tmp_path / "a.png")])


def test_a_prediction_cut_off_lists_the_tables_that_are_done(many, trained, tmp_path):
    files, ended = predict.find([str(many)], None)[0], []

    def stop(entry):
        ended.append(entry)
        if len(ended) == 2:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        partitions.predict(None, trained, files, tmp_path / "out", part=8, progress=stop)
    manifest = json.loads((tmp_path / "out" / "manifest.json").read_text())
    assert manifest["partitions"] == ended and not manifest["complete"]


@pytest.mark.numeric
def test_parquet_holds_the_same_rows(many, trained, tmp_path):
    parquet = pytest.importorskip("pyarrow.parquet")
    assert (
        main.main(
            ["predict", str(many), "--model", str(trained), "--out", str(tmp_path / "out"), "--format", "parquet"]
        )
        == 0
    )
    (entry,) = json.loads((tmp_path / "out" / "manifest.json").read_text())["partitions"]
    rows = parquet.read_table(tmp_path / "out" / entry["file"]).to_pylist()
    assert [row["file"] for row in rows] == predict.find([str(many)], None)[0]
    assert same_answers(rows, single(many, trained, tmp_path / "one.csv"))
    assert b"\\udcff" in partitions.as_parquet([{"file": "\udcff", "label": None, "probability": None, "note": "x"}])


@pytest.mark.numeric
@pytest.mark.parametrize("kind", ["memory://test", "file://{}"])
def test_photos_and_tables_at_addresses(many, trained, tmp_path, kind):
    fsspec = pytest.importorskip("fsspec")
    base = kind.format(tmp_path / "store")
    system, _ = fsspec.core.url_to_fs(base)
    for path in many.iterdir():
        addresses.write(f"{base}/photos/{path.name}", path.read_bytes())
    files, empty = predict.find([f"{base}/photos"], None)
    assert len(files) == 25 and not empty and all(addresses.is_address(name) for name in files)
    partitions.predict(None, trained, files, f"{base}/out", part=8)
    rows, manifest = parts(f"{base}/out")
    assert manifest["complete"] and len(rows) == 25
    one, rows = (
        sorted((row | {"file": Path(row["file"]).name} for row in table), key=lambda row: row["file"])
        for table in (single(many, trained, tmp_path / "one.csv"), rows)
    )
    assert same_answers(rows, one)
    system.rm(addresses.split(base)[1], recursive=True)


def test_an_address_that_cannot_be_read_is_said(trained, tmp_path):
    with pytest.raises(FileNotFoundError, match="there is no file or folder memory://nowhere"):
        predict.find(["memory://nowhere"], None)
    (row,) = predict.predict(["memory://gone.png"], predict.from_run(trained))
    assert row["label"] is None and row["note"]


# --- Dask: what needs no worker process ---------------------------------------------------------


def test_an_unreachable_scheduler_is_said_in_time(tmp_path, trained, monkeypatch, capsys):
    monkeypatch.setattr(cluster, "CONNECT_SECONDS", 0.5)
    (tmp_path / "x.png").touch()
    code = main.main(
        [
            "predict",
            str(tmp_path / "x.png"),
            "--model",
            str(trained),
            "--out",
            str(tmp_path / "out"),
            "--cluster",
            "tcp://127.0.0.1:9",
        ]
    )
    said = capsys.readouterr().err
    assert code == 2 and "no scheduler answered at tcp://127.0.0.1:9 within 0.5 s: start one with `dask sched" in said


def test_what_partitions_need_is_said(capsys, tmp_path):
    for extra in (["--onnx", "x"], ["--model", "x"], ["--model", "x", "--out", "y", "--csv", "z"]):
        assert main.main(["predict", str(tmp_path), "--workers", "1", *extra]) == 2
        assert "they need --model RUN and --out DIR" in capsys.readouterr().err


@pytest.fixture
def threads():
    """A client of a scheduler and two workers in this process."""
    distributed = pytest.importorskip("distributed")
    own = {"processes": False, "dashboard_address": "127.0.0.1:0"}
    with (
        distributed.LocalCluster(n_workers=2, threads_per_worker=2, **own) as here,
        distributed.Client(here, set_as_default=False) as client,
    ):
        yield client


def test_a_job_fails_over_to_another_machine_and_a_broken_one_does_not(threads, tmp_path):
    found = dict(cluster.each(full_on_one, [(str(tmp_path), n) for n in range(4)], threads))
    assert all(not outcome.error for outcome in found.values())
    tried = collections.Counter(path.name.split("-")[0] for path in tmp_path.iterdir())
    assert max(tried.values()) == 2  # some job met the full one first
    ((_, broken),) = cluster.each(fail, [("value",)], threads)
    assert broken.error == "ValueError: too many"
    ((_, full),) = cluster.each(fail, [("disk",)], threads)
    assert full.machine and "No space left" in full.error


def full_on_one(folder, number):
    """A job that finds no space on the first worker that ever ran one; each try leaves a file."""
    worker = cluster.worker_address().replace("/", "_")
    Path(folder, f"{number}-{worker}").touch()
    with contextlib.suppress(FileExistsError):
        os.symlink(worker, f"{folder}.full")
    if os.readlink(f"{folder}.full") == worker:
        raise OSError(errno.ENOSPC, "No space left on device")


def test_few_jobs_are_under_way_however_many_there_are(threads):
    taken = []
    jobs = ((taken.append(n) or n,) for n in range(500))
    most = max(len(taken) - place for place, _ in cluster.each(double, jobs, threads))
    assert len(taken) == 500 and most <= 2 * cluster.AHEAD * 4 + 1


def test_other_versions_are_named(threads, monkeypatch):
    cluster.check(threads)
    other = dict(cluster.versions(), torch="1.0")
    with monkeypatch.context() as patch:
        patch.setattr(threads, "run", lambda function: {"tcp://far:1": other})
        with pytest.raises(ValueError, match="worker tcp://far:1 and this client differ: torch .* here, 1.0 there"):
            cluster.check(threads)
    monkeypatch.setattr(cluster, "worker_address", lambda: "tcp://late:1")
    outcome = cluster.on_worker(double, b"", other)
    assert outcome.machine and "torch 1.0 here" in outcome.error


def test_a_scheduler_without_workers_is_said(monkeypatch):
    distributed = pytest.importorskip("distributed")
    monkeypatch.setattr(cluster, "CONNECT_SECONDS", 0.5)
    monkeypatch.setattr(cluster, "ABANDONED_SECONDS", 0)
    with distributed.LocalCluster(n_workers=0, processes=False, dashboard_address="127.0.0.1:0") as here:
        with pytest.raises(FileNotFoundError, match=f"{here.scheduler_address} has no worker: start some with `dask w"):
            cluster.connect(here.scheduler_address)
        with (
            distributed.Client(here, set_as_default=False) as client,
            pytest.raises(OSError, match="no worker has been left"),
        ):
            list(cluster.each(double, [(1,)], client))


# --- real processes, from the command line ------------------------------------------------------


def dask(*arguments, limit=None):
    """`dask ...` as a process."""
    env = os.environ | {"PYTHONPATH": os.pathsep.join([str(Path(__file__).parents[1]), str(paths.ROOT)])}
    return subprocess.Popen(
        [sys.executable, "-m", "dask", *arguments],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        env=env,
        preexec_fn=limit,
    )


@pytest.fixture(scope="module")
def scheduler(tmp_path_factory):
    """The file that names a scheduler with two workers, each with a nanny that starts it anew."""
    folder = tmp_path_factory.mktemp("dask")
    named = str(folder / "scheduler.json")
    own = ("--scheduler-file", named, "--no-dashboard")
    started = [dask("scheduler", "--host", "127.0.0.1", "--port", "0", *own)]
    try:
        while not (Path(named).is_file() and Path(named).read_text().rstrip().endswith("}")):
            assert started[0].poll() is None, "the scheduler ended"
            time.sleep(0.1)
        started.append(
            dask(
                "worker",
                *own,
                "--host",
                "127.0.0.1",
                "--nworkers",
                "2",
                "--nthreads",
                "1",
                "--local-directory",
                str(folder),
            )
        )
        yield named
    finally:
        for process in reversed(started):
            process.terminate()
            process.wait()


@pytest.fixture
def client(scheduler, monkeypatch):
    monkeypatch.setattr(cluster, "CONNECT_SECONDS", 120)  # a busy machine takes its time to start a worker
    with cluster.connect(json.loads(Path(scheduler).read_text())["address"]) as client:
        client.wait_for_workers(2, timeout=120)
        yield client


def kill_a_busy_worker(client):
    """SIGKILL to a worker process that has a job under way; returns its process id."""
    while not (busy := [worker for worker, jobs in client.processing().items() if jobs]):
        time.sleep(0.01)
    pid = client.run(os.getpid, workers=[busy[0]])[busy[0]]
    os.kill(pid, signal.SIGKILL)
    return pid


@pytest.mark.slow
def test_a_sweep_survives_its_workers_and_agrees_with_one_process(client, photo_folder, tmp_path, monkeypatch):
    monkeypatch.setattr(sweep, "through_notebooks", lambda *arguments: None)
    monkeypatch.setattr(sweep, "SECONDS", 0)
    monkeypatch.setattr(sweep, "WARM", 4)
    given = {
        "RUN": "tiny",
        "DATA": str(photo_folder),
        "ARCH": "resnet18",
        "WEIGHTS": "none",
        "SIZE_PX": 32,
        "PER_CLASS": 10,
        "EPOCHS": [100, 101],
        "SEED": [0, 1, 2],
        "LEARNING_RATE": [0.001, 0.01],
    }
    killed = []

    def watch(found):
        if found.counts["done"] >= 1 and not killed:
            killed.append(kill_a_busy_worker(client))

    monkeypatch.setattr(paths, "CACHE", tmp_path / "many")
    many = sweep.run(given, tmp_path / "many-out", client=client, watch=watch, say=lambda words: None)
    monkeypatch.setattr(paths, "CACHE", tmp_path / "one")
    with torch_threads(1):
        one = sweep.run(given, tmp_path / "one-out", say=lambda words: None)
    assert killed and many.counts == {"done": 12, "broken": 0, "open": 0}

    assert many.rows.keys() == one.rows.keys()
    for key, row in many.rows.items():  # workers may have another number of threads: counts move by a photo at most
        own = one.rows[key]
        for name in ("best_correct", "last_correct"):
            assert abs(row[name] - own[name]) <= 1, (key, name)
        for name in ("train_loss", "val_loss"):
            assert row[name] == pytest.approx(own[name], abs=TOLERANCE), (key, name)
    workers = {disk.read_json(path)["run"]["worker"] for path in (tmp_path / "many-out").glob("recipes/*/result.json")}
    assert len(workers) >= 2
    for folder in (tmp_path / "many").iterdir():  # each photo once, although recipes share them and start together
        names = [digest for path in folder.glob("*.safetensors") for digest in digests(path)]
        assert len(names) == len(set(names)) == len(features.read_shards(tmp_path / "one" / folder.name, 512))


def digests(path):
    import safetensors.numpy

    return [bytes(digest) for digest in safetensors.numpy.load_file(path)["sha256"]]


@pytest.mark.slow
def test_a_prediction_survives_its_workers_photo_by_photo(client, trained, tmp_path):
    names = [tmp_path / f"{seed}.png" for seed in range(40)]
    for seed, name in enumerate(names):
        draw_photo(seed, size_px=60).save(name)
    folder = tmp_path / "many"
    folder.mkdir()
    for index in range(400):
        os.link(names[index % 40], folder / f"{index:04d}.png")
    (folder / "broken.png").write_text("no photo")
    files, _ = predict.find([str(folder)], None)
    killed = []

    def progress(entry):
        if not killed:
            killed.append(kill_a_busy_worker(client))

    partitions.predict(client, trained, files, tmp_path / "out", part=32, progress=progress)
    with torch_threads(1):
        one = single(folder, trained, tmp_path / "one.csv")
    rows, manifest = parts(tmp_path / "out")
    assert killed and manifest["complete"] and same_answers(rows, one)
    tables = sorted(path.name for path in (tmp_path / "out").iterdir() if path.name.startswith("part-"))
    assert tables == [entry["file"] for entry in manifest["partitions"]] and len(tables) == 13


@pytest.mark.slow
def test_features_extracted_by_workers_are_those_of_one_process(client, photo_folder, tmp_path):
    rows = [
        {"path": str(path), "label": path.parent.name, "sha256": decoding.sha256(path)}
        for path in sorted(photo_folder.rglob("*.png"))
    ]
    photos = data.Photos(rows, ("with_mask", "without_mask"), model.Transform(64))
    backbone = extraction.Backbone("resnet18", "none", 3)
    X, n = extraction.extract(client, backbone, photos, cache=tmp_path / "many", chunk=7)
    with torch_threads(1):
        own, _ = features.extract(
            backbone.network(), "resnet18", photos, cache=tmp_path / "one", device=model.device("cpu")
        )
    assert n == 30 and (X - own).abs().max() <= TOLERANCE * own.abs().max()
    again, n = extraction.extract(client, backbone, photos, cache=tmp_path / "many", chunk=7)
    assert n == 0 and torch.equal(again, X)


@pytest.mark.slow
def test_a_worker_that_cannot_write_leaves_its_share_to_others(scheduler, client, photo_folder, tmp_path):
    """Its process may write no byte to any file, as on a full disk."""

    def full():
        resource.setrlimit(resource.RLIMIT_FSIZE, (0, 0))

    process = dask(
        "worker",
        "--scheduler-file",
        scheduler,
        "--no-nanny",
        "--no-dashboard",
        "--nthreads",
        "8",
        "--name",
        "full",
        "--local-directory",
        str(tmp_path),
        "--host",
        "127.0.0.1",
        limit=full,
    )
    try:
        client.wait_for_workers(3, timeout=120)
        jobs = [(str(tmp_path / "out"), n) for n in range(60)]
        found = dict(cluster.each(write_one, jobs, client))
    finally:
        process.terminate()
        process.wait()
    assert not any(outcome.error for outcome in found.values())
    assert len(list((tmp_path / "out").iterdir())) == 60
    assert list(tmp_path.glob("out.tried-*")), "the full worker had no job"


def write_one(folder, number):
    if resource.getrlimit(resource.RLIMIT_FSIZE)[0] == 0:
        Path(f"{folder}.tried-{number}").touch()
    disk.write_text(f"{folder}/{number}", "x" * 100)
