"""The command line: `maskkit` and `python -m maskkit` are the same program.

Each command is one file here, with `add` (its arguments) and `run` (what it does). None imports anything heavy before
it runs, so that `--help` answers at once.
"""

import argparse
import gc
import importlib
import io
import os
import shlex
import signal
import sys
import traceback
import warnings
from collections.abc import Sequence
from typing import Any, NoReturn, cast

from maskkit import __version__

COMMANDS = (  # in the order of `--help`; each is the module of this folder with that name
    "reproduce",
    "trust",
    "improve",
    "audit",
    "plan",
    "predict",
    "demo",
    "sweep",
    "export",
    "card",
    "runs",
    "compare",
    "kaggle",
    "doctor",
)
# New objects after which Python collects garbage; with its default, 700, collecting took a fifth of the time to import
# torch, torchvision and scikit-learn.
GC_THRESHOLD = 10_000
FAULT = "please report the lines above, with the command and what `maskkit doctor` says"


class Parser(argparse.ArgumentParser):
    """argparse's, with a hint where a file's name looks like an option."""

    words: tuple[str, ...] = ()  # of the command line

    # argparse declares overloads, one for each kind of namespace; this is what all of them do.
    def parse_args(self, args: Sequence[str] | None = None, namespace: Any = None) -> Any:  # type: ignore[override]
        Parser.words = tuple(sys.argv[1:] if args is None else args)
        return super().parse_args(args, namespace)

    def error(self, message: str) -> NoReturn:
        given = self.words[: self.words.index("--")] if "--" in self.words else self.words
        dashed = next((word for word in given if word[:1] == "-" != word and os.path.lexists(word)), None)
        hint = f"; a file whose name begins with a dash is given as {shlex.quote(f'./{dashed}')}" if dashed else ""
        super().error(message + hint)


def parser() -> Parser:
    top = Parser(
        prog="maskkit", description="Repeat the face-mask report, and check how far its accuracy can be trusted."
    )
    top.add_argument("--version", action="version", version=f"maskkit {__version__}")
    top.set_defaults(interrupted="files written so far are kept")  # what a signal leaves, unless the command says more
    commands = top.add_subparsers(dest="command", required=True, metavar="COMMAND")
    for name in COMMANDS:
        importlib.import_module(f"maskkit.cli.{name}").add(commands)
    return top


class Terminated(SystemExit):
    """SIGTERM came. A SystemExit, because asyncio, which papermill runs in, lets no other one of ours through."""


def terminate(*_: object) -> NoReturn:
    raise Terminated


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command; returns the exit code: 2 for a user's mistake, 1 for a fault, 130 / 143 for a signal."""
    signal.signal(signal.SIGTERM, terminate)
    gc.set_threshold(GC_THRESHOLD)
    cast(io.TextIOWrapper, sys.stdout).reconfigure(line_buffering=True, errors="backslashreplace")
    arguments = parser().parse_args(argv)
    try:
        arguments.run(arguments)
    except (KeyboardInterrupt, Terminated) as signalled:
        # Coroutines of a notebook's client that the signal cut off: Python would report them below the last words.
        warnings.filterwarnings("ignore", "coroutine .* was never awaited", RuntimeWarning)
        print(f"maskkit: interrupted; {arguments.interrupted}", file=sys.stderr)
        return 143 if isinstance(signalled, Terminated) else 130
    except BrokenPipeError:  # the reader, such as `head`, has enough; Python would complain when it flushes at the end
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 141
    except Exception as error:
        return print_error(error)
    return 0


def print_error(error: Exception) -> int:
    """Print one line about an error, below the traceback if it is a bug of ours; returns the exit code."""
    from maskkit.runner.notebooks import NotebookError  # only once something was raised: `--help` stays light

    if isinstance(error, FileNotFoundError | ValueError | TypeError):
        code = 2
    elif isinstance(error, NotebookError):
        code = 2 if error.is_mistake else 1
    elif isinstance(error, OSError | MemoryError):
        code = 1
    else:
        traceback.print_exception(error)
        print(f"maskkit: {type(error).__name__}, a bug in maskkit; {FAULT}", file=sys.stderr)
        return 1
    print(f"maskkit: {error}", file=sys.stderr)
    return code
