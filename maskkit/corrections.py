"""corrections.csv: labels changed and photos excluded by hand, matched to photos by their bytes.

One line per change, in order; the last line of a photo counts, and taking a change back takes its line off. The photos
stay what and where they are, so the file can be read, reviewed, edited and deleted like any other.
"""

from pathlib import Path

from maskkit import runs
from maskkit.core import disk, paths
from maskkit.core.messages import translatable

COLUMNS = ("sha256", "source", "found", "action", "label", "changed")
RELABEL, EXCLUDE = "relabel", "exclude"
REASON = translatable("excluded by hand")  # in rejected.csv


def default() -> Path:
    """The file of all runs: beside the fetched photos, so that a run that is made anew or deleted leaves it alone."""
    return paths.DATA / "corrections.csv"


def find(parameter: str) -> Path | None:
    """The file that parameter CORRECTIONS means, or None: "" is none, "auto" the default one where it is there.

    Raises:
        FileNotFoundError: a file was named that is not there.
    """
    if parameter in ("", "auto"):
        return default() if parameter and default().is_file() else None
    path = Path(parameter).expanduser()
    if not path.is_file():
        raise FileNotFoundError(f"CORRECTIONS: there is no file {path}; 06_explore.ipynb writes {default()}")
    return path


def read(path: Path) -> list[dict[str, str]]:
    """The lines of the file as dicts of COLUMNS; none where there is no file.

    Raises:
        ValueError: not such a file; says which line.
    """
    if not Path(path).is_file():
        return []
    rows = disk.read_csv(path)
    if rows and not set(COLUMNS) <= rows[0].keys():
        raise ValueError(f"CORRECTIONS: {path} must have the columns {', '.join(COLUMNS)}")
    for number, row in enumerate(rows, start=2):
        if row["action"] not in (RELABEL, EXCLUDE) or (row["action"] == RELABEL) != bool(row["label"]):
            raise ValueError(
                f"CORRECTIONS: {path}, line {number}: action must be {RELABEL} with a label, or {EXCLUDE} without, "
                f"got {row['action']!r} with {row['label']!r}"
            )
    return rows


def append(path: Path, *, sha256: str, source: str, found: str, label: str | None) -> None:
    """Add one change, the file written whole or not at all; what another kernel added meanwhile stays.

    Args:
        sha256: of the photo's bytes; source: its path below the photo folder; found: the class whose folder it lies in.
        label: the class it belongs to, or None to exclude it.
    """
    action = EXCLUDE if label is None else RELABEL
    row = dict(zip(COLUMNS, (sha256, source, found, action, label or "", runs.now()), strict=True))
    disk.write_csv(path, [*read(path), row], COLUMNS)


def undo(path: Path) -> dict[str, str] | None:
    """Take the last line off; returns it, or None where there is none."""
    rows = read(path)
    last = rows.pop() if rows else None
    if last:
        disk.write_csv(path, rows, COLUMNS)
    return last


def labels(path: Path) -> dict[str, str | None]:
    """{sha256: the class a photo belongs to, or None where it is excluded}, of every photo in the file."""
    return labels_of(read(path))


def labels_of(rows: list[dict[str, str]]) -> dict[str, str | None]:
    """`labels` of rows as `read` gives them: of two about one photo the later counts."""
    return {row["sha256"]: row["label"] or None for row in rows}


def format_summary(path: Path) -> str:
    """One line: how many photos the file corrects."""
    corrected = labels(path)
    n_excluded = sum(label is None for label in corrected.values())
    return f"{path.name}: {len(corrected) - n_excluded} labels, {n_excluded} photos excluded"
