"""Parameters of the notebooks: what a file and `--set` may give, and what each notebook gets."""

import pytest
from small_project import write_notebook

from maskkit.runner import notebook_parameters, notebooks


def test_the_cell_tagged_parameters_is_read(project):
    found = notebook_parameters.read_defaults(notebooks.find("01_prepare.ipynb"))
    assert found == {"RUN": "x", "DATA": str(project / "photos"), "RATE": 0.5}


@pytest.mark.parametrize("line", ["DATA = download()", "A = B = 1", "print(1)", "A: int = 1"])
def test_a_cell_that_holds_something_else_is_refused(tmp_path, line):
    with pytest.raises(ValueError, match="no NAME = literal"):
        notebook_parameters.read_defaults(write_notebook(tmp_path / "bad.ipynb", line))


@pytest.mark.parametrize(
    ("settings", "overrides", "error", "message"),
    [
        ({"EPOCS": 3}, {}, ValueError, "declare no parameter 'EPOCS'; they declare RUN, DATA, RATE, ARCH, WEIGHTS, N"),
        ({}, {"EPOCS": "3"}, ValueError, "declare no parameter 'EPOCS'"),
        ({"RATE": "3e-4"}, {}, TypeError, "RATE of 01_prepare.ipynb must be float like its default 0.5, got '3e-4'"),
        ({"N": True}, {}, TypeError, "N of 02_train.ipynb must be int"),
        ({"N": 2.0}, {}, TypeError, "N of 02_train.ipynb must be int"),
        ({}, {"N": "many"}, ValueError, "N must be int like its default 3, got 'many'"),
    ],
)
def test_a_wrong_name_or_type_stops_before_any_kernel(project, settings, overrides, error, message):
    with pytest.raises(error, match=message):
        notebook_parameters.check(notebook_parameters.read_run_defaults(), settings, overrides)


def test_each_notebook_gets_what_it_declares_read_by_type(project, monkeypatch):
    monkeypatch.chdir(project)
    first, second, third = notebooks.find_report()
    overrides = {"RUN": "007", "DATA": "it's here", "N": "4"}
    defaults = notebook_parameters.read_all_defaults((first, second, third))
    found = notebook_parameters.check(defaults, {"RATE": 1}, overrides)
    assert found == {
        first: {"RUN": "007", "DATA": str(project / "it's here"), "RATE": 1.0},
        second: {"RUN": "007", "N": 4},
        third: {"RUN": "007"},
    }
    assert type(found[first]["RATE"]) is float


def test_a_parameter_file_must_be_flat_yaml(tmp_path):
    with pytest.raises(FileNotFoundError, match="no parameter file"):
        notebook_parameters.read_file(tmp_path / "none.yaml")
    for text in ("A: {B: 1}", "- 1", "A: ["):
        (tmp_path / "bad.yaml").write_text(text)
        with pytest.raises(ValueError, match="bad.yaml"):
            notebook_parameters.read_file(tmp_path / "bad.yaml")


@pytest.mark.parametrize(
    ("settings", "overrides", "train"),
    [({"N": 4}, {}, "02_train"), ({"SHARE": 1.0}, {}, "02_train_recipe"), ({}, {"SHARE": "0.5"}, "02_train_recipe")],
)
def test_a_setting_that_only_02_train_recipe_declares_chooses_it(project, settings, overrides, train):
    found = notebook_parameters.check_run(settings, overrides)
    assert [path.stem for path in found] == ["01_prepare", train, "03_evaluate"]
    assert found[notebooks.find(f"{train}.ipynb")]["N"] == settings.get("N", 3)  # defaults included
    with pytest.raises(ValueError, match="declare no parameter 'EPOCS'; they declare .*N, SHARE"):
        notebook_parameters.check_run(settings | {"EPOCS": 3}, overrides)
