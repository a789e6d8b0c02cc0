"""papermill's engine, but it writes a running notebook less often."""

from typing import Any

from papermill.engines import NBClientEngine, NotebookExecutionManager, papermill_engines

NAME = "maskkit"
EVERY = 3  # seconds; papermill writes before and after each cell, which takes a tenth of a run's time


class SparseEngine(NBClientEngine):
    """Writes a notebook at its start, then every few seconds, and at its end, also after an error."""

    @classmethod
    def execute_managed_notebook(cls, nb_man: NotebookExecutionManager, *args: Any, **kwargs: Any) -> Any:
        save = nb_man.save

        def save_now_and_then(**changed: Any) -> None:
            if (nb_man.now() - nb_man.last_save_time).total_seconds() >= EVERY:
                save(**changed)

        nb_man.save = save_now_and_then
        try:
            return super().execute_managed_notebook(nb_man, *args, **kwargs)
        finally:
            nb_man.save = save


papermill_engines.register(NAME, SparseEngine)
