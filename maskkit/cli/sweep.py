"""`maskkit sweep`: many recipes."""

import argparse

from maskkit.cli import shared
from maskkit.cli.output import print_message, print_next, short_path


def add(commands: shared.Commands) -> None:
    command = commands.add_parser(
        "sweep",
        help="train many recipes (seeds, networks, learning rates) on this machine or on a Dask cluster",
        description="Compute every recipe of SWEEP.yaml (each parameter of notebooks 01-03 with one value or a list) "
        "that is not there yet. Writes runs.csv, a figure and sweep.html, and runs the best through the notebooks.",
        epilog="example: maskkit sweep notebooks/sweep.yaml --workers 2",
    )
    command.add_argument("sweep", metavar="SWEEP.yaml", help="NAME: value or NAME: [values] a line, or runs:")
    command.add_argument("--out", metavar="DIR", help="where results lie (default: runs/sweep-NAME)")
    command.add_argument("--notebooks", action="store_true", help="run each recipe through the notebooks too")
    command.add_argument("--retry", nargs="+", default=[], metavar="NAME", help="broken recipes to try again, or all")
    shared.add_cluster(command)
    command.set_defaults(run=run, interrupted="finished recipes are kept; the same command continues from there")


def run(arguments: argparse.Namespace) -> None:
    from maskkit.sweep import cluster, sweep

    with cluster.open_client(arguments.cluster, arguments.workers) as client:
        result = sweep.run(
            arguments.sweep,
            arguments.out,
            client=client,
            notebooks=arguments.notebooks,
            retry=arguments.retry,
            print_line=print_message,
        )
    print(f"read {short_path((result.folder / 'sweep.html').resolve())}")
    if result.of("done"):
        print_next("predict", "YOUR_PHOTOS", "--model", f"{result.name}-best")
    if broken := result.of("broken"):
        raise OSError(f"{len(broken)} of {len(result.rows)} recipes broke; --retry {broken[0]} tries that one again")
