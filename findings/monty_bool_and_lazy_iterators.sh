#!/usr/bin/env bash
# pydantic-monty 1.4.0 (an interpreter of a subset of Python). Guess: what it does not support raises NotImplementedError, as classes with a
# base class and yield do; what runs gives CPython's answer.
# Observed: __bool__ and __len__ of a class are accepted and never asked, every instance is true. Generator expressions, map, filter, zip, enumerate
# and reversed are lists: any() does not stop at the first hit, and what should be used up by its first reader is read twice. iter() is right.
# Why it matters: a program is scored on another meaning than it has in Python, without an error; a search can find programs that work only there.
set -euo pipefail
work=$(mktemp -d) && trap 'rm -rf "$work"' EXIT
python3.11 -m venv "$work/env" && "$work/env/bin/pip" install -q pydantic-monty==1.4.0
"$work/env/bin/python" - <<'PYTHON'
from importlib.metadata import version

from pydantic_monty import Monty

programs = {
    "__bool__": ("class A:\n    def __bool__(self):\n        return False\n", "bool(A())"),
    "__len__": ("class A:\n    def __len__(self):\n        return 0\n", "bool(A())"),
    "any": ("calls = []\ndef f(x):\n    calls.append(x)\n    return True\nany(f(x) for x in [1, 2, 3])\n", "calls"),
    "generator": ("i = (x for x in [1, 2])\n", "[list(i), list(i)]"),
    "map": ("i = map(abs, [1, 2])\n", "[list(i), list(i)]"),
    "filter": ("i = filter(None, [0, 1])\n", "[list(i), list(i)]"),
    "zip": ("i = zip([1], [2])\n", "[list(i), list(i)]"),
    "enumerate": ("i = enumerate([5])\n", "[list(i), list(i)]"),
    "reversed": ("i = reversed([1, 2])\n", "[list(i), list(i)]"),
    "iter": ("i = iter([1, 2])\n", "[list(i), list(i)]"),
}
differ = []
with Monty() as pool:
    for name, (code, result) in programs.items():
        names = {}
        exec(code, names)
        here = eval(result, names)
        with pool.checkout() as session:
            there = session.feed_run(code + result)
        print("pydantic-monty", version("pydantic-monty"), "|", name, "| CPython:", here, "| Monty:", there)
        differ += [name] if here != there else []
assert differ == [name for name in programs if name != "iter"]
PYTHON
