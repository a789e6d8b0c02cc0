"""`maskkit card`: a run's MODEL_CARD.md."""

import argparse

from maskkit.cli.output import print_next, short_path
from maskkit.cli.shared import Commands


def add(commands: Commands) -> None:
    command = commands.add_parser(
        "card",
        help="write a run's MODEL_CARD.md anew",
        description="Write a run's MODEL_CARD.md anew from its files; reproduce and trust do so by themselves.",
    )
    command.add_argument("model", metavar="RUN", help="a run's name or folder")
    command.set_defaults(run=run, interrupted="no file was written")


def run(arguments: argparse.Namespace) -> None:
    from maskkit import runs
    from maskkit.runner import card

    run_dir = runs.find(arguments.model)
    print(f"read {short_path(card.write(run_dir).resolve())}")
    print_next("export", "--model", arguments.model, "--onnx", f"{run_dir.name}.onnx")
