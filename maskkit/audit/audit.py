"""How much of the number is real: the audit of a photo folder and of the model trained on it.

folder -> `survey.read` -> groups of one original (`leaks`) -> features of each backbone (`subject`) -> the sections of
audit.json (`sections`) -> six lights (`lights`). Nothing is changed or moved; odd photos are listed in suspects.csv.
"""

from pathlib import Path

import numpy as np

from maskkit import checkpoint, data, model, pretrained, runs
from maskkit.audit import calibration, drawing, leaks, lights, regions, sections, shortcuts, splits, survey
from maskkit.audit.subject import ENOUGH, Net, Subject, choose, detect, find_nets, marks, net_of_run, recipe_of, train
from maskkit.core import disk, environment, paths
from maskkit.sources import folders

VERSION = 1  # of audit.json
TUNED = "not measured: the network's last stages learned from these photos, so its features know every other split too"
INSTANT_WORK = 40_000_000  # photos x classes x epochs x splits: ten times a thousand splits of the report's 200 photos
REGION_PHOTOS = 200  # unseen photos looked at with parts hidden: intervals of some points, half a minute a network
GROUP_COLUMNS = ("file", "sha256", "group")
SUSPECT_COLUMNS = ("file", "label", "part", "problem", "detail")


# --- the whole audit ----------------------------------------------------------------------------


def audit(
    folder, out, *, run=None, arch="auto", weights="auto", compare="both", against="", device="auto", seed=0, say=print
):
    """Audit a folder of photos, and a model; write audit.json, figures, suspects.csv and groups.csv into `out`.

    Args:
        folder: as parameter DATA: "auto", "kaggle", "demo" or a folder.
        out: the folder written to, made if need be.
        run: folder of the run whose model is audited; without one the report's recipe is trained on the photos.
        arch, weights: as parameters ARCH and WEIGHTS, of a backbone beside or without a run's.
        compare: "both" takes ResNet18 and MobileNetV2, "run" the audited backbone alone. One whose weights cannot
            be had is "unknown", with the reason.
        against: a second folder of photos, from elsewhere; "" has none.
        device: as parameter DEVICE; seed: of draws, folds and resamples.
        say: told of each step.

    Returns:
        the audit, as in audit.json.

    Raises:
        FileNotFoundError, ValueError: the folders hold no two classes of photos, or the model knows other classes.
    """
    out, device = Path(out), model.device(device)
    disk.check_writable(out)
    with runs.Stopwatch() as watch:
        source, photos = read(folder, say)
        nets, arch, recipe, words = find_nets(run, arch, weights, compare, photos.classes)
        elsewhere = read_against(against, photos.classes, say) if against else None
        for net in (net for net in nets.values() if net.network is not None):
            say(f"features of {len(photos):,} photos by {net.arch}")
            net.X = net.features(photos.rows, photos.classes, device)
        say("looking for leaks")
        found = detect(photos, nets[arch].X)
        subject = Subject(photos, found, recipe, words, arch, nets, *marks(run, photos))
        train(subject, run, seed)
        odd = find_odd(subject, seed)
        result = about(subject, source, run) | measure(subject, odd, elsewhere, device, seed, say)
        say("figures")
        drawing.draw(result, subject, odd, elsewhere, out, device, seed)
    result |= {"seconds": {"audit": watch.seconds}, "run": {"name": out.name, "finished": runs.now()}}
    disk.write_csv(out / "groups.csv", group_rows(photos, subject.groups), GROUP_COLUMNS)
    disk.write_csv(out / "suspects.csv", suspect_rows(odd), SUSPECT_COLUMNS)
    disk.write_json(out / "audit.json", result)
    return result


def read(folder, say):
    """(source, survey) of the photos that parameter DATA means."""
    source = folders.find(folder)
    files = survey.find_files(source)
    if not files:
        raise ValueError(f"DATA: {source.folder} holds class folders, but no file in them")
    say(f"reading {len(files):,} files: {source.photos}")
    return source, survey.read(files, cache=paths.CACHE)


def read_against(folder, classes, say):
    source, photos = read(folder, say)
    if photos.classes != classes:
        raise ValueError(
            f"--against: {folder} holds the classes {', '.join(photos.classes)}, "
            f"but the audited photos are {', '.join(classes)}"
        )
    return source, photos


# --- measuring ----------------------------------------------------------------------------------


def measure(subject, odd, elsewhere, device, seed, say):
    """All sections and lights."""
    result, found = {}, {}
    say(f"{sections.N_SPLITS:,} splits")
    result["splits"], found["split_luck"] = all_splits(subject, seed)
    result["leaks"], found["leaks"] = all_leaks(subject, seed)
    say("shortcuts")
    result["shortcuts"], found["shortcuts"] = all_shortcuts(subject, device, seed)
    say("parts of the photos hidden")
    result["regions"], found["mouth"] = all_regions(subject, device, seed)
    result["against"], found["other_source"] = all_against(subject, elsewhere, device, seed)
    result["calibration"], found["calibration"] = all_calibration(subject, seed)
    n_files = len(subject.photos) + len(subject.photos.broken)
    result["files"] = sections.file_entries(odd, n_files)
    return finish(result, found)


def finish(result, found):
    """The audit with its six lights in order; an entry that was not judged by itself carries its section's light."""
    found = {name: found.get(name) or lights.unknown(name, lights.NOT_YET) for name in lights.TITLES}
    of_section = dict(zip(("splits", "leaks", "shortcuts", "regions", "against", "calibration"), found, strict=True))
    for section, entries in result.items():
        for one in entries.values():
            light = file_light(one) if section == "files" else found[of_section[section]]["light"]
            one["light"] = one.get("light", light) if one["value"] is not None else "unknown"
    return {"lights": found} | result


def file_light(one):
    """Of odd files: green where there is none, red from 5 % (two photos of 40)."""
    return "green" if not one["value"] else "red" if one["value"] >= 0.05 else "amber"


def all_splits(subject, seed):
    entries, light = {}, None
    for net in subject.nets.values():
        if net.network is None:
            entries[f"{net.arch}_last"] = sections.undefined(net.note)
            continue
        if net.tuned:
            entries[f"{net.arch}_last"], light = sections.undefined(TUNED), lights.unknown("split_luck", TUNED)
            continue
        own, missed = sections.repeated_splits(
            net.arch, net.X, subject.photos.labels, subject.groups, subject.pool, recipe=subject.recipe, seed=seed
        )
        entries |= own
        light = lights.light("split_luck", missed) if net is subject.net else light
    return entries, light or lights.unknown("split_luck", subject.net.note)


def all_leaks(subject, seed):
    """Entries by detector; held out are the set's own Test and Validation, and the run's validation photos."""
    parts, found = subject.parts, subject.found
    entries = sections.leak_entries(found, parts, subject.photos.labels, seed)
    own = np.isin(parts, ("Test", "Validation"))
    words = " and ".join(part for part in ("Test", "Validation") if part in parts) or "Test and Validation"
    held = [sections.held_out_leaks(found, parts == "Train", own, words)]
    if not subject.words.startswith("trained here"):
        held.append(sections.held_out_leaks(found, subject.training, subject.validation, "the run's validation part"))
    measured = [one for one in held if one["value"] is not None]
    entries["held_out"] = max(measured, key=lambda one: one["value"]) if measured else held[0]
    judged = entries["held_out"] if measured else entries["all"]
    count = judged["value"]
    return entries, lights.light("leaks", judged, judged=[count, count])


def all_shortcuts(subject, device, seed):
    photos = subject.photos
    given = {name: shortcuts.values(photos, name) for name in shortcuts.MEASURES if name != "random_network"}
    network = model.build(pretrained.Pretrained("resnet18", "none", None, ""), len(photos.classes), seed=0)
    random = Net("resnet18", "none", "", network)
    given["random_network"] = random.features(photos.rows, photos.classes, device).numpy()
    return sections.shortcut_entries(
        given,
        subject.net.X,
        subject.arch,
        photos.labels,
        subject.groups,
        subject.parts,
        recipe=subject.recipe,
        seed=seed,
    )


def all_regions(subject, device, seed):
    if not subject.trained:
        return {}, lights.unknown("mouth", no_model(subject))
    labels, entries = subject.photos.labels, {}
    places = choose(subject.judged, labels, REGION_PHOTOS, seed)
    rows = [subject.photos.rows[place] for place in places]
    for net in subject.nets.values():
        if net.network is None:
            continue
        found = {("whole", ""): net.probabilities(net.X[places])}
        for region in regions.REGIONS:
            for fill in regions.FILLS:
                hidden = regions.Hidden(net.transform, region, fill)
                found[region, fill] = net.probabilities(net.features(rows, subject.photos.classes, device, hidden))
        entries |= sections.region_entries(net.arch, found, labels[places], subject.groups[places], seed)
    return entries, lights.light("mouth", entries[f"{subject.arch}_mouth"])


def all_against(subject, elsewhere, device, seed):
    """Both directions; photos that both folders hold are left out of the measuring."""
    if elsewhere is None:
        return {}, None
    if not subject.trained:
        return {}, lights.unknown("other_source", no_model(subject))
    photos, (source, others) = subject.photos, elsewhere
    X = subject.net.features(others.rows, photos.classes, device)
    own = own_accuracy(subject)
    new = ~np.isin(others.column("sha256"), photos.column("sha256"))
    groups = leaks.components(len(others), leaks.exact(others.column("sha256")))
    words = "trained here, measured there"
    drawn = np.flatnonzero(subject.training)
    last = sections.fit_one(subject.net.X, photos.labels, drawn, subject.recipe, seed).last  # of the same photos
    entries = {
        "forward": against(subject.net.logits(X[new]), others, new, groups, words, own, seed),
        "forward_last": against(
            last.logits(X[new])[0].numpy(), others, new, groups, f"{words} (last epoch instead of the best)", own, seed
        ),
    }
    try:
        ((train, val),) = splits.draw(
            others.labels,
            groups,
            np.ones(len(others), dtype=bool),
            per_class=subject.recipe["per_class"],
            n_splits=1,
            seed=seed,
        )
    except ValueError as error:
        entries["backward"] = sections.undefined(str(error), confusion=None, mistakes=[])
    else:
        heads = sections.fit_one(X, others.labels, train, subject.recipe, seed, val).best
        new = ~np.isin(photos.column("sha256"), others.column("sha256"))
        logits = heads.logits(subject.net.X[new])[0].numpy()
        entries["backward"] = against(logits, photos, new, subject.groups, "trained there, measured here", None, seed)
    for one in entries.values():
        one["folder"] = source.photos
    limits = tuple(own - loss for loss in lights.LIMITS["other_source"])
    return entries, lights.light("other_source", entries["forward"], limits)


def against(logits, photos, which, groups, words, own, seed):
    files = [row["file"] for row, taken in zip(photos.rows, which, strict=True) if taken]
    return sections.against_entry(
        photos.labels[which], calibration.softmax(logits), groups[which], photos.classes, files, words, own, seed
    )


def own_accuracy(subject):
    """Balanced accuracy on the set's own photos that the model has not seen (`Subject.judged`)."""
    places = subject.judged
    labels = subject.photos.labels[places]
    right = subject.net.logits(subject.net.X[places]).argmax(1) == labels
    return float(np.mean([right[labels == index].mean() for index in np.unique(labels)]))


def out_of_fold(subject, places, seed):
    """Logits (n, C) of the recipe's head for the photos at `places`, each by a head that learned from other folds.

    Raises:
        ValueError: a class has too few photos for folds.
    """
    labels, X, groups = subject.photos.labels[places], subject.net.X[places], subject.groups[places]
    return sections.out_of_fold(X, labels, groups, subject.recipe, seed)


def all_calibration(subject, seed):
    """On photos the model has not seen where there are enough, else out of fold on those that were drawn."""
    if not subject.trained:
        return {}, lights.unknown("calibration", no_model(subject))
    places = subject.judged
    labels, groups = subject.photos.labels, subject.groups
    if len(places) >= ENOUGH and not subject.validation[places].any():
        logits, words = subject.net.logits(subject.net.X[places]), f"{len(places):,} photos the model has not seen"
    else:
        places = np.arange(len(labels))
        try:
            logits = out_of_fold(subject, places, seed)
        except ValueError as error:
            return {"ece": sections.undefined(str(error))}, lights.unknown("calibration", f"undefined: {error}")
        words = f"{len(places):,} photos, out of fold"
    entries = sections.calibration_entries(logits, labels[places], groups[places], words, seed)
    return entries, lights.light("calibration", entries["ece"])


def no_model(subject):
    return subject.net.note or f"undefined: no trained model ({subject.words})"


def find_odd(subject, seed):
    """{kind: [(row, detail)]} of `sections.odd_photos`, labels judged by the recipe out of fold where it can train."""
    found = None
    if subject.net.network is not None:
        try:
            found = calibration.softmax(out_of_fold(subject, np.arange(len(subject.photos)), seed))
        except ValueError:
            found = None  # too few originals for folds: the entry says that there are no such predictions
    return sections.odd_photos(subject.photos, found)


# --- what 03_evaluate shows at once --------------------------------------------------------------


def instant(run_dir, *, device="auto", seed=0):
    """The part of the audit that takes seconds on a run's cached features: splits, equal bytes, photo sizes.

    Of many photos or classes fewer splits are made than in the whole audit; each sentence says how many.

    Writes audit.json unless a whole audit of the same model is there. Its lights can warn but, except for the split's
    luck, not clear: what only the whole audit looks for may still be there.

    Returns:
        the audit (the whole one, where that is kept).
    """
    path = Path(run_dir) / "audit.json"
    network, description = checkpoint.load(run_dir)
    if path.exists():
        earlier = disk.read_json(path)
        same = earlier.get("model_sha256") == description["model_sha256"]
        if earlier.get("version") == VERSION and earlier.get("scope") == "whole" and same:
            return earlier
    rows = [row for part in data.read_split(run_dir) for row in part]
    net = net_of_run(network, description)
    dataset = data.MaskDataset(rows, run_dir, tuple(description["classes"]), description["transform"])
    net.X = net.extract(dataset, model.device(device))
    metrics, labels = runs.read_metrics(run_dir), np.array(dataset.labels)
    recipe = recipe_of(metrics)
    parts = np.array([row["part"] for row in rows])
    copies = leaks.components(len(rows), leaks.exact(np.array([row["sha256"] for row in rows])))
    groups = leaks.components(len(rows), leaks.exact(np.array([row["group"] for row in rows])))
    everyone = np.ones(len(rows), dtype=bool)
    found = {}
    result = {name: {} for name in ("splits", "leaks", "shortcuts", "regions", "against", "calibration", "files")}
    if net.tuned:
        result["splits"] = {f"{net.arch}_last": sections.undefined(TUNED)}
        found["split_luck"] = lights.unknown("split_luck", TUNED)
    else:
        result["splits"], missed = sections.repeated_splits(
            net.arch,
            net.X,
            labels,
            groups,
            everyone,
            recipe=recipe,
            seed=seed,
            n_splits=instant_splits(len(rows), len(description["classes"]), recipe["epochs"]),
        )
        found["split_luck"] = lights.light("split_luck", missed)
    result["leaks"] = sections.leak_entries({"sha256": copies}, parts, labels, seed)
    held = sections.held_out_leaks({"all": copies}, parts == "train", parts == "val", "the run's validation part")
    found["leaks"] = only_warn(lights.light("leaks", held, judged=[held["value"]] * 2))
    sizes = np.array([survey.describe(dataset.path(index))[0] for index in range(len(rows))], dtype=np.float32)
    result["shortcuts"], found["shortcuts"] = sections.shortcut_entries(
        {"width_height": sizes}, net.X, net.arch, labels, groups, parts, recipe=recipe, seed=seed
    )
    found["shortcuts"] = only_warn(found["shortcuts"])
    head = {
        "version": VERSION,
        "scope": "instant",
        "photos": metrics["photos"],
        "source": metrics["source"],
        "classes": description["classes"],
        "n": len(rows),
        "arch": net.arch,
        "model": "of this run",
        "model_sha256": description["model_sha256"],
        "recipe": recipe,
        "networks": {net.arch: {"weights": net.weights, "note": ""}},
    }
    result = head | finish(result, found)
    disk.write_json(path, result)
    return result


def instant_splits(n_photos: int, n_classes: int, epochs: int) -> int:
    """How many splits an audit of seconds can afford: a thousand up to ten times the report's work, at least 100."""
    return max(100, min(sections.N_SPLITS, INSTANT_WORK // (n_photos * n_classes * epochs)))


def only_warn(light):
    """A light of the instant audit: red stays, the rest waits for the whole one."""
    return light if light["light"] == "red" else lights.unknown_yet(light)


# --- what is written ----------------------------------------------------------------------------


def about(subject, source, run):
    """The head of audit.json."""
    return {
        "version": VERSION,
        "scope": "whole",
        "photos": source.photos,
        "source": source.kind,
        "source_note": source.note,
        "classes": list(subject.photos.classes),
        "n": len(subject.photos),
        "arch": subject.arch,
        "model": subject.words,
        "model_sha256": disk.read_json(Path(run) / "model.json")["model_sha256"] if run else "",
        "recipe": subject.recipe,
        "networks": {net.arch: {"weights": net.weights, "note": net.note} for net in subject.nets.values()},
        "versions": environment.versions(),
    }


def group_rows(photos, groups):
    """groups.csv: every photo's group by number; `curate` reads it by sha256."""
    return [
        {"file": row["file"], "sha256": row["sha256"], "group": f"found-{group:06d}"}
        for row, group in zip(photos.rows, groups.tolist(), strict=True)
    ]


def suspect_rows(odd):
    """suspects.csv: every odd photo with its problem."""
    return [
        {"file": row["file"], "label": row["label"], "part": row["part"], "problem": kind, "detail": detail}
        for kind, found in odd.items()
        for row, detail in found
    ]


def table(result):
    """Every sentence of the audit as a Markdown table."""
    lines = ["| section | light | what was found |", "|---|---|---|"]
    for section in ("splits", "leaks", "shortcuts", "regions", "against", "files", "calibration"):
        entries = result[section].values() or [{"light": "unknown", "sentence": lights.NOT_YET}]
        lines += [f"| {section} | {one['light']} | {one['sentence'].replace('|', '/')} |" for one in entries]
    return "\n".join(lines)
