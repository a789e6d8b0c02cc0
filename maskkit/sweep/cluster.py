"""Many jobs: one after the other here, or on the workers of a Dask cluster.

`connect` or `local` gives a client, `each` runs jobs through it, `predict` and `extract` are made of that. Scheduler,
queue and workers are Dask's. Where there is no client, `each` is a plain loop in this process.

Workers read the same folders as the client: one machine, a shared disk, or addresses that fsspec understands.
"""

import collections
import concurrent.futures
import contextlib
import dataclasses
import functools
import hashlib
import importlib.metadata
import io
import itertools
import json
import os
import queue
import threading
import time
import traceback
import uuid
from pathlib import Path

from maskkit import __version__, runs
from maskkit.deploy import addresses

CONNECT_SECONDS = 10  # for a scheduler to answer, and for its first worker
ABANDONED_SECONDS = 60  # without any worker before the client gives up
AHEAD = 8  # jobs handed to Dask for each thread: enough to keep it busy, few enough that memory stays flat
TRIES = 3  # workers that a job fails on by the machine's fault before it counts as broken
PART = 1024  # files per partition of a prediction
CHUNK = 512  # photos per job of an extraction; one shard of the cache
MANIFEST, MANIFEST_SECONDS = "manifest.json", 10  # written anew this often: what a stopped client does again
FORMATS = ("csv", "parquet")
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
        n_workers=n_workers, threads_per_worker=1, host="127.0.0.1", dashboard_address="127.0.0.1:0", env=env,
        silence_logs="CRITICAL",
    )  # fmt: skip
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
    return runs.versions() | {name: importlib.metadata.version(name) for name in ("dask", "distributed")}


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


# --- features -----------------------------------------------------------------------------------


@dataclasses.dataclass(frozen=True)
class Backbone:
    """How any process builds one frozen network: `arch` and `weights` as parameters, `seed` of random weights."""

    arch: str
    weights: str
    seed: int = 0

    def network(self):
        return network_of(self)

    def folder(self, cache, transform):
        """Where the cache keeps its features."""
        from maskkit import features

        return Path(cache) / features.key(self.arch, fingerprint_of(self), transform)


@functools.lru_cache(maxsize=2)
def network_of(backbone):
    from maskkit import model

    return model.build(model.pretrained(backbone.arch, backbone.weights), n_classes=2, seed=backbone.seed)


@functools.lru_cache(maxsize=64)
def fingerprint_of(backbone):
    from maskkit import model

    return model.fingerprint(network_of(backbone), backbone.arch)


def extract(client, backbone, photos, *, cache, device="auto", chunk=CHUNK):
    """`features.extract` on a cluster: the photos that the cache lacks are shared out among the workers.

    Args:
        client: Dask's. backbone: a `Backbone`, built once by each worker. photos: a `data.Photos`, whose rows have
            path, label and sha256. cache: the cache's folder, as workers see it. device: as parameter DEVICE, each
            worker's own. chunk: photos per job.

    Returns:
        (features float32 (n_photos, n_features) on the CPU, number of photos computed now).

    Raises:
        OSError: some chunk could not be computed; what was is in the cache.
    """
    import numpy as np
    import torch

    from maskkit import features, model

    n_features = model.head(backbone.network(), backbone.arch).in_features
    known = features.read(backbone.folder(cache, photos.transform), n_features)
    missing = {row["sha256"]: row for row in photos.rows if row["sha256"] not in known}
    n_missing = len(missing)
    for _, outcome in each(compute, chunks(backbone, photos, missing, cache, device, chunk), client):
        if outcome.error:
            raise OSError(f"a chunk of photos could not be computed: {outcome.error}")
        known |= outcome.value
    return torch.from_numpy(np.stack([known[row["sha256"]] for row in photos.rows])), n_missing


def chunks(backbone, photos, missing, cache, device, chunk=CHUNK, keep=True):
    """The jobs of `compute` for the rows `missing`, {sha256: row}."""
    rows = iter(missing.values())
    while some := list(itertools.islice(rows, chunk)):
        yield backbone, some, photos.classes, photos.transform, str(cache), device, keep


def compute(backbone, rows, classes, transform, cache, device, keep):
    """Put photos' features into the cache; returns {sha256: features} where `keep`, else {}."""
    from maskkit import data, features, model

    photos = data.Photos(rows, classes, transform)
    missing = {row["sha256"]: index for index, row in enumerate(rows)}
    folder = backbone.folder(cache, transform)
    found = features.compute(backbone.network(), backbone.arch, photos, missing, folder, model.device(device))
    return found if keep else {}


# --- prediction ---------------------------------------------------------------------------------


def predict(client, run, names, out, *, kind="csv", device="auto", part=PART, progress=None):
    """Classify files in partitions, each a table of its own in `out`, with a manifest.

    Run again with the same files and model, it goes on with the partitions that the manifest lacks.

    Args:
        client: Dask's, or None to work here. run: the run's folder. names: the files (`predict.find`), in order.
        out: a folder or an address. kind: one of FORMATS. device: as parameter DEVICE, each worker's own.
        part: files per partition. progress: called with a partition's entry as it is done.

    Returns:
        the manifest: what it is of, `complete`, and `partitions`, [{file, files, photos, skipped, labels}] in order.

    Raises:
        ValueError: a wrong kind or part, or `out` holds something else.
        OSError: partitions that failed on every worker tried; all others are done.
    """
    if kind not in FORMATS or part < 1:
        raise ValueError(f"a prediction is {' or '.join(FORMATS)}, with 1 file or more a part; got {kind}, {part}")
    run = Path(run).absolute()
    about = identity(run, names, kind, part)
    manifest = read_manifest(out, about)
    done = {entry["file"]: entry for entry in manifest["partitions"]}
    for entry in done.values():
        (progress or (lambda entry: None))(entry)
    starts = [start for start in range(0, len(names), part) if part_name(start // part, kind) not in done]
    jobs = (
        (str(run), about["model_sha256"], device, names[start : start + part], os.getcwd(),
         addresses.join(out, part_name(start // part, kind)), kind)
        for start in starts
    )  # fmt: skip
    check_seen(client, names)
    failed, written, complete = [], time.monotonic(), False
    try:
        for place, outcome in each(classify, jobs, client):
            if outcome.error:
                failed.append((part_name(starts[place] // part, kind), outcome.error))
                continue
            entry = {"file": part_name(starts[place] // part, kind)} | outcome.value
            done[entry["file"]] = entry
            if progress:
                progress(entry)
            if time.monotonic() - written > MANIFEST_SECONDS:
                write_manifest(out, about, done, complete)
                written = time.monotonic()
        complete = not failed
    finally:  # also where a signal or the loss of all workers ends it: what is done need not be done again
        manifest = write_manifest(out, about, done, complete)
    if failed:
        name, error = failed[0]
        raise OSError(f"{len(failed)} of {-(-len(names) // part)} partitions failed, the first {name}: {error}")
    return manifest


def check_seen(client, names):
    """Make sure that every worker there is now sees the first photo that this process sees.

    A file that is not there is a note in a table; a folder that a worker does not have would make that note of all.

    Raises:
        FileNotFoundError: a worker does not see it.
    """
    here = (os.path.abspath(name) for name in names if not addresses.is_address(name)) if client else ()
    file = next(filter(os.path.lexists, here), None)
    blind = [worker for worker, seen in client.run(os.path.lexists, file).items() if not seen] if file else []
    if blind:
        raise FileNotFoundError(f"worker {blind[0]} does not see {file}: workers need the same paths as this process")


def part_name(number, kind):
    return f"part-{number:07d}.{kind}"


def identity(run, names, kind, part):
    """What a prediction is of: two equal ones have the same partitions."""
    from maskkit.deploy import predict

    description = json.loads(runs.need(run, "model.json", "02_train.ipynb").read_bytes())
    digest = hashlib.sha256()
    for name in names:
        digest.update(os.fsencode(name) + b"\0")
    return {
        "format": 1, "maskkit": __version__, "model": run.name,
        "model_sha256": description.get("model_sha256", "not recorded"), "columns": list(predict.COLUMNS),
        "kind": kind, "files": len(names), "files_sha256": digest.hexdigest(), "files_per_partition": part,
    }  # fmt: skip


def read_manifest(out, about):
    """The manifest in `out`, or a new one."""
    path = addresses.join(out, MANIFEST)
    if addresses.exists(path):
        manifest = json.loads(addresses.read(path))
        differing = [name for name in about if name != "maskkit" and manifest.get(name) != about[name]]
        if differing:
            raise ValueError(f"{out} holds another prediction ({', '.join(differing)} differ); name another folder")
        return manifest
    if not addresses.is_empty(out):
        raise ValueError(f"{out} holds something else than a prediction; name another folder")
    return write_manifest(out, about, {}, complete=False)


def write_manifest(out, about, done, complete):
    manifest = about | {"complete": complete, "partitions": [done[name] for name in sorted(done)]}
    addresses.write(addresses.join(out, MANIFEST), json.dumps(manifest, indent=1).encode())
    return manifest


@functools.lru_cache(maxsize=1)
def classifier_of(run, digest, device):
    """A run's model, loaded once by each process."""
    from maskkit.deploy import predict

    classifier = predict.from_run(Path(run), device)
    if classifier.about["model_sha256"] != digest:
        raise ValueError(f"{run} holds another model here than on the client")
    return classifier


def classify(run, digest, device, names, folder, target, kind):
    """One partition: its table written whole to `target`; returns {files, photos, skipped, labels}.

    `folder` is the client's, which relative names mean.
    """
    from maskkit.deploy import predict

    classifier = classifier_of(run, digest, device)
    found = [name if addresses.is_address(name) else os.path.join(folder, name) for name in names]
    rows = [row | {"file": name} for row, name in zip(predict.predict(found, classifier), names, strict=True)]
    addresses.write(target, {"csv": as_csv, "parquet": as_parquet}[kind](rows))
    labels = collections.Counter(dict.fromkeys(classifier.classes, 0))
    labels.update(row["label"] for row in rows if row["label"] is not None)
    return {"files": len(rows), "photos": labels.total(), "skipped": len(rows) - labels.total(), "labels": dict(labels)}


def as_csv(rows):
    from maskkit.deploy import predict

    text = io.StringIO(newline="")
    collections.deque(predict.write_csv(rows, text), maxlen=0)
    return text.getvalue().encode("utf-8", "surrogateescape")


def as_parquet(rows):
    """Parquet's text must be UTF-8: a file name's other bytes are spelled out as \\udcXX."""
    try:
        import pyarrow
        import pyarrow.parquet
    except ImportError as error:
        raise FileNotFoundError(f"Parquet needs pyarrow: pip install -e '.[cluster]' ({error})") from error
    text = pyarrow.string()
    schema = pyarrow.schema(
        [("file", text), ("label", text), ("probability", pyarrow.float64()), ("note", text)]
    )
    spelled = [
        {key: value.encode("utf-8", "backslashreplace").decode() if isinstance(value, str) else value
         for key, value in row.items()}
        for row in rows
    ]  # fmt: skip
    sink = io.BytesIO()
    pyarrow.parquet.write_table(pyarrow.Table.from_pylist(spelled, schema=schema), sink)
    return sink.getvalue()


