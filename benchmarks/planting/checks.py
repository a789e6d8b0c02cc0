"""What the audit says of a planted folder, beside the truth: one row per check."""

import time

import numpy as np
import torch

from maskkit.audit import audit, calibration, checks, recipes, shortcuts, splits
from maskkit.audit.checks.check import Context
from maskkit.core.messages import message
from planting import faults
from planting.pools import CLASSES
from planting.store import CPU

BLIND = [name for name, rule in shortcuts.MEASURES.items() if rule.kind == "blind"]  # the others are never judged
TRUTH_SPLITS = 20


def audit_folder(store, fault, dose, seed, only=None):
    """Rows (check, verdict, value, low, high, truth, ...) of a planted folder, and what was audited."""
    started = time.process_time()
    folder = faults.plant(store.pool, fault, dose, seed)
    photos = store.survey(folder.photos)
    # Faults of the other checks copy no photo.
    align = store.align if "leaks" in faults.FAULTS[fault].checks else no_pairs
    audited, context = prepare(store, folder, photos, align)
    shared = time.process_time() - started
    rows = []
    for check in only or faults.FAULTS[fault].checks:
        started = time.process_time()
        found = MEASURES[check](store, folder, audited, context)
        for row in found if isinstance(found, list) else [found]:
            rows.append(row | {"seconds": round(time.process_time() - started, 3), "shared": round(shared, 3)})
    head = {"pool": store.pool.name, "fault": fault, "dose": dose, "seed": seed}
    return [head | row for row in rows], folder, audited


def no_pairs(small, colours, usable, backbone):
    """No aligned pairs, as none of the pools' photos are versions of one original; saves ten seconds a folder."""
    return np.zeros((0, 2), dtype=int)


def prepare(store, folder, photos, align):
    """What the audit measures, made by its own `prepare`, and the context of the checks."""
    classifier = store.classifier
    context = Context(CPU, seed=0, other_source=second_source(store, folder))
    audited = audit.prepare(
        photos,
        {classifier.arch: classifier},
        classifier.arch,
        recipes.recipe_of({}),
        message("trained here"),
        None,
        context,
        align=align,
    )
    if folder.confidence is not None:
        scale_head(store, classifier, folder)
    return audited, context


def second_source(store, folder):
    """The second source as the audit reads one, or None."""
    return (Source("second source"), store.survey(folder.second)) if folder.second else None


class Source:
    """What a check asks of a source: how it is called."""

    def __init__(self, photos):
        self.photos = photos


def scale_head(store, classifier, folder):
    """Calibrate the head on the spare photos, then multiply its logits by the planted factor."""
    X, y = spare_features(store, folder.spare)
    factor = folder.confidence / calibration.fit_temperature(classifier.logits(X), y)
    with torch.no_grad():
        for weight in classifier.head().parameters():
            weight.mul_(factor)


def spare_features(store, photos):
    """(features, labels) of photos outside the folder."""
    found = store.survey(photos)
    return store.features(found.rows, store.classifier.transform), found.labels


# --- one function per check -----------------------------------------------------------------------


def row_of(check, result, truth, **more):
    """A row; result: of `Check.result`."""
    low, high = result["interval"] or (None, None)
    named = {"check": check, "verdict": result["result"], "value": result["value"], "low": low, "high": high}
    return named | {"truth": truth, "n": result["n"]} | more


def judged(name, audited, context):
    """(result of a check, its entries with their results) as the page states them."""
    result = {"results": {}, "checks": []}
    check = checks.find(name)
    audit.add_to(result, check, check.measure(audited, context))
    return result["results"].get(check.name), result[check.section]


def measure_leaks(store, folder, audited, context):
    """Truth: the share of validation photos that were planted."""
    result, entries = judged("leaks", audited, context)
    places = faults.validation(folder)
    parts = audited.parts
    seen = np.isin(audited.groups, audited.groups[parts == "Train"])
    truth = float(folder.planted[places].mean())
    own = places_of(folder, audited)
    return row_of("leaks", result, truth, **agreement(folder.planted[own], seen & (parts == "Validation")))


def places_of(folder, audited):
    """Place in the folder of each surveyed photo: they lie in the same order."""
    return np.arange(len(audited.photos))


def agreement(planted, flagged):
    """How many photos were planted, flagged, and both."""
    return {
        "planted": int(planted.sum()),
        "flagged": int(flagged.sum()),
        "hits": int((planted & flagged).sum()),
    }


def measure_labels(store, folder, audited, context):
    """Truth: the share of wrong labels."""
    _, entries = judged("files", audited, context)
    found = entries["likely_wrong_label"]
    flagged = np.isin(audited.photos.column("file"), found["files"])
    return row_of("labels", found, float(folder.planted.mean()), **agreement(folder.planted, flagged))


def measure_shortcuts(store, folder, audited, context):
    """Truth: of the best blind rule none is known; of the model, in clean folders, the recipe on the spare photos."""
    given = {name: shortcuts.values(audited.photos, name) for name in BLIND}
    check = checks.find("shortcuts")
    measured = check_shortcuts().measure_rules(given, audited, context.seed)
    values = {name: round(measured.entries[name]["value"], 4) for name in BLIND}
    rows = [row_of("shortcuts", check.result(measured), None, rules=values)]
    own = measured.entries["model"]
    if not folder.planted.any():
        X, y = spare_features(store, folder.spare)
        train = np.flatnonzero(audited.parts == "Train")
        head = recipes.fit_head(audited.classifier.X, audited.labels, train, audited.recipe, context.seed).last
        truth = float((head.logits(X)[0].argmax(1).numpy() == y).mean())
        rows.append(row_of("shortcuts: model", own | {"result": "unknown"}, truth))
    return rows


def check_shortcuts():
    from maskkit.audit.checks import shortcuts as module

    return module


def measure_mouth(store, folder, audited, context):
    """Truth: not known, as it is a property of the network."""
    result, entries = judged("regions", audited, context)  # its `surroundings` where the lower half matters
    arch = audited.arch
    hidden = {
        name: entries[f"{arch}_{name}"]["value"]
        for name in ("whole", "lower_half_blur", "mouth", "surroundings_own", "surroundings_other")
    }
    return row_of("mouth", result, None, hidden=hidden)


def measure_calibration(store, folder, audited, context):
    """Truth: the calibration error on the spare photos, in the audit's own measure."""
    result, _ = judged("calibration", audited, context)
    X, y = spare_features(store, folder.spare)
    probabilities = audited.classifier.probabilities(X)
    right = probabilities.argmax(1) == y
    truth, _ = calibration.expected_error(probabilities.max(1), right, np.arange(len(y)))
    return row_of("calibration", result, truth)


def measure_weak_groups(store, folder, audited, context):
    """Truth: by how much the planted group is answered worse than the other spare photos, by the recipe's head.

    The spare photos keep their labels; the share of wrong ones is that of the folder's group. Unknown in a clean
    folder, where some group of those looked at is always a little worse.
    """
    result, entries = judged("weak_groups", audited, context)
    found = list(entries)[1] if len(entries) > 1 else None
    if folder.group is None:
        return row_of("weak_groups", result, None, found=found)
    X, y = spare_features(store, folder.spare)
    head = recipes.fit_head(
        audited.classifier.X, audited.labels, np.arange(len(audited.labels)), audited.recipe, 0
    ).last
    right = head.logits(X)[0].argmax(1).numpy() == y
    wrong_labels = folder.planted[folder.group].mean()
    inside, outside = (float(right[where].mean()) for where in (folder.spare_group, ~folder.spare_group))
    inside = inside * (1 - wrong_labels) + (1 - inside) * wrong_labels
    return row_of("weak_groups", result, outside - inside, found=found)


def measure_other_source(store, folder, audited, context):
    """Truth: balanced accuracy on the rest of the second source; `own_truth` on that of the first."""
    result, entries = judged("other_source", audited, context)
    there, here = (accuracy(store, audited, photos) for photos in (folder.second_spare, folder.spare))
    return row_of("other_source", result, there, own=entries["forward"]["own"], own_truth=here)


def accuracy(store, audited, photos):
    """Balanced accuracy of the model on photos outside the folder."""
    X, y = spare_features(store, photos)
    right = audited.classifier.logits(X).argmax(1) == y
    return float(np.mean([right[y == index].mean() for index in range(len(CLASSES))]))


def measure_split_variance(store, folder, audited, context):
    """The share of splits that mislead, and the mean accuracy of the last epoch; truth of that: spare photos."""
    from dataclasses import replace

    result, entries = judged("split_variance", audited, replace(context, is_sample=True))
    X, y = spare_features(store, folder.spare)
    everything = torch.cat([audited.classifier.X, X])
    labels = np.concatenate([audited.labels, y])
    groups, pool = np.arange(len(labels)), np.arange(len(labels)) < len(audited.labels)
    drawn = splits.draw(labels, groups, pool, per_class=audited.recipe["per_class"], n_splits=TRUTH_SPLITS, seed=1)
    repeated = splits.repeat(
        everything,
        torch.from_numpy(labels),
        groups,
        drawn,
        seed=1,
        **recipes.fit_settings(audited.recipe),
    )
    truth = float(repeated.last_right[:, ~pool].mean())
    last = entries[f"{audited.arch}_last"] | {"result": "unknown"}
    return [row_of("split_variance", result, None), row_of("split_variance: last epoch", last, truth)]


MEASURES = {
    "leaks": measure_leaks,
    "labels": measure_labels,
    "shortcuts": measure_shortcuts,
    "mouth": measure_mouth,
    "calibration": measure_calibration,
    "weak_groups": measure_weak_groups,
    "other_source": measure_other_source,
    "split_variance": measure_split_variance,
}
