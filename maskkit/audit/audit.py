"""How much of the number is real: the audit of a photo folder and of the model trained on it.

folder -> `survey.read` -> versions of one original (`audited.find_versions`) -> features and heads of each network
(`classifiers`) -> the checks (`checks`), each of which gives entries, a result and figures -> audit.json. Nothing is
changed or moved; odd photos are listed in suspects.csv.
"""

import dataclasses
import json
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from maskkit import checkpoint, data, model, plots, pretrained, runs
from maskkit.audit import checks, overview, recipes, survey
from maskkit.audit.audited import Align, Audited, align_once, find_versions, fit_heads, parts_of_run, read_run_photos
from maskkit.audit.checks import regions
from maskkit.audit.checks.check import Audit, Check, Context, Measured
from maskkit.audit.checks.files import suspect_rows
from maskkit.audit.classifiers import Classifier, classifier_of_run, find_classifiers
from maskkit.audit.entries import Message
from maskkit.core import disk, environment, markdown, mutes, paths
from maskkit.core.audit_file import RESULTS, VERSION
from maskkit.core.cache import cached
from maskkit.core.messages import fields, in_english, message
from maskkit.sources import folders

GROUP_COLUMNS = ("file", "sha256", "group")
SIGNS = {result: f"{sign} {word}" for (result, word), sign in zip(RESULTS.items(), "✓!✗?–", strict=True)}
SUSPECT_COLUMNS = ("file", "label", "part", "problem", "detail")


# --- the whole audit ----------------------------------------------------------------------------


@dataclasses.dataclass
class Examination:
    """An audit under way: its checks are measured and drawn one by one, in the order of `checks.NAMES`.

    out: the folder written to; result: what audit.json will hold, with the checks measured so far.
    started: `time.perf_counter` at its beginning; muted: {code: reason} of checks.
    """

    audited: Audited
    context: Context
    out: Path
    result: Audit
    started: float
    muted: Mapping[str, str] = dataclasses.field(default_factory=dict)

    def measure(self, name: str) -> str:
        """Measure a check; name: of its file in `checks`. Returns its result and entries as a Markdown table."""
        check = checks.find(name)
        add_to(self.result, check, check.measure(self.audited, self.context))
        mutes.apply(self.result, self.muted)
        return format_check(self.result, check)

    def draw(self, name: str) -> list[plots.Saved]:
        """Draw the figures of a measured check, figures/trust_*.png and .svg; those of an earlier audit go."""
        check = checks.find(name)
        for figure_name in check.look_for:
            for earlier in (self.out / "figures").glob(f"trust_{figure_name}.*"):
                earlier.unlink()
        figures = check.figures(self.result, self.audited, self.context)
        return [plots.save(figure, self.out, f"trust_{figure_name}") for figure_name, figure in figures]

    def draw_overview(self) -> plots.Saved:
        """Draw all results in one figure, figures/trust_results.png and .svg."""
        return plots.save(overview.draw(self.result, language=self.context.language), self.out, "trust_results")

    def write(self) -> Audit:
        """Write audit.json with the checks measured so far, groups.csv and suspects.csv; returns the audit."""
        seconds = round(time.perf_counter() - self.started, 3)
        self.result |= {"seconds": {"audit": seconds}, "run": {"name": self.out.name, "finished": runs.now()}}
        disk.write_csv(self.out / "groups.csv", group_rows(self.audited), GROUP_COLUMNS)
        disk.write_csv(self.out / "suspects.csv", suspect_rows(self.audited.odd), SUSPECT_COLUMNS)
        disk.write_json(self.out / "audit.json", self.result)
        return self.result


def examine(
    folder: str | Path,
    out: str | Path,
    *,
    run: Path | None = None,
    arch: str = "auto",
    weights: str = "auto",
    compare: str = "both",
    against: str | Path = "",
    mute: str = "",
    device: str = "auto",
    seed: int = 0,
    language: str = "en",
    log: Callable[[str], object] = print,
) -> Examination:
    """Begin the audit of a folder of photos, and of a model: read the photos, find versions, compute features.

    Args:
        folder: as parameter DATA: "auto", "kaggle", "demo" or a folder.
        out: the folder written to, made if need be.
        run: folder of the run whose model is audited; without one the report's recipe is trained on the photos.
        arch, weights: as parameters ARCH and WEIGHTS, of a backbone beside or without a run's.
        compare: "both" takes ResNet18 and MobileNetV2, "run" the audited backbone alone. One whose weights are
            not available is "unknown", with the reason.
        against: a second folder of photos, of another source; "" has none.
        mute: as parameter MUTE.
        device: as parameter DEVICE; seed: of draws, folds and resamples.
        language: of the figures.
        log: called with a line about each step.

    Raises:
        FileNotFoundError, ValueError: the folders hold no two classes of photos, or the model knows other classes;
            or `mute` names no check.
    """
    muted = checks.find_muted(mute)
    started, out, chosen_device = time.perf_counter(), Path(out), model.device(device)
    disk.check_writable(out)
    source, photos = read_photos(folder, log)
    classifiers, arch, recipe, origin = find_classifiers(run, arch, weights, compare, photos.classes)
    other_source = read_other_source(against, photos.classes, log) if against else None
    context = Context(chosen_device, seed, other_source, language=language)
    audited = prepare(photos, classifiers, arch, recipe, origin, run, context, log)
    sha256 = disk.read_json(Path(run) / "model.json")["model_sha256"] if run else ""
    result = head(audited, "whole", source.photos, source.kind, sha256)
    result |= {"source_note": source.note, "versions": environment.versions()}
    return Examination(audited, context, out, result, started, muted)


def audit(folder: str | Path, out: str | Path, *, log: Callable[[str], object] = print, **settings: Any) -> Audit:
    """Audit a folder of photos, and a model; write audit.json, figures, suspects.csv and groups.csv into `out`.

    Args:
        folder, out, log, settings: of `examine`.

    Returns:
        the audit, as in audit.json.

    Raises:
        FileNotFoundError, ValueError: as `examine`.
    """
    examination = examine(folder, out, log=log, **settings)
    for name in checks.NAMES:
        if step := checks.find(name).step:
            log(step)
        examination.measure(name)
    log("figures")
    examination.draw_overview()
    for name in checks.NAMES:
        examination.draw(name)
    return examination.write()


def read_photos(folder: str | Path, log: Callable[[str], object]) -> tuple[folders.Source, survey.Survey]:
    """The photos that parameter DATA means."""
    source = folders.find(str(folder))
    files = survey.find_files(source)
    if not files:
        raise ValueError(f"DATA: {source.folder} holds class folders, but no file in them")
    log(f"reading {len(files):,} files: {source.photos}")
    return source, survey.read(files, cache=paths.CACHE)


def read_other_source(
    folder: str | Path, classes: tuple[str, ...], log: Callable[[str], object]
) -> tuple[folders.Source, survey.Survey]:
    """The photos of another source.

    Raises:
        ValueError: they are of other classes.
    """
    source, photos = read_photos(folder, log)
    if photos.classes != classes:
        raise ValueError(
            f"--against: {folder} holds the classes {', '.join(photos.classes)}, "
            f"but the audited photos have the classes {', '.join(classes)}"
        )
    return source, photos


# --- a run's own photos, in 03_evaluate ----------------------------------------------------------


def audit_run(run_dir: Path, *, device: str = "auto", seed: int = 0, mute: str | None = None) -> Audit:
    """The audit of a run's own photos and model, in seconds, without figures.

    The photos count as a sample of their source, so intervals are wider than those of the whole audit. The checks do
    less, each sentence says how much: a few hundred splits, no untrained network, two hidden regions. Writes audit.json
    unless a whole audit of the same model is there.

    Args:
        device: as parameter DEVICE; seed: of draws, folds and resamples.
        mute: as parameter MUTE; None: the checks that are muted in the audit.json that is there.

    Returns:
        the audit (the whole one, where that is kept).

    Raises:
        FileNotFoundError, ValueError: as `data.read_split`; or `mute` names no check.
    """
    path, muted = Path(run_dir) / "audit.json", None if mute is None else checks.find_muted(mute)
    result = earlier = read_earlier(path)
    same = earlier.get("model_sha256") == disk.read_json(run_dir / "model.json")["model_sha256"]
    if earlier.get("scope") != "whole" or not same:
        result = find_run_audit(run_dir, device, seed)
    if muted is None:
        muted = mutes.of_audit(earlier) if earlier else {}
    mutes.apply(result, muted)
    disk.write_json(path, result)
    return result


def read_earlier(path: Path) -> Audit:
    """The content of an audit.json of this version; {} where there is none."""
    earlier = disk.read_json(path) if path.exists() else {}
    return earlier if earlier.get("version") == VERSION else {}


def find_run_audit(run_dir: str | Path, device: str = "auto", seed: int = 0) -> Audit:
    """What `audit_run` writes; that of the same photos, model and code comes from the cache."""
    run_dir = Path(run_dir)
    description = disk.read_json(runs.need(run_dir, "model.json", "02_train.ipynb"))
    rows, metrics = data.read_split(run_dir), runs.read_metrics(run_dir)
    named = [metrics.get(name) for name in ("photos", "source")]
    inputs = [environment.code_hash(), environment.versions(), description, recipes.recipe_of(metrics), rows, *named]

    def compute() -> dict[str, np.ndarray]:
        network, description = checkpoint.load(run_dir)
        context = Context(model.device(device), seed, is_sample=True)
        photos = read_run_photos(run_dir, [row for part in rows for row in part], description["classes"])
        classifier = classifier_of_run(network, description)
        audit = measure_run(run_dir, photos, classifier, metrics, description["model_sha256"], context)
        return {"audit": np.frombuffer(json.dumps(audit).encode(), dtype=np.uint8)}

    found = cached("audit", [*inputs, device, seed], compute, cache=paths.CACHE)
    return json.loads(found["audit"].tobytes())


def prepare_run_audit(run_dir: str | Path) -> None:
    """Compute into the cache what `find_run_audit` needs and no model takes part in: the survey, and aligned photos."""
    run_dir = Path(run_dir)
    rows, metrics = data.read_split(run_dir), runs.read_metrics(run_dir)
    find_versions(read_run_photos(run_dir, [row for part in rows for row in part], metrics["classes"]), None)


def find_hidden_features(run_dir: str | Path, device: str = "auto") -> None:
    """Compute the features of a run's photos with hidden regions into the cache, where `find_run_audit` finds them.

    They take longest, so a second process can compute them at the same time.
    """
    network, description = checkpoint.load(Path(run_dir))
    extract_hidden(Path(run_dir), classifier_of_run(network, description), description["classes"], device)


def find_frozen_hidden_features(run_dir: str | Path, arch: str, weights: str, seed: int, device: str = "auto") -> None:
    """`find_hidden_features` before there is a model, for one whose backbone stays frozen.

    arch, weights, seed, device: as parameters of 02_train.
    """
    source, classes = pretrained.find(arch, weights), runs.read_metrics(Path(run_dir))["classes"]
    network = model.build(source, n_classes=len(classes), seed=seed)
    extract_hidden(Path(run_dir), Classifier(source.arch, source.weights, "", network), classes, device)


def extract_hidden(run_dir: Path, classifier: Classifier, classes: Sequence[str], device: str) -> None:
    """Compute the features of the validation photos with each region hidden."""
    _, rows = data.read_split(run_dir)
    whole = data.MaskDataset(rows, run_dir, tuple(classes), classifier.transform)
    for hidden in regions.hidden_at_once(whole):
        classifier.extract(hidden, model.device(device))


def measure_run(
    run_dir: Path,
    photos: survey.Survey,
    classifier: Classifier,
    metrics: dict[str, Any],
    model_sha256: str,
    context: Context,
) -> Audit:
    """The content of audit.json for a run's own photos; metrics: its metrics.json."""
    classifiers, recipe = {classifier.arch: classifier}, recipes.recipe_of(metrics)
    audited = prepare(photos, classifiers, classifier.arch, recipe, message("of this run"), run_dir, context)
    result = head(audited, "run", metrics["photos"], metrics["source"], model_sha256)
    # Hidden regions last: another process may be computing their features, see `find_hidden_features`.
    in_turn = sorted(checks.CHECKS, key=lambda check: check is regions.CHECK)
    measured = {check.section: check.measure(audited, context) for check in in_turn}
    for check in checks.CHECKS:
        add_to(result, check, measured[check.section])
    return result


# --- what both share ----------------------------------------------------------------------------


def prepare(
    photos: survey.Survey,
    classifiers: dict[str, Classifier],
    arch: str,
    recipe: recipes.Recipe,
    origin: Message,
    run: Path | None,
    context: Context,
    log: Callable[[str], object] = lambda line: None,
    align: Align = align_once,
) -> Audited:
    """What the checks measure: the photos with their versions, and each network with its features and head.

    align: as of `find_versions`.
    """
    for classifier in (classifier for classifier in classifiers.values() if classifier.network is not None):
        log(f"features of {len(photos):,} photos by {classifier.arch}")
        classifier.X = classifier.features(photos.rows, photos.classes, context.device)
    log("looking for leaks")
    versions = find_versions(photos, classifiers[arch].X if classifiers[arch].network is not None else None, align)
    audited = Audited(photos, versions, recipe, origin, arch, classifiers, *parts_of_run(run, photos))
    fit_heads(audited, run, context.seed)
    return audited


def add_to(result: Audit, check: Check, measured: Measured) -> None:
    """Add what a check found to the content of audit.json, in place of an earlier measurement."""
    judged = check.result(measured)
    if check.name:
        result["results"][check.name] = judged
    result[check.section] = check.judged_entries(measured, judged["result"])
    others = [described for described in result["checks"] if described["section"] != check.section]
    result["checks"] = [*others, check.describe(measured)]


def head(audited: Audited, scope: str, photos: str, source: str, sha256: str) -> Audit:
    """The head of audit.json: what was audited; photos, source: names as metrics.json has them."""
    networks = {
        classifier.arch: {"weights": classifier.weights, "note": classifier.note}
        for classifier in audited.classifiers.values()
    }
    return {
        "version": VERSION,
        "scope": scope,
        "photos": photos,
        "source": source,
        "classes": list(audited.photos.classes),
        "n": len(audited.photos),
        "arch": audited.arch,
        **fields(model=audited.origin),
        "model_sha256": sha256,
        "recipe": audited.recipe,
        "networks": networks,
        "results": {},
        "checks": [],
    }


def group_rows(audited: Audited) -> list[dict[str, str]]:
    """groups.csv: every photo's group by number; `curate` reads it by sha256."""
    return [
        {"file": row["file"], "sha256": row["sha256"], "group": f"found-{group:06d}"}
        for row, group in zip(audited.photos.rows, audited.groups.tolist(), strict=True)
    ]


def format_check(result: Audit, check: Check) -> str:
    """The result of a check and each of its entries, as a Markdown table, and how often the check is right."""
    described = next(found for found in result["checks"] if found["section"] == check.section)
    rows = []
    if check.name:
        judged = result["results"][check.name]
        rows.append((f"result: {check.title} ({check.code})", SIGNS[judged["result"]], judged["sentence"]))
    for key, entry in result[check.section].items():
        rows.append((in_english(described["entries"][key]), SIGNS[entry["result"]], entry["sentence"]))
    table = markdown.table(("what", "result", "what was found"), rows)
    more = [f"{check.code} is muted: {described['muted']}"] if described["muted"] else []
    return "\n\n".join([table, *more, *([described["sensitivity"]] if "sensitivity" in described else [])])
