"""What values each parameter of the notebooks may have: checked before a kernel starts, and by the functions that take
them.

One table, so that a command and a notebook cell run by hand give the same message.
"""

import dataclasses
import functools
import importlib.util
import math
import re
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TypeVar

from maskkit.core import mutes

Value = TypeVar("Value")
PART = ".part"  # `maskkit reproduce` works in runs/<RUN>.<8 digits>.part and renames it when every notebook has passed
WORKPLACE = re.compile(rf"\.[0-9a-f]{{8}}{re.escape(PART)}$")
MIN_PER_CLASS = 10  # fewer leave no validation part worth a percentage
MAX_RUN = 120  # bytes: file systems take names of 255, and `compare-<RUN>-<RUN>` holds two
MAX_SEED = 2**32 - 1  # scikit-learn's and numpy's range; torch, which gets sums of it and a split's number, takes more
MAX_TAIL_RATE = 1e-4  # above, a few hundred photos undo what ImageNet taught
SPLIT = ("grouped", "random", "given")
AUGMENT = ("none", "report", "strong", "occluded")  # of `augment.views`
ENGINES = ("eager", "onnxruntime", "cuda")  # `benchmark_networks.ENGINES`
EMBEDDED_ARCH = "mobilenet_v2"  # the one whose weights come as a package
LANGUAGES = {"en": "English", "id": "Indonesian"}


@dataclasses.dataclass(frozen=True)
class Rule:
    """What a parameter may be: `words` complete "NAME must be", `allows` says whether a value is."""

    words: str
    allows: Callable[[object], bool]


def whole(least: int, most: float = math.inf, also: tuple[int, ...] = (), words: str = "") -> Rule:
    """A whole number from `least` to `most`, or one of `also`."""
    words = words or (f"at least {least}" if most == math.inf else f"a whole number from {least} to {most}")
    return Rule(words, lambda value: type(value) is int and (least <= value <= most or value in also))


def number(most: float, words: str) -> Rule:
    """A number above 0 and at most `most`."""
    return Rule(words, lambda value: type(value) is not bool and isinstance(value, int | float) and 0 < value <= most)


def choice(*names: str, words: str = "") -> Rule:
    """One of some texts."""
    listed = words or ", ".join(map(repr, names[:-1])) + f" or {names[-1]!r}"
    return Rule(listed, lambda value: value in names)


def is_run(value: object) -> bool:
    """Whether a text names a run, or the folder runs/<RUN>.<8 digits>.part that it is worked on in."""
    name = WORKPLACE.sub("", value) if isinstance(value, str) else ""
    fits = len(name.encode("utf-8", "surrogatepass")) <= MAX_RUN and not name.endswith(PART)
    return fits and re.fullmatch(r"\w[\w .+=-]*", name) is not None


def is_text(value: object) -> bool:
    return isinstance(value, str) and value != ""


def is_engines(value: object) -> bool:
    return isinstance(value, str) and {name.strip() for name in value.split(",")} <= set(ENGINES)


@functools.cache
def classifiers() -> frozenset[str]:
    """The classifiers of torchvision.models, read from its source: importing it takes seconds.

    Empty where torchvision is not found or has changed its form; `model.architecture` decides in any case.
    """
    package = importlib.util.find_spec("torchvision")
    files = (Path(package.origin).parent / "models").glob("*.py") if package and package.origin else ()
    registered = re.compile(r"^@register_model\(\)\n(?:@.*\n)*def (\w+)\(", re.MULTILINE)
    return frozenset(name for file in files for name in registered.findall(file.read_text(encoding="utf-8")))


def is_arch(value: object) -> bool:
    return value == "auto" or not classifiers() or value in classifiers()


at_least_one = whole(1)
RULES = {
    "RUN": Rule(
        "a plain folder name such as 'report' (letters, digits, . _ -) "
        f"of at most {MAX_RUN} bytes, not ending in {PART}",
        is_run,
    ),
    "DATA": Rule("'auto', 'kaggle', 'demo' or a folder", is_text),
    "WEIGHTS": Rule("'auto', 'imagenet', 'packaged', 'none' or a file", is_text),
    "PER_CLASS": whole(MIN_PER_CLASS, also=(0,), words=f"0 (all) or at least {MIN_PER_CLASS}"),
    "SPLIT": choice(*SPLIT),
    "SEED": whole(0, MAX_SEED),
    "ARCH": Rule("'auto', 'resnet18', 'mobilenet_v2' or another classifier of torchvision.models", is_arch),
    "SIZE_PX": whole(16, 2048),
    "AUGMENT": choice(*AUGMENT),
    "VIEWS": at_least_one,
    "EPOCHS": at_least_one,
    "BATCH_SIZE": at_least_one,
    "LEARNING_RATE": number(1000, "above 0 and at most 1000"),
    "AVERAGE_EPOCHS": at_least_one,
    "BIAS_VIEWS": whole(0),
    "TAIL_EPOCHS": whole(0),
    "TAIL_LEARNING_RATE": number(MAX_TAIL_RATE, f"above 0 and at most {MAX_TAIL_RATE}"),
    "TAIL_SHARE": number(1, "above 0 and at most 1"),
    "KEEP": choice("best", "last"),
    "DEVICE": choice("auto", "cpu", "cuda"),
    "LANGUAGE": choice(*LANGUAGES, words=" or ".join(f"{code!r} ({name})" for code, name in LANGUAGES.items())),
    "COMPARE": choice("run", "both"),
    "MUTE": Rule(mutes.WORDS, mutes.is_text),
    "TRY_VIEWS": at_least_one,
    "SPLITS": whole(2),
    "TEST_PHOTOS": whole(MIN_PER_CLASS),
    "TRY_TAIL_EPOCHS": at_least_one,
    "BEST_EPOCHS": at_least_one,
    "ENGINES": Rule(f"a list of {', '.join(ENGINES)}, commas between", is_engines),
    "SPEED_ROUNDS": at_least_one,
}  # whether the folders and files of DATA, WEIGHTS, AGAINST, GROUPS and CORRECTIONS are there, others find out


def need(name: str, value: Value) -> Value:
    """The value itself, where parameter `name` may have it.

    Raises:
        ValueError: it may not; the message has the name, what is allowed, and the value.
    """
    rule = RULES.get(name)
    if rule and not rule.allows(value):
        raise ValueError(f"{name} must be {rule.words}, got {shortened(value)}")
    return value


def shortened(value: object) -> str:
    """A value as a message shows it."""
    shown = repr(value)
    return shown if len(shown) <= 60 else f"{shown[:40]}... ({len(str(value))} letters)"


def check(settings: Mapping[str, object]) -> None:
    """`need` for all of some parameters, and for those that depend on each other.

    Raises:
        ValueError: a value that its parameter may not have, or two that do not go together.
    """
    for name, value in settings.items():
        need(name, value)
    if "AUGMENT" in settings and "VIEWS" in settings:
        need_views(settings["AUGMENT"], settings["VIEWS"])
    if settings.get("AUGMENT") == "none" and settings.get("BIAS_VIEWS", 0) != 0:
        raise ValueError(f"AUGMENT='none' makes no views, so BIAS_VIEWS must be 0, got {settings['BIAS_VIEWS']}")
    if settings.get("WEIGHTS") == "packaged" and settings.get("ARCH", "auto") != "auto":
        need_packaged(settings["ARCH"])


def need_views(augmentation: object, n: object) -> None:
    """Raise ValueError where photos that are not augmented should have several views."""
    if augmentation == "none" and n != 1:
        raise ValueError(f"AUGMENT='none' has one view of each photo, so VIEWS must be 1, got {n}")


def need_packaged(arch: object) -> None:
    """Raise ValueError unless an architecture is the one whose weights are packaged."""
    if arch != EMBEDDED_ARCH:
        raise ValueError(
            f"WEIGHTS='packaged' is there for ARCH={EMBEDDED_ARCH!r} only, got ARCH={arch!r}; "
            "use WEIGHTS='imagenet' or a file"
        )
