"""Kaggle's "Face Mask ~12K Images Dataset": fetched once into data/, within a time limit."""

import os
import re
import subprocess
import sys
import textwrap
from pathlib import Path
from typing import Any

from maskkit.core import paths
from maskkit.core.messages import SaidFileNotFoundError, as_details, lines_of, message, said

HANDLE = "ashishjangra27/face-mask-12k-images-dataset"
PAGE = f"https://www.kaggle.com/datasets/{HANDLE}"
TIME_LIMIT = 1800  # seconds for 330 MB; a server that falls silent is given up much sooner, by kagglehub itself
# What fails is said on standard output, so that standard error holds nothing but the progress bar.
DOWNLOAD = """
import sys
try:
    import kagglehub
    kagglehub.dataset_download(sys.argv[1])
except Exception as error:
    print(f"{type(error).__name__}: {error}")
    sys.exit(1)
"""


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
    bar = None if sys.stderr.isatty() else subprocess.DEVNULL
    command = [sys.executable, "-c", DOWNLOAD, HANDLE]
    try:
        done = subprocess.run(
            command, env=environment, stdout=subprocess.PIPE, stderr=bar, timeout=time_limit, check=False
        )
    except subprocess.TimeoutExpired as error:
        raise explain(message("the download took longer than {n} s", n=time_limit)) from error
    if done.returncode:
        lines = done.stdout.decode("utf-8", "replace").strip().splitlines()
        raise explain(lines[-1] if lines else f"exit code {done.returncode}")
    return fetched_folder()


def explain(reason: str | dict[str, Any]) -> SaidFileNotFoundError:
    """What was tried, why it failed, and the steps by hand, as an exception; without the password of a proxy's address.

    Args:
        reason: text, or a message.
    """
    if isinstance(reason, str):
        reason = textwrap.shorten(re.sub(r"//[^/@\s]+@", "//...@", reason), 300, placeholder=" ...")
    tried = said("Tried to download {page} through kagglehub: {reason}", page=PAGE, reason=reason)
    by_hand = said("By hand: open the page, press Download, unpack the archive anywhere, and give that folder as DATA.")
    return SaidFileNotFoundError([tried, by_hand])


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
    return [by_hand, *as_details(lines_of(error)[:1])]
