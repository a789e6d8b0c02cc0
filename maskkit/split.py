"""Photos drawn from a source and split into training and validation photos, with what was left out and why."""

import itertools
import os
import random
import shutil
from collections import Counter, defaultdict
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np

from maskkit import conflicts, corrections, data, runs
from maskkit.core import disk, parallel, parameters
from maskkit.core.groups import components
from maskkit.core.messages import plural
from maskkit.core.parameters import MIN_PER_CLASS
from maskkit.core.progress import bar
from maskkit.data import Rows
from maskkit.report import REPORT_PARTS
from maskkit.sources import decoding, folders, listing
from maskkit.sources.decoding_error import DecodingError

MAX_NAME = 240  # bytes of a file name in data-mask/: file systems take 255, and a number may come before it
VAL_SHARE = REPORT_PARTS[1] / sum(REPORT_PARTS)
REJECTED_COLUMNS = ("source", "label", "reason", "detail")

Drawn = dict[Path, tuple[str, str]]  # {photo: (label, sha256)}, in the order drawn


def curate(source: folders.Source, run_dir: Path, **settings: Any) -> tuple[Rows, Rows]:
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
    corrected = corrections.find(settings.get("correct_by", ""))
    conflicting = conflicts.find(source, rows, split=settings["split"], corrected=corrected)
    disk.write_csv(run_dir / "conflicts.csv", conflicting, conflicts.COLUMNS)
    return rows, rejected


def choose(
    source: folders.Source, *, per_class: int, split: str, seed: int, groups: str = "", correct_by: str = ""
) -> tuple[Rows, Rows]:
    """Draw `per_class` photos per class by `seed`, and decide which part each is in.

    A photo that cannot be decoded is rejected with its reason, and the next draw takes its place. Same photos and
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
    label, excluded = correct(drawn, part, source.folder, corrections.find(correct_by))
    return name_rows(drawn, label, group, part, source), rejected + excluded


def need_validation(source: folders.Source, split: str) -> None:
    """Raise ValueError where SPLIT is given and the source has no part to validate on."""
    if split == "given" and not source.validation:
        raise ValueError(
            "SPLIT='given' needs a training and a validation folder, such as train/ and val/, with the same classes; "
            f"{source.folder} has no validation or test folder. Use SPLIT='grouped', or rename its folders"
        )


def check_enough(source: folders.Source, split: str) -> None:
    """Check, before any photo is read, that each class has enough files.

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


def draw(
    source: folders.Source, classes: dict[str, Path], per_class: int, seed: int, least: int = MIN_PER_CLASS
) -> tuple[Drawn, Rows]:
    """Draw photos of {class: folder}, `per_class` of each (0 takes all); rows of those that cannot be decoded.

    Raises:
        ValueError: a class has fewer than `least` photos that can be decoded.
    """
    drawn: Drawn = {}
    rejected: Rows = []
    for label, folder in sorted(classes.items()):
        candidates = listing.list_photos(folder)
        random.Random(f"draw {seed} {label}").shuffle(candidates)
        wanted = per_class or len(candidates)
        good = 0
        progress = bar(candidates, desc=f"reading {label}", unit=" photos")
        for photo, (digest, why) in zip(progress, parallel.in_threads(hash_if_decodable, candidates), strict=True):
            if why:
                name = photo.relative_to(source.folder).as_posix()
                rejected.append({"source": name, "label": label, "reason": why.reason, "detail": why.detail})
                continue
            drawn[photo] = (label, digest)
            good += 1
            if good == wanted:
                break
        if good < least:
            raise ValueError(
                f"{folder} holds {good} photos that can be decoded of {len(candidates)} files; "
                f"class {label!r} needs at least {least}"
                + (f"; the last that failed: {format_rejected(rejected[-1])}" if rejected else "")
            )
    return drawn, rejected


def correct(drawn: Drawn, part: dict[Path, str], root: Path, file: Path | None) -> tuple[dict[Path, str], Rows]:
    """({photo: label} as corrected in `file` (None for no file), without those excluded there; rows of these).

    Raises:
        ValueError: a drawn photo's new label is no class of the set, or a class is left without a photo in a part.
    """
    changed = corrections.labels(file) if file else {}
    names = sorted({label for label, _ in drawn.values()})
    kept: dict[Path, str] = {}
    excluded: Rows = []
    for photo, (folder_label, digest) in drawn.items():
        label, source = changed.get(digest, folder_label), photo.relative_to(root).as_posix()
        if label is None:
            row = {"source": source, "label": folder_label, "reason": corrections.REASON, "detail": ""}
            excluded.append(row)
        elif label not in names:
            known = ", ".join(names)
            raise ValueError(f"CORRECTIONS: {file} calls {source} {label!r}, no class of these photos ({known})")
        else:
            kept[photo] = label
    empty = first_empty_part(((label, part[photo]) for photo, label in kept.items()), names)
    if empty:
        raise ValueError("CORRECTIONS: {} leaves no photo of class {!r} in part {!r}".format(file, *empty))
    return kept, excluded


def first_empty_part(photos: Iterable[tuple[str, str]], classes: Iterable[str]) -> tuple[str, str] | None:
    """The first (class, part) without a photo, None where each has one; `photos`: (class, part) of each."""
    filled = set(photos)
    return next(((name, part) for name in classes for part in data.PARTS if (name, part) not in filled), None)


def hash_if_decodable(photo: Path) -> tuple[str, DecodingError | None]:
    """(sha256, None) of a photo that can be decoded, else ("", why it cannot)."""
    try:
        decoding.decode(photo)
        return decoding.sha256(photo), None
    except DecodingError as error:
        return "", error
    except OSError as error:
        return "", DecodingError("the file cannot be read", detail=error.strerror or str(error))


def format_rejected(row: dict[str, str]) -> str:
    """A row of rejected.csv in words."""
    return f"{row['source']}: {DecodingError(row['reason'], detail=row['detail'])}"


def read_groups(path: str | Path) -> dict[str, str]:
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


def name_groups(drawn: Drawn, source: folders.Source, audited: dict[str, str]) -> dict[Path, str]:
    """{photo: group}: photos of one original share a group, named by its smallest key.

    `audited` is {sha256: group} of an audit; its groups stay together too.
    Keys are the bytes' hash everywhere, and in the 12K set the k of `Augmented_k_*`, which its original
    shares where all 893 originals are there to be ranked.
    """
    ranks = rank_originals(source)
    keys = defaultdict(list)
    for photo, (label, digest) in drawn.items():
        keys[f"sha-{digest[:16]}"].append(photo)
        if digest in audited:
            keys[audited[digest]].append(photo)
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


def join_keys(keys: dict[str, list[Path]]) -> dict[Path, str]:
    """{photo: group} for {key: photos}: photos that share a key are one group, named by its smallest key."""
    place = {photo: index for index, photo in enumerate(dict.fromkeys(itertools.chain(*keys.values())))}
    pairs = [(place[photos[0]], place[photo]) for photos in keys.values() for photo in photos]
    number = components(len(place), np.array(pairs))
    names: dict[int, str] = {}
    for key, photos in keys.items():
        group = number[place[photos[0]]]
        names[group] = min(key, names.get(group, key))
    return {photo: names[number[index]] for photo, index in place.items()}


def assign_parts(drawn: Drawn, group: dict[Path, str], seed: int) -> dict[Path, str]:
    """{photo: "train" | "val"}: 20 % of each class to val, exactly where the groups' sizes allow it, no group in
    both. A group that spans classes trains.

    Raises:
        ValueError: a class's groups leave one part empty.
    """
    labels = {label for label, _ in drawn.values()}
    groups: dict[str, dict[str, list[Path]]] = defaultdict(lambda: defaultdict(list))  # label -> group -> photos
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


def choose_sum(sizes: list[int], target: int) -> list[int]:
    """Indices of `sizes` that add up to `target`, or to the nearest sum below it; earlier ones preferred."""
    reached: dict[int, tuple[int, int] | None] = {0: None}  # sum -> the index that reached it, and the sum before
    for index, size in enumerate(sizes):
        for total in sorted(reached, reverse=True):
            if total + size <= target and total + size not in reached:
                reached[total + size] = (index, total)
        if target in reached:
            break
    chosen, step = [], reached[max(reached)]
    while step:
        index, total = step
        chosen.append(index)
        step = reached[total]
    return chosen


def name_rows(
    drawn: Drawn, labels: dict[Path, str], group: dict[Path, str], part: dict[Path, str], source: folders.Source
) -> Rows:
    """split.csv's rows of {photo: label}, sorted by file; equal names in a class are told apart by a number."""
    rows: Rows = []
    taken: Counter[tuple[str, str]] = Counter()
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


def link_photos(rows: Rows, root: Path, data_mask: Path) -> None:
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


def format_notes(rows: Rows, rejected: Rows, per_class: int, conflicting: Rows) -> str:
    """Notes on a draw, one line each: files that were rejected, classes with too few photos, photos with two labels.

    Args:
        rows, rejected: what `choose` returned; per_class: how many photos were asked for.
        conflicting: rows of conflicts.csv.
    """
    lines = [f"{plural(len(rejected), 'file')} excluded; rejected.csv gives the reasons"]
    by_hand = count_corrections(rows, rejected)
    excluded = [row for row in rejected if row["reason"] == corrections.REASON]
    origins = [listing.origin(row["source"]) for row in rows + excluded]
    for label in data.classes(rows):
        n = sum(folder == label and part in ("", folders.TRAIN) for part, folder in origins)
        if n < per_class:
            lines.append(f"{label}: {n} photos are there, {per_class} were asked for; all are used")
    if any(by_hand.values()):
        lines.append(
            f"corrected by hand: {by_hand['relabelled']} labels changed, {by_hand['excluded']} photos excluded"
        )
    names = defaultdict(list)
    for row in conflicting:
        names[row["sha256"]].append(row["source"])
    if names:
        shown = "; ".join(" = ".join(copies) for copies in list(names.values())[:5])
        more = "; ..." if len(names) > 5 else ""
        lines.append(
            f"in two classes or more with the same bytes: {plural(len(names), 'photo')}; one of the labels is wrong "
            f"({listing.printable(shown)}{more}; all are in conflicts.csv)"
        )
    return "\n".join(lines)


def record(
    run_dir: Path,
    source: folders.Source,
    rows: Rows,
    rejected: Rows,
    *,
    given: str,
    per_class: int,
    split: str,
    seed: int,
    groups: str,
    correct_by: str,
    seconds: float,
) -> dict[str, Any]:
    """Write what `curate` did into metrics.json, and return its content.

    Args:
        rows, rejected: what `curate` returned; given: parameter DATA; seconds: how long it took; else as `choose`.
    """
    return runs.record(
        run_dir,
        source=source.kind,
        photos=source.photos,
        source_note=source.note,
        source_notes=source.notes,
        classes=data.classes(rows),
        split=split,
        seed=seed,
        per_class=per_class,
        n_train=data.count(rows, "train"),
        n_val=data.count(rows, "val"),
        n_rejected=len(rejected),
        corrected=count_corrections(rows, rejected),
        seconds={"prepare": seconds},
        run={"data": source.named(given), "folder": str(source.folder), "corrections": correct_by, "groups": groups},
    )


def folder_label(row: dict[str, str]) -> str:
    """The class whose folder the photo of a split row lies in; its label, unless that was corrected."""
    return listing.origin(row["source"])[1]


def count_corrections(rows: Rows, rejected: Rows) -> dict[str, int]:
    """How much of a draw was corrected by hand: {"relabelled": labels changed, "excluded": photos excluded}."""
    changed = sum(row["label"] != folder_label(row) for row in rows)
    return {"relabelled": changed, "excluded": sum(row["reason"] == corrections.REASON for row in rejected)}
