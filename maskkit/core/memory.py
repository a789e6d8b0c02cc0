"""Freed memory stays with the process: a network allocates the same large tensors again for the next batch.

glibc hands every block above 32 MiB back to the system when it is freed, and the system clears each page again when the
next batch asks for it; of a light network's time that was half (benchmarks/README.md).
"""

import ctypes
import functools

# Parameters of mallopt, from glibc's malloc.h. Its values are C ints, so just under 2 GiB is the most it takes.
M_TRIM_THRESHOLD, M_MMAP_THRESHOLD = -1, -3
MOST = 2**31 - 1


@functools.cache
def keep_freed():
    """Tell the allocator, once per process, to keep what is freed; whether it has such a setting (glibc on Linux)."""
    try:
        mallopt = ctypes.CDLL(None).mallopt
    except (AttributeError, OSError, TypeError):  # another C library: it has its own ways
        return False
    taken = [mallopt(name, MOST) for name in (M_MMAP_THRESHOLD, M_TRIM_THRESHOLD)]
    return all(taken)
