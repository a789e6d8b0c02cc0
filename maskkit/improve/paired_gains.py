"""The gain of a changed recipe over the plain one: paired differences with intervals, a table, improve.json."""

from pathlib import Path
from typing import Any

from maskkit import evaluate
from maskkit.audit.entries import entry
from maskkit.core import disk, environment, intervals, markdown
from maskkit.core.messages import translatable
from maskkit.improve.recipes import Experiment, Trained
from maskkit.improve.test_sets import TestSet

VERSION = 2  # of improve.json
LIGHT_NETWORK = translatable("mobilenet_v2 instead of resnet18")
EXTENSIONS_OF_04 = (  # what the notebook passes to `compare`
    translatable("the report's augmentation"),
    translatable("strong augmentation"),
    translatable("fine-tuned, strong augmentation"),
)
Gains = dict[str, dict[str, dict[str, Any]]]  # {extension: {test set: entry of `gain`}}


def accuracy(trained: Trained, test_set: TestSet, seed: int) -> dict[str, Any]:
    """The accuracy of a recipe on a test set, as of `evaluate.score`.

    The mean over all splits, with an interval for photos that come in groups.
    """
    right = trained.right[test_set.name].mean(0)
    share, interval = intervals.rate(right, test_set.groups, seed)
    return evaluate.score(round(right.sum()), len(right)) | {"accuracy": share, "interval": interval}


def gain(extension: str, new: Trained, plain: Trained, test_set: TestSet, seed: int, arch: str = "") -> dict[str, Any]:
    """The gain of a changed recipe on a test set: the paired difference of right answers over splits and photos.

    Args:
        extension: what was changed, in words; arch: the network, "" where the extension names it.

    Returns:
        an entry: value and interval are differences of fractions, -1..1; `answer` is "yes" if the interval lies above
        0, "worse" if it lies below, else "no gain shown".
    """
    before, after = plain.right[test_set.name], new.right[test_set.name]
    value, interval = intervals.paired(after.astype(float) - before, test_set.groups, seed)
    answer = "yes" if interval[0] > 0 else "worse" if interval[1] < 0 else "no gain shown"
    n_splits, n = after.shape
    low, high = (format_points(end) for end in interval)
    words = ", ".join(filter(None, (arch, extension)))
    sentence = (
        f"{words}: {answer}; {format_points(value)} points ({low} to {high}), from {100 * before.mean():.1f} to "
        f"{100 * after.mean():.1f} % of {n} {test_set.words}, paired over {n_splits} splits"
    )
    return entry(
        value,
        interval,
        n,
        sentence,
        test_set=test_set.name,
        words=words,
        arch=arch,
        extension=extension,
        splits=n_splits,
        answer=answer,
        before=float(before.mean()),
        after=float(after.mean()),
    )


def gains(
    extension: str, new: Trained, plain: Trained, experiment: Experiment, arch: str = ""
) -> dict[str, dict[str, Any]]:
    """{test set: `gain`} of a changed recipe of one network."""
    return {each.name: gain(extension, new, plain, each, experiment.seed, arch) for each in experiment.sets}


def format_points(difference: float) -> str:
    """+0.012 -> '+1.2': a difference of fractions in percentage points."""
    return f"{100 * difference:+.1f}"


def compare(extension: str, new: dict[str, Trained], plain: dict[str, Trained], experiment: Experiment) -> Gains:
    """{"architecture, extension": {test set: `gain`}} of a changed recipe, for each architecture."""
    return {f"{arch}, {extension}": gains(extension, new[arch], plain[arch], experiment, arch) for arch in plain}


def compare_networks(trained: dict[str, Trained], experiment: Experiment) -> Gains:
    """The gain of MobileNetV2 over ResNet18, as of `compare`; empty if one of them was not trained."""
    pair = ("mobilenet_v2", "resnet18")
    if any(arch not in trained for arch in pair):
        return {}
    light, heavy = (trained[arch] for arch in pair)
    return {LIGHT_NETWORK: gains(LIGHT_NETWORK, light, heavy, experiment)}


def format_table(gains: Gains) -> str:
    """The gains as a Markdown table."""
    rows = []
    for entries in gains.values():
        for gain in entries.values():
            low, high = gain["interval"]
            measured_on = f"{gain['n']} {gain['test_set'].replace('_', ' ')} photos, {gain['splits']} splits"
            shares = [f"{100 * gain[name]:.1f} %" for name in ("before", "after")]
            points = f"{format_points(gain['value'])} ({format_points(low)} to {format_points(high)})"
            rows.append([gain["words"], measured_on, *shares, points, gain["answer"]])
    columns = ("proposed extension", "measured on", "before", "after", "gain (95 % interval)", "answer")
    return markdown.table(columns, rows)


def write_improve_json(
    run_dir: Path,
    *,
    gains: Gains,
    networks: list[dict[str, Any]],
    experiment: Experiment,
    notes: dict[str, str],
) -> None:
    """Write improve.json: the gains, the comparison of networks, the test sets, and the weights that were used.

    Args:
        gains: of `compare`; networks: rows of `benchmark_networks.compare`.
        notes: {architecture: what to know about its weights, or why there are none}; empty ones are left out.
    """
    content = {
        "version": VERSION,
        "gains": gains,
        "networks": networks,
        "test_sets": {each.name: {"words": each.words, "n": len(each.rows)} for each in experiment.sets},
        "weights": {arch: net.weights for arch, net in experiment.nets.items()},
        "notes": {arch: note for arch, note in notes.items() if note},
        "recipe": experiment.recipe,
        "versions": environment.versions(),
    }
    disk.write_json(run_dir / "improve.json", content)
