#!/usr/bin/env bash
# ribs 0.12.0. Guess: the lower bound of a measure lies in the first cell, whatever the scale of the measure.
# Observed: a fixed epsilon of 1e-6 is added to the scaled distance from the bound before it is divided by the range's width, so on a range
# of 1e-6 the lower bound itself lands in a later cell. Why it matters: measures in metres of a chip, or seconds of a kernel,
# are shifted by cells without a word. Scale measures to about 1 first.
set -euo pipefail
work=$(mktemp -d) && trap 'rm -rf "$work"' EXIT
python3 -m venv "$work/env" && "$work/env/bin/pip" install -q ribs==0.12.0 numpy==2.4.6 scipy==1.17.1
"$work/env/bin/python" - <<'PYTHON'
import numpy as np, ribs
from ribs.archives import GridArchive

cells = {width: int(GridArchive(solution_dim=1, dims=[10], ranges=[(0, width)]).index_of(np.zeros((1, 1)))[0]) for width in (1, 1e-3, 1e-5, 1e-6)}
print("ribs", ribs.__version__, "| cell of the lower bound, by width of the range:", cells)
assert cells[1] == 0 and cells[1e-6] > 0
PYTHON
