"""`maskkit export`: a trained model as one ONNX file."""

import argparse
from pathlib import Path

from maskkit.cli.output import print_message, print_next
from maskkit.cli.shared import Commands


def add(commands: Commands) -> None:
    command = commands.add_parser(
        "export",
        help="write a trained model as one ONNX file",
        description="Write a run's model as one ONNX file, from photos of any size to probabilities, checked against "
        "torch. Needs the extra [onnx].",
        epilog="example: maskkit export --model report --onnx masks.onnx",
    )
    command.add_argument("--model", metavar="RUN", required=True, help="a run's name or folder")
    command.add_argument("--onnx", metavar="FILE", required=True, help="where to write")
    command.set_defaults(run=run, interrupted="no file was written")


def run(arguments: argparse.Namespace) -> None:
    from maskkit import runs
    from maskkit.core import disk
    from maskkit.deploy import classifier, conformal, export
    from maskkit.improve import engines

    disk.check_writable(Path(arguments.onnx).parent)
    engines.need_onnx()
    run_dir = runs.find(arguments.model)
    network = classifier.load_network(run_dir, "cpu")
    try:
        calibration = conformal.of_run(run_dir, *network)
    except (FileNotFoundError, ValueError) as error:
        calibration = None
        print_message(f"the file cannot serve `predict --not-sure`: {error}")
    difference = export.export(run_dir, arguments.onnx, calibration)
    size = Path(arguments.onnx).stat().st_size
    print(f"largest difference from torch over {len(export.SIZES)} photos of different sizes: {difference:.1e}")
    print(f"wrote {arguments.onnx} ({size / 1e6:.1f} MB, opset {engines.OPSET})")
    print_next("predict", "YOUR_PHOTOS", "--onnx", arguments.onnx)
