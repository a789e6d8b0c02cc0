"""Photos: find or fetch them, draw the report's 100 + 100, split them, and turn each into a tensor.

folder of photos -> `find` -> `curate` (writes data-mask/, split.csv, rejected.csv) -> `MaskDataset`.
"""

import collections
import concurrent.futures
import contextlib
import dataclasses
import hashlib
import itertools
import os
import random
import re
import shutil
import stat
import struct
import warnings
from collections import Counter, defaultdict
from pathlib import Path

import numpy as np
from PIL import Image, ImageOps

from maskkit import corrections, demo, kaggle, paths, runs
from maskkit.progress import bar

REPORT_CLASSES = ("with_mask", "without_mask")
SPELLINGS = {"WithMask": "with_mask", "WithoutMask": "without_mask"}  # Kaggle's -> ours
PARTS_12K = ("Train", "Test", "Validation")
N_ORIGINALS_12K = 893  # in the whole set; only then is an augmented file's rank that of its original
FORMATS = ("JPEG", "PNG", "WEBP", "BMP", "GIF", "TIFF")  # what `decode` lets Pillow try
MAX_PIXELS = 50_000_000  # 50 megapixels: larger than a phone's photo, small enough for one photo's tensors
# What Pillow's parsers raise on damaged bytes, beside ValueError: the first three often, the others once in thousands.
BROKEN = (OSError, SyntaxError, EOFError, TypeError, AttributeError, LookupError, ArithmeticError, struct.error)
MAX_NAME = 240  # bytes of a file name in data-mask/: file systems take 255, and a number may come before it
WORKERS = min(16, os.cpu_count() or 1)  # threads that read photos; Pillow lets go of Python while it decodes
MIN_PER_CLASS = 10  # fewer leave no validation part worth a percentage
VAL_SHARE = 0.2  # the report's 80 / 20
SPLIT_COLUMNS = ("file", "label", "part", "sha256", "group", "source")
REJECTED_COLUMNS = ("source", "label", "reason")
PARTS = ("train", "val")

# Pillow warns of odd metadata in photos that decode well. For all threads at once: `warnings.catch_warnings` around a
# decoding would be undone by another thread's, in the wrong order.
warnings.filterwarnings("ignore", module=r"PIL\.")


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


# --- find ---------------------------------------------------------------------------------------


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
    return path.suffix.lower() in (".jpg", ".jpeg", ".png", ".webp", ".bmp", ".gif", ".tif", ".tiff")


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


# --- decode -------------------------------------------------------------------------------------


def decode(path):
    """One photo as an RGB PIL image, by its content whatever its suffix; the first frame where there are several.

    The EXIF turn is applied, transparency lies on white, 16-bit and float values are scaled to 8 bits, and a
    side far beyond what the network sees is reduced by a whole factor.

    Raises:
        ValueError: not a photo that can be decoded; the reason is the message.
        OSError: the file cannot be read.
    """
    need_file(path)
    with open(path, "rb") as file:
        return decode_open(file)


def decode_open(file):
    """`decode` of a binary file at its start, such as an `io.BytesIO`."""
    with head(file) as image:
        if image.width * image.height > MAX_PIXELS:
            raise ValueError(f"{image.width} x {image.height} pixels are over the limit of {MAX_PIXELS:,}")
        image.load()
        ImageOps.exif_transpose(image, in_place=True)
        if image.mode in ("L", "RGB", "I", "F") and not image.has_transparency_data:
            return to_rgb(reduced(image))  # in this order where it may be: a few bytes can stand for 50 megapixels
        return reduced(to_rgb(image))


def reduced(image):
    """An image whose longer side is below twice 2,048 pixels, reduced by a whole factor where it is not."""
    factor = max(image.size) // 2048
    return image.reduce(factor) if factor > 1 else image


@contextlib.contextmanager
def head(file):
    """A photo of a binary file at its start, pixels not yet decoded; for use of the image within the block.

    Raises:
        ValueError: as `decode`, whatever Pillow raises inside the block.
    """
    if not file.read(1):
        raise ValueError("the file is empty")
    file.seek(0)
    try:
        with Image.open(file, formats=FORMATS) as image:
            yield image
    except Image.UnidentifiedImageError as error:
        raise ValueError(f"not a photo of a known kind ({', '.join(FORMATS)})") from error
    except (*BROKEN, Image.DecompressionBombError) as error:
        raise ValueError(f"broken: {error}") from error


def to_rgb(image):
    """Any Pillow mode as RGB: deep grey scaled to 8 bits, transparency on white."""
    if image.mode.startswith(("I", "F")):
        full_scale = 65535.0 if image.mode.startswith("I;16") else None
        return Image.fromarray(to_8_bit(np.asarray(image), full_scale)).convert("RGB")
    if image.has_transparency_data:
        image = image.convert("RGBA")
        return Image.alpha_composite(Image.new("RGBA", image.size, "white"), image).convert("RGB")
    return image.convert("RGB")


def to_8_bit(values, full_scale=None):
    """Grey values of any depth (H, W) as uint8, `full_scale` becoming 255.

    Where the file's kind does not say its full scale (32-bit integers and floats), it is the smallest of 1 (for
    fractions), 255, 65,535 and the largest value that holds every value.
    """
    values = np.nan_to_num(values.astype(np.float32), copy=False, nan=0, posinf=0, neginf=0)
    np.clip(values, -1e38, 1e38, out=values)  # so that the difference of two is finite
    values -= min(values.min(), 0)
    highest = float(values.max())
    if not full_scale:
        fractions = np.mod(values, 1).any()
        scales = (1.0, 255.0, 65535.0) if fractions else (255.0, 65535.0)
        full_scale = next((scale for scale in scales if highest <= scale), highest)
    values *= np.float32(255.0 / full_scale)
    return np.rint(values, out=values).astype(np.uint8)


def in_threads(function, items, workers=WORKERS):
    """`map` in order, by threads a few items ahead of whoever takes the results: few, so that memory stays flat."""
    items = iter(items)
    with concurrent.futures.ThreadPoolExecutor(workers) as pool:
        waiting = collections.deque(pool.submit(function, item) for item in itertools.islice(items, 2 * workers))
        try:
            while waiting:
                yield waiting.popleft().result()
                waiting.extend(pool.submit(function, item) for item in itertools.islice(items, 1))
        finally:
            pool.shutdown(cancel_futures=True)  # nobody takes the rest: the caller has enough, or an item failed


def need_file(path):
    """Raise ValueError unless a path leads to a regular file: a FIFO would wait for ever, a device never end."""
    mode = os.stat(path).st_mode
    if not stat.S_ISREG(mode):
        raise ValueError("a folder, or a link to one" if stat.S_ISDIR(mode) else "neither a file nor a folder")


def sha256(path):
    need_file(path)
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


# --- curate -------------------------------------------------------------------------------------


def curate(source, run_dir, **settings):
    """`choose` photos, link them into data-mask/<class>/, and write split.csv and rejected.csv.

    Args:
        run_dir: the run's folder; its data-mask/, split.csv and rejected.csv are made anew.
        settings: as `choose`.

    Returns:
        (rows, rejected), and raises, as `choose`.
    """
    rows, rejected = choose(source, **settings)
    link_photos(rows, source.folder, Path(run_dir) / "data-mask")
    runs.write_csv(Path(run_dir) / "split.csv", rows, SPLIT_COLUMNS)
    runs.write_csv(Path(run_dir) / "rejected.csv", rejected, REJECTED_COLUMNS)
    return rows, rejected


def choose(source, *, per_class, split, seed, groups="", correct_by=""):
    """Draw `per_class` photos per class by `seed`, and say which part each is in.

    A photo that cannot be decoded is set aside with its reason and the next draw takes its place. Same photos and
    seed, same rows. Corrections by hand come after draw and split, so that a run differs from an earlier one in the
    photos that were corrected and in nothing else.

    Args:
        source: what `find` returned.
        per_class: photos per class; 0 takes all; a class that has fewer (at least 10) gives what it has.
        split: "grouped" keeps photos of one original in one part; "random" is the report's own draw.
        seed: of the draw and the split.
        groups: a groups.csv of `maskkit audit`, whose groups are kept together too; "" has none.
        correct_by: as parameter CORRECTIONS: "auto", a corrections.csv, or "" for none.

    Returns:
        (rows, rejected): dicts with the columns of split.csv and rejected.csv.

    Raises:
        ValueError: an unknown split, a class with too few good photos, or corrections that leave it none.
    """
    if split not in ("grouped", "random"):
        raise ValueError(f"SPLIT must be 'grouped' or 'random', got {split!r}")
    if per_class and per_class < MIN_PER_CLASS:
        raise ValueError(f"PER_CLASS must be 0 (all) or at least {MIN_PER_CLASS}, got {per_class}")
    drawn, rejected = draw(source, per_class, seed)
    group = name_groups(drawn, source.folder, read_groups(groups) if groups else {})
    part = assign_parts(drawn, group if split == "grouped" else {photo: str(photo) for photo in drawn}, seed)
    label, aside = correct(drawn, part, source.folder, corrections.find(correct_by))
    return name_rows(drawn, label, group, part, source.folder), rejected + aside


def draw(source, per_class, seed):
    """{photo: (label, sha256)} in the order drawn, and the rejected rows."""
    drawn, rejected = {}, []
    for label, folder in sorted(class_folders(source.folder).items()):
        candidates = list_photos(folder)
        random.Random(f"draw {seed} {label}").shuffle(candidates)
        wanted = per_class or len(candidates)
        good = 0
        progress = bar(candidates, desc=f"reading {label}", unit=" photos")
        for photo, (digest, reason) in zip(progress, in_threads(look_into, candidates), strict=True):
            if reason:
                name = photo.relative_to(source.folder).as_posix()
                rejected.append({"source": name, "label": label, "reason": reason})
                continue
            drawn[photo] = (label, digest)
            good += 1
            if good == wanted:
                break
        if good < MIN_PER_CLASS:
            raise ValueError(
                f"{folder} holds {good} photos that can be decoded of {len(candidates)} files; "
                f"class {label!r} needs at least {MIN_PER_CLASS}"
                + (f"; the first that failed: {rejected[-1]['source']}: {rejected[-1]['reason']}" if rejected else "")
            )
    return drawn, rejected


def correct(drawn, part, root, file):
    """({photo: label} as corrected in `file` (None for no file), without those set aside; rejected rows of these).

    Raises:
        ValueError: a drawn photo's new label is no class of the set, or a class is left without a photo in a part.
    """
    changed = corrections.labels(file) if file else {}
    names = sorted({found for found, _ in drawn.values()})
    kept, aside = {}, []
    for photo, (found, digest) in drawn.items():
        label, source = changed.get(digest, found), photo.relative_to(root).as_posix()
        if label is None:
            aside.append({"source": source, "label": found, "reason": corrections.REASON})
        elif label not in names:
            known = ", ".join(names)
            raise ValueError(f"CORRECTIONS: {file} calls {source} {label!r}, no class of these photos ({known})")
        else:
            kept[photo] = label
    missing = lost(((label, part[photo]) for photo, label in kept.items()), names)
    if missing:
        raise ValueError("CORRECTIONS: {} leaves no photo of class {!r} in part {!r}".format(file, *missing))
    return kept, aside


def lost(photos, classes):
    """The first (class, part) without a photo, None where each has one; `photos`: (class, part) of each."""
    there = set(photos)
    return next(((name, part) for name in classes for part in PARTS if (name, part) not in there), None)


def look_into(photo):
    """(sha256, "") of a photo that can be decoded, else ("", the reason)."""
    try:
        decode(photo)
        return sha256(photo), ""
    except (ValueError, OSError) as error:
        return "", str(error) or type(error).__name__


def read_groups(path):
    """{sha256: group} of a groups.csv.

    Raises:
        FileNotFoundError, ValueError: it is not there, or not such a file.
    """
    path = Path(path)
    if not path.is_file():
        raise FileNotFoundError(f"GROUPS: there is no file {path}; `maskkit audit` writes groups.csv")
    rows = runs.read_csv(path)
    if not rows or not {"sha256", "group"} <= rows[0].keys():
        raise ValueError(f"GROUPS: {path} has no columns sha256 and group; `maskkit audit` writes such a file")
    return {row["sha256"]: row["group"] for row in rows}


def name_groups(drawn, root, found):
    """{photo: group}: photos of one original share a group, named by its smallest key.

    `found` is {sha256: group} of an audit.
    Keys are the bytes' hash everywhere, and in the 12K layout the k of `Augmented_k_*`, which its original
    shares where all 893 originals are there to be ranked.
    """
    ranks = rank_originals(root)
    keys = defaultdict(list)
    for photo, (label, digest) in drawn.items():
        keys[f"sha-{digest[:16]}"].append(photo)
        if digest in found:
            keys[found[digest]].append(photo)
        match = re.match(r"Augmented_(\d+)_", photo.name)
        if label == "with_mask" and root.name == "Train" and match:
            keys[f"original-{int(match[1]):03d}"].append(photo)
        elif label == "with_mask" and photo.name in ranks:
            keys[f"original-{ranks[photo.name]:03d}"].append(photo)
    return join_keys(keys)


def rank_originals(train):
    """{file name: rank} of the 12K set's originals (`N.png`, in name order), empty where not all 893 are there."""
    originals = {
        path.name
        for part in PARTS_12K
        for path in (train.parent / part / "WithMask").glob("*.png")
        if re.fullmatch(r"\d+\.png", path.name)
    }
    whole = train.name == "Train" and len(originals) == N_ORIGINALS_12K
    return {name: rank for rank, name in enumerate(sorted(originals))} if whole else {}


def join_keys(keys):
    """{photo: group} for {key: photos}: the connected components, each named by its smallest key."""
    parent = {key: key for key in keys}

    def root(key):
        while parent[key] != key:
            parent[key] = key = parent[parent[key]]
        return key

    first = {}
    for key, photos in keys.items():
        for photo in photos:
            a, b = sorted((root(key), root(first.setdefault(photo, key))))
            parent[b] = a
    return {photo: root(key) for photo, key in first.items()}


def assign_parts(drawn, group, seed):
    """{photo: "train" | "val"}: 20 % of each class to val, exactly where the groups' sizes allow it, no group in
    both. A group that spans classes trains.

    Raises:
        ValueError: a class's groups leave one part empty.
    """
    labels = {label for label, _ in drawn.values()}
    groups = defaultdict(lambda: defaultdict(list))  # label -> group -> photos
    spans = defaultdict(set)
    for photo, (label, _) in drawn.items():
        groups[label][group[photo]].append(photo)
        spans[group[photo]].add(label)
    part = dict.fromkeys(drawn, "train")
    for label in sorted(labels):
        names = [name for name in sorted(groups[label]) if len(spans[name]) == 1]
        random.Random(f"split {seed} {label}").shuffle(names)
        n = sum(map(len, groups[label].values()))
        chosen = choose_sum([len(groups[label][name]) for name in names], round(n * VAL_SHARE))
        for index in chosen:
            part.update(dict.fromkeys(groups[label][names[index]], "val"))
        n_val = sum(len(groups[label][names[index]]) for index in chosen)
        if not 0 < n_val < n:
            raise ValueError(
                f"class {label!r}: its {n} photos come from {len(groups[label])} originals, which cannot be "
                "split into two parts; add photos of other originals, or use SPLIT='random'"
            )
    return part


def choose_sum(sizes, target):
    """Indices of `sizes` that add up to `target`, or to the nearest sum below it; earlier ones preferred."""
    reached = {0: ()}  # sum -> the last index that reached it and the sum before
    for index, size in enumerate(sizes):
        for total in sorted(reached, reverse=True):
            if total + size <= target and total + size not in reached:
                reached[total + size] = (index, total)
        if target in reached:
            break
    chosen, total = [], max(reached)
    while reached[total]:
        index, total = reached[total]
        chosen.append(index)
    return chosen


def name_rows(drawn, labels, group, part, root):
    """split.csv's rows of {photo: label}, sorted by file; equal names in a class are told apart by a number."""
    rows, taken, folders = [], Counter(), class_folders(root)
    for photo, label in labels.items():
        found, digest = drawn[photo]
        name = "__".join(photo.relative_to(folders[found]).parts)
        if len(os.fsencode(name)) > MAX_NAME:
            name = f"{digest[:16]}{photo.suffix[:8]}"
        taken[label, name] += 1
        if taken[label, name] > 1:
            name = f"{taken[label, name]}__{name}"
        rows.append(
            {
                "file": f"{label}/{name}",
                "label": label,
                "part": part[photo],
                "sha256": digest,
                "group": group[photo],
                "source": photo.relative_to(root).as_posix(),
            }
        )
    return sorted(rows, key=lambda row: row["file"])


def link_photos(rows, root, data_mask):
    """Make data-mask/<class>/ anew from the photos below `root`, by hard links where possible."""
    if data_mask.exists():
        shutil.rmtree(data_mask)
    for row in rows:
        photo, target = root / row["source"], data_mask / row["file"]
        target.parent.mkdir(parents=True, exist_ok=True)
        try:
            os.link(photo.resolve(), target)
        except OSError:  # another file system, or one without hard links
            shutil.copyfile(photo, target)


def counts(rows):
    """{part: {label: n}} of split rows."""
    labels = classes(rows)
    return {part: {x: sum(r["part"] == part and r["label"] == x for r in rows) for x in labels} for part in PARTS}


def summary(rows):
    """One line that is the same on every machine: '160 train, 40 validation, classes with_mask, without_mask'."""
    n_val = count(rows, "val")
    return f"{len(rows) - n_val} train, {n_val} validation, classes {', '.join(classes(rows))}"


def remarks(rows, rejected, per_class):
    """What a reader should know of the draw: files set aside, classes that had too few. One line each."""
    lines = [f"{len(rejected)} files set aside, named in rejected.csv"]
    by_hand = corrected(rows, rejected)
    for label in classes(rows):
        n = sum(found_label(row) == label for row in rows)
        n += sum(row["label"] == label and row["reason"] == corrections.REASON for row in rejected)
        if n < per_class:
            lines.append(f"{label}: {n} photos are there, {per_class} were asked for; all are used")
    if any(by_hand.values()):
        lines.append(f"corrected by hand: {by_hand['relabelled']} labels, {by_hand['set_aside']} photos set aside")
    labels = defaultdict(set)
    for row in rows:
        labels[row["sha256"]].add(row["label"])
    n = sum(len(found) > 1 for found in labels.values())
    if n:
        lines.append(f"{n} photos lie in two classes or more with the same bytes: one of their labels is wrong")
    return "\n".join(lines)


def found_label(row):
    """The class whose folder the photo of a split row lies in; its label, unless that was corrected."""
    folder = row["source"].partition("/")[0]
    return SPELLINGS.get(folder, folder)


def corrected(rows, rejected):
    """How much of a draw was corrected by hand: {"relabelled": labels changed, "set_aside": photos}."""
    changed = sum(row["label"] != found_label(row) for row in rows)
    return {"relabelled": changed, "set_aside": sum(row["reason"] == corrections.REASON for row in rejected)}


def count(rows, part):
    """How many photos are in a part."""
    return sum(row["part"] == part for row in rows)


def sample(rows, run_dir, *, per_class, seed):
    """Up to `per_class` photos of each class, drawn by seed: (RGB images, labels as class indices)."""
    names = classes(rows)
    picked = []
    for label in names:
        own = [row for row in rows if row["label"] == label]
        picked += random.Random(f"sample {seed} {label}").sample(own, min(per_class, len(own)))
    images = [decode(Path(run_dir) / "data-mask" / row["file"]) for row in picked]
    return images, [names.index(row["label"]) for row in picked]


def classes(rows):
    """The classes of split rows, sorted."""
    return tuple(sorted({row["label"] for row in rows}))


def read_split(run_dir):
    """(train rows, val rows) of the run's split.csv, every photo's bytes checked: features come from the cache by hash.

    Raises:
        FileNotFoundError: split.csv or some of its photos are not there.
        ValueError: split.csv is not such a file, or a photo has changed since it was written.
    """
    path = runs.need(run_dir, "split.csv", "01_prepare.ipynb")
    rows = runs.read_csv(path)
    if not rows or not set(SPLIT_COLUMNS) <= rows[0].keys():
        columns = ", ".join(SPLIT_COLUMNS)
        raise ValueError(f"{path} has no rows of {columns}; run 01_prepare.ipynb with the same RUN again")
    there = sum((Path(run_dir) / "data-mask" / row["file"]).is_file() for row in rows)
    if there < len(rows):
        raise FileNotFoundError(
            f"{Path(run_dir) / 'data-mask'} holds {there} of the {len(rows)} photos in split.csv; "
            "run 01_prepare.ipynb with the same RUN first"
        )
    for row in rows:
        check_bytes(Path(run_dir) / "data-mask" / row["file"], row["sha256"], MaskDataset.listed)
    return tuple([row for row in rows if row["part"] == part] for part in PARTS)


def check_bytes(path, expected, since):
    """Raise ValueError unless a file has the sha256 `expected`; `since` ends the message."""
    found = sha256(path)
    if found != expected:
        raise ValueError(f"{path} (sha256 {found[:12]}..., listed as {expected[:12]}...) has changed since {since}")


class Photos:
    """Photos as (image float32 (3, size, size), label int), for any torch DataLoader.

    Args:
        rows: dicts with path, label and sha256.
        classes: label names; a label's index is its place here.
        transform: maps a PIL RGB image to the tensor, such as `model.Transform()`.

    Raises:
        ValueError: on access, a photo whose bytes are no longer those of its row.
    """

    def __init__(self, rows, classes, transform):
        self.rows, self.classes, self.transform = list(rows), tuple(classes), transform
        self.labels = [self.classes.index(row["label"]) for row in self.rows]

    def __len__(self):
        return len(self.rows)

    def __getitem__(self, index):
        return self.transform(self.image(index)), self.labels[index]

    def label_tensor(self):
        """The labels, int64 (n_photos,)."""
        import torch  # here, so that the command line can find photos without it

        return torch.tensor(self.labels, dtype=torch.int64)

    def pick(self, n, seed):
        """Indices of up to `n` photos drawn by seed, sorted."""
        return sorted(random.Random(f"pick {seed}").sample(range(len(self)), min(n, len(self))))

    def image(self, index):
        """The photo as RGB, untransformed."""
        path = self.path(index)
        check_bytes(path, self.rows[index]["sha256"], self.listed)
        return decode(path)

    listed = "it was listed; run the same command again"

    def path(self, index):
        return self.rows[index]["path"]


class MaskDataset(Photos):
    """The photos of some rows of split.csv, in the data-mask/ of a run's folder `run_dir`; else as `Photos`."""

    listed = "split.csv was written; run 01_prepare.ipynb again"

    def __init__(self, rows, run_dir, classes, transform):
        super().__init__(rows, classes, transform)
        self.folder = Path(run_dir) / "data-mask"

    def path(self, index):
        return self.folder / self.rows[index]["file"]
