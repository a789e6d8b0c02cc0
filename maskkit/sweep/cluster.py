"""Jobs: one after the other here, or on the workers of a Dask cluster."""

import concurrent.futures
import contextlib
import dataclasses
import functools
import importlib.metadata
import itertools
import os
import queue
import threading
import time
import traceback
import uuid

from maskkit.core import environment

CONNECT_SECONDS = 10  # for a scheduler to answer, and for its first worker
ABANDONED_SECONDS = 60  # without any worker before the client gives up
AHEAD = 8  # jobs handed to Dask for each thread: enough to keep it busy, few enough that memory stays flat
TRIES = 3  # workers that a job fails on by the machine's fault before it counts as broken
ONE_AT_A_TIME = threading.Lock()  # torch's global seed is not per thread, and its own threads use the cores already


# --- client -------------------------------------------------------------------------------------


def import_distributed():
    try:
        import distributed
    except ImportError as error:
        raise FileNotFoundError(f"a cluster needs Dask: pip install -e '.[cluster]' ({error})") from error
    return distributed


@contextlib.contextmanager
def clients(address=None, n_workers=0):
    """The client that a command line asks for: of a scheduler, of workers started here, or None; closed at the end."""
    if address:
        client = connect(address)
    elif n_workers:
        client = local(n_workers)
    else:
        yield None
        return
    with client:
        try:
            yield client
        finally:
            if not address:
                client.cluster.close()


def connect(address):
    """The client of a running scheduler, such as tcp://127.0.0.1:8786, its workers' versions checked.

    Raises:
        FileNotFoundError: Dask is not installed, no scheduler answers, or it has no worker.
        ValueError: `check`.
    """
    distributed = import_distributed()
    try:
        client = distributed.Client(address, timeout=CONNECT_SECONDS, set_as_default=False)
    except (OSError, ValueError, TimeoutError) as error:
        raise FileNotFoundError(
            f"no scheduler answered at {address} within {CONNECT_SECONDS} s: start one with `dask scheduler` and "
            f"workers with `dask worker ADDRESS --nthreads 1` ({type(error).__name__})"
        ) from error
    try:
        check(client)
    except BaseException:
        client.close()
        raise
    return client


def local(n_workers):
    """A client of `n_workers` processes on this machine, which share its cores evenly.

    Raises:
        ValueError: fewer than one; FileNotFoundError: Dask is not installed.
    """
    if n_workers < 1:
        raise ValueError(f"--workers must be at least 1, got {n_workers}")
    distributed = import_distributed()
    threads = str(max(1, (os.cpu_count() or 1) // n_workers))
    env = dict.fromkeys(("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS"), threads)
    # Loopback only. Without an address for its pages the scheduler would serve some all the same, to the whole network.
    cluster = distributed.LocalCluster(
        n_workers=n_workers,
        threads_per_worker=1,
        host="127.0.0.1",
        dashboard_address="127.0.0.1:0",
        env=env,
        silence_logs="CRITICAL",
    )
    return distributed.Client(cluster, set_as_default=False)


def check(client):
    """Wait for a first worker, and make sure that workers run what this process runs.

    Raises:
        FileNotFoundError: there is no worker. ValueError: another version of what numbers or messages depend on.
    """
    with contextlib.suppress(TimeoutError):
        client.wait_for_workers(1, timeout=CONNECT_SECONDS)
    address = client.scheduler.address
    if not workers_of(client):
        raise FileNotFoundError(
            f"the scheduler at {address} has no worker: start some with `dask worker {address} --nthreads 1`"
        )
    try:
        found = client.run(versions)
    except ModuleNotFoundError as error:
        raise ValueError(f"a worker of {address} cannot run maskkit ({error}); install it there") from error
    for worker, theirs in found.items():
        if differing := differences(versions(), theirs):
            raise ValueError(f"worker {worker} and this client differ: {differing}; install the same versions")


def workers_of(client):
    """Addresses of the workers that are there now."""
    return list(client.scheduler_info(n_workers=-1)["workers"])


@functools.cache
def versions():
    """Versions of what numbers, and messages between processes, depend on."""
    return environment.versions() | {name: importlib.metadata.version(name) for name in ("dask", "distributed")}


def differences(ours, theirs):
    """'torch 2.14.1 here, 2.13.0 there', or nothing; matplotlib draws here only."""
    names = [name for name in ours if name != "matplotlib" and ours[name] != theirs.get(name)]
    return ", ".join(f"{name} {ours[name]} here, {theirs.get(name)} there" for name in names)


# --- jobs ---------------------------------------------------------------------------------------


@dataclasses.dataclass(frozen=True)
class Outcome:
    """How a job ended: `value`, or `error` in one line with its `trace`.

    worker: the address of the process, "" for this one. machine: the fault may be that machine's (no space, no such
    file), so that another one is worth a try.
    """

    value: object = None
    error: str = ""
    trace: str = ""
    worker: str = ""
    machine: bool = False
    seconds: float = 0.0


def on_worker(function, job, expected):
    """`attempt` on a worker, where its versions are those `expected`: it may have joined after the first check."""
    worker = worker_address()
    if differing := differences(expected, versions()):
        return Outcome(error=f"the worker's versions differ: {differing}", worker=worker, machine=True)
    return attempt(function, job, worker)


def attempt(function, job, worker=""):
    """`function(*job)` as an `Outcome`, one at a time in a process."""
    started = time.perf_counter()
    try:
        with ONE_AT_A_TIME:
            value = function(*job)
    except Exception as error:  # whatever a job raises is its outcome; the others go on
        words = " ".join(f"{type(error).__name__}: {error}".split())
        fault = isinstance(error, OSError | MemoryError)
        return Outcome(error=words, trace=traceback.format_exc(), worker=worker, machine=fault)
    return Outcome(value=value, worker=worker, seconds=round(time.perf_counter() - started, 4))


def worker_address():
    from distributed import get_worker

    return get_worker().address


def each(function, jobs, client=None):
    """Run jobs, and yield (place of the job, `Outcome`) as they end.

    Only a few jobs per worker thread are under way at a time, whatever their number. A job whose worker is lost runs
    again elsewhere; so does one that failed by its machine's fault, on other workers, at most TRIES times.

    Args:
        function: importable by workers; must give the same however often it runs. jobs: an iterable of tuples of its
            arguments. client: Dask's, or None to run them here one after the other.

    Raises:
        OSError: there has been no worker for ABANDONED_SECONDS.
    """
    if client is None:
        yield from ((place, attempt(function, job)) for place, job in enumerate(jobs))
        return
    jobs, under_way, ended = enumerate(jobs), {}, queue.SimpleQueue()

    def submit(place, job, failed_on=()):
        others = [name for name in workers_of(client) if name not in failed_on] if failed_on else []
        choice = {"workers": others, "allow_other_workers": True} if others else {}
        name = f"{function.__name__}-{uuid.uuid4().hex}"
        future = client.submit(on_worker, function, job, versions(), key=name, pure=False, **choice)
        under_way[future] = (place, job, failed_on)
        future.add_done_callback(ended.put)

    try:
        window = AHEAD * max(1, sum(client.nthreads().values()))
        for place, job in itertools.islice(jobs, window):
            submit(place, job)
        while under_way:
            for future, outcome in outcomes_of(wait_for(ended, client), client):
                place, job, failed_on = under_way.pop(future)
                if outcome.machine and outcome.worker not in failed_on and len(failed_on) + 1 < TRIES:
                    submit(place, job, (*failed_on, outcome.worker))
                    continue
                for further, job in itertools.islice(jobs, 1):
                    submit(further, job)
                yield place, outcome
    finally:
        client.cancel(list(under_way))


def wait_for(ended, client):
    """The futures that ended since the last call, at least one."""
    alone_since = None
    while True:
        try:
            first = ended.get(timeout=5)
            return [first, *(ended.get() for _ in range(ended.qsize()))]
        except queue.Empty:
            if client.status != "running":
                raise OSError("the connection to the scheduler is lost; run the same command again") from None
            if workers_of(client):
                alone_since = None
                continue
            alone_since = alone_since or time.monotonic()
            if time.monotonic() - alone_since > ABANDONED_SECONDS:
                raise OSError(
                    f"no worker has been left for {ABANDONED_SECONDS} s; what ended is kept: start workers with "
                    f"`dask worker {client.scheduler.address} --nthreads 1` and run the same command again"
                ) from None


def outcomes_of(futures, client):
    """(future, outcome) of each; fetched at once, since each fetch is a round trip to the cluster."""
    try:
        return list(zip(futures, client.gather(futures), strict=True))
    except (Exception, concurrent.futures.CancelledError):  # one of them has no outcome: `outcome_of` tells which
        return [(future, outcome_of(future)) for future in futures]


def outcome_of(future):
    """A future's outcome; a job that takes its workers down with it is broken, as is one that cannot be sent."""
    try:
        return future.result()
    except (Exception, concurrent.futures.CancelledError) as error:  # Dask's own: KilledWorker, a lost scheduler
        return Outcome(error=" ".join(f"{type(error).__name__}: {error}".split()))
