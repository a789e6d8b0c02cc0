"""Predictions of many photos, a table per partition of the list, here or on a Dask cluster."""

import collections
import functools
import hashlib
import io
import json
import os
import time
from pathlib import Path

from maskkit import __version__, runs
from maskkit.deploy import addresses
from maskkit.sweep import cluster

PART = 1024  # files per partition of a prediction
MANIFEST, MANIFEST_SECONDS = "manifest.json", 10  # written anew this often: what a stopped client does again
FORMATS = ("csv", "parquet")


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
        (
            str(run),
            about["model_sha256"],
            device,
            names[start : start + part],
            os.getcwd(),
            addresses.join(out, part_name(start // part, kind)),
            kind,
        )
        for start in starts
    )
    check_seen(client, names)
    failed, written, complete = [], time.monotonic(), False
    try:
        for place, outcome in cluster.each(classify, jobs, client):
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
        "format": 1,
        "maskkit": __version__,
        "model": run.name,
        "model_sha256": description.get("model_sha256", "not recorded"),
        "columns": list(predict.COLUMNS),
        "kind": kind,
        "files": len(names),
        "files_sha256": digest.hexdigest(),
        "files_per_partition": part,
    }


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
    schema = pyarrow.schema([("file", text), ("label", text), ("probability", pyarrow.float64()), ("note", text)])
    spelled = [
        {
            key: value.encode("utf-8", "backslashreplace").decode() if isinstance(value, str) else value
            for key, value in row.items()
        }
        for row in rows
    ]
    sink = io.BytesIO()
    pyarrow.parquet.write_table(pyarrow.Table.from_pylist(spelled, schema=schema), sink)
    return sink.getvalue()
