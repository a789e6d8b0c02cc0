"""The notebooks' parameters: read from a file and from `--set`, their names and types checked before a kernel starts.

What values a parameter may have stands in `core/parameters.py`.
"""

import ast
import json
import math
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import yaml

from maskkit.core import parameters, paths
from maskkit.runner import notebooks

PATHS = {  # parameters that are paths, and the words that are allowed in a path's place
    "DATA": ("auto", "kaggle", "demo", "run"),
    "WEIGHTS": ("auto", "imagenet", "packaged", "none"),
    "AGAINST": ("",),
    "GROUPS": ("",),
    "CORRECTIONS": ("auto", ""),
}


def read_defaults(notebook: Path) -> dict[str, Any]:
    """{name: default} of the cell tagged `parameters`; every value is a literal.

    Raises:
        ValueError: there is not exactly one such cell, or it holds something else than NAME = literal.
    """
    content = json.loads(notebook.read_text(encoding="utf-8"))  # importing nbformat takes a second
    cells = [cell for cell in content["cells"] if "parameters" in cell["metadata"].get("tags", [])]
    if len(cells) != 1:
        raise ValueError(f"{notebook} must have one cell tagged 'parameters', it has {len(cells)}")
    defaults = {}
    for line in ast.parse("".join(cells[0]["source"])).body:
        try:
            (target,), value = line.targets, line.value  # type: ignore[attr-defined]
            defaults[target.id] = ast.literal_eval(value)
        except (AttributeError, ValueError) as error:
            problem = f"the parameters cell holds {ast.unparse(line)!r}, no NAME = literal"
            raise ValueError(f"{notebook}: {problem}") from error
    return defaults


def read_all_defaults(chosen: Iterable[Path]) -> dict[Path, dict[str, Any]]:
    """{notebook: what `read_defaults` returns}."""
    return {notebook: read_defaults(notebook) for notebook in chosen}


def read_file(path: str | Path) -> dict[str, Any]:
    """The settings of a flat YAML file.

    Raises:
        FileNotFoundError, ValueError: it is not there, or not flat YAML.
    """
    path = Path(path)
    if not path.is_file():
        raise FileNotFoundError(f"there is no parameter file {path}; the report's is {paths.NOTEBOOKS / 'report.yaml'}")
    try:
        settings = yaml.safe_load(path.read_text(encoding="utf-8")) or {}
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise ValueError(f"{path} is not YAML: {error}") from error
    if not isinstance(settings, dict) or any(isinstance(value, dict | list) for value in settings.values()):
        raise ValueError(f"{path} must be flat: one NAME: value per line")
    return settings


def check(
    defaults: Mapping[Path, dict[str, Any]], settings: Mapping[str, Any], overrides: Mapping[str, str]
) -> dict[Path, dict[str, Any]]:
    """The parameters each notebook receives, names and types checked before any kernel starts.

    Args:
        defaults: what `read_all_defaults` returned, of the notebooks in the order in which they run.
        settings: {name: value} of a parameter file.
        overrides: {name: text} of `--set NAME=VALUE`; read by the declared type, they win over `settings`.

    Raises:
        ValueError: a name that no notebook declares, a text that is not of its type, or a value out of range.
        TypeError: a value of another type than the notebook's default.
    """
    declared: dict[str, tuple[Any, Path]] = {}
    for path, own in defaults.items():
        for name, value in own.items():
            declared.setdefault(name, (value, path))
    values = {}
    for name, value in {**settings, **overrides}.items():
        if name not in declared:
            where = ", ".join(notebook.name for notebook in defaults)
            raise ValueError(f"{where} declare no parameter {name!r}; they declare {', '.join(declared)}")
        default, notebook = declared[name]
        value = parse(name, value, default) if name in overrides else value
        values[name] = absolute(name, parameters.need(name, typed(name, value, default, notebook.name)))
    for own in defaults.values():
        parameters.check(own | {name: value for name, value in values.items() if name in own})
    return {path: {name: values[name] for name in own if name in values} for path, own in defaults.items()}


def read_run_defaults() -> dict[Path, dict[str, Any]]:
    """{notebook: {name: default}} of the notebooks that make a run: 01-03, and 02_train_recipe after 02_train."""
    report = notebooks.find_report()
    return read_all_defaults([*report[:2], notebooks.find(notebooks.TRAIN_RECIPE), *report[2:]])


def check_run(settings: Mapping[str, Any], overrides: Mapping[str, str]) -> dict[Path, dict[str, Any]]:
    """All parameters of the three notebooks that make a run of these settings, in the order in which they run.

    02_train_recipe takes the place of 02_train where a name is given that it alone declares.

    Args:
        settings, overrides: as of `check`.

    Returns:
        {notebook: {name: value}}, defaults included.

    Raises:
        ValueError, TypeError: raised by `check`.
    """
    defaults = read_run_defaults()
    checked = check(defaults, settings, overrides)
    others = {name for path, own in defaults.items() if path.name != notebooks.TRAIN_RECIPE for name in own}
    left_out = notebooks.TRAIN if {*settings, *overrides} - others else notebooks.TRAIN_RECIPE
    return {path: own | checked[path] for path, own in defaults.items() if path.name != left_out}


def typed(name: str, value: Any, default: Any, notebook: str) -> Any:
    """`value`, of the type of `default`; an int is accepted for a float, and no float that is not finite."""
    if type(default) is float and type(value) is int:
        return float(value)
    if type(value) is float and not math.isfinite(value):
        raise ValueError(f"{name} of {notebook} must be finite like its default {default!r}, got {value!r}")
    if type(value) is not type(default):
        kind = type(default).__name__
        raise TypeError(f"{name} of {notebook} must be {kind} like its default {default!r}, got {value!r}")
    return value


def parse(name: str, text: str, default: Any) -> Any:
    """The value of `--set NAME=text`: the type is the default's, so RUN=007 stays text."""
    kind = type(default)
    if kind is bool:
        if text.lower() not in ("true", "false"):
            raise ValueError(f"{name} must be true or false, got {text!r}")
        return text.lower() == "true"
    try:
        return kind(text)
    except ValueError as error:
        raise ValueError(f"{name} must be {kind.__name__} like its default {default!r}, got {text!r}") from error


def absolute(name: str, value: Any) -> Any:
    """A path parameter made absolute: notebooks run in another folder than the caller's."""
    if name in PATHS and value not in PATHS[name]:
        return str(Path(value).expanduser().absolute())
    return value
