"""Notebook 05 in the folder of a run, with the photos of the run."""

import shutil

import pytest

from maskkit.core import disk, paths
from maskkit.runner import follow_up, notebooks


def trust(**overrides):
    """The folder of the run, and what the lines printed were."""
    lines = []
    run_dir = follow_up.run(notebooks.TRUST, paths.NOTEBOOKS / "trust.yaml", overrides, lines.append)
    return run_dir, lines


def sentence(run_dir):
    return disk.read_json(run_dir / "audit.json")["results"]["a"]["sentence"]


@pytest.fixture
def mine(project, trained):
    """A finished run "mine" of photos/."""
    run_dir = paths.RUNS / "mine"
    disk.write_json(run_dir / "metrics.json", {"run": {"data": str(project / "photos")}})
    shutil.copy(trained / "model.json", run_dir)
    return run_dir


def test_the_photos_of_the_run_are_audited_unless_others_are_named(mine, project):
    assert trust(RUN="mine")[0] == mine
    assert sentence(mine) == f"is {project / 'photos'}, against "
    assert {"05_trust.ipynb", "MODEL_CARD.md"} <= {path.name for path in mine.iterdir()}
    trust(RUN="mine", DATA="demo", AGAINST=str(project / "photos"))
    assert sentence(mine) == f"is demo, against {project / 'photos'}"


def test_photos_that_are_not_there_are_named_first(mine):
    with pytest.raises(FileNotFoundError, match="AGAINST: there is no folder .*nowhere"):
        trust(RUN="mine", AGAINST="nowhere")
    assert not (mine / "audit.json").exists()


def test_an_audit_that_fails_leaves_the_earlier_one(mine, project):
    trust(RUN="mine")
    before = (mine / "05_trust.ipynb").read_bytes()
    (mine / "audit.json").unlink()
    (mine / "audit.json").mkdir()  # so that the notebook cannot write it
    with pytest.raises(notebooks.NotebookError, match="05_trust.ipynb, cell 4: IsADirectoryError"):
        trust(RUN="mine")
    assert (mine / "05_trust.ipynb").read_bytes() == before


def test_the_run_is_made_first_where_there_is_none(project):
    run_dir, lines = trust(RUN="new", RATE="0.25", AGAINST=str(project / "photos"))
    metrics = disk.read_json(run_dir / "metrics.json")
    assert metrics["rate"] == 0.25 and lines[0] == "there is no run new yet: first the report"
    assert sentence(run_dir) == f"is {project / 'photos'}, against {project / 'photos'}"
