"""Jobs, one after the other in this process or as futures on the workers of a Dask cluster.

Dask moves the jobs of a lost worker and gathers the results. Added here:

- Few jobs are submitted at a time, so the client's memory does not grow with their number.
- A job that fails because of its machine (OSError, MemoryError) runs again on another worker. Dask's own `retries`
  does not exclude the worker that failed, which fails at once and is therefore the first to be free again: with two
  workers, one of them full, 36 of 60 jobs failed with `retries=2`. It also repeats jobs that fail everywhere.
- A process runs one job at a time, however many threads it has.
- The client gives up if all workers stay away. Dask waits without limit, unless the scheduler was started with
  `no-workers-timeout`.
"""

import concurrent.futures
import dataclasses
import itertools
import threading
import time
import traceback
import uuid
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import TYPE_CHECKING, Any

from maskkit.sweep import cluster

if TYPE_CHECKING:
    from distributed import Client, Future, as_completed

ABANDONED_SECONDS = 60  # without any worker before the client gives up
CHECK_SECONDS = 5  # without a result before the client looks whether there is a worker
POLL_SECONDS = 0.005
JOBS_PER_THREAD = 8  # submitted to Dask at a time: enough to keep a worker busy, few enough that memory stays flat
MAX_WORKERS_TRIED = 3  # on which a job fails because of the machine, before it counts as broken
ONE_AT_A_TIME = threading.Lock()  # torch's global seed is not per thread, and its own threads use the cores already


@dataclasses.dataclass(frozen=True)
class Outcome:
    """How a job ended: `value`, or `error` in one line with its `trace`.

    worker: the address of the process, "" for this one. machine_fault: the machine may be the reason (no space, no
    such file), so another one is worth a try.
    """

    value: Any = None
    error: str = ""
    trace: str = ""
    worker: str = ""
    machine_fault: bool = False
    seconds: float = 0.0


def run_jobs(
    function: Callable[..., Any], jobs: Iterable[tuple[Any, ...]], client: "Client | None" = None
) -> Iterator[tuple[int, Outcome]]:
    """Run jobs, and yield (index of the job, `Outcome`) as they end.

    A job whose worker is lost runs again elsewhere; so does one that failed because of its machine, on at most
    MAX_WORKERS_TRIED workers.

    Args:
        function: can be imported by workers; gives the same result however often it runs.
        jobs: the arguments of each call; taken as they are needed.
        client: Dask's; None runs the jobs here, one after the other.

    Raises:
        OSError: there has been no worker for ABANDONED_SECONDS, or the connection to the scheduler is lost.
    """
    if client is None:
        return ((index, run_job(function, job)) for index, job in enumerate(jobs))
    return run_on_cluster(function, enumerate(jobs), client)


def run_on_cluster(
    function: Callable[..., Any], jobs: Iterator[tuple[int, tuple[Any, ...]]], client: "Client"
) -> Iterator[tuple[int, Outcome]]:
    """`run_jobs` with a client."""
    distributed = cluster.import_distributed()
    ended = distributed.as_completed(loop=client.loop)
    submitted: dict[Future, tuple[int, tuple[Any, ...], tuple[str, ...]]] = {}

    def submit(index: int, job: tuple[Any, ...], failed_on: tuple[str, ...] = ()) -> None:
        others = [worker for worker in client.nthreads() if worker not in failed_on] if failed_on else []
        future = client.submit(
            run_on_worker,
            function,
            job,
            cluster.versions(),
            key=f"{function.__name__}-{uuid.uuid4().hex}",  # Dask measures durations per name
            workers=others or None,
            allow_other_workers=bool(others),
        )
        submitted[future] = index, job, failed_on
        ended.add(future)

    try:
        for index, job in itertools.islice(jobs, JOBS_PER_THREAD * max(1, sum(client.nthreads().values()))):
            submit(index, job)
        for future, outcome in take_outcomes(ended, client):
            index, job, failed_on = submitted.pop(future)
            if outcome.machine_fault and outcome.worker not in failed_on and len(failed_on) + 1 < MAX_WORKERS_TRIED:
                submit(index, job, (*failed_on, outcome.worker))
                continue
            for next_index, next_job in itertools.islice(jobs, 1):
                submit(next_index, next_job)
            yield index, outcome
    except (concurrent.futures.CancelledError, distributed.client.ClosedClientError) as error:
        raise OSError("the connection to the scheduler is lost; run the same command again") from error
    finally:
        if client.status == "running":
            client.cancel(list(submitted))


def take_outcomes(ended: "as_completed", client: "Client") -> "Iterator[tuple[Future, Outcome]]":
    """The futures with their outcomes as they end; looks after the workers while none does."""
    checked = time.monotonic()
    while not ended.is_empty():
        if ended.has_ready():
            futures = ended.next_batch()
            yield from zip(futures, gather(futures, client), strict=True)
            checked = time.monotonic()
        elif time.monotonic() - checked > CHECK_SECONDS:
            wait_for_worker(client)
            checked = time.monotonic()
        else:
            time.sleep(POLL_SECONDS)  # next_batch would wait without limit


def wait_for_worker(client: "Client") -> None:
    """Return as soon as there is a worker.

    Raises:
        OSError: there has been none for ABANDONED_SECONDS.
    """
    try:
        client.wait_for_workers(1, timeout=ABANDONED_SECONDS)
    except TimeoutError as error:
        address = client.scheduler_info()["address"]
        raise OSError(
            f"no worker has been left for {ABANDONED_SECONDS} s; what ended is kept: start workers with "
            f"`dask worker {address} --nthreads 1` and run the same command again"
        ) from error


def gather(futures: "list[Future]", client: "Client") -> list[Outcome]:
    """The outcomes of ended futures, fetched in one round trip.

    `as_completed(with_results=True)` would fetch them too, but never returns a result that cannot be unpickled.

    Raises:
        concurrent.futures.CancelledError: as `outcome_of`.
    """
    try:
        return client.gather(futures)
    except Exception:  # one of them has no outcome; `outcome_of` finds out which
        return [outcome_of(future) for future in futures]


def outcome_of(future: "Future") -> Outcome:
    """The outcome of one future; a broken one if Dask itself failed, as with a job that kills its workers.

    Raises:
        concurrent.futures.CancelledError: the future is cancelled, as all are when the connection ends.
    """
    try:
        return future.result()
    except concurrent.futures.CancelledError:
        raise
    except Exception as error:
        return Outcome(error=format_error(error))


def run_on_worker(function: Callable[..., Any], job: tuple[Any, ...], expected: Mapping[str, str]) -> Outcome:
    """`run_job` on a worker, if its versions are those `expected`: it may have joined after the first check."""
    from distributed import get_worker

    worker = get_worker().address
    if differences := cluster.format_differences(expected, cluster.versions()):
        return Outcome(error=f"the worker's versions differ: {differences}", worker=worker, machine_fault=True)
    return run_job(function, job, worker)


def run_job(function: Callable[..., Any], job: tuple[Any, ...], worker: str = "") -> Outcome:
    """`function(*job)` as an `Outcome`, one at a time in a process."""
    started = time.perf_counter()
    try:
        with ONE_AT_A_TIME:
            value = function(*job)
    except Exception as error:  # whatever a job raises is its outcome; the others go on
        return Outcome(
            error=format_error(error),
            trace=traceback.format_exc(),
            worker=worker,
            machine_fault=isinstance(error, OSError | MemoryError),
        )
    return Outcome(value=value, worker=worker, seconds=round(time.perf_counter() - started, 4))


def format_error(error: BaseException) -> str:
    """An error in one line."""
    return " ".join(f"{type(error).__name__}: {error}".split())
