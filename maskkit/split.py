"""Photos drawn from a source and split into training and validation photos, with what was left out and why."""

import itertools
import os
import random
import shutil
import stat
from collections import Counter, defaultdict
from pathlib import Path

from maskkit import corrections, data
from maskkit.core import disk, parallel, parameters
from maskkit.core.parameters import MIN_PER_CLASS
from maskkit.core.progress import bar
from maskkit.sources import decoding, folders, listing

MAX_NAME = 240  # bytes of a file name in data-mask/: file systems take 255, and a number may come before it
VAL_SHARE = 0.2  # the report's 80 / 20
REJECTED_COLUMNS = ("source", "label", "reason")
CONFLICT_COLUMNS = ("sha256", "source", "label", "drawn")


def curate(source, run_dir, **settings):
    """`choose` photos, link them into data-mask/<class>/, and write split.csv, rejected.csv and conflicts.csv.

    Args:
        run_dir: the run's folder; its data-mask/ and these tables are made anew.
        settings: as `choose`.

    Returns:
        (rows, rejected), and raises, as `choose`.
    """
    run_dir = Path(run_dir)
    rows, rejected = choose(source, **settings)
    link_photos(rows, source.folder, run_dir / "data-mask")
    disk.write_csv(run_dir / "split.csv", rows, data.SPLIT_COLUMNS)
    disk.write_csv(run_dir / "rejected.csv", rejected, REJECTED_COLUMNS)
    found = find_conflicts(source, rows, split=settings["split"], correct_by=settings.get("correct_by", ""))
    disk.write_csv(run_dir / "conflicts.csv", found, CONFLICT_COLUMNS)
    return rows, rejected


def choose(source, *, per_class, split, seed, groups="", correct_by=""):
    """Draw `per_class` photos per class by `seed`, and say which part each is in.

    A photo that cannot be decoded is set aside with its reason and the next draw takes its place. Same photos and
    seed, same rows. Corrections by hand come after draw and split, so that a run differs from an earlier one in the
    photos that were corrected and in nothing else.

    Args:
        source: what `folders.find` returned. Photos are drawn from its training part where it has parts.
        per_class: photos per class; 0 takes all; a class that has fewer (at least 10) gives what it has.
        split: "grouped" keeps photos of one original in one part; "random" is the report's own draw; "given" trains
            on the photos drawn from the source's training part and validates on all of its validation part (the test
            part where it has no other), whatever their groups: leaks between them are the audit's to find.
        seed: of the draw and the split.
        groups: a groups.csv of `maskkit audit`, whose groups are kept together too; "" has none.
        correct_by: as parameter CORRECTIONS: "auto", a corrections.csv, or "" for none.

    Returns:
        (rows, rejected): dicts with the columns of split.csv and rejected.csv.

    Raises:
        ValueError: an unknown split, or a given one where the source has no parts, a class with too few good photos,
            or corrections that leave it none.
    """
    parameters.check({"SPLIT": split, "PER_CLASS": per_class, "SEED": seed})
    need_validation(source, split)
    drawn, rejected = draw(source, source.training, per_class, seed)
    part = dict.fromkeys(drawn, "train")
    if split == "given":
        held, unread = draw(source, source.parts[source.validation], 0, seed, least=1)
        part |= dict.fromkeys(held, "val")
        drawn, rejected = drawn | held, rejected + unread
    group = name_groups(drawn, source, read_groups(groups) if groups else {})
    if split != "given":
        part = assign_parts(drawn, group if split == "grouped" else {photo: str(photo) for photo in drawn}, seed)
    label, aside = correct(drawn, part, source.folder, corrections.find(correct_by))
    return name_rows(drawn, label, group, part, source), rejected + aside


def need_validation(source: folders.Source, split: str) -> None:
    """Raise ValueError where SPLIT is given and the source has no part to validate on."""
    if split == "given" and not source.validation:
        raise ValueError(
            f"SPLIT='given' needs photos in parts, such as train and val with the same class folders; {source.folder} "
            "has no validation or test part: use SPLIT='grouped', or name its parts so"
        )


def check_enough(source: folders.Source, split: str) -> None:
    """Look through a source before anything is read: has each class enough files?

    Raises:
        ValueError: as `need_validation`; a class folder holds fewer files than a class needs photos.
    """
    need_validation(source, split)
    needed = [(MIN_PER_CLASS, source.training)]
    if split == "given":
        needed.append((1, source.parts[source.validation]))
    for least, classes in needed:
        for label, folder in sorted(classes.items()):
            n = sum(1 for _ in itertools.islice(listing.each_photo(folder), least))
            if n < least:
                files = f"{n} file" if n == 1 else f"{n} files"
                raise ValueError(f"DATA: {folder} holds {files}; class {label!r} needs at least {least} photos")


def draw(source, classes, per_class, seed, least=MIN_PER_CLASS):
    """{photo: (label, sha256)} of {class: folder} in the order drawn, and the rejected rows; `least` a class."""
    drawn, rejected = {}, []
    for label, folder in sorted(classes.items()):
        candidates = listing.list_photos(folder)
        random.Random(f"draw {seed} {label}").shuffle(candidates)
        wanted = per_class or len(candidates)
        good = 0
        progress = bar(candidates, desc=f"reading {label}", unit=" photos")
        for photo, (digest, reason) in zip(progress, parallel.in_threads(look_into, candidates), strict=True):
            if reason:
                name = photo.relative_to(source.folder).as_posix()
                rejected.append({"source": name, "label": label, "reason": reason})
                continue
            drawn[photo] = (label, digest)
            good += 1
            if good == wanted:
                break
        if good < least:
            raise ValueError(
                f"{folder} holds {good} photos that can be decoded of {len(candidates)} files; "
                f"class {label!r} needs at least {least}"
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
    return next(((name, part) for name in classes for part in data.PARTS if (name, part) not in there), None)


def look_into(photo):
    """(sha256, "") of a photo that can be decoded, else ("", the reason)."""
    try:
        decoding.decode(photo)
        return decoding.sha256(photo), ""
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
    rows = disk.read_csv(path)
    if not rows or not {"sha256", "group"} <= rows[0].keys():
        raise ValueError(f"GROUPS: {path} has no columns sha256 and group; `maskkit audit` writes such a file")
    return {row["sha256"]: row["group"] for row in rows}


def name_groups(drawn, source, found):
    """{photo: group}: photos of one original share a group, named by its smallest key.

    `found` is {sha256: group} of an audit.
    Keys are the bytes' hash everywhere, and in the 12K set the k of `Augmented_k_*`, which its original
    shares where all 893 originals are there to be ranked.
    """
    ranks = rank_originals(source)
    keys = defaultdict(list)
    for photo, (label, digest) in drawn.items():
        keys[f"sha-{digest[:16]}"].append(photo)
        if digest in found:
            keys[found[digest]].append(photo)
        match = folders.AUGMENTED_12K.fullmatch(photo.name) if source.is_12k else None
        if label == "with_mask" and match:
            keys[f"original-{int(match[1]):03d}"].append(photo)
        elif label == "with_mask" and photo.name in ranks:
            keys[f"original-{ranks[photo.name]:03d}"].append(photo)
    return join_keys(keys)


def rank_originals(source: folders.Source) -> dict[str, int]:
    """{file name: rank} of the 12K set's originals (`N.png`, in name order), empty where not all 893 are there."""
    masked = [classes["with_mask"] for classes in source.parts.values()] if source.is_12k else []
    names = {path.name for folder in masked for path in folder.glob("*.png")}
    originals = sorted(filter(folders.ORIGINAL_12K.fullmatch, names))
    whole = len(originals) == folders.N_ORIGINALS_12K
    return {name: rank for rank, name in enumerate(originals)} if whole else {}


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


def name_rows(drawn, labels, group, part, source):
    """split.csv's rows of {photo: label}, sorted by file; equal names in a class are told apart by a number."""
    rows, taken = [], Counter()
    for photo, label in labels.items():
        _, digest = drawn[photo]
        name = "__".join(source.name_below(photo))
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
                "source": photo.relative_to(source.folder).as_posix(),
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


def remarks(rows, rejected, per_class, conflicts=None):
    """What a reader should know of the draw: files set aside, classes that had too few, photos with two labels. One
    line each; `conflicts`: what `find_conflicts` found, None for those among `rows`.
    """
    lines = [f"{len(rejected)} files set aside, named in rejected.csv"]
    by_hand = corrected(rows, rejected)
    aside = [row for row in rejected if row["reason"] == corrections.REASON]
    origins = [listing.origin(row["source"]) for row in rows + aside]
    for label in data.classes(rows):
        n = sum(found == label and part in ("", folders.TRAIN) for part, found in origins)
        if n < per_class:
            lines.append(f"{label}: {n} photos are there, {per_class} were asked for; all are used")
    if any(by_hand.values()):
        lines.append(f"corrected by hand: {by_hand['relabelled']} labels, {by_hand['set_aside']} photos set aside")
    conflicts = conflicts_among(rows) if conflicts is None else conflicts
    names = defaultdict(list)
    for row in conflicts:
        names[row["sha256"]].append(row["source"])
    if names:
        shown = "; ".join(" = ".join(own) for own in list(names.values())[:5])
        more = "; ..." if len(names) > 5 else ""
        lines.append(
            f"{len(names)} photos lie in two classes or more with the same bytes: one of their labels is wrong "
            f"({listing.printable(shown)}{more}; all are in conflicts.csv)"
        )
    return "\n".join(lines)


def find_conflicts(source: folders.Source, rows: list[dict], *, split: str, correct_by: str = "") -> list[dict]:
    """Files with the same bytes in two classes or more, drawn or not: dicts of CONFLICT_COLUMNS, by bytes.

    Only files of a size that another class has too are hashed. Labels are those corrected by hand, where they are.

    Args:
        source, split, correct_by: as `choose` was given; rows: what it returned.
    """
    parts = [source.training] + ([source.parts[source.validation]] if split == "given" else [])
    files = [(path, label) for part in parts for label, folder in part.items() for path in listing.list_photos(folder)]
    known = {row["source"]: row["sha256"] for row in rows}
    labels_of_size = defaultdict(set)
    sizes = [size_of(path) for path, _ in files]
    for (_, label), size in zip(files, sizes, strict=True):
        labels_of_size[size].add(label)
    file = corrections.find(correct_by)
    changed = corrections.labels(file) if file else {}
    found = []
    for (path, label), size in zip(files, sizes, strict=True):
        name = path.relative_to(source.folder).as_posix()
        digest = known.get(name, "")
        if size > 0 and len(labels_of_size[size]) > 1:
            digest = digest or hash_of(path)
        if digest and changed.get(digest, label):
            found.append(
                {
                    "sha256": digest,
                    "source": name,
                    "label": changed.get(digest, label),
                    "drawn": "yes" if name in known else "no",
                }
            )
    return conflicts_among(found)


def conflicts_among(rows: list[dict]) -> list[dict]:
    """Those of some rows (sha256, source, label, drawn) whose bytes have another label too, by bytes and name."""
    labels = defaultdict(set)
    for row in rows:
        labels[row["sha256"]].add(row["label"])
    found = [
        {"drawn": "yes"} | {name: row[name] for name in CONFLICT_COLUMNS if name in row}
        for row in rows
        if len(labels[row["sha256"]]) > 1
    ]
    return sorted(found, key=lambda row: (row["sha256"], row["source"]))


def read_conflicts(run_dir: Path) -> list[dict]:
    """The rows of the run's conflicts.csv; none where there is no such file, as in runs of earlier versions."""
    path = Path(run_dir) / "conflicts.csv"
    return disk.read_csv(path) if path.is_file() else []


def size_of(path: Path) -> int:
    """A regular file's size in bytes, -1 for anything else."""
    try:
        about = path.stat()
    except OSError:
        return -1
    return about.st_size if stat.S_ISREG(about.st_mode) else -1


def hash_of(path: Path) -> str:
    """A file's sha256, or "" where it cannot be read."""
    try:
        return decoding.sha256(path)
    except (OSError, ValueError):
        return ""


def found_label(row):
    """The class whose folder the photo of a split row lies in; its label, unless that was corrected."""
    return listing.origin(row["source"])[1]


def corrected(rows, rejected):
    """How much of a draw was corrected by hand: {"relabelled": labels changed, "set_aside": photos}."""
    changed = sum(row["label"] != found_label(row) for row in rows)
    return {"relabelled": changed, "set_aside": sum(row["reason"] == corrections.REASON for row in rejected)}
