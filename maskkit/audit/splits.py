"""How lucky was the split? The report's recipe over a thousand splits, all heads trained as one tensor program."""

import dataclasses
import random
from collections import defaultdict

import numpy as np
import torch
from torch import nn

from maskkit import evaluate, model, split
from maskkit.core import parameters
from maskkit.core.progress import bar

CHUNK = 64  # heads trained at once: their weights and Adam's two moments stay in a processor's cache


@dataclasses.dataclass(frozen=True)
class Heads:
    """Linear heads after training: weight float32 (S, C, n_features), bias (S, C), as arrays of torch."""

    weight: torch.Tensor
    bias: torch.Tensor

    def logits(self, X):
        """Every head's logits of every photo, float32 (S, n, C), for features X (n, n_features)."""
        n_heads, n_classes, n_features = self.weight.shape
        flat = X @ self.weight.reshape(-1, n_features).T + self.bias.reshape(-1)
        return flat.reshape(len(X), n_heads, n_classes).transpose(0, 1)


@dataclasses.dataclass(frozen=True)
class Many:
    """What `fit_many` reached: val_correct int (S, epochs), best_epoch int (S,) from 1, both as arrays; two `Heads`."""

    val_correct: np.ndarray
    best_epoch: np.ndarray
    best: Heads
    last: Heads


def fit_many(X, y, train, val, *, n_classes, epochs, batch_size, learning_rate, seeds):
    """`train.fit_head` for many splits of the same photos at once; the same numbers, head by head.

    Every step multiplies the next batch of every head in one batched product, and one Adam moves all weights:
    its arithmetic is element by element, so the heads never meet.

    Args:
        X, y: features float32 (n, n_features) and labels int64 (n,).
        train, val: places in X, int64 (S, n_train) and (S, n_val); n_val may be 0.
        n_classes: outputs of each head.
        epochs, batch_size, learning_rate: as `train.fit`.
        seeds: S ints, of each head's weights and the order of its photos, as `train.fit` uses them.

    Returns:
        a `Many`; without validation photos the best epoch is the last.
    """
    parts = [
        fit_chunk(
            X,
            y,
            train[at : at + CHUNK],
            val[at : at + CHUNK],
            n_classes,
            epochs,
            batch_size,
            learning_rate,
            seeds[at : at + CHUNK],
        )
        for at in bar(range(0, len(train), CHUNK), desc="splits", unit=f" x {CHUNK}")
    ]
    counts, epochs_, best, last = zip(*parts, strict=True)
    return Many(np.concatenate(counts), np.concatenate(epochs_), join(best), join(last))


def join(heads):
    return Heads(torch.cat([part.weight for part in heads]), torch.cat([part.bias for part in heads]))


@torch.inference_mode()
def fit_chunk(X, y, train, val, n_classes, epochs, batch_size, learning_rate, seeds):
    """`fit_many` for a few heads: (val_correct, best_epoch, best, last)."""
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
    return torch.stack(history, 1).numpy(), best_epoch.numpy(), Heads(best_weight, best_bias), Heads(weight, bias)


# --- drawing splits -----------------------------------------------------------------------------


def draw(labels, groups, pool, *, per_class, n_splits, seed):
    """Repeated stratified splits, no group in both parts: `per_class` photos of each class, 20 % of them validation.

    Args:
        labels: int (n,), groups: int (n,); pool: bool (n,), the photos that may be drawn.
        per_class: photos drawn per class; a class that has fewer gives all of them; 0 takes all.

    Returns:
        n_splits pairs (train, val) of int arrays, sorted places in `labels`.

    Raises:
        ValueError: a class has fewer than `parameters.MIN_PER_CLASS` photos in the pool, or too few groups to split.
    """
    own = [np.flatnonzero(pool & (labels == index)) for index in range(labels.max() + 1)]
    fewest = min(map(len, own))
    if fewest < parameters.MIN_PER_CLASS:
        raise ValueError(f"a class has {fewest} photos to draw from; repeated splits need {parameters.MIN_PER_CLASS}")
    return [draw_one(own, groups, per_class, random.Random(f"splits {seed} {index}")) for index in range(n_splits)]


def draw_one(own, groups, per_class, chance):
    """One split as (train, val); `own` holds each class's places."""
    parts = ([], [])
    spans = defaultdict(set)
    drawn = [chance.sample(places.tolist(), min(per_class or len(places), len(places))) for places in own]
    for index, places in enumerate(drawn):
        for place in places:
            spans[groups[place]].add(index)
    for places in drawn:
        members = defaultdict(list)
        for place in places:
            members[groups[place]].append(place)
        free = [group for group in members if len(spans[group]) == 1]  # a group that spans classes trains
        chosen = split.choose_sum([len(members[group]) for group in free], round(len(places) * split.VAL_SHARE))
        val = {place for index in chosen for place in members[free[index]]}
        if not 0 < len(val) < len(places):
            raise ValueError(f"{len(places)} photos of a class come from {len(members)} originals: too few to split")
        parts[0].extend(set(places) - val)
        parts[1].extend(val)
    return tuple(np.sort(part) for part in parts)


def folds(labels, groups, n_folds, seed):
    """Group-aware stratified folds: int (n,), which fold each photo is tested in.

    Raises:
        ValueError: a class has fewer groups than folds.
    """
    from sklearn.model_selection import StratifiedGroupKFold

    fewest = min(len(np.unique(groups[labels == index])) for index in np.unique(labels))
    if fewest < n_folds:
        raise ValueError(f"a class has {fewest} independent photos; {n_folds} folds need {n_folds}")
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


def repeat(X, y, groups, parts, *, n_classes, epochs, batch_size, learning_rate, seed):
    """Train the recipe on each of `parts` (pairs of `draw`); heads of splits of one size train together.

    Returns:
        a `Repeated`, rows in the order of `parts`.
    """
    sizes = defaultdict(list)
    for index, (train, val) in enumerate(parts):
        sizes[len(train), len(val)].append(index)
    n_splits, n = len(parts), len(y)
    last, best = np.zeros(n_splits, dtype=int), np.zeros(n_splits, dtype=int)
    last_right, best_right = np.zeros((n_splits, n), dtype=bool), np.zeros((n_splits, n), dtype=bool)
    for members in sizes.values():
        train, val = (torch.from_numpy(np.stack([parts[index][side] for index in members])) for side in (0, 1))
        fitted = fit_many(
            X,
            y,
            train,
            val,
            n_classes=n_classes,
            epochs=epochs,
            batch_size=batch_size,
            learning_rate=learning_rate,
            seeds=[seed + index for index in members],
        )
        last[members], best[members] = fitted.val_correct[:, -1], fitted.val_correct.max(1)
        last_right[members] = right(fitted.last, X, y)
        best_right[members] = right(fitted.best, X, y)
    drawn_groups = [np.unique(groups[np.concatenate(part)]) for part in parts]
    unseen = np.stack([~np.isin(groups, names) for names in drawn_groups])
    validation = np.zeros((n_splits, n), dtype=bool)
    for index, (_, val) in enumerate(parts):
        validation[index, val] = True
    n_val = validation.sum(1)
    return Repeated(n_val, last, best, last_right, best_right, validation, unseen)


@torch.inference_mode()
def right(heads, X, y):
    """bool (S, n): whether each head is right on each photo."""
    rows = []
    for at in range(0, len(heads.weight), CHUNK):
        few = Heads(heads.weight[at : at + CHUNK], heads.bias[at : at + CHUNK])
        rows.append(few.logits(X).argmax(2) == y)
    return torch.cat(rows).numpy()
