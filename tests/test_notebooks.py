"""The committed notebooks keep their form. (One that never ran would pass nbval with nothing compared.)"""

import ast
import re
import shutil
import subprocess
import sys

import nbformat
import pytest
import yaml

from maskkit.core import parameters, paths
from maskkit.runner import notebook_parameters, notebooks

REPORT = notebooks.find_report()
FOLLOW_UP = {"improve.yaml": notebooks.IMPROVE, "trust.yaml": notebooks.TRUST}
NOTEBOOKS = [paths.NOTEBOOKS / name for name in notebooks.ALL]


def code_cells(path):
    return [cell for cell in nbformat.read(path, 4).cells if cell.cell_type == "code"]


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
class TestForm:
    def test_it_ran_top_to_bottom(self, path):
        assert [cell.execution_count for cell in code_cells(path)] == list(range(1, len(code_cells(path)) + 1))
        assert nbformat.read(path, 4).metadata.kernelspec.name == "python3"

    def test_it_defines_nothing_and_stays_short(self, path):
        source = "\n".join(cell.source for cell in code_cells(path))
        assert not [node for node in ast.walk(ast.parse(source)) if isinstance(node, ast.FunctionDef | ast.ClassDef)]
        assert len([line for line in source.splitlines() if line.strip()]) <= 90

    def test_parameters_are_commented_literals(self, path):
        assert notebook_parameters.read_defaults(path)
        (cell,) = [cell for cell in code_cells(path) if "parameters" in cell.metadata.get("tags", [])]
        assert all(re.fullmatch(r"[A-Z_]+ = \S.*  # \S.*", line) for line in cell.source.splitlines())

    def test_outputs_hold_no_path_no_progress_and_no_error(self, path):
        for cell in code_cells(path):
            for output in cell.outputs:
                assert output.output_type != "error" and output.get("name") != "stderr"
                text = str(output.get("text", "")) + str(output.get("data", {}).get("text/plain", ""))
                assert str(paths.ROOT) not in text and "/home/" not in text

    def test_every_figure_is_shown(self, path):
        for cell in code_cells(path):
            if cell.source.startswith("fig = "):
                kinds = {kind for output in cell.outputs for kind in output.get("data", {})}
                assert kinds & {"image/png", "image/jpeg"}, cell.source

    def test_it_is_below_a_megabyte(self, path):
        assert path.stat().st_size < 1_000_000

    def test_few_cells_escape_comparison(self, path):
        tags = [tag for cell in code_cells(path) for tag in cell.metadata.get("tags", [])]
        assert tags.count("nbval-ignore-output") <= 4


TEACHING = [name for name in notebooks.ALL if name != "02_train_recipe.ipynb"]


@pytest.mark.parametrize("name", TEACHING)
def test_a_notebook_ends_with_questions_an_exercise_and_the_next_notebook(name):
    cells = nbformat.read(paths.NOTEBOOKS / name, 4).cells
    *_, end, exercise, following = cells
    assert re.findall("^## (.+)$", end.source, re.MULTILINE) == ["What we learned", "Check yourself", "Exercise"]
    assert len(re.findall(r"^\d\. ", end.source, re.MULTILINE)) == 6 and "<details>" in end.source
    assert exercise.outputs[0].text.startswith("not yet")
    assert re.match(r"Next: .*\]\(0\d_\w+\.ipynb\)", following.source)


def test_the_same_parameter_has_the_same_default_everywhere():
    seen = {}
    for path in NOTEBOOKS:
        for name, value in notebook_parameters.read_defaults(path).items():
            assert seen.setdefault(name, value) == value, f"{name} in {path.name}"


def test_report_yaml_fits_the_notebooks():
    settings = yaml.safe_load((paths.NOTEBOOKS / "report.yaml").read_text())
    notebook_parameters.check(notebook_parameters.read_all_defaults(REPORT), settings, {})
    assert {settings[name] for name in ("DATA", "ARCH", "WEIGHTS")} == {"auto"}
    assert (settings["PER_CLASS"], settings["EPOCHS"], settings["BATCH_SIZE"]) == (100, 10, 16)
    assert settings["LEARNING_RATE"] == 0.001


@pytest.mark.parametrize("name", FOLLOW_UP)
def test_the_files_of_follow_up_notebooks_name_every_parameter(name):
    notebook = paths.NOTEBOOKS / FOLLOW_UP[name]
    settings = yaml.safe_load((paths.NOTEBOOKS / name).read_text())
    defaults = notebook_parameters.read_all_defaults([notebook])
    notebook_parameters.check(defaults, settings, {})
    assert settings.keys() == defaults[notebook].keys()


@pytest.mark.parametrize("name", ["best.yaml", "quick.yaml"])
def test_a_recipe_s_file_fits_the_notebooks_and_names_every_parameter(name):
    settings = yaml.safe_load((paths.NOTEBOOKS / name).read_text())
    checked = notebook_parameters.check_run(settings, {})
    assert [path.name for path in checked] == ["01_prepare.ipynb", notebooks.TRAIN_RECIPE, "03_evaluate.ipynb"]
    assert set(settings) == {name for own in checked.values() for name in own}
    assert settings["PER_CLASS"] == 100 and settings["AUGMENT"] in parameters.AUGMENT


def test_02_train_has_the_report_s_parameters_and_no_more():
    names = {"RUN", "ARCH", "WEIGHTS", "EPOCHS", "BATCH_SIZE", "LEARNING_RATE", "SEED", "LANGUAGE", "DEVICE"}
    assert set(notebook_parameters.read_defaults(notebooks.find(notebooks.TRAIN))) == names


MUTATIONS = {
    "wrong head": ("model.py", "return nn.Linear(n_features, n_classes)",
                   "return nn.Linear(n_features, n_classes + 1)"),
    "thawed batch norm": ("model.py", "return network.eval()",
                          "network.train()\n    network.eval = lambda: network\n    return network"),
    "swapped classes": ("data.py", "self.labels = [self.classes.index(row[\"label\"]) for row in self.rows]",
                        "self.labels = [(i < 20) ^ self.classes.index(r[\"label\"]) for i, r in enumerate(self.rows)]"),
}  # fmt: skip


@pytest.mark.slow
@pytest.mark.parametrize("name", [None, *MUTATIONS], ids=str)
def test_nbval_turns_red_when_the_package_is_wrong(tmp_path, name):
    """nbval over a copy of the project: green as it is, red with each mutation."""
    for folder in ("maskkit", "notebooks"):
        shutil.copytree(paths.ROOT / folder, tmp_path / folder, ignore=shutil.ignore_patterns("__pycache__"))
    if name:
        file, old, new = MUTATIONS[name]
        text = (tmp_path / "maskkit" / file).read_text()
        assert text.count(old) == 1
        (tmp_path / "maskkit" / file).write_text(text.replace(old, new))
    command = [sys.executable, "-m", "pytest", "--nbval", "--nbval-cell-timeout=300", "-p", "no:cacheprovider", "-q"]
    files = [f"notebooks/{path.name}" for path in REPORT]
    environment = {"PYTHONPATH": str(tmp_path), "PATH": "/usr/bin:/bin", "HOME": str(tmp_path)}
    done = subprocess.run(command + files, cwd=tmp_path, env=environment, capture_output=True, text=True, timeout=600)
    assert (done.returncode == 0) == (name is None), done.stdout[-3000:]
    assert done.returncode in (0, 1), done.stdout[-3000:]
