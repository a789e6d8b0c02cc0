"""The report's 100 + 100 photos drawn and split, and each turned into a tensor.

folder of photos -> `folders.find` -> `curate` (writes data-mask/, split.csv, rejected.csv) -> `MaskDataset`.
"""

import os
import random
import re
import shutil
from collections import Counter, defaultdict
from pathlib import Path

from maskkit import class_names, corrections, decoding, folders, parallel, runs
from maskkit.progress import bar

N_ORIGINALS_12K = 893  # in the whole set; only then is an augmented file's rank that of its original
MAX_NAME = 240  # bytes of a file name in data-mask/: file systems take 255, and a number may come before it
MIN_PER_CLASS = 10  # fewer leave no validation part worth a percentage
VAL_SHARE = 0.2  # the report's 80 / 20
SPLIT_COLUMNS = ("file", "label", "part", "sha256", "group", "source")
REJECTED_COLUMNS = ("source", "label", "reason")
PARTS = ("train", "val")


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
        source: what `folders.find` returned.
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
    for label, folder in sorted(folders.class_folders(source.folder).items()):
        candidates = folders.list_photos(folder)
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
        for part in folders.PARTS_12K
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
    rows, taken, below = [], Counter(), folders.class_folders(root)
    for photo, label in labels.items():
        found, digest = drawn[photo]
        name = "__".join(photo.relative_to(below[found]).parts)
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
    return folders.SPELLINGS.get(folder, folder)


def corrected(rows, rejected):
    """How much of a draw was corrected by hand: {"relabelled": labels changed, "set_aside": photos}."""
    changed = sum(row["label"] != found_label(row) for row in rows)
    return {"relabelled": changed, "set_aside": sum(row["reason"] == corrections.REASON for row in rejected)}


def count(rows, part):
    """How many photos are in a part."""
    return sum(row["part"] == part for row in rows)


def sample(rows, run_dir, *, per_class, seed, most_classes=None):
    """Up to `per_class` photos of each class, or of the first so many by name, drawn by seed: (RGB images, labels as
    class indices)."""
    names = classes(rows)
    picked = []
    for label in class_names.first(names, most_classes or len(names)):
        own = [row for row in rows if row["label"] == label]
        picked += random.Random(f"sample {seed} {label}").sample(own, min(per_class, len(own)))
    images = [decoding.decode(Path(run_dir) / "data-mask" / row["file"]) for row in picked]
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
    found = decoding.sha256(path)
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
        return decoding.decode(path)

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
