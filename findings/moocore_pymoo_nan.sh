#!/usr/bin/env bash
# moocore 0.3.2 and pymoo 0.6.2, both minimising. Guess: an objective of NaN raises, or puts its row behind every finite row.
# Observed: moocore's hypervolume skips the row and its is_nondominated keeps it; pymoo compares the numbers that are left, so a row of
# (NaN, 0.5) stands alone in the first front and pushes all finite rows back. (First guess from a row of NaN alone: last front.)
# Why it matters: a failed evaluation may rank above every good one. Drop failed rows before either library sees them.
set -euo pipefail
work=$(mktemp -d) && trap 'rm -rf "$work"' EXIT
python3 -m venv "$work/env" && "$work/env/bin/pip" install -q moocore==0.3.2 pymoo==0.6.2 numpy==2.4.6
"$work/env/bin/python" - <<'PYTHON'
from importlib.metadata import version

import moocore, numpy as np
from pymoo.util.nds.non_dominated_sorting import NonDominatedSorting

rows = np.array([[1.0, 2.0], [2.0, 1.0], [3.0, 3.0], [np.nan, 0.5]])
volumes = moocore.hypervolume(rows, ref=[4, 4]), moocore.hypervolume(rows[:3], ref=[4, 4])
kept = moocore.is_nondominated(rows).tolist()
fronts = [front.tolist() for front in NonDominatedSorting().do(rows)]
print("moocore", version("moocore"), "| hypervolume with and without the NaN row:", volumes, "| is_nondominated:", kept)
print("pymoo", version("pymoo"), "| fronts:", fronts)
assert volumes[0] == volumes[1] and kept[3] and fronts[0] == [3]
PYTHON
