"""Runs listed and compared: the numbers by hand, and folders that hold no finished run."""

import pytest
from conftest import recorded_audit

from maskkit import evaluate, runs
from maskkit.cli import main
from maskkit.core import disk, paths
from maskkit.runner import compare_runs


def make(name, wrong=(), *, finished="2026-01-01", photos=range(40), **more):
    """A run folder whose saved model is wrong on the photos `wrong`."""
    run_dir = paths.RUNS / name
    rows = [{"file": f"{i}.png", "part": "val", "sha256": f"{i:064}"} for i in photos]
    disk.write_csv(run_dir / "split.csv", rows, list(rows[0]))
    score = {"epoch": 1, **evaluate.score(len(rows) - len(wrong), len(rows))}
    runs.record(
        run_dir,
        photos="demo",
        network="resnet18",
        seed=0,
        best=score,
        last=score,
        run={"finished": finished},
        mistakes=[{"file": f"{i}.png"} for i in wrong],
        **more,
    )
    epoch = {
        "epoch": 1,
        "train_loss": 0.5,
        "train_accuracy": 0.8,
        "val_loss": 0.6,
        "val_accuracy": 0.75,
        "val_correct": 30,
    }
    disk.write_csv(run_dir / "history.csv", [epoch, epoch | {"epoch": 2}], list(epoch))
    return run_dir


@pytest.fixture(autouse=True)
def own_runs(tmp_path, monkeypatch):
    monkeypatch.setattr(paths, "RUNS", tmp_path / "runs")


def test_runs_are_listed_the_latest_first(capsys):
    make("old", [3])
    make("new", finished="2026-02-01")
    disk.write_text(paths.RUNS / "broken" / "metrics.json", "{")
    runs.record(paths.RUNS / "begun", photos="demo")
    (paths.RUNS / "empty").mkdir()
    rows = compare_runs.listing()
    assert [row["run"] for row in rows][:2] == ["new", "old"] and len(rows) == 4
    assert rows[1]["score"] == "39 of 40 (97.5 %, 95 % interval 87.1-99.6 %)" and rows[1]["lights"] == "-"
    said = {row["run"]: row["score"] for row in rows}
    assert "metrics.json cannot be used: ValueError" in said["broken"] and "is damaged" in said["broken"]
    assert said["begun"] == "not trained yet"
    assert main.main(["runs"]) == 0
    assert capsys.readouterr().out.splitlines()[-1].endswith("compare new old")


def test_what_was_cut_off_is_listed_apart_and_not_compared(capsys):
    make("old")
    make("new.0123abcd.part", finished="2026-02-01")
    runs.record(paths.RUNS / "begun", photos="demo", run={"finished": "2026-03-01"})
    (paths.RUNS / "cut.89abcdef.part").mkdir()
    assert [row["run"] for row in compare_runs.listing()] == ["begun", "old"]
    with runs.locked(paths.RUNS / "new"):
        assert main.main(["runs"]) == 0
    *_, heading, first, second, then = capsys.readouterr().out.splitlines()
    assert heading == "unfinished:"
    assert first.startswith("  cut.89abcdef.part  cut off") and second == "  new.0123abcd.part  under way"
    assert then.endswith("trust --set RUN=old")


def test_lights_are_counted():
    disk.write_json(make("audited") / "audit.json", recorded_audit())
    assert sum(int(part.split()[0]) for part in compare_runs.entry(paths.RUNS / "audited")["lights"].split(", ")) == 6
    disk.write_text(paths.RUNS / "audited" / "audit.json", "[]")
    assert "audit.json cannot be used" in compare_runs.entry(paths.RUNS / "audited")["lights"]


def test_the_same_photos_are_compared_in_pairs():
    found = compare_runs.compare(make("a", [1, 2, 3]), make("b", [3], learning_rate=0.1))
    assert found["settings"] == [("learning_rate", "-", "0.1")]
    assert "+5.0 points" in found["sentence"] and "2 right in the second only, 0 in the first only" in found["sentence"]
    assert "could be chance alone" in found["sentence"] and "same 40 validation photos" in found["sentence"]
    plain = compare_runs.compare(make("c", range(20)), make("d"))
    assert "more than chance explains" in plain["sentence"] and "+50.0 points" in plain["sentence"]


def test_other_photos_are_not_paired():
    found = compare_runs.compare(make("a", [1]), make("b", [39], photos=range(30, 60)))
    assert "not paired: 10 of 40 and 30 validation photos are the same" in found["sentence"]
    assert "-0.8 points" in found["sentence"]


def test_compare_draws_both_curves_and_says_what_is_missing(capsys):
    make("a", [1])
    runs.record(paths.RUNS / "half", photos="demo")
    make("b")
    assert main.main(["compare", "a", "b"]) == 0
    assert "trust --set RUN=a" in capsys.readouterr().out.splitlines()[-1]
    assert (paths.RUNS / "compare-a-b" / "figures" / "curves.png").stat().st_size > 10_000
    assert main.main(["compare", "a", "half"]) == 2
    assert "run 03_evaluate.ipynb with the same RUN first" in capsys.readouterr().err
