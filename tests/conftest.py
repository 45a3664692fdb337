"""Settings every test needs: one thread per process, since pytest-xdist runs one process per core, and no stray bars."""

import os

os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ.setdefault("TQDM_DISABLE", "1")
