"""Which notebooks there are, and one of them executed through papermill."""

import contextlib
import json
import logging
import os
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from maskkit.core import disk, paths
from maskkit.runner.warm_kernels import WarmKernels

PREPARE = "01_prepare.ipynb"
TRAIN, TRAIN_RECIPE = "02_train.ipynb", "02_train_recipe.ipynb"  # a run has one of them
REPORT = (PREPARE, TRAIN, "03_evaluate.ipynb")
IMPROVE, TRUST, EXPLORE = "04_improve.ipynb", "05_trust.ipynb", "06_explore.ipynb"
ALL = (*REPORT[:2], TRAIN_RECIPE, *REPORT[2:], IMPROVE, TRUST, EXPLORE)
QUIET_KERNEL = ["--IPKernelApp.log_level=50"]  # its own log; a cell's errors come another way


class NotebookError(Exception):
    """A cell failed: the message names the notebook, the cell and the error.

    `is_mistake`: the cell raised what stands for a user's mistake, such as a ValueError.
    """

    def __init__(self, message: str, is_mistake: bool = False) -> None:
        super().__init__(message)
        self.is_mistake = is_mistake


def find(name: str) -> Path:
    """The path of one of our notebooks.

    Raises:
        FileNotFoundError: it is not there.
    """
    path = paths.NOTEBOOKS / name
    if not path.is_file():
        raise FileNotFoundError(f"{path} is missing; run maskkit inside its source tree (a clone)")
    return path


def find_report() -> list[Path]:
    """The paths of notebooks 01-03, in the order in which they run."""
    return [find(name) for name in REPORT]


@contextlib.contextmanager
def without_slow_imports() -> Iterator[None]:
    """Import papermill without packages that it does not need here; others bring them, and it is ready to miss them.

    rfc3987_syntax, which JupyterLab brings, builds a grammar in 1.5 s so that jsonschema checks the form of
    internationalised addresses; notebooks do not hold any. pyarrow, which Dask brings, takes 0.2 s for Hadoop's files.
    """
    ours = [name for name in ("rfc3987_syntax", "pyarrow") if name not in sys.modules]
    for name in ours:
        sys.modules[name] = None  # type: ignore[assignment]  # an import of it fails
    try:
        yield
    finally:
        for name in ours:
            del sys.modules[name]


def execute(
    notebook: Path,
    output: Path,
    parameters: dict[str, Any],
    show_output: bool = False,
    kernels: WarmKernels | None = None,
) -> None:
    """One notebook through papermill, in the notebooks' folder, with a bar of its cells on a terminal.

    Args:
        notebook, output: its path, and that of the executed notebook.
        parameters: {name: value} for the cell tagged `parameters`.
        show_output: repeat here what its cells print, as they print it, and on a terminal their own progress bars
            instead of that of the cells: for a notebook with cells that take minutes.
        kernels: what starts the kernel; None for Jupyter's own way.

    Raises:
        NotebookError: a cell failed, or the kernel died.
        OSError: the executed notebook could not be written.
    """
    with without_slow_imports():
        import papermill
        from nbclient.exceptions import DeadKernelError

        from maskkit.runner import papermill_engine

    logging.getLogger("papermill").setLevel(logging.ERROR)
    logging.getLogger("asyncio").setLevel(logging.CRITICAL)  # else it may show what ended a task that a signal cut off
    if show_output and sys.stdout.isatty():
        os.environ[paths.BARS] = "1"  # for the kernel, which inherits it
    try:
        papermill.execute_notebook(
            notebook,
            output,
            parameters=parameters,
            engine_name=papermill_engine.NAME,
            kernel_name="python3",
            cwd=str(paths.kernel_folder()),
            extra_arguments=QUIET_KERNEL,
            progress_bar=not show_output and sys.stderr.isatty() and {"desc": notebook.stem},
            stdout_file=sys.stdout if show_output else None,
            **({"kernel_manager_class": kernels.manager_class} if kernels else {}),
        )
    except papermill.PapermillExecutionError as error:
        raise NotebookError(
            f"{notebook.name}, cell {error.cell_index + 1}: {error.ename}: {error.evalue}\n"
            f"The executed notebook with the whole traceback is {output}",
            is_mistake=error.ename in ("FileNotFoundError", "ValueError", "TypeError"),
        ) from error
    except DeadKernelError as error:
        raise NotebookError(
            f"{notebook.name}: its kernel died, probably because memory ran out; {output} shows which cells had run. "
            "Close other programs or take fewer photos, then run it again"
        ) from error
    except OSError as error:
        raise disk.not_written(output, error) if error.errno in disk.WRITE_FAULTS else error from error
    shorten_link(output)


def shorten_link(notebook: Path) -> None:
    """Let a link to the page lead from the executed notebook: the page lies beside it, the kernel ran elsewhere."""
    text = notebook.read_text(encoding="utf-8")
    address = Path(os.path.relpath(notebook.with_name("report.html"), paths.kernel_folder())).as_posix()
    if (linked := json.dumps(f"(<{address}>)", ensure_ascii=False)[1:-1]) in text:
        disk.write_text(notebook, text.replace(linked, "(<report.html>)"))
