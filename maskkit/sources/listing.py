"""Names of folders and files: which part and class a folder stands for, and which files may be photos."""

import dataclasses
import os
import unicodedata
from collections.abc import Iterable, Iterator
from pathlib import Path

REPORT_CLASSES = ("with_mask", "without_mask")
SPELLINGS = {"WithMask": "with_mask", "WithoutMask": "without_mask"}  # Kaggle's -> ours
TRAIN, VALIDATION, TEST = "Train", "Validation", "Test"  # what parts are called in tables, as in the 12K set
PART_NAMES = {  # folder names, lower case
    "train": TRAIN, "training": TRAIN, "val": VALIDATION, "valid": VALIDATION, "validation": VALIDATION,
    "dev": VALIDATION, "test": TEST, "testing": TEST,
}  # fmt: skip
PHOTO_SUFFIXES = (
    ".jpg", ".jpeg", ".jpe", ".jfif", ".png", ".webp", ".bmp", ".gif", ".tif", ".tiff", ".heic", ".heif", ".avif",
    ".jp2", ".j2k", ".jpf",
)  # fmt: skip
LITTER = {  # what systems and tools leave in any folder, lower case
    "__macosx", "__pycache__", ".ds_store", ".appledouble", ".spotlight-v100", ".fseventsd", ".temporaryitems",
    ".trashes", "thumbs.db", "ehthumbs.db", "desktop.ini", "$recycle.bin", "system volume information", "lost+found",
    ".directory", ".ipynb_checkpoints", ".git", ".gitignore", ".gitattributes", ".gitkeep", "@eadir",
}  # fmt: skip


@dataclasses.dataclass(frozen=True)
class Contents:
    """What lies directly in a folder, litter left out: its folders and files, sorted; whether a file is a photo."""

    folders: list[Path]
    files: list[Path]
    has_photos: bool


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


def contents(folder: Path) -> Contents:
    """What lies directly in a folder, as `Contents`."""
    folders: list[Path] = []
    files: list[Path] = []
    for entry in os.scandir(folder):
        if not is_litter(entry.name, folder):
            (folders if os.path.isdir(entry.path) else files).append(Path(entry.path))  # a loop of links is no error
    return Contents(sorted(folders), sorted(files), photo_among(files))


def photo_among(files: list[Path]) -> bool:
    """Whether some of the files are photos, by their suffix, or, of the first 20 with another one, by their content."""
    return any(map(is_photo_name, files)) or any(map(is_photo, files[:20]))


def photo_below(folder: Path) -> bool:
    """Whether a photo lies in a folder at any depth."""
    return any(photo_among([here / name for name in files]) for here, _, files in walk(folder))


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
        OSError: a folder cannot be listed; its photos would be missing without a message.
    """
    for here, folders, files in os.walk(folder, onerror=raise_error):
        place = Path(here)
        names = sorted(name for name in folders if not is_litter(name))
        links = [name for name in names if os.path.islink(os.path.join(here, name))]
        folders[:] = [name for name in names if name not in links]
        yield place, list(folders), sorted([name for name in files if not is_litter(name, here)] + links)


def raise_error(error: OSError) -> None:
    raise error


def class_folders(folder: Path) -> dict[str, Path]:
    """{class name: its folder}, for every sub-folder; Kaggle's spellings map to ours.

    Raises:
        ValueError: two folders mean the same class.
    """
    classes: dict[str, Path] = {}
    for path in contents(folder).folders:
        label = label_of(path.name)
        if label in classes:
            raise ValueError(f"{classes[label]} and {path} are both class {label!r}; keep one")
        classes[label] = path
    return classes


def list_photos(folder: Path) -> list[Path]:
    """Every file below a class folder except litter, as sorted paths; content decides later what is a photo.

    A link to a folder is listed, as something that cannot be decoded.
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


def printable(path: str | Path) -> str:
    """A path as text that can be printed; bytes that are not UTF-8 become question marks."""
    return str(path).encode("utf-8", "replace").decode("utf-8")


def join_names(items: Iterable[str | Path]) -> str:
    """Names, or the last names of paths, in a sentence; of many only the first six."""
    names = [item.name if isinstance(item, Path) else item for item in items]
    more = f" and {len(names) - 6} more" if len(names) > 6 else ""
    return printable(", ".join(names[:6]) + more)
