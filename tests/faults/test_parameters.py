"""Parameters that are no such thing, and notebooks run alone or out of order."""

import ast
import math
import os
import subprocess
import sys

import nbformat
import papermill.parameterize
import pytest
import torch
from papermill.iorw import load_notebook_node
from small_project import write_notebook
from torch.utils.data import TensorDataset

from maskkit import runs, split, train
from maskkit.cli import main
from maskkit.core import disk, paths
from maskkit.runner import notebook_parameters, reproduce
from maskkit.sources import folders

NOTEBOOKS = paths.NOTEBOOKS
fault = lambda name: pytest.mark.fault("parameters", name)  # noqa: E731 (a mark's short name)


@pytest.fixture
def refused(tmp_path, monkeypatch, capsys):
    """Call `maskkit reproduce`, or another command, with --set: exit code 2, one line, returned; nothing was started.

    A run that starts names its photos first, and makes its folder below runs/.
    """
    monkeypatch.setattr(paths, "RUNS", tmp_path / "runs")

    def call(*settings, command="reproduce"):
        sets = [word for setting in settings for word in ("--set", setting)]
        assert main.main([command, *sets]) == 2
        out, error = capsys.readouterr()
        assert error.startswith("maskkit: ") and error.count("\n") == 1
        assert not out and not paths.RUNS.exists()
        return error

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
def test_a_wrong_type_in_a_file_is_named_before_anything_starts(tmp_path):
    (tmp_path / "p.yaml").write_text("RUN: x\nLEARNING_RATE: 3e-4\n")
    with pytest.raises(TypeError, match="LEARNING_RATE of 02_train.ipynb must be float .* got '3e-4'"):
        reproduce.reproduce(tmp_path / "p.yaml", {})


@fault("unknown language")
def test_a_language_that_nobody_wrote_is_named_before_anything_starts(refused):
    assert "LANGUAGE must be 'en' (English) or 'id' (Indonesian), got 'fr'" in refused("LANGUAGE=fr", "DATA=demo")


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


OUT_OF_RANGE = [
    ("SEED=-1", "SEED must be a whole number from 0 to 4294967295, got -1"),
    ("SEED=99999999999999999999", "SEED must be a whole number from 0 to 4294967295, got 99999999999999999999"),
    ("EPOCHS=0", "EPOCHS must be at least 1, got 0"),
    ("BATCH_SIZE=0", "BATCH_SIZE must be at least 1, got 0"),
    ("PER_CLASS=-5", "PER_CLASS must be 0 (all) or at least 10, got -5"),
    ("PER_CLASS=9", "PER_CLASS must be 0 (all) or at least 10, got 9"),
    ("SPLIT=foo", "SPLIT must be 'grouped', 'random' or 'given', got 'foo'"),
    ("DEVICE=tpu", "DEVICE must be 'auto', 'cpu' or 'cuda', got 'tpu'"),
    ("ARCH=no_such", "ARCH must be 'auto', 'resnet18', 'mobilenet_v2' or another classifier of torchvision"),
    ("ARCH=vgg16 WEIGHTS=packaged", "WEIGHTS='packaged' is there for ARCH='mobilenet_v2' only, got ARCH='vgg16'"),
    ("LEARNING_RATE=-0.1", "LEARNING_RATE must be above 0 and at most 1000, got -0.1"),
    ("SIZE_PX=3", "SIZE_PX must be a whole number from 16 to 2048, got 3"),
    ("AUGMENT=street", "AUGMENT must be 'none', 'report', 'strong' or 'occluded', got 'street'"),
    ("VIEWS=0 AUGMENT=report", "VIEWS must be at least 1, got 0"),
    ("VIEWS=2", "AUGMENT='none' has one view of each photo, so VIEWS must be 1, got 2"),
    ("AVERAGE_EPOCHS=0", "AVERAGE_EPOCHS must be at least 1, got 0"),
    ("BIAS_VIEWS=-1", "BIAS_VIEWS must be at least 0, got -1"),
    ("BIAS_VIEWS=4", "AUGMENT='none' makes no views, so BIAS_VIEWS must be 0, got 4"),
    ("TAIL_EPOCHS=-1", "TAIL_EPOCHS must be at least 0, got -1"),
    ("TAIL_LEARNING_RATE=0.01", "TAIL_LEARNING_RATE must be above 0 and at most 0.0001, got 0.01"),
    ("TAIL_SHARE=0", "TAIL_SHARE must be above 0 and at most 1, got 0"),
    ("KEEP=first", "KEEP must be 'best' or 'last', got 'first'"),
    ("LANGUAGE=fr", "LANGUAGE must be 'en' (English) or 'id' (Indonesian), got 'fr'"),
    ("DATA=", "DATA must be 'auto', 'kaggle', 'demo' or a folder, got ''"),
    ("RUN=mine.part", "not ending in .part, got 'mine.part'"),
    ("RUN=../x", "RUN must be a plain folder name"),
    ("RUN=" + "x" * 260, "of at most 120 bytes, not ending in .part, got 'xxx"),
]


@fault("out of range")
@pytest.mark.parametrize(("settings", "message"), OUT_OF_RANGE, ids=[setting[:30] for setting, _ in OUT_OF_RANGE])
def test_a_value_out_of_range_is_named_before_anything_starts(refused, settings, message):
    assert message in refused(*settings.split(" "))


@fault("out of range")
def test_the_answer_needs_no_torch_and_leaves_nothing(tmp_path):
    """As a user meets it: another process, its own runs/, and what a slow import would cost."""
    (tmp_path / "notebooks").symlink_to(NOTEBOOKS)
    code = (
        "import sys; from maskkit.cli.main import main; code = main(['reproduce', '--set', 'SEED=-1']); "
        "print(code, {'torch', 'torchvision', 'sklearn', 'matplotlib'} & set(sys.modules))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code],
        cwd=tmp_path,
        env=os.environ | {"PYTHONPATH": str(paths.SOURCE)},
        capture_output=True,
        text=True,
    )
    assert done.stdout == "2 set()\n" and done.stderr.startswith("maskkit: SEED must be")
    assert [path.name for path in tmp_path.iterdir()] == ["notebooks"]


@fault("out of range")
@pytest.mark.parametrize(
    ("command", "setting", "message"),
    [
        ("trust", "COMPARE=neither", "COMPARE must be 'run' or 'both', got 'neither'"),
        ("trust", "MUTE=MK003", "MUTE must be '' or 'CODE: reason'"),
        ("trust", "MUTE=MK003: a; MK003: b", "MUTE must be '' or 'CODE: reason'"),
        ("trust", "MUTE=MK999: we know", "MUTE: there is no check MK999; there are MK001, MK002"),
        ("improve", "ENGINES=eager, warp", "ENGINES must be a list of eager, onnxruntime, cuda"),
        ("improve", "SPLITS=1", "SPLITS must be at least 2, got 1"),
        ("improve", "TRY_VIEWS=0", "TRY_VIEWS must be at least 1, got 0"),
    ],
)
def test_further_notebooks_are_checked_too(refused, command, setting, message):
    assert message in refused(setting, command=command)


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
def test_a_user_s_mistake_found_in_a_cell_exits_with_2_and_a_fault_with_1(project, capsys, error, code):
    defaults = f'RUN = "x"\nDATA = {str(project / "photos")!r}'
    write_notebook(paths.NOTEBOOKS / "01_prepare.ipynb", defaults, "RUN", f"raise {error}")
    assert main.main(["reproduce", "--set", "RUN=x"]) == code
    ename, evalue = error.removesuffix("')").split("('")
    assert f"01_prepare.ipynb, cell 4: {ename}: {evalue}" in capsys.readouterr().err


@fault("path with quotes")
@pytest.mark.parametrize(
    "name", ['it\'s "here"', "back\\slash", "new\nline", "{braces} $HOME `x` %s", "'''\"\"\"", "😷"]
)
def test_a_path_with_quotes_arrives_as_it_is(tmp_path, name):
    notebook = NOTEBOOKS / "01_prepare.ipynb"
    defaults = notebook_parameters.read_all_defaults([notebook])
    checked = notebook_parameters.check(defaults, {}, {"DATA": str(tmp_path / name)})[notebook]
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
        split.curate(folders.find(str(photo_folder)), run_dir, per_class=0, split="grouped", seed=0)
    if "history" in there:
        disk.write_csv(run_dir / "history.csv", fit().history, train.HISTORY_COLUMNS)
    with pytest.raises(FileNotFoundError) as raised:
        run_cells(notebook)
    assert str(raised.value) == f"{run_dir}/{missing} is missing; run {first} with the same RUN first"
