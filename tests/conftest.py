"""Every test runs on one thread per library and on the CPU, so that it repeats itself."""

import os

os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
os.environ.setdefault("JAX_PLATFORMS", "cpu")

