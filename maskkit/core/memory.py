"""Setting of the C allocator: keep freed memory, because the next batch allocates the same large tensors again.

By default glibc returns every freed block above 32 MiB to the system, and the system clears each page when the next
batch asks for it. That took half of the time of a light network (benchmarks/README.md).
"""

import ctypes
import functools

# Parameters of mallopt, from glibc's malloc.h. Its values are C ints, so just under 2 GiB is the most it takes.
M_TRIM_THRESHOLD, M_MMAP_THRESHOLD = -1, -3
MOST = 2**31 - 1


@functools.cache
def keep_freed() -> bool:
    """Tell the allocator, once per process, to keep freed memory; False if it has no such setting (not glibc)."""
    try:
        mallopt = ctypes.CDLL(None).mallopt
    except (AttributeError, OSError, TypeError):  # another C library
        return False
    taken = [mallopt(name, MOST) for name in (M_MMAP_THRESHOLD, M_TRIM_THRESHOLD)]
    return all(taken)
