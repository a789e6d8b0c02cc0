"""A run's photos trained by a recipe, and the copy of a run that 04 trains by the best one."""

import dataclasses

import numpy as np
import pytest
import torch

from maskkit import checkpoint, data, runs, train
from maskkit.core import paths
from maskkit.improve import test_sets, train_recipe
from maskkit.recipe import Recipe
from maskkit.runner import notebook_parameters, notebooks

CPU = torch.device("cpu")
SMALL = Recipe(
    epochs=2, size_px=32, augment="report", views=2, tail_epochs=2, tail_learning_rate=1e-5, tail_share=0.5, keep="last"
)


@pytest.fixture
def run_dir(curated, tmp_path, monkeypatch):
    """A run that 01_prepare has drawn."""
    monkeypatch.setattr(paths, "RUNS", tmp_path)
    monkeypatch.setattr(paths, "CACHE", tmp_path / "cache")
    folder, rows = curated
    runs.record(folder, photos="demo", classes=data.classes(rows), seed=0, run={"data": "demo"}, confusion=[[1]])
    return folder


def test_the_head_and_then_the_last_stages_learn_and_everything_is_recorded(run_dir):
    result, source = train_recipe.train_recipe(
        run_dir, SMALL, arch="mobilenet_v2", weights="none", seed=1, device="cpu"
    )
    metrics = runs.read_metrics(run_dir)
    assert [row["epoch"] for row in train.read_history(run_dir)] == [1, 2, 3, 4] and result.last["epoch"] == 4
    assert (metrics["arch"], metrics["weights"]) == (source.arch, source.weights) == ("mobilenet_v2", "none")
    recorded = {name: metrics[name] for name in dataclasses.asdict(SMALL)}
    assert recorded == dataclasses.asdict(SMALL) and metrics["last"]["correct"] == result.last["correct"]
    assert metrics["trainable"] > 2562 and set(metrics["seconds"]) == {"features", "train", "tail"}
    _, about = checkpoint.load(run_dir)
    assert checkpoint.is_tuned(about) and about["transform"].size_px == 32
    assert not (run_dir / runs.CHECKPOINT).exists()


def test_the_defaults_are_the_report_s_and_those_of_its_notebook():
    own = notebook_parameters.read_defaults(notebooks.find(notebooks.TRAIN_RECIPE))
    assert {name: own[name.upper()] for name in dataclasses.asdict(Recipe())} == dataclasses.asdict(Recipe())
    report = notebook_parameters.read_defaults(notebooks.find(notebooks.TRAIN))
    assert (report["EPOCHS"], report["BATCH_SIZE"], report["LEARNING_RATE"]) == (10, 16, 0.001)


def test_the_best_recipe_is_read_from_its_one_file():
    best = train_recipe.read_best()
    settings = notebook_parameters.read_file(paths.NOTEBOOKS / "best.yaml")
    assert all(settings[name.upper()] == value for name, value in dataclasses.asdict(best).items())


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"views": 2}, "AUGMENT='none' has one view of each photo, so VIEWS must be 1, got 2"),
        ({"tail_share": 0.0}, "TAIL_SHARE must be above 0 and at most 1, got 0.0"),
    ],
)
def test_a_recipe_that_cannot_be_is_refused(settings, message):
    with pytest.raises(ValueError, match=message):
        Recipe(**settings)


def test_a_copy_has_the_photos_and_the_split_and_nothing_that_was_measured(run_dir):
    copied = train_recipe.copy_photos(run_dir, f"{run_dir.name}-best")
    assert data.read_split(copied) == data.read_split(run_dir)
    metrics = runs.read_metrics(copied)
    assert metrics["photos"] == "demo" and metrics["run"]["data"] == "demo" and "confusion" not in metrics
    assert metrics["run"]["name"] == f"{run_dir.name}-best"
    assert train_recipe.copy_photos(run_dir, copied.name) == copied  # again, in its place
    with pytest.raises(ValueError, match="holds the photos to copy"):
        train_recipe.copy_photos(run_dir, run_dir.name)


def test_saved_models_answer_test_sets_at_their_own_size(drawn_faces, face_source, tmp_path, monkeypatch):
    monkeypatch.setattr(paths, "CACHE", tmp_path / "cache")
    run_dir = tmp_path / "run"
    sets = test_sets.find(drawn_faces, face_source, None, n=10, seed=0)
    train_recipe.train_recipe(
        run_dir, dataclasses.replace(SMALL, tail_epochs=0), arch="resnet18", weights="none", seed=0, device="cpu"
    )
    answered = train_recipe.answer(run_dir, sets, CPU)
    assert {name: (right.shape, right.dtype) for name, right in answered.items()} == {
        "unseen": ((1, 10), np.dtype(bool)), "street_camera": ((1, 10), np.dtype(bool)),
    }  # fmt: skip
    network, about = checkpoint.load(run_dir)
    photos = data.Photos(sets[0].rows, about["classes"], about["transform"])
    with torch.inference_mode():
        logits = network(torch.stack([photos[index][0] for index in range(len(photos))]))
    assert (logits.argmax(1) == photos.label_tensor()).tolist() == answered["unseen"][0].tolist()
