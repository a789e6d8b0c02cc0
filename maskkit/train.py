"""One training loop, for a head on cached features and for a network on photos."""

import copy
import dataclasses
import functools
import hashlib
import io
import math
import warnings
from pathlib import Path

import torch
from torch import nn
from torch.utils.data import TensorDataset, default_collate

from maskkit import evaluate, features, model, pretrained, runs
from maskkit.core import batches, disk, parameters
from maskkit.core.parallel import torch_threads
from maskkit.core.progress import bar

HISTORY_COLUMNS = ("epoch", "train_loss", "train_accuracy", "val_loss", "val_accuracy", "val_correct")


@dataclasses.dataclass(frozen=True)
class Fit:
    """What `fit` reached. `best` and `last` are `evaluate.score`s with their epoch; the states are state dicts."""

    history: list
    best: dict
    last: dict
    best_state: dict = dataclasses.field(repr=False)
    last_state: dict = dataclasses.field(repr=False)

    def state(self, keep):
        """The state dict of the epoch to keep, "best" or "last".

        Raises:
            ValueError: something else is asked for.
        """
        return self.best_state if parameters.need("KEEP", keep) == "best" else self.last_state


def fit(
    network,
    train,
    val,
    *,
    epochs,
    batch_size,
    learning_rate,
    seed,
    device,
    slow=None,
    share=1.0,
    checkpoint=None,
    quiet=False,
):
    """Train what of `network` has `requires_grad`, as the report did: cross-entropy, Adam, a fixed step size.

    The same function trains a head on features and a whole network on photos; with a frozen backbone both give
    the same numbers, since the order of the photos comes from `seed` alone.

    Args:
        network: maps inputs (N, ...) to logits (N, n_classes); changed in place, left with the last weights.
        train, val: datasets of (input, label int), such as a TensorDataset of features or a MaskDataset. `train` may
            be a list of them, views of the same photos, which the epochs take in turn.
        epochs: passes over `train`, at least 1.
        batch_size: inputs per step; the last batch of an epoch may be shorter.
        learning_rate: Adam's step size.
        seed: of the order of the photos, drawn anew for each epoch.
        device: where it trains.
        slow: (module, learning rate) of a part that learns at a rate of its own; None for none.
        share: how far of the way from its first weights to those it learns the network that is checked and kept
            stands, above 0 and at most 1. Learning itself is the same for every share.
        checkpoint: a file that holds all there is after each epoch. Where it is there already, training goes on from
            it, to the same end as if it had never stopped; one of another training, or damaged, is passed over with a
            warning and replaced. It is removed at the end. None for no file.
        quiet: without a progress bar, for a training that takes a moment.

    Returns:
        a `Fit`: history (one dict of HISTORY_COLUMNS per epoch; losses are means over photos, accuracies counts
        over counts, the training part measured while it learns, the other at `share`), the best epoch by validation
        accuracy (`evaluate.is_better`: the lowest validation loss decides among equals) and the last.

    Raises:
        ValueError: a part is empty, nothing would learn, or a number is out of range.
    """
    views = train if isinstance(train, list) else [train]
    check(network, views[0], val, epochs, batch_size, learning_rate, share, seed)
    network.to(device)
    first = {name: weight.detach().clone() for name, weight in learning(network)} if share < 1 else {}
    optimizer = torch.optim.Adam(rates(network, learning_rate, slow))
    order = torch.Generator().manual_seed(seed)
    history, best, best_state = [], None, None
    if checkpoint:
        slow_rate = slow[1] if slow else None
        mark = fingerprint([epochs, batch_size, learning_rate, slow_rate, share, seed], network, [*views, val])
        if Path(checkpoint).is_file():
            begun = resume(checkpoint, mark, network, optimizer, order)
            history, best, best_state = begun or (history, best, best_state)
    to_do = range(len(history) + 1, epochs + 1)
    for epoch in bar(to_do, desc="training", unit=" epochs", show=not quiet):
        set_mode(network)
        train = views[(epoch - 1) % len(views)]
        shuffled = torch.randperm(len(train), generator=order)
        train_loss, train_correct = run_epoch(network, train, shuffled, batch_size, device, optimizer)
        if not math.isfinite(train_loss):
            raise ValueError(f"the loss is {train_loss} in epoch {epoch}; LEARNING_RATE={learning_rate} is too large")
        network.eval()
        reached = move_back(network, first, share)
        with torch.inference_mode():
            val_loss, val_correct = run_epoch(network, val, torch.arange(len(val)), batch_size, device)
        history.append(
            {
                "epoch": epoch,
                "train_loss": train_loss,
                "train_accuracy": train_correct / len(train),
                "val_loss": val_loss,
                "val_accuracy": val_correct / len(val),
                "val_correct": val_correct,
            }
        )
        lowest = history[best["epoch"] - 1]["val_loss"] if best else math.inf
        if best is None or evaluate.is_better(val_correct, val_loss, best["correct"], lowest):
            best = {"epoch": epoch} | evaluate.score(val_correct, len(val))
            best_state = copy.deepcopy(network.state_dict())
        network.load_state_dict(reached, strict=False)
        if checkpoint:
            write_checkpoint(checkpoint, mark, network, optimizer, order, history, best, best_state)
    if checkpoint:
        Path(checkpoint).unlink(missing_ok=True)
    move_back(network, first, share)
    last = {"epoch": len(history)} | evaluate.score(history[-1]["val_correct"], len(val))
    return Fit(history, best, last, best_state, copy.deepcopy(network.state_dict()))


def rates(network, learning_rate, slow):
    """Adam's parameter groups: what learns of the module slow[0] at slow[1], all else at `learning_rate`."""
    learns = [weight for _, weight in learning(network)]
    if slow is None:
        return [{"params": learns, "lr": learning_rate}]
    module, slow_rate = slow
    own = {id(weight) for weight in module.parameters()}
    return [
        {"params": [weight for weight in learns if id(weight) not in own], "lr": learning_rate},
        {"params": [weight for weight in learns if id(weight) in own], "lr": slow_rate},
    ]


def learning(network):
    """[(name, weight)] of what learns."""
    return [(name, weight) for name, weight in network.named_parameters() if weight.requires_grad]


@torch.no_grad()
def move_back(network, first, share):
    """Move what learns from where it stands towards its `first` weights, to `share` of the way between them.

    Weights between those of ImageNet and those tuned on few photos keep more of what either knows: WiSE-FT (Wortsman
    et al., CVPR 2022, arXiv 2109.01903), there for the whole of a zero-shot network.

    Args:
        first: {name: tensor}; empty where nothing moves.

    Returns:
        {name: tensor} of the weights as they stood, to go on from.
    """
    reached = {name: weight.detach().clone() for name, weight in network.named_parameters() if name in first}
    for name, weight in reached.items():
        network.get_parameter(name).copy_(first[name].lerp(weight, share))
    return reached


# --- a training that goes on where it stopped ---------------------------------------------------


def fingerprint(settings, network, datasets):
    """What tells one training from another: its numbers, its first weights, and the first photos of each dataset."""
    digest = hashlib.sha256(repr([*settings, *map(len, datasets)]).encode())
    few = [tensor for part in datasets for tensor in collect(part, torch.arange(min(16, len(part))))]
    for tensor in (*network.state_dict().values(), *few):
        digest.update(tensor.cpu().contiguous().numpy().tobytes())
    return digest.hexdigest()


def write_checkpoint(path, mark, network, optimizer, order, history, best, best_state):
    """All there is after an epoch, written whole or not at all."""
    content = {
        "mark": mark,
        "network": network.state_dict(),
        "optimizer": optimizer.state_dict(),
        "order": order.get_state(),
        "history": history,
        "best": best,
        "best_state": best_state,
    }
    buffer = io.BytesIO()
    torch.save(content, buffer)
    disk.write_bytes(path, buffer.getvalue())


def resume(path, mark, network, optimizer, order):
    """(history, best, best_state) of a checkpoint; network, optimizer and order are brought to where it stopped.

    None where the file is damaged or of another training: a warning says so.
    """
    try:
        content = pretrained.read_tensors(Path(path))
    except ValueError as error:
        warnings.warn(f"{error}; training begins anew", stacklevel=3)
        return None
    if not isinstance(content, dict) or content.get("mark") != mark:
        problem = "is the checkpoint of another training (other photos, weights or settings)"
        warnings.warn(f"{path} {problem}; training begins anew", stacklevel=3)
        return None
    network.load_state_dict(content["network"])
    optimizer.load_state_dict(content["optimizer"])
    order.set_state(content["order"])
    return content["history"], content["best"], content["best_state"]


def check(network, train, val, epochs, batch_size, learning_rate, share, seed):
    if not len(train) or not len(val):
        raise ValueError(f"there are {len(train)} training and {len(val)} validation photos; both parts need some")
    parameters.need("EPOCHS", epochs)
    parameters.need("BATCH_SIZE", batch_size)
    parameters.need("LEARNING_RATE", learning_rate)
    parameters.need("TAIL_SHARE", share)
    parameters.need("SEED", seed)
    if not any(weight.requires_grad for weight in network.parameters()):
        raise ValueError("no weight of the network has requires_grad, so nothing would learn")


def set_mode(network):
    """Train mode for what learns, eval mode for every frozen part.

    In train mode a frozen batch norm would still drift: it normalises with each batch's own statistics and
    moves its running ones, although none of its weights learns.
    """
    network.train()
    for module in network.modules():
        if not any(weight.requires_grad for weight in module.parameters()):
            module.eval()


def run_epoch(network, dataset, order, batch_size, device, optimizer=None):
    """(mean loss per photo, number of correct photos) over `dataset` in `order`; learns where given an optimizer."""
    loss_sum, correct, size = 0.0, 0, batch_size
    for indices in order.split(batch_size):
        look = functools.partial(look_at, network, *collect(dataset, indices), device, optimizer)
        (batch_loss, batch_correct), size = batches.until_it_fits(look, size)
        if optimizer:
            optimizer.step()
        loss_sum += batch_loss
        correct += batch_correct
    return loss_sum / len(order), correct


def look_at(network, inputs, labels, device, optimizer, size):
    """(loss summed over the photos of a batch, number correct), and the batch's gradients where given an optimizer.

    `size` photos pass at a time; their gradients add up to the whole batch's, so the step to come is the same one.
    """
    loss_sum, correct = 0.0, 0
    if optimizer:
        optimizer.zero_grad()
    for few, truth in zip(inputs.split(size), labels.to(device).split(size), strict=True):
        logits = network(few.to(device))
        loss = nn.functional.cross_entropy(logits, truth)
        if optimizer:
            (loss * (len(truth) / len(labels))).backward()
        loss_sum += loss.item() * len(truth)
        correct += (logits.argmax(1) == truth).sum().item()
    return loss_sum, correct


def collect(dataset, indices):
    """(inputs, labels) of some items; a TensorDataset is indexed at once."""
    if isinstance(dataset, TensorDataset):
        return dataset[indices]
    return default_collate([dataset[index] for index in indices.tolist()])


def fit_features(head, train, val, **settings):
    """`fit` for a head alone, on cached features: on the CPU and on one thread.

    Each step is microseconds of arithmetic. A second thread gains nothing, and where another program wants its core
    every step waits for it: seconds instead of a tenth of one where threads spin (benchmarks/threads.py).

    Args:
        head: maps features (N, n_features) to logits; changed in place, left with the last weights.
        train, val: (features float32 (n, n_features), labels int64 (n,)); `train` may be a list of such pairs, one
            for each view.
        settings: as `fit`, without `device`.

    Returns:
        the `Fit`.
    """
    views = [TensorDataset(*view) for view in (train if isinstance(train, list) else [train])]
    with torch_threads(1):
        return fit(head, views, TensorDataset(*val), device=torch.device("cpu"), **settings)


def fit_head(network, arch, train, val, *, keep="best", **settings):
    """`fit_features` for the head of a frozen network.

    Args:
        network: the complete network, its backbone frozen; holds the kept epoch's head afterwards, on the CPU.
        arch: its architecture.
        train, val: features and labels, as of `fit_features`.
        keep: the epoch whose head stays, "best" (the report's choice) or "last".
        settings: as `fit`, without `device`: so few weights learn fastest on the CPU, and the same everywhere.

    Returns:
        the `Fit`.
    """
    head = model.head(network.to("cpu"), arch)
    result = fit_features(head, train, val, **settings)
    head.load_state_dict(result.state(keep))
    return result


def fit_tail(network, arch, train, val, *, tail_learning_rate, tail_share=1.0, keep, device, **settings):
    """`fit` for a network's last stages and its head, which goes on from where it is.

    The trunk stays frozen, so each view of a photo passes it once, and an epoch costs the last stages only.

    Args:
        network: of `model.build`, its head trained; `model.unfreeze`d here, holds the kept epoch afterwards.
        arch: its architecture.
        train: list of datasets of (image, label), such as `augment.views`; val: one such dataset.
        tail_learning_rate: Adam's step size before the head; `settings["learning_rate"]` is the head's own.
        tail_share: `share` of `fit`, of head and last stages: 1 keeps them as tuned, less brings back some of the
            frozen ones.
        keep: the epoch to keep, "best" or "last".
        device: where both parts run.
        settings: as `fit`.

    Returns:
        the `Fit`.

    Raises:
        ValueError: as `fit`; or a rate above 1e-4, at which a few hundred photos undo what ImageNet taught.
    """
    parameters.need("TAIL_LEARNING_RATE", tail_learning_rate)
    parameters.need("TAIL_SHARE", tail_share)  # here too: before the photos pass the trunk
    trunk, tail = model.cut(model.unfreeze(network, arch), arch)
    *views, val = (TensorDataset(features.outputs(trunk, part, device), part.label_tensor()) for part in (*train, val))
    slow = (tail[:-1], tail_learning_rate)
    result = fit(tail, views, val, slow=slow, share=tail_share, device=device, **settings)
    tail.load_state_dict(result.state(keep))
    return result


def joined(first, second):
    """The `Fit` of a training that went on in a second one: epochs counted through, best and last the second's."""

    def later(entry):
        return entry | {"epoch": len(first.history) + entry["epoch"]}

    history = first.history + [later(row) for row in second.history]
    return dataclasses.replace(second, history=history, best=later(second.best), last=later(second.last))


def read_history(run_dir):
    """history.csv as `fit` returned it."""
    rows = disk.read_csv(runs.need(run_dir, "history.csv", "02_train.ipynb"))
    whole = ("epoch", "val_correct")
    return [{name: int(value) if name in whole else float(value) for name, value in row.items()} for row in rows]
