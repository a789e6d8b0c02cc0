"""On-disk cache, keyed by a hash of the inputs."""

import contextlib
import hashlib
import warnings
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any

import filelock
import numpy as np
import safetensors
import safetensors.numpy

from maskkit.core import disk


def cached(
    name: str, inputs: Iterable[Any], compute: Callable[[], dict[str, np.ndarray]], *, cache: str | Path
) -> dict[str, np.ndarray]:
    """Return the result of `compute()`, from the cache if it was computed before from the same inputs.

    One process at a time computes a result: a second that wants it waits, and reads it.

    Args:
        name: of the result, the first part of its file name.
        inputs: everything that the result depends on: arrays, and objects whose `repr` shows their whole value
            (versions, constants, names).
        compute: returns {name: numpy array}.
        cache: the cache's folder.

    Returns:
        {name: numpy array}. If the cached file is damaged, a warning names it and the result is computed again.
    """
    digest = hashlib.sha256()
    for value in inputs:
        described = (value.shape, value.dtype.str) if isinstance(value, np.ndarray) else value
        digest.update(repr(described).encode())
        if isinstance(value, np.ndarray):
            digest.update(np.ascontiguousarray(value).tobytes())
    path = Path(cache) / f"{name}-{digest.hexdigest()[:24]}.safetensors"
    if (result := read(path)) is None:
        with one_at_a_time(path.with_suffix(".lock")):
            if (result := read(path)) is None:
                result = compute()
                disk.write_bytes(path, safetensors.numpy.save(result))
    return result


@contextlib.contextmanager
def one_at_a_time(lock: Path) -> Iterator[None]:
    """Let one process at a time be in the block; others that name the same file wait, and then look for its result.

    Raises:
        OSError: the lock's folder cannot be written.
    """
    disk.check_writable(lock.parent)
    with filelock.FileLock(lock):
        try:
            yield
        finally:
            lock.unlink(missing_ok=True)  # a process that waits still gets it


def read(path: Path) -> dict[str, np.ndarray] | None:
    """The arrays of a file of the cache, None where it is missing; a warning names a damaged one."""
    try:
        return safetensors.numpy.load_file(path)
    except FileNotFoundError:
        return None
    except safetensors.SafetensorError as error:
        warnings.warn(f"{path} is damaged ({error}); it is computed again", stacklevel=3)
        return None
