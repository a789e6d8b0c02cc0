"""A run's photos trained by any recipe, with the report's proposed extensions: 02_train_recipe, and the end of 04."""

import dataclasses
import shutil
from pathlib import Path

import numpy as np
import torch
import yaml

from maskkit import checkpoint, data, features, model, pretrained, runs, train
from maskkit.core import paths
from maskkit.improve import augment, class_bias, fine_tuning, weight_average
from maskkit.improve.test_sets import TestSet
from maskkit.recipe import Recipe, save_training

PREPARED = (  # what 01_prepare records in metrics.json, beside what it records under `run`
    "source", "photos", "source_note", "source_notes", "classes", "split", "seed", "per_class", "n_train", "n_val",
    "n_rejected", "corrected",
)  # fmt: skip
PREPARED_RUN = ("data", "folder", "corrections", "groups")


def read_best() -> Recipe:
    """The recipe of notebooks/best.yaml."""
    return Recipe.of(yaml.safe_load((paths.NOTEBOOKS / "best.yaml").read_text(encoding="utf-8")))


def train_recipe(
    run_dir: Path, recipe: Recipe, *, arch: str, weights: str, seed: int, device: str
) -> tuple[train.Fit, pretrained.Pretrained]:
    """Train a network by a recipe on the photos of a run, and save it there as 02_train does.

    First the head learns on cached features, from `recipe.views` augmented views of each training photo, which the
    epochs take in turn; it may be the mean of the last epochs' weights, and its bias may be set by views of the
    validation photos. Then, with `recipe.tail_epochs`, the last stages learn too.

    Args:
        run_dir: holds split.csv and data-mask/; gets model.safetensors, model.json, history.csv and metrics.json.
        arch, weights, device: as the parameters ARCH, WEIGHTS and DEVICE.
        seed: of the head's weights, the order of the photos, and the views.

    Returns:
        (both trainings as one `Fit`, the network's source).

    Raises:
        FileNotFoundError, ValueError: raised by `data.read_split`, `pretrained.find` and `train.fit`.
    """
    train_rows, val_rows = data.read_split(run_dir)
    classes, transform, torch_device = data.classes(train_rows), model.Transform(recipe.size_px), model.device(device)
    source = pretrained.find(arch, weights)
    network = model.build(source, n_classes=len(classes), seed=seed)
    photos, val = (data.MaskDataset(rows, run_dir, classes, transform) for rows in (train_rows, val_rows))
    views = augment.views(photos, recipe.augment, recipe.views, seed)
    bias_views = augment.changed_views(val, recipe.augment, recipe.bias_views, seed)
    with runs.Stopwatch() as feature_watch:
        (train_pairs, (val_pair,), bias_pairs), n_computed = features.extract_pairs(
            network, source.arch, views, [val], bias_views, cache=paths.CACHE, device=torch_device
        )
    with runs.Stopwatch() as train_watch:
        result = train.fit_head(
            network,
            source.arch,
            train_pairs,
            val_pair,
            epochs=recipe.epochs,
            batch_size=recipe.batch_size,
            learning_rate=recipe.learning_rate,
            seed=seed,
            keep=recipe.keep,
            hooks=weight_average.hooks(recipe.average_epochs, recipe.epochs) + class_bias.hooks(bias_pairs),
        )
    with runs.Stopwatch() as tail_watch:
        if recipe.tail_epochs:
            tail = fine_tuning.fit_tail(
                network,
                source.arch,
                views,
                val,
                recipe,
                bias_views=bias_views,
                seed=seed,
                device=torch_device,
                checkpoint=run_dir / runs.CHECKPOINT,
            )
            result = fine_tuning.joined(result, tail)
    save_training(
        run_dir,
        network,
        source,
        recipe,
        result,
        classes=classes,
        seed=seed,
        device=torch_device,
        seconds={"features": feature_watch.seconds, "train": train_watch.seconds, "tail": tail_watch.seconds},
        features_computed=n_computed,
    )
    return result, source


def copy_photos(run_dir: Path, name: str) -> Path:
    """Start the run `name` with the photos and the split of another run, as if 01_prepare had drawn them.

    An earlier run of this name is emptied.

    Returns:
        the new run's folder.

    Raises:
        FileNotFoundError: the other run has no split.csv.
        ValueError: not a name for a run, or that of the other run.
    """
    new_dir = runs.path(name)
    if new_dir == run_dir:
        raise ValueError(f"RUN: {name} holds the photos to copy; give the copy another name")
    split, metrics = runs.need(run_dir, "split.csv", "01_prepare.ipynb"), runs.read_metrics(run_dir)
    runs.start(runs.folder(name))
    shutil.rmtree(new_dir / "data-mask", ignore_errors=True)
    shutil.copytree(run_dir / "data-mask", new_dir / "data-mask")
    shutil.copyfile(split, new_dir / "split.csv")
    own = {key: metrics["run"][key] for key in PREPARED_RUN if key in metrics["run"]}
    runs.record(new_dir, **{key: metrics[key] for key in PREPARED if key in metrics}, run=own)
    return new_dir


def answer(run_dir: Path, sets: list[TestSet], device: torch.device) -> dict[str, np.ndarray]:
    """Which photos of test sets a run's saved model answers right, {test set: bool (1, photos)} as `Trained.right`.

    The photos pass at the model's own size; a test set that changes them, such as the simulated street, changes them
    first.
    """
    network, about = checkpoint.load(run_dir)
    right: dict[str, np.ndarray] = {}
    for test_set in sets:
        own = about["transform"]
        if isinstance(test_set.transform, augment.View):
            own = dataclasses.replace(test_set.transform, transform=own)
        photos = data.Photos(test_set.rows, about["classes"], own)
        logits = features.outputs(network, photos, device)
        right[test_set.name] = (logits.argmax(1) == photos.label_tensor()).numpy()[None]
    return right
