"""report.html: a run on one page, for readers who never open Python. No script, nothing loaded from afar."""

import shlex
from pathlib import Path

from maskkit import markup, page_audit, runs
from maskkit.markup import PRIVACY, PRIVACY_DRAWN, Markup, banner, details, percent, section, table, text

NOTEBOOKS = {"split": "01_prepare", "training_curves": "02_train"}  # the figure's notebook; 03_evaluate else
SIGNS = {"same": ("yes", "✓"), "within the interval": ("yes", "≈"), "differs": ("no", "✗")}
LOOK_FOR = {
    "split": "Look for equal bars: a class with few photos is learned, and measured, less well.",
    "photos": "Look for what else differs between classes (light, size, background): it may be learned too.",
    "training_curves": "Look for lines that settle together: a gap means photos learned by heart.",
    "confusion": "Look at the diagonal: it holds what was right; each number beside it is a kind of mistake.",
    "scores": "Look at how long the bars are: two results whose bars overlap widely may be equally good.",
    "predictions": "Look for ✗, and for a low probability beside ✓: there the network was nearly wrong.",
    "mistakes": "Look for what the mistakes share: a hand, a scarf, a beard, the light, or a wrong label.",
}
PARAMETERS = {
    "seed": "seed", "split": "way of splitting", "per_class": "photos drawn per class", "epochs": "epochs",
    "batch_size": "batch size", "learning_rate": "learning rate", "size_px": "side of the network's input, pixels",
    "augment": "augmentation", "views": "views of each photo", "tail_epochs": "further epochs of the last stages",
    "tail_learning_rate": "their learning rate", "keep": "epoch kept", "n_train": "training photos",
    "n_val": "validation photos", "n_rejected": "photos set aside", "device": "device",
}
RUN = {"started": "started", "finished": "finished", "features_computed": "photos not in the feature cache"}


def write(run_dir):
    """Write run_dir/report.html from the run's files; what is missing is named on the page.

    Returns:
        The page's path.

    Raises:
        FileNotFoundError: the run has no metrics.json, or no evaluation in it; says which notebook to run.
    """
    run_dir = Path(run_dir)
    metrics = runs.read_metrics(run_dir)
    missing = [key for key in ("best", "last", "confusion") if key not in metrics]
    if missing:
        where = f"{run_dir / 'metrics.json'} holds no {' and no '.join(missing)}"
        raise FileNotFoundError(f"{where}; run 02_train.ipynb and 03_evaluate.ipynb with the same RUN first")
    drawn = metrics.get("source") == "demo" and not page_audit.shows_others(run_dir)
    privacy = PRIVACY_DRAWN if drawn else PRIVACY
    name = metrics.get("run", {}).get("name") or runs.own_name(run_dir)
    audit, problem = page_audit.read(run_dir, name)
    parts = [
        headline(metrics, name, privacy, page_audit.lamps(audit)),
        "<main>",
        section("What it was asked to learn from", figure(run_dir, "split", metrics), splits(metrics),
                figure(run_dir, "photos", metrics) if (run_dir / "figures" / "photos.png").exists() else ""),
        section("How it learned", figure(run_dir, "training_curves", metrics), history(run_dir)),
        section("What it got right", figure(run_dir, "confusion", metrics), per_class(metrics)),
        section("The scores, and how sure they are", figure(run_dir, "scores", metrics)),
        section("Mistakes", mistakes(run_dir, metrics)),
        section("Predictions", figure(run_dir, "predictions", metrics)),
        section("The report's statements, and this run", claims(run_dir)),
        section("How far to trust it", trust(metrics),
                banner(problem) if problem else page_audit.section(audit, run_dir, name), anchor="trust"),
        section("How it was made", made(run_dir, metrics)),
        section("Photos that were set aside", rejected(run_dir)),
        "</main>",
        f"<footer><p>{privacy}</p><p>Written by maskkit for the run {text(name)}.</p></footer>",
    ]
    path = run_dir / "report.html"
    title = f"{name}: {count(kept(metrics))} right"
    runs.write_text(path, markup.document(title, parts))
    return path


# --- the sections -------------------------------------------------------------------------------


def headline(metrics, name, privacy, lamps):
    """The one number with its interval, which photos and weights, and loudly what was not as asked for."""
    best, last = metrics["best"], metrics["last"]
    notes = [metrics[key] for key in ("source_note", "weights_note") if metrics.get(key)]
    banner = '<p class="banner"><strong>Not what was asked for first:</strong> {}</p>'
    banners = "".join(banner.format(text(note)) for note in notes)
    facts = {
        "Photos": f"{value(metrics, 'photos')}: {value(metrics, 'n_train')} to learn, {best['n']} to check",
        "Classes": ", ".join(metrics.get("classes", ())) or "not recorded",
        "Network and weights": f"{value(metrics, 'arch')}, {value(metrics, 'weights')}",
        "What learned": f"{value(metrics, 'trainable')} of {value(metrics, 'total')} weights",
        f"Last epoch ({last['epoch']})": accuracy(last),
    }
    return (
        f'<header><p class="soft">maskkit run {text(name)}</p>'
        f"<h1>{text(accuracy(kept(metrics)))} <span>validation photos classified correctly</span></h1>"
        f"<p>{text(which_epoch(metrics))}</p>"
        f'{banners}{lamps}<p class="soft">{privacy}</p>{markup.facts(facts)}</header>'
    )


def which_epoch(metrics):
    """Which epoch the number is of, and what the other one got."""
    best, last = metrics["best"], metrics["last"]
    if metrics.get("keep") == "last":
        return f"The last of {last['epoch']} epochs was kept. The best was epoch {best['epoch']}: {accuracy(best)}."
    return (
        f"The best of {last['epoch']} epochs was epoch {best['epoch']}; it was chosen on these same photos, so it "
        f"flatters a little. The last epoch got {accuracy(last)}."
    )


def splits(metrics):
    ways = {
        "grouped": "Photos of one original stay together in one part, so that no near copy of a training "
        "photo is among the photos to check.",
        "random": "The parts were drawn photo by photo, as the report did: near copies of one photo may "
        "stand on both sides, and then the number is too good.",
    }
    return f"<p>{ways.get(metrics.get('split'), 'How the parts were drawn is not recorded.')}</p>"


def history(run_dir):
    """Every epoch's numbers, folded away."""
    path = run_dir / "history.csv"
    if not path.exists():
        return absent("history.csv", "02_train")
    rows = []
    for row in runs.read_csv(path):
        losses = [f"{float(row[key]):.4f}" for key in ("train_loss", "val_loss")]
        shares = [percent(float(row[key])) for key in ("train_accuracy", "val_accuracy")]
        rows.append([row["epoch"], *losses, *shares, row["val_correct"]])
    columns = ("epoch", "training loss", "validation loss", "training accuracy", "validation accuracy",
               "validation photos right")
    body = table("Loss is cross-entropy; smaller is better.", columns, rows, numbers=range(1, 6))
    return details(f"All {len(rows)} epochs as a table", body)


def per_class(metrics):
    if not metrics.get("per_class_scores"):
        return absent("The table per class", "03_evaluate")
    rows = []
    for score in metrics["per_class_scores"]:
        interval = "-".join(f"{100 * end:.1f}" for end in score["recall_interval"] or ())
        precision = percent(score["precision"], "never predicted")
        recall = percent(score["recall"], "no photo")
        interval = f"{interval} %" if interval else "-"
        rows.append([score["class"], score["n"], precision, recall, interval, percent(score["f1"])])
    said = (
        "Precision: of the photos called so, how many are. Recall: of the photos that are so, how many were "
        "found. F1: both in one number."
    )
    columns = ("class", "photos", "precision", "recall", "95 % interval of recall", "F1")
    return table(said, columns, rows, numbers=range(1, 6))


def mistakes(run_dir, metrics):
    if "mistakes" not in metrics:
        return absent("The list of mistakes", "03_evaluate")
    if not metrics["mistakes"]:
        return f"<p>None: all {metrics['best']['n']} validation photos were classified correctly.</p>"
    n, of = len(metrics["mistakes"]), metrics["best"]["n"]
    rows = [[m["file"], m["label"], m["predicted"], percent(m["probability"])] for m in metrics["mistakes"]]
    columns = ("file", "is", "was called", "probability")
    said = f"{n} wrongly classified of {of} validation photos, with the best epoch's weights."
    listed = table(said, columns, rows, numbers=(3,), long=(0,))
    if n > 12:
        listed = details(f"All {n} mistakes as a table", listed)
    return figure(run_dir, "mistakes", metrics) + listed


def claims(run_dir):
    path = run_dir / "claims.json"
    if not path.exists():
        return absent("claims.json", "03_evaluate")
    rows = []
    for claim in runs.read_json(path):
        look, sign = SIGNS.get(claim["verdict"], ("soft", "–"))
        said = f'<span aria-hidden="true">{sign}</span> {text(claim["verdict"])}'
        mark = Markup(f'<span class="verdict {look}">{said}</span>')
        rows.append([claim["claim"], claim["report"], claim["here"], mark, claim["rule"]])
    columns = ("statement", "the report", "this run", "verdict", "judged by")
    return table("What the report (June 2025) states, and what was found here.", columns, rows, long=(4,))


def trust(metrics):
    best = kept(metrics)
    n, (low, high) = best["n"], best["interval"]
    step = f"One photo more or less moves the number by {100 / n:.1f} points." if n else ""
    return (
        f"<p>{text(count(best))} right is what was seen. With only {n} validation photos, a network whose "
        f"true accuracy lies anywhere between {100 * low:.1f} % and {100 * high:.1f} % could well have given "
        f"it (95 % Wilson interval). {step} The interval covers chance alone: not near copies in both parts, "
        "not photos from another camera or place, and not that the best epoch was picked on these photos.</p>"
    )


def made(run_dir, metrics):
    """The command that repeats the run, its parameters, versions, device and durations."""
    environment = {}
    if (run_dir / "environment.json").exists():
        environment = runs.read_json(run_dir / "environment.json")
    rows = [[name, metrics.get(key, "not recorded")] for key, name in PARAMETERS.items()]
    keys = ("platform", "processors", "cuda", "commit")
    rows += [[key, environment[key]] for key in keys if environment.get(key)]
    rows += [[key, version] for key, version in metrics.get("versions", {}).items()]
    rows += [[f"time to {key}", f"{seconds:.1f} s"] for key, seconds in metrics.get("seconds", {}).items()
             if isinstance(seconds, (int, float))]
    run = metrics.get("run", {})
    rows += [[name, run[key]] for key, name in RUN.items() if key in run]
    if not environment:
        rows.append(["environment.json", "not there: run 01_prepare"])
    return (
        f"<p>To repeat it:</p><pre><code>{text(command(metrics))}</code></pre>"
        + table("Times differ from run to run.", ("what", "value"), rows, long=(1,))
    )


def command(metrics):
    """The command line that repeats this run under another name."""
    keys = (
        "per_class", "split", "arch", "weights", "size_px", "augment", "views", "epochs", "batch_size", "learning_rate",
        "tail_epochs", "tail_learning_rate", "keep", "seed",
    )  # fmt: skip
    data = {"demo": "demo", "kaggle": "kaggle"}.get(metrics.get("source"), "THE_FOLDER_OF_PHOTOS")
    again = f"{metrics.get('run', {}).get('name') or 'report'}-again"
    settings = {"DATA": data} | {key.upper(): metrics[key] for key in keys if key in metrics} | {"RUN": again}
    return "maskkit reproduce" + "".join(f" --set {key}={shlex.quote(str(v))}" for key, v in settings.items())


def rejected(run_dir):
    path = run_dir / "rejected.csv"
    if not path.exists():
        return absent("rejected.csv", "01_prepare")
    rows = [[row["source"], row["label"], row["reason"]] for row in runs.read_csv(path)]
    if not rows:
        return "<p>None: every photo that was drawn could be read.</p>"
    said = "Each was replaced by the next draw where there was one."
    listed = table(said, ("file", "class", "reason"), rows, long=(0, 2))
    return listed if len(rows) <= 12 else details(f"{len(rows)} files", listed)


# --- pieces -------------------------------------------------------------------------------------


def in_words(metrics, name):
    """What a figure shows, for those who do not see it."""
    best, last, classes = metrics["best"], metrics["last"], metrics.get("classes", ())
    if name == "confusion":
        rows = []
        for true, row in zip(classes, metrics["confusion"], strict=False):
            called = ", ".join(f"{n} called {name}" for name, n in zip(classes, row, strict=True) if n)
            rows.append(f"true {true}: {called or 'no photo'}")
        return f"{count(kept(metrics))} right. {'; '.join(rows)}."
    return {
        "split": f"{value(metrics, 'n_train')} training and {value(metrics, 'n_val')} validation photos.",
        "photos": "Some photos of each class.",
        "training_curves": f"Loss and accuracy by epoch; the best is {best['epoch']}: {accuracy(best)}.",
        "scores": f"Best epoch {accuracy(best)}; last epoch {accuracy(last)}; then each class's recall.",
        "predictions": "Validation photos, each with its predicted class and probability.",
        "mistakes": "The photos that the table below lists.",
    }[name]


def value(metrics, key):
    found = metrics.get(key)
    return "not recorded" if found is None else f"{found:,}" if isinstance(found, int) else str(found)


def kept(metrics):
    """The score of the epoch that was saved."""
    return metrics[metrics.get("keep", "best")]


def count(result):
    return f"{result['correct']} of {result['n']}"


def shares(result):
    """97.5 %, 95 % interval 87.1-99.6 %"""
    low, high = result["interval"]
    return f"{100 * result['accuracy']:.1f} %, 95 % interval {100 * low:.1f}-{100 * high:.1f} %"


def accuracy(result):
    return f"{count(result)} ({shares(result)})"


def absent(what, notebook):
    return banner(f"{what} is not there: run {notebook} with the same RUN.")


def figure(run_dir, name, metrics):
    """A figure inside the page, what it shows in words for those who do not see it, and what to look for."""
    path = run_dir / "figures" / f"{name}.png"
    if not path.exists():
        return absent(f"Figure {name}", NOTEBOOKS.get(name, "03_evaluate"))
    return markup.figure(path, in_words(metrics, name), LOOK_FOR[name])
