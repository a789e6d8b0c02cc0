"""Runs listed and compared: the numbers by hand, and folders that hold no finished run."""

import pytest
from conftest import recorded_audit

from maskkit import evaluate, runs
from maskkit.core import disk, mutes, paths
from maskkit.runner import compare_runs


def make_run(name, wrong=(), *, finished="2026-01-01", photos=range(40), **more):
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


def test_runs_are_listed_the_latest_first():
    make_run("old", [3])
    make_run("new", finished="2026-02-01")
    disk.write_text(paths.RUNS / "broken" / "metrics.json", "{")
    runs.record(paths.RUNS / "begun", photos="demo")
    (paths.RUNS / "empty").mkdir()
    rows = compare_runs.list_runs()
    assert [row["run"] for row in rows][:2] == ["new", "old"] and len(rows) == 4
    assert rows[1]["score"] == "39 of 40 (97.5 %, 95 % interval 87.1-99.6 %)" and rows[1]["checks"] == "-"
    said = {row["run"]: row["score"] for row in rows}
    assert "metrics.json cannot be used: ValueError" in said["broken"] and "is damaged" in said["broken"]
    assert said["begun"] == "not trained yet"


def test_what_was_cut_off_is_listed_apart():
    make_run("old")
    make_run("new.0123abcd.part", finished="2026-02-01")
    runs.record(paths.RUNS / "begun", photos="demo", run={"finished": "2026-03-01"})
    (paths.RUNS / "cut.89abcdef.part").mkdir()
    assert [row["run"] for row in compare_runs.list_runs()] == ["begun", "old"]
    with runs.locked(paths.RUNS / "new"):
        assert compare_runs.list_unfinished() == {"cut.89abcdef.part": False, "new.0123abcd.part": True}


def test_results_of_checks_are_counted():
    disk.write_json(make_run("audited") / "audit.json", recorded_audit())
    counted = compare_runs.describe_run(paths.RUNS / "audited")["checks"]
    assert sum(int(part.split()[0]) for part in counted.split(", ")) == 8
    audit = recorded_audit()
    mutes.apply(audit, {check["code"]: "known" for check in audit["checks"]})
    disk.write_json(paths.RUNS / "audited" / "audit.json", audit)
    assert compare_runs.describe_run(paths.RUNS / "audited")["checks"] == "8 muted"
    disk.write_text(paths.RUNS / "audited" / "audit.json", "[]")
    assert "audit.json cannot be used" in compare_runs.describe_run(paths.RUNS / "audited")["checks"]


def test_the_same_photos_are_compared_in_pairs():
    comparison = compare_runs.compare(make_run("a", [1, 2, 3]), make_run("b", [3], learning_rate=0.1))
    assert comparison.settings == [("learning_rate", "-", "0.1")]
    assert (
        "+5.0 points" in comparison.sentence
        and "2 right in the second only, 0 in the first only" in comparison.sentence
    )
    assert "could be chance alone" in comparison.sentence and "same 40 validation photos" in comparison.sentence
    clear = compare_runs.compare(make_run("c", range(20)), make_run("d"))
    assert "more than chance explains" in clear.sentence and "+50.0 points" in clear.sentence


def test_other_photos_are_not_paired():
    comparison = compare_runs.compare(make_run("a", [1]), make_run("b", [39], photos=range(30, 60)))
    assert "not paired: 10 of 40 and 30 validation photos are the same" in comparison.sentence
    assert "-0.8 points" in comparison.sentence
