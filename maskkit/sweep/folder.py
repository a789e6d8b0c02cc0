"""A sweep's folder: sweep.json, draws/<key>/, recipes/<key>/. Its files are the state of the sweep."""

from pathlib import Path
from typing import Any

import yaml

from maskkit import runs
from maskkit.core import disk
from maskkit.sweep.jobs import Outcome
from maskkit.sweep.recipes import Recipe, draw_settings, key_of

VERSION = 1  # of the folder


class SweepFolder:
    """Reads and writes the files of a sweep; used by the client alone."""

    def __init__(self, path: str | Path, name: str) -> None:
        """Make the folder, or take one of the same sweep.

        Raises:
            ValueError: it holds another sweep, or something else.
        """
        self.path = Path(path)
        self.about: dict[str, Any] = {"format": VERSION, "name": name, "auto": {}}
        about_file = self.path / "sweep.json"
        if about_file.is_file():
            self.about = disk.read_json(about_file)
            if (self.about.get("format"), self.about.get("name")) != (VERSION, name):
                raise ValueError(
                    f"{path} holds the sweep {self.about.get('name')!r} of version {self.about.get('format')!r}, not "
                    f"{name!r}; name another folder with --out"
                )
        elif self.path.exists() and any(self.path.iterdir()):
            raise ValueError(f"{path} holds something else than a sweep; name another folder with --out")
        else:
            disk.write_json(about_file, self.about)

    def record_auto(self, parameter: str, chosen: str) -> None:
        """Record what an "auto" stands for in this sweep.

        Raises:
            ValueError: it stood for something else when the sweep began, so its numbers would not compare.
        """
        before = self.about["auto"].setdefault(parameter, chosen)
        if before != chosen:
            raise ValueError(
                f"{parameter} came to {before} when {self.path} was begun and comes to {chosen} now; name it in the "
                "sweep"
            )
        disk.write_json(self.path / "sweep.json", self.about)

    # --- draws ----------------------------------------------------------------------------------

    def has_draw(self, key: str) -> bool:
        return (self.path / "draws" / key / "split.csv").is_file()

    def write_draw(self, key: str, rows: list[dict[str, str]], rejected: list[dict[str, str]]) -> None:
        from maskkit import data, split

        folder = self.path / "draws" / key
        disk.write_csv(folder / "rejected.csv", rejected, split.REJECTED_COLUMNS)
        disk.write_csv(folder / "split.csv", rows, data.SPLIT_COLUMNS)

    # --- recipes --------------------------------------------------------------------------------

    def read_state(self, key: str) -> tuple[str, dict[str, Any]]:
        """("done" | "broken" | "open", what its file holds) of a recipe."""
        for state, name in (("done", "result.json"), ("broken", "broken.json")):
            path = recipe_folder(self.path, key) / name
            if path.is_file():
                return state, disk.read_json(path)
        return "open", {}

    def write_outcome(self, key: str, recipe: Recipe, outcome: Outcome, notes: dict[str, str]) -> None:
        """Write a recipe's result, or how it broke.

        Args:
            notes: the words for its photos and its network, as far as they are known.
        """
        folder = recipe_folder(self.path, key)
        disk.write_text(folder / "recipe.yaml", yaml.safe_dump(recipe, sort_keys=False, allow_unicode=True))
        entry = {"recipe": recipe} | notes
        run = {"finished": runs.now(), "worker": outcome.worker}
        if outcome.error:
            disk.write_json(
                folder / "broken.json", entry | {"error": outcome.error, "trace": outcome.trace, "run": run}
            )
            return
        history = outcome.value["history"]
        disk.write_csv(folder / "history.csv", history, list(history[0]))
        entry |= {name: value for name, value in outcome.value.items() if name != "history"}
        entry |= {name: history[-1][name] for name in ("train_loss", "val_loss")}
        disk.write_json(folder / "result.json", entry | {"seconds": outcome.seconds, "run": run})
        (folder / "broken.json").unlink(missing_ok=True)


def recipe_folder(sweep_folder: Path, key: str) -> Path:
    """Where a recipe's recipe.yaml, history.csv and result.json or broken.json lie."""
    return sweep_folder / "recipes" / key


def read_draw(sweep_folder: Path, key: str) -> list[dict[str, str]]:
    """The rows of a draw's split.csv."""
    return disk.read_csv(sweep_folder / "draws" / key / "split.csv")


def read_answers(sweep_folder: Path, key: str, recipe: Recipe) -> dict[tuple[str, str], tuple[int, str]]:
    """{(draw, file): (right 0 | 1, group)} of a recipe's validation photos."""
    draw = key_of(draw_settings(recipe))
    rows = [row for row in read_draw(sweep_folder, draw) if row["part"] == "val"]
    right = disk.read_json(recipe_folder(sweep_folder, key) / "result.json")["right"]
    return {(draw, row["file"]): (int(hit), row["group"]) for row, hit in zip(rows, right, strict=True)}
