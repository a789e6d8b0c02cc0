"""Results kept beside the features, under a hash of all that they came from: the same question is answered once."""

import hashlib
import warnings
from pathlib import Path

import numpy as np
import safetensors
import safetensors.numpy

from maskkit.core import disk


def cached(name, inputs, compute, *, cache):
    """What `compute()` returns, read from the cache where the same inputs were seen before.

    Args:
        name: of the result, a word for its file.
        inputs: all that it depends on: arrays, and whatever else has a faithful `repr` (versions, constants, names).
        compute: returns {name: numpy array}.
        cache: the cache's folder.

    Returns:
        {name: numpy array}. A damaged file is named, and computed anew.
    """
    digest = hashlib.sha256()
    for value in inputs:
        said = (value.shape, value.dtype.str) if isinstance(value, np.ndarray) else value
        digest.update(repr(said).encode())
        if isinstance(value, np.ndarray):
            digest.update(np.ascontiguousarray(value).tobytes())
    path = Path(cache) / f"{name}-{digest.hexdigest()[:24]}.safetensors"
    if path.is_file():
        try:
            return safetensors.numpy.load_file(path)
        except safetensors.SafetensorError as error:
            warnings.warn(f"{path} is damaged ({error}); it is computed again", stacklevel=2)
    found = compute()
    disk.write_bytes(path, safetensors.numpy.save(found))
    return found
