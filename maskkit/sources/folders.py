"""Folders of photos: what parameter DATA means, which folder is which class and part, and which files are candidates.

`find` looks at names and at which folders hold photos, opens next to no file, and answers with a `Source`; where a
folder can be read in two ways it stops with one line that says what was seen.
"""

import dataclasses
import os
import re
import unicodedata
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from maskkit.core import paths
from maskkit.core.messages import said
from maskkit.sources import faces, kaggle

REPORT_CLASSES = ("with_mask", "without_mask")
SPELLINGS = {"WithMask": "with_mask", "WithoutMask": "without_mask"}  # Kaggle's -> ours
TRAIN, VALIDATION, TEST = "Train", "Validation", "Test"  # what parts are called in tables, as in the 12K set
PART_NAMES = {  # folder names, lower case
    "train": TRAIN, "training": TRAIN, "val": VALIDATION, "valid": VALIDATION, "validation": VALIDATION,
    "dev": VALIDATION, "test": TEST, "testing": TEST,
}  # fmt: skip
KAGGLE_12K = "Kaggle 12K"  # in titles
N_ORIGINALS_12K = 893  # with a mask, in the whole set
MOST_WRAPPERS = 3  # folders that hold nothing but one folder, entered one after the other
MOUNTED_DEPTH = 6  # /kaggle/input/datasets/<owner>/<set>/Face Mask Dataset/Train is the deepest known
MOST_FOLDERS = 5000  # looked through below Kaggle's mounted input: a network disk, and sets of millions of folders
PHOTO_SUFFIXES = (
    ".jpg", ".jpeg", ".jpe", ".jfif", ".png", ".webp", ".bmp", ".gif", ".tif", ".tiff", ".heic", ".heif", ".avif",
    ".jp2", ".j2k", ".jpf",
)  # fmt: skip
LITTER = {  # what systems and tools leave in any folder, lower case
    "__macosx", "__pycache__", ".ds_store", ".appledouble", ".spotlight-v100", ".fseventsd", ".temporaryitems",
    ".trashes", "thumbs.db", "ehthumbs.db", "desktop.ini", "$recycle.bin", "system volume information", "lost+found",
    ".directory", ".ipynb_checkpoints", ".git", ".gitignore", ".gitattributes", ".gitkeep", "@eadir",
}  # fmt: skip
AUGMENTED_12K = re.compile(r"Augmented_(\d+)_\d+\.png")
ORIGINAL_12K = re.compile(r"\d+\.png")


@dataclasses.dataclass(frozen=True)
class Source:
    """Where photos come from.

    kind: demo | kaggle | folder. photos: the words for them in titles.
    folder: holds the parts, or the class folders themselves; `source` in split.csv is a path below it.
    parts: {part: {class: its folder}}, by TRAIN, VALIDATION and TEST where the photos lie in parts, else {"": ...}.
    is_12k: whether file names show Kaggle's 12K set. notes: why this is not what "auto" asked for, empty where it is: a
    plain sentence, then how to change it and the technical reason, as `messages.said` gives them. remarks: what else a
    reader should know, a line each.
    """

    kind: str
    photos: str
    folder: Path
    parts: dict[str, dict[str, Path]] = dataclasses.field(hash=False)
    is_12k: bool = False
    notes: tuple[dict[str, Any], ...] = dataclasses.field(default=(), hash=False)
    remarks: tuple[str, ...] = ()

    @property
    def note(self) -> str:
        """The notes as text, "" where there is none: what is not as asked for and how to change it, then the reason."""
        lines = [note["sentence"] for note in self.notes]
        return "\n".join([" ".join(lines[:2]), *lines[2:]])

    @property
    def training(self) -> dict[str, Path]:
        """{class: folder} that photos are drawn from."""
        return self.parts.get(TRAIN) or self.parts[""]

    @property
    def validation(self) -> str:
        """The part that SPLIT='given' validates on: Validation, else Test, else ""."""
        return next((part for part in (VALIDATION, TEST) if part in self.parts), "")

    def named(self, data: str) -> str:
        """The parameter DATA under which another working folder finds the same photos."""
        return str(self.folder) if self.kind == "folder" else data

    def name_below(self, photo: Path) -> tuple[str, ...]:
        """A photo's path below its class folder, as a tuple of names."""
        return photo.relative_to(self.folder).parts[1 if "" in self.parts else 2 :]

    def lines(self) -> list[str]:
        """Which folder was chosen, and remarks, a line each; none for the synthetic faces."""
        if self.kind == "demo":
            return list(self.remarks)
        words = f"photos are drawn from {show(next(iter(self.training.values())).parent)}"
        others = [part for part in (VALIDATION, TEST) if part in self.parts]
        folders = [next(iter(self.parts[part].values())).parent.name for part in others]
        if others:
            words += f"; beside it, for measuring: {', '.join(map(show, folders))}"
        return [f"{words}; classes: {', '.join(self.training)}", *self.remarks]


@dataclasses.dataclass(frozen=True)
class Inside:
    """What lies directly in a folder, litter left out: its folders and files, sorted; whether a file is a photo."""

    folders: list[Path]
    files: list[Path]
    has_photos: bool


# --- what DATA means ------------------------------------------------------------------------------


def find(data: str, parameter: str = "DATA") -> Source:
    """The photos that parameter DATA means: "auto", "kaggle", "demo", or a folder.

    "auto" takes the first of: a set of the report's classes in Kaggle's mounted input, what an earlier run fetched, a
    download from Kaggle, the synthetic faces. "kaggle" stops before the synthetic faces. A folder holds one folder per
    class, or parts such as train and val that do; it may lie below up to MOST_WRAPPERS folders with nothing else in
    them, or be the training part itself.

    Args:
        parameter: how messages call it.

    Raises:
        FileNotFoundError: the folder, or with "kaggle" the download, cannot be had.
        ValueError: the folder holds no class folders, can be read in two ways, or is an archive.
    """
    if data == "demo":
        folder = faces.make(paths.DATA / f"demo-{faces.VERSION}")
        return Source("demo", "demo", folder, {"": {label: folder / label for label in REPORT_CLASSES}})
    if data not in ("auto", "kaggle"):
        return find_folder(Path(data).expanduser(), parameter)
    found = mounted() or fetched()
    if found:
        return found
    try:
        kaggle.fetch()
        found = fetched()
        if not found:
            raise FileNotFoundError(kaggle.explain("what was fetched holds no Train/WithMask and Train/WithoutMask"))
        return found
    except FileNotFoundError as error:
        unfit = unsuitable()
        if data == "kaggle":
            raise FileNotFoundError(f"{unfit['sentence']}; {error}" if unfit else str(error)) from error
        if unfit:
            plain = said(
                "{unfit}, and Kaggle could not be reached, so this run uses synthetic faces.", unfit=unfit["message"]
            )
        else:
            plain = said("Kaggle could not be reached, so this run uses synthetic faces.")
        notes = (plain, *kaggle.how_to(error))
        return dataclasses.replace(find("demo"), photos="demo (Kaggle not reached)", notes=notes)


def find_folder(folder: Path, parameter: str = "DATA") -> Source:
    """The source that a folder given by the user holds; as `find`."""
    if folder.suffix.lower() in (".zip", ".tar", ".gz", ".tgz", ".7z", ".rar") and not folder.is_dir():
        raise ValueError(f"{parameter}: {folder} is an archive; unpack it first and give the folder")
    if not folder.is_dir():
        raise FileNotFoundError(f"{parameter}: there is no folder {folder}; give one with one sub-folder per class")
    try:
        folder = folder.resolve()
        need_utf8(folder)
        root, parts, remarks = read_whole(folder) or read_set(folder)
    except PermissionError as error:
        raise ValueError(f"{parameter}: {error.filename} cannot be read: {error.strerror}") from error
    except ValueError as error:
        raise ValueError(f"{parameter}: {error}") from error
    return make_source("folder", root.name or str(root), root, parts, remarks)


def make_source(kind: str, title: str, root: Path, parts: dict, remarks: list[str]) -> Source:
    """The `Source` of a set as `read_set` gives it."""
    source = Source(kind, title, root, parts, remarks=tuple(remarks))
    if not is_12k(source.training):
        return source
    part_alone = "" in parts and part_of(root.name)  # its title says which part it is
    return dataclasses.replace(source, is_12k=True, photos=title if part_alone else KAGGLE_12K)


def is_12k(classes: dict[str, Path]) -> bool:
    """Whether the names of files in class folders show Kaggle's 12K set, or a draw of it.

    With a mask `N.png` and `Augmented_k_N.png`, k below 893, some of the latter; without one `N.png`. One file in ten
    may be called otherwise.
    """
    if set(classes) != set(REPORT_CLASSES):
        return False
    masked, bare = (look(classes[label]).files for label in REPORT_CLASSES)
    augmented = [match for match in (AUGMENTED_12K.fullmatch(path.name) for path in masked) if match]
    n_augmented = sum(int(match[1]) < N_ORIGINALS_12K for match in augmented)
    n_masked = n_augmented + sum(bool(ORIGINAL_12K.fullmatch(path.name)) for path in masked)
    n_bare = sum(bool(ORIGINAL_12K.fullmatch(path.name)) for path in bare)
    return n_augmented > 0 and n_masked >= 0.9 * len(masked) and 0 < 0.9 * len(bare) <= n_bare


# --- Kaggle's photos ------------------------------------------------------------------------------


def mounted() -> Source | None:
    """The source among Kaggle's mounted data sets, or None: the 12K set first, else any set of the report's classes.

    Raises:
        ValueError: there is a set of the report's classes, but none that can be used.
    """
    found = search(paths.KAGGLE_INPUT, MOUNTED_DEPTH)
    if not found:
        return None
    others = [str(source.folder) for source in found[1:]]
    if not others:
        return found[0]
    remark = (
        f"{len(found)} mounted folders hold the report's two classes: {found[0].folder} was taken; "
        f"DATA=<folder> takes another: {name_some(others)}"
    )
    return dataclasses.replace(found[0], remarks=(remark, *found[0].remarks))


def fetched() -> Source | None:
    """The source in what an earlier run fetched from Kaggle, or None."""
    return next(iter(search(kaggle.fetched_folder(), depth=4)), None)


def search(root: Path, depth: int) -> list[Source]:
    """Sources of the report's two classes at or up to `depth` levels below `root`: the 12K set first, then by depth.

    Raises:
        ValueError: there are some, but none of them can be used; the first one's reason.
    """
    found, problems, level, seen = [], [], [root] if root.is_dir() else [], 0
    for _ in range(depth + 1):
        deeper = []
        for folder in level[: MOST_FOLDERS - seen]:
            below = subfolders(folder)
            seen += 1
            try:
                if not holds_report_classes(below):
                    deeper += below
                    continue
                parts, remarks = read_level(folder)
                name = folder.relative_to(root).as_posix()
                found.append(make_source("kaggle", name if name != "." else root.name, folder, parts, remarks))
            except (ValueError, PermissionError) as error:
                problems.append(error)
        level = deeper
    if problems and not found:
        raise ValueError(f"DATA: {problems[0]}")
    return sorted(found, key=lambda source: not source.is_12k)


def holds_report_classes(below: list[Path]) -> bool:
    """Whether folders are the report's two classes with photos, or parts of whose training part this is so."""
    training = [path for path in below if part_of(path.name) == TRAIN]
    below = subfolders(training[0]) if training else below
    return {label_of(path.name) for path in below} == set(REPORT_CLASSES) and all(map(any_photo, below))


def unsuitable() -> dict[str, Any] | None:
    """Half a sentence that names what Kaggle mounted, where something is and nothing of it is of use; else None."""
    names = [path.name for path in subfolders(paths.KAGGLE_INPUT)] if paths.KAGGLE_INPUT.is_dir() else []
    if names == ["datasets"]:
        names = [path.relative_to(paths.KAGGLE_INPUT).as_posix() for path in paths.KAGGLE_INPUT.glob("datasets/*/*")]
    if not names:
        return None
    return said(
        "No folder mounted in {folder} ({names}) holds with_mask and without_mask",
        folder=str(paths.KAGGLE_INPUT),
        names=name_some(names),
    )


# --- a folder read as parts and classes -----------------------------------------------------------


def read_set(folder: Path, wrappers: int = MOST_WRAPPERS) -> tuple[Path, dict, list[str]]:
    """(the set's folder, {part: {class: folder}}, remarks) of the set at a folder, or below wrappers in it.

    Raises:
        ValueError: there is none, or it can be read in two ways; says what was seen.
    """
    inside = look(folder)
    if len(inside.folders) == 1 and not inside.has_photos and not is_lone_training(inside):
        (only,) = inside.folders
        below = look(only)
        if label_of(only.name) not in REPORT_CLASSES and below.folders and not below.has_photos:
            if not wrappers:
                raise ValueError(f"{only} lies below {MOST_WRAPPERS} folders that hold nothing else; give it as DATA")
            return read_set(only, wrappers - 1)
    return folder, *read_level(folder)


def read_whole(folder: Path) -> tuple[Path, dict, list[str]] | None:
    """`read_set` of the folder above where `folder` is the training part of a set, else None."""
    if part_of(folder.name) != TRAIN:
        return None
    try:
        above = read_parts(folder.parent, look(folder.parent))
    except (ValueError, PermissionError):  # what lies beside it is no set: the folder stands for itself
        return None
    return (folder.parent, *above) if above else None


def read_level(folder: Path) -> tuple[dict, list[str]]:
    """({part: {class: folder}}, remarks) of a folder that holds parts or class folders itself; raises as `read_set`."""
    inside = look(folder)
    found = read_parts(folder, inside)
    if found:
        return found
    classes, remarks = read_classes(folder, inside)
    return {"": classes}, remarks


def is_lone_training(inside: Inside) -> bool:
    """Whether a folder holds a training part with class folders, and nothing else."""
    return [part_of(path.name) for path in inside.folders] == [TRAIN] and len(subfolders(inside.folders[0])) > 1


def read_parts(folder: Path, inside: Inside) -> tuple[dict, list[str]] | None:
    """({part: {class: folder}}, remarks) of a folder with parts, or None where no folder in it is named like one."""
    named = [path for path in inside.folders if part_of(path.name)]
    if not named or (len(inside.folders) == 1 and not is_lone_training(inside)):
        return None
    others = [path for path in inside.folders if path not in named]
    unused = [path for path in others if not any_photo(path)]
    if len(others) > len(unused) or (len(named) == 1 and part_of(named[0].name) != TRAIN):
        raise ValueError(
            f"{folder} holds {names_of(named)}, named like parts of a set, beside {names_of(others)}; parts stand "
            "beside other parts only, and a class needs another name than train, val or test: rename or move them"
        )
    found = {}
    for path in named:
        part = part_of(path.name)
        if part in found:
            first = next(iter(found[part][0].values())).parent.name
            raise ValueError(f"{folder} holds two folders for part {part}: {first} and {path.name}; keep one")
        below = look(path)
        if len(below.folders) < 2:
            loose = "photos without a class" if below.has_photos else names_of(below.folders) or "nothing"
            raise ValueError(
                f"{folder} holds {names_of(named)}, named like parts of a set, but {path.name} holds {loose}; each "
                "part needs the same two class folders or more, and photos without a class belong elsewhere"
            )
        found[part] = read_classes(path, below)
    if TRAIN not in found:
        raise ValueError(f"{folder} holds {names_of(named)}, no training part; name one train, or give a part as DATA")
    parts = {part: found[part][0] for part in (TRAIN, VALIDATION, TEST) if part in found}
    if len({tuple(sorted(classes)) for classes in parts.values()}) > 1:
        seen = "; ".join(f"{next(iter(c.values())).parent.name}: {', '.join(sorted(c))}" for c in parts.values())
        raise ValueError(f"the parts of {folder} hold different classes ({seen}); each needs the same class folders")
    remarks = [line for part in parts for line in found[part][1]]
    if unused:
        remarks.append(f"not used, since no photo lies in it: {names_of(unused)}")
    return parts, remarks + beside(folder, inside)


def read_classes(folder: Path, inside: Inside) -> tuple[dict[str, Path], list[str]]:
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
    remarks = [f"not used: {show(below[label].set)} holds a set of its own" for label in sets if label not in classes]
    if len(classes) < 2:
        raise ValueError(too_few(folder, inside))
    for path in classes.values():
        need_utf8(path)
        if part_of(path.name):
            raise ValueError(
                f"{folder} holds {path.name}, named like a part of a set, beside {names_of(classes.values(), path)}; "
                "a class needs another name: rename the folder"
            )
    need_apart(folder, classes, {label: below[label] for label in classes})
    return classes, remarks + look_alikes(classes) + beside(folder, inside)


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
            raise ValueError(f"{path} is no class: {inner} holds a set of its own; move it, or give it as DATA")
        if below[label].parts:
            part = below[label].parts[0].name
            raise ValueError(
                f"class {label!r} of {folder} is divided into {names_of(below[label].parts)}; arrange the photos the "
                f"other way round, as {folder.name}/{part}/{path.name}"
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
                    f"folders of the same names ({names_of(names)}): they look like parts or sources, not classes; "
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
        found, own_set, parts = {}, None, []
        for here, names, _ in walk(top):
            for name in names:
                found.setdefault(key_of(name), here / name)
            named = [here / name for name in names if part_of(name)]
            both = set(REPORT_CLASSES) <= {label_of(name) for name in names}
            divided = len({part_of(path.name) for path in named}) > 1
            if own_set is None and (both or (divided and all(len(subfolders(path)) > 1 for path in named))):
                own_set = here
            if divided and not parts:
                parts = named
        return cls(look(top).has_photos, found, own_set, parts)


def too_few(folder: Path, inside: Inside) -> str:
    """Why a folder with fewer than two classes cannot be learned from, and what to do."""
    names = names_of(inside.folders) or "none"
    words = f"{folder} must hold one sub-folder of photos per class, two or more; it holds {names}"
    tables = [path for path in inside.files if path.suffix.lower() in (".csv", ".tsv", ".json", ".txt", ".xlsx")]
    if not inside.has_photos or inside.folders:
        flat = [path for path in inside.folders if look(path).has_photos]
        return words + (unread(tables, folder) if flat and tables else "")
    above = [path for path in subfolders(folder.parent) if not part_of(path.name) and look(path).has_photos]
    if tables or folder not in above or len(above) < 2:
        return f"{words}, and photos without a class{unread(tables, folder)}"
    return f"{words}; give the folder above it"


def unread(tables: list[Path], folder: Path) -> str:
    """The rest of a message: labels are not read from tables."""
    read = f"; labels are not read from {names_of(tables)}" if tables else ""
    return f"{read}; put the photos of each class into a folder of its own, such as {folder.name}/with_mask"


def beside(folder: Path, inside: Inside) -> list[str]:
    """A remark, in a list, where photos lie beside class folders; else an empty list."""
    n = sum(is_photo_name(path) for path in inside.files)
    return [f"not used: {n} photos that lie in {show(folder)} beside its folders"] if n else []


def look_alikes(classes: dict[str, Path]) -> list[str]:
    """A remark for each pair of classes whose names differ only in accents' encoding, case, spaces or dashes."""
    found, remarks = {}, []
    for label in classes:
        shape = re.sub(r"[\W_]+", "", unicodedata.normalize("NFKC", label).casefold()) or label
        if shape in found:
            other = found[shape]
            same = unicodedata.normalize("NFC", label) == unicodedata.normalize("NFC", other)
            how = "one accent encoded in two ways, NFC and NFD" if same else "another case, space or dash"
            remarks.append(
                f"classes {ascii(other)} and {ascii(label)} look alike ({how}); if they are one class, put their "
                "photos into one folder"
            )
        found.setdefault(shape, label)
    return remarks


# --- names and files ------------------------------------------------------------------------------


def part_of(name: str) -> str:
    """The part that a folder's name stands for, or ""."""
    return PART_NAMES.get(name.strip().casefold(), "")


def label_of(name: str) -> str:
    """The class that a folder's name stands for: Kaggle's spellings are ours."""
    return SPELLINGS.get(name, name)


def key_of(name: str) -> str:
    """A folder's name for comparing: Kaggle's spelling, upper and lower case and encoded accents make no difference."""
    return unicodedata.normalize("NFC", label_of(name)).casefold()


def origin(source: str) -> tuple[str, str]:
    """(part, class) of the folders that a photo lies in, by its path below `Source.folder`; part may be "".

    A class is never named like a part (`read_classes`), so the first folder's name tells.
    """
    names = source.split("/")
    if len(names) > 2 and part_of(names[0]):
        return part_of(names[0]), label_of(names[1])
    return "", label_of(names[0])


def is_litter(name: str, folder: str | Path | None = None) -> bool:
    """What systems and tools leave behind, known by its exact name: .DS_Store, .ipynb_checkpoints, __MACOSX, Thumbs.db.

    `._NAME` is what a Mac writes beside NAME on other disks, unless it is a photo; `folder` is where it can be opened.
    """
    if name.startswith("._"):
        return folder is None or not is_photo(Path(folder, name))
    return name.casefold() in LITTER


def is_photo_name(path: Path) -> bool:
    return path.suffix.lower() in PHOTO_SUFFIXES


def is_photo(path: Path) -> bool:
    """Whether the head of a file is that of a photo."""
    from maskkit.sources import decoding

    try:
        decoding.need_file(path)
        with open(path, "rb") as file, decoding.head(file):
            return True
    except (OSError, ValueError):
        return False


def look(folder: Path) -> Inside:
    """What lies directly in a folder, as `Inside`."""
    folders, files = [], []
    for entry in os.scandir(folder):
        if not is_litter(entry.name, folder):
            (folders if os.path.isdir(entry.path) else files).append(Path(entry.path))  # a loop of links is no error
    return Inside(sorted(folders), sorted(files), any_photo_of(files))


def any_photo_of(files: list[Path]) -> bool:
    """Whether some of the files are photos, by their suffix, or, of the first 20 with another one, by their content."""
    return any(map(is_photo_name, files)) or any(map(is_photo, files[:20]))


def any_photo(folder: Path) -> bool:
    """Whether a photo lies in a folder at any depth."""
    return any(any_photo_of([here / name for name in files]) for here, _, files in walk(folder))


def subfolders(folder: Path) -> list[Path]:
    """The folders in a folder, litter left out, sorted; none where it cannot be read."""
    try:
        return sorted(Path(e.path) for e in os.scandir(folder) if os.path.isdir(e.path) and not is_litter(e.name))
    except OSError:
        return []


def walk(folder: Path) -> Iterator[tuple[Path, list[str], list[str]]]:
    """(folder, names of folders, names of files) of a folder and those below, litter left out, sorted.

    A link to a folder stands among the files: entered, it could lead to another class.

    Raises:
        OSError: a folder cannot be listed; its photos would go missing without a word.
    """
    for here, folders, files in os.walk(folder, onerror=refuse):
        place = Path(here)
        names = sorted(name for name in folders if not is_litter(name))
        links = [name for name in names if os.path.islink(os.path.join(here, name))]
        folders[:] = [name for name in names if name not in links]
        yield place, list(folders), sorted([name for name in files if not is_litter(name, here)] + links)


def refuse(error: OSError) -> None:
    raise error


def class_folders(folder: Path) -> dict[str, Path]:
    """{class name: its folder}, for every sub-folder; Kaggle's spellings map to ours.

    Raises:
        ValueError: two folders mean the same class.
    """
    found = {}
    for path in look(folder).folders:
        label = label_of(path.name)
        if label in found:
            raise ValueError(f"{found[label]} and {path} are both class {label!r}; keep one")
        found[label] = path
    return found


def list_photos(folder: Path) -> list[Path]:
    """Every file below a class folder except litter, as sorted paths; content decides later what is a photo.

    A link to a folder is listed, as something that `decode` will refuse.
    """
    return sorted(each_photo(folder))


def each_photo(folder: Path) -> Iterator[Path]:
    """`list_photos` one by one, in the order of the walk."""
    return (here / name for here, _, files in walk(folder) for name in files)


def need_utf8(path: Path) -> None:
    """Raise ValueError where a folder's path is not UTF-8: no notebook, table or figure can hold its name."""
    try:
        str(path).encode("utf-8")
    except UnicodeEncodeError as error:
        raise ValueError(f"the folder name {os.fsencode(path)!r} is not UTF-8; rename the folder") from error


def show(path: str | Path) -> str:
    """A path as text that can be printed, bytes that are not UTF-8 as question marks."""
    return str(path).encode("utf-8", "replace").decode("utf-8")


def names_of(some: Iterable[Path], without: Path | None = None) -> str:
    """Names of paths, few spelled out."""
    return name_some([path.name for path in some if path != without])


def name_some(names: list[str], most: int = 6) -> str:
    """Names in a sentence; of many only the first."""
    more = f" and {len(names) - most} more" if len(names) > most else ""
    return show(", ".join(names[:most]) + more)
