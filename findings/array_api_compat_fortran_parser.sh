#!/usr/bin/env bash
# array-api-compat 1.16.0 with numpy 2.4.6. Guess: array_api_compat.numpy is a thin layer; importing it after NumPy loads its own few files.
# Observed: it loads NumPy's Fortran interface generator with its parser (numpy.f2py.crackfortran), numpy.testing and unittest. It runs
# "from numpy import *", and the public names of NumPy include subpackages that NumPy itself loads only when somebody asks for them.
# Why it matters: ribs imports array_api_compat, so each worker process of a search loads a Fortran parser before its first evaluation.
set -euo pipefail
work=$(mktemp -d) && trap 'rm -rf "$work"' EXIT
python3.11 -m venv "$work/env" && "$work/env/bin/pip" install -q array-api-compat==1.16.0 numpy==2.4.6
"$work/env/bin/python" - <<'PYTHON'
import sys

import numpy

WATCHED = ("numpy.f2py", "numpy.f2py.crackfortran", "numpy.testing", "unittest")
before = {name: name in sys.modules for name in WATCHED}
count = len(sys.modules)
import array_api_compat.numpy  # noqa: E402

after = {name: name in sys.modules for name in WATCHED}
own = [name for name in sys.modules if name.startswith("array_api_compat")]
print("array-api-compat", array_api_compat.__version__, "numpy", numpy.__version__, "| after NumPy:", before, "| after both:", after)
print("modules loaded more:", len(sys.modules) - count, "| of array_api_compat itself:", len(own))
assert not any(before.values()) and all(after.values()) and len(sys.modules) - count > 3 * len(own)
PYTHON
