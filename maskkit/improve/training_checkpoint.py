"""A training that was interrupted goes on where it stopped: everything it needs, in one file after each epoch."""

import hashlib
import io
import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
from torch import nn

from maskkit import pretrained, train
from maskkit.core import disk


class TrainingCheckpoint(train.Hook):
    """Writes a checkpoint after each epoch, and removes it at the end.

    Where the file exists at the start, training goes on from it, to the same end as if it had never stopped. A damaged
    file, or one of another training, is replaced, with a warning.

    Args:
        path: the checkpoint's file.
        settings: every number that the training depends on.
        datasets: those the network learns from and is checked on.
    """

    def __init__(self, path: Path, settings: Sequence[object], datasets: Sequence[train.Examples]) -> None:
        self.path, self.settings, self.datasets = Path(path), settings, datasets
        self.fingerprint = ""

    def start(self, training: train.Training) -> None:
        self.fingerprint = fingerprint(self.settings, training.network, self.datasets)
        if self.path.is_file():
            self._resume(training)

    def _resume(self, training: train.Training) -> None:
        try:
            content = pretrained.read_tensors(self.path)
        except ValueError as error:
            warnings.warn(f"{error}; training begins anew", stacklevel=4)
            return
        if not isinstance(content, dict) or content.get("fingerprint") != self.fingerprint:
            problem = "is the checkpoint of another training (other photos, weights or settings)"
            warnings.warn(f"{self.path} {problem}; training begins anew", stacklevel=4)
            return
        training.load_state_dict(content["training"])

    def end_epoch(self, training: train.Training) -> None:
        buffer = io.BytesIO()
        torch.save({"fingerprint": self.fingerprint, "training": training.state_dict()}, buffer)
        disk.write_bytes(self.path, buffer.getvalue())

    def end(self, training: train.Training) -> None:
        self.path.unlink(missing_ok=True)


def fingerprint(settings: Sequence[object], network: nn.Module, datasets: Sequence[train.Examples]) -> str:
    """What tells one training from another: its numbers, its first weights, and the first photos of each dataset."""
    digest = hashlib.sha256(repr([*settings, *map(len, datasets)]).encode())
    tensors: list[Any] = list(network.state_dict().values())
    for dataset in datasets:
        tensors += train.collate(dataset, torch.arange(min(16, len(dataset))))
    for tensor in tensors:
        digest.update(tensor.cpu().contiguous().numpy().tobytes())
    return digest.hexdigest()
