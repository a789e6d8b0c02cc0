"""A trained model on any photos: files found, decoded as training did, one row each, as a table.

arguments -> `find` -> `predict` (rows as they come, so that memory stays flat) -> `write_csv`, `Summary`.
The model is a run's (`from_run`, torch) or an exported file (`from_onnx`, which needs no torch).
"""

import codecs
import collections
import csv
import dataclasses
import heapq
import itertools
import json
import os

import numpy as np

from maskkit.core import disk, parallel
from maskkit.deploy import addresses
from maskkit.sources import decoding, listing

COLUMNS = ("file", "label", "probability", "note")
MARKS = (  # of four bytes before those of two that they begin with
    (codecs.BOM_UTF8, "utf-8"), (codecs.BOM_UTF32_LE, "utf-32-le"), (codecs.BOM_UTF32_BE, "utf-32-be"),
    (codecs.BOM_UTF16_LE, "utf-16-le"), (codecs.BOM_UTF16_BE, "utf-16-be"),
)  # fmt: skip
SHOWN = 96  # the least sure photos that a page shows: enough to judge by eye, under a megabyte of pictures
NAMED = 100  # skipped files that a page names; the table names all


@dataclasses.dataclass(frozen=True)
class Classifier:
    """A trained model.

    prepare: an RGB PIL image to what `classify` takes, called in several threads at once.
    classify: a list of up to `batch` of these to probabilities float32 (n, C), columns as `classes`.
    about: {name: value}, what a page says of the model.
    """

    classes: tuple
    prepare: callable
    classify: callable
    batch: int
    about: dict


# --- models -------------------------------------------------------------------------------------


def from_run(run_dir, device="auto"):
    """The model of a run's folder, of which model.safetensors and model.json are enough.

    Args:
        device: as parameter DEVICE.

    Raises:
        FileNotFoundError, ValueError: as `model.load`.
    """
    import torch

    from maskkit import checkpoint, model
    from maskkit.core import batches

    network, description = checkpoint.load(run_dir)
    device = model.device(device)
    network.to(device)

    @torch.inference_mode()
    def classify(images):
        return batches.forward(network, torch.stack(images), device).softmax(1).numpy()

    about = {
        "model": run_dir.resolve().name,
        "network": description["arch"],
        "model_sha256": description.get("model_sha256", "not recorded"),
    }
    return Classifier(tuple(description["classes"]), description["transform"], classify, 32, about)


def from_onnx(path):
    """The model of a file that `maskkit export` wrote; it holds resize and normalisation itself.

    Raises:
        FileNotFoundError: there is no such file, or onnxruntime is not installed.
        ValueError: it is not such a file.
    """
    if not path.is_file():
        raise FileNotFoundError(f"--onnx: there is no file {path}; `maskkit export` makes one")
    try:
        import onnxruntime
    except ImportError as error:
        raise FileNotFoundError(f"--onnx needs onnxruntime: pip install -e '.[onnx]' ({error})") from error
    try:
        session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
    except Exception as error:  # its fourteen kinds of error share no other class
        reason = " ".join(str(error).split())
        raise ValueError(f"--onnx: {path} is no model that onnxruntime can read: {reason}") from error
    said = session.get_modelmeta().custom_metadata_map
    if "maskkit_version" not in said or "classes" not in said:
        raise ValueError(f"--onnx: {path} was not written by `maskkit export`: it names no classes")

    def classify(images):  # photos differ in size, so each is a batch of its own
        return np.concatenate([session.run(["probabilities"], {"images": image[np.newaxis]})[0] for image in images])

    about = {
        "model": path.name,
        "network": f"{said.get('arch')}, ONNX Runtime",
        "model_sha256": said.get("model_sha256", "not recorded"),
    }
    return Classifier(tuple(json.loads(said["classes"])), np.asarray, classify, 1, about)


# --- files --------------------------------------------------------------------------------------


def read_list(binary):
    """Paths from a binary stream: one a line, or, where there is a NUL byte, between NULs (`find -print0`).

    Text that begins with a byte order mark, as Windows writes it, is read by that mark.

    Raises:
        ValueError: the text is not of the encoding that its mark names, or is UTF-16 without a mark.
    """
    listed = binary.read()
    for mark, encoding in MARKS:
        if listed.startswith(mark):
            try:
                rest = listed.removeprefix(mark)  # UTF-8 names may hold any bytes
                listed = rest if encoding == "utf-8" else rest.decode(encoding).encode()
            except UnicodeError as error:
                raise ValueError(f"the list on standard input begins as {encoding}, but is not: {error}") from error
            break
    else:
        if is_utf_16(listed):
            raise ValueError("the list on standard input is UTF-16 without a byte order mark; save it as UTF-8")
    lines = listed.split(b"\0") if b"\0" in listed else [line.removesuffix(b"\r") for line in listed.split(b"\n")]
    return [os.fsdecode(line) for line in lines if line]


def is_utf_16(listed: bytes) -> bool:
    """Whether bytes look like UTF-16 text rather than names between NULs: NULs stand on one side of the pairs only, and
    beside a line's end or nearly every other byte.
    """
    zeros = [place for place, byte in enumerate(listed) if byte == 0] if b"\0" in listed else []
    if len(listed) % 2 or len({place % 2 for place in zeros}) != 1:
        return False
    dense = len(zeros) >= 4 and 2.5 * len(zeros) > len(listed)
    return dense or b"\n\0" in listed or b"\0\n" in listed


def find(arguments, stdin):
    """The files that command line arguments mean; content decides later what is a photo.

    Args:
        arguments: files and folders, addresses among them (`addresses.find`); "-" reads more of them from the text
            stream `stdin` (`read_list`).

    Returns:
        (files, empty): names as given or, below a folder, joined with the path below it; folders without a file.

    Raises:
        FileNotFoundError: arguments that do not exist. A listed path that does not is left to `read`: among thousands
            one may vanish meanwhile.
    """
    paths = [name for name in arguments if name != "-" and not addresses.is_address(name)]
    missing = [name for name in paths if not os.path.lexists(name)]
    if missing:
        more = f" (and {len(missing) - 1} more that do not exist)" if len(missing) > 1 else ""
        raise FileNotFoundError(f"there is no file or folder {missing[0]}{more}")
    names = itertools.chain.from_iterable(read_list(stdin.buffer) if name == "-" else [name] for name in arguments)
    files, empty = [], []
    for name in names:
        if addresses.is_address(name):
            below = addresses.find(name)
        else:
            below = list(walk(name)) if os.path.isdir(name) else [name]
        files += below
        if not below:
            empty.append(name)
    return files, empty


def walk(folder):
    """Every file below a folder, litter left out, in order; linked folders are entered, each folder only once."""
    seen, failed = set(), []
    for here, below, files in os.walk(folder, followlinks=True, onerror=failed.append):
        about = os.stat(here)
        if (about.st_dev, about.st_ino) in seen:
            below.clear()
            continue
        seen.add((about.st_dev, about.st_ino))
        below[:] = sorted(name for name in below if not listing.is_litter(name))
        yield from (os.path.join(here, name) for name in sorted(files) if not listing.is_litter(name, here))
    yield from (error.filename for error in failed)  # a folder that cannot be listed: `read` will say why


def read(name):
    """The photo of that name as RGB.

    Raises:
        ValueError: no photo; the reason is the message.
    """
    try:
        if addresses.is_address(name):
            return decoding.decode_open(addresses.open_photo(name))
        if os.path.isdir(name):
            raise ValueError("a folder that cannot be read")
        return decoding.decode(name)
    except OSError as error:
        raise ValueError(error.strerror or str(error)) from error


# --- rows ---------------------------------------------------------------------------------------


def predict(files, classifier):
    """One row per file, in their order, as they come: dicts with COLUMNS.

    `label` and `probability` (of that label, 0..1) are None for a file that is no photo; `note` says why.
    """

    def prepare(name):
        try:
            return name, classifier.prepare(read(name)), ""
        except ValueError as error:
            return name, None, str(error)

    prepared = parallel.in_threads(prepare, files, min(4, parallel.WORKERS))  # a phone's photo takes 150 MB meanwhile
    while batch := list(itertools.islice(prepared, classifier.batch)):
        yield from rows_of(batch, classifier)


def rows_of(batch, classifier):
    """Rows of some (name, prepared image or None, note)."""
    images = [image for _, image, _ in batch if image is not None]
    probabilities = iter(classifier.classify(images) if images else ())
    for name, image, note in batch:
        if image is None:
            yield {"file": name, "label": None, "probability": None, "note": note}
        else:
            own = next(probabilities)
            best = int(own.argmax())
            yield {"file": name, "label": classifier.classes[best], "probability": float(own[best]), "note": ""}


def write_csv(rows, file):
    """Pass rows on, each written to a text file first: UTF-8, a name's other bytes kept, formulas escaped."""
    writer = csv.DictWriter(disk.LineFeeds(file), COLUMNS)
    writer.writeheader()
    for row in rows:
        probability = "" if row["probability"] is None else f"{row['probability']:.6f}"
        cells = row | {"probability": probability, "label": row["label"] or ""}
        writer.writerow({name: disk.escape(cell) for name, cell in cells.items()})
        yield row


class Summary:
    """What a page and the last line say of rows, in bounded memory.

    counts: photos by label. skipped: number of files that are no photo, `named`: rows of the first NAMED.
    """

    def __init__(self, classes):
        self.counts = collections.Counter(dict.fromkeys(classes, 0))
        self.sureness = {name: collections.Counter() for name in classes}
        self.skipped, self.named = 0, []
        self._heap = []  # the surest on top, replaced first

    def add(self, row):
        if row["label"] is None:
            self.skipped += 1
            self.named += [row] if len(self.named) < NAMED else []
            return
        self.counts[row["label"]] += 1
        self.sureness[row["label"]][sure(row["probability"])] += 1
        entry = (-row["probability"], -self.n, row)  # among equals the earlier one stays
        (heapq.heappush if len(self._heap) < SHOWN else heapq.heappushpop)(self._heap, entry)

    @property
    def n(self):
        """Photos."""
        return self.counts.total()

    @property
    def least_sure(self):
        """Rows of up to SHOWN photos, the least sure first."""
        return [row for _, _, row in sorted(self._heap, reverse=True)]


SURENESS = ("below 70 %", "70-90 %", "90-99 %", "99 % and more")


def sure(probability):
    """Which of SURENESS a probability falls into."""
    return SURENESS[sum(probability >= limit for limit in (0.7, 0.9, 0.99))]
