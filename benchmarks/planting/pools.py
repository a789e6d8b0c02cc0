"""Pools: photos with known classes, no two of them versions of one original, that folders are drawn from."""

import dataclasses
from collections.abc import Mapping
from pathlib import Path

import numpy as np

from maskkit.core import disk
from maskkit.core.groups import components
from maskkit.sources import decoding, face_drawing, folders

SEED = 20  # of the synthetic faces; the project's own set has seed 0
N_FACES = N_PHOTOS = 700  # per class, of which a folder takes 200
CLASSES = face_drawing.LABELS
# Photos of the 12K set that source_groups.csv gives two originals, and that are one photo: candidates of the audit's
# aligning detector, looked at one by one (38 of 40 pairs; the two that one cannot tell are not in the table).
SAME = Path(__file__).parent / "same_photos.csv"


@dataclasses.dataclass(frozen=True)
class Pool:
    """by_class: {label: names of photos}; paths: {name: file}, empty for faces that are drawn when they are needed.

    attributes: {name: {attribute: value}} of synthetic faces.
    """

    name: str
    by_class: Mapping[str, list[str]]
    paths: Mapping[str, Path] = dataclasses.field(default_factory=dict)

    def decode(self, name):
        """A photo as an RGB image."""
        if self.paths:
            return decoding.decode(self.paths[name])
        index = int(name)
        return face_drawing.draw(index, CLASSES[index % 2], SEED)[0]

    def is_hard(self, name):
        """Whether a synthetic face is a hard case; no other photo is known to be."""
        return not self.paths and bool(face_drawing.hard_row(int(name)))

    def attributes(self, name):
        """What is known of a synthetic face; {} of another photo."""
        if self.paths:
            return {}
        index = int(name)
        row = face_drawing.hard_row(index)
        scene = face_drawing.draw_scene(np.random.default_rng([SEED, index, 1]), row)
        return {
            "glasses": scene["glasses"] != "none",
            "beard": scene["beard"] != "none",
            "dark": scene["brightness"] < 0.82,
        }


def synthetic(n_per_class=N_FACES):
    """The synthetic faces: no two show one person."""
    names = {label: [f"{index:05d}" for index in range(at, 2 * n_per_class, 2)] for at, label in enumerate(CLASSES)}
    return Pool("synthetic", names)


def kaggle_12k(folder, truth=None):
    """Photos of the 12K set, one of each original.

    Args:
        folder: of the set; truth: table with columns `path` (below the folder of parts) and `group`, the original of
            each photo with a mask. By default source_groups.csv beside or above the parts.
    """
    source = folders.find(str(folder))
    table = Path(truth) if truth else find_table(source.folder)
    groups = joined({row["path"]: row["group"] for row in disk.read_csv(table)}, disk.read_csv(SAME))
    by_class, paths, taken = {label: [] for label in CLASSES}, {}, set()
    for part in sorted(source.parts):
        for label, below in source.parts[part].items():
            for path in sorted(below.iterdir()):
                name = path.relative_to(source.folder).as_posix()
                group = groups.get(name, name)
                if group not in taken:
                    taken.add(group)
                    by_class[label].append(name)  # of without_mask every photo is an original
                    paths[name] = path
    return Pool("12k", {label: names[:N_PHOTOS] for label, names in by_class.items()}, paths)


def joined(groups, same):
    """{path: group} in which the groups of two photos are one where `same` lists them (path, same_as) as one photo."""
    names = sorted(set(groups.values()))
    place = {group: index for index, group in enumerate(names)}
    pairs = [(place[groups[row["path"]]], place[groups[row["same_as"]]]) for row in same if row["path"] in groups]
    component = components(len(names), np.array(pairs, dtype=int).reshape(-1, 2))
    return {path: component[place[group]] for path, group in groups.items()}


def find_table(folder):
    """source_groups.csv in a folder or the two above it."""
    for place in (folder, *list(folder.parents)[:2]):
        if (place / "source_groups.csv").is_file():
            return place / "source_groups.csv"
    raise FileNotFoundError(f"no source_groups.csv in or above {folder}: name the table of originals with --truth")
