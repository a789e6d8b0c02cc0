"""Tables of what planted folders showed: per check, fault and dose how often it was found, and how often wrongly."""

import json
from collections import defaultdict

from maskkit.core.intervals import wilson

ALARMS = ("warning", "fail")
KEY = ("check", "fault", "pool", "dose")  # of a cell
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


def key_of(row):
    """(check, fault, pool, dose) of a row or a cell."""
    return tuple(row[name] for name in KEY)


def cells(rows):
    """{(check, fault, pool, dose): cell}, sorted; see `cell_of`."""
    grouped = defaultdict(list)
    for row in rows:
        grouped[key_of(row)].append(row)
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
    if "own_truth" in rows[0]:
        cell["loss"] = sum(row["own_truth"] - row["truth"] for row in rows) / len(rows)
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


def markdown(found):
    """The table of all `cells`."""
    lines = [
        "| check | fault | pool | dose | fail | warning or fail | intervals that hold the truth | value, truth (means) "
        "| photos: recall, precision |",
        "|---|---|---|---|---|---|---|---|---|",
    ]
    for (check, fault, pool, dose), cell in found.items():
        photos = f"{share(cell.get('recall'))}, {share(cell.get('precision'))}" if "recall" in cell else "-"
        judged = (of(cell["red"], cell["n"]), of(cell["alarms"], cell["n"])) if is_judged(cell) else ("-", "-")
        lines.append(
            f"| {check} | {fault} | {pool} | {dose:g} | {judged[0]} | {judged[1]} "
            f"| {of(cell['covered'], cell['with_truth'])} | {share(cell['value'])}, {share(cell['truth'])} | {photos} |"
        )
    return "\n".join(lines)


def is_judged(cell):
    """Whether a cell has results, not values alone."""
    return cell["unknown"] < cell["n"]


def smallest(found):
    """The table of the smallest doses found with a probability of 95 %."""
    lines = [
        "| check | fault | pool | folders per dose | smallest dose that fails in 95 % | that warns or fails in 95 % |",
        "|---|---|---|---|---|---|",
    ]
    grouped = defaultdict(dict)
    for (check, fault, pool, dose), cell in found.items():
        if is_judged(cell) and (fault, dose) not in CLEAN:
            grouped[check, fault, pool][strength(fault, dose)] = cell
    for (check, fault, pool), by_dose in grouped.items():
        ns = sorted({cell["n"] for cell in by_dose.values()})
        n = f"{ns[0]}" if ns[0] == ns[-1] else f"{ns[0]} to {ns[-1]}"
        doses = [dose_words(smallest_dose(by_dose, outcome), max(by_dose)) for outcome in ("red", "alarms")]
        lines.append(f"| {check} | {fault} | {pool} | {n} | {doses[0]} | {doses[1]} |")
    return "\n".join(lines)


def dose_words(found, largest):
    """'0.05 (0.05 to above 0.1)'."""
    middle, low, high = (f"above {largest:g}" if dose is None else f"{dose:g}" for dose in found)
    return f"{middle} ({low} to {high})"


BEGIN, END = "<!-- begin of the tables that benchmarks/planted.py writes -->", "<!-- end of the tables -->"


def measured(found):
    """When and where cells were measured: {"first", "last": dates; "processors", "torch": each once}."""
    places = [cell["measured"] for cell in found.values()]
    dates = [place["date"] for place in places]
    processors, versions = (sorted({place[name] for place in places}) for name in ("processor", "torch"))
    return {"first": min(dates), "last": max(dates), "processors": processors, "torch": versions}


def document(found, measured):
    """The tables of docs/audit.md, between BEGIN and END; measured: as the function returns it."""
    return "\n\n".join(
        [
            BEGIN,
            f"Measured from {measured['first']} to {measured['last']} on {', '.join(measured['processors'])}, "
            f"torch {', '.join(measured['torch'])}, MobileNetV2 with ImageNet weights.",
            smallest(found),
            markdown(found),
            END,
        ]
    )


def compare(key, cell, stated):
    """(line, whether it misses) of a cell of a quick run, beside the same cell of the whole run.

    It misses where the interval of what it found lies wholly on the bad side of the stated one's: fewer planted folders
    with a fail, or more clean ones with a warning or fail.
    """
    check, fault, _, dose = key
    outcome = "alarms" if key[1::2] in CLEAN else "red"
    if not is_judged(cell):
        return f"{check}, {fault}: not judged", False
    now, then = (wilson(row[outcome], row["n"]) for row in (cell, stated))
    missed = now[0] > then[1] if outcome == "alarms" else now[1] < then[0]
    words = "warn or fail" if outcome == "alarms" else "fail"
    figures = f"{of(cell[outcome], cell['n'])}, stated {of(stated[outcome], stated['n'])}"
    return f"{check}, {fault} {dose:g}: {words} {figures}", missed


# --- what the audit states of itself --------------------------------------------------------------

SECTIONS = {  # {section of audit.json: (check, its faults' beginning, (fault, dose) of the clean folders)}
    "leaks": ("leaks", "copies-", {("clean", 0.0)}),
    "shortcuts": ("shortcuts", "shortcut-", {("clean-shortcuts", 0.0)}),
    "files": ("labels", "labels", {("clean", 0.0)}),
    "regions": ("mouth", "background-model", {("clean-mouth", 0.0)}),
    "calibration": ("calibration", "confidence-", {("confidence-high", 1.0), ("confidence-low", 1.0)}),
    "weak_groups": ("weak_groups", "group-dark", {("clean-groups", 0.0)}),
    "against": ("other_source", "second-source", {("second-source", 0.0)}),
}
CLEAN = set().union(*(clean for _, _, clean in SECTIONS.values()))


def statements(found):
    """{section: numbers} as `maskkit.audit.sensitivity` reads them, of `cells`; only sections with both kinds of cells.

    Of several faults and pools the one with the fewest red folders counts, of clean folders the pool with most alarms.
    """
    stated = {}
    for section, (check, beginning, clean) in SECTIONS.items():
        own = {key: cell for key, cell in found.items() if key[0] == check}
        planted = {key: cell for key, cell in own.items() if key[1].startswith(beginning) and key[1::2] not in clean}
        innocent = [cell for key, cell in own.items() if key[1::2] in clean]
        if planted and innocent:
            stated[section] = statement(planted, innocent)
    return stated


def statement(planted, innocent):
    """The numbers of one section; planted: {key: cell}; innocent: cells of clean folders."""
    worst = {}
    for key, cell in planted.items():
        dose = strength(key[1], key[3])
        if dose not in worst or red_share(cell) < red_share(worst[dose][1]):
            worst[dose] = (key, cell)
    dose = first_for_good(sorted(worst), lambda dose: red_share(worst[dose][1]) >= FOUND) or max(worst)
    key, cell = worst[dose]
    most = max(innocent, key=lambda cell: cell["alarms"] / cell["n"])
    numbers = {"found": cell["red"], "planted": cell["n"], "dose": dose, "fault": key[1]}
    numbers |= {"alarms": most["alarms"], "clean": most["n"]}
    return numbers | ({"loss": cell["loss"]} if "loss" in cell else {})


def strength(fault, dose):
    """A dose as a number that grows with it: confidence divided by 4 is as wrong as multiplied by 4."""
    return 1 / dose if fault == "confidence-low" else dose


def red_share(cell):
    return cell["red"] / cell["n"]
