"""The layout of the package: who may import whom, no cycles, and a top level that holds the report alone."""

import ast
import graphlib
from collections.abc import Iterator
from pathlib import Path

import nbformat
import pytest

from maskkit.core import paths
from maskkit.runner import notebooks

PACKAGE = paths.ROOT / "maskkit"
REPORT = "the report"  # the files at the top level
# Each may import those of earlier rows, and itself. improve and explore use the audit's measurements, explore
# learns by the recipes of improve, and partitions of a prediction are jobs of a sweep.
ROWS = (
    {"core"},
    {"sources", "html"},
    {REPORT},
    {"audit"},
    {"improve"},
    {"explore"},
    {"runner"},
    {"sweep"},
    {"deploy"},
    {"cli"},
)
LEVEL = {name: level for level, names in enumerate(ROWS) for name in names}
FILES = sorted(path for path in PACKAGE.rglob("*.py") if path.name not in ("__init__.py", "__main__.py"))


def name_of(path: Path) -> str:
    return ".".join(path.relative_to(PACKAGE.parent).with_suffix("").parts)


MODULES = {name_of(path): path for path in FILES}


def house_of(module: str) -> str:
    parts = module.split(".")
    return parts[1] if len(parts) > 2 else REPORT


def nodes(tree: ast.AST) -> Iterator[ast.AST]:
    """All nodes but those that only a type checker sees."""
    for node in ast.iter_child_nodes(tree):
        if isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING":
            continue
        yield node
        yield from nodes(node)


def imports(source: str) -> Iterator[str]:
    """The modules of the package that a source imports, at its top or within a function."""
    for node in nodes(ast.parse(source)):
        if isinstance(node, ast.Import):
            named = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            assert not node.level, "imports are absolute"
            named = [node.module, *(f"{node.module}.{alias.name}" for alias in node.names)]
        else:
            continue
        yield from (name for name in named if name in MODULES)


GRAPH = {name: set(imports(path.read_text(encoding="utf-8"))) for name, path in MODULES.items()}


@pytest.mark.parametrize("module", MODULES)
def test_imports_go_down_the_rows_only(module):
    house = house_of(module)
    wrong = {name for name in GRAPH[module] if house_of(name) != house and LEVEL[house_of(name)] >= LEVEL[house]}
    assert not wrong


def test_no_modules_import_each_other():
    graphlib.TopologicalSorter(GRAPH).prepare()  # raises CycleError, which names the cycle


def test_the_top_level_holds_what_notebooks_01_to_03_import_and_nothing_else():
    used = set()
    for path in notebooks.find_report():
        cells = [cell.source for cell in nbformat.read(path, 4).cells if cell.cell_type == "code"]
        used |= {name for cell in cells for name in imports(cell)}
    waiting = set(used)
    while waiting:
        waiting = set().union(*(GRAPH[name] for name in waiting)) - used
        used |= waiting
    assert {name for name in MODULES if house_of(name) == REPORT} <= used


def test_every_folder_has_a_row_and_ships():
    folders = {house_of(name) for name in MODULES}
    assert folders == set(LEVEL)
    shipped = (paths.ROOT / "pyproject.toml").read_text(encoding="utf-8")
    assert all(f'"maskkit.{folder}"' in shipped for folder in folders - {REPORT})
