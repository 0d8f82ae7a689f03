"""What an expression is made of: 16 operations on one table, 6 on two, and how likely each is drawn.

A table holds a number for each network, site and option. Some operations look at a whole network's table (share, scaled,
standard, softmax). Whatever is not finite becomes NaN and stays so to the end: such an expression has failed.

B expressions, K networks, M = sites x options.
"""

import jax.numpy as jnp

from qd.types import Array

UNARY = (
    "x",  # nothing done: lets shorter expressions fit
    "log",
    "abs",
    "square",
    "sqrt",
    "invert",
    "exp",
    "negate",
    "sigmoid",
    "relu",
    "log1p",  # of |x|
    "share",  # x / sum
    "scaled",  # from 0 to 1
    "standard",  # (x - mean) / deviation
    "softmax",
    "bits",  # x times the option's bits
)
BINARY = ("+", "-", "*", "/", "max", "min")
OPERATIONS = UNARY + BINARY
_PRIORITY = {"x": 2.0}  # twice as likely as any other operation, as in EMQ's scripts: .2 against .1
_WRITTEN = {"x": "{}", "negate": "-{}", "square": "{}²", "invert": "1/{}", "abs": "|{}|", "log1p": "log(1 + |{}|)",
            "bits": "bits·{}"}  # fmt: skip


def priorities(names: tuple[str, ...]) -> tuple[float, ...]:
    """Returns how likely each is drawn; they sum to 1."""
    weights = [_PRIORITY.get(name, 1.0) for name in names]
    return tuple(weight / sum(weights) for weight in weights)


def apply(code: Array, x: Array, y: Array, bits: Array, valid: Array) -> Array:
    """Applies each expression's operation.

    All operations are computed, and one is chosen: in one loop over the numbers, without a branch.

    Args:
        code: index of OPERATIONS, [B].
        x: the first operand, [B, K, M].
        y: the second, [B, K, M]; used by BINARY only.
        bits: of each option, [K, M].
        valid: bool [K, M]; False where a network has no such site or option.

    Returns:
        [B, K, M]; NaN where the result is not finite.
    """
    count = valid.sum(-1)[:, None]
    over = lambda values, empty: jnp.where(valid, values, empty)
    total = over(x, 0.0).sum(-1, keepdims=True)
    high, low = over(x, -jnp.inf).max(-1, keepdims=True), over(x, jnp.inf).min(-1, keepdims=True)
    mean = total / count
    deviation = jnp.sqrt(over((x - mean) ** 2, 0.0).sum(-1, keepdims=True) / count)
    exponential = jnp.exp(x - high)
    results = (
        x, jnp.log(x), jnp.abs(x), x * x, jnp.sqrt(x), 1 / x, jnp.exp(x), -x, 1 / (1 + jnp.exp(-x)), jnp.maximum(x, 0),
        jnp.log1p(jnp.abs(x)), x / total, (x - low) / (high - low), (x - mean) / deviation,
        exponential / over(exponential, 0.0).sum(-1, keepdims=True), x * bits,
        x + y, x - y, x * y, x / y, jnp.maximum(x, y), jnp.minimum(x, y),
    )  # fmt: skip
    result, code = results[0], code[:, None, None]
    for i, value in enumerate(results[1:], 1):
        result = jnp.where(code == i, value, result)
    return jnp.where(jnp.isfinite(result), result, jnp.nan)


def format_operation(code: int, x: str, y: str) -> str:
    """Writes an operation in words.

    Args:
        code: index of OPERATIONS.
        x: the first operand, written.
        y: the second, written; used by BINARY only.

    Returns:
        The formula.
    """
    name = OPERATIONS[code]
    if name in ("max", "min"):
        return f"{name}({_bare(x)}, {_bare(y)})"
    if name in BINARY:
        return f"({x} {'·' if name == '*' else name} {y})"
    if name in ("abs", "log1p"):
        return _WRITTEN[name].format(_bare(x))
    return _WRITTEN[name].format(x) if name in _WRITTEN else f"{name}({_bare(x)})"


def _bare(words: str) -> str:
    """Without brackets around the whole."""
    if not words.startswith("("):
        return words
    depth = 0
    for i, letter in enumerate(words):
        depth += (letter == "(") - (letter == ")")
        if not depth:
            return words[1:-1] if i == len(words) - 1 else words
    return words
