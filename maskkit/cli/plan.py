"""`maskkit plan`: how many photos are needed."""

import argparse
from pathlib import Path

from maskkit.cli.output import print_next, print_next_trust, short_path
from maskkit.cli.shared import Commands

MOST_WIDTH = 50.0  # points


def add(commands: Commands) -> None:
    command = commands.add_parser(
        "plan",
        help="how many photos are needed: what more photos gain, and how many measure the accuracy",
        description="The learning curve of a run's photos, or of a folder's, and its forecast: the accuracy with more "
        "photos, and the number of validation photos for a 95 %% interval of a wanted width. See docs/audit.md.",
        epilog="example: maskkit plan report --width 3",
    )
    command.add_argument("what", metavar="RUN_OR_FOLDER", help="a run's name or folder, or photos as DATA")
    command.add_argument("--width", type=float, default=3.0, metavar="POINTS", help="of the interval (default: 3)")
    command.add_argument("--out", metavar="DIR", help="where figures/ goes (default: the run, or runs/plan-NAME)")
    command.add_argument("--device", default="auto", help="auto, cpu or cuda")
    command.add_argument("--seed", type=int, default=0, help="of the subsets and draws")
    command.set_defaults(run=run, interrupted="features computed so far are kept; the same command goes on from there")


def run(arguments: argparse.Namespace) -> None:
    check(arguments)
    from maskkit.audit import plan
    from maskkit.core import paths
    from maskkit.runner import compare_runs

    run_dir, width = find_run(arguments.what), arguments.width / 100
    settings = {"device": arguments.device, "seed": arguments.seed}
    if run_dir is None:
        entries, arch = plan.plan_folder(arguments.what, width, **settings)
    else:
        entries, arch = plan.plan_run(run_dir, width, **settings)
    if "now" not in entries:
        raise ValueError(f"{arguments.what}: {entries['more']['sentence']}")
    print(compare_runs.format_table(plan.COLUMNS, plan.table(entries)))
    print(f"{entries['more']['sentence']}.")
    name = "".join(letter if letter.isalnum() else "-" for letter in Path(arguments.what).name) or "photos"
    out = Path(arguments.out) if arguments.out else run_dir or paths.RUNS / f"plan-{name}"
    plan.save(entries, out, arguments.what, arch)
    print(f"see {short_path((out / 'figures' / 'plan.png').resolve())}")
    if run_dir:
        print_next_trust(run_dir)
    else:
        print_next("trust", "--set", f"DATA={arguments.what}")


def check(arguments: argparse.Namespace) -> None:
    """Raise ValueError where a value is not allowed."""
    from maskkit.core import parameters

    if not 0 < arguments.width <= MOST_WIDTH:
        raise ValueError(f"--width must be above 0 and at most {MOST_WIDTH:g} points, got {arguments.width:g}")
    parameters.check({"DEVICE": arguments.device, "SEED": arguments.seed})


def find_run(what: str) -> Path | None:
    """The folder of a run, given by its name or as a folder; None where photos are meant.

    Raises:
        FileNotFoundError, ValueError: it is neither a run nor a folder of photos.
    """
    from maskkit.core import paths
    from maskkit.sources import folders

    for path in (paths.RUNS / what, Path(what).expanduser()):
        if (path / "model.json").is_file():
            return path
    if what not in ("auto", "kaggle", "demo"):
        folders.find(what, "RUN_OR_FOLDER")
    return None
