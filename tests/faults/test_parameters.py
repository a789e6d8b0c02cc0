"""Parameters that are no such thing, and notebooks run alone or out of order."""

import ast
import math

import nbformat
import papermill.parameterize
import pytest
import torch
from papermill.iorw import load_notebook_node
from torch.utils.data import TensorDataset

from maskkit import __main__, data, folders, paths, reproduce, runs, train

NOTEBOOKS = paths.NOTEBOOKS
fault = lambda name: pytest.mark.fault("parameters", name)  # noqa: E731 (a mark's short name)


@pytest.fixture
def refused(monkeypatch, capsys):
    """Call `maskkit reproduce` with --set: exit code 2, one line, returned; nothing was started."""
    for name in ("check_sources", "execute"):
        monkeypatch.setattr(reproduce, name, lambda *_, **__: pytest.fail("it went on"))

    def call(*settings):
        sets = [word for setting in settings for word in ("--set", setting)]
        assert __main__.main(["reproduce", *sets]) == 2
        said = capsys.readouterr().err
        assert said.startswith("maskkit: ") and said.count("\n") == 1
        return said

    return call


@fault("wrong type")
@pytest.mark.parametrize(
    ("setting", "message"),
    [
        ("EPOCHS=ten", "EPOCHS must be int like its default 10, got 'ten'"),
        ("EPOCHS=2.5", "EPOCHS must be int like its default 10, got '2.5'"),
        ("LEARNING_RATE=fast", "LEARNING_RATE must be float like its default 0.001, got 'fast'"),
        ("SEED=", "SEED must be int"),
    ],
)
def test_a_wrong_type_is_named_before_anything_starts(refused, setting, message):
    assert message in refused(setting)


@fault("wrong type")
def test_a_wrong_type_in_a_file_is_named_before_anything_starts(refused, tmp_path):
    (tmp_path / "p.yaml").write_text("RUN: x\nLEARNING_RATE: 3e-4\n")
    with pytest.raises(TypeError, match="LEARNING_RATE of 02_train.ipynb must be float .* got '3e-4'"):
        reproduce.reproduce(tmp_path / "p.yaml", {})


@fault("unknown language")
def test_a_language_that_nobody_wrote_is_named_before_anything_starts(monkeypatch, capsys):
    monkeypatch.setattr(reproduce, "execute", lambda *_, **__: pytest.fail("it went on"))
    assert __main__.main(["reproduce", "--set", "LANGUAGE=fr", "--set", "DATA=demo"]) == 2
    assert "LANGUAGE must be 'en' (English) or 'id' (Indonesian), got 'fr'" in capsys.readouterr().err


@fault("unknown name")
def test_an_unknown_name_is_named_with_those_there_are(refused):
    said = refused("EPOCS=3")
    assert "declare no parameter 'EPOCS'; they declare RUN, DATA, PER_CLASS" in said and "EPOCHS" in said


@fault("NaN learning rate")
@pytest.mark.parametrize("value", ["nan", "inf", "-inf"])
def test_a_number_that_is_none_is_named_before_anything_starts(refused, value):
    assert f"LEARNING_RATE of 02_train.ipynb must be finite like its default 0.001, got {value}" in refused(
        f"LEARNING_RATE={value}"
    )


def fit(**settings):
    chance = torch.Generator().manual_seed(0)
    photos = TensorDataset(torch.randn(20, 3, generator=chance), torch.arange(20) % 2)
    torch.manual_seed(0)
    settings = {"epochs": 2, "batch_size": 16, "learning_rate": 0.01, "seed": 0} | settings
    return train.fit(torch.nn.Linear(3, 2), photos, photos, device=torch.device("cpu"), **settings)


@pytest.mark.parametrize(
    ("setting", "message"),
    [
        pytest.param({"learning_rate": -0.1}, "LEARNING_RATE must be above 0", marks=fault("negative learning rate")),
        pytest.param({"learning_rate": math.nan}, "LEARNING_RATE must be above 0", marks=fault("NaN learning rate")),
        pytest.param({"epochs": 0}, "EPOCHS must be at least 1, got 0", marks=fault("zero epochs")),
        pytest.param({"batch_size": 0}, "BATCH_SIZE must be at least 1, got 0", marks=fault("zero photos a step")),
    ],
)
def test_training_refuses_numbers_out_of_range(setting, message):
    with pytest.raises(ValueError, match=message):
        fit(**setting)


@fault("batch larger than the set")
def test_a_batch_larger_than_the_set_is_the_whole_set():
    assert fit(batch_size=1000).history == fit(batch_size=20).history != fit(batch_size=19).history


@fault("negative learning rate")
@pytest.mark.parametrize(("error", "code"), [("ValueError('LEARNING_RATE ...')", 2), ("ZeroDivisionError('bug')", 1)])
def test_a_user_s_mistake_found_in_a_cell_exits_with_2_and_a_fault_with_1(tmp_path, monkeypatch, capsys, error, code):
    ename, evalue = error.removesuffix("')").split("('")

    def fail(*_, **__):
        raise papermill.PapermillExecutionError(3, 1, "", ename, evalue, [])

    monkeypatch.setattr(papermill, "execute_notebook", fail)
    monkeypatch.setattr(reproduce, "check_sources", lambda *_: None)
    monkeypatch.setattr(paths, "RUNS", tmp_path)
    assert __main__.main(["reproduce", "--set", "RUN=x"]) == code
    assert f"01_prepare.ipynb, cell 4: {ename}: {evalue}" in capsys.readouterr().err


@fault("path with quotes")
@pytest.mark.parametrize(
    "name", ['it\'s "here"', "back\\slash", "new\nline", "{braces} $HOME `x` %s", "'''\"\"\"", "😷"]
)
def test_a_path_with_quotes_arrives_as_it_is(tmp_path, name):
    notebook = NOTEBOOKS / "01_prepare.ipynb"
    checked = reproduce.check({}, {"DATA": str(tmp_path / name)}, [notebook])[notebook]
    cells = papermill.parameterize.parameterize_notebook(load_notebook_node(str(notebook)), checked).cells
    (injected,) = (cell for cell in cells if "injected-parameters" in cell.metadata.get("tags", []))
    assert ast.literal_eval(ast.parse(injected.source).body[-1].value) == str(tmp_path / name)


# --- notebooks alone, and out of order ----------------------------------------------------------


@pytest.fixture
def run_cells(tmp_path, monkeypatch):
    """Run a committed notebook's code cells here, after one that sets RUN="x", until one fails."""
    monkeypatch.setattr(paths, "RUNS", tmp_path / "runs")

    def call(name):
        scope = {}
        for cell in nbformat.read(NOTEBOOKS / name, 4).cells:
            if cell.cell_type == "code":
                exec(cell.source, scope)
                scope["RUN"] = "x"

    return call


@fault("notebook run alone")
@pytest.mark.parametrize(
    ("notebook", "missing", "first"),
    [
        ("02_train.ipynb", "metrics.json", "01_prepare.ipynb"),
        ("03_evaluate.ipynb", "metrics.json", "01_prepare.ipynb"),
        ("04_improve.ipynb", "model.json", "01_prepare.ipynb to 03_evaluate.ipynb"),
        ("05_trust.ipynb", "model.json", "01_prepare.ipynb to 03_evaluate.ipynb"),
    ],
)
def test_a_notebook_run_alone_says_which_comes_first(run_cells, tmp_path, notebook, missing, first):
    with pytest.raises(FileNotFoundError) as raised:
        run_cells(notebook)
    assert str(raised.value) == f"{tmp_path}/runs/x/{missing} is missing; run {first} with the same RUN first"


@fault("notebook out of order")
@pytest.mark.parametrize(
    ("notebook", "there", "missing", "first"),
    [
        ("02_train.ipynb", [], "split.csv", "01_prepare.ipynb"),
        ("03_evaluate.ipynb", ["split"], "history.csv", "02_train.ipynb"),
        ("03_evaluate.ipynb", ["split", "history"], "model.safetensors", "02_train.ipynb"),
    ],
)
def test_a_notebook_out_of_order_says_which_file_is_missing(
    run_cells, tmp_path, photo_folder, notebook, there, missing, first
):
    run_dir = runs.folder("x")
    runs.start(run_dir)
    runs.record(run_dir, photos="drawn", classes=list(folders.REPORT_CLASSES))
    if "split" in there:
        data.curate(folders.find(str(photo_folder)), run_dir, per_class=0, split="grouped", seed=0)
    if "history" in there:
        runs.write_csv(run_dir / "history.csv", fit().history, train.HISTORY_COLUMNS)
    with pytest.raises(FileNotFoundError) as raised:
        run_cells(notebook)
    assert str(raised.value) == f"{run_dir}/{missing} is missing; run {first} with the same RUN first"
