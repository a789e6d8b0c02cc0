"""Files at addresses such as s3://bucket/photos, through fsspec and the packages it finds installed for each kind."""

import os
import posixpath
from pathlib import Path
from typing import Any

from maskkit.core import disk
from maskkit.sources import listing


def is_address(name: str | Path) -> bool:
    """Whether a name is an address rather than a path."""
    return "://" in str(name)


def absolute(name: str, folder: str) -> str:
    """A name as it is meant in a folder; an address stays as it is."""
    return name if is_address(name) else os.path.join(folder, name)


def split(address: str) -> tuple[Any, str]:
    """(file system, path in it) of an address.

    Raises:
        FileNotFoundError: fsspec, or its package for this kind of address, is not installed.
        ValueError: fsspec knows no such kind.
    """
    try:
        from fsspec.core import url_to_fs

        return url_to_fs(address)
    except ImportError as error:
        raise FileNotFoundError(f"{address} needs a package that is not installed: {error}") from error


def find_files(address: str) -> list[str]:
    """The files at or below an address, as addresses, in order; litter left out."""
    system, path = split(address)
    below = {name: name.removeprefix(path).strip("/").split("/") for name in system.find(path)}
    files = [name for name, folders in below.items() if not any(map(listing.is_litter, folders))]
    if not files and not system.exists(path):
        raise FileNotFoundError(f"there is no file or folder {address}")
    return [system.unstrip_protocol(name) for name in sorted(files)]


def read(address: str | Path) -> bytes:
    """The bytes at an address, or in a local file."""
    if not is_address(address):
        return Path(address).read_bytes()
    system, path = split(str(address))
    return system.cat_file(path)


def write(address: str | Path, content: bytes) -> None:
    """Put bytes at an address or in a local file: whole or not at all, as object stores do by themselves."""
    if not is_address(address):
        disk.write_bytes(address, content)
        return
    system, path = split(str(address))
    if "file" in (system.protocol if isinstance(system.protocol, tuple) else (system.protocol,)):
        disk.write_bytes(path, content)
        return
    system.makedirs(posixpath.dirname(path), exist_ok=True)
    system.pipe_file(path, content)


def exists(address: str | Path) -> bool:
    if not is_address(address):
        return Path(address).exists()
    system, path = split(str(address))
    return system.exists(path)


def is_empty(folder: str | Path) -> bool:
    """Whether there is nothing in a folder, or no such folder."""
    if not is_address(folder):
        return not Path(folder).exists() or not any(Path(folder).iterdir())
    system, path = split(str(folder))
    return not system.find(path)


def join(folder: str | Path, name: str) -> str:
    return f"{str(folder).rstrip('/')}/{name}"
