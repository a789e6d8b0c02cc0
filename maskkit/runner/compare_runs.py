"""Runs side by side: a list of all run folders, and two of them compared."""

from maskkit import evaluate, runs
from maskkit.core import audit_file, disk, intervals, paths

COLUMNS = ("run", "finished", "photos", "network", "score", "lights")
SETTINGS = (
    "photos", "n_train", "n_val", "split", "network", "weights", "size_px", "augment", "views", "epochs", "batch_size",
    "learning_rate", "tail_epochs", "tail_learning_rate", "tail_share", "keep", "seed", "device",
)  # fmt: skip


def listing():
    """One dict of text per folder of runs/, the latest first, with the keys COLUMNS.

    A folder that no run has finished in says under `score` what is missing or wrong.
    """
    folders = [path for path in run_folders() if path.suffix != runs.PART and (path / "metrics.json").is_file()]
    return sorted(map(entry, folders), key=lambda row: row["finished"], reverse=True)


def run_folders():
    """The folders below runs/, but for hidden ones."""
    return [path for path in paths.RUNS.glob("[!.]*") if path.is_dir()]


def unfinished():
    """Folders in which a run works until all its notebooks have passed: {name: whether a process is at work there}."""
    found = sorted(path for path in run_folders() if path.suffix == runs.PART)
    return {path.name: runs.is_locked(path.with_name(runs.own_name(path))) for path in found}


def is_evaluated(run_dir):
    """Whether a run's folder holds what `compare` needs."""
    try:
        return "mistakes" in runs.read_metrics(run_dir)
    except (OSError, ValueError, TypeError):
        return False


def entry(run_dir):
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
            "score": evaluate.say(score) if score else "not trained yet",
            "lights": lights(run_dir),
        }
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        return row | {"score": f"metrics.json cannot be used: {type(error).__name__}: {error}"}


def lights(run_dir):
    """'3 green, 1 amber, 2 unknown'; '-' where there is no audit, what is wrong where it cannot be used."""
    audit, problem = audit_file.read(run_dir)
    if problem:
        return problem["sentence"]
    colours = [light["light"] for light in audit["lights"].values()] if audit else []
    return ", ".join(f"{colours.count(colour)} {colour}" for colour in dict.fromkeys(colours)) or "-"


def table(columns, rows):
    """Rows of text as aligned lines, the header first."""
    rows = [list(columns), *([str(cell) for cell in row] for row in rows)]
    widths = [max(len(row[i]) for row in rows) for i in range(len(columns))]
    return "\n".join(
        "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows
    )


# --- two runs -----------------------------------------------------------------------------------


def compare(first, second):
    """Two runs' settings that differ, their scores, and the difference of the saved epochs' accuracies.

    Args:
        first, second: run folders.

    Returns:
        dict: settings, rows (name, first, second) of those that differ; scores, rows likewise; sentence, the
        difference with its 95 % interval, paired where both were checked on the same photos.

    Raises:
        FileNotFoundError: a run has not been evaluated; says which notebook to run.
    """
    metrics = [runs.read_metrics(run_dir) for run_dir in (first, second)]
    for run_dir, found in zip((first, second), metrics, strict=True):
        if "mistakes" not in found:
            raise FileNotFoundError(f"{run_dir} holds no evaluation; run 03_evaluate.ipynb with the same RUN first")
    pairs = [(key, *(str(found.get(key, "-")) for found in metrics)) for key in SETTINGS]
    scores = [(f"{key} epoch", *(evaluate.say(found[key]) for found in metrics)) for key in ("best", "last")]
    return {
        "settings": [row for row in pairs if row[1] != row[2]],
        "scores": scores,
        "sentence": difference(*(answers(*pair) for pair in zip((first, second), metrics, strict=True))),
    }


def answers(run_dir, metrics):
    """{sha256 of a validation photo: whether the saved model was right}; equal files have one entry."""
    wrong = {row["file"] for row in metrics["mistakes"]}
    rows = disk.read_csv(runs.need(run_dir, "split.csv", "01_prepare.ipynb"))
    return {row["sha256"]: row["file"] not in wrong for row in rows if row["part"] == "val"}


def difference(first, second):
    """The second run's accuracy minus the first's, in words, from what `answers` gives of each."""
    if first.keys() == second.keys():
        right = [(first[key], second[key]) for key in first]
        counts = [right.count(pair) for pair in ((True, True), (True, False), (False, True), (False, False))]
        found, ends = intervals.paired_shares(*counts)
        how = (
            f"paired on the same {len(right)} validation photos: {counts[2]} right in the second only, {counts[1]} in "
            f"the first only"
        )
    else:
        n, of = ([sum(one.values()) for one in (first, second)], [len(one) for one in (first, second)])
        found, ends = intervals.unpaired_shares(n[0], of[0], n[1], of[1])
        how = f"not paired: {len(first.keys() & second.keys())} of {of[0]} and {of[1]} validation photos are the same"
    low, high = (100 * end for end in ends)
    verdict = "could be chance alone" if low <= 0 <= high else "more than chance explains"
    return (
        f"second minus first, saved epochs: {100 * found:+.1f} points (95 % interval {low:+.1f} to {high:+.1f}), "
        f"{verdict}; {how}"
    )
