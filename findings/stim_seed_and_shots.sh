#!/usr/bin/env bash
# stim 1.16.0. Guess: a sampler with a seed yields one stream of shots: the first 64 of 65 shots are the 64 shots of a call for 64, and two
# calls for 500 are one call for 1000.
# Observed: neither; another number of shots in a call gives other shots from the first ones on. The same calls with the same seed do repeat. (The
# docstring warns that 10 shots and then 90 are not 100 in one call; it names no rule for a call of another length.)
# Why it matters: adding shots to an estimate replaces the old ones, and a chunk size that follows the memory of the machine changes every result.
set -euo pipefail
work=$(mktemp -d) && trap 'rm -rf "$work"' EXIT
python3.11 -m venv "$work/env" && "$work/env/bin/pip" install -q stim==1.16.0 numpy==2.4.6
"$work/env/bin/python" - <<'PYTHON'
import numpy as np, stim

circuit = stim.Circuit("X_ERROR(0.3) 0 1 2\nM 0 1 2\nDETECTOR rec[-1]\nDETECTOR rec[-2]\nDETECTOR rec[-3]")


def shots(*sizes):
    sampler = circuit.compile_detector_sampler(seed=5)
    return np.concatenate([sampler.sample(size) for size in sizes])


agree = {
    "64 again": np.array_equal(shots(64), shots(64)),
    "64 of 65": np.array_equal(shots(64), shots(65)[:64]),
    "500 of 1000": np.array_equal(shots(500), shots(1000)[:500]),
    "500 + 500": np.array_equal(shots(500, 500), shots(1000)),
}
print("stim", stim.__version__, "| same shots:", agree)
assert agree == {"64 again": True, "64 of 65": False, "500 of 1000": False, "500 + 500": False}
PYTHON
