"""Datalab (cleanlab) on the same planted folders and features, for the checks that both have.

It needs the packages of `make .venv/datalab`; without them the audit is measured alone. Datalab marks photos. The
shares of marked photos are judged by the audit's own limits, so that both are held to one measure.
"""

import contextlib
import io
import logging
import time

import numpy as np

from maskkit.audit import calibration
from maskkit.audit.checks.files import LABEL_LIMITS
from maskkit.audit.checks.leaks import LIMITS
from maskkit.audit.entries import judge
from maskkit.core.intervals import wilson
from planting.checks import agreement
from planting.pools import CLASSES

ONE_PROCESS = {"clean_learning_kwargs": {"find_label_issues_kwargs": {"n_jobs": 1}}}
PROPERTIES = ("odd_size", "dark", "light", "odd_aspect_ratio", "blurry", "low_information")


def is_installed():
    """Whether Datalab and what it needs can be imported."""
    try:
        import datasets  # noqa: F401
        from cleanlab import Datalab  # noqa: F401
    except ImportError:
        return False
    return True


def measure(fault, folder, audited):
    """Rows of what Datalab finds in a planted folder, for the faults that both look for."""
    started = time.process_time()
    rows = []
    if fault == "clean" or fault.startswith("copies"):
        info, issues = find(folder, audited, {"near_duplicate": {}})
        rows.append(near_duplicates(folder, audited, issues, info))
    if fault in ("clean", "labels"):
        _, issues = find(folder, audited, {"label": ONE_PROCESS})
        rows.append(labels(folder, issues))
    if fault == "clean-shortcuts" or fault.startswith("shortcut"):
        images = {"image_issue_types": {name: {} for name in PROPERTIES}, "spurious_correlations": {}}
        rows.append(spurious(find(folder, audited, images)[0]))
    seconds = round(time.process_time() - started, 3)
    return [row | {"seconds": seconds, "shared": 0.0} for row in rows]


def find(folder, audited, wanted):
    """(info, issues) of a Datalab; wanted: its issue types."""
    import datasets
    from cleanlab import Datalab

    datasets.disable_progress_bars()
    logging.disable(logging.WARNING)
    images = "spurious_correlations" in wanted
    columns = {"label": audited.labels.tolist()}
    kinds = {"label": datasets.ClassLabel(names=list(CLASSES))}
    if images:
        columns["image"] = [str(row["path"]) for row in audited.photos.rows]
        kinds["image"] = datasets.Image()
    inputs = {"features": audited.classifier.X.numpy()}
    if "label" in wanted:
        inputs = {"pred_probs": calibration.softmax(audited.out_of_fold(0))}
    table = datasets.Dataset.from_dict(columns, features=datasets.Features(kinds))
    with contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(io.StringIO()):
        lab = Datalab(table, label_name="label", image_key="image" if images else None, verbosity=0)
        lab.find_issues(issue_types=wanted, **inputs)
    logging.disable(logging.NOTSET)
    return lab.get_info(), lab.get_issues()


def row(check, verdict, value, interval, n, truth, **more):
    """A row as of `checks.row_of`."""
    low, high = interval
    return {"check": f"Datalab: {check}", "verdict": verdict, "value": value, "low": low, "high": high} | {
        "truth": truth,
        "n": n,
        **more,
    }


def near_duplicates(folder, audited, issues, info):
    """Validation photos that Datalab sets beside a training photo, as the audit's leaks are counted."""
    held_out = np.array([photo.part == "Validation" for photo in folder.photos])
    flagged = np.zeros(len(held_out), dtype=bool)
    for place, others in enumerate(info["near_duplicate"]["near_duplicate_sets"]):
        flagged[place] = held_out[place] and bool((~held_out[np.asarray(others, dtype=int)]).any())
    flagged &= issues["is_near_duplicate_issue"].to_numpy()
    n = int(held_out.sum())
    value = flagged.sum() / n
    verdict = judge([value, value], *LIMITS)
    truth = float(folder.planted[held_out].mean())
    found = agreement(folder.planted, flagged)
    return row("near_duplicate", verdict, float(value), wilson(int(flagged.sum()), n), n, truth, **found)


def labels(folder, issues):
    """Photos whose label Datalab calls wrong."""
    flagged = issues["is_label_issue"].to_numpy()
    n, k = len(flagged), int(flagged.sum())
    truth = float(folder.planted.mean())
    return row(
        "label", judge([k / n] * 2, *LABEL_LIMITS), k / n, wilson(k, n), n, truth, **agreement(folder.planted, flagged)
    )


def spurious(info):
    """Whether a property of the images is correlated with the classes, by Datalab's own threshold."""
    found = info["spurious_correlations"]
    scores = dict(zip(found["correlations_df"]["property"], found["correlations_df"]["score"], strict=True))
    lowest = min(scores.values())
    verdict = "fail" if lowest < found["threshold"] else "pass"
    return row("spurious_correlations", verdict, None, (None, None), 0, None, scores=scores)
