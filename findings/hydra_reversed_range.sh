#!/usr/bin/env bash
# hydra-core 1.3.8. Guess: sort(range(1,6,2),reverse=true) sweeps the numbers of range(1,6,2), largest first: 5, 3, 1.
# Observed: it sweeps 4, 2, 0. The two ends change places and the step its sign, so the sweep starts one below the exclusive end and goes down
# to the start minus one, not through the same numbers. Steps that divide the range hide it: range(0,5) reversed is right.
# With fractions it also runs past the start: range(0,0.5,0.1) reversed ends at -0.1.
# Why it matters: a sweep ordered "expensive settings first" runs other settings than the one in ascending order, negative ones among them.
set -euo pipefail
work=$(mktemp -d) && trap 'rm -rf "$work"' EXIT
python3.11 -m venv "$work/env" && "$work/env/bin/pip" install -q hydra-core==1.3.8 omegaconf==2.3.1
"$work/env/bin/python" - <<'PYTHON'
import hydra
from hydra.core.override_parser.overrides_parser import OverridesParser


def sweep(words):
    return [float(value) for value in OverridesParser.create().parse_override(f"x={words}").sweep_string_iterator()]


ascending, descending = sweep("range(1,6,2)"), sweep("sort(range(1,6,2),reverse=true)")
unit_step = sweep("sort(range(0,5),reverse=true)")
fractions = sweep("sort(range(0,0.5,0.1),reverse=true)")
typed_out = sweep("sort(1,3,5,reverse=true)")
print("hydra", hydra.__version__, "| ascending:", ascending, "| reversed:", descending, "| typed out and reversed:", typed_out)
print("step 1 reversed:", unit_step, "| fractions reversed:", fractions)
assert ascending == [1, 3, 5] and descending == [4, 2, 0] and typed_out == [5, 3, 1]
assert unit_step == [4, 3, 2, 1, 0] and fractions[-1] == -0.1
PYTHON
