"""The sections of audit.json: each function turns arrays into entries, and each entry is one plain sentence.

An entry holds value and interval (fractions 0..1, or None), n, sentence, and what its figure needs.
"""

import numpy as np

from maskkit import evaluate
from maskkit.audit import calibration, label_errors, leaks, lights, shortcuts, splits
from maskkit.core import intervals
from maskkit.report import REPORT_ACCURACY
from maskkit.train import FIT_SETTINGS

N_SPLITS = 1000
DONT_KNOW = 0.01  # error rate to reach by not answering
MIN_CALIBRATION = 30  # photos: fewer leave bins of nothing


def entry(value, interval, n, sentence, **more):
    return {"value": value, "interval": interval, "n": int(n), "sentence": sentence} | more


def undefined(why, **more):
    return entry(None, None, 0, f"undefined: {why}", **more)


def rate(right, groups, seed):
    """(value, interval, n) of a share of photos."""
    value, interval = intervals.rate(right, groups, seed)
    return value, interval, len(right)


def say(value, interval):
    """'96.7 % (95 % interval 95.2-97.7 %)'."""
    if value is None:
        return "undefined"
    low, high = interval
    return f"{100 * value:.1f} % (95 % interval {100 * low:.1f}-{100 * high:.1f} %)"


# --- luck of the split --------------------------------------------------------------------------


def repeated_splits(arch, X, labels, groups, pool, *, recipe, seed, n_splits=N_SPLITS):
    """The recipe over many splits of the photos in `pool`, with the backbone `arch`.

    Args:
        X: features float32 (n, n_features), torch; labels, groups: int (n,); pool: bool (n,), who may be drawn.
        recipe: per_class, epochs, batch_size, learning_rate.

    Returns:
        (entries, missed): missed is the entry that the light of the split's luck judges.
    """
    import torch

    n_classes = int(labels.max()) + 1
    settings = {name: recipe[name] for name in FIT_SETTINGS}
    try:
        parts = splits.draw(labels, groups, pool, per_class=recipe["per_class"], n_splits=n_splits, seed=seed)
    except ValueError as error:
        nothing = undefined(str(error))
        return {f"{arch}_last": nothing}, nothing
    found = splits.repeat(X, torch.from_numpy(labels), groups, parts, n_classes=n_classes, seed=seed, **settings)
    n_val, entries = int(np.median(found.n_val)), {}
    shared = {"n_splits": n_splits, "n_val": n_val}
    for name, correct, right in (("last", found.last, found.last_right), ("best", found.best, found.best_right)):
        value, interval, n = rate(*of_photos(right, found.validation, groups), seed)
        scores = correct / found.n_val
        entries[f"{arch}_{name}"] = entry(
            value,
            interval,
            n,
            f"{arch}: over {n_splits:,} splits the {name} epoch is right for {say(value, interval)} of the validation "
            f"photos; one split's score of {n_val} lies between {100 * np.quantile(scores, 0.025):.1f} and "
            f"{100 * np.quantile(scores, 0.975):.1f} % in 95 of 100 (sd {100 * scores.std():.1f} points)",
            distribution=np.bincount(np.round(scores * n_val).astype(int), minlength=n_val + 1).tolist(),
            sd=float(scores.std()),
            **shared,
        )
        entries[f"{arch}_unseen" + ("_best" if name == "best" else "")] = unseen(arch, name, right, found, groups, seed)
    entries[f"{arch}_best"] |= flattery(found, groups, pool, seed)
    reached = int((found.best >= REPORT_ACCURACY * found.n_val - 1e-9).sum())
    entries[f"{arch}_reach"] = entry(
        reached / n_splits,
        list(intervals.wilson(reached, n_splits)),
        n_splits,
        f"{arch}: {reached:,} of {n_splits:,} splits reach the report's {100 * REPORT_ACCURACY:.1f} % "
        "in their best epoch",
        report=REPORT_ACCURACY,
    )
    return entries, missed(arch, found, groups, n_splits)


def of_photos(right, where, groups):
    """(share of the marked splits in which each photo was right, its group), for photos marked at least once."""
    times = where.sum(0)
    marked = times > 0
    return (right & where).sum(0)[marked] / times[marked], groups[marked]


def unseen(arch, name, right, found, groups, seed):
    """Accuracy on all photos that a split did not draw, nor any version of them."""
    shares, own = of_photos(right, found.unseen, groups)
    if not len(shares):
        return undefined(f"{arch}: every photo is drawn in every split, so none is left over")
    value, interval, n = rate(shares, own, seed)
    sentence = f"{arch}: heads of the {name} epoch are right for {say(value, interval)} of the photos not drawn"
    return entry(value, interval, n, sentence)


def flattery(found, groups, pool, seed):
    """How much the best epoch's own score lies above its accuracy on photos of the same pool that were not drawn."""
    aside = found.unseen & pool
    both = (found.validation.sum(0) > 0) & (aside.sum(0) > 0)
    if not both.any():
        return {"flattery": None, "flattery_interval": None}
    shares = [(found.best_right & where).sum(0)[both] / where.sum(0)[both] for where in (found.validation, aside)]
    value, interval = intervals.mean(shares[0] - shares[1], groups[both], seed)
    return {"flattery": value, "flattery_interval": interval}


def missed(arch, found, groups, n_splits):
    """How often a split's score lies more than `lights.LUCK` from what its own head does on photos not drawn."""
    left = found.unseen.sum(1)
    if left.min() > 0:
        truth, of = (found.best_right & found.unseen).sum(1) / left, "its own accuracy on the photos not drawn"
    else:  # all photos are drawn: the mean over all splits is the best that can be said of unseen photos
        truth, of = (found.last / found.n_val).mean(), "the mean of all splits (no photo is left over)"
    far = int((np.abs(found.best / found.n_val - truth) > lights.LUCK + 1e-9).sum())
    share = far / n_splits
    return entry(
        share,
        list(intervals.wilson(far, n_splits)),
        n_splits,
        f"the best epoch's score of one split misses {of} by more than {100 * lights.LUCK:.0f} points in {far:,} of "
        f"{n_splits:,} splits ({100 * share:.1f} %, {arch})",
    )


# --- leaks --------------------------------------------------------------------------------------

DETECTORS = {
    "sha256": "equal bytes",
    "perceptual_hash": "equal looks (perceptual hash, mirrored too)",
    "alignment": "one laid on the other (neighbours in colour and features, aligned)",
}


def leak_entries(found, parts, labels, seed):
    """What each detector finds, and all together.

    Args:
        found: {detector: groups int (n,)}, "all" among them; parts: text (n,); labels: int (n,).
    """
    entries = {}
    for name, groups in found.items():
        shared = leaks.in_company(groups)
        pairs, across_parts, across_classes = leaks.pairs_within(groups, parts, labels)
        value, interval = float(shared.mean()), list(intervals.wilson(int(shared.sum()), len(shared)))
        how = DETECTORS.get(name, "all detectors together")
        entries[name] = entry(
            value,
            interval,
            len(shared),
            f"{how}: {int(shared.sum()):,} of {len(shared):,} photos have another version of themselves in the set "
            f"({pairs:,} pairs, {across_parts:,} across parts, {across_classes:,} across classes)",
            pairs=pairs,
            pairs_across_parts=across_parts,
            pairs_across_classes=across_classes,
            groups=int(len(np.unique(groups[shared]))),
            photos_in_groups=int(shared.sum()),
            light=lights.judge((value, value), *lights.LIMITS["leaks"]),
        )
    return entries


def held_out_leaks(found, training, held_out, words):
    """The share of held-out photos with a version of themselves among the training photos.

    Args:
        found: {detector: groups}, "all" among them; training, held_out: bool (n,); words: what is held out.
    """
    if not held_out.any() or not training.any():
        return undefined(f"no photos of {words} among these")
    n = int(held_out.sum())
    counts = {name: int(leaks.seen_before(groups, training)[held_out].sum()) for name, groups in found.items()}
    leaked = counts.pop("all")
    return entry(
        leaked / n,
        list(intervals.wilson(leaked, n)),
        n,
        f"{leaked:,} of {n:,} photos of {words} have another version of themselves among the training photos",
        by_detector={name: count / n for name, count in counts.items()},
        held_out=words,
    )


# --- shortcuts ----------------------------------------------------------------------------------


def shortcut_entries(measures, real, arch, labels, groups, parts, *, recipe, seed):
    """How far each measure gets, beside guessing and the recipe's own head on the same photos.

    Args:
        measures: {name of `shortcuts.MEASURES`: float32 (n, d)}; real: features (n, n_features) or None, of `arch`.

    Returns:
        (entries, light): `guess`, the measures, `model`; and the light that the best blind one gets.
    """
    try:
        way = shortcuts.protocol(labels, groups, parts, seed)
    except ValueError as error:
        nothing = undefined(str(error))
        return dict.fromkeys(["guess", *measures, "model"], nothing), lights.unknown("shortcuts", nothing["sentence"])
    own_part = way.measured_on.startswith(("the Test", "the Validation"))
    where = "the test photos" if own_part else "the photos, each tested once"
    tested, entries = way.tested, {}

    def measure(name, learn, X, kind, title, sees):
        right = way.predict(learn, X, labels) == labels[tested]
        value, interval, n = rate(right, groups[tested], seed)
        entries[name] = entry(
            value,
            interval,
            n,
            f"a rule on {title} alone is right for {100 * value:.1f} % of {where}",
            kind=kind,
            title=title,
            sees=sees,
            measured_on=way.measured_on,
        )

    measure("guess", shortcuts.guess, np.zeros((len(labels), 1)), "guess", "the commonest class", "nothing")
    for name, X in measures.items():
        about = shortcuts.MEASURES[name]
        measure(name, shortcuts.learner(X.shape[1]), X, about.kind, about.title, about.sees)
    if real is None:
        entries["model"] = undefined("no backbone's weights can be had", kind="real", title="the recipe", sees="all")
        return entries, lights.unknown("shortcuts", entries["model"]["sentence"])
    measure("model", recipe_learner(recipe, seed), real, "real", f"the recipe ({arch})", "the whole photo")
    entries["model"]["sentence"] = f"the recipe itself ({arch}) is right for {say(*pair(entries['model']))} of {where}"
    return entries, shortcut_light(entries)


def pair(one):
    return one["value"], one["interval"]


def recipe_learner(recipe, seed):
    """A learner of `shortcuts`: the recipe's head, last epoch, on features."""

    def learn(X, y, X_test):
        heads = fit_one(X, y, np.arange(len(y)), recipe, seed).last
        return heads.logits(tensor(X_test))[0].argmax(1).numpy()

    return learn


def tensor(X):
    import torch

    return torch.as_tensor(X)


def fit_one(X, y, train, recipe, seed, val=()):
    """The recipe's head on the photos at `train`: a `splits.Many` of one."""
    places = [tensor(np.asarray(part, dtype=np.int64))[None] for part in (train, val)]
    settings = {name: recipe[name] for name in FIT_SETTINGS}
    return splits.fit_many(
        tensor(X),
        tensor(np.asarray(y, dtype=np.int64)),
        *places,
        n_classes=int(np.max(y)) + 1,
        seeds=[seed],
        **settings,
    )


def out_of_fold(X, labels, groups, recipe, seed):
    """Logits float32 (n, C) of the recipe's head for photos with features X, each by a head that learned from other
    folds.

    Raises:
        ValueError: a class has too few independent photos for folds.
    """
    fold = splits.folds(labels, groups, shortcuts.N_FOLDS, seed)
    logits = np.zeros((len(labels), int(np.max(labels)) + 1), dtype=np.float32)
    for index in range(shortcuts.N_FOLDS):
        heads = fit_one(X, labels, np.flatnonzero(fold != index), recipe, seed).last
        logits[fold == index] = heads.logits(X[fold == index])[0].numpy()
    return logits


def shortcut_light(entries):
    """The best blind rule against the way from guessing to the model; judges the other entries by the same limits."""
    guess, real = entries["guess"]["value"], entries["model"]["value"]
    if real <= guess:
        return lights.unknown("shortcuts", "undefined: the recipe itself does no better than guessing")
    limits = tuple(guess + share * (real - guess) for share in lights.LIMITS["shortcuts"])
    for one in entries.values():
        if one["kind"] != "real":
            one["light"] = lights.judge(one["interval"], *limits)
        if one["kind"] == "blind" and one["light"] != "green":
            one["sentence"] += ": that part of any score may not be about masks"
    blind = [one for one in entries.values() if one["kind"] == "blind"]
    return lights.light("shortcuts", max(blind, key=lambda one: one["value"]), limits)


# --- regions ------------------------------------------------------------------------------------


def region_entries(arch, found, labels, groups, seed):
    """Accuracy with parts of the photo hidden, and which half costs more.

    Args:
        found: {(region, fill): probabilities (n, C)}, ("whole", "") among them; labels, groups: int (n,).
    """
    entries = {}
    for (region, fill), probabilities in found.items():
        value, interval, n = rate(probabilities.argmax(1) == labels, groups, seed)
        words = f"the {region.replace('_', ' ')} hidden ({fill})" if fill else "the whole photo"
        key = f"{arch}_{region}_{fill}" if fill else f"{arch}_{region}"
        sentence = f"{arch} with {words} is right for {say(value, interval)} of {n} unseen photos"
        entries[key] = entry(value, interval, n, sentence, arch=arch, hidden=region, fill=fill)
    own = {at: probabilities[np.arange(len(labels)), labels] for at, probabilities in found.items()}
    lower, upper = (
        np.mean([own[region, fill] for fill in ("blur", "mean")], 0) for region in ("lower_half", "upper_half")
    )
    value, interval, n = rate(lower < upper, groups, seed)
    entries[f"{arch}_mouth"] = entry(
        value,
        interval,
        n,
        f"hiding the lower half costs the true class more than hiding the upper half in {say(value, interval)} of {n} "
        f"unseen photos ({arch}); a model that does not care which would show 50 %",
        arch=arch,
    )
    return entries


# --- another source -----------------------------------------------------------------------------


def against_entry(labels, probabilities, groups, classes, files, words, own, seed):
    """Balanced accuracy on photos of another source.

    Args:
        own: accuracy on unseen photos of the model's own source, or None; words: "trained here, measured on ...".
    """
    predicted = probabilities.argmax(1)
    matrix = evaluate.confusion(labels, predicted, len(classes))
    value, interval = intervals.balanced_accuracy(labels, predicted, len(classes), groups, seed)
    rows = [{"file": file} for file in files]
    beside = "" if own is None else f"; on its own source's unseen photos {100 * own:.1f} %"
    return entry(
        value,
        interval,
        len(labels),
        f"{words}: balanced accuracy {say(value, interval)}{beside}",
        confusion=matrix.tolist(),
        per_class=evaluate.per_class(matrix, classes),
        balanced=True,
        own=own,
        mistakes=evaluate.mistakes(rows, labels, probabilities, classes),
    )


# --- broken and odd files -----------------------------------------------------------------------

ODD = {
    "undecodable": "cannot be decoded",
    "black_or_flat": "black or flat",
    "extreme_size": "smaller than 32 pixels, or over three times as long as wide",
    "near_grey": "without colour",
    "same_bytes_in_two_classes": "the same bytes in two classes",
    "likely_wrong_label": "label likely wrong",
}
GREY = 0.02  # mean saturation, of 1, below which a photo counts as without colour
SMALL_SIDE, LONG = 32, 3  # pixels: a seventh of what the network sees; sides' ratio


def odd_photos(photos, probabilities):
    """{kind: [(row, detail)]} of ODD, from a survey and out-of-fold probabilities (n, C) or None."""
    labels, digests = photos.labels, photos.column("sha256")
    flat = photos.column("deviation") < leaks.FLAT
    sides = np.sort(np.stack([photos.column("width"), photos.column("height")]), axis=0)
    kinds = np.unique(digests, return_inverse=True)[1]
    several = np.array([len(set(labels[kinds == kind])) > 1 for kind in range(kinds.max() + 1)])[kinds]
    rows = photos.rows
    found = {
        "undecodable": [(row, row["reason"]) for row in photos.broken],
        "black_or_flat": [
            (rows[i], f"grey levels vary by {rows[i]['deviation']:.1f} of 255") for i in np.flatnonzero(flat)
        ],
        "extreme_size": [
            (rows[i], f"{rows[i]['width']} x {rows[i]['height']} pixels")
            for i in np.flatnonzero((sides[0] < SMALL_SIDE) | (sides[1] > LONG * sides[0]))
        ],
        "near_grey": [
            (rows[i], f"mean saturation {rows[i]['saturation']:.3f}")
            for i in np.flatnonzero((photos.column("saturation") < GREY) & ~flat)
        ],
        "same_bytes_in_two_classes": [(rows[i], f"sha256 {digests[i][:16]}") for i in np.flatnonzero(several)],
    }
    if probabilities is not None:
        quality = label_errors.label_quality(probabilities, labels)
        suspects = label_errors.likely_wrong(probabilities, labels)
        found["likely_wrong_label"] = [(rows[i], f"its label got {100 * quality[i]:.1f} %") for i in suspects]
    return found


def file_entries(found, n_files):
    """Entries of `odd_photos`; `n_files` with those that cannot be decoded."""
    entries = {}
    for kind, title in ODD.items():
        if kind not in found:
            entries[kind] = undefined("no out-of-fold predictions, see calibration", files=[], title=title)
            continue
        files = [row["file"] for row, _ in found[kind]]
        entries[kind] = entry(
            len(files) / n_files,
            list(intervals.wilson(len(files), n_files)),
            n_files,
            f"{len(files):,} of {n_files:,} files: {title}",
            files=files,
            title=title,
        )
    return entries


# --- calibration --------------------------------------------------------------------------------


def calibration_entries(logits, labels, groups, words, seed):
    """How far stated confidence can be trusted, before and after temperature scaling, and what "don't know" buys.

    Args:
        logits: float (n, C) of photos the head has not seen; labels, groups: int (n,); words: which photos.
    """
    if len(labels) < MIN_CALIBRATION:
        return {"ece": undefined(f"{len(labels)} unseen photos are too few, {MIN_CALIBRATION} are needed")}
    try:
        fold = splits.folds(labels, groups, shortcuts.N_FOLDS, seed)
    except ValueError as error:
        return {"ece": undefined(str(error))}
    entries = {}
    scaled, temperature = calibration.scale(logits, labels, fold)
    for name, values in (("ece", logits), ("ece_scaled", scaled)):
        probabilities = calibration.softmax(values)
        confidence, right = probabilities.max(1), probabilities.argmax(1) == labels
        value, interval = calibration.expected_error(confidence, right, groups, seed)
        after = f" after a temperature of {temperature:.2f}, fitted on other photos" if name == "ece_scaled" else ""
        entries[name] = entry(
            value,
            interval,
            len(labels),
            f"stated confidence and accuracy differ by {100 * value:.1f} points on average (95 % interval "
            f"{100 * interval[0]:.1f}-{100 * interval[1]:.1f}) on {words}{after}",
            bins=calibration.bins(confidence, right, groups, seed),
        )
    entries["ece_scaled"]["temperature"] = temperature
    return entries | {"dont_know": dont_know(calibration.softmax(scaled), labels, groups, fold, seed)}


def dont_know(probabilities, labels, groups, fold, seed):
    """The entry of the threshold below which the model had better not answer."""
    confidence, right = probabilities.max(1), probabilities.argmax(1) == labels
    threshold, answered = calibration.choose_threshold(confidence, right, DONT_KNOW, fold)
    curve = calibration.risk_curve(confidence, right)
    more = {"threshold": threshold, "curve": curve, "answered": float(answered.mean())}
    if threshold is None or not answered.any():
        why = f"no threshold brings the error rate to {100 * DONT_KNOW:.0f} %"
        return undefined(why, **(more | {"answered": None, "threshold": None}))
    value, interval, n = rate(~right[answered], groups[answered], seed)
    errors = f"with {say(value, interval)} of the answers wrong (aim: {100 * DONT_KNOW:.0f} %)"
    if not threshold:
        return entry(value, interval, n, f"no answer need be withheld: all are given, {errors}", **more)
    return entry(
        value,
        interval,
        n,
        f'saying "don\'t know" below {100 * threshold:.1f} % confidence answers {100 * answered.mean():.1f} % of the '
        f"photos, {errors}",
        **more,
    )
