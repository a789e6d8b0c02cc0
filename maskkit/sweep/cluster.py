"""The Dask cluster that a command uses: a running scheduler, or worker processes on this machine."""

import contextlib
import functools
import importlib.metadata
import os
from collections.abc import Iterator, Mapping
from types import ModuleType
from typing import TYPE_CHECKING

from maskkit.core import environment

if TYPE_CHECKING:
    from distributed import Client, LocalCluster

CONNECT_SECONDS = 10  # for a scheduler to answer, and for its first worker


def import_distributed() -> ModuleType:
    """Dask's module `distributed`.

    Raises:
        FileNotFoundError: it is not installed.
    """
    try:
        import distributed
    except ImportError as error:
        raise FileNotFoundError(f"a cluster needs Dask: pip install -e '.[cluster]' ({error})") from error
    return distributed


@contextlib.contextmanager
def open_client(address: str | None = None, n_workers: int = 0) -> "Iterator[Client | None]":
    """The client that a command line asks for: of a scheduler, of workers started here, or None; closed at the end.

    Raises:
        FileNotFoundError, ValueError: as `connect`, `check_workers` and `start_workers`.
    """
    if address:
        with connect(address) as client:
            check_workers(client)
            yield client
    elif n_workers:
        with start_workers(n_workers) as cluster, import_distributed().Client(cluster, set_as_default=False) as client:
            yield client
    else:
        yield None


def connect(address: str) -> "Client":
    """The client of a running scheduler, such as tcp://127.0.0.1:8786.

    Raises:
        FileNotFoundError: Dask is not installed, or no scheduler answers.
    """
    distributed = import_distributed()
    try:
        return distributed.Client(address, timeout=CONNECT_SECONDS, set_as_default=False)
    except (OSError, ValueError, TimeoutError) as error:
        raise FileNotFoundError(
            f"no scheduler answered at {address} within {CONNECT_SECONDS} s: start one with `dask scheduler` and "
            f"workers with `dask worker ADDRESS --nthreads 1` ({type(error).__name__})"
        ) from error


def start_workers(n_workers: int) -> "LocalCluster":
    """A cluster of `n_workers` processes on this machine, which share its cores evenly.

    Raises:
        ValueError: fewer than one; FileNotFoundError: Dask is not installed.
    """
    if n_workers < 1:
        raise ValueError(f"--workers must be at least 1, got {n_workers}")
    threads = str(max(1, (os.cpu_count() or 1) // n_workers))
    # Loopback only. Without an address for its pages the scheduler would serve some all the same, to the whole network.
    return import_distributed().LocalCluster(
        n_workers=n_workers,
        threads_per_worker=1,
        host="127.0.0.1",
        dashboard_address="127.0.0.1:0",
        env=dict.fromkeys(("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS"), threads),
        silence_logs="CRITICAL",
    )


def check_workers(client: "Client") -> None:
    """Wait for a first worker, and check that all workers run the versions that this process runs.

    Raises:
        FileNotFoundError: there is no worker.
        ValueError: a worker has another version of what numbers or messages depend on.
    """
    address = client.scheduler_info()["address"]
    try:
        client.wait_for_workers(1, timeout=CONNECT_SECONDS)
    except TimeoutError as error:
        raise FileNotFoundError(
            f"the scheduler at {address} has no worker: start some with `dask worker {address} --nthreads 1`"
        ) from error
    try:
        versions_by_worker = client.run(versions)
    except ModuleNotFoundError as error:
        raise ValueError(f"a worker of {address} cannot run maskkit ({error}); install it there") from error
    for worker, theirs in versions_by_worker.items():
        if differences := format_differences(versions(), theirs):
            raise ValueError(f"worker {worker} and this client differ: {differences}; install the same versions")


@functools.cache
def versions() -> dict[str, str]:
    """Versions of what numbers, and messages between processes, depend on."""
    return environment.versions() | {name: importlib.metadata.version(name) for name in ("dask", "distributed")}


def format_differences(ours: Mapping[str, str], theirs: Mapping[str, str]) -> str:
    """'torch 2.14.1 here, 2.13.0 there', or nothing; matplotlib may differ, since only the client draws."""
    names = [name for name in ours if name != "matplotlib" and ours[name] != theirs.get(name)]
    return ", ".join(f"{name} {ours[name]} here, {theirs.get(name)} there" for name in names)
