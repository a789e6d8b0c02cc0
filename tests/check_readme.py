"""Does `make reproduce` print what README shows, and do its tables show what was measured?

usage: python tests/check_readme.py FILE      what it printed, standard error included

Times aside, and where Kaggle and torchvision cannot be reached. The tables of README.md and benchmarks/README.md are
held against benchmarks/results/commands.json, report.json and recipes.json.
"""

import json
import re
import sys
from pathlib import Path

sys.path.append(str(Path(__file__).parents[1] / "benchmarks"))
import recipes

COMMAND = "$ make reproduce\n"
ROOT = Path(__file__).parents[1]
README, BENCHMARKS = ROOT / "README.md", ROOT / "benchmarks" / "README.md"
RESULTS = ROOT / "benchmarks" / "results"
WHOLE = {  # a row of README's table of whole commands: those whose medians it shows
    "`make reproduce`, features cached / not yet": ("make reproduce, warm", "make reproduce, cold"),
    "the report as a plain script": ("plain script",),
}
SHOWN = {  # a row of README's table: the ways whose medians it shows
    "maskkit, one process, features cached / not yet": ("maskkit, warm", "maskkit, cold"),
    "the loop as Kaggle notebooks have it": ("plain loop",),
    "fastai, `vision_learner` frozen": ("fastai, frozen",),
    "scikit-learn's LogisticRegression on ResNet18's features": ("LogisticRegression on features",),
    "HOG + LinearSVC": ("HOG + LinearSVC",),
}
RECIPES = {  # a row of README's table of recipes: the recipe's name in benchmarks/recipes.py
    "the report's, last epoch kept": "the report's, last epoch",
    "160 px, eight views with occlusions drawn, in turn with the photos as they are, weights averaged": (
        "160 px, 8 occluded views and the photos in turn, mean of the last round"
    ),
    "the same, bias set on views of the validation photos": "the same, bias set by 8 views of the validation photos",
    "quick.yaml: the same with three views": "the same with 3 views instead of 8: quick.yaml",
    "best.yaml: with eight views, and layer4 tuned by half": "with 8 views, and layer4 by half: best.yaml",
}
UNSCORED = "not scored: the same recipe |"


def shown(readme):
    """What README says the command prints, as lines."""
    _, found, rest = readme.partition(f"```\n{COMMAND}")
    if not found:
        raise ValueError(f"README.md has no block that begins with {COMMAND!r}")
    return masked(rest.partition("```")[0])


def masked(text):
    """Lines without seconds, and without the folder that the clone lies in."""
    lines = [re.sub(r"\d+(\.\d+)? s\b", "N s", line) for line in text.splitlines() if line.strip()]
    return [re.sub(r"^read .*(?=runs/report/)", "read ", line) for line in lines]


def is_it(line, printed):
    """Whether README's line is the printed one; it may end in "..." for the rest."""
    return printed == line or (line.endswith(" ...") and printed.startswith(line[:-3]))


def tables(report, commands, trained):
    """{path: lines that must stand there} for what benchmarks/report.py, commands.py and recipes.py measured."""
    rows, ratios = {row["name"]: row for row in report["rows"]}, report["ratios"]
    middle = {name: f"{row['median_seconds']:.{1 if row['median_seconds'] < 20 else 0}f}" for name, row in rows.items()}
    readme = [
        f"| {label} | {' / '.join(middle[way] for way in ways)} | {scores(rows[ways[0]])} |"
        for label, ways in SHOWN.items()
    ]
    whole = {row["name"]: f"{row['median_seconds']:.1f}" for row in commands["rows"]}
    readme += [f"| {label} | {' / '.join(whole[name] for name in names)} |" for label, names in WHOLE.items()]
    readme += [
        recipe_line(label, [row for row in trained["rows"] if row["recipe"] == RECIPES[label]]) for label in RECIPES
    ]
    benchmarks = [
        f"| {name} | {row['median_seconds']:.1f} ({row['spread'][0]:.1f}-{row['spread'][1]:.1f}) | {scores(row)} |"
        for name, row in rows.items()
    ]
    benchmarks.append(
        f"- Cold is {ratios['cold_vs_plain']:.0f} times faster than the plain loop, warm {ratios['warm_vs_plain']:.0f} "
        f"times, cold {ratios['cold_vs_fastai']:.0f} times faster than fastai."
    )
    return {README: readme, BENCHMARKS: benchmarks}


def recipe_line(label, rows):
    """README's row of a recipe: on another source, there in the worst draw, under simulated changes, on hard photos."""
    kinds = {kind: [recipes.score(row, kind) for row in rows] for kind in ("other", "shifts", "hard")}
    other, shifts, hard = ("{:.1f} ± {:.1f} %".format(*recipes.interval(found)) for found in kinds.values())
    return f"| {label} | {other} | {min(kinds['other']):.1f} % | {shifts} | {hard} |"


def scores(row):
    """The two last cells of a table's row."""
    found = row["accuracy"]
    return " | ".join(f"{100 * found[exam]:.1f} %" for exam in ("Test", "elsewhere")) if found else UNSCORED


def untrue(*measured):
    """What the tables do not show of what was measured (as `tables`), one line each."""
    return [
        f"{path.name} has no line that reads: {line}"
        for path, lines in tables(*measured).items()
        for line in lines
        if line not in path.read_text(encoding="utf-8").splitlines()
    ]


def main(path):
    names = ("report", "commands", "recipes")
    measured = [json.loads((RESULTS / f"{name}.json").read_text(encoding="utf-8")) for name in names]
    wrong = untrue(*measured)
    print("\n".join(wrong) if wrong else "the tables show what was measured")
    return 1 if unprinted(path) or wrong else 0


def unprinted(path):
    """Whether README shows a line that the file does not have; says so."""
    printed = masked(Path(path).read_text(encoding="utf-8"))
    wanted = shown(README.read_text(encoding="utf-8"))
    fallen, told = ([line for line in lines if line.startswith("FALLING BACK")] for lines in (printed, wanted))
    if len(fallen) < len(told):
        print("Kaggle or torchvision was there: README shows a run without them, so nothing was compared")
        return False
    missing = [line for line in wanted if not any(is_it(line, one) for one in printed)]
    for line in missing:
        print(f"README shows a line that was not printed: {line}")
    print("\n".join(["printed:", *printed]) if missing else "README shows what was printed")
    return bool(missing)


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
