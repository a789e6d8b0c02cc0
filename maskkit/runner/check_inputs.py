"""Photos, corrections and weights of a run, found before any kernel starts."""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from maskkit.core import paths
from maskkit.runner import notebook_parameters


def check_inputs(settings: Mapping[str, Any], print_line: Callable[[str], object]) -> None:
    """Find photos, corrections and weights; print first what fell back from auto, then which folder was chosen.

    Raises:
        FileNotFoundError, ValueError: as `folders.find`; or a class folder holds too few files.
    """
    from maskkit import corrections, split
    from maskkit.sources import folders

    check_files(settings)
    check_mutes(settings)
    check_network(settings)
    corrected = corrections.find(settings.get("CORRECTIONS", ""))
    source = folders.find(settings["DATA"])
    split.check_enough(source, settings.get("SPLIT", "grouped"))
    if source.note:
        print_line(format_fallback(source.note))
    network = f"{settings['ARCH']}, weights {Path(settings['WEIGHTS']).name}"
    if settings["WEIGHTS"] in ("auto", "imagenet"):  # others are found by 02_train, without torch imported here
        from maskkit import pretrained

        weights = pretrained.find(settings["ARCH"], settings["WEIGHTS"])
        network = weights.title
        if weights.note:
            print_line(format_fallback(weights.note))
    print_line(f"photos: {source.photos}; network: {network}")
    for line in source.lines():
        print_line(line)
    if corrected:
        print_line(f"corrected by hand: {corrections.format_summary(corrected)}, as far as they are drawn")


def check_files(settings: Mapping[str, Any]) -> None:
    """Raise FileNotFoundError unless the files named in settings are there; weights may lie in what Kaggle mounted."""
    for name in ("WEIGHTS", "GROUPS"):
        value = settings.get(name, "")
        is_there = Path(value).is_file() or (name == "WEIGHTS" and paths.mounted(Path(value).name))
        if value and value not in notebook_parameters.PATHS[name] and not is_there:
            raise FileNotFoundError(f"{name}: there is no file {value}")


def check_mutes(settings: Mapping[str, Any]) -> None:
    """Raise ValueError unless the checks that are to be muted exist."""
    if settings.get("MUTE"):
        from maskkit.audit import checks  # importing torch takes seconds

        checks.find_muted(settings["MUTE"])


def check_network(settings: Mapping[str, Any]) -> None:
    """Raise ValueError unless torch knows the network and the device."""
    arch, device = settings.get("ARCH", "auto"), settings.get("DEVICE", "auto")
    if arch in ("auto", "resnet18", "mobilenet_v2") and device != "cuda":
        return  # the names alone tell; importing torch takes seconds
    from maskkit import model

    if arch != "auto":
        model.architecture(arch)
    model.device(device)


def format_fallback(note: str) -> str:
    """A note as the terminal shows it: its plain line, then the technical reason, indented."""
    return "FALLING BACK: " + note.replace("\n", "\n    ")
