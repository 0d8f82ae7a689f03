#!/usr/bin/env bash
# pyarrow 26.0.1 with pandas 3.1.1. Guess: from_pandas turns missing scalars into null, and leaves a NaN inside a list alone.
# Observed: NaN inside the lists of a column becomes null too. Why it matters: a table of solutions or measures with a failed
# (NaN) entry comes back from parquet with null in its place.
set -euo pipefail
work=$(mktemp -d) && trap 'rm -rf "$work"' EXIT
python3 -m venv "$work/env" && "$work/env/bin/pip" install -q pyarrow==26.0.1 pandas==3.1.1 numpy==2.4.6
"$work/env/bin/python" - <<'PYTHON'
import numpy as np, pandas as pd, pyarrow as pa

frame = pd.DataFrame({"solution": [[1.0, float("nan")], [2.0, 3.0]]})
cells = pa.Table.from_pandas(frame).column("solution").to_pylist()
plain = pa.array([[1.0, float("nan")]]).to_pylist()
print("pyarrow", pa.__version__, "| from_pandas:", cells[0], "| pa.array:", plain[0])
assert cells[0][1] is None and plain[0][1] is not None
PYTHON
