#!/usr/bin/env bash
# tensorcircuit-ng 1.10.0. Guess: Circuit.matrix() works wherever Circuit.state() does, in an environment that pip calls complete. (Second guess, after
# seeing the ModuleNotFoundError: with cotengra it works for every circuit. Wrong too.)
# Observed: it raises ModuleNotFoundError for cotengra, which neither the requirements of the package nor any of its extras names; state and
# expectation_ps work without it. With cotengra, matrix() works where each qubit has a gate; a qubit without one raises ValueError from einsum
# ("Output character c appeared more than once in the output"), and a circuit without gates IndexError. An identity gate on each idle qubit avoids both.
# Why it matters: "pip check" is clean and the tests of the states pass; the gap shows at the first comparison of two unitaries.
set -euo pipefail
work=$(mktemp -d) && trap 'rm -rf "$work"' EXIT
python3.11 -m venv "$work/env" && "$work/env/bin/pip" install -q tensorcircuit-ng==1.10.0 numpy==2.4.6 scipy==1.17.1
cat > "$work/circuit.py" <<'PYTHON'
import sys
from importlib.metadata import requires, version

import tensorcircuit



def outcome(*gates):
    circuit = tensorcircuit.Circuit(2)
    for gate, qubit in gates:
        getattr(circuit, gate)(qubit)
    assert circuit.state().shape == (4,) and abs(circuit.expectation_ps(z=[1]) - (0 if ("h", 1) in gates else 1)) < 1e-5
    try:
        return str(circuit.matrix().shape)
    except (ModuleNotFoundError, ValueError, IndexError) as error:
        return type(error).__name__


circuits = {"both qubits": [("h", 0), ("h", 1)], "one idle": [("h", 0)], "idle with identity": [("h", 0), ("i", 1)], "empty": []}
outcomes = {name: outcome(*gates) for name, gates in circuits.items()}
named = [line for line in requires("tensorcircuit-ng") if "cotengra" in line]
print("tensorcircuit-ng", version("tensorcircuit-ng"), "| matrix:", outcomes, "| requirements on cotengra:", named)
assert list(outcomes.values()) == sys.argv[1:] and not named
PYTHON
"$work/env/bin/pip" check
missing=ModuleNotFoundError
"$work/env/bin/python" "$work/circuit.py" $missing $missing $missing $missing
"$work/env/bin/pip" install -q cotengra==0.8.3
"$work/env/bin/python" "$work/circuit.py" "(4, 4)" ValueError "(4, 4)" IndexError
