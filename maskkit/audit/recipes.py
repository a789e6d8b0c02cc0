"""The recipe of a run, or the report's: its settings, and heads trained by it on some of the photos."""

from typing import Any

import numpy as np
import torch

from maskkit import train
from maskkit.audit import shortcuts, splits
from maskkit.report import REPORT_RECIPE

Recipe = dict[str, Any]  # per_class, epochs, batch_size, learning_rate


def recipe_of(metrics: dict[str, Any]) -> Recipe:
    """The recipe of a run, from its metrics.json; what is missing there is the report's."""
    return {name: metrics.get(name, default) for name, default in REPORT_RECIPE.items()}


def fit_settings(recipe: Recipe) -> dict[str, Any]:
    """The part of a recipe that training takes: epochs, batch_size, learning_rate."""
    return {name: recipe[name] for name in train.FIT_SETTINGS}


def fit_head(
    X: torch.Tensor | np.ndarray,
    labels: np.ndarray,
    training: np.ndarray,
    recipe: Recipe,
    seed: int,
    validation: np.ndarray | tuple[()] = (),
) -> splits.Many:
    """The recipe's head, trained on the photos at `training`: a `splits.Many` of one head.

    Args:
        X: features float32 (n, n_features); labels: int (n,).
        training, validation: places in X; without validation photos the best epoch is the last.
    """
    places = [torch.as_tensor(np.asarray(part, dtype=np.int64))[None] for part in (training, validation)]
    return splits.fit_many(
        torch.as_tensor(X),
        torch.as_tensor(np.asarray(labels, dtype=np.int64)),
        *places,
        seeds=[seed],
        **fit_settings(recipe),
    )


def out_of_fold(
    X: torch.Tensor | np.ndarray, labels: np.ndarray, groups: np.ndarray, recipe: Recipe, seed: int
) -> np.ndarray:
    """Logits float32 (n, C) of every photo, each by a head that the recipe trained on the other folds.

    Raises:
        ValueError: a class has too few independent photos for folds.
    """
    fold = splits.folds(labels, groups, shortcuts.N_FOLDS, seed)
    logits = np.zeros((len(labels), int(np.max(labels)) + 1), dtype=np.float32)
    for index in range(shortcuts.N_FOLDS):
        heads = fit_head(X, labels, np.flatnonzero(fold != index), recipe, seed).last
        logits[fold == index] = heads.logits(X[fold == index])[0].numpy()
    return logits
