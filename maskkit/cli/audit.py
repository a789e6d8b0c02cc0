"""`maskkit audit`: any folder of photos, and a model, audited."""

import argparse
from pathlib import Path

from maskkit.cli.output import print_checks, print_next, short_path
from maskkit.cli.shared import Commands


def add(commands: Commands) -> None:
    command = commands.add_parser(
        "audit",
        help="how much of the number is real: leaks, shortcuts, split variance, other sources",
        description="Audit a folder of photos, and a model: split variance, leaks, shortcuts, which regions the model "
        "uses, another source, odd files, calibration. Writes audit.json, audit.html, figures and lists.",
        epilog="example: maskkit audit my_photos --model mine --against other_photos",
    )
    command.add_argument("folder", help="photos: one sub-folder per class, Kaggle's 12K set, or demo")
    command.add_argument("--model", metavar="RUN", help="a run's name or folder (default: train the recipe here)")
    command.add_argument("--arch", default="auto", help="resnet18 or mobilenet_v2: the backbone without a run's")
    command.add_argument("--weights", default="auto", help="its weights: auto, imagenet, packaged, none or a file")
    command.add_argument(
        "--against", metavar="FOLDER", default="", help="photos of another source, with the same classes"
    )
    command.add_argument(
        "--mute",
        action="append",
        default=[],
        metavar="'CODE: REASON'",
        help="mute a check, such as 'MK003: two cameras, known'; may be repeated",
    )
    command.add_argument("--out", metavar="DIR", help="where to write (default: the run's folder, or runs/audit-NAME)")
    command.add_argument("--device", default="auto", help="auto, cpu or cuda")
    command.add_argument("--seed", type=int, default=0, help="of draws, folds and resamples")
    command.set_defaults(
        run=run, interrupted="features computed so far are kept; the same command continues from there"
    )


def run(arguments: argparse.Namespace) -> None:
    check(arguments)
    from maskkit import runs  # not above: a user's mistake is reported before torch is loaded
    from maskkit.audit import audit, page

    run_dir = None if arguments.model is None else runs.find(arguments.model)
    out = output_folder(arguments, run_dir)
    result = audit.audit(
        arguments.folder,
        out,
        run=run_dir,
        arch=arguments.arch,
        weights=arguments.weights,
        against=arguments.against,
        mute="; ".join(arguments.mute),
        device=arguments.device,
        seed=arguments.seed,
    )
    print_checks(result)
    print(f"read {short_path(page.write(result, out).resolve())}")
    groups = short_path((out / "groups.csv").resolve())
    print_next("reproduce", "--set", f"DATA={arguments.folder}", "--set", f"GROUPS={groups}")


def check(arguments: argparse.Namespace) -> None:
    """Check the values and the folders.

    Raises:
        FileNotFoundError, ValueError: a value is not allowed, or a folder cannot be used.
    """
    from maskkit.core import parameters
    from maskkit.sources import folders

    parameters.check(
        {
            "ARCH": arguments.arch,
            "WEIGHTS": arguments.weights,
            "MUTE": "; ".join(arguments.mute),
            "DEVICE": arguments.device,
            "SEED": arguments.seed,
        }
    )
    for name, folder in (("DATA", arguments.folder), ("--against", arguments.against)):
        if folder not in ("", "auto", "kaggle", "demo"):
            folders.find(folder, name)


def output_folder(arguments: argparse.Namespace, run_dir: Path | None) -> Path:
    """Where the audit is written: `--out`, the run's folder, or runs/audit-<name of the photos' folder>."""
    from maskkit.core import paths

    if arguments.out:
        return Path(arguments.out)
    name = "".join(letter if letter.isalnum() else "-" for letter in Path(arguments.folder).name) or "photos"
    return run_dir or paths.RUNS / f"audit-{name}"
