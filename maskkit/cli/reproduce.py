"""`maskkit reproduce`: notebooks 01-03."""

import argparse

from maskkit.cli import shared
from maskkit.cli.output import print_next, short_path


def add(commands: shared.Commands) -> None:
    command = commands.add_parser(
        "reproduce",
        help="run notebooks 01-03 through papermill into runs/<RUN>/",
        description="Run notebooks 01-03 through papermill into runs/<RUN>/ and compare with the report's figures.",
        epilog="example: maskkit reproduce --set DATA=my_photos --set RUN=mine",
    )
    shared.add_parameters(command, "report.yaml")
    command.set_defaults(
        run=run, interrupted="an earlier run of this name is unchanged; the same command starts the run again"
    )


def run(arguments: argparse.Namespace) -> None:
    from maskkit import runs
    from maskkit.runner import reproduce

    run_dir = reproduce.reproduce(*shared.read_parameters(arguments))
    from maskkit import evaluate  # not above: a user's mistake is reported before torch is loaded

    metrics = runs.read_metrics(run_dir)
    for epoch in ("best", "last"):
        print(f"{epoch} epoch {metrics[epoch]['epoch']}: {evaluate.format_score(metrics[epoch])}")
    print(f"read {short_path(run_dir / 'report.html')}")
    print_next("trust", "--set", f"RUN={run_dir.name}")
