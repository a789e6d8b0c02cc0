"""When a model should not answer: the classes that a photo may be, by split conformal prediction for each class.

    validation photos, which the model did not learn from
      -> each as it is and in VIEWS occluded views (`augment.changed_views`)
      -> the lowest probability that the model gives the photo's class among these: one number for each photo
      -> `Calibration`, kept as runs/<RUN>/not_sure.json and in an exported file
      -> for a share of errors, a limit for each class: `Calibration.limits`
      -> a photo may be each class whose probability reaches its limit; the model is sure where that is one class only

Of photos like the validation photos, as hard as the worst of their versions, at most the given share has its own class
ruled out, in each class: Vovk, ACML 2012 (arXiv 1209.2673), "label-conditional" predictors. The share is an expectation
over draws of the validation photos. With 20 of a class, that of one model varies by 6 percentage points either side
(the standard deviation of a beta distribution). Photos of another source are not like these. The occluded views stand
in for them; how well is a measurement (docs/models.md), not a guarantee.
"""

import contextlib
import dataclasses
import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from maskkit.core import disk

if TYPE_CHECKING:
    import torch
    from torch import nn

FILE = "not_sure.json"
VERSION = 1  # of how the probabilities are found; those of another version are found anew
VIEWS = 3  # occluded views of each validation photo; benchmarks/README.md has what 2 and 4 give
SEED = 0  # of the views


@dataclasses.dataclass(frozen=True)
class Calibration:
    """How probable a model finds the right class in hard versions of photos that it did not learn from.

    lowest: {class: a probability for each of its validation photos, sorted}. model_sha256: of the model.
    """

    lowest: dict[str, tuple[float, ...]]
    model_sha256: str

    def limits(self, share: float) -> np.ndarray:
        """The probability from which on a photo may be of each class, float (C,).

        Args:
            share: of each class's photos, so many may have their class ruled out.

        Raises:
            ValueError: not between 0 and 1, or less than these few photos can tell.
        """
        if not 0 < share < 1:
            raise ValueError(f"--not-sure takes a share between 0 and 1, got {share:g}")
        name, fewest = min(self.lowest.items(), key=lambda item: len(item[1]))
        least = 1 / (len(fewest) + 1)
        if share < least:
            raise ValueError(
                f"--not-sure {share:g} is less than {len(fewest)} validation photos of {name} can tell; "
                f"take {np.ceil(1000 * least) / 1000:g} or more"
            )
        ranks = {name: int((len(found) + 1) * share + 1e-9) for name, found in self.lowest.items()}
        return np.array([found[ranks[name] - 1] for name, found in self.lowest.items()])

    def describe(self, share: float) -> str:
        """What a page says of it, such as "share 0.1; with_mask from 12.0 % on (n = 20), ..."."""
        each = zip(self.lowest.items(), self.limits(share), strict=True)
        return f"share {share:g}; " + ", ".join(f"{name} from {low:.1%} on (n = {len(of)})" for (name, of), low in each)

    def to_json(self) -> str:
        return json.dumps(dataclasses.asdict(self) | describe_rule())


def describe_rule() -> dict[str, int]:
    """What a calibration depends on beside the model and the photos."""
    return {"version": VERSION, "views": VIEWS, "seed": SEED}


def from_json(text: str | bytes, classes: Sequence[str], model_sha256: str) -> Calibration | None:
    """The calibration that `Calibration.to_json` wrote; None: it is damaged, of another version or another model."""
    try:
        content = json.loads(text)
        lowest = {name: tuple(map(float, content["lowest"][name])) for name in classes}
    except (ValueError, KeyError, TypeError):
        return None
    sound = all(found and np.isfinite(found).all() and list(found) == sorted(found) for found in lowest.values())
    if not sound or {name: content.get(name) for name in describe_rule()} != describe_rule():
        return None
    if content.get("model_sha256") != model_sha256:
        return None
    return Calibration(lowest, model_sha256)


def of_run(run_dir: Path, network: "nn.Module", description: dict[str, Any], device: "torch.device") -> Calibration:
    """The calibration of a run's model, kept in the run's folder.

    Args:
        network, description, device: of `classifier.load_network`.

    Raises:
        FileNotFoundError, ValueError: it is not there, and the run's photos are not either, or have changed.
    """
    path, sha256 = Path(run_dir) / FILE, description.get("model_sha256", "")
    kept = from_json(path.read_bytes(), description["classes"], sha256) if path.is_file() else None
    if kept:
        return kept
    try:
        calibration = Calibration(measure(run_dir, network, description, device), sha256)
    except (FileNotFoundError, ValueError) as error:
        raise type(error)(f"--not-sure needs the run's validation photos once: {error}") from error
    with contextlib.suppress(OSError):  # a folder for reading only: it is measured again next time
        disk.write_text(path, calibration.to_json())
    return calibration


def measure(
    run_dir: Path, network: "nn.Module", description: dict[str, Any], device: "torch.device"
) -> dict[str, tuple[float, ...]]:
    """{class: the lowest probability of the right class in the versions of each validation photo, sorted}.

    A view on which a mask was drawn shows another class than its photo: it is left out.
    """
    from maskkit import data, features
    from maskkit.improve import augment

    classes = description["classes"]
    _, rows = data.read_split(run_dir)
    photos = data.MaskDataset(rows, run_dir, classes, description["transform"])
    own, lowest = np.array(photos.labels), np.ones(len(photos))
    for view in (photos, *augment.changed_views(photos, "occluded", VIEWS, SEED)):
        probabilities = features.outputs(network, view, device).softmax(1).numpy()
        same = np.array(view.labels) == own
        lowest[same] = np.minimum(lowest[same], probabilities[same, own[same]])
    missing = [name for index, name in enumerate(classes) if index not in own]
    if missing:
        raise ValueError(f"{Path(run_dir).name} has no validation photo of {', '.join(missing)}")
    return {name: tuple(map(float, np.sort(lowest[own == index]))) for index, name in enumerate(classes)}


def rule(limits: np.ndarray) -> Callable[[np.ndarray], bool]:
    """Whether a photo's probabilities (C,) leave its likeliest class, and no other, possible."""

    def is_sure(probabilities: np.ndarray) -> bool:
        possible = probabilities >= limits
        return bool(possible.sum() == 1 and possible[probabilities.argmax()])

    return is_sure
