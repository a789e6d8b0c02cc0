"""`maskkit refresh`: the outputs of the committed notebooks."""

import argparse

from maskkit.cli.shared import Commands


def add(commands: Commands) -> None:
    command = commands.add_parser(
        "refresh",
        help="run the committed notebooks and store their outputs",
        description="Run the committed notebooks in place and store their outputs, without times or paths.",
    )
    command.set_defaults(run=run, interrupted="notebooks named as refreshed are, the others are as they were")


def run(arguments: argparse.Namespace) -> None:
    from maskkit.runner import refresh

    refresh.refresh()
    print("next: git diff notebooks/")
