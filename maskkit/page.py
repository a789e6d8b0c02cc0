"""report.html: a run on one page, for readers who never open Python. Its text is in html/templates/report.html."""

import os
import shlex
from collections.abc import Callable
from pathlib import Path
from typing import Any

from maskkit import corrections, runs
from maskkit.core import audit_file, class_names, disk
from maskkit.html import checks, render
from maskkit.html.markup import read_figure

FIGURES = ("split", "photos", "training_curves", "confusion", "scores", "predictions", "mistakes")
SETTINGS = (  # what the command that repeats a run names, in this order
    "per_class", "split", "arch", "weights", "size_px", "augment", "views", "epochs", "batch_size", "learning_rate",
    "average_epochs", "bias_views", "tail_epochs", "tail_learning_rate", "tail_share", "keep", "seed", "language",
)  # fmt: skip

Metrics = dict[str, Any]  # what metrics.json holds


def write(run_dir: Path) -> Path:
    """Write run_dir/report.html from the run's files, in the language that metrics.json names; what is missing is named
    on the page.

    Returns:
        The page's path.

    Raises:
        FileNotFoundError: the run has no metrics.json, or no evaluation in it; says which notebook to run.
        ValueError: the language is none of ours.
    """
    run_dir = Path(run_dir)
    metrics = runs.read_metrics(run_dir)
    missing = [key for key in ("best", "last", "confusion") if key not in metrics]
    if missing:
        where = f"{run_dir / 'metrics.json'} holds no {' and no '.join(missing)}"
        raise FileNotFoundError(f"{where}; run 02_train.ipynb and 03_evaluate.ipynb with the same RUN first")
    path = run_dir / "report.html"
    disk.write_text(path, render.render("report.html", metrics.get("language", "en"), **context(run_dir, metrics)))
    return path


def link(run_dir: Path) -> str:
    """The address of a run's page, for a link in a notebook of the folder that Jupyter runs it in."""
    return Path(os.path.relpath(run_dir / "report.html")).as_posix()


def context(run_dir: Path, metrics: Metrics) -> dict[str, Any]:
    """The values of report.html; None stands for a file that is missing."""
    name = metrics.get("run", {}).get("name") or runs.run_name(run_dir)
    classes, scores = metrics.get("classes", ()), metrics.get("per_class_scores") or []
    rejected = read_if_there(run_dir / "rejected.csv", disk.read_csv)
    audit, problem = audit_file.read(run_dir, name)
    by_hand = metrics.get("corrected", {})
    notes = [lines for key in ("source_note", "weights_note") if (lines := note_lines(metrics, key))]
    return {
        "name": name,
        "metrics": metrics,
        "best": metrics["best"],
        "last": metrics["last"],
        "kept": metrics[metrics.get("keep", "best")],
        "classes": classes,
        "corrected": by_hand if any(by_hand.values()) else None,
        "notes": notes,
        "folded_notes": [line for note in notes for line in note if line.get("is_detail")],
        "synthetic": metrics.get("source") == "demo" and not checks.shows_other_photos(run_dir),
        "audit": checks.context(audit, run_dir, name, problem),
        "figures": {figure: read_figure(run_dir / "figures" / f"{figure}.png") for figure in FIGURES},
        "history": read_if_there(run_dir / "history.csv", disk.read_csv),
        "confusion_rows": [
            (true, list(zip(classes, row, strict=True)))
            for true, row in zip(classes, metrics["confusion"], strict=False)
        ],
        "mistaken": render.mistaken(classes, metrics["confusion"]),
        "scores": class_names.by_name(scores, lambda score: score["class"]),
        "lowest_scores": lowest(scores, render.MOST_NAMES),
        "numbered_classes": numbered_classes(classes),
        "mistakes": metrics.get("mistakes"),
        "claims": read_if_there(run_dir / "claims.json", disk.read_json),
        "conflicts": read_if_there(run_dir / "conflicts.csv", disk.read_csv),
        "rejected": rejected,
        "excluded_by_hand": any(row["reason"] == corrections.REASON for row in rejected or ()),
        "environment": read_if_there(run_dir / "environment.json", disk.read_json) or {},
        "command": command(metrics),
    }


def read_if_there(path: Path, read: Callable[[Path], Any]) -> Any:
    """What a function reads from a file, None where it is missing."""
    return read(path) if path.exists() else None


def note_lines(metrics: Metrics, key: str) -> list[dict[str, Any]]:
    """A note of metrics.json as records for the page: the plain sentence first, then how to change it and why."""
    lines = metrics.get(f"{key}s") or [{"sentence": line} for line in metrics.get(key, "").splitlines()]
    return [{"is_detail": place > 0 and "message" not in line} | line for place, line in enumerate(lines)]


def lowest(scores: list[dict[str, Any]], most: int) -> list[dict[str, Any]]:
    """The scores of the classes with the lowest recall, in the order of it; those without photos last."""
    named = class_names.by_name(scores, lambda score: score["class"])
    return sorted(named, key=lambda score: 2 if score["recall"] is None else score["recall"])[:most]


def numbered_classes(classes: list[str]) -> list[str]:
    """'#1 name' of each class that the figures call by its number: its letters lie in none of their fonts."""
    if all(name.isascii() and len(name) <= class_names.SHORT for name in classes):
        return []  # the usual case, without matplotlib
    from maskkit import plot_style

    drawn = plot_style.class_labels(classes, class_names.SHORT)
    numbers = [f"#{place}" for place in range(1, len(classes) + 1)]
    return [
        f"{number} {name}"
        for number, name, label in zip(numbers, classes, drawn, strict=True)
        if label.endswith(f" {number}") and label != name
    ]


def command(metrics: Metrics) -> str:
    """The command line that repeats this run under another name."""
    data = {"demo": "demo", "kaggle": "kaggle"}.get(metrics.get("source", ""), "THE_FOLDER_OF_PHOTOS")
    run = metrics.get("run", {})
    settings = {"DATA": data} | {key.upper(): metrics[key] for key in SETTINGS if key in metrics}
    settings |= {key.upper(): run[key] for key in ("groups", "corrections") if key in run}
    settings |= {"MUTE": run["mute"]} if run.get("mute") else {}
    settings["RUN"] = f"{run.get('name') or 'report'}-again"
    return "maskkit reproduce" + "".join(f" --set {key}={shlex.quote(str(v))}" for key, v in settings.items())
