"""Does `make reproduce` print what README shows? Times aside, and where Kaggle and torchvision cannot be reached.

usage: python tests/check_readme.py FILE      what it printed, standard error included
"""

import re
import sys
from pathlib import Path

COMMAND = "$ make reproduce\n"
README = Path(__file__).parents[1] / "README.md"


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


def main(path):
    printed = masked(Path(path).read_text(encoding="utf-8"))
    wanted = shown(README.read_text(encoding="utf-8"))
    fallen, told = ([line for line in lines if line.startswith("FALLING BACK")] for lines in (printed, wanted))
    if len(fallen) < len(told):
        print("Kaggle or torchvision was there: README shows a run without them, so nothing was compared")
        return 0
    missing = [line for line in wanted if not any(is_it(line, one) for one in printed)]
    for line in missing:
        print(f"README shows a line that was not printed: {line}")
    print("\n".join(["printed:", *printed]) if missing else "README shows what was printed")
    return 1 if missing else 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
