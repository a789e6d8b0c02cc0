"""`maskkit trust`: notebook 05, the audit of a run."""

import argparse

from maskkit.cli import shared
from maskkit.cli.output import print_checks, print_next, short_path


def add(commands: shared.Commands) -> None:
    command = commands.add_parser(
        "trust",
        help="run notebook 05_trust in the folder of a run: the audit",
        description="Run notebook 05_trust in the folder of a run (01-03 first where there is none): the audit.",
        epilog="example: maskkit trust --set RUN=mine --set DATA=my_photos --set AGAINST=other_photos",
    )
    shared.add_parameters(command, "trust.yaml")
    command.set_defaults(
        run=run, interrupted="the run's other files are unchanged; the same command starts the notebook again"
    )


def run(arguments: argparse.Namespace) -> None:
    from maskkit.core import disk
    from maskkit.runner import follow_up, notebooks

    run_dir = follow_up.run(notebooks.TRUST, *shared.read_parameters(arguments))
    print_checks(disk.read_json(run_dir / "audit.json"))
    print(f"read {short_path(run_dir / 'report.html')}")
    print_next("improve", "--set", f"RUN={run_dir.name}")
