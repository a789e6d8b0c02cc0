"""`maskkit improve`: notebook 04, the proposed extensions of the report."""

import argparse

from maskkit.cli import shared
from maskkit.cli.output import print_next, short_path


def add(commands: shared.Commands) -> None:
    command = commands.add_parser(
        "improve",
        help="run notebook 04_improve in the folder of a run: the report's proposed extensions, measured",
        description="Run notebook 04_improve in the folder of a run (01-03 first where there is none): augmentation, "
        "a lighter network and fine-tuning of the last stages, each measured as a paired gain.",
        epilog="example: maskkit improve --set RUN=mine --set AGAINST=other_photos",
    )
    shared.add_parameters(command, "improve.yaml")
    command.set_defaults(
        run=run, interrupted="the run's other files are unchanged; the same command starts the notebook again"
    )


def run(arguments: argparse.Namespace) -> None:
    from maskkit.core import disk
    from maskkit.runner import follow_up, notebooks

    run_dir = follow_up.run(notebooks.IMPROVE, *shared.read_parameters(arguments))
    for gains in disk.read_json(run_dir / "improve.json")["gains"].values():
        for gain in gains.values():
            print(gain["sentence"])
    print(f"read {short_path(run_dir / notebooks.IMPROVE)}")
    print_next("predict", "YOUR_PHOTOS", "--model", run_dir.name)
