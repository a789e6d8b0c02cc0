"""Predictions of many photos, a table per partition of the list, here or on a Dask cluster."""

import collections
import functools
import hashlib
import io
import json
import os
import time
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from maskkit import __version__, runs
from maskkit.deploy import addresses, classifier, predict
from maskkit.sweep import jobs

if TYPE_CHECKING:
    from distributed import Client

SIZE = 1024  # files per partition
MANIFEST, MANIFEST_SECONDS = "manifest.json", 10  # written anew this often: what a stopped client does again
FORMATS = ("csv", "parquet")


def predict_partitions(
    client: "Client | None",
    run: str | Path,
    names: Sequence[str],
    out: str | Path,
    *,
    kind: str = "csv",
    device: str = "auto",
    size: int = SIZE,
    progress: Callable[[dict[str, Any]], object] = lambda entry: None,
) -> dict[str, Any]:
    """Classify files in partitions, each a table of its own in `out`, with a manifest.

    Run again with the same files and model, it goes on with the partitions that the manifest lacks.

    Args:
        client: Dask's, or None to work here. run: the run's folder. names: the files (`photo_files.find_files`), in
            order. out: a folder or an address. kind: one of FORMATS. device: as parameter DEVICE, each worker's own.
        size: files per partition. progress: called with a partition's entry as it is done.

    Returns:
        the manifest: what it is of, `complete`, and `partitions`, [{file, files, photos, skipped, labels}] in order.

    Raises:
        ValueError: a wrong kind or size, or `out` holds something else.
        OSError: partitions that failed on every worker tried; all others are done.
    """
    if kind not in FORMATS or size < 1:
        raise ValueError(f"a prediction is {' or '.join(FORMATS)}, with 1 file or more a part; got {kind}, {size}")
    run = Path(run).absolute()
    about = describe(run, names, kind, size)
    manifest = Manifest(out, about)
    for entry in manifest.partitions.values():
        progress(entry)
    check_visible(client, names)
    tables = [f"part-{number:07d}.{kind}" for number in range(-(-len(names) // size))]
    todo = [number for number, table in enumerate(tables) if table not in manifest.partitions]
    common = str(run), about["model_sha256"], device, os.getcwd(), kind
    writes = ((*common, names[size * n : size * (n + 1)], addresses.join(out, tables[n])) for n in todo)
    failed = []
    try:
        for index, outcome in jobs.run_jobs(write_partition, writes, client):
            table = tables[todo[index]]
            if outcome.error:
                failed.append(f"{table}: {outcome.error}")
                continue
            entry = {"file": table} | outcome.value
            manifest.partitions[table] = entry
            progress(entry)
            manifest.write_now_and_then()
        manifest.complete = not failed
    finally:  # also where a signal or the loss of all workers ends it: what is done need not be done again
        manifest.write()
    if failed:
        raise OSError(f"{len(failed)} of {len(tables)} partitions failed, the first {failed[0]}")
    return manifest.content()


def check_visible(client: "Client | None", names: Iterable[str]) -> None:
    """Check that every worker there is now sees the first photo that this process sees.

    A file that is not there is a note in a table; a folder that a worker does not have would make that note of all.

    Raises:
        FileNotFoundError: a worker does not see it.
    """
    if client is None:
        return
    paths = (os.path.abspath(name) for name in names if not addresses.is_address(name))
    file = next(filter(os.path.lexists, paths), None)
    if file is None:
        return
    for worker, is_there in client.run(os.path.lexists, file).items():
        if not is_there:
            raise FileNotFoundError(f"worker {worker} does not see {file}: workers need the same paths as this process")


# --- the manifest -------------------------------------------------------------------------------


def describe(run: Path, names: Sequence[str], kind: str, size: int) -> dict[str, Any]:
    """What a prediction is of: two equal ones have the same partitions."""
    description = json.loads(runs.need(run, "model.json", "02_train.ipynb").read_bytes())
    digest = hashlib.sha256()
    for name in names:
        digest.update(os.fsencode(name) + b"\0")
    return {
        "format": 1,
        "maskkit": __version__,
        "model": run.name,
        "model_sha256": description.get("model_sha256", "not recorded"),
        "columns": list(predict.COLUMNS),
        "kind": kind,
        "files": len(names),
        "files_sha256": digest.hexdigest(),
        "files_per_partition": size,
    }


class Manifest:
    """manifest.json: `about` a prediction, its `partitions` that are done, {file: entry}, whether it is `complete`."""

    def __init__(self, out: str | Path, about: dict[str, Any]) -> None:
        """Read that in `out`, or write a new one.

        Raises:
            ValueError: `out` holds another prediction, or something else.
        """
        self.path, self.about, self.complete = addresses.join(out, MANIFEST), about, False
        self.partitions: dict[str, dict[str, Any]] = {}
        self.written_at = time.monotonic()
        if addresses.exists(self.path):
            earlier = json.loads(addresses.read(self.path))
            differing = [name for name in about if name != "maskkit" and earlier.get(name) != about[name]]
            if differing:
                raise ValueError(f"{out} holds another prediction ({', '.join(differing)} differ); name another folder")
            self.partitions = {entry["file"]: entry for entry in earlier["partitions"]}
        elif not addresses.is_empty(out):
            raise ValueError(f"{out} holds something else than a prediction; name another folder")
        else:
            self.write()

    def content(self) -> dict[str, Any]:
        entries = [self.partitions[name] for name in sorted(self.partitions)]
        return self.about | {"complete": self.complete, "partitions": entries}

    def write(self) -> None:
        addresses.write(self.path, json.dumps(self.content(), indent=1).encode())
        self.written_at = time.monotonic()

    def write_now_and_then(self) -> None:
        if time.monotonic() - self.written_at > MANIFEST_SECONDS:
            self.write()


# --- one partition ------------------------------------------------------------------------------


@functools.lru_cache(maxsize=1)
def load_classifier(run: str, model_sha256: str, device: str) -> classifier.Classifier:
    """A run's model, loaded once by each process."""
    model = classifier.from_run(Path(run), device)
    if model.about["model_sha256"] != model_sha256:
        raise ValueError(f"{run} holds another model here than on the client")
    return model


def write_partition(
    run: str, model_sha256: str, device: str, folder: str, kind: str, names: Sequence[str], target: str
) -> dict[str, Any]:
    """One partition: its table written whole to `target`; returns {files, photos, skipped, labels}. A job.

    `folder` is the client's, which relative names mean.
    """
    model = load_classifier(run, model_sha256, device)
    files = [name if addresses.is_address(name) else os.path.join(folder, name) for name in names]
    rows = [predict.Row(**row | {"file": name}) for row, name in zip(predict.predict(files, model), names, strict=True)]
    addresses.write(target, {"csv": format_csv, "parquet": format_parquet}[kind](rows))
    labels = collections.Counter(dict.fromkeys(model.classes, 0))
    labels.update(row["label"] for row in rows if row["label"] is not None)
    return {"files": len(rows), "photos": labels.total(), "skipped": len(rows) - labels.total(), "labels": dict(labels)}


def format_csv(rows: Iterable[predict.Row]) -> bytes:
    text = io.StringIO(newline="")
    collections.deque(predict.write_csv(rows, text), maxlen=0)
    return text.getvalue().encode("utf-8", "surrogateescape")


def format_parquet(rows: Iterable[predict.Row]) -> bytes:
    """Parquet's text must be UTF-8: a file name's other bytes are spelled out as \\udcXX."""
    try:
        import pyarrow
        import pyarrow.parquet
    except ImportError as error:
        raise FileNotFoundError(f"Parquet needs pyarrow: pip install -e '.[cluster]' ({error})") from error
    text = pyarrow.string()
    schema = pyarrow.schema([("file", text), ("label", text), ("probability", pyarrow.float64()), ("note", text)])
    spelled = [
        {
            name: value.encode("utf-8", "backslashreplace").decode() if isinstance(value, str) else value
            for name, value in row.items()
        }
        for row in rows
    ]
    sink = io.BytesIO()
    pyarrow.parquet.write_table(pyarrow.Table.from_pylist(spelled, schema=schema), sink)
    return sink.getvalue()
