import subprocess
import sys

import pytest

from maskkit import memory

BLOCK = """
import ctypes, sys
from maskkit import memory
if sys.argv[1] == "kept":
    memory.keep_freed()
libc = ctypes.CDLL(None)
libc.malloc.restype, libc.malloc.argtypes, libc.free.argtypes = ctypes.c_void_p, [ctypes.c_size_t], [ctypes.c_void_p]
size = 200 * 2**20
block = libc.malloc(size)
ctypes.memset(block, 1, size)
libc.free(block)
pages = int(open("/proc/self/statm").read().split()[1])
print(pages * 4096 // 2**20)
"""


def test_freed_memory_is_kept_where_the_allocator_can():
    if not memory.keep_freed():
        pytest.skip("another C library: nothing was promised")
    held = {
        how: int(subprocess.run([sys.executable, "-c", BLOCK, how], capture_output=True, text=True, check=True).stdout)
        for how in ("given back", "kept")
    }
    assert held["kept"] - held["given back"] > 150
