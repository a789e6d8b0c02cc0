"""The files that a command line names: found in folders, in lists and at addresses, and read as photos."""

import codecs
import io
import itertools
import os
from collections.abc import Iterable, Iterator
from typing import BinaryIO, TextIO

from PIL import Image

from maskkit.deploy import addresses
from maskkit.sources import decoding, listing


def find_files(arguments: Iterable[str], stdin: TextIO | None) -> tuple[list[str], list[str]]:
    """The files that command line arguments mean; content decides later what is a photo.

    Args:
        arguments: files and folders, addresses among them (`addresses.find_files`); "-" reads more of them from the
            text stream `stdin` (`read_list`).

    Returns:
        (files, empty): names as given or, below a folder, joined with the path below it; folders without a file.

    Raises:
        FileNotFoundError: arguments that do not exist. A listed path that does not is left to `read_photo`: among
            thousands one may vanish meanwhile.
    """
    arguments = list(arguments)
    paths = [name for name in arguments if name != "-" and not addresses.is_address(name)]
    missing = [name for name in paths if not os.path.lexists(name)]
    if missing:
        more = f" (and {len(missing) - 1} more that do not exist)" if len(missing) > 1 else ""
        raise FileNotFoundError(f"there is no file or folder {missing[0]}{more}")
    names = itertools.chain.from_iterable(
        read_list(stdin.buffer) if name == "-" and stdin else [name] for name in arguments
    )
    files: list[str] = []
    empty = []
    for name in names:
        below = list_files(name)
        files += below
        if not below:
            empty.append(name)
    return files, empty


def list_files(name: str) -> list[str]:
    """The files at or below an address, below a folder, or a file itself."""
    if addresses.is_address(name):
        return addresses.find_files(name)
    return list(walk(name)) if os.path.isdir(name) else [name]


def walk(folder: str) -> Iterator[str]:
    """Every file below a folder, litter left out, in order; linked folders are entered, each folder only once."""
    seen = set()
    failed: list[OSError] = []
    for here, below, files in os.walk(folder, followlinks=True, onerror=failed.append):
        status = os.stat(here)
        if (status.st_dev, status.st_ino) in seen:
            below.clear()
            continue
        seen.add((status.st_dev, status.st_ino))
        below[:] = sorted(name for name in below if not listing.is_litter(name))
        yield from (os.path.join(here, name) for name in sorted(files) if not listing.is_litter(name, here))
    yield from (error.filename for error in failed)  # a folder that cannot be listed: `read_photo` will say why


def read_list(binary: BinaryIO) -> list[str]:
    """Paths from a binary stream: one a line or, if there is a NUL byte, between NULs (`find -print0`).

    UTF-16 with a byte order mark, as Windows writes it, is read too.

    Raises:
        ValueError: the text begins with the mark of UTF-16 and is something else.
    """
    content = binary.read()
    if content.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        try:
            content = content.decode("utf-16").encode()
        except UnicodeError as error:
            raise ValueError(f"the list on standard input begins as UTF-16, but is not: {error}") from error
    content = content.removeprefix(codecs.BOM_UTF8)
    lines = content.split(b"\0") if b"\0" in content else [line.removesuffix(b"\r") for line in content.split(b"\n")]
    return [os.fsdecode(line) for line in lines if line]


def read_photo(name: str) -> Image.Image:
    """The photo of that name as RGB.

    Raises:
        ValueError: no photo; the reason is the message.
    """
    return read_sized(name)[0]


def read_sized(name: str) -> tuple[Image.Image, tuple[int, int]]:
    """`read_photo`, and the upright photo's own width and height, before any reduction."""
    try:
        if addresses.is_address(name):
            return decoding.decode_sized(io.BytesIO(addresses.read(name)))
        if os.path.isdir(name):
            raise ValueError("a folder that cannot be read")
        decoding.need_file(name)
        with open(name, "rb") as file:
            return decoding.decode_sized(file)
    except OSError as error:
        raise ValueError(error.strerror or str(error)) from error
