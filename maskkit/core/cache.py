"""On-disk cache, keyed by a hash of the inputs."""

import hashlib
import warnings
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import numpy as np
import safetensors
import safetensors.numpy

from maskkit.core import disk


def cached(
    name: str, inputs: Iterable[Any], compute: Callable[[], dict[str, np.ndarray]], *, cache: str | Path
) -> dict[str, np.ndarray]:
    """Return the result of `compute()`, from the cache if it was computed before from the same inputs.

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
    if path.is_file():
        try:
            return safetensors.numpy.load_file(path)
        except safetensors.SafetensorError as error:
            warnings.warn(f"{path} is damaged ({error}); it is computed again", stacklevel=2)
    result = compute()
    disk.write_bytes(path, safetensors.numpy.save(result))
    return result
