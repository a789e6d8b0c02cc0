import pytest

from maskkit.core import paths
from maskkit.sweep import recipes


def test_lists_span_a_grid_and_what_is_not_given_has_the_notebooks_default(tmp_path):
    (tmp_path / "mine.yaml").write_text("SEED: [0, 1, 1]\nLEARNING_RATE: [1, 0.1]\nEPOCHS: 3\n")
    name, read = recipes.read_sweep(tmp_path / "mine.yaml")
    values = {(recipe["SEED"], recipe["LEARNING_RATE"], recipe["EPOCHS"], recipe["KEEP"]) for recipe in read.values()}
    assert name == "mine" and values == {(s, rate, 3, "best") for s in (0, 1) for rate in (1.0, 0.1)}
    assert all("RUN" not in recipe for recipe in read.values())


def test_a_recipe_is_named_by_its_parameters_however_they_were_given():
    listed = recipes.read_sweep({"runs": [{"EPOCHS": 10, "SEED": 3}, {"SEED": 4}]})[1]
    spanned = recipes.read_sweep({"SEED": [4, 3]})[1]
    assert set(listed) == set(spanned)  # EPOCHS 10 is the default
    assert set(recipes.read_sweep({"SEED": 3, "EPOCHS": 11})[1]).isdisjoint(listed)


@pytest.mark.parametrize(
    ("given", "error", "message"),
    [
        ({"EPOCS": [1]}, ValueError, "declare no parameter 'EPOCS'"),
        ({"LANGUAGE": "xx"}, ValueError, "LANGUAGE"),
        ({"EPOCHS": ["many"]}, TypeError, "EPOCHS of 02_train.ipynb must be int"),
        ({"EPOCHS": []}, ValueError, "EPOCHS is an empty list, so the grid is empty"),
        ({"version": 2}, ValueError, "of version 2; this maskkit reads 1: update maskkit"),
        ({"version": "1"}, ValueError, "of version '1'"),
        ({"RUN": ["a", "b"]}, ValueError, "RUN names the sweep"),
        ({"RUN": "../up"}, ValueError, "RUN must be a plain folder name"),
        ({"runs": []}, ValueError, "runs: must list at least one"),
        ({"runs": [{"SEED": [1]}]}, ValueError, "entry 1 must be flat"),
        ({"runs": [{"RUN": "a"}]}, ValueError, "entry 1 has RUN"),
        ({"runs": [{"SEED": 1}], "EPOCHS": 3}, ValueError, "beside runs: there is EPOCHS"),
        ({"SEED": list(range(1000)), "EPOCHS": list(range(101))}, ValueError, "101,000 recipes, more than 100,000"),
    ],
)
def test_a_wrong_sweep_stops_before_anything_is_computed(given, error, message):
    with pytest.raises(error, match=message):
        recipes.read_sweep(given)


@pytest.mark.parametrize(("text", "message"), [("a: [", "is not YAML"), ("- 1", "must hold one NAME: value")])
def test_a_file_that_is_no_sweep(tmp_path, text, message):
    (tmp_path / "x.yaml").write_text(text)
    with pytest.raises(ValueError, match=message):
        recipes.read_sweep(tmp_path / "x.yaml")
    with pytest.raises(FileNotFoundError, match="there is no sweep file"):
        recipes.read_sweep(tmp_path / "y.yaml")


def test_the_committed_sweep_reads():
    name, read = recipes.read_sweep(paths.NOTEBOOKS / "sweep.yaml")
    assert name == "demo-sweep" and len(read) == 30
