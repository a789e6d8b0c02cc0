"""`maskkit kaggle`: what runs the report on Kaggle."""

import argparse
import shlex

from maskkit.cli import shared


def add(commands: shared.Commands) -> None:
    command = commands.add_parser(
        "kaggle",
        help="write the files that run the report on Kaggle without internet access",
        description="Write DIR/dataset (our wheel, the weights) and DIR/notebook (notebooks 01-03 as one), for "
        "Kaggle's command line to upload.",
        epilog="example: maskkit kaggle kaggle --user my-name",
    )
    command.add_argument("folder", metavar="DIR", help="where dataset/ and notebook/ go")
    shared.add_parameters(command, "report.yaml")
    command.add_argument("--user", required=True, metavar="NAME", help="your Kaggle user name, the owner of both")
    command.set_defaults(run=run, interrupted="DIR is unchanged")


def run(arguments: argparse.Namespace) -> None:
    from maskkit.deploy import kaggle_upload

    dataset, kernel = kaggle_upload.write(arguments.folder, arguments.user, *shared.read_parameters(arguments))
    for path in sorted([*dataset.iterdir(), *kernel.iterdir()]):
        print(f"{path.stat().st_size / 1e6:7.2f} MB  {path}")
    print("next, with Kaggle's command line (pip install kaggle) and your account:")
    print(f"  {shlex.join(['kaggle', 'datasets', 'create', '-p', str(dataset)])}    # later: datasets version -m again")
    print(f"  {shlex.join(['kaggle', 'kernels', 'push', '-p', str(kernel)])}")
