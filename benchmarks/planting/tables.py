"""Tables of what planted folders showed: per check, fault and dose how often it was found, and how often wrongly."""

import json
from collections import defaultdict

from maskkit.core.intervals import wilson

ALARMS = ("warning", "fail")
FOUND = 0.95  # of the planted folders: the probability that "the smallest dose found" is asked for


def read(path):
    """The rows of a results file, one per check of a folder; a last line that was cut off is left out."""
    rows = []
    for line in path.read_text(encoding="utf-8").splitlines() if path.exists() else ():
        try:
            rows += json.loads(line)["rows"]
        except json.JSONDecodeError:
            continue  # the process was killed while it wrote: the folder is audited again
    return rows


def cells(rows):
    """{(check, fault, pool, dose): cell}, sorted; see `cell_of`."""
    grouped = defaultdict(list)
    for row in rows:
        grouped[row["check"], row["fault"], row["pool"], row["dose"]].append(row)
    return {key: cell_of(grouped[key]) for key in sorted(grouped)}


def cell_of(rows):
    """Counts of the folders of one cell.

    n: folders; alarms: with a warning or fail; red: with a fail; unknown: not measured.
    covered of with_truth: intervals that hold the truth; value, truth: means.
    recall, precision: over single photos, where these are marked; seconds: processor time of the check alone.
    """
    verdicts = [row["verdict"] for row in rows]
    known = [row for row in rows if row["truth"] is not None and row["low"] is not None]
    values = [row["value"] for row in rows if row["value"] is not None]
    cell = {
        "n": len(rows),
        "alarms": sum(verdict in ALARMS for verdict in verdicts),
        "red": verdicts.count("fail"),
        "unknown": verdicts.count("unknown"),
        "with_truth": len(known),
        "covered": sum(row["low"] - 1e-9 <= row["truth"] <= row["high"] + 1e-9 for row in known),
        "value": sum(values) / len(values) if values else None,
        "truth": sum(row["truth"] for row in known) / len(known) if known else None,
        "seconds": sum(row["seconds"] for row in rows) / len(rows),
    }
    if "hits" in rows[0]:
        planted, flagged, hits = (sum(row[name] for row in rows) for name in ("planted", "flagged", "hits"))
        cell["recall"] = hits / planted if planted else None
        cell["precision"] = hits / flagged if flagged else None
    return cell


def smallest_dose(found, outcome="red"):
    """The smallest dose from which on at least 95 % of the folders are found, and its interval on the tested doses.

    Args:
        found: {dose: cell} of one fault; outcome: "red" or "alarms".

    Returns:
        (dose, low, high): by the observed share, by the upper and by the lower end of its Wilson interval; None where
        no tested dose is found so often.
    """
    doses = sorted(found)
    shares = {dose: found[dose][outcome] / found[dose]["n"] for dose in doses}
    ends = {dose: wilson(found[dose][outcome], found[dose]["n"]) for dose in doses}
    return (
        first_for_good(doses, lambda dose: shares[dose] >= FOUND),
        first_for_good(doses, lambda dose: ends[dose][1] >= FOUND),
        first_for_good(doses, lambda dose: ends[dose][0] >= FOUND),
    )


def first_for_good(doses, holds):
    """The first dose from which on a condition holds, None where it does not hold for the last."""
    first = None
    for dose in reversed(doses):
        if not holds(dose):
            return first
        first = dose
    return first


# --- as text ------------------------------------------------------------------------------------


def of(count, n):
    """'96 of 100 (90-98 %)'."""
    if not n:
        return "-"
    low, high = wilson(count, n)
    return f"{count} of {n} ({100 * low:.0f}-{100 * high:.0f} %)"


def share(value):
    return "-" if value is None else f"{100 * value:.1f} %"


def markdown(rows):
    """The table of all cells."""
    lines = [
        "| check | fault | pool | dose | warning or fail | fail | intervals that hold the truth | mean value, truth "
        "| recall, precision (photos) |",
        "|---|---|---|---|---|---|---|---|---|",
    ]
    for (check, fault, pool, dose), cell in cells(rows).items():
        photos = f"{share(cell.get('recall'))}, {share(cell.get('precision'))}" if "recall" in cell else "-"
        lines.append(
            f"| {check} | {fault} | {pool} | {dose:g} | {of(cell['alarms'], cell['n'])} | {of(cell['red'], cell['n'])} "
            f"| {of(cell['covered'], cell['with_truth'])} | {share(cell['value'])}, {share(cell['truth'])} | {photos} |"
        )
    return "\n".join(lines)
