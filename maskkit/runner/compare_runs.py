"""Runs side by side: a list of all run folders, and two of them compared."""

import dataclasses
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from maskkit import evaluate, runs
from maskkit.core import audit_file, disk, intervals, paths

COLUMNS = ("run", "finished", "photos", "network", "score", "checks")
SETTINGS = (
    "photos", "n_train", "n_val", "split", "network", "weights", "size_px", "augment", "views", "epochs", "batch_size",
    "learning_rate", "average_epochs", "bias_views", "tail_epochs", "tail_learning_rate", "tail_share", "keep", "seed",
    "device",
)  # fmt: skip


def list_runs() -> list[dict[str, str]]:
    """One dict of text per folder of runs/, the latest first, with the keys COLUMNS.

    A folder that no run has finished in says under `score` what is missing or wrong.
    """
    folders = [path for path in run_folders() if path.suffix != runs.PART and (path / "metrics.json").is_file()]
    return sorted(map(describe_run, folders), key=lambda row: row["finished"], reverse=True)


def run_folders() -> list[Path]:
    """The folders below runs/, but for hidden ones."""
    return [path for path in paths.RUNS.glob("[!.]*") if path.is_dir()]


def list_unfinished() -> dict[str, bool]:
    """Folders in which a run works until all its notebooks have passed: {name: whether a process is at work there}."""
    folders = sorted(path for path in run_folders() if path.suffix == runs.PART)
    return {path.name: runs.is_locked(path.with_name(runs.run_name(path))) for path in folders}


def is_evaluated(run_dir: Path) -> bool:
    """Whether a run's folder holds what `compare` needs."""
    try:
        return "mistakes" in runs.read_metrics(run_dir)
    except (OSError, ValueError, TypeError):
        return False


def describe_run(run_dir: Path) -> dict[str, str]:
    """The row of one run folder."""
    row = dict.fromkeys(COLUMNS, "-") | {"run": run_dir.name}
    try:
        metrics = runs.read_metrics(run_dir)
        run = metrics.get("run", {})
        score = metrics.get(metrics.get("keep", "best"))
        return row | {
            "finished": run.get("finished") or run.get("started", "-"),
            "photos": metrics.get("photos", "-"),
            "network": metrics.get("network", "-"),
            "score": evaluate.format_score(score) if score else "not trained yet",
            "checks": count_results(run_dir),
        }
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        return row | {"score": f"metrics.json cannot be used: {type(error).__name__}: {error}"}


def count_results(run_dir: Path) -> str:
    """The audit's results, '3 pass, 2 warning'; '-' without an audit, or why it cannot be used."""
    audit, problem = audit_file.read(run_dir)
    if not audit:
        return problem["sentence"] if problem else "-"
    results = [audit_file.RESULTS[check["result"]] for check in audit["results"].values()]
    return ", ".join(f"{results.count(name)} {name}" for name in dict.fromkeys(results))


def format_table(columns: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """Rows of text as aligned lines, the header first."""
    lines = [columns, *rows]
    widths = [max(map(len, cells)) for cells in zip(*lines, strict=True)]
    return "\n".join(
        "  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip() for line in lines
    )


# --- two runs -----------------------------------------------------------------------------------


@dataclasses.dataclass(frozen=True)
class Comparison:
    """Two runs side by side; rows are (name, of the first run, of the second)."""

    settings: list[tuple[str, str, str]]  # those that differ
    scores: list[tuple[str, str, str]]
    sentence: str  # the difference of the saved epochs' accuracies with its 95 % interval


def compare(first: Path, second: Path) -> Comparison:
    """Two run folders compared, paired where both were checked on the same photos.

    Raises:
        FileNotFoundError: a run has not been evaluated; says which notebook to run.
    """
    metrics = [runs.read_metrics(run_dir) for run_dir in (first, second)]
    for run_dir, content in zip((first, second), metrics, strict=True):
        if "mistakes" not in content:
            raise FileNotFoundError(f"{run_dir} holds no evaluation; run 03_evaluate.ipynb with the same RUN first")
    a, b = metrics
    settings = [(key, str(a.get(key, "-")), str(b.get(key, "-"))) for key in SETTINGS]
    return Comparison(
        settings=[row for row in settings if row[1] != row[2]],
        scores=[
            (f"{key} epoch", evaluate.format_score(a[key]), evaluate.format_score(b[key])) for key in ("best", "last")
        ],
        sentence=format_difference(read_answers(first, a), read_answers(second, b)),
    )


def read_answers(run_dir: Path, metrics: Mapping[str, Any]) -> dict[str, bool]:
    """{sha256 of a validation photo: whether the saved model was right}; equal files have one entry."""
    wrong = {row["file"] for row in metrics["mistakes"]}
    rows = disk.read_csv(runs.need(run_dir, "split.csv", "01_prepare.ipynb"))
    return {row["sha256"]: row["file"] not in wrong for row in rows if row["part"] == "val"}


def format_difference(first: Mapping[str, bool], second: Mapping[str, bool]) -> str:
    """The second run's accuracy minus the first's, in words, from what `read_answers` gives of each."""
    if first.keys() == second.keys():
        pairs = [(first[key], second[key]) for key in first]
        counts = [pairs.count(pair) for pair in ((True, True), (True, False), (False, True), (False, False))]
        gain, ends = intervals.paired_shares(*counts)
        how = (
            f"paired on the same {len(pairs)} validation photos: {counts[2]} right in the second only, {counts[1]} in "
            f"the first only"
        )
    else:
        gain, ends = intervals.unpaired_shares(sum(first.values()), len(first), sum(second.values()), len(second))
        n_same = len(first.keys() & second.keys())
        how = f"not paired: {n_same} of {len(first)} and {len(second)} validation photos are the same"
    low, high = (100 * end for end in ends)
    verdict = "could be chance alone" if low <= 0 <= high else "more than chance explains"
    return (
        f"second minus first, saved epochs: {100 * gain:+.1f} points (95 % interval {low:+.1f} to {high:+.1f}), "
        f"{verdict}; {how}"
    )
