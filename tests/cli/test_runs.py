from maskkit import runs
from maskkit.cli import main
from maskkit.core import paths
from tests.runner.test_compare_runs import make_run


def test_an_empty_folder_leads_to_the_report(project, capsys):
    assert main.main(["runs"]) == 0
    first, after = capsys.readouterr().out.splitlines()
    assert first.endswith("runs holds no run yet") and after.endswith("maskkit reproduce")


def test_one_run_leads_to_its_audit_and_two_to_their_comparison(project, capsys):
    make_run("old")
    (paths.RUNS / "begun").mkdir()
    assert main.main(["runs"]) == 0
    header, row, after = capsys.readouterr().out.splitlines()
    assert header.split() == ["run", "finished", "photos", "network", "score", "checks"]
    assert "40 of 40 (100.0 %" in row and after.endswith("trust --set RUN=old")
    make_run("new", finished="2026-02-01")
    assert main.main(["runs"]) == 0
    assert capsys.readouterr().out.splitlines()[-1].endswith("compare new old")


def test_what_was_cut_off_is_listed_apart_and_not_compared(project, capsys):
    make_run("old")
    make_run("new.0123abcd.part", finished="2026-02-01")
    runs.record(paths.RUNS / "begun", photos="demo", run={"finished": "2026-03-01"})
    (paths.RUNS / "cut.89abcdef.part").mkdir()
    with runs.locked(paths.RUNS / "new"):
        assert main.main(["runs"]) == 0
    *_, heading, first, second, after = capsys.readouterr().out.splitlines()
    assert heading == "unfinished:"
    assert first.startswith("  cut.89abcdef.part  cut off") and second == "  new.0123abcd.part  under way"
    assert after.endswith("trust --set RUN=old")
