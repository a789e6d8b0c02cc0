import ast
import json
import os
import time

import nbformat
import papermill
import pytest
from nbclient.exceptions import DeadKernelError
from nbformat.v4 import new_code_cell, new_notebook

from maskkit.runner import warm_kernels

pytestmark = pytest.mark.skipif(not warm_kernels.SUPPORTED, reason="kernels are forked on Linux only")


@pytest.fixture(scope="module")
def warm():
    with warm_kernels.WarmKernels() as found:
        yield found


def execute(tmp_path, manager, *cells, name="n"):
    """The executed notebook of some cells, by kernels of a manager class, or by Jupyter's own where it is None."""
    notebook = new_notebook(cells=[new_code_cell(cell) for cell in cells])
    notebook.metadata["kernelspec"] = {"name": "python3", "language": "python", "display_name": "Python 3"}
    nbformat.write(notebook, tmp_path / "in.ipynb", version=4)
    own = {} if manager is None else {"kernel_manager_class": manager}
    papermill.execute_notebook(
        tmp_path / "in.ipynb",
        tmp_path / f"{name}.ipynb",
        kernel_name="python3",
        cwd=tmp_path,
        progress_bar=False,
        **own,
    )
    return nbformat.read(tmp_path / f"{name}.ipynb", 4)


FIGURE = """import matplotlib.pyplot as plt
fig, ax = plt.subplots(figsize=(2, 1))
_ = ax.plot([1, 3, 2])"""
CELLS = ("x = 1\nprint(x)", "import sys; print('a fault', file=sys.stderr)", FIGURE, "x += 1\nx", "[1, 2][0]")


def test_an_executed_notebook_is_what_a_kernel_of_its_own_would_leave(tmp_path, warm):
    found = {
        name: execute(tmp_path, manager, *CELLS, name=name)
        for name, manager in (("forked", warm.manager_class), ("ordinary", None))
    }
    forked, ordinary = (
        [(cell.execution_count, json.dumps(cell.outputs)) for cell in notebook.cells] for notebook in found.values()
    )
    assert forked == ordinary and "image/png" in forked[2][1]
    assert found["forked"].metadata.language_info == found["ordinary"].metadata.language_info


def test_each_notebook_begins_with_nothing_defined_and_torch_imported(tmp_path, warm):
    execute(tmp_path, warm.manager_class, "left = 1")
    (cell,) = execute(tmp_path, warm.manager_class, "import sys; 'left' in globals(), 'torch' in sys.modules").cells
    assert cell.outputs[0]["data"]["text/plain"] == "(False, True)"


def test_a_kernel_collects_its_own_garbage_but_not_the_modules(tmp_path, warm):
    cell = "import gc; gc.isenabled(), gc.get_freeze_count() > 100_000"
    (cell,) = execute(tmp_path, warm.manager_class, cell).cells
    assert cell.outputs[0]["data"]["text/plain"] == "(True, True)"


def wait_until(condition, seconds=20):
    end = time.monotonic() + seconds
    while not condition() and time.monotonic() < end:
        time.sleep(0.05)
    return condition()


def test_a_killed_kernel_is_noticed_and_the_next_one_starts(tmp_path, warm):
    with pytest.raises(DeadKernelError):
        execute(tmp_path, warm.manager_class, "import os; os.kill(os.getpid(), 9)")
    (cell,) = execute(tmp_path, warm.manager_class, "6 * 7").cells
    assert cell.outputs[0]["data"]["text/plain"] == "42"


def test_a_kernel_is_interrupted_as_any_other(tmp_path, warm):
    cell = "import os, signal, time; os.kill(os.getpid(), signal.SIGINT); time.sleep(60)"
    with pytest.raises(papermill.PapermillExecutionError, match="KeyboardInterrupt"):
        execute(tmp_path, warm.manager_class, cell)


def test_a_helper_that_died_is_replaced_by_ordinary_kernels(tmp_path):
    with warm_kernels.WarmKernels() as own:
        own.helper.kill()
        own.helper.wait()
        (cell,) = execute(tmp_path, own.manager_class, "6 * 7").cells
    assert cell.outputs[0]["data"]["text/plain"] == "42"


def test_a_function_is_called_beside_the_kernels(tmp_path, warm):
    warm.call("os", "mkdir", str(tmp_path / "made"))
    (cell,) = execute(tmp_path, warm.manager_class, "6 * 7").cells
    assert cell.outputs[0]["data"]["text/plain"] == "42"
    assert wait_until((tmp_path / "made").is_dir)


def test_a_call_s_niceness_is_heeded_beside_the_kernels(tmp_path, warm):
    """Linux divides the processors among sessions first, so a call and a kernel must lie in one."""
    where = "import os; os.getsid(0), os.getpgid(0) == os.getpid(), os.nice(0)"
    (cell,) = execute(tmp_path, warm.manager_class, where).cells
    call = f"import os, pathlib; pathlib.Path('{tmp_path}/call').write_text(repr(({where.partition('; ')[2]})))"
    warm.call("builtins", "exec", call, niceness=7)
    assert wait_until(lambda: (tmp_path / "call").is_file() and (tmp_path / "call").read_text())
    (session, own_group, niceness), called = map(
        ast.literal_eval, (cell.outputs[0]["data"]["text/plain"], (tmp_path / "call").read_text())
    )
    assert called == (session, True, niceness + 7) and own_group


def test_an_error_in_a_call_is_silent_and_stops_nothing(tmp_path, warm, capfd):
    warm.call("os", "mkdir", str(tmp_path))  # it is there already
    warm.call("os", "mkdir", str(tmp_path / "next"))
    assert wait_until((tmp_path / "next").is_dir)
    assert capfd.readouterr().err == ""


REQUESTS = (
    {"command": ["python", "-m", "x", "-f", "none.json"], "env": dict(os.environ), "cwd": "/"},
    {"call": ["time", "sleep", 600], "niceness": 0},
)


@pytest.mark.parametrize("request_", REQUESTS, ids=["kernel", "call"])
def test_nothing_is_left_running_when_the_block_ends(request_):
    with warm_kernels.WarmKernels() as own:
        kernel = own.connection.fork(**request_)
        assert kernel.poll() is None
    assert own.helper.returncode == 0
    with pytest.raises(ProcessLookupError):
        os.kill(kernel.pid, 0)


def test_elsewhere_kernels_are_jupyter_s_own(monkeypatch):
    monkeypatch.setattr(warm_kernels, "SUPPORTED", False)
    with warm_kernels.WarmKernels() as own:
        assert own.helper is None and own.manager_class.__module__.startswith("jupyter_client")
