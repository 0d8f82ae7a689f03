#!/usr/bin/env bash
# scikit-learn 1.9.1 with pandas 3.1.1. Guess: k-means needs arrays only; importing it loads NumPy, parts of SciPy and scikit-learn itself.
# Observed: "from sklearn.cluster import k_means" loads the whole of pandas where it is installed (sklearn.utils.fixes tries to import it),
# scipy.stats with optimize, integrate and interpolate, narwhals, and, where they are there, rich and pyarrow (by way of pandas).
# Why it matters: a script that fits a tessellation once pays more for this import than for ten rounds of k-means over 50,000 points.
set -euo pipefail
work=$(mktemp -d) && trap 'rm -rf "$work"' EXIT
python3.11 -m venv "$work/env" && "$work/env/bin/pip" install -q scikit-learn==1.9.1 pandas==3.1.1 scipy==1.17.1 numpy==2.4.6
"$work/env/bin/python" - <<'PYTHON'
import sys
import time

import numpy as np

WATCHED = ("pandas", "scipy.stats", "scipy.optimize", "scipy.integrate", "scipy.interpolate", "narwhals")
assert not any(name in sys.modules for name in WATCHED)
count, begun = len(sys.modules), time.process_time()
from sklearn.cluster import k_means  # noqa: E402

took = time.process_time() - begun
points, begun = np.random.default_rng(0).random((50_000, 2)), time.process_time()
k_means(points, 1000, init="random", n_init=1, random_state=0, max_iter=10)
rounds = time.process_time() - begun
import sklearn  # noqa: E402

loaded = {name: name in sys.modules for name in WATCHED}
print("scikit-learn", sklearn.__version__, "| loaded for k_means:", loaded, "| modules:", len(sys.modules) - count)
print(f"import {took:.1f} CPU-seconds, ten rounds of it {rounds:.1f}")
assert all(loaded.values()) and len(sys.modules) - count > 1000 and took > rounds
PYTHON
