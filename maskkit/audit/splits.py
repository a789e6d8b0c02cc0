"""Split variance: the report's recipe over a thousand splits, all heads trained as one tensor program."""

import dataclasses
import random
from collections import defaultdict
from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from torch import nn

from maskkit import evaluate, model, split
from maskkit.core import parameters
from maskkit.core.messages import SaidValueError, said
from maskkit.core.progress import bar

CHUNK = 64  # heads trained at once: their weights and Adam's two moments fit in a processor's cache
Split = tuple[np.ndarray, np.ndarray]  # (train, val): indices of photos


@dataclasses.dataclass(frozen=True)
class Heads:
    """Linear heads after training: weight float32 (S, C, n_features), bias (S, C)."""

    weight: torch.Tensor
    bias: torch.Tensor

    def logits(self, X: torch.Tensor) -> torch.Tensor:
        """Every head's logits of every photo, float32 (S, n, C), for features X (n, n_features)."""
        n_heads, n_classes, n_features = self.weight.shape
        flat = X @ self.weight.reshape(-1, n_features).T + self.bias.reshape(-1)
        return flat.reshape(len(X), n_heads, n_classes).transpose(0, 1)


@dataclasses.dataclass(frozen=True)
class Many:
    """The result of `fit_many`: val_correct int (S, epochs), best_epoch int (S,) from 1, and two `Heads`."""

    val_correct: np.ndarray
    best_epoch: np.ndarray
    best: Heads
    last: Heads


def fit_many(
    X: torch.Tensor,
    y: torch.Tensor,
    train: torch.Tensor,
    val: torch.Tensor,
    *,
    seeds: Sequence[int],
    **settings: Any,
) -> Many:
    """`train.fit_head` for many splits of the same photos at once, with the same results for each head.

    Every step multiplies the next batch of every head in one batched product, and one Adam updates all weights. Its
    arithmetic is element by element, so the heads do not influence one another.

    Args:
        X: features float32 (n, n_features); y: labels int64 (n,), the largest class among them.
        train, val: rows of X, int64 (S, n_train) and (S, n_val); n_val may be 0.
        seeds: S ints, of each head's weights and the order of its photos, as `train.fit` uses them.
        settings: epochs, batch_size and learning_rate, as `train.fit`.

    Returns:
        without validation photos the best epoch is the last.
    """
    chunks = [slice(at, at + CHUNK) for at in range(0, len(train), CHUNK)]
    parts = [
        fit_chunk(X, y, train[chunk], val[chunk], seeds[chunk], **settings)
        for chunk in bar(chunks, desc="splits", unit=f" x {CHUNK}")
    ]
    return Many(
        np.concatenate([part.val_correct for part in parts]),
        np.concatenate([part.best_epoch for part in parts]),
        join([part.best for part in parts]),
        join([part.last for part in parts]),
    )


def join(heads: Sequence[Heads]) -> Heads:
    """The heads of several chunks together."""
    return Heads(torch.cat([part.weight for part in heads]), torch.cat([part.bias for part in heads]))


@torch.inference_mode()
def fit_chunk(
    X: torch.Tensor,
    y: torch.Tensor,
    train: torch.Tensor,
    val: torch.Tensor,
    seeds: Sequence[int],
    *,
    epochs: int,
    batch_size: int,
    learning_rate: float,
) -> Many:
    """`fit_many` for a few heads."""
    n_classes = int(y.max()) + 1
    new = [model.new_head(X.shape[1], n_classes, seed) for seed in seeds]
    weight, bias = (torch.stack([getattr(head, name).detach() for head in new]) for name in ("weight", "bias"))
    orders = [torch.Generator().manual_seed(seed) for seed in seeds]
    optimizer = torch.optim.Adam([weight, bias], lr=learning_rate, fused=True)
    weight.grad, bias.grad = torch.zeros_like(weight), torch.zeros_like(bias)
    one_hot = nn.functional.one_hot(y, n_classes).to(X.dtype)
    best_weight, best_bias = weight.clone(), bias.clone()
    most, lowest = torch.full((len(seeds),), -1), torch.full((len(seeds),), torch.inf)
    best_epoch, history = torch.zeros(len(seeds), dtype=torch.long), []
    for epoch in range(1, epochs + 1):
        shuffled = torch.stack([torch.randperm(train.shape[1], generator=order) for order in orders])
        for batch in train.gather(1, shuffled).split(batch_size, dim=1):
            inputs = X[batch]
            error = torch.baddbmm(bias[:, None], inputs, weight.transpose(1, 2)).softmax(2) - one_hot[batch]
            error /= batch.shape[1]  # the gradient of the mean cross-entropy with respect to the logits
            torch.bmm(error.transpose(1, 2), inputs, out=weight.grad)
            torch.sum(error, 1, out=bias.grad)
            optimizer.step()
        logits = torch.baddbmm(bias[:, None], X[val], weight.transpose(1, 2))
        correct = (logits.argmax(2) == y[val]).sum(1)
        loss = nn.functional.cross_entropy(logits.flatten(0, 1), y[val].flatten(), reduction="none")
        loss = loss.reshape(val.shape).mean(1)
        # Without validation photos the last epoch is the best.
        better = evaluate.is_better(correct, loss, most, lowest) if val.shape[1] else torch.ones_like(most).bool()
        most[better], lowest[better], best_epoch[better] = correct[better], loss[better], epoch
        best_weight[better], best_bias[better] = weight[better], bias[better]
        history.append(correct)
    val_correct = torch.stack(history, 1).numpy()
    return Many(val_correct, best_epoch.numpy(), Heads(best_weight, best_bias), Heads(weight, bias))


# --- drawing splits -----------------------------------------------------------------------------


def draw(
    labels: np.ndarray, groups: np.ndarray, pool: np.ndarray, *, per_class: int, n_splits: int, seed: int
) -> list[Split]:
    """Repeated stratified splits, no group in both parts: `per_class` photos of each class, 20 % of them validation.

    Args:
        labels: int (n,), groups: int (n,); pool: bool (n,), the photos that may be drawn.
        per_class: photos drawn per class; a class that has fewer gives all of them; 0 takes all.

    Returns:
        n_splits pairs (train, val) of int arrays, sorted indices of `labels`.

    Raises:
        ValueError: a class has fewer than `parameters.MIN_PER_CLASS` photos in the pool, or too few groups to split.
    """
    by_class = [np.flatnonzero(pool & (labels == index)) for index in range(labels.max() + 1)]
    fewest = min(map(len, by_class))
    if fewest < parameters.MIN_PER_CLASS:
        why = said(
            "a class has {n} photos to draw from; repeated splits need {m}", n=int(fewest), m=parameters.MIN_PER_CLASS
        )
        raise SaidValueError([why])
    rngs = (random.Random(f"splits {seed} {index}") for index in range(n_splits))
    return [draw_split(by_class, groups, per_class, rng) for rng in rngs]


def draw_split(by_class: list[np.ndarray], groups: np.ndarray, per_class: int, rng: random.Random) -> Split:
    """One split as (train, val); `by_class` holds the indices of each class's photos."""
    train: list[int] = []
    val: list[int] = []
    spans = defaultdict(set)
    drawn = [rng.sample(places.tolist(), min(per_class or len(places), len(places))) for places in by_class]
    for index, places in enumerate(drawn):
        for place in places:
            spans[groups[place]].add(index)
    for places in drawn:
        members: dict[int, list[int]] = defaultdict(list)
        for place in places:
            members[groups[place]].append(place)
        free = [group for group in members if len(spans[group]) == 1]  # a group that spans classes is for training
        chosen = split.choose_sum([len(members[group]) for group in free], round(len(places) * split.VAL_SHARE))
        held_out = {place for index in chosen for place in members[free[index]]}
        if not 0 < len(held_out) < len(places):
            why = said("{n} photos of a class come from {m} originals: too few to split", n=len(places), m=len(members))
            raise SaidValueError([why])
        train.extend(set(places) - held_out)
        val.extend(held_out)
    return np.sort(train), np.sort(val)


def draw_evenly(places: np.ndarray, labels: np.ndarray, n: int, seed: int) -> np.ndarray:
    """Up to n of the places, evenly from each class, drawn by seed."""
    generator = np.random.default_rng(seed)
    names = np.unique(labels[places])
    drawn = [generator.permutation(places[labels[places] == name])[: n // len(names)] for name in names]
    return np.sort(np.concatenate(drawn)) if drawn else places


def folds(labels: np.ndarray, groups: np.ndarray, n_folds: int, seed: int) -> np.ndarray:
    """Group-aware stratified folds: int (n,), which fold each photo is tested in.

    Raises:
        ValueError: a class has fewer groups than folds.
    """
    from sklearn.model_selection import StratifiedGroupKFold

    fewest = min(len(np.unique(groups[labels == index])) for index in np.unique(labels))
    if fewest < n_folds:
        raise SaidValueError([said("a class has {n} independent photos; {m} folds need {m}", n=int(fewest), m=n_folds)])
    fold = np.zeros(len(labels), dtype=int)
    cut = StratifiedGroupKFold(n_folds, shuffle=True, random_state=seed)
    for index, (_, test) in enumerate(cut.split(labels, labels, groups)):
        fold[test] = index
    return fold


# --- the recipe over many splits ----------------------------------------------------------------


@dataclasses.dataclass(frozen=True)
class Repeated:
    """The recipe over S splits. n_val int (S,), last and best: correct of them, int (S,).

    last_right, best_right: bool (S, n), whether each head is right on each photo; validation, unseen: bool (S, n), the
    split's own validation photos, and those that were not drawn and have no version of themselves in the split.
    """

    n_val: np.ndarray
    last: np.ndarray
    best: np.ndarray
    last_right: np.ndarray
    best_right: np.ndarray
    validation: np.ndarray
    unseen: np.ndarray


def repeat(
    X: torch.Tensor,
    y: torch.Tensor,
    groups: np.ndarray,
    parts: Sequence[Split],
    *,
    seed: int,
    **settings: Any,
) -> Repeated:
    """Train the recipe on each of `parts`, splits of `draw`; heads of splits of one size train together.

    Args:
        X, y, settings: as `fit_many`; groups: (n,); split number i trains with seed + i.

    Returns:
        rows in the order of `parts`.
    """
    sizes = defaultdict(list)
    for index, (learned, held_out) in enumerate(parts):
        sizes[len(learned), len(held_out)].append(index)
    n_splits, n = len(parts), len(y)
    last, best = np.zeros(n_splits, dtype=int), np.zeros(n_splits, dtype=int)
    last_right, best_right = np.zeros((n_splits, n), dtype=bool), np.zeros((n_splits, n), dtype=bool)
    for members in sizes.values():
        train, val = (torch.from_numpy(np.stack([parts[index][side] for index in members])) for side in (0, 1))
        seeds = [seed + index for index in members]
        fitted = fit_many(X, y, train, val, seeds=seeds, **settings)
        last[members], best[members] = fitted.val_correct[:, -1], fitted.val_correct.max(1)
        last_right[members] = right(fitted.last, X, y)
        best_right[members] = right(fitted.best, X, y)
    drawn_groups = [np.unique(groups[np.concatenate(part)]) for part in parts]
    unseen = np.stack([~np.isin(groups, names) for names in drawn_groups])
    validation = np.zeros((n_splits, n), dtype=bool)
    for index, (_, held_out) in enumerate(parts):
        validation[index, held_out] = True
    n_val = validation.sum(1)
    return Repeated(n_val, last, best, last_right, best_right, validation, unseen)


@torch.inference_mode()
def right(heads: Heads, X: torch.Tensor, y: torch.Tensor) -> np.ndarray:
    """bool (S, n): whether each head is right on each photo."""
    rows = []
    for at in range(0, len(heads.weight), CHUNK):
        few = Heads(heads.weight[at : at + CHUNK], heads.bias[at : at + CHUNK])
        rows.append(few.logits(X).argmax(2) == y)
    return torch.cat(rows).numpy()
