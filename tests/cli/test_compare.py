import shutil

from maskkit import runs
from maskkit.cli import main
from maskkit.core import paths
from tests.runner.test_compare_runs import make_run


def test_both_curves_are_drawn(project, capsys):
    make_run("a", [1])
    make_run("b")
    assert main.main(["compare", "a", "b"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].split() == ["a", "b"] and lines[-1].endswith("trust --set RUN=a")
    assert (paths.RUNS / "compare-a-b" / "figures" / "curves.png").stat().st_size > 10_000


def test_runs_of_one_name_are_told_apart_by_their_folders(project, capsys, monkeypatch):
    monkeypatch.chdir(project)
    shutil.copytree(make_run("a"), project / "elsewhere" / "a")
    assert main.main(["compare", "a", "elsewhere/a", "--out", "out"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].split() == ["runs/a", "elsewhere/a"] and lines[-1].endswith("trust --set RUN=a")
    assert main.main(["compare", "elsewhere/a", "a", "--out", "out"]) == 0
    assert "RUN=" not in capsys.readouterr().out  # no RUN names a folder elsewhere
    assert (project / "out" / "figures" / "curves.png").is_file()


def test_a_run_without_an_evaluation_is_named(project, capsys):
    make_run("a")
    runs.record(paths.RUNS / "half", photos="demo")
    assert main.main(["compare", "a", "half"]) == 2
    assert "run 03_evaluate.ipynb with the same RUN first" in capsys.readouterr().err
