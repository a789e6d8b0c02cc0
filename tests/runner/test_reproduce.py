import json
import shutil

import nbformat
import pytest
from nbformat.v4 import new_code_cell, new_notebook

from maskkit import runs
from maskkit.cli import main
from maskkit.core import disk, paths
from maskkit.runner import reproduce


def notebook(path, *sources):
    """A notebook of code cells, the first tagged `parameters`."""
    cells = [new_code_cell(source) for source in sources]
    cells[0].metadata["tags"] = ["parameters"]
    metadata = {"kernelspec": {"display_name": "Python 3", "language": "python", "name": "python3"}}
    nbformat.write(new_notebook(cells=cells, metadata=metadata), path)
    return path


@pytest.fixture
def project(tmp_path, monkeypatch):
    """A project of two small notebooks that need no torch, and its folders."""
    monkeypatch.setattr(paths, "NOTEBOOKS", tmp_path / "notebooks")
    monkeypatch.setattr(paths, "RUNS", tmp_path / "runs")
    monkeypatch.setattr(reproduce, "check_sources", lambda settings, say: None)
    paths.NOTEBOOKS.mkdir()
    write = f"import json, pathlib\nrun_dir = pathlib.Path({str(tmp_path / 'runs')!r}) / RUN"
    save = "(run_dir / 'metrics.json').write_text(json.dumps({'data': DATA, 'rate': RATE}))"
    notebook(paths.NOTEBOOKS / "a.ipynb", 'RUN = "x"\nDATA = "demo"\nRATE = 0.5', write, save)
    notebook(paths.NOTEBOOKS / "b.ipynb", 'RUN = "x"\nN = 3', "assert N == 3, 'N is not 3'")
    (tmp_path / "p.yaml").write_text("RUN: first\nRATE: 1\n")
    return tmp_path


def run(project, **texts):
    return reproduce.reproduce(project / "p.yaml", texts, ("a.ipynb", "b.ipynb"), say=lambda text: None)


def test_the_cell_tagged_parameters_is_read(project):
    assert reproduce.declared(paths.NOTEBOOKS / "a.ipynb") == {"RUN": "x", "DATA": "demo", "RATE": 0.5}
    bad = notebook(project / "bad.ipynb", "DATA = download()")
    with pytest.raises(ValueError, match="no NAME = literal"):
        reproduce.declared(bad)


@pytest.mark.parametrize(
    ("settings", "texts", "error", "message"),
    [
        ({"EPOCS": 3}, {}, ValueError, "declare no parameter 'EPOCS'; they declare RUN, DATA, RATE, N"),
        ({}, {"EPOCS": "3"}, ValueError, "declare no parameter 'EPOCS'"),
        ({"RATE": "3e-4"}, {}, TypeError, "RATE of a.ipynb must be float like its default 0.5, got '3e-4'"),
        ({"N": True}, {}, TypeError, "N of b.ipynb must be int"),
        ({"N": 2.0}, {}, TypeError, "N of b.ipynb must be int"),
        ({}, {"N": "many"}, ValueError, "N must be int like its default 3, got 'many'"),
    ],
)
def test_a_wrong_name_or_type_stops_before_any_kernel(project, settings, texts, error, message):
    with pytest.raises(error, match=message):
        reproduce.check(settings, texts, [paths.NOTEBOOKS / name for name in ("a.ipynb", "b.ipynb")])


def test_each_notebook_gets_what_it_declares_read_by_type(project, monkeypatch):
    monkeypatch.chdir(project)
    a, b = (paths.NOTEBOOKS / name for name in ("a.ipynb", "b.ipynb"))
    found = reproduce.check({"RATE": 1}, {"RUN": "007", "DATA": "it's here", "N": "4"}, [a, b])
    assert found == {a: {"RUN": "007", "DATA": str(project / "it's here"), "RATE": 1.0}, b: {"RUN": "007", "N": 4}}
    assert type(found[a]["RATE"]) is float


def test_a_parameter_file_must_be_flat_yaml(project):
    with pytest.raises(FileNotFoundError, match="no parameter file"):
        reproduce.read_parameters(project / "none.yaml")
    for text in ("A: {B: 1}", "- 1", "A: ["):
        (project / "bad.yaml").write_text(text)
        with pytest.raises(ValueError, match="bad.yaml"):
            reproduce.read_parameters(project / "bad.yaml")


def test_a_run_ends_in_its_folder_under_its_own_name(project):
    run_dir = run(project, DATA='it\'s "here"')
    assert run_dir == project / "runs" / "first" and [p.name for p in run_dir.parent.glob("[!.]*")] == ["first"]
    metrics = runs.read_metrics(run_dir)
    assert metrics["data"].endswith('it\'s "here"') and metrics["rate"] == 1.0 and metrics["seconds"]["total"] > 0
    assert 'RUN = "first"' in "".join(cell.source for cell in nbformat.read(run_dir / "a.ipynb", 4).cells)


def test_a_failing_cell_is_named_and_the_earlier_run_kept(project):
    run_dir = run(project)
    before = (run_dir / "metrics.json").read_bytes()
    with pytest.raises(reproduce.NotebookError, match="b.ipynb, cell 3: AssertionError: N is not 3"):
        run(project, N="4")
    assert (run_dir / "metrics.json").read_bytes() == before
    assert len(list((project / "runs").glob("first.*.part/b.ipynb"))) == 1
    assert run(project) == run_dir and not list((project / "runs").glob("first.*.part"))


@pytest.mark.parametrize("name", ["../up", "", "a/b", ".hidden"])
def test_a_run_s_name_is_a_plain_folder_name(project, name):
    with pytest.raises(ValueError, match="RUN must be a plain folder name"):
        run(project, RUN=name)


def test_the_command_line_says_one_line_and_exits_by_kind(project, capsys, monkeypatch):
    monkeypatch.setattr(reproduce, "REPORT_NOTEBOOKS", ("a.ipynb", "b.ipynb"))
    assert main.main(["reproduce", str(project / "p.yaml"), "--set", "EPOCS=3"]) == 2
    assert main.main(["reproduce", str(project / "p.yaml"), "--set", "EPOCS"]) == 2
    errors = capsys.readouterr().err.splitlines()
    assert len(errors) == 2 and all(line.startswith("maskkit: ") for line in errors)


def test_a_fault_of_our_own_is_said_below_its_traceback(monkeypatch, capsys):
    monkeypatch.setattr(main, "run_runs", lambda _: {}["nowhere"])
    assert main.main(["runs"]) == 1
    said = capsys.readouterr().err
    assert "Traceback" in said and said.splitlines()[-1].startswith("maskkit: KeyError, a fault of maskkit's")


def test_a_damaged_file_of_a_run_is_named(tmp_path):
    (tmp_path / "metrics.json").write_text('{"best": ')
    with pytest.raises(ValueError, match="metrics.json is damaged .*: remove it, and run again what wrote it"):
        disk.read_json(tmp_path / "metrics.json")


def test_writing_fails_whole(tmp_path, monkeypatch):
    disk.write_json(tmp_path / "x.json", {"good": 1})
    monkeypatch.setattr(runs.os, "replace", lambda *_: (_ for _ in ()).throw(OSError("disk full")))
    with pytest.raises(OSError, match="disk full"):
        disk.write_json(tmp_path / "x.json", {"good": 2})
    assert json.loads((tmp_path / "x.json").read_text()) == {"good": 1}
    assert [path.name for path in tmp_path.iterdir()] == ["x.json"]


def test_a_new_start_forgets_an_earlier_run_s_results(tmp_path):
    runs.record(tmp_path, best=1)
    (tmp_path / "model.safetensors").write_bytes(b"old")
    runs.start(tmp_path)
    assert "best" not in runs.read_metrics(tmp_path) and not (tmp_path / "model.safetensors").exists()


def test_root_is_found_from_below_and_from_elsewhere(tmp_path):
    (tmp_path / "notebooks").mkdir()
    (tmp_path / "notebooks" / "01_prepare.ipynb").touch()
    assert paths.find_root(tmp_path / "notebooks") == tmp_path
    shutil.rmtree(tmp_path / "notebooks")
    assert (paths.find_root(tmp_path) / "maskkit").is_dir()  # the source tree this package lies in


@pytest.fixture
def audited(project, monkeypatch):
    """A finished run "mine" of photos in photos/, and what `trust` gives to its notebook."""
    for name in (*reproduce.REPORT_NOTEBOOKS, reproduce.TRUST_NOTEBOOK):
        notebook(paths.NOTEBOOKS / name, 'RUN = "x"\nDATA = "demo"\nAGAINST = ""')
    (paths.NOTEBOOKS / "trust.yaml").write_text("RUN: report\nDATA: run\n")
    (project / "photos").mkdir()
    disk.write_json(paths.RUNS / "mine" / "model.json", {})
    disk.write_json(paths.RUNS / "mine" / "metrics.json", {"run": {"data": str(project / "photos")}})
    given = []

    def execute(path, output, parameters, echo=False):
        given.append((path.name, parameters))
        output.write_text("")

    monkeypatch.setattr(reproduce, "execute", execute)
    monkeypatch.setattr(reproduce, "write_card", lambda run_dir: None)
    return given


def trust(**texts):
    parameters = paths.NOTEBOOKS / "trust.yaml"
    return reproduce.further(reproduce.TRUST_NOTEBOOK, parameters, texts, say=lambda text: None)


def test_trust_audits_the_photos_of_the_run_unless_others_are_named(audited, project):
    assert trust(RUN="mine") == paths.RUNS / "mine"
    assert audited.pop() == ("05_trust.ipynb", {"RUN": "mine", "DATA": str(project / "photos"), "AGAINST": ""})
    assert trust(RUN="mine", DATA="demo") and audited.pop()[1]["DATA"] == "demo"
    assert (paths.RUNS / "mine" / "05_trust.ipynb").is_file()
    with pytest.raises(FileNotFoundError, match="AGAINST: there is no folder .*nowhere"):
        trust(RUN="mine", AGAINST="nowhere")


def test_trust_makes_the_run_first_where_there_is_none(audited, project, monkeypatch):
    made = []

    def make(parameter_file, texts, say):
        made.append((parameter_file.name, texts))
        disk.write_json(paths.RUNS / "new" / "metrics.json", {"run": {"data": "demo"}})

    monkeypatch.setattr(reproduce, "reproduce", make)
    trust(RUN="new")
    assert made == [("report.yaml", {"RUN": "new"})] and audited.pop()[1]["DATA"] == "demo"
