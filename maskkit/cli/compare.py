"""`maskkit compare`: two runs side by side."""

import argparse
from pathlib import Path

from maskkit.cli.output import print_next_trust, short_path
from maskkit.cli.shared import Commands


def add(commands: Commands) -> None:
    command = commands.add_parser(
        "compare",
        help="two runs side by side",
        description="What differs between two runs, their scores, the difference with its 95 % interval (paired where "
        "both were checked on the same photos), and their curves in one figure.",
        epilog="example: maskkit compare report mine",
    )
    command.add_argument("first", metavar="A", help="a run's name or folder")
    command.add_argument("second", metavar="B", help="another")
    command.add_argument("--out", metavar="DIR", help="where figures/ goes (default: runs/compare-A-B)")
    command.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> None:
    from maskkit import plots, runs, train
    from maskkit.core import paths
    from maskkit.runner import compare_runs

    first, second = runs.find(arguments.first), runs.find(arguments.second)
    names = [first.name, second.name]
    if first.name == second.name:
        names = [str(short_path(run_dir.resolve())) for run_dir in (first, second)]
    comparison = compare_runs.compare(first, second)
    print(compare_runs.format_table(("", *names), [*comparison.settings, *comparison.scores]))
    print(comparison.sentence)
    out = Path(arguments.out) if arguments.out else paths.RUNS / f"compare-{first.name}-{second.name}"
    histories = dict(zip(names, map(train.read_history, (first, second)), strict=True))
    plots.save(plots.curves_compared(histories), out, "curves")
    print(f"see {short_path((out / 'figures' / 'curves.png').resolve())}")
    print_next_trust(first)
