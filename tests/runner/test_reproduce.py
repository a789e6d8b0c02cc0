"""Notebooks 01-03 into one run folder, which takes its place when all have passed."""

import nbformat
import pytest

from maskkit import runs
from maskkit.core import paths
from maskkit.runner import notebooks, reproduce


def run(**overrides):
    return reproduce.reproduce(paths.NOTEBOOKS / "report.yaml", overrides, print_line=lambda line: None)


def test_a_run_ends_in_its_folder_under_its_own_name(project):
    odd = (project / "photos").rename(project / 'it\'s "here"')
    run_dir = run(RUN="first", DATA=str(odd), RATE="1")
    assert run_dir == project / "runs" / "first" and [p.name for p in run_dir.parent.glob("[!.]*")] == ["first"]
    metrics = runs.read_metrics(run_dir)
    assert metrics["run"]["data"] == str(odd) and metrics["run"]["finished"]
    assert metrics["rate"] == 1.0 and metrics["seconds"]["total"] > 0
    sources = [cell.source for cell in nbformat.read(run_dir / "01_prepare.ipynb", 4).cells]
    assert 'RUN = "first"' in "".join(sources)


def test_a_recipe_s_settings_run_its_notebook_in_place_of_02_train(project):
    run_dir = run(RUN="wide", SHARE="0.5")
    assert sorted(path.name for path in run_dir.glob("*.ipynb")) == [
        "01_prepare.ipynb", "02_train_recipe.ipynb", "03_evaluate.ipynb",
    ]  # fmt: skip
    sources = "".join(cell.source for cell in nbformat.read(run_dir / "02_train_recipe.ipynb", 4).cells)
    assert "SHARE = 0.5" in sources and 'RUN = "wide"' in sources and ".part" not in sources
    assert "02_train_recipe.ipynb" not in {path.name for path in run(RUN="wide").iterdir()}  # the report's again


def test_a_failing_cell_is_named_and_the_earlier_run_kept(project):
    run_dir = run()
    before = (run_dir / "metrics.json").read_bytes()
    with pytest.raises(notebooks.NotebookError, match="02_train.ipynb, cell 3: AssertionError: N is not 3"):
        run(N="4")
    assert (run_dir / "metrics.json").read_bytes() == before
    assert len(list((project / "runs").glob("report.*.part/02_train.ipynb"))) == 1
    assert run() == run_dir and not list((project / "runs").glob("report.*.part"))


@pytest.mark.parametrize("name", ["../up", "", "a/b", ".hidden"])
def test_a_run_s_name_is_a_plain_folder_name(project, name):
    with pytest.raises(ValueError, match="RUN must be a plain folder name"):
        run(RUN=name)


def test_a_notebook_that_is_missing_is_named(project):
    (paths.NOTEBOOKS / "03_evaluate.ipynb").unlink()
    with pytest.raises(FileNotFoundError, match="03_evaluate.ipynb is missing; run maskkit inside its source tree"):
        run()
