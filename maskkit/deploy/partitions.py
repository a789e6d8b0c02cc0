"""Predictions of many photos, a table per partition of the list, here or on a Dask cluster."""

import collections
import functools
import hashlib
import io
import json
import os
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from maskkit import __version__, runs
from maskkit.deploy import addresses, classifier, conformal, predict, rows
from maskkit.deploy.rows import FaceOptions
from maskkit.deploy.summary import Summary
from maskkit.sources import face_crops, face_finder
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
    faces: FaceOptions | None = None,
    not_sure: float | None = None,
    progress: Callable[[dict[str, Any]], object] = lambda entry: None,
) -> dict[str, Any]:
    """Classify files in partitions, each a table of its own in `out`, with a manifest.

    Run again with the same files and model, it goes on with the partitions that the manifest lacks.

    Args:
        client: Dask's, or None to work here. run: the run's folder. names: the files (`photo_files.find_files`), in
            order. out: a folder or an address. kind: one of FORMATS. device: as parameter DEVICE, each worker's own.
        size: files per partition. faces: find the faces and judge each. not_sure: as `classifier.from_run`. progress:
            called with a partition's entry as it is done.

    Returns:
        the manifest: what it is of, `complete`, and `partitions`, [{file, files, photos, skipped, labels}] in order,
        with `not_sure` each with its number of photos without a label. With `faces` the photos are the pictures that
        were read, a video's frames each, and `labels` and `not_sure` count faces.

    Raises:
        FileNotFoundError, ValueError: as `classifier.from_run`; a wrong kind or size, or `out` holds something else.
        OSError: partitions that failed on every worker tried; all others are done.
    """
    if kind not in FORMATS or size < 1:
        raise ValueError(f"a prediction is {' or '.join(FORMATS)}, with 1 file or more a part; got {kind}, {size}")
    run = Path(run).absolute()
    about = describe(run, names, kind, size, faces, not_sure)
    if not_sure is not None:  # what may not be measured is said before workers start, and it is measured once
        load_classifier(str(run), about["model_sha256"], device, not_sure)
    manifest = Manifest(out, about)
    for entry in manifest.partitions.values():
        progress(entry)
    check_visible(client, names)
    tables = [f"part-{number:07d}.{kind}" for number in range(-(-len(names) // size))]
    todo = [number for number, table in enumerate(tables) if table not in manifest.partitions]
    common = str(run), about["model_sha256"], device, not_sure, os.getcwd(), kind, faces
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


def describe(
    run: Path, names: Sequence[str], kind: str, size: int, faces: FaceOptions | None, not_sure: float | None
) -> dict[str, Any]:
    """What a prediction is of: two equal ones have the same partitions."""
    description = json.loads(runs.need(run, "model.json", "02_train.ipynb").read_bytes())
    digest = hashlib.sha256()
    for name in names:
        digest.update(os.fsencode(name) + b"\0")
    about: dict[str, Any] = {
        "format": 1,
        "maskkit": __version__,
        "model": run.name,
        "model_sha256": description.get("model_sha256", "not recorded"),
        "columns": list(rows.columns(faces)),
        "kind": kind,
        "files": len(names),
        "files_sha256": digest.hexdigest(),
        "files_per_partition": size,
    }
    if faces is not None:
        about |= {
            "finder_sha256": face_finder.PACKAGED_SHA256,
            "finder_rule": face_finder.rule() | {"crop_margin": face_crops.MARGIN},
            "every": faces.every,
            "draw": faces.draw,
        }
    if not_sure is not None:
        about |= {"not_sure": not_sure, "not_sure_rule": conformal.describe_rule()}
    return about


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


load_finder = functools.cache(face_finder.load)  # once by each process


@functools.lru_cache(maxsize=1)
def load_classifier(run: str, model_sha256: str, device: str, not_sure: float | None = None) -> classifier.Classifier:
    """A run's model, loaded once by each process."""
    model = classifier.from_run(Path(run), device, not_sure)
    if model.about["model_sha256"] != model_sha256:
        raise ValueError(f"{run} holds another model here than on the client")
    return model


def write_partition(
    run: str,
    model_sha256: str,
    device: str,
    not_sure: float | None,
    folder: str,
    kind: str,
    faces: FaceOptions | None,
    names: Sequence[str],
    target: str,
) -> dict[str, Any]:
    """One partition: its table written whole to `target`; returns its entry in the manifest. A job.

    `folder` is the client's, which relative names mean.
    """
    model = load_classifier(run, model_sha256, device, not_sure)
    summary = Summary(model.classes, "face" if faces else "photo")
    judged = (
        rows.face_rows(names, load_finder(), model, faces, summary, folder)
        if faces
        else rows.photo_rows(names, model, summary, folder)
    )
    content = {"csv": format_csv, "parquet": format_parquet}[kind](list(judged), rows.columns(faces))
    addresses.write(target, content)
    entry = {
        "files": len(names),
        "photos": summary.pictures if faces else summary.n,
        "skipped": summary.skipped,
        "labels": dict(summary.counts),
    }
    return entry if not_sure is None else entry | {"not_sure": summary.unsure}


def format_csv(judged: Iterable[Mapping[str, Any]], names: Sequence[str]) -> bytes:
    text = io.StringIO(newline="")
    collections.deque(predict.write_csv(judged, text, names), maxlen=0)
    return text.getvalue().encode("utf-8", "surrogateescape")


def format_parquet(judged: Iterable[Mapping[str, Any]], names: Sequence[str]) -> bytes:
    """Parquet's text must be UTF-8: a file name's other bytes are spelled out as \\udcXX."""
    try:
        import pyarrow
        import pyarrow.parquet
    except ImportError as error:
        raise FileNotFoundError(f"Parquet needs pyarrow: pip install -e '.[cluster]' ({error})") from error
    numbers = dict.fromkeys(("time", "probability"), pyarrow.float64())
    numbers |= dict.fromkeys(("face", "x", "y", "width", "height"), pyarrow.int64())
    schema = pyarrow.schema([(name, numbers.get(name, pyarrow.string())) for name in names])
    spelled = [{name: spell(row[name]) for name in names} for row in judged]
    sink = io.BytesIO()
    pyarrow.parquet.write_table(pyarrow.Table.from_pylist(spelled, schema=schema), sink)
    return sink.getvalue()


def spell(value: Any) -> Any:
    return value.encode("utf-8", "backslashreplace").decode() if isinstance(value, str) else value
