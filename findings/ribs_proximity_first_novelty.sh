#!/usr/bin/env bash
# ribs 0.12.0. Guess: the first rows of an empty ProximityArchive have infinite novelty, and equal rows are novel once.
# Observed: their reported novelty is the archive's novelty threshold, and three identical rows of one batch are all kept.
# Why it matters: a plot of novelty begins with the threshold, and a search that starts from one point fills its archive with copies.
set -euo pipefail
work=$(mktemp -d) && trap 'rm -rf "$work"' EXIT
python3 -m venv "$work/env" && "$work/env/bin/pip" install -q ribs==0.12.0 numpy==2.4.6 scipy==1.17.1
"$work/env/bin/python" - <<'PYTHON'
import numpy as np, ribs
from ribs.archives import ProximityArchive

archive = ProximityArchive(solution_dim=2, measure_dim=2, k_neighbors=3, novelty_threshold=0.25)
result = archive.add(np.zeros((3, 2)), np.zeros(3), np.full((3, 2), 0.5))
print("ribs", ribs.__version__, "| novelty of the first rows:", result["novelty"], "| rows kept:", len(archive))
assert (result["novelty"] == 0.25).all() and len(archive) == 3
PYTHON
