"""maskkit: repeat a report on face-mask classification, and tell how far its number can be trusted."""

import os

# Torch's threads on Linux (libgomp's) wait for one another by spinning, for milliseconds, on a core that another
# program may need just then. 1,000 turns is what libgomp itself takes where it knows of more threads than cores; of
# other programs it knows nothing. It is read once, as torch is loaded, here and in kernels started from here.
# Measured in benchmarks/threads.py.
if "OMP_WAIT_POLICY" not in os.environ:
    os.environ.setdefault("GOMP_SPINCOUNT", "1000")

__version__ = "0.1.0"
