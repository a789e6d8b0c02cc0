"""report.html: a run on one page, for readers who never open Python. No script, nothing loaded from afar."""

import re
import shlex
from pathlib import Path

from maskkit import corrections, runs
from maskkit.core import class_names, disk
from maskkit.html import audit_section, languages, markup
from maskkit.html.languages import number, say
from maskkit.html.markup import (
    PRIVACY,
    PRIVACY_DRAWN,
    Markup,
    banner,
    details,
    ends,
    percent,
    section,
    stored,
    table,
    text,
)

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
    "seed": "seed",
    "split": "way of splitting",
    "per_class": "photos drawn per class",
    "epochs": "epochs",
    "batch_size": "batch size",
    "learning_rate": "learning rate",
    "size_px": "side of the network's input, pixels",
    "augment": "augmentation",
    "views": "views of each photo",
    "tail_epochs": "further epochs of the last stages",
    "tail_learning_rate": "their learning rate",
    "tail_share": "share of their tuning kept",
    "keep": "epoch kept",
    "n_train": "training photos",
    "n_val": "validation photos",
    "n_rejected": "photos set aside",
    "device": "device",
}
WAYS = {
    "grouped": "Photos of one original stay together in one part, so that no near copy of a training "
    "photo is among the photos to check.",
    "given": "The parts are folders of the photos' own: the training part was learned from, the other one checked. "
    "Copies of one photo may stand on both sides; the audit counts them.",
    "random": "The parts were drawn photo by photo, as the report did: near copies of one photo may "
    "stand on both sides, and then the number is too good.",
}
FOREIGN = (
    "The words in the figures, names of files and settings, and what the project has no translation of are in English. "
    "In the figures: training, validation (the two parts), accuracy, loss, epoch, true, predicted."
)
SHOWN = {
    "photos": "Some photos of each class.",
    "predictions": "Validation photos, each with its predicted class and probability.",
    "mistakes": "The photos that the table below lists.",
}
RUN = {"started": "started", "finished": "finished", "features_computed": "photos not in the feature cache"}


def write(run_dir):
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
    with languages.speaking(metrics.get("language", "en")):
        disk.write_text(path, whole(run_dir, metrics))
    return path


def whole(run_dir, metrics):
    """The page as HTML, in the order in which its reader asks: what came out, is it so, how was it made."""
    drawn = metrics.get("source") == "demo" and not audit_section.shows_others(run_dir)
    privacy = say(PRIVACY_DRAWN if drawn else PRIVACY)
    name = metrics.get("run", {}).get("name") or runs.run_name(run_dir)
    audit, problem = audit_section.read(run_dir, name)
    photos = figure(run_dir, "photos", metrics) if (run_dir / "figures" / "photos.png").exists() else ""
    parts = [
        headline(metrics, name, privacy, audit_section.lamps(audit)),
        "<main>",
        section(say("How it learned"), figure(run_dir, "training_curves", metrics), history(run_dir)),
        section(say("What it got right"), figure(run_dir, "confusion", metrics), per_class(metrics)),
        section(say("The scores, and how sure they are"), figure(run_dir, "scores", metrics)),
        section(say("Mistakes"), mistakes(run_dir, metrics)),
        section(say("Predictions"), figure(run_dir, "predictions", metrics)),
        section(
            say("How far to trust it"),
            trust(metrics),
            banner(problem) if problem else audit_section.section(audit, run_dir, name),
            anchor="trust",
        ),
        section(say("The report's statements, and this run"), claims(run_dir)),
        section(
            say("What it was asked to learn from"),
            figure(run_dir, "split", metrics),
            splits(metrics),
            conflicts(run_dir),
            photos,
        ),
        section(say("Photos that were set aside"), rejected(run_dir)),
        section(say("How it was made"), made(run_dir, metrics)),
        "</main>",
        f"<footer><p>{privacy}</p><p>{text(say('Written by maskkit for the run {name}.', name=name))}</p></footer>",
    ]
    title = say("{name}: {count} right", name=name, count=count(kept(metrics)))
    return markup.document(title, parts, languages.chosen.get())


# --- the sections -------------------------------------------------------------------------------


def headline(metrics, name, privacy, lamps):
    """The one number with its interval, which photos and weights, and loudly what was not as asked for."""
    best, last = metrics["best"], metrics["last"]
    notes = [metrics[key] for key in ("source_note", "weights_note") if metrics.get(key)]
    loud = f"<strong>{say('Not what was asked for first:')}</strong>"
    banners = "".join(fallback(loud, note) for note in notes)
    parts = say(
        "{photos}: {n_train} to learn, {n_val} to check",
        photos=value(metrics, "photos"),
        n_train=value(metrics, "n_train"),
        n_val=best["n"],
    )
    counted = {key: value(metrics, key) for key in ("trainable", "total")}
    facts = {
        say("Photos"): parts,
        say("Classes"): markup.class_list(metrics.get("classes", ())) or say("not recorded"),
        say("Network and weights"): f"{value(metrics, 'arch')}, {value(metrics, 'weights')}",
        say("What learned"): say("{trainable} of {total} weights", **counted),
        say("Last epoch ({epoch})", epoch=last["epoch"]): accuracy(last),
    }
    by_hand = metrics.get("corrected", {})
    if any(by_hand.values()):
        facts[say("Corrected by hand")] = say("labels: {relabelled}, photos set aside: {set_aside}", **by_hand)
    return (
        f'<header><p class="soft">{text(say("maskkit run {name}", name=name))}</p>'
        f"<h1>{text(accuracy(kept(metrics)))} <span>{say('validation photos classified correctly')}</span></h1>"
        f"{ruler(kept(metrics))}<p>{text(which_epoch(metrics))}</p>"
        f'{banners}{lamps}<p class="soft">{privacy}</p>{foreign()}{markup.facts(facts)}</header>'
    )


def fallback(loud: str, note: str) -> str:
    """A banner with a note's plain sentence; how to change it and the technical reason are folded away."""
    sentence, rest = plain(note)
    folded = "".join(f"<p>{stored(line)}</p>" for line in rest)
    more = details(say("Details"), folded) if rest else ""
    return f'<div class="banner"><p>{loud} {stored(sentence)}</p>{more}</div>'


def plain(note: str) -> tuple[str, list[str]]:
    """(first sentence, the other lines) of a note of metrics.json."""
    sentence, *rest = re.split(r"(?<=\.)\s+", note, maxsplit=1)
    return sentence, "".join(rest).splitlines()


def ruler(result):
    """The interval on a scale of 0 to 100 %, so that its width is seen before it is read."""
    low, high = (100 * end for end in result["interval"])
    at = 100 * (result["accuracy"] or 0)
    return (
        f'<div class="ruler" role="img" aria-label="{text(accuracy(result))}">'
        f'<span class="reach" style="left:{low:.1f}%;width:{high - low:.1f}%"></span>'
        f'<span class="here" style="left:{at:.1f}%"></span></div>'
        f'<p class="scale soft" aria-hidden="true"><span>{percent(0)}</span><span>{percent(1)}</span></p>'
    )


def foreign():
    """What on a page of another language stays English, said before the reader meets it."""
    if languages.chosen.get() == "en":
        return ""
    return f'<p class="soft">{say(FOREIGN)}</p>'


def which_epoch(metrics):
    """Which epoch the number is of, and what the other one got."""
    best, last = metrics["best"], metrics["last"]
    if metrics.get("keep") == "last":
        return say(
            "The last of {n} epochs was kept. The best was epoch {best}: {score}.",
            n=last["epoch"],
            best=best["epoch"],
            score=accuracy(best),
        )
    return say(
        "The best of {n} epochs was epoch {best}; it was chosen on these same photos, so it "
        "flatters a little. The last epoch got {score}.",
        n=last["epoch"],
        best=best["epoch"],
        score=accuracy(last),
    )


def splits(metrics):
    return f"<p>{say(WAYS.get(metrics.get('split'), 'How the parts were drawn is not recorded.'))}</p>"


def history(run_dir):
    """Every epoch's numbers, folded away."""
    path = run_dir / "history.csv"
    if not path.exists():
        return absent("history.csv", "02_train")
    rows = []
    for row in disk.read_csv(path):
        losses = [number(f"{float(row[key]):.4f}") for key in ("train_loss", "val_loss")]
        shares = [percent(float(row[key])) for key in ("train_accuracy", "val_accuracy")]
        rows.append([row["epoch"], *losses, *shares, row["val_correct"]])
    columns = (
        say("epoch"),
        say("training loss"),
        say("validation loss"),
        say("training accuracy"),
        say("validation accuracy"),
        say("validation photos right"),
    )
    body = table(say("Loss is cross-entropy; smaller is better."), columns, rows, numbers=range(1, 6))
    return details(say("All {n} epochs as a table", n=len(rows)), body)


def per_class(metrics):
    if not metrics.get("per_class_scores"):
        return absent(say("The table per class"), "03_evaluate")
    scores = class_names.by_name(metrics["per_class_scores"], lambda score: score["class"])
    said = say(
        "Precision: of the photos called so, how many are. Recall: of the photos that are so, how many were "
        "found. F1: both in one number."
    )
    numbered = numbered_classes(metrics.get("classes", ()))
    if len(scores) <= markup.MOST_NAMES:
        return scores_table(said, scores) + numbered
    lowest = sorted(scores, key=lambda score: 2 if score["recall"] is None else score["recall"])[: markup.MOST_NAMES]
    few = say("The {n} classes with the lowest recall, of {of}.", n=len(lowest), of=len(scores))
    everyone = details(say("All {n} classes as a table", n=len(scores)), scores_table(said, scores))
    return scores_table(f"{few} {said}", lowest) + everyone + numbered


def scores_table(caption, scores):
    rows = []
    for score in scores:
        precision = percent(score["precision"], say("never predicted"))
        recall = percent(score["recall"], say("no photo"))
        interval = ends(score["recall_interval"] or None)
        rows.append([score["class"], score["n"], precision, recall, interval, percent(score["f1"])])
    columns = (say("class"), say("photos"), say("precision"), say("recall"), say("95 % interval of recall"), "F1")
    return table(caption, columns, rows, numbers=range(1, 6))


def numbered_classes(classes):
    """Which classes the figures call by their number; '' where none: their letters lie in the font of the figures."""
    if all(name.isascii() and len(name) <= class_names.SHORT for name in classes):
        return ""  # the usual case, without matplotlib
    from maskkit import plots

    marks = [f"#{place}" for place in range(1, len(classes) + 1)]
    shown = zip(marks, classes, plots.class_labels(classes, class_names.SHORT), strict=True)
    found = [f"{mark} {name}" for mark, name, drawn in shown if drawn.endswith(f" {mark}") and drawn != name]
    said = say("In the figures, #n stands for the n-th class: {names}.", names=", ".join(found))
    return f"<p>{text(said)}</p>" if found else ""


def mistakes(run_dir, metrics):
    if "mistakes" not in metrics:
        return absent(say("The list of mistakes"), "03_evaluate")
    if not metrics["mistakes"]:
        n = metrics["best"]["n"]
        return f"<p>{say('None: all {n} validation photos were classified correctly.', n=n)}</p>"
    n, of = len(metrics["mistakes"]), metrics["best"]["n"]
    rows = [[m["file"], m["label"], m["predicted"], percent(m["probability"])] for m in metrics["mistakes"]]
    columns = (say("file"), say("is"), say("was called"), say("probability"))
    said = say("{n} wrongly classified of {of} validation photos, with the weights kept.", n=n, of=of)
    listed = table(said, columns, rows, numbers=(3,), long=(0,))
    if n > 12:
        listed = details(say("All {n} mistakes as a table", n=n), listed)
    return figure(run_dir, "mistakes", metrics) + listed


def claims(run_dir):
    path = run_dir / "claims.json"
    if not path.exists():
        return absent("claims.json", "03_evaluate")
    rows = []
    for claim in disk.read_json(path):
        look, sign = SIGNS.get(claim["verdict"], ("soft", "–"))
        said = f'<span aria-hidden="true">{sign}</span> {stored(claim["verdict"])}'
        mark = Markup(f'<span class="verdict {look}">{said}</span>')
        said, report, here, rule = (stored(claim[key]) for key in ("claim", "report", "here", "rule"))
        rows.append([said, report, here, mark, rule])
    columns = (say("statement"), say("the report"), say("this run"), say("verdict"), say("judged by"))
    said = say("What the report (June 2025) states, and what was found here.")
    return table(said, columns, rows, long=(4,), stacked=True)


def trust(metrics):
    best = kept(metrics)
    n, (low, high) = best["n"], best["interval"]
    step = percent(1 / n) if n else "-"
    said = say(
        "{count} right is what was seen. With only {n} validation photos, a network whose true accuracy lies anywhere "
        "between {low} and {high} could well have given it (95 % Wilson interval). One photo more or less moves the "
        "number by {step}. The interval covers chance alone: not near copies in both parts, not photos from another "
        "camera or place, and not that the best epoch was picked on these photos.",
        count=count(best),
        n=n,
        low=percent(low),
        high=percent(high),
        step=step,
    )
    return f"<p>{text(said)}</p>"


def made(run_dir, metrics):
    """The command that repeats the run, its parameters, versions, device and durations."""
    environment = {}
    if (run_dir / "environment.json").exists():
        environment = disk.read_json(run_dir / "environment.json")
    rows = [[say(name), metrics.get(key, say("not recorded"))] for key, name in PARAMETERS.items()]
    keys = ("platform", "processors", "cuda", "commit")
    rows += [[say(key), environment[key]] for key in keys if environment.get(key)]
    rows += [[key, version] for key, version in metrics.get("versions", {}).items()]
    rows += [
        [say("time for {part}", part=key), number(f"{seconds:.1f} s")]
        for key, seconds in metrics.get("seconds", {}).items()
        if isinstance(seconds, (int, float))
    ]
    run = metrics.get("run", {})
    rows += [[say(name), run[key]] for key, name in RUN.items() if key in run]
    if not environment:
        rows.append(["environment.json", say("not there: run 01_prepare")])
    return f"<p>{say('To repeat it:')}</p><pre><code>{text(command(metrics))}</code></pre>" + table(
        say("Times differ from run to run."), (say("what"), say("value")), rows, long=(1,)
    )


def command(metrics):
    """The command line that repeats this run under another name."""
    keys = (
        "per_class",
        "split",
        "arch",
        "weights",
        "size_px",
        "augment",
        "views",
        "epochs",
        "batch_size",
        "learning_rate",
        "tail_epochs",
        "tail_learning_rate",
        "tail_share",
        "keep",
        "seed",
        "language",
    )
    data = {"demo": "demo", "kaggle": "kaggle"}.get(metrics.get("source"), "THE_FOLDER_OF_PHOTOS")
    run = metrics.get("run", {})
    settings = {"DATA": data} | {key.upper(): metrics[key] for key in keys if key in metrics}
    settings |= {key.upper(): run[key] for key in ("groups", "corrections") if key in run}
    settings["RUN"] = f"{run.get('name') or 'report'}-again"
    return "maskkit reproduce" + "".join(f" --set {key}={shlex.quote(str(v))}" for key, v in settings.items())


def conflicts(run_dir):
    """The files that have two labels or more, folded away where they are many; nothing where there are none."""
    path = run_dir / "conflicts.csv"
    found = disk.read_csv(path) if path.exists() else []  # earlier versions wrote none
    if not found:
        return ""
    n = len({row["sha256"] for row in found})
    rows = [[row["source"], row["label"], say("yes") if row["drawn"] == "yes" else say("no")] for row in found]
    said = say("{n} photos lie in two classes or more with the same bytes: one of their labels is wrong.", n=n)
    listed = table(said, (say("file"), say("class"), say("drawn")), rows, long=(0,))
    return listed if len(rows) <= 12 else f"<p>{said}</p>{details(say('{n} files', n=len(rows)), listed)}"


def rejected(run_dir):
    path = run_dir / "rejected.csv"
    if not path.exists():
        return absent("rejected.csv", "01_prepare")
    found = disk.read_csv(path)
    rows = [[row["source"], row["label"], stored(row["reason"])] for row in found]
    if not rows:
        return f"<p>{say('None: every photo that was drawn could be read.')}</p>"
    said = say("Each was replaced by the next draw where there was one.")
    if any(row["reason"] == corrections.REASON for row in found):
        said = f"{said} {say('Those that were set aside by hand were not replaced.')}"
    listed = table(said, (say("file"), say("class"), say("reason")), rows, long=(0, 2))
    return listed if len(rows) <= 12 else details(say("{n} files", n=len(rows)), listed)


# --- pieces -------------------------------------------------------------------------------------


def in_words(metrics, name):
    """What a figure shows, for those who do not see it."""
    best, last, classes = metrics["best"], metrics["last"], metrics.get("classes", ())
    if name == "confusion" and len(classes) > markup.MOST_NAMES:
        return say(
            "{count} right. The most frequent mistakes: {pairs}.",
            count=count(kept(metrics)),
            pairs=confused(classes, metrics["confusion"]),
        )
    if name == "confusion":
        rows = []
        for true, row in zip(classes, metrics["confusion"], strict=False):
            answers = zip(classes, row, strict=True)
            called = ", ".join(say("{n} called {name}", n=n, name=called) for called, n in answers if n)
            rows.append(say("true {name}: {called}", name=true, called=called or say("no photo")))
        return say("{count} right. {rows}.", count=count(kept(metrics)), rows="; ".join(rows))
    if name == "split":
        counted = {key: value(metrics, key) for key in ("n_train", "n_val")}
        return say("{n_train} training and {n_val} validation photos.", **counted)
    if name == "training_curves":
        return say("Loss and accuracy by epoch; the best is {best}: {score}.", best=best["epoch"], score=accuracy(best))
    if name == "scores":
        scores = {"best": accuracy(best), "last": accuracy(last)}
        return say("Best epoch {best}; last epoch {last}; then each class's recall.", **scores)
    return say(SHOWN[name])


def confused(classes, matrix):
    """The pairs of classes that were most often taken for each other, in words."""
    pairs = [
        say("true {name} called {called}, {n} times", name=true, called=called, n=n)
        for true, called, n in markup.mistaken(classes, matrix)[: markup.MOST_NAMES]
    ]
    return "; ".join(pairs) or say("no mistake")


def value(metrics, key):
    found = metrics.get(key)
    return say("not recorded") if found is None else number(f"{found:,}") if isinstance(found, int) else str(found)


def kept(metrics):
    """The score of the epoch that was saved."""
    return metrics[metrics.get("keep", "best")]


def count(result):
    return say("{n} of {of}", n=result["correct"], of=result["n"])


def shares(result):
    """97.5 %, 95 % interval 87.1-99.6 %"""
    return say("{share}, 95 % interval {ends}", share=percent(result["accuracy"]), ends=ends(result["interval"]))


def accuracy(result):
    return f"{count(result)} ({shares(result)})"


def absent(what, notebook):
    return banner(say("{what} is not there: run {notebook} with the same RUN.", what=what, notebook=notebook))


def figure(run_dir, name, metrics):
    """A figure inside the page, what it shows in words for those who do not see it, and what to look for."""
    path = run_dir / "figures" / f"{name}.png"
    if not path.exists():
        return absent(say("Figure {name}", name=name), NOTEBOOKS.get(name, "03_evaluate"))
    return markup.figure(path, in_words(metrics, name), say(LOOK_FOR[name]))
