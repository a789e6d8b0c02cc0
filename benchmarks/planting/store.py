"""Store of what is known of each version of each photo: its file, its survey, features, and which pairs align.

Everything is computed once, however many folders a version lies in. A shard file is written whole under a name made of
its content, so that several processes can fill one store; each reads what the others have added when it misses a photo.
"""

import dataclasses
import hashlib
import json
import sqlite3

import numpy as np
import safetensors.numpy
import torch

from maskkit import data, features, model
from maskkit.audit import leaks, survey
from maskkit.audit.classifiers import Classifier, find_pretrained
from maskkit.core import disk
from planting.pools import CLASSES

CPU = torch.device("cpu")
ARRAYS = ("metadata", "sharpness", "small", "colours")  # of a survey; `hog` is large, and no verdict depends on it


class Store:
    """A folder with everything measured of one pool's photos by one network."""

    def __init__(self, folder, pool, arch="mobilenet_v2", weights="packaged"):
        self.folder, self.pool = folder, pool
        for name in ("photos", "measures"):
            (folder / name).mkdir(parents=True, exist_ok=True)
        self.measures, self.known, self.read = {}, {}, set()
        self.classifier = stored(find_pretrained(arch, weights, CLASSES), self)
        self.fingerprint = model.fingerprint(self.classifier.module, arch)
        self.pairs = sqlite3.connect(folder / f"pairs-{leaks.ALIGNMENT}.sqlite", timeout=600)
        with self.pairs:
            self.pairs.execute("CREATE TABLE IF NOT EXISTS pair (id INTEGER PRIMARY KEY, score REAL) WITHOUT ROWID")

    # --- files and measures ---------------------------------------------------------------------

    def path(self, version):
        """The file of a version, written if need be."""
        if not version.steps and version.photo in self.pool.paths:
            return self.pool.paths[version.photo]
        suffix = ".jpg" if version.steps and version.steps[-1][0] == "jpeg" else ".png"
        path = self.folder / "photos" / f"{version.key}{suffix}"
        if not path.exists():
            image = self.pool.decode(version.photo)
            if version.steps:
                disk.write_bytes(path, version.encode(image)[0])
            else:
                with disk.replacing(path) as part:
                    image.save(part, "PNG", compress_level=1)
        return path

    def missing(self, versions):
        """The versions without measures, each once."""
        wanted = [version for version in dict.fromkeys(versions) if version.key not in self.measures]
        if wanted:
            self.refresh()
        return [version for version in wanted if version.key not in self.measures]

    def refresh(self):
        """Read the shards of measures that were not read before."""
        for path in sorted((self.folder / "measures").glob("[!.]*.safetensors")):
            if path.name not in self.read:
                self.read.add(path.name)
                arrays = safetensors.numpy.load_file(path)
                rows = json.loads(arrays.pop("rows").tobytes())
                for place, row in enumerate(rows):
                    self.measures[row["key"]] = (row, [arrays[name][place] for name in ARRAYS])

    def measure(self, versions):
        """Survey versions and write them as one shard."""
        wanted = self.missing(versions)
        if not wanted:
            return
        rows, columns = [], []
        for version in wanted:
            measures, arrays = survey.measure(self.path(version))
            assert arrays is not None, f"{version}: {measures}"
            rows.append(measures | {"key": version.key})
            columns.append(arrays[: len(ARRAYS)])
        stacked = {name: np.stack(column) for name, column in zip(ARRAYS, zip(*columns, strict=True), strict=True)}
        text = np.frombuffer(json.dumps(rows).encode(), dtype=np.uint8)
        write_shard(self.folder / "measures", stacked | {"rows": text})
        self.refresh()

    def survey(self, photos):
        """The `Survey` of photos of a folder, each with version, label, part and file."""
        self.measure([photo.version for photo in photos])
        found = [self.measures[photo.version.key] for photo in photos]
        rows = [
            {"path": self.path(photo.version), "file": photo.file, "label": photo.label, "part": photo.part}
            | {name: row[name] for name in survey.MEASURES}
            for photo, (row, _) in zip(photos, found, strict=True)
        ]
        columns = [np.stack(column) for column in zip(*(arrays for _, arrays in found), strict=True)]
        return survey.Survey(CLASSES, rows, [], *columns, np.zeros((len(rows), 0), dtype=np.float32))

    # --- features -------------------------------------------------------------------------------

    def features(self, rows, transform, dataset=None):
        """Features float32 (n, n_features) of rows (sha256, path, label) after a transform, or of a dataset of them."""
        place = self.folder / features.key(self.classifier.arch, self.fingerprint, transform)
        known = self.known.setdefault(place.name, {})
        missing = {row["sha256"]: index for index, row in enumerate(rows) if row["sha256"] not in known}
        if missing:
            self.read_features(place, known)
            missing = {digest: index for digest, index in missing.items() if digest not in known}
            dataset = dataset or data.Photos(rows, CLASSES, transform)
            known |= features.compute(self.classifier.module, self.classifier.arch, dataset, missing, place, CPU)
        return torch.from_numpy(np.stack([known[row["sha256"]] for row in rows]))

    def read_features(self, place, known):
        """Read the shards of features that were not read before."""
        for path in sorted(place.glob("[!.]*.safetensors")):
            if path not in self.read:
                self.read.add(path)
                tensors = safetensors.numpy.load_file(path)
                known |= {
                    bytes(digest).hex(): values
                    for digest, values in zip(tensors["sha256"], tensors["features"], strict=True)
                }

    # --- pairs ----------------------------------------------------------------------------------

    def align(self, small, colours, usable, backbone):
        """`leaks.aligned_once`, with pairs of photos that were compared before taken from the store."""
        candidates = leaks.candidates(colours, usable, backbone)
        photo = np.array([fingerprint(one) for one in small], dtype=np.uint64)
        ids = photo[candidates[:, 0]] * np.uint64(3) + photo[candidates[:, 1]]  # ordered: the first is aligned to
        ids = ids.astype(np.int64).tolist()
        scores = self.stored_scores(ids)
        new = np.array([place for place, name in enumerate(ids) if name not in scores], dtype=int)
        if len(new):
            found = dict.fromkeys([ids[place] for place in new], -1.0)
            kept, score = leaks.compare(small, candidates[new])
            place_of = {tuple(pair): ids[place] for pair, place in zip(candidates[new].tolist(), new, strict=True)}
            found |= {place_of[tuple(pair)]: one for pair, one in zip(kept.tolist(), score.tolist(), strict=True)}
            with self.pairs:
                self.pairs.executemany("INSERT OR REPLACE INTO pair VALUES (?, ?)", found.items())
            scores |= found
        return candidates[np.array([scores[name] for name in ids], dtype=float) >= leaks.ALIGNED]

    def stored_scores(self, ids):
        """{pair: correlation} of the pairs that are known."""
        scores = {}
        for at in range(0, len(ids), 10_000):
            few = ids[at : at + 10_000]
            query = f"SELECT id, score FROM pair WHERE id IN ({','.join('?' * len(few))})"
            scores |= dict(self.pairs.execute(query, few))
        return scores


def fingerprint(small):
    """64 bits of a small copy."""
    return int.from_bytes(hashlib.blake2b(small.tobytes(), digest_size=8).digest(), "little")


def write_shard(folder, arrays):
    """Write arrays as one file under a name made of its content."""
    content = safetensors.numpy.save(arrays)
    disk.write_bytes(folder / f"{hashlib.sha256(content).hexdigest()[:24]}.safetensors", content)


# --- the network --------------------------------------------------------------------------------


@dataclasses.dataclass
class StoredClassifier(Classifier):
    """The audit's network, whose features come from a `Store`."""

    store: Store | None = dataclasses.field(default=None, repr=False)

    def extract(self, dataset, device):
        return self.store.features(dataset.rows, dataset.transform, dataset)


def stored(classifier, store):
    """A classifier of the audit with its features from a store.

    Raises:
        FileNotFoundError: its weights are not available.
    """
    if classifier.network is None:
        raise FileNotFoundError(f"{classifier.arch}: {classifier.note}")
    values = {field.name: getattr(classifier, field.name) for field in dataclasses.fields(Classifier)}
    return StoredClassifier(**values, store=store)
