"""Memory of a process: how much it holds, and a setting of the C allocator that keeps freed memory.

A network allocates the same large tensors again for the next batch. By default glibc returns every freed block above
32 MiB to the system, and the system clears each page when the next batch asks for it. That took half of the time of a
light network (benchmarks/README.md).
"""

import ctypes
import functools
from pathlib import Path

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


def release_freed() -> bool:
    """Return freed memory to the system, whatever `keep_freed` said; False if the allocator cannot (not glibc)."""
    try:
        return bool(ctypes.CDLL(None).malloc_trim(0))
    except (AttributeError, OSError, TypeError):  # another C library
        return False


def status_mib(field: str, process: int | str = "self") -> float:
    """Return a size of a process (its id), in MiB, from Linux's /proc: VmRSS is held now, VmHWM is the peak.

    (The peak of `getrusage` would be the parent's: it survives exec.)
    """
    lines = Path(f"/proc/{process}/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith(field + ":")) / 1024
