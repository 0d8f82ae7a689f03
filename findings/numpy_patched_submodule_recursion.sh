#!/usr/bin/env bash
# numpy 2.4.6. Guess: unittest.mock.patch("numpy.random", ...) puts back what was there, and numpy.random works after it as before.
# Observed: where nobody used numpy.random before, the end of the with block raises RecursionError, and from then on numpy.random,
# hasattr(numpy, "random"), "from numpy import random" and the first import of scipy.stats raise it too. NumPy loads the submodule on first access with
# "import numpy.random as random" inside its module __getattr__; when the module is loaded already but is no longer an attribute of the package,
# that statement asks __getattr__ again. "import numpy.random" raises nothing and does not repair it; setattr does.
# A subpackage of the standard library (xml.dom) is found in the same state. After one access before the patch all is well.
# Why it matters: whether a test passes depends on which test used the submodule first; and hasattr, which is to answer yes or no, raises.
set -euo pipefail
work=$(mktemp -d) && trap 'rm -rf "$work"' EXIT
python3.11 -m venv "$work/env" && "$work/env/bin/pip" install -q numpy==2.4.6 scipy==1.17.1
cat > "$work/patch.py" <<'PYTHON'
import sys
import xml.dom
from unittest import mock

import numpy


def outcome(statement):
    try:
        exec(statement, {"numpy": numpy, "mock": mock, "xml": xml})
    except RecursionError:
        return "RecursionError"
    return "fine"


if sys.argv[1] == "used":
    numpy.random
del xml.dom
statements = ["with mock.patch('numpy.random', None): pass", "numpy.random", "hasattr(numpy, 'random')", "from numpy import random"]
outcomes = [outcome(statement) for statement in [*statements, "import scipy.stats", "import numpy.random", "numpy.random", "import xml.dom as dom"]]
print("numpy", numpy.__version__, "|", sys.argv[1], "before:", outcomes)
broken = ["RecursionError"] * 5 + ["fine", "RecursionError", "fine"]
assert outcomes == (broken if sys.argv[1] == "unused" else ["fine"] * 8)
setattr(numpy, "random", sys.modules["numpy.random"])
assert outcome("from numpy import random; import scipy.stats") == "fine"
PYTHON
"$work/env/bin/python" "$work/patch.py" unused
"$work/env/bin/python" "$work/patch.py" used
