#!/usr/bin/env bash
# scipy 1.17.1. Guess: among points at equal distance KDTree.query names the same nearest one whatever k is.
# Observed: k=1 names another point than the first of k=3. Why it matters: the cell of a solution on the border of a CVT archive
# depends on how many neighbours somebody asked for; compare the candidates yourself.
set -euo pipefail
work=$(mktemp -d) && trap 'rm -rf "$work"' EXIT
python3 -m venv "$work/env" && "$work/env/bin/pip" install -q numpy==2.4.6 scipy==1.17.1
"$work/env/bin/python" - <<'PYTHON'
import numpy as np, scipy
from scipy.spatial import KDTree

tree = KDTree([[0.0, 0.0], [1.0, 0.0], [0.5, 0.5]])
point = [0.5, 0.0]  # 0.5 from each
answers = {k: np.atleast_1d(tree.query(point, k=k)[1]).tolist() for k in (1, 2, 3)}
print("scipy", scipy.__version__, "| nearest by k:", answers)
assert answers[1][0] != answers[3][0]
PYTHON
