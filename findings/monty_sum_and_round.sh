#!/usr/bin/env bash
# pydantic-monty 1.4.0 (an interpreter of a subset of Python whose sys.version begins with 3.14). Guess: sum() of floats is compensated, as in
# Python since 3.12, and round(x, 2) is correctly rounded from the exact value of x, as in every Python 3.
# Observed: ten times 0.1 adds up to 0.9999999999999999, and round(2.675, 2) is 2.68, where the double lies below 2.675 and Python says 2.67.
# "%.2f" of the same number is right, and so is math.fsum. Of the 2000 multiples of 0.005 below 10, 412 round to another number.
# Why it matters: a program that passes a test of exact numbers here fails it in Python, and the other way round.
set -euo pipefail
work=$(mktemp -d) && trap 'rm -rf "$work"' EXIT
python3.11 -m venv "$work/env" && "$work/env/bin/pip" install -q pydantic-monty==1.4.0
"$work/env/bin/python" - <<'PYTHON'
import math
from importlib.metadata import version

from pydantic_monty import Monty

code = """
import math
import sys
[sys.version, sum([0.1] * 10), math.fsum([0.1] * 10), round(2.675, 2), "%.2f" % 2.675, [round(k / 200, 2) for k in range(2000)]]
"""
with Monty() as pool, pool.checkout() as session:
    python, total, exact, rounded, text, rows = session.feed_run(code)
differ = sum(row != round(k / 200, 2) for k, row in enumerate(rows))
print("pydantic-monty", version("pydantic-monty"), "|", python, "| sum:", total, "fsum:", exact)
print("round:", rounded, "text:", text, "| rounded otherwise of 2000:", differ)
assert python.startswith("3.14") and total == 0.9999999999999999 and exact == math.fsum([0.1] * 10) == 1.0
assert rounded == 2.68 and round(2.675, 2) == 2.67 and text == "2.67" and differ == 412
PYTHON
