import os
import subprocess
import sys

import pytest

from maskkit.core import paths, progress


class Screen:
    """A standard error that is a terminal, or none."""

    def __init__(self, terminal):
        self.terminal, self.written = terminal, ""

    def isatty(self):
        return self.terminal

    def write(self, text):
        self.written += text

    def flush(self):
        pass


@pytest.mark.parametrize("terminal", [False, True])
@pytest.mark.parametrize("show", [False, True])
def test_a_bar_is_seen_on_a_terminal_only(monkeypatch, terminal, show):
    screen = Screen(terminal)
    monkeypatch.setattr(sys, "stderr", screen)
    monkeypatch.setattr(paths, "INTERACTIVE", False)
    assert list(progress.bar([1, 2], show=show, desc="reading", unit=" photos")) == [1, 2]
    assert ("reading" in screen.written and "photos" in screen.written) == (terminal and show)


def test_a_bar_is_seen_in_a_notebook_that_someone_has_open(monkeypatch):
    screen = Screen(terminal=False)
    monkeypatch.setattr(sys, "stdout", screen)
    monkeypatch.setattr(paths, "INTERACTIVE", True)
    assert sum(progress.bar([1, 2], desc="reading")) == 3 and "reading" in screen.written


@pytest.mark.parametrize(("variable", "seen"), [("JPY_SESSION_NAME", "True"), ("MASKKIT_BARS", "True"), ("X", "False")])
def test_the_environment_says_whether_someone_has_it_open(variable, seen):
    ours = ("JPY_SESSION_NAME", "MASKKIT_BARS")
    environment = {name: value for name, value in os.environ.items() if name not in ours}
    command = [sys.executable, "-c", "from maskkit.core import paths; print(paths.INTERACTIVE)"]
    done = subprocess.run(command, env=environment | {variable: "1"}, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == seen


def test_every_bar_of_the_package_is_one_of_these():
    found = [path.name for path in (paths.ROOT / "maskkit").rglob("*.py") if "tqdm" in path.read_text()]
    assert found == ["progress.py"]
