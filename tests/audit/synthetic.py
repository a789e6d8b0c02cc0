"""Audited photos made of random numbers: features in two clouds, no pixels."""

import numpy as np
import torch

from maskkit.audit import survey
from maskkit.audit.audited import Audited
from maskkit.audit.checks.check import Context
from maskkit.audit.classifiers import Classifier
from maskkit.core.messages import message
from maskkit.report import REPORT_RECIPE

TRAINED_HERE = message("trained here")
CONTEXT = Context(torch.device("cpu"), seed=0)
RECIPE = REPORT_RECIPE | {"learning_rate": 0.05}


def features(n, distance, seed=0):
    """(X, labels): n photos of two classes, `distance` standard deviations apart in each of 8 numbers."""
    generator = np.random.default_rng(seed)
    labels = np.arange(n) % 2
    X = generator.normal(size=(n, 8)) + distance * (labels[:, None] - 0.5)
    return torch.from_numpy(X.astype(np.float32)), labels


def photos(labels, parts=None):
    """A survey of photos of classes a and b, by their labels alone."""
    parts = np.full(len(labels), "") if parts is None else parts
    rows = [
        {"file": f"{index}.png", "label": "ab"[label], "part": part, "sha256": str(index)}
        for index, (label, part) in enumerate(zip(labels, parts, strict=True))
    ]
    nothing = np.zeros((len(rows), 0), dtype=np.float32)
    return survey.Survey(("a", "b"), rows, [], *[nothing] * len(survey.ARRAYS))


def audited(X, labels, *, parts=None, versions=None, training=None, origin=TRAINED_HERE):
    """What is audited, with ResNet18 as the network that gave X; without `versions` all photos are independent."""
    n = len(labels)
    training = np.zeros(n, dtype=bool) if training is None else training
    return Audited(
        photos(labels, parts),
        versions or {"all": np.arange(n)},
        RECIPE,
        origin,
        "resnet18",
        {"resnet18": Classifier("resnet18", "none", "", torch.nn.Identity(), X)},
        training,
        ~training & training.any(),
    )
