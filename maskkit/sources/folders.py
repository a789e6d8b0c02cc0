"""What parameter DATA means: Kaggle's photos, the synthetic faces, or a folder of the user."""

import dataclasses
import re
from pathlib import Path
from typing import Any

from maskkit.core import paths
from maskkit.core.messages import message, said, translatable
from maskkit.sources import faces, kaggle, layout
from maskkit.sources.layout import Parts
from maskkit.sources.listing import (
    REPORT_CLASSES,
    TEST,
    TRAIN,
    VALIDATION,
    contents,
    join_names,
    label_of,
    need_utf8,
    part_of,
    photo_below,
    printable,
    subfolders,
)

KAGGLE_12K = "Kaggle 12K"  # in titles
N_ORIGINALS_12K = 893  # with a mask, in the whole set
MOUNTED_DEPTH = 6  # /kaggle/input/datasets/<owner>/<set>/Face Mask Dataset/Train is the deepest known
MOST_FOLDERS = 5000  # looked through below Kaggle's mounted input: a network disk, and sets of millions of folders
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
        words = f"photos are drawn from {printable(next(iter(self.training.values())).parent)}"
        others = [part for part in (VALIDATION, TEST) if part in self.parts]
        folders = [next(iter(self.parts[part].values())).parent.name for part in others]
        if others:
            words += f"; beside it, for measuring: {', '.join(map(printable, folders))}"
        return [f"{words}; classes: {', '.join(self.training)}", *self.remarks]


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
        FileNotFoundError: the folder, or with "kaggle" the download, is not available.
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
            raise kaggle.explain(message("what was fetched holds no Train/WithMask and Train/WithoutMask"))
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
        return dataclasses.replace(find("demo"), photos=translatable("demo (Kaggle not reached)"), notes=notes)


def find_folder(folder: Path, parameter: str = "DATA") -> Source:
    """The source that a folder given by the user holds; as `find`."""
    if folder.suffix.lower() in (".zip", ".tar", ".gz", ".tgz", ".7z", ".rar") and not folder.is_dir():
        raise ValueError(f"{parameter}: {folder} is an archive; unpack it first and give the folder")
    if not folder.is_dir():
        raise FileNotFoundError(f"{parameter}: there is no folder {folder}; give one with one sub-folder per class")
    try:
        folder = folder.resolve()
        need_utf8(folder)
        root, parts, remarks = layout.read_whole(folder) or layout.read_set(folder)
    except PermissionError as error:
        raise ValueError(f"{parameter}: {error.filename} cannot be read: {error.strerror}") from error
    except ValueError as error:
        raise ValueError(f"{parameter}: {error}") from error
    return make_source("folder", root.name or str(root), root, parts, remarks)


def make_source(kind: str, title: str, root: Path, parts: Parts, remarks: list[str]) -> Source:
    """The `Source` of a set as `layout.read_set` returns it."""
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
    masked, bare = (contents(classes[label]).files for label in REPORT_CLASSES)
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
        f"DATA=<folder> takes another: {join_names(others)}"
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
                parts, remarks = layout.read_level(folder)
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
    return {label_of(path.name) for path in below} == set(REPORT_CLASSES) and all(map(photo_below, below))


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
        names=join_names(names),
    )
