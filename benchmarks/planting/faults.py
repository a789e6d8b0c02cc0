"""Faults with a known dose, planted into folders of photos.

`plant` draws a folder from a pool: N_TRAIN photos of each class for training and N_VALIDATION for validation, as a set
with these two parts has them, and gives some photos the fault. The same arguments give the same folder.
"""

import dataclasses
import zlib
from collections.abc import Callable

import numpy as np

from planting.pools import CLASSES, Pool
from planting.versions import Version

N_TRAIN, N_VALIDATION = 150, 50  # per class: 1 % of the validation photos is one photo
N_SECOND = 100  # photos of the second source, per class
SHARES = (0.01, 0.02, 0.05, 0.10)
PRESENT = (0.6, 0.7, 0.8, 0.9, 1.0)
GAPS = (0.1, 0.2, 0.3, 0.5)
DARK = 40  # % of its light that a photo of the dark group keeps
IN_GROUP = 0.2  # of the photos of each class and part, in the dark group


@dataclasses.dataclass(frozen=True)
class Photo:
    """A photo of a folder: what it shows, the label that it has there, its part, and its true class."""

    version: Version
    label: str
    part: str
    true: str
    file: str = ""


@dataclasses.dataclass
class Folder:
    """Photos with a planted fault.

    planted: bool (n,), the photos that carry it.
    spare: photos of the pool that are not in the folder, to measure the truth on; second: photos of a second source;
    second_spare: what is spare there.
    confidence: what the calibrated logits are multiplied by; None leaves the model as it is trained.
    group, spare_group: bool, the photos and spare photos of a weak group.
    """

    photos: list[Photo]
    planted: np.ndarray
    spare: list[Photo]
    second: list[Photo] = dataclasses.field(default_factory=list)
    second_spare: list[Photo] = dataclasses.field(default_factory=list)
    confidence: float | None = None
    group: np.ndarray | None = None
    spare_group: np.ndarray | None = None


def plant(pool: Pool, fault: str, dose: float, seed: int) -> Folder:
    """A folder with a fault of FAULTS."""
    rng = np.random.default_rng([zlib.crc32(fault.encode()), round(1000 * dose), seed])
    photos, spare = [], []
    for label in CLASSES:
        names = [Version(str(name)) for name in rng.permutation(pool.by_class[label])]
        parts = ["Train"] * N_TRAIN + ["Validation"] * N_VALIDATION
        photos += [Photo(name, label, part, label) for name, part in zip(names, parts, strict=False)]
        spare += [Photo(name, label, "", label) for name in names[len(parts) :]]
    folder = Folder(photos, np.zeros(len(photos), dtype=bool), spare)
    FAULTS[fault].plant(folder, dose, rng, pool)
    name(folder, rng)
    return folder


def name(folder, rng):
    """Give the photos names that do not tell what was planted, and the order in which an audit reads them."""
    numbers = rng.permutation(len(folder.photos))
    files = [f"{photo.part}/{photo.label}/{at:04d}" for photo, at in zip(folder.photos, numbers, strict=True)]
    order = np.argsort(files)
    folder.photos = [dataclasses.replace(folder.photos[place], file=files[place]) for place in order]
    folder.planted = folder.planted[order]
    folder.group = None if folder.group is None else folder.group[order]


# --- copies across the split --------------------------------------------------------------------


def copy_steps(kind, rng):
    """The steps of one near copy: strengths as people and programs leave them, drawn anew for each copy."""
    if kind == "jpeg":
        return (("jpeg", int(rng.choice([40, 60, 80, 95]))),)
    if kind == "crop":
        return (("crop", int(100 * rng.integers(5) + rng.choice([4, 8, 12, 16]))),)
    if kind == "light":
        return (("light", int(rng.choice([60, 75, 85, 120, 140]))),)
    return (("mirror", 0),) if kind == "mirror" else ()


def plant_copies(kind):
    """Some validation photos are copies of training photos; dose: share of the validation photos."""

    def plant(folder, dose, rng, pool):
        places = validation(folder)
        chosen = rng.choice(places, round(dose * len(places)), replace=False)
        for place in chosen:
            photo = folder.photos[place]
            originals = [other for other in folder.photos if (other.part, other.label) == ("Train", photo.label)]
            original = originals[rng.integers(len(originals))]
            copied = original.version.after(*copy_steps(kind, rng))
            folder.photos[place] = dataclasses.replace(photo, version=copied)
        folder.planted[chosen] = True

    return plant


def validation(folder):
    """Places of the validation photos."""
    return np.flatnonzero([photo.part == "Validation" for photo in folder.photos])


# --- shortcuts ----------------------------------------------------------------------------------

SHORTCUTS = {  # (steps of every photo, steps of those with the shortcut)
    "size": ((), lambda rng: ("size", 160)),
    "border": ((), lambda rng: ("border", int(rng.choice([3, 5])))),
    "jpeg": ((("jpeg", 92),), lambda rng: ("jpeg", 60)),
    "brightness": ((), lambda rng: ("light", int(rng.choice([65, 70])))),
    "background": ((), lambda rng: ("background", int(rng.choice([200, 210])))),
}


def plant_shortcut(kind):
    """Some photos of one class carry a mark that the other class has not; dose: their share of that class."""

    def plant(folder, dose, rng, pool):
        common, draw = SHORTCUTS[kind]
        label = CLASSES[rng.integers(2)]
        for part in ("Train", "Validation"):
            of_class = [(photo.part, photo.label) == (part, label) for photo in folder.photos]
            places = np.flatnonzero(of_class)
            folder.planted[rng.choice(places, round(dose * len(places)), replace=False)] = True
        for place, photo in enumerate(folder.photos):
            steps = (draw(rng),) if folder.planted[place] else common
            folder.photos[place] = dataclasses.replace(photo, version=photo.version.after(*steps))

    return plant


# --- labels, confidence, another source, groups ---------------------------------------------------


def plant_labels(folder, dose, rng, pool):
    """Some photos lie in the other class; dose: their share."""
    mislabel(folder, rng.choice(len(folder.photos), round(dose * len(folder.photos)), replace=False))


def mislabel(folder, places):
    for place in places:
        photo = folder.photos[place]
        folder.photos[place] = dataclasses.replace(photo, label=CLASSES[1 - CLASSES.index(photo.label)])
    folder.planted[places] = True


def plant_confidence(*steps):
    """The model's logits, calibrated on the spare photos, times the dose: above 1 it is too confident.

    steps: of all photos. A model that is right in 97 of 100 photos cannot be too confident by 10 points, and one that
    is right in 66 cannot be too unsure by more than 16, so each direction has photos of its own.
    """

    def plant(folder, dose, rng, pool):
        folder.confidence = dose
        for photos in (folder.photos, folder.spare):
            photos[:] = [dataclasses.replace(photo, version=photo.version.after(*steps)) for photo in photos]

    return plant


def plant_group(belongs):
    """A group has wrong labels, so each answer to it is wrong so much more often; dose: their share of the group.

    belongs: called with photo, random generator and pool; the steps of a photo of the group, None for another photo.
    """

    def plant(folder, dose, rng, pool):
        groups = []
        for photos in (folder.photos, folder.spare):
            steps = [belongs(photo, rng, pool) for photo in photos]
            photos[:] = [
                photo if own is None else dataclasses.replace(photo, version=photo.version.after(*own))
                for photo, own in zip(photos, steps, strict=True)
            ]
            groups.append(np.array([own is not None for own in steps]))
        folder.group, folder.spare_group = groups
        chosen = rng.choice(np.flatnonzero(folder.group), round(dose * folder.group.sum()), replace=False)
        mislabel(folder, chosen)

    return plant


def plant_easy(folder, dose, rng, pool):
    """A folder without the hard cases of the synthetic faces (blurred, dark, turned): they are truly weak groups."""
    for label in CLASSES:
        spare = [photo for photo in folder.spare if photo.label == label and not pool.is_hard(photo.version.photo)]
        for place, photo in enumerate(folder.photos):
            if photo.label == label and pool.is_hard(photo.version.photo):
                folder.photos[place] = dataclasses.replace(photo, version=spare.pop().version)
    folder.spare = []


def is_dark(photo, rng, pool):
    return (("light", DARK),) if rng.random() < IN_GROUP else None


def has(attribute):
    """Whether a synthetic face has an attribute that no property of the photo shows."""
    return lambda photo, rng, pool: () if pool.attributes(photo.version.photo)[attribute] else None


def plant_second_source(folder, dose, rng, pool):
    """A second source, through another camera of this severity; 0 is the same source."""
    order = rng.permutation(len(folder.spare))
    steps = (("camera", int(dose)),) if dose else ()
    shifted = [
        dataclasses.replace(folder.spare[place], version=folder.spare[place].version.after(*steps)) for place in order
    ]
    for label in CLASSES:
        of_class = [photo for photo in shifted if photo.label == label]
        folder.second += [dataclasses.replace(photo, file=f"{label}/{photo.version.photo}") for photo in of_class][
            :N_SECOND
        ]
        folder.second_spare += of_class[N_SECOND:]


def plant_nothing(folder, dose, rng, pool):
    """A clean folder."""


# --- the list -----------------------------------------------------------------------------------


@dataclasses.dataclass(frozen=True)
class Fault:
    """doses: without the clean ones; checks: those that should find it; pools: where its truth is known."""

    plant: Callable
    doses: tuple[float, ...]
    checks: tuple[str, ...]
    pools: tuple[str, ...] = ("synthetic", "12k")


FAULTS = {
    "clean": Fault(plant_nothing, (0.0,), ("leaks", "labels", "split_variance")),
    "clean-mouth": Fault(plant_nothing, (0.0,), ("mouth",)),  # of its own: its photos are read seven times
    "clean-shortcuts": Fault(plant_nothing, (0.0,), ("shortcuts",), ("synthetic",)),
    **{
        f"copies-{kind}": Fault(plant_copies(kind), SHARES, ("leaks",))
        for kind in ("bytes", "jpeg", "crop", "mirror", "light")
    },
    **{f"shortcut-{kind}": Fault(plant_shortcut(kind), PRESENT, ("shortcuts",), ("synthetic",)) for kind in SHORTCUTS},
    "labels": Fault(plant_labels, (0.02, 0.05, 0.10, 0.20), ("labels",)),
    "confidence-high": Fault(plant_confidence(("camera", 4)), (1.0, 2.0, 4.0), ("calibration",)),
    "confidence-low": Fault(plant_confidence(), (0.25, 0.5, 1.0), ("calibration",)),
    "background-model": Fault(plant_shortcut("background"), (0.8, 1.0), ("mouth",)),
    "clean-groups": Fault(plant_easy, (0.0,), ("weak_groups",)),
    "group-dark": Fault(plant_group(is_dark), GAPS, ("weak_groups",)),
    **{
        f"group-{attribute}": Fault(plant_group(has(attribute)), GAPS, ("weak_groups",), ("synthetic",))
        for attribute in ("glasses", "beard")
    },
    "second-source": Fault(plant_second_source, (0.0, 1.0, 2.0, 3.0, 4.0), ("other_source",)),
}
