"""The report's wishes, each measured as a paired gain: augmentation, a lighter network, the last stages unfrozen.

For each of many seeds the same drawn photos are split anew; the plain recipe and the changed one learn from the same
training part, and both answer the same photos, an `exams.Exam`: unseen ones of the same source, these once more as a
street camera might have taken them, and photos of another source.

split.csv -> `exams.Drawn` -> `frozen`, `unfrozen` -> `Learned`: who was right, bool (splits, photos) -> `gain`.
"""

import dataclasses
from pathlib import Path

import numpy as np
import torch
from torch.utils.data import TensorDataset

from maskkit import augment, claims, evaluate, features, model, train
from maskkit.audit.entries import entry
from maskkit.core import batches, disk, environment, intervals, parameters
from maskkit.core.progress import bar

VERSION = 1  # of improve.json
CPU = torch.device("cpu")


# --- the recipes --------------------------------------------------------------------------------


@dataclasses.dataclass(frozen=True)
class Learned:
    """What a recipe came to: `right` {exam: bool (seeds, photos)}; `states` its weights, one state dict per seed;
    `history` of the first seed, as `train.fit` gives it."""

    right: dict
    states: list = dataclasses.field(repr=False)
    history: list


def frozen(nets, drawn, exams, **settings):
    """{architecture: `learn_head`} of each network; `settings` as there."""
    return {arch: learn_head(net, drawn, exams, **settings) for arch, net in nets.items()}


def unfrozen(nets, drawn, exams, heads, **settings):
    """{architecture: `learn_tail`} of each network, from the `frozen` ones; `settings` as there."""
    return {arch: learn_tail(net, drawn, exams, heads[arch].states, **settings) for arch, net in nets.items()}


def learn_head(net, drawn, exams, *, augmentation, n_views, recipe, device, seed):
    """The recipe's head on cached features, of the last epoch, once per split of `drawn`.

    The last epoch, not the best: which epoch is best is chosen by 40 photos that hardly differ, and the choice would
    add its luck to both sides of every difference.

    Args:
        net: a `classifiers.Classifier`; drawn: an `exams.Drawn`; exams: a list of `exams.Exam`.
        augmentation, n_views: of `augment.views`; each epoch takes the next view of every training photo.
        recipe: holds claims.FIT_SETTINGS.

    Returns:
        a `Learned`.
    """
    settings = {name: recipe[name] for name in claims.FIT_SETTINGS}
    looks = [net.extract(one, device) for one in augment.views(drawn.photos, augmentation, n_views, seed)]
    plain, y, classes = net.extract(drawn.photos, device), drawn.y, drawn.photos.classes
    asked = {exam.name: net.extract(exam.dataset(classes), device) for exam in exams}
    head, states, right, histories = model.new_head(plain.shape[1], len(classes), seed), [], [], []
    for index, (fit_on, check_on) in enumerate(drawn.parts):
        head.load_state_dict(model.new_head(plain.shape[1], len(classes), seed + index).state_dict())
        views = [(X[fit_on], y[fit_on]) for X in looks]
        fitted = train.fit_features(head, views, (plain[check_on], y[check_on]), seed=seed + index, **settings)
        states.append(fitted.last_state)
        histories.append(fitted.history)
        right.append({exam.name: answers(head, asked[exam.name], exam, classes, CPU) for exam in exams})
    return Learned(stacked(right), states, histories[0])


def learn_tail(net, drawn, exams, heads, *, augmentation, n_views, recipe, tail_learning_rate, device, seed):
    """The last stages learn too, from the head that `learn_head` came to, of the last epoch, once per split of `drawn`.

    What lies before them stays frozen, so its outputs are computed once for each view; batch norm stays in eval mode.

    Args:
        heads: `Learned.states` of the frozen run of the same splits; else as `learn_head` and `train.fit`.
        tail_learning_rate: Adam's step size of the last stages; the recipe's is the head's.

    Returns:
        a `Learned`; `states` stays empty (45 MB each). The net is left as it was.
    """
    parameters.need("TAIL_LEARNING_RATE", tail_learning_rate)
    settings = {name: recipe[name] for name in claims.FIT_SETTINGS}
    trunk, tail = model.cut(net.network, net.arch)
    y, classes = drawn.y, drawn.photos.classes
    looks = [features.outputs(trunk, one, device) for one in augment.views(drawn.photos, augmentation, n_views, seed)]
    plain = features.outputs(trunk, drawn.photos, device)
    asked = {exam.name: features.outputs(trunk, exam.dataset(classes), device) for exam in exams}
    before = {name: value.clone() for name, value in tail.state_dict().items()}
    model.unfreeze(net.network, net.arch)
    right, histories = [], []
    try:
        progress = bar(drawn.parts, desc=f"{net.arch} unfrozen", unit=" splits")
        for index, (fit_on, check_on) in enumerate(progress):
            tail.load_state_dict(before)
            net.head().load_state_dict(heads[index])
            views = [TensorDataset(X[fit_on], y[fit_on]) for X in looks]
            fitted = train.fit(
                tail,
                views,
                TensorDataset(plain[check_on], y[check_on]),
                slow=(tail[:-1], tail_learning_rate),
                seed=seed + index,
                device=device,
                **settings,
            )
            histories.append(fitted.history)
            right.append({exam.name: answers(tail, asked[exam.name], exam, classes, device) for exam in exams})
    finally:
        tail.load_state_dict(before)
        model.freeze(net.network, net.arch)
    return Learned(stacked(right), [], histories[0])


@torch.inference_mode()
def answers(module, inputs, exam, classes, device):
    """bool (n,): whether the module is right on each photo of an exam, whose features or trunk outputs are `inputs`."""
    module.eval().to(device)
    called = torch.cat([batches.forward(module, few, device).argmax(1) for few in inputs.split(64)]).numpy()
    return called == np.array([classes.index(row["label"]) for row in exam.rows])


def stacked(rights):
    return {name: np.stack([one[name] for one in rights]) for name in rights[0]}


# --- what they gained ---------------------------------------------------------------------------


def accuracy(learned, exam, seed):
    """How many of an exam's photos a recipe gets right, as `evaluate.score`: the mean over all splits, and its interval
    for photos that come in groups."""
    right = learned.right[exam.name].mean(0)
    share, interval = intervals.rate(right, exam.groups, seed)
    return evaluate.score(round(right.sum()), len(right)) | {"accuracy": share, "interval": interval}


def gain(words, new, plain, exam, seed):
    """How many more of an exam's photos a changed recipe gets right: the paired difference over splits and photos.

    Returns:
        an entry: value and interval are differences of fractions, -1..1; `answer` is "yes" where the interval lies
        above 0, "worse" where it lies below, else "no gain shown".
    """
    before, after = plain.right[exam.name], new.right[exam.name]
    value, interval = intervals.paired(after.astype(float) - before, exam.groups, seed)
    answer = "yes" if interval[0] > 0 else "worse" if interval[1] < 0 else "no gain shown"
    n_splits, n = after.shape
    sentence = (
        f"{words}: {answer}; {points(value)} points ({points(interval[0])} to {points(interval[1])}), from "
        f"{100 * before.mean():.1f} to {100 * after.mean():.1f} % of {n} {exam.words}, paired over {n_splits} splits"
    )
    return entry(
        value,
        interval,
        n,
        sentence,
        exam=exam.name,
        words=words,
        splits=n_splits,
        answer=answer,
        before=float(before.mean()),
        after=float(after.mean()),
    )


def points(difference):
    """+0.012 -> '+1.2': a difference of fractions in percentage points."""
    return f"{100 * difference:+.1f}"


def gains(words, new, plain, exams, seed):
    """{"architecture, words": {exam: `gain`}} of a changed recipe, {architecture: `Learned`} as `plain`."""
    return {
        f"{arch}, {words}": {exam.name: gain(f"{arch}, {words}", new[arch], plain[arch], exam, seed) for exam in exams}
        for arch in plain
    }


def lighter(learned, exams, seed):
    """The gain of MobileNetV2 over ResNet18 as `gains` has it; empty where one of them is not there."""
    words, pair = "mobilenet_v2 instead of resnet18", ("mobilenet_v2", "resnet18")
    if any(arch not in learned for arch in pair):
        return {}
    light, heavy = (learned[arch] for arch in pair)
    return {words: {exam.name: gain(words, light, heavy, exam, seed) for exam in exams}}


def table(found):
    """{wish: {exam: entry}} as a Markdown table of answers."""
    lines = ["| wish | measured on | before | after | gain (95 % interval) | answer |", "|---|---|---|---|---|---|"]
    for entries in found.values():
        for one in entries.values():
            low, high = one["interval"]
            lines.append(
                f"| {one['words']} | {one['n']} {one['exam']} photos, {one['splits']} splits | "
                f"{100 * one['before']:.1f} % | {100 * one['after']:.1f} % | {points(one['value'])} "
                f"({points(low)} to {points(high)}) | {one['answer']} |"
            )
    return "\n".join(lines)


def write(run_dir, *, gains, networks, exams, nets, recipe):
    """improve.json: the gains, the networks side by side, who was asked, and with which weights."""
    content = {
        "version": VERSION,
        "gains": gains,
        "networks": networks,
        "exams": {exam.name: {"words": exam.words, "n": len(exam.rows)} for exam in exams},
        "weights": {arch: net.weights for arch, net in nets.items()},
        "notes": {arch: net.note for arch, net in nets.items() if net.note},
        "recipe": recipe,
        "versions": environment.versions(),
    }
    disk.write_json(Path(run_dir) / "improve.json", content)
