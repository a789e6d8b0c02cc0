"""Folders of photos: what parameter DATA means, which folder is which class, and which files are candidates."""

import dataclasses
import os
from pathlib import Path

from maskkit import demo, kaggle, paths

REPORT_CLASSES = ("with_mask", "without_mask")
SPELLINGS = {"WithMask": "with_mask", "WithoutMask": "without_mask"}  # Kaggle's -> ours
PARTS_12K = ("Train", "Test", "Validation")


@dataclasses.dataclass(frozen=True)
class Source:
    """Where photos come from: `kind` is demo | kaggle | folder, `photos` names them in titles."""

    kind: str
    photos: str
    folder: Path  # holds one folder per class
    note: str = ""  # why this is not what "auto" asked for; empty where it is

    def named(self, data):
        """The parameter DATA under which another working folder finds the same photos."""
        return str(self.folder) if self.kind == "folder" else data


def find(data):
    """The photos that parameter DATA means: "auto", "kaggle", "demo", or a folder.

    "auto" takes the first of: Kaggle's mounted input, what an earlier run fetched, a download from Kaggle, the
    drawn demo set. "kaggle" stops before the demo set. A folder may lie above or below the 12K layout's
    `Train`, or hold one folder per class.

    Raises:
        FileNotFoundError: the folder, or with "kaggle" the download, cannot be had.
        ValueError: the folder holds no class folders, or is an archive.
    """
    if data == "demo":
        return Source("demo", "demo", demo.make(paths.DATA / f"demo-{demo.VERSION}"))
    if data not in ("auto", "kaggle"):
        return find_folder(Path(data).expanduser().resolve())
    fetched = kaggle.fetched_folder()
    found = mounted_12k() or (find_12k(fetched) if fetched.is_dir() else None)
    if found:
        return Source("kaggle", "Kaggle 12K", found)
    try:
        found = find_12k(kaggle.fetch())
        if not found:
            raise FileNotFoundError(kaggle.explain("what was fetched holds no Train/WithMask and Train/WithoutMask"))
        return Source("kaggle", "Kaggle 12K", found)
    except FileNotFoundError as error:
        if data == "kaggle":
            raise
        note = f"Kaggle's photos could not be had, so these are the drawn demo faces. {error}"
        return dataclasses.replace(find("demo"), photos="demo (Kaggle not reached)", note=note)


def find_folder(folder):
    """The source that a folder given by the user holds."""
    if folder.suffix.lower() in (".zip", ".tar", ".gz", ".tgz", ".7z", ".rar") and not folder.is_dir():
        raise ValueError(f"DATA: {folder} is an archive; unpack it first and give the folder")
    if not folder.is_dir():
        raise FileNotFoundError(f"DATA: there is no folder {folder}; give a folder with one sub-folder per class")
    train = find_12k(folder)
    if train:
        return Source("folder", "Kaggle 12K", train)
    names = class_folders(folder)
    if len(names) < 2:
        found = ", ".join(sorted(path.name for path in names.values())) or "none"
        raise ValueError(
            f"DATA: {folder} must hold one sub-folder of photos per class, two or more; it holds {found}"
            + ("; give the folder above it" if any(is_photo_name(path) for path in folder.iterdir()) else "")
        )
    return Source("folder", folder.name, folder)


def mounted_12k():
    """The 12K layout's `Train` among Kaggle's mounted data sets, or None; newer images nest them two levels deeper."""
    return find_12k(paths.KAGGLE_INPUT, depth=6) if paths.KAGGLE_INPUT.is_dir() else None


def find_12k(folder, depth=4):
    """The 12K layout's `Train` folder at or up to `depth` levels below `folder`, or None.

    `Train` itself counts; a `Test` or `Validation` folder given by name is a plain folder of classes.
    """
    if folder.name == "Train" and set(class_folders(folder)) == set(REPORT_CLASSES):
        return folder
    if depth == 0:
        return None
    for below in sorted(path for path in folder.iterdir() if path.is_dir() and not is_hidden(path)):
        if below.name in SPELLINGS or below.name in SPELLINGS.values():
            continue  # thousands of photos, no folder of interest
        found = find_12k(below, depth - 1)
        if found:
            return found
    return None


def is_hidden(path):
    """Litter of systems and tools, never a photo: .DS_Store, .ipynb_checkpoints, __MACOSX, Thumbs.db."""
    return path.name.startswith((".", "__")) or path.name in ("Thumbs.db", "desktop.ini")


def is_photo_name(path):
    return path.suffix.lower() in (
        ".jpg", ".jpeg", ".jfif", ".png", ".webp", ".bmp", ".gif", ".tif", ".tiff", ".avif", ".heic", ".heif", ".jp2",
        ".j2k", ".jpf",
    )  # fmt: skip


def class_folders(folder):
    """{class name: its folder}, for every sub-folder; Kaggle's spellings map to ours.

    Raises:
        ValueError: two folders mean the same class.
    """
    found = {}
    for path in sorted(path for path in folder.iterdir() if path.is_dir() and not is_hidden(path)):
        label = SPELLINGS.get(path.name, path.name)
        if label in found:
            raise ValueError(f"DATA: {found[label]} and {path} are both class {label!r}; keep one")
        found[label] = path
    return found


def list_photos(folder):
    """Every file below a class folder except litter, as sorted paths; content decides later what is a photo.

    A link to a folder is listed, as something that `decode` will refuse: entered, it could lead to another class.
    """
    found = []
    for here, folders, files in os.walk(folder):
        folders[:] = sorted(name for name in folders if not is_hidden(Path(name)))
        links = [name for name in folders if Path(here, name).is_symlink()]
        found += [Path(here, name) for name in files + links if not is_hidden(Path(name))]
    return sorted(found)
