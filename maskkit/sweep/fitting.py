"""One recipe, trained by the notebooks' own steps on cached features: no kernel, and no network is saved."""

import dataclasses
import functools
from pathlib import Path
from typing import TYPE_CHECKING, Any

from maskkit.sweep.recipe_inputs import Draw, FeatureSettings
from maskkit.sweep.recipes import Recipe

if TYPE_CHECKING:
    import numpy as np
    from torch import Tensor

    from maskkit.train import Fit

    Labelled = tuple[Tensor, Tensor]  # features float32 (n, n_features), labels int64 (n,)


def fit_recipe(recipe: Recipe, draw: Draw, settings: FeatureSettings) -> dict[str, Any]:
    """A recipe's numbers, by the steps of 02_train_recipe; a job.

    Returns:
        n_train, n_val, best and last (scores with their epoch), history, and `right`: "1" for each validation photo,
        in the draw's order, that the last epoch's head gets right, else "0".
    """
    import torch

    from maskkit import data, model, train
    from maskkit.improve import class_bias, weight_average

    views, val, bias_views = load_features(draw, settings)
    head = model.new_head(val[0].shape[1], len(data.classes(draw.rows)), recipe["SEED"])
    hooks = weight_average.hooks(recipe["AVERAGE_EPOCHS"], recipe["EPOCHS"]) + class_bias.hooks(bias_views)
    settings_of_head = {name.lower(): recipe[name] for name in ("EPOCHS", "BATCH_SIZE", "LEARNING_RATE", "SEED")}
    fit = train.fit_features(head, views, val, hooks=hooks, **settings_of_head)
    with torch.inference_mode():
        right = (head(val[0]).argmax(1) == val[1]).numpy()
    if recipe["TAIL_EPOCHS"]:
        fit, right = fit_last_stages(recipe, draw, settings, fit)
    return {
        "n_train": len(views[0][1]),
        "n_val": len(val[1]),
        "best": fit.best,
        "last": fit.last,
        "history": fit.history,
        "right": "".join("01"[hit] for hit in right.astype(int)),
    }


@functools.lru_cache(maxsize=4)
def load_features(draw: Draw, settings: FeatureSettings) -> "tuple[list[Labelled], Labelled, list[Labelled]]":
    """The features of `FeatureSettings.datasets`; computed if the cache lacks them."""
    from maskkit import features, model

    views, val, bias_views = settings.datasets(draw)
    backbone, cache, device = settings.backbone, Path(settings.cache), model.device(settings.device)
    (train_pairs, (val_pair,), bias_pairs), _ = features.extract_pairs(
        backbone.network(), backbone.arch, views, [val], bias_views, cache=cache, device=device
    )
    return train_pairs, val_pair, bias_pairs


def fit_last_stages(recipe: Recipe, draw: Draw, settings: FeatureSettings, head_fit: "Fit") -> "tuple[Fit, np.ndarray]":
    """Unfreeze the last stages after the head is trained: (both trainings joined, bool (n_val,) who is right)."""
    from torch.utils.data import DataLoader

    from maskkit import data, evaluate, model, pretrained
    from maskkit.improve import fine_tuning
    from maskkit.recipe import Recipe as TrainingRecipe

    backbone, device = settings.backbone, model.device(settings.device)
    source = pretrained.find(backbone.arch, backbone.weights)
    # Not the shared network: its weights change.
    network = model.build(source, len(data.classes(draw.rows)), recipe["SEED"])
    model.head(network, backbone.arch).load_state_dict(head_fit.state(recipe["KEEP"]))
    views, val, bias_views = settings.datasets(draw)
    tail_fit = fine_tuning.fit_tail(
        network,
        backbone.arch,
        views,
        val,
        dataclasses.replace(TrainingRecipe.of(recipe), keep="last"),
        bias_views=bias_views,
        seed=recipe["SEED"],
        device=device,
    )
    loader: DataLoader[Any] = DataLoader(val, recipe["BATCH_SIZE"])  # type: ignore[arg-type]  # has the methods of a Dataset
    probabilities, labels = evaluate.predict(network, loader, device)
    return fine_tuning.joined(head_fit, tail_fit), probabilities.argmax(1) == labels
