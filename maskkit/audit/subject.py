"""What is audited: photos, which of them are one, backbones, and the model with the photos it learned from."""

import dataclasses
import re
from pathlib import Path

import numpy as np
import torch

from maskkit import checkpoint, data, features, model, pretrained, runs
from maskkit.audit import calibration, leaks, sections, splits, survey
from maskkit.core import disk, parameters, paths
from maskkit.report import REPORT_RECIPE

BACKBONES = ("resnet18", "mobilenet_v2")
ENOUGH = 100  # unseen photos, from which on a rate of them is worth more than the 40 of the validation part


@dataclasses.dataclass
class Net:
    """A backbone with the recipe's head: what an architecture says of every photo.

    network: the complete torch module, or None where the weights cannot be had; note: then why.
    X: features float32 (n, n_features), torch, of the audited photos.
    transform: what feeds the network; tuned: whether its last stages learned from the run's photos too.
    """

    arch: str
    weights: str | None
    note: str
    network: torch.nn.Module | None = dataclasses.field(default=None, repr=False)
    X: torch.Tensor | None = dataclasses.field(default=None, repr=False)
    transform: model.Transform = model.Transform()
    tuned: bool = False

    @property
    def short_note(self):
        """The first sentence of the note: fit for a table, and the same on every machine."""
        return re.split(r"\.\s", self.note)[0]

    def features(self, rows, classes, device, transform=None):
        """Features of photos, from the cache where they are known."""
        return self.extract(data.Photos(rows, classes, transform or self.transform), device)

    def extract(self, dataset, device):
        """Features of a dataset, from the cache where they are known."""
        return features.extract(self.network, self.arch, dataset, cache=paths.CACHE, device=device)[0]

    def head(self):
        return model.head(self.network, self.arch)

    @torch.inference_mode()
    def logits(self, X):
        """The head's logits (n, C) of features, numpy."""
        return self.head().to("cpu")(X).numpy()

    def probabilities(self, X):
        """The head's class probabilities (n, C) of features, numpy."""
        return calibration.softmax(self.logits(X))


@dataclasses.dataclass
class Subject:
    """What is audited: photos, their groups, and the model with who trained it.

    groups: int (n,), versions of one original; found: groups by detector, "all" among them.
    training, validation: bool (n,), the photos its head learned from and was chosen by.
    """

    photos: survey.Survey
    found: dict
    recipe: dict
    words: str
    arch: str
    nets: dict
    training: np.ndarray
    validation: np.ndarray

    @property
    def groups(self):
        return self.found["all"]

    @property
    def net(self):
        return self.nets[self.arch]

    @property
    def parts(self):
        return self.photos.column("part")

    @property
    def pool(self):
        """bool (n,): photos that may be drawn, all but Test and Validation."""
        return ~np.isin(self.parts, ("Test", "Validation"))

    @property
    def unseen(self):
        """bool (n,): photos of which the model has seen no version, in training or in choosing its epoch."""
        seen = self.training | self.validation
        return ~np.isin(self.groups, self.groups[seen])

    @property
    def judged(self):
        """Places of photos to judge the model by: unseen ones, else the validation photos its epoch was chosen by."""
        places = np.flatnonzero(self.unseen)
        some_of_each = len(np.unique(self.photos.labels[places])) == len(self.photos.classes)
        return places if len(places) >= ENOUGH and some_of_each else np.flatnonzero(self.validation)

    @property
    def trained(self):
        """Whether there is a model to judge."""
        return self.net.network is not None and bool(self.training.any())


def choose(places, labels, n, seed):
    """Up to n of the places, evenly from each class, drawn by seed."""
    chance = np.random.default_rng(seed)
    names = np.unique(labels[places])
    own = [chance.permutation(places[labels[places] == name])[: n // len(names)] for name in names]
    return np.sort(np.concatenate(own)) if own else places


def find_nets(run, arch, weights, compare, classes):
    """({architecture: `Net`}, the audited one, the recipe, words for its origin); parameters as `audit.audit`.

    Raises:
        ValueError: `compare` is neither "both" nor "run", an unknown architecture, or a model of other classes.
    """
    parameters.need("COMPARE", compare)
    nets, recipe, words, named = {}, recipe_of({}), "trained here", arch
    if run:
        network, description = checkpoint.load(run, classes=classes)
        arch, metrics = description["arch"], runs.read_metrics(run)
        recipe = recipe_of(metrics)
        words = f"of run {metrics.get('run', {}).get('name') or Path(run).name}"
        nets[arch] = net_of_run(network, description)
    elif arch == "auto":
        nets, arch = first_net(weights, classes)
    for name in dict.fromkeys((arch, *(BACKBONES if compare == "both" else ()))):
        if name not in nets:
            nets[name] = pretrained_net(name, weights if name == named else "auto", classes)
    return nets, arch, recipe, words


def net_of_run(network, description):
    """The `Net` of a trained model, from what `model.load` returned."""
    tuned = checkpoint.is_tuned(description)
    transform = description["transform"]
    return Net(description["arch"], description["weights"], "", network, transform=transform, tuned=tuned)


def recipe_of(metrics):
    """The recipe of a run: what `metrics.json` has of the report's."""
    return {name: metrics.get(name, default) for name, default in REPORT_RECIPE.items()}


def first_net(weights, classes):
    """The backbone that ARCH="auto" means, ResNet18 where it can be had: ({its architecture: Net}, architecture)."""
    for name in BACKBONES:
        net = pretrained_net(name, "packaged" if weights == "packaged" and name == "mobilenet_v2" else weights, classes)
        if net.network is not None:
            return {name: net}, name
    return {}, BACKBONES[0]


def pretrained_net(arch, weights, classes):
    """A `Net` with a backbone's pretrained weights, or one that says why they cannot be had.

    With "auto" MobileNetV2 takes the packaged weights where they are installed: the same everywhere.
    """
    wishes = {"auto": ("packaged", "imagenet") if arch == "mobilenet_v2" else ("imagenet",)}.get(weights, (weights,))
    problems = []
    for wish in wishes:
        try:
            found = pretrained.find(arch, wish)
        except FileNotFoundError as error:
            if wish not in pretrained.WEIGHTS_NAMES:
                raise  # a file that the user named
            problems.append(str(error))
        except ValueError as error:
            if wish not in ("packaged", "imagenet"):
                raise
            problems.append(str(error))
        else:
            return Net(arch, found.weights, found.note, model.build(found, len(classes), seed=0))
    return Net(arch, None, f"unknown: its weights cannot be had. {' '.join(problems)}")


def detect(photos, X):
    """{detector: groups int (n,)}: what each finds by itself, and "all" together."""
    usable = photos.column("deviation") >= leaks.FLAT
    pairs = {
        "sha256": leaks.exact(photos.column("sha256")),
        "perceptual_hash": leaks.alike(photos.column("hash"), photos.column("hash_mirrored"), usable),
        "alignment": leaks.aligned_once(
            photos.small, photos.colours, usable, None if X is None else X.numpy(), cache=paths.CACHE
        ),
    }
    found = {name: leaks.components(len(photos), own) for name, own in pairs.items()}
    return found | {"all": leaks.components(len(photos), *pairs.values())}


def marks(run, photos):
    """(training, validation) bool (n,): which of the photos the run's head learned from, and was chosen by."""
    if not run:
        return np.zeros(len(photos), dtype=bool), np.zeros(len(photos), dtype=bool)
    rows = disk.read_csv(runs.need(run, "split.csv", "01_prepare.ipynb"))
    digests = photos.column("sha256")
    return tuple(np.isin(digests, [row["sha256"] for row in rows if row["part"] == part]) for part in data.PARTS)


def train(subject, run, seed):
    """Give every backbone the recipe's head, and mark whose photos it learned from.

    A run's own head stays as it is, and the other backbones learn from the run's photos; without a run all learn
    from a draw of the photos. Where a class has too few the heads stay untrained and `training` empty.
    """
    labels = subject.photos.labels
    if run:
        drawn = np.flatnonzero(subject.training), np.flatnonzero(subject.validation)
        if all(len(np.unique(labels[part])) == len(subject.photos.classes) for part in drawn):
            for net in (net for net in subject.nets.values() if net is not subject.net):
                train_head(net, labels, *drawn, subject.recipe, seed)
        return
    try:
        ((train, val),) = splits.draw(
            labels, subject.groups, subject.pool, per_class=subject.recipe["per_class"], n_splits=1, seed=seed
        )
    except ValueError as error:
        subject.words = f"none: {error}"
        return
    subject.training[train], subject.validation[val] = True, True
    subject.words = f"trained here on {len(train)} of them"
    for net in subject.nets.values():
        train_head(net, labels, train, val, subject.recipe, seed)


def train_head(net, labels, train, val, recipe, seed):
    """Give a net the recipe's head, of its best epoch."""
    if net.network is None:
        return
    heads = sections.fit_one(net.X, labels, train, recipe, seed, val).best
    state = {"weight": heads.weight[0].clone(), "bias": heads.bias[0].clone()}
    net.head().load_state_dict(state)
