"""Predictions of photos in folders named by their class: is the balanced accuracy high enough?

usage: python tests/check_predictions.py TABLE.csv LEAST      LEAST as a fraction, such as 0.9
"""

import sys
from pathlib import Path

from maskkit.core import disk


def balanced_accuracy(table: str) -> float:
    """The mean over classes of the share of photos that got their class's name; files without a label are left out."""
    rows = [row for row in disk.read_csv(table) if row["label"]]
    right = {}
    for row in rows:
        truth = Path(row["file"]).parent.name
        right.setdefault(truth, []).append(row["label"] == truth)
    return sum(sum(found) / len(found) for found in right.values()) / len(right)


def main(table: str, least: str) -> int:
    found = balanced_accuracy(table)
    print(f"{'ok  ' if found >= float(least) else 'FAIL'} balanced accuracy {found:.3f}, at least {least}")
    return 0 if found >= float(least) else 1


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
