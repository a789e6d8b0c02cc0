"""MODEL_CARD.md: what a trained model is, what it was measured to do, and what it must not be used for.

After Mitchell et al. (2019), Model Cards for Model Reporting. Written from the run's own files; what is missing there
is named.
"""

import re
import shlex
from pathlib import Path

from maskkit import page, runs
from maskkit.core import class_names, disk
from maskkit.html import audit_section, markup

SIGNS = {"green": "🟢", "amber": "🟠", "red": "🔴", "unknown": "⚪"}
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


def write(run_dir):
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
        "How far to trust them": audit_lights(run_dir, name),
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


def intro(metrics, classes):
    found = [metrics[key] for key in ("source_note", "weights_note") if metrics.get(key)]
    notes = "".join(f"\n\n> **Not what was asked for first:** {escape(page.plain(note)[0])}" for note in found)
    return (
        f"Tells {told_apart(classes)} in a photo of one face. {value(metrics, 'network')} with "
        f"{value(metrics, 'weights')} weights, trained on {value(metrics, 'photos')}.{notes}"
    )


def told_apart(classes):
    if len(classes) <= markup.MOST_NAMES:
        return escape(" from ".join(classes))
    some = escape(", ".join(class_names.first(classes, markup.MOST_NAMES)))
    return f"{len(classes)} classes apart ({some} and {len(classes) - markup.MOST_NAMES} more)"


def numbers(metrics):
    missing = [key for key in ("best", "last") if key not in metrics]
    if missing:
        return f"Not measured yet: metrics.json holds no {' and no '.join(missing)}; run 02_train.ipynb."
    best, last = metrics["best"], metrics["last"]
    keep = metrics.get("keep", "best")
    rows = [
        [f"{name} epoch ({score['epoch']})" + (", the weights kept" if name == keep else ""), page.accuracy(score)]
        for name, score in (("best", best), ("last", last))
    ]
    overall = table(("validation photos classified correctly", "result"), rows)
    chosen = (
        "Best is the epoch with the highest validation accuracy and, among equals, the lowest validation loss. It was "
        "chosen on the photos it is scored on, which flatters; the last epoch was not."
    )
    return f"{overall}\n\n{chosen}\n\n{per_class(metrics.get('per_class_scores'), keep)}"


def per_class(scores, keep):
    if not scores:
        return "Per class: not measured yet; run 03_evaluate.ipynb."
    rows, n = [], len(scores)
    scores, rest = class_names.by_name(scores, lambda score: score["class"]), ""
    if n > MOST_ROWS:
        scores = sorted(scores, key=lambda score: 2 if score["recall"] is None else score["recall"])[:MOST_ROWS]
        rest = f"The {MOST_ROWS} classes with the lowest recall; metrics.json holds all {n}.\n\n"
    for score in scores:
        precision, recall, f1 = (markup.percent(score[key], "undefined") for key in ("precision", "recall", "f1"))
        rows.append([score["class"], score["n"], precision, f"{recall} ({markup.ends(score['recall_interval'])})", f1])
    return rest + table((f"class, {keep} epoch", "photos", "precision", "recall (95 % interval)", "F1"), rows)


def audit_lights(run_dir, name):
    found, problem = audit_section.read(run_dir, name)
    if not found:
        return escape(problem) if problem else f"Not measured yet: {code(f'make trust RUN={shlex.quote(name)}')}."
    rows = [
        [f"{SIGNS[light['light']]} {light['light']}", light["title"], light["sentence"]]
        for light in found["lights"].values()
    ]
    asked = "Six questions of the audit. Green needs the whole 95 % interval on the good side of a limit."
    return f"{asked}\n\n{table(('light', 'question', 'found'), rows)}"


def photos(metrics):
    parted = SPLITS.get(metrics.get("split"), "not recorded")
    rows = {
        "source": metrics.get("photos", "not recorded"),
        "learned from": f"{value(metrics, 'n_train')} photos",
        "checked on": f"{value(metrics, 'n_val')} photos",
        "set aside, unreadable or by hand": f"{value(metrics, 'n_rejected')} files",
        "parted": f"{metrics.get('split', '')}: {parted}; seed {metrics.get('seed', 'not recorded')}",
    }
    drawn = "The faces are drawn by maskkit's own code and show nobody."
    real = "The photos may show real people: the run's folder and its pages are not to be shared without their consent."
    model = "The model's file holds weights, no photo."
    return f"{table(('what', 'value'), rows.items())}\n\n{drawn if metrics.get('source') == 'demo' else real} {model}"


def recipe(metrics, described):
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


def use(name):
    name = shlex.quote(name)
    return (
        "The folder with model.safetensors and model.json is all that is needed, wherever it lies.\n\n"
        "```\n"
        f"maskkit predict my_photos --model {name} --csv predictions.csv --html predictions.html\n"
        f"maskkit export --model {name} --onnx model.onnx    # one file for ONNX Runtime, without torch\n"
        "```"
    )


# --- Markdown -----------------------------------------------------------------------------------


def escape(words):
    """Text as Markdown that shows it as it is: no link, no HTML, no cell border, one line."""
    words = " ".join(str(words).encode("utf-8", "replace").decode().split())
    words = words.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
    return re.sub(r"([\\`*\[\]|~#!$]|(?<!\w)_|_(?!\w)|(?<=:)//|@)", r"\\\1", words)


def code(words):
    """Text as a span of code."""
    return f"`{' '.join(words.replace('`', '').split())}`"


def table(columns, rows):
    """A Markdown table; cells are escaped."""
    lines = [columns, ["---"] * len(columns), *([escape(cell) for cell in row] for row in rows)]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def bullets(lines):
    return "\n".join(f"- {line}" for line in lines)


def value(metrics, key):
    found = metrics.get(key)
    return "not recorded" if found is None else f"{found:,}" if isinstance(found, int) else escape(found)
