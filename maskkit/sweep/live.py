"""A sweep as a table that fills up in a notebook."""

from typing import Any

from maskkit.html.markup import element
from maskkit.html.render import table
from maskkit.sweep.recipes import varied_parameters
from maskkit.sweep.state import Sweep

SHOWN = 12  # rows; runs.csv has all


def make_table() -> "Table | None":
    """What shows a sweep if this process is a notebook's kernel; None elsewhere."""
    try:
        from IPython import get_ipython
    except ImportError:
        return None
    shell = get_ipython()
    return Table() if shell is not None and hasattr(shell, "kernel") else None


class Table:
    """One output of a cell, replaced at each change."""

    def __init__(self) -> None:
        self.handle: Any = None

    def __call__(self, sweep: Sweep) -> None:
        from IPython.display import HTML, display

        shown = HTML(html(sweep))
        if self.handle is None:
            self.handle = display(shown, display_id=True)
        else:
            self.handle.update(shown)


def html(sweep: Sweep) -> str:
    """The counts, and the best rows so far."""
    counts, total = sweep.counts, len(sweep.rows)
    names = [name for name in varied_parameters(sweep.recipes.values()) if name != "SEED"]
    done = sorted((sweep.rows[key] for key in sweep.of("done")), key=lambda row: -row["last_accuracy"])
    columns = ["recipe", *names, "seed", "last epoch", "best epoch"]
    body = [
        [
            row["key"],
            *(row[name] for name in names),
            row["SEED"],
            *(f"{row[f'{which}_correct']} of {row['n_val']}" for which in ("last", "best")),
        ]
        for row in done[:SHOWN]
    ]
    progress = element("progress", value=total - counts["open"], max=total)
    state = f" {counts['done']:,} of {total:,} recipes done, {counts['broken']:,} broken"
    return element("p", progress, state) + table(f"The {len(body)} best so far, by the last epoch.", columns, body)
