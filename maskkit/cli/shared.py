"""Arguments that several commands share."""

import argparse
from pathlib import Path
from typing import TypeAlias

Commands: TypeAlias = "argparse._SubParsersAction[argparse.ArgumentParser]"  # what `add_subparsers` returns


def add_parameters(command: argparse.ArgumentParser, default: str) -> None:
    """A file of notebook parameters (`default`: one of notebooks/), and `--set`; `read_parameters` reads both."""
    command.add_argument("parameters", nargs="?", help=f"flat YAML of parameters (default: notebooks/{default})")
    command.add_argument(
        "--set",
        action="append",
        default=[],
        metavar="NAME=VALUE",
        help="one parameter, over the file's; relative paths mean this folder; may be repeated",
    )
    command.set_defaults(default_parameters=default)


def read_parameters(arguments: argparse.Namespace) -> tuple[Path, dict[str, str]]:
    """The parameter file, and {name: text} of the `--set` arguments.

    Raises:
        ValueError: a `--set` is not NAME=VALUE.
    """
    from maskkit.core import paths

    overrides = {}
    for setting in arguments.set:
        name, separator, value = setting.partition("=")
        if not separator:
            raise ValueError(f"--set {setting!r} must read NAME=VALUE")
        overrides[name] = value
    return Path(arguments.parameters or paths.NOTEBOOKS / arguments.default_parameters), overrides


def add_cluster(command: argparse.ArgumentParser) -> None:
    """Where the work is done: here, by workers started here, or on a running cluster."""
    where = command.add_mutually_exclusive_group()
    where.add_argument("--workers", type=int, default=0, metavar="N", help="share the work among N processes (Dask)")
    where.add_argument("--cluster", metavar="ADDRESS", help="of a running Dask scheduler, such as tcp://host:8786")
