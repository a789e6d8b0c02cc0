import collections
import contextlib
import errno
import os
import resource
import threading
from pathlib import Path

import pytest
from conftest import start_dask

from maskkit.core import disk
from maskkit.sweep import cluster, jobs


def double(number):
    return 2 * number


def fail(kind):
    raise {"disk": OSError(errno.ENOSPC, "No space left on device"), "value": ValueError("too\nmany")}[kind]


def test_jobs_run_here_where_there_is_no_client():
    outcomes = dict(jobs.run_jobs(double, ((n,) for n in range(3))))
    assert {index: outcome.value for index, outcome in outcomes.items()} == {0: 0, 1: 2, 2: 4}


def test_an_outcome_tells_the_machine_s_fault_from_the_job_s():
    full, wrong = (outcome for _, outcome in jobs.run_jobs(fail, [("disk",), ("value",)]))
    assert full.machine_fault and "No space left" in full.error
    assert not wrong.machine_fault and wrong.error == "ValueError: too many" and "Traceback" in wrong.trace


# --- workers in this process --------------------------------------------------------------------


def test_a_job_fails_over_to_another_machine_and_a_broken_one_does_not(thread_client, tmp_path):
    outcomes = dict(jobs.run_jobs(full_on_one, [(str(tmp_path), n) for n in range(4)], thread_client))
    assert len(outcomes) == 4 and all(not outcome.error for outcome in outcomes.values())
    tried = collections.Counter(path.name.split("-")[0] for path in tmp_path.iterdir())
    assert max(tried.values()) == 2  # some job met the full one first
    ((_, broken),) = jobs.run_jobs(fail, [("value",)], thread_client)
    assert broken.error == "ValueError: too many"
    ((_, full),) = jobs.run_jobs(fail, [("disk",)], thread_client)
    assert full.machine_fault and "No space left" in full.error


def full_on_one(folder, number):
    """A job that finds no space on the first worker that ever ran one; each try leaves a file."""
    from distributed import get_worker

    worker = get_worker().address.replace("/", "_")
    Path(folder, f"{number}-{worker}").touch()
    with contextlib.suppress(FileExistsError):
        os.symlink(worker, f"{folder}.full")
    if os.readlink(f"{folder}.full") == worker:
        raise OSError(errno.ENOSPC, "No space left on device")


def test_few_jobs_are_under_way_however_many_there_are(thread_client):
    taken = []
    numbers = ((taken.append(n) or n,) for n in range(500))
    most = max(len(taken) - index for index, _ in jobs.run_jobs(double, numbers, thread_client))
    assert len(taken) == 500 and most <= 2 * jobs.JOBS_PER_THREAD * 4 + 1


def test_a_process_runs_one_job_at_a_time_however_many_threads_it_has(thread_client):
    most = [outcome.value for _, outcome in jobs.run_jobs(count_running, [(n,) for n in range(16)], thread_client)]
    assert most == [1] * 16


RUNNING = []


def count_running(number):
    RUNNING.append(number)
    threading.Event().wait(0.01)
    n_running = len(RUNNING)
    RUNNING.remove(number)
    return n_running


def test_a_worker_of_other_versions_that_joined_late_gets_no_job(thread_client, monkeypatch):
    versions = cluster.versions()
    here = threading.get_ident()  # workers run in other threads of this process
    monkeypatch.setattr(
        cluster, "versions", lambda: versions if threading.get_ident() == here else versions | {"torch": "1.0"}
    )
    ((_, outcome),) = jobs.run_jobs(double, [(1,)], thread_client)
    assert outcome.machine_fault and outcome.error.startswith("the worker's versions differ: torch ")


def test_the_client_gives_up_where_no_worker_is_left(monkeypatch):
    distributed = pytest.importorskip("distributed")
    monkeypatch.setattr(jobs, "CHECK_SECONDS", 0.1)
    monkeypatch.setattr(jobs, "ABANDONED_SECONDS", 0.2)
    with (
        distributed.LocalCluster(n_workers=0, processes=False, dashboard_address="127.0.0.1:0") as empty,
        distributed.Client(empty, set_as_default=False) as client,
        pytest.raises(OSError, match="no worker has been left for 0.2 s; .* `dask worker inproc://"),
    ):
        list(jobs.run_jobs(double, [(1,)], client))


def test_a_lost_connection_is_an_error_and_breaks_no_job(thread_client):
    outcomes = jobs.run_jobs(double, ((n,) for n in range(100)), thread_client)
    assert not next(outcomes)[1].error
    thread_client.cluster.close()
    with pytest.raises(OSError, match="the connection to the scheduler is lost; run the same command again"):
        assert not [outcome for _, outcome in outcomes if outcome.error]


# --- workers in processes of their own ----------------------------------------------------------


class Unreadable:
    """What can be sent and not be read."""

    def __reduce__(self):
        return int, ("no number",)


def make_odd_value(kind):
    return {"plain": 1, "unreadable": Unreadable()}[kind]


@pytest.mark.slow
def test_a_value_that_cannot_be_read_breaks_its_job_only(process_client):
    kinds = ["plain", "unreadable", "plain"]
    outcomes = dict(jobs.run_jobs(make_odd_value, [(kind,) for kind in kinds], process_client))
    assert [bool(outcomes[index].error) for index in range(3)] == [False, True, False]


@pytest.mark.slow
def test_a_worker_that_cannot_write_leaves_its_share_to_others(scheduler_file, process_client, tmp_path):
    """Its process may write no byte to any file, as on a full disk."""
    full = start_dask(
        *("worker", "--scheduler-file", str(scheduler_file), "--no-nanny", "--no-dashboard", "--host", "127.0.0.1"),
        *("--nthreads", "8", "--name", "full", "--local-directory", str(tmp_path)),
        limit=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (0, 0)),
    )
    try:
        process_client.wait_for_workers(3, timeout=120)
        writes = [(str(tmp_path / "out"), n) for n in range(60)]
        outcomes = dict(jobs.run_jobs(write_number, writes, process_client))
    finally:
        full.terminate()
        full.wait()
    assert not any(outcome.error for outcome in outcomes.values())
    assert len(list((tmp_path / "out").iterdir())) == 60
    assert list(tmp_path.glob("out.tried-*")), "the full worker had no job"


def write_number(folder, number):
    if resource.getrlimit(resource.RLIMIT_FSIZE)[0] == 0:
        Path(f"{folder}.tried-{number}").touch()
    disk.write_text(f"{folder}/{number}", "x" * 100)
