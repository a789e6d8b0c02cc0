"""The command line: `maskkit` and `python -m maskkit` are the same program.

Nothing heavy is imported before a command needs it.
"""

import argparse
import signal
import sys
from pathlib import Path

from maskkit import __version__


def parser():
    purpose = "Repeat the face-mask report; say how far its number holds."
    top = argparse.ArgumentParser(prog="maskkit", description=purpose)
    top.add_argument("--version", action="version", version=f"maskkit {__version__}")
    commands = top.add_subparsers(dest="command", required=True, metavar="COMMAND")

    command = commands.add_parser(
        "reproduce",
        help="run notebooks 01-03 through papermill into runs/<RUN>/",
        description="Run notebooks 01-03 through papermill into runs/<RUN>/ and compare with the report's figures.",
        epilog="example: maskkit reproduce --set DATA=my_photos --set RUN=mine",
    )
    command.add_argument("parameters", nargs="?", help="flat YAML of parameters (default: notebooks/report.yaml)")
    command.add_argument(
        "--set",
        action="append",
        default=[],
        metavar="NAME=VALUE",
        help="one parameter, over the file's; relative paths mean this folder; may be repeated",
    )
    command.set_defaults(run=run_reproduce)

    command = commands.add_parser(
        "refresh",
        help="run the committed notebooks and store their outputs",
        description="Run the committed notebooks in place and store their outputs, without times or paths.",
    )
    command.set_defaults(run=run_refresh)
    return top


def run_reproduce(arguments):
    from maskkit import evaluate, paths, reproduce, runs

    texts = {}
    for setting in arguments.set:
        name, separator, value = setting.partition("=")
        if not separator:
            raise ValueError(f"--set {setting!r} must read NAME=VALUE")
        texts[name] = value
    run_dir = reproduce.reproduce(arguments.parameters or paths.NOTEBOOKS / "report.yaml", texts)
    metrics = runs.read_metrics(run_dir)
    print(f"best epoch {metrics['best']['epoch']}: {evaluate.say(metrics['best'])}")
    print(f"last epoch {metrics['last']['epoch']}: {evaluate.say(metrics['last'])}")
    print(f"read {show(run_dir / 'report.html')}")


def run_refresh(arguments):
    from maskkit import reproduce

    reproduce.refresh()


def show(path):
    """The path, relative to the caller's folder where it lies below it."""
    return path.relative_to(Path.cwd()) if path.is_relative_to(Path.cwd()) else path


def cell_failure():
    """The exception of a failed cell; imported only once something was raised."""
    from maskkit.reproduce import NotebookError

    return NotebookError


def main(argv=None):
    """Run one command; returns the exit code: 2 for a user's mistake, 1 for a fault, 130 / 143 for a signal."""
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    sys.stdout.reconfigure(line_buffering=True, errors="backslashreplace")
    arguments = parser().parse_args(argv)
    try:
        arguments.run(arguments)
    except KeyboardInterrupt:
        print("maskkit: interrupted; an earlier run of this name is as it was", file=sys.stderr)
        return 130
    except (FileNotFoundError, ValueError, TypeError) as error:
        print(f"maskkit: {error}", file=sys.stderr)
        return 2
    except (OSError, cell_failure()) as error:
        print(f"maskkit: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
