"""The program around the commands: help at once, exit codes, one line about what went wrong."""

import subprocess
import sys

import pytest

from maskkit.cli import main
from maskkit.cli import runs as runs_command


def test_help_imports_nothing_heavy():
    heavy = {"torch", "numpy", "PIL", "onnx", "matplotlib", "nbformat", "yaml", "jinja2", "tqdm"}
    code = f"import sys; from maskkit.cli import main; main.parser(); print({heavy} & set(sys.modules))"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True).stdout == "set()\n"


@pytest.mark.parametrize("command", main.COMMANDS)
def test_each_command_is_the_file_of_its_name(command, capsys):
    with pytest.raises(SystemExit) as ended:
        main.main([command, "--help"])
    assert ended.value.code == 0 and capsys.readouterr().out.startswith(f"usage: {main.parser().prog} {command} ")


def test_a_fault_of_our_own_is_said_below_its_traceback(monkeypatch, capsys):
    monkeypatch.setattr(runs_command, "run", lambda arguments: {}["nowhere"])
    assert main.main(["runs"]) == 1
    lines = capsys.readouterr().err.splitlines()
    assert lines[0].startswith("Traceback") and lines[-1].startswith("maskkit: KeyError, a bug in maskkit; ")


@pytest.mark.parametrize(
    ("error", "code", "line"),
    [
        (FileNotFoundError("no photos"), 2, "maskkit: no photos"),
        (ValueError("EPOCHS must be"), 2, "maskkit: EPOCHS must be"),
        (OSError("disk full"), 1, "maskkit: disk full"),
        (MemoryError("too large"), 1, "maskkit: too large"),
        (KeyboardInterrupt(), 130, "maskkit: interrupted; files written so far are kept"),
        (main.Terminated(), 143, "maskkit: interrupted; files written so far are kept"),
    ],
    ids=lambda value: type(value).__name__ if isinstance(value, BaseException) else None,
)
def test_the_exit_code_tells_the_kind_of_end(monkeypatch, capsys, error, code, line):
    def fail(arguments):
        raise error

    monkeypatch.setattr(runs_command, "run", fail)
    assert main.main(["runs"]) == code
    assert capsys.readouterr().err.splitlines() == [line]
