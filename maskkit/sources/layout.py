"""How a folder of photos is arranged: which of its folders is which part and which class.

A folder that can be understood in two ways is refused, with one line that says what was seen.
"""

import dataclasses
import re
import unicodedata
from pathlib import Path

from maskkit.sources.listing import (
    REPORT_CLASSES,
    TEST,
    TRAIN,
    VALIDATION,
    Contents,
    class_folders,
    contents,
    is_photo_name,
    join_names,
    key_of,
    label_of,
    need_utf8,
    part_of,
    photo_below,
    printable,
    subfolders,
    walk,
)

MOST_WRAPPERS = 3  # folders that hold nothing but one folder, entered one after the other
Parts = dict[str, dict[str, Path]]  # {part: {class: its folder}}; the part is "" for photos without parts


def read_set(folder: Path, wrappers: int = MOST_WRAPPERS) -> tuple[Path, Parts, list[str]]:
    """(the set's folder, {part: {class: folder}}, remarks) of the set at a folder, or below wrappers in it.

    Raises:
        ValueError: there is none, or it can be read in two ways; says what was seen.
    """
    inside = contents(folder)
    if len(inside.folders) == 1 and not inside.has_photos and not is_lone_training(inside):
        (only,) = inside.folders
        below = contents(only)
        if label_of(only.name) not in REPORT_CLASSES and below.folders and not below.has_photos:
            if not wrappers:
                raise ValueError(f"{only} is inside {MOST_WRAPPERS} folders that hold nothing else; give it as DATA")
            return read_set(only, wrappers - 1)
    return folder, *read_level(folder)


def read_whole(folder: Path) -> tuple[Path, Parts, list[str]] | None:
    """`read_set` of the folder above where `folder` is the training part of a set, else None."""
    if part_of(folder.name) != TRAIN:
        return None
    try:
        above = read_parts(folder.parent, contents(folder.parent))
    except (ValueError, PermissionError):  # what lies beside it is no set: the folder stands for itself
        return None
    return (folder.parent, *above) if above else None


def read_level(folder: Path) -> tuple[Parts, list[str]]:
    """({part: {class: folder}}, remarks) of a folder that holds parts or class folders itself; raises as `read_set`."""
    inside = contents(folder)
    found = read_parts(folder, inside)
    if found:
        return found
    classes, remarks = read_classes(folder, inside)
    return {"": classes}, remarks


def is_lone_training(inside: Contents) -> bool:
    """Whether a folder holds a training part with class folders, and nothing else."""
    return [part_of(path.name) for path in inside.folders] == [TRAIN] and len(subfolders(inside.folders[0])) > 1


def read_parts(folder: Path, inside: Contents) -> tuple[Parts, list[str]] | None:
    """({part: {class: folder}}, remarks) of a folder with parts, or None where no folder in it is named like one."""
    named = [path for path in inside.folders if part_of(path.name)]
    if not named or (len(inside.folders) == 1 and not is_lone_training(inside)):
        return None
    others = [path for path in inside.folders if path not in named]
    unused = [path for path in others if not photo_below(path)]
    if len(others) > len(unused) or (len(named) == 1 and part_of(named[0].name) != TRAIN):
        raise ValueError(
            f"{folder} holds {join_names(named)}, named like parts of a set, beside {join_names(others)}; only "
            "parts may lie beside parts, and a class needs another name than train, val or test: rename or move them"
        )
    found: dict[str, tuple[dict[str, Path], list[str]]] = {}
    for path in named:
        part = part_of(path.name)
        if part in found:
            first = next(iter(found[part][0].values())).parent.name
            raise ValueError(f"{folder} holds two folders for part {part}: {first} and {path.name}; keep one")
        below = contents(path)
        if len(below.folders) < 2:
            loose = "photos without a class" if below.has_photos else join_names(below.folders) or "nothing"
            raise ValueError(
                f"{folder} holds {join_names(named)}, named like parts of a set, but {path.name} holds {loose}; each "
                "part needs the same two class folders or more, and photos without a class belong elsewhere"
            )
        found[part] = read_classes(path, below)
    if TRAIN not in found:
        raise ValueError(
            f"{folder} holds {join_names(named)}, no training part; name one train, or give a part as DATA"
        )
    parts = {part: found[part][0] for part in (TRAIN, VALIDATION, TEST) if part in found}
    if len({tuple(sorted(classes)) for classes in parts.values()}) > 1:
        seen = "; ".join(f"{next(iter(c.values())).parent.name}: {', '.join(sorted(c))}" for c in parts.values())
        raise ValueError(f"the parts of {folder} hold different classes ({seen}); each needs the same class folders")
    remarks = [line for part in parts for line in found[part][1]]
    if unused:
        remarks.append(f"not used, since no photo lies in it: {join_names(unused)}")
    return parts, remarks + beside(folder, inside)


def read_classes(folder: Path, inside: Contents) -> tuple[dict[str, Path], list[str]]:
    """({class: folder}, remarks) of a folder of class folders.

    Raises:
        ValueError: fewer than two classes, one named like a part, a class within another, or folders that look like
            parts or sources rather than classes.
    """
    classes = class_folders(folder)
    below = {label: Below.of(path) for label, path in classes.items()}
    sets = [label for label in classes if below[label].set and not below[label].has_photos]
    if sum(below[label].has_photos for label in classes) > 1:  # class folders count, a set beside them is left alone
        classes = {label: path for label, path in classes.items() if label not in sets}
    unused = (below[label].set or "" for label in sets if label not in classes)
    remarks = [f"not used: {printable(path)} holds a set of its own" for path in unused]
    if len(classes) < 2:
        raise ValueError(too_few(folder, inside))
    for path in classes.values():
        need_utf8(path)
        if part_of(path.name):
            others = join_names(other for other in classes.values() if other != path)
            raise ValueError(
                f"{folder} holds {path.name}, named like a part of a set, beside {others}; "
                "a class needs another name: rename the folder"
            )
    need_apart(folder, classes, {label: below[label] for label in classes})
    return classes, remarks + similar_names(classes) + beside(folder, inside)


def need_apart(folder: Path, classes: dict[str, Path], below: dict[str, "Below"]) -> None:
    """Raise ValueError where folders are no classes beside each other; `below`: the `Below` of each class."""
    keys = {key_of(label): label for label in classes}
    for label in classes:
        for key, path in below[label].folders.items():
            if key in keys and keys[key] != label and key != key_of(label):
                raise ValueError(
                    f"{path} lies in class {label!r} and bears the name of class {keys[key]!r}; move or rename it"
                )
    for label, path in classes.items():
        if below[label].set:
            inner = below[label].set
            raise ValueError(
                f"{path} is not a class folder: {inner} holds a set of its own; move it, or give it as DATA"
            )
        if below[label].parts:
            part = below[label].parts[0].name
            raise ValueError(
                f"class {label!r} of {folder} is divided into {join_names(below[label].parts)}; put the class folders "
                f"into the parts, as {folder.name}/{part}/{path.name}"
            )
    if set(classes) == set(REPORT_CLASSES):
        return  # one sub-folder per person, the same person in both
    bare = [label for label in classes if not below[label].has_photos]
    for place, first in enumerate(bare):
        for second in bare[place + 1 :]:
            shared = below[first].folders.keys() & below[second].folders.keys()
            if shared:
                names = [below[first].folders[key] for key in sorted(shared)]
                raise ValueError(
                    f"{classes[first].name} and {classes[second].name} in {folder} hold no photos of their own but "
                    f"folders of the same names ({join_names(names)}): they look like parts or sources, not classes; "
                    "give one of them as DATA, name them train and val, or put a class's photos right into its folder"
                )


@dataclasses.dataclass(frozen=True)
class Below:
    """What lies below a class folder at any depth: folders by `key_of` their name; what cannot belong to a class.

    has_photos: whether a photo lies directly in it. set: a folder with the report's two classes, or with parts of
    several folders each, or None. parts: two or more folders beside each other that are named like parts, if any.
    """

    has_photos: bool
    folders: dict[str, Path]
    set: Path | None
    parts: list[Path]

    @classmethod
    def of(cls, top: Path) -> "Below":
        folders: dict[str, Path] = {}
        parts: list[Path] = []
        own_set: Path | None = None
        for here, names, _ in walk(top):
            for name in names:
                folders.setdefault(key_of(name), here / name)
            named = [here / name for name in names if part_of(name)]
            both = set(REPORT_CLASSES) <= {label_of(name) for name in names}
            divided = len({part_of(path.name) for path in named}) > 1
            if own_set is None and (both or (divided and all(len(subfolders(path)) > 1 for path in named))):
                own_set = here
            if divided and not parts:
                parts = named
        return cls(contents(top).has_photos, folders, own_set, parts)


def too_few(folder: Path, inside: Contents) -> str:
    """Why a folder with fewer than two classes cannot be learned from, and what to do."""
    names = join_names(inside.folders) or "none"
    words = f"{folder} must hold one sub-folder of photos per class, two or more; it holds {names}"
    tables = [path for path in inside.files if path.suffix.lower() in (".csv", ".tsv", ".json", ".txt", ".xlsx")]
    if not inside.has_photos or inside.folders:
        flat = [path for path in inside.folders if contents(path).has_photos]
        return words + (unread(tables, folder) if flat and tables else "")
    above = [path for path in subfolders(folder.parent) if not part_of(path.name) and contents(path).has_photos]
    if tables or folder not in above or len(above) < 2:
        return f"{words}, and photos without a class{unread(tables, folder)}"
    return f"{words}; give the folder above it"


def unread(tables: list[Path], folder: Path) -> str:
    """The rest of a message: labels are not read from tables."""
    read = f"; labels are not read from {join_names(tables)}" if tables else ""
    return f"{read}; put the photos of each class into a folder of its own, such as {folder.name}/with_mask"


def beside(folder: Path, inside: Contents) -> list[str]:
    """A remark, in a list, where photos lie beside class folders; else an empty list."""
    n = sum(is_photo_name(path) for path in inside.files)
    return [f"not used: {n} photos that lie in {printable(folder)} beside its folders"] if n else []


def similar_names(classes: dict[str, Path]) -> list[str]:
    """A remark for each pair of classes whose names differ only in accents' encoding, case, spaces or dashes."""
    remarks: list[str] = []
    by_shape: dict[str, str] = {}
    for label in classes:
        shape = re.sub(r"[\W_]+", "", unicodedata.normalize("NFKC", label).casefold()) or label
        if shape in by_shape:
            other = by_shape[shape]
            same = unicodedata.normalize("NFC", label) == unicodedata.normalize("NFC", other)
            how = "one accent encoded in two ways, NFC and NFD" if same else "another case, space or dash"
            remarks.append(
                f"classes {ascii(other)} and {ascii(label)} look alike ({how}); if they are one class, put their "
                "photos into one folder"
            )
        by_shape.setdefault(shape, label)
    return remarks
