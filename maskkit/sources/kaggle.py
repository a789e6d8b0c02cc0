"""Kaggle's "Face Mask ~12K Images Dataset": fetched once into data/, within a time limit."""

import os
import re
import subprocess
import sys
import textwrap
import threading
from pathlib import Path
from typing import Any

from maskkit.core import paths
from maskkit.core.messages import said

HANDLE = "ashishjangra27/face-mask-12k-images-dataset"
PAGE = f"https://www.kaggle.com/datasets/{HANDLE}"
TIME_LIMIT = 1800  # seconds for 330 MB; a server that falls silent is given up much sooner, by kagglehub itself
BY_HAND = "open {page}, press Download, unpack the archive anywhere, and give that folder as DATA."
DOWNLOAD = "import kagglehub, sys; kagglehub.dataset_download(sys.argv[1])"


def fetched_folder() -> Path:
    """Return the folder in which kagglehub keeps the downloaded set (its cache is data/kaggle)."""
    return paths.DATA / "kaggle" / "datasets" / HANDLE / "versions"


def fetch(time_limit: float = TIME_LIMIT) -> Path:
    """Download the set through kagglehub, with its progress bar on stderr; return the folder that holds it.

    kagglehub runs in a separate process, so that the time limit can end it wherever it hangs.

    Raises:
        FileNotFoundError: the download failed; the message says what was tried and how to download it by hand.
    """
    environment = os.environ | {"KAGGLEHUB_CACHE": str(paths.DATA / "kaggle")}
    command = [sys.executable, "-c", DOWNLOAD, HANDLE]
    process = subprocess.Popen(command, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
    assert process.stderr is not None  # it is a pipe
    overdue = threading.Event()

    def stop() -> None:
        overdue.set()
        process.kill()

    timer = threading.Timer(time_limit, stop)
    timer.start()
    output = b""
    try:
        while chunk := os.read(process.stderr.fileno(), 4096):
            output = (output + chunk)[-20_000:]
            if sys.stderr.isatty() and b"Downloading" in output and b"Traceback" not in output:
                sys.stderr.write(chunk.decode("utf-8", "replace"))  # its progress bar, but no traceback
        process.wait()
    finally:
        timer.cancel()
        if process.poll() is None:  # we were interrupted
            process.kill()
            process.wait()
        process.stderr.close()
    if overdue.is_set():
        raise FileNotFoundError(explain(f"the download took longer than {time_limit} s"))
    if process.returncode:
        lines = output.decode("utf-8", "replace").strip().splitlines()
        raise FileNotFoundError(explain(lines[-1] if lines else f"exit code {process.returncode}"))
    return fetched_folder()


def explain(reason: str) -> str:
    """Return what was tried, why it failed, and the steps by hand; without the password of a proxy's address."""
    reason = textwrap.shorten(re.sub(r"//[^/@\s]+@", "//...@", reason), 300, placeholder=" ...")
    return f"Tried to download {PAGE} through kagglehub: {reason}\nBy hand: {BY_HAND.format(page='the page')}"


def how_to(error: Exception) -> list[dict[str, Any]]:
    """The rest of a note: how to use the real photos, and what went wrong, each as `messages.said` gives it.

    Args:
        error: raised by `fetch`.
    """
    by_hand = said(
        "How to use the real photos: open {page}, press Download, unpack the archive anywhere, and give that folder as "
        "DATA.",
        page=PAGE,
    )
    tried = str(error).partition("\nBy hand")[0]
    return [by_hand, *({"sentence": line} for line in tried.splitlines())]
