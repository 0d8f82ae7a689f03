#!/usr/bin/env bash
# jax 0.10.2, CPU. Guess: only a divisor that is a scalar becomes a multiplication by its reciprocal; [N, M] divided by an argument of shape [M] is
# the correctly rounded quotient, with jit as without.
# Observed: under jit the [M] divisor, whose values the compiler cannot know, is inverted once and multiplied: about a quarter of the quotients
# differ from NumPy. Without jit the same line is exact. An [N, M] divisor is exact under jit too.
# Why it matters: scaling measures by the widths of their ranges gives other cells inside a compiled search than outside.
set -euo pipefail
work=$(mktemp -d) && trap 'rm -rf "$work"' EXIT
python3.11 -m venv "$work/env" && "$work/env/bin/pip" install -q jax==0.10.2 jaxlib==0.10.2 numpy==2.4.6
JAX_PLATFORMS=cpu "$work/env/bin/python" - <<'PYTHON'
import jax, numpy as np

rng = np.random.default_rng(0)
x = rng.integers(0, 1000, (4096, 3)).astype(np.float32)
widths = np.array([7, 41, 59], np.float32)


def share_different(divide, divisor):
    return float((np.asarray(divide(jax.numpy.asarray(x), jax.numpy.asarray(divisor))) != x / divisor).mean())


shares = {
    "eager, [M]": share_different(lambda a, b: a / b, widths),
    "jit, [M]": share_different(jax.jit(lambda a, b: a / b), widths),
    "jit, [N, M]": share_different(jax.jit(lambda a, b: a / b), np.broadcast_to(widths, x.shape).copy()),
}
print("jax", jax.__version__, "| share of quotients that differ from NumPy:", shares)
assert shares["jit, [M]"] > 0.1 and shares["eager, [M]"] == shares["jit, [N, M]"] == 0
PYTHON
