"""`maskkit runs`: the run folders."""

import argparse

from maskkit.cli.output import print_next, short_path
from maskkit.cli.shared import Commands

UNFINISHED = {True: "under way", False: "cut off; the same command begins it anew, make clean removes it"}


def add(commands: Commands) -> None:
    command = commands.add_parser(
        "runs",
        help="list the run folders",
        description="List the folders of runs/: when, which photos and network, the score with its interval, checks.",
    )
    command.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> None:
    from maskkit.core import paths
    from maskkit.runner import compare_runs

    rows, unfinished = compare_runs.list_runs(), compare_runs.list_unfinished()
    if rows:
        print(compare_runs.format_table(compare_runs.COLUMNS, [tuple(row.values()) for row in rows]))
    else:
        print(f"{short_path(paths.RUNS)} holds no run yet")
    if unfinished:
        print("unfinished:")
    for name, is_at_work in unfinished.items():
        print(f"  {name}  {UNFINISHED[is_at_work]}")
    evaluated = [row["run"] for row in rows if compare_runs.is_evaluated(paths.RUNS / row["run"])]
    if len(evaluated) > 1:
        print_next("compare", *evaluated[:2])
    elif evaluated:
        print_next("trust", "--set", f"RUN={evaluated[0]}")
    else:
        print_next("reproduce")
