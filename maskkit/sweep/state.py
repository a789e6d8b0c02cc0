"""A sweep's recipes with what is known of each: what the ranking and the page take."""

import dataclasses
from pathlib import Path
from typing import Any

from maskkit.sweep.recipes import Recipe

NUMBERS = (
    "n_train", "n_val", "best_epoch", "best_correct", "best_accuracy", "best_low", "best_high",
    "last_epoch", "last_correct", "last_accuracy", "last_low", "last_high", "train_loss", "val_loss", "seconds",
)  # fmt: skip
NOTES = ("photos", "network", "error")


@dataclasses.dataclass
class Sweep:
    """A sweep under way or done. `rows`: one dict per recipe, as runs.csv has them, with `key` and `state`."""

    name: str
    folder: Path
    recipes: dict[str, Recipe]
    rows: dict[str, dict[str, Any]]

    @property
    def counts(self) -> dict[str, int]:
        """Recipes by state."""
        states = [row["state"] for row in self.rows.values()]
        return {state: states.count(state) for state in ("done", "broken", "open")}

    def of(self, state: str) -> list[str]:
        """The keys of the recipes in a state."""
        return [key for key, row in self.rows.items() if row["state"] == state]


def make_row(key: str, recipe: Recipe, state: str, result: dict[str, Any]) -> dict[str, Any]:
    """A recipe's row of runs.csv; what is not known yet is empty.

    Args:
        result: the content of its result.json or broken.json; empty while it is open.
    """
    numbers: dict[str, Any] = {}
    for which in ("best", "last") if state == "done" else ():
        score = result[which]
        low, high = score["interval"]
        numbers |= {f"{which}_{name}": score[name] for name in ("epoch", "correct", "accuracy")}
        numbers |= {f"{which}_low": low, f"{which}_high": high}
    numbers = {name: numbers.get(name, result.get(name, "")) for name in NUMBERS}
    return {"key": key, "state": state} | recipe | numbers | {name: result.get(name, "") for name in NOTES}
