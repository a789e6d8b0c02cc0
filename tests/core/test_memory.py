import os
import re
import subprocess
import sys

import pytest

from maskkit.core import memory

BLOCK = """
import ctypes, sys
from maskkit.core import memory
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


@pytest.mark.parametrize(
    ("own", "found"), [({}, "'1000'"), ({"GOMP_SPINCOUNT": "7"}, "'7'"), ({"OMP_WAIT_POLICY": "ACTIVE"}, "")]
)
def test_torch_s_threads_soon_leave_their_core_to_others_but_as_the_user_says_where_the_user_does(own, found):
    env = {name: value for name, value in os.environ.items() if name not in ("GOMP_SPINCOUNT", "OMP_WAIT_POLICY")}
    env |= own | {"OMP_DISPLAY_ENV": "VERBOSE"}
    code = "import maskkit, torch"
    told = subprocess.run([sys.executable, "-c", code], env=env, capture_output=True, text=True, check=True).stderr
    if "GOMP_SPINCOUNT" not in told:
        pytest.skip("torch has other threads than libgomp's here")
    assert re.search(r"GOMP_SPINCOUNT = '\d+'", told) and f"GOMP_SPINCOUNT = {found}" in told
    assert found or "GOMP_SPINCOUNT = '1000'" not in told
