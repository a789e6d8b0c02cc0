"""MODEL_CARD.md: what a trained model is, what it was measured to do, and what it must not be used for.

After Mitchell et al. (2019), Model Cards for Model Reporting. Written from the run's own files; what is missing there
is named.
"""

import shlex
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from maskkit import evaluate, page, runs
from maskkit.core import audit_file, class_names, disk, mutes
from maskkit.core.markdown import bullets, code, escape, table
from maskkit.core.messages import format_interval
from maskkit.evaluate import format_share
from maskkit.html.render import MOST_NAMES

SIGNS = {"pass": "🟢", "warning": "🟠", "fail": "🔴", "unknown": "⚪", "muted": "🔇"}
Metrics = dict[str, Any]  # what metrics.json holds
MOST_ROWS = 30  # classes in the table of scores
SPLITS = {
    "grouped": "photos of one original stay in one part",
    "random": "photo by photo, so near copies of one photo may stand on both sides",
}
LIMITS = (
    "It knows **crops of single faces**, upright and filling the picture. It does not find faces in a scene, and it "
    "names one of its classes for any picture whatever.",
    "It says nothing of **who** is shown, and must not be used to find out.",
    "It is **not a safety device**: no access, health or work-safety decision should rest on it.",
    "Its probabilities are its own; on photos unlike those it learned from they may be too high.",
    "The intervals speak of chance among the validation photos, as if these were independent. They do not cover near "
    "copies in both parts, shortcuts, or photos from another source.",
    "How well it does for different skin colours, ages or kinds of mask was not measured.",
)
LICENCES = (
    "model.safetensors contains the pretrained network whole: passing it on passes those weights on, on their makers' "
    "terms. ImageNet weights were trained on photos given for non-commercial research and education; whether that "
    "reaches the weights is disputed. Photos belong to their makers. maskkit's docs/licences.md says what is known."
)


def write(run_dir: Path) -> Path:
    """Write run_dir/MODEL_CARD.md from the run's files.

    Returns:
        its path.

    Raises:
        FileNotFoundError: the run has no metrics.json or no model.json; says which notebook to run.
    """
    run_dir = Path(run_dir)
    metrics = runs.read_metrics(run_dir)
    described = disk.read_json(runs.need(run_dir, "model.json", "02_train.ipynb"))
    name = metrics.get("run", {}).get("name") or runs.run_name(run_dir)
    classes = described["classes"]
    sections = {
        f"Model card: {escape(name)}": intro(metrics, classes),
        "Limits": bullets(LIMITS),
        "Numbers": numbers(metrics),
        "How far to trust them": check_results(run_dir, name),
        "Photos": photos(metrics),
        "Recipe": recipe(metrics, described),
        "Use": use(name),
        "Versions": table(("what", "version"), metrics.get("versions", {}).items()),
        "Licences": LICENCES,
    }
    parts = [f"{'##' if place else '#'} {title}\n\n{body}\n" for place, (title, body) in enumerate(sections.items())]
    path = run_dir / "MODEL_CARD.md"
    disk.write_text(path, "\n".join(parts))
    return path


# --- the sections -------------------------------------------------------------------------------


def intro(metrics: Metrics, classes: list[str]) -> str:
    """What the model tells apart, what it is, and what was not as asked for."""
    notes = [page.note_lines(metrics, key) for key in ("source_note", "weights_note")]
    plain = [escape(lines[0]["sentence"]) for lines in notes if lines]
    return (
        f"Tells {class_words(classes)} in a photo of one face. {value(metrics, 'network')} with "
        f"{value(metrics, 'weights')} weights, trained on {value(metrics, 'photos')}."
        + "".join(f"\n\n> **Not what was asked for first:** {sentence}" for sentence in plain)
    )


def class_words(classes: list[str]) -> str:
    """The classes by name; of many the first, and how many more there are."""
    if len(classes) <= MOST_NAMES:
        return escape(" from ".join(classes))
    some = escape(", ".join(class_names.first(classes, MOST_NAMES)))
    return f"{len(classes)} classes apart ({some} and {len(classes) - MOST_NAMES} more)"


def numbers(metrics: Metrics) -> str:
    """The scores of the best and the last epoch, and of each class."""
    missing = [key for key in ("best", "last") if key not in metrics]
    if missing:
        return f"Not measured yet: metrics.json holds no {' and no '.join(missing)}; run 02_train.ipynb."
    best, last = metrics["best"], metrics["last"]
    keep = metrics.get("keep", "best")
    rows = [
        [
            f"{name} epoch ({score['epoch']})" + (", the weights kept" if name == keep else ""),
            evaluate.format_score(score),
        ]
        for name, score in (("best", best), ("last", last))
    ]
    overall = table(("validation photos classified correctly", "result"), rows)
    chosen = (
        "Best is the epoch with the highest validation accuracy and, among equals, the lowest validation loss. It was "
        "chosen on the photos it is scored on, so its score is too high; the last epoch was not chosen."
    )
    return f"{overall}\n\n{chosen}\n\n{per_class(metrics.get('per_class_scores'), keep)}"


def per_class(scores: list[dict[str, Any]] | None, keep: str) -> str:
    """Precision and recall of each class; of many classes those with the lowest recall."""
    if not scores:
        return "Per class: not measured yet; run 03_evaluate.ipynb."
    n, listed, note = len(scores), class_names.by_name(scores, lambda score: score["class"]), ""
    if n > MOST_ROWS:
        listed = page.lowest(scores, MOST_ROWS)
        note = f"The {MOST_ROWS} classes with the lowest recall; metrics.json holds all {n}.\n\n"
    rows = [
        [score["class"], score["n"], format_share(score["precision"]), recall(score), format_share(score["f1"])]
        for score in listed
    ]
    return note + table((f"class, {keep} epoch", "photos", "precision", "recall (95 % interval)", "F1"), rows)


def recall(score: Mapping[str, Any]) -> str:
    """A class's recall with its interval."""
    ends = score["recall_interval"]
    return f"{format_share(score['recall'])} ({format_interval(ends) if ends else '-'})"


def check_results(run_dir: Path, name: str) -> str:
    """What the audit's checks found."""
    audit, problem = audit_file.read(run_dir, name)
    if problem:
        return escape(problem["sentence"])
    if not audit:
        return f"Not measured yet: {code(audit_file.command(name))}."
    judged = [(check, audit["results"][check["name"]]) for check in audit["checks"] if check["name"]]
    rows = [
        [
            check["code"],
            f"{SIGNS[result['result']]} {audit_file.RESULTS[result['result']]}",
            result["title"],
            result["sentence"],
            advice(check, result),
        ]
        for check, result in judged
    ]
    asked = f"{len(rows)} questions of the audit. Green needs the whole 95 % interval on the good side of a limit."
    return f"{asked}\n\n{table(('code', 'result', 'check', 'found', 'what to do'), rows)}"


def advice(check: Mapping[str, Any], result: Mapping[str, Any]) -> str:
    """What to do about a result that is no pass; of a muted check why it is muted, and what it would be."""
    if check["muted"]:
        return f"muted: {check['muted']} (without this: {audit_file.RESULTS[mutes.measured_result(result)]})"
    return "-" if result["result"] == "pass" else str(check["advice"])


def photos(metrics: Metrics) -> str:
    """Which photos it learned from and was measured on."""
    way = SPLITS.get(metrics.get("split", ""), "not recorded")
    rows = {
        "source": metrics.get("photos", "not recorded"),
        "learned from": f"{value(metrics, 'n_train')} photos",
        "checked on": f"{value(metrics, 'n_val')} photos",
        "excluded, unreadable or by hand": f"{value(metrics, 'n_rejected')} files",
        "parted": f"{metrics.get('split', '')}: {way}; seed {metrics.get('seed', 'not recorded')}",
    }
    drawn = "The faces are drawn by maskkit's own code and show nobody."
    real = "The photos may show real people: the run's folder and its pages are not to be shared without their consent."
    model = "The model's file holds weights, no photo."
    return f"{table(('what', 'value'), rows.items())}\n\n{drawn if metrics.get('source') == 'demo' else real} {model}"


def recipe(metrics: Metrics, described: dict[str, Any]) -> str:
    """Network, input and training."""
    transform = described["transform"]
    rows = {
        "network": f"{described['arch']}, pretrained weights: {described.get('weights', 'not recorded')}",
        "learns": f"{value(metrics, 'trainable')} of {value(metrics, 'total')} weights",
        "input": f"RGB, upright, {transform['size_px']} x {transform['size_px']} px "
        f"({transform.get('resize', 'not recorded')}), aspect ratio not kept",
        "device": metrics.get("device", "not recorded"),
        "model_sha256": described.get("model_sha256", "not recorded"),
        "weights_sha256": described.get("weights_sha256") or "none",
    } | described.get("parameters", {})
    return table(("what", "value"), rows.items())


def use(name: str) -> str:
    """The commands that use the model."""
    name = shlex.quote(name)
    return (
        "The folder with model.safetensors and model.json is all that is needed, wherever it lies.\n\n"
        "```\n"
        f"maskkit predict my_photos --model {name} --csv predictions.csv --html predictions.html\n"
        f"maskkit export --model {name} --onnx model.onnx    # one file for ONNX Runtime, without torch\n"
        "```"
    )


def value(metrics: Metrics, key: str) -> str:
    """An entry of metrics.json as Markdown."""
    entry = metrics.get(key)
    return "not recorded" if entry is None else f"{entry:,}" if isinstance(entry, int) else escape(entry)
