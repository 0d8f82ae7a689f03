#!/usr/bin/env bash
# jax 0.10.2, CPU. Guess: an integer to a negative integer power raises, as in NumPy, or at least does the same wherever the
# exponent comes from.
# Observed: with one exponent that is known (-1, or an array of no dimension outside jit) it raises TypeError. With an array of
# exponents, or the same scalar as an argument of jit, it does not: 1, 2, 3, 5 to the power -1 are 1, 0, 2111105451, 1501274061.
# They are the powers by the lowest six bits of the exponent: -1 counts as 63, and 3 ** 63 modulo 2**32 is 2111105451.
# Why it matters: `2 ** -bits` or `3 ** -depth` of an array of whole numbers is a scale of nonsense; `2.0 ** -bits` is right.
set -euo pipefail
work=$(mktemp -d) && trap 'rm -rf "$work"' EXIT
python3 -m venv "$work/env" && "$work/env/bin/pip" install -q jax==0.10.2 jaxlib==0.10.2 numpy==2.4.6
JAX_PLATFORMS=cpu "$work/env/bin/python" - <<'PYTHON'
import jax, jax.numpy as jnp, numpy as np


def outcome(power, base, exponent):
    try:
        return np.asarray(power(base, exponent)).tolist()
    except (TypeError, ValueError) as error:
        return type(error).__name__


def power(base, exponent):
    return base**exponent


base = jnp.array([1, 2, 3, 5])
rows = {
    "known scalar": outcome(power, base, jnp.array(-1)),
    "scalar, argument of jit": outcome(jax.jit(power), base, jnp.array(-1)),
    "array": outcome(power, base, jnp.full(4, -1)),
    "floating base, array": outcome(power, base.astype(float), jnp.full(4, -1)),
    "NumPy, array": outcome(power, np.array([1, 2, 3, 5]), np.full(4, -1)),
}
print("jax", jax.__version__)
for name, row in rows.items():
    print(f"1, 2, 3, 5 to the power -1, {name}: {row}")
print("2 ** -arange(4):", (2 ** -jnp.arange(4)).tolist(), "| 2.0 ** -arange(4):", (2.0 ** -jnp.arange(4)).tolist())
strange = rows["array"]
print("1, 2, 3, 5 to the power 63, modulo 2**32:", [b**63 % 2**32 for b in (1, 2, 3, 5)])
assert rows["known scalar"] == "TypeError" and rows["NumPy, array"] == "ValueError"
assert strange == rows["scalar, argument of jit"] and strange == [b**63 % 2**32 for b in (1, 2, 3, 5)]
PYTHON
