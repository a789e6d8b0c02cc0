"""maskkit: repeat a report on face-mask classification, and tell how far its number can be trusted."""

import os

# Torch's threads on Linux (libgomp's) wait for one another by spinning, by default for about 3 ms (300,000 turns), on a
# core that another program may need just then. 1,000 turns cost nothing on a quiet machine and give the core away on a
# busy one: benchmarks/threads.py. It is read once, as torch is loaded, so maskkit has to be imported first; kernels
# started from here have it from their environment.
if "OMP_WAIT_POLICY" not in os.environ:
    os.environ.setdefault("GOMP_SPINCOUNT", "1000")

__version__ = "0.1.0"
