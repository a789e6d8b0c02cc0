"""SIGINT and SIGTERM end a command cleanly, with what was reached; a kernel that dies is said."""

import asyncio
import gc
import os
import signal
import subprocess
import sys
import time

import pytest
from small_project import make_project, write_notebook

from maskkit.cli import main
from maskkit.cli import runs as runs_command
from maskkit.core import paths
from maskkit.deploy import predict
from maskkit.runner import notebooks

WAIT = 120  # seconds until a test says that the signal was lost, rather than hang
SIGNALS = {"SIGINT": (signal.SIGINT, 130), "SIGTERM": (signal.SIGTERM, 143)}


@pytest.fixture(autouse=True)
def interruptible():
    """Started in a shell's background pytest ignores SIGINT, and so would its children."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


@pytest.mark.parametrize(
    ("number", "code"), [pytest.param(*v, marks=pytest.mark.fault("machine", k), id=k) for k, v in SIGNALS.items()]
)
def test_predict_keeps_the_rows_so_far(trained, photo_folder, tmp_path, capsys, monkeypatch, number, code):
    def some(*_):
        yield {"file": "a.png", "label": "with_mask", "probability": 0.9, "note": ""}
        os.kill(os.getpid(), number)
        yield {"file": "b.png", "label": "with_mask", "probability": 0.9, "note": ""}

    monkeypatch.setattr(predict, "predict", some)
    before = signal.getsignal(signal.SIGTERM)
    try:
        found = main.main(["predict", str(photo_folder), "--model", str(trained), "--csv", str(tmp_path / "table.csv")])
    finally:
        signal.signal(signal.SIGTERM, before)
    assert found == code and not (tmp_path / "table.csv").exists()
    assert "a.png" in (tmp_path / "table.csv.part").read_text()
    assert "maskkit: interrupted; " in capsys.readouterr().err


@pytest.mark.fault("machine", "SIGTERM")
def test_a_signal_inside_a_callback_of_asyncio_is_not_lost():
    """asyncio logs what a callback raises and goes on, but for KeyboardInterrupt and SystemExit."""
    loop = asyncio.new_event_loop()
    loop.call_soon(main.terminate)
    try:
        with pytest.raises(main.Terminated):
            loop.run_until_complete(asyncio.sleep(1))
    finally:
        loop.close()


@pytest.mark.fault("machine", "SIGINT")
def test_coroutines_that_a_signal_cut_off_are_not_reported(monkeypatch, recwarn):
    def listed(_):
        begun = asyncio.sleep(1)
        raise KeyboardInterrupt(begun)

    monkeypatch.setattr(runs_command, "run", listed)
    assert main.main(["runs"]) == 130
    gc.collect()
    assert not [str(w.message) for w in recwarn if "never awaited" in str(w.message)]


@pytest.fixture
def project(tmp_path):
    """A project whose first notebook waits for ever in its third cell, having written its process id to a file."""
    make_project(tmp_path)
    defaults = f'RUN = "x"\nDATA = {str(tmp_path / "photos")!r}'
    write_pid = f"import os, pathlib\npathlib.Path({str(tmp_path / 'pid')!r}).write_text(str(os.getpid()))"
    first = tmp_path / "notebooks" / "01_prepare.ipynb"
    write_notebook(first, defaults, write_pid, "import time\ntime.sleep(10_000)")
    return tmp_path


@pytest.mark.parametrize("name", SIGNALS)
@pytest.mark.fault("machine", "a signal inside a notebook: the kernel ends too")
def test_a_signal_inside_a_notebook_ends_its_kernel_and_says_so(project, name):
    number, code = SIGNALS[name]
    child = start(project)
    kernel = wait_for(project / "pid", child)
    child.send_signal(number)
    _, error = child.communicate(timeout=WAIT)
    assert child.returncode == code and "Traceback" not in error
    assert error.splitlines()[-1].startswith("maskkit: interrupted; an earlier run of this name is unchanged")
    assert not alive(kernel)


@pytest.mark.fault("machine", "SIGKILL inside a notebook, papermill's kernel left behind")
def test_killed_inside_a_notebook_the_kernel_ends_and_the_run_may_start_again(project):
    child = start(project)
    kernel = wait_for(project / "pid", child)
    child.kill()
    child.communicate()
    (project / "pid").unlink()
    again = start(project)  # at once: the lock went with its process, and the dying kernel has another folder
    assert wait_for(project / "pid", again) != kernel
    again.terminate()
    assert again.communicate(timeout=WAIT) and again.returncode == 143
    while alive(kernel):
        time.sleep(0.1)
    assert len(list((project / "runs").glob("x.*.part"))) == 1


def start(project):
    return subprocess.Popen(
        [sys.executable, "-m", "maskkit", "reproduce", "--set", "RUN=x"],
        cwd=project,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=os.environ | {"PYTHONPATH": str(paths.ROOT)},
    )


def wait_for(path, child):
    while not (path.is_file() and path.read_text()):
        assert child.poll() is None, child.communicate()
        time.sleep(0.05)
    return int(path.read_text())


def alive(pid):
    try:
        with open(f"/proc/{pid}/stat") as file:
            return file.read().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False


@pytest.mark.fault("machine", "a kernel dies")
def test_a_kernel_that_dies_is_said_with_what_to_do(tmp_path, monkeypatch):
    monkeypatch.setattr(paths, "NOTEBOOKS", tmp_path)
    path = write_notebook(tmp_path / "a.ipynb", 'RUN = "x"', "import os\nos.kill(os.getpid(), 9)")
    with pytest.raises(notebooks.NotebookError, match="its kernel died, .*out.ipynb shows which cells had run"):
        notebooks.execute(path, tmp_path / "out.ipynb", {})
