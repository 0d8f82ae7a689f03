"""Optimisers of angles inside an evaluation; each returns the best angles that it met.

    name         passes a step     what it does
    adam         3                 Adam on exact gradients; a value and its gradient by undoing gates cost about three passes
    spsa         2                 Spall 1992 (doi:10.1109/9.119632): two values along a random direction, falling gains
    adam_spsa    2                 the same two values, their slope given to Adam (as CRLQAS does, arXiv:2402.03500)
    cobyla       1                 Powell 1994, scipy's; a process of Python for each circuit, and no compiled search

A pass is one simulation of the circuit. The gradient by the parameter-shift rule of devices would cost two passes for
each angle instead. Directions of SPSA are the same for all circuits, so that an evaluation repeats itself. B circuits, S slots.
"""

from collections.abc import Callable
from contextlib import suppress
from functools import lru_cache
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import optax

from qd.types import Array

PASSES = {"adam": 3, "spsa": 2, "adam_spsa": 2, "cobyla": 1}  # simulations of the circuit a step
_REACH = 0.1  # of SPSA's first pair from the angles, radians; qiskit's and Spall's usual size is of this order
_FALL, _SHRINK = 0.602, 0.101  # exponents of SPSA's gains (Spall 1998, Johns Hopkins APL Technical Digest 19, section III.B)
_CALIBRATION = 3  # pairs that set the size of plain SPSA's steps

Value = Callable[[Array, Any], Array]  # angles [S], circuit -> the objective


def traced(name: str, value: Value, steps: int, rate: float, angle: Array, circuit: Any) -> Array:
    """Tunes the angles of one circuit, in traced code.

    Args:
        name: adam, spsa or adam_spsa.
        value: higher is better.
        steps: of the optimiser.
        rate: of Adam, radians a step; of SPSA the size of its first steps.
        angle: [S] to begin with.
        circuit: that has them.

    Returns:
        [S].
    """
    return {"adam": _adam, "spsa": _spsa, "adam_spsa": _adam_spsa}[name](value, steps, rate, angle, circuit)


def _adam(value: Value, steps: int, rate: float, angle: Array, circuit: Any) -> Array:
    optimiser, climb = optax.adam(rate), jax.value_and_grad(value)

    def step(carry: tuple, _: None) -> tuple[tuple, None]:
        angle, state, best = carry
        now, slope = climb(angle, circuit)
        update, state = optimiser.update(-slope, state)
        return (angle + update, state, _better(best, angle, now)), None

    carry = (angle, optimiser.init(angle), (angle, jnp.float32(-jnp.inf)))
    (angle, _, best), _ = jax.lax.scan(step, carry, length=steps)
    return _better(best, angle, value(angle, circuit))[0]


def _adam_spsa(value: Value, steps: int, rate: float, angle: Array, circuit: Any) -> Array:
    optimiser = optax.adam(rate)

    def step(carry: tuple, direction: Array) -> tuple[tuple, None]:
        angle, state, best = carry
        slope, best = _slope(value, circuit, angle, _REACH, direction, best)
        update, state = optimiser.update(-slope * direction, state)
        return (angle + update, state, best), None

    carry = (angle, optimiser.init(angle), (angle, value(angle, circuit)))
    (angle, _, best), _ = jax.lax.scan(step, carry, _directions(steps, len(angle)))
    return _better(best, angle, value(angle, circuit))[0]


def _spsa(value: Value, steps: int, rate: float, angle: Array, circuit: Any) -> Array:
    """The first pairs, all at the first angles, set the gain a so that a step along a mean slope has the size ``rate``."""
    pairs, first = min(_CALIBRATION, max(steps - 1, 0)), (angle, value(angle, circuit))
    directions, start = _directions(steps, len(angle)), angle

    def look(best: tuple, direction: Array) -> tuple[tuple, Array]:
        slope, best = _slope(value, circuit, start, _REACH, direction, best)
        return best, jnp.abs(slope)

    best, sizes = jax.lax.scan(look, first, directions[:pairs])
    stability = 0.1 * steps  # Spall's A
    gain = rate * (stability + 1) ** _FALL / jnp.maximum(sizes.mean() if pairs else 1.0, 1e-6)

    def step(carry: tuple, row: tuple[Array, Array]) -> tuple[tuple, None]:
        angle, best = carry
        k, direction = row
        slope, best = _slope(value, circuit, angle, _REACH / (k + 1) ** _SHRINK, direction, best)
        return (angle + gain / (k + 1 + stability) ** _FALL * slope * direction, best), None

    (angle, best), _ = jax.lax.scan(step, (angle, best), (jnp.arange(steps - pairs), directions[pairs:]))
    return _better(best, angle, value(angle, circuit))[0]


def _slope(value: Value, circuit: Any, angle: Array, reach: Any, direction: Array, best: tuple) -> tuple[Array, tuple]:
    """The slope along a direction by two values, and the best angles met so far with their value."""
    up, down = angle + reach * direction, angle - reach * direction
    high, low = value(up, circuit), value(down, circuit)
    return (high - low) / (2 * reach), _better(_better(best, up, high), down, low)


def _better(best: tuple[Array, Array], angle: Array, now: Array) -> tuple[Array, Array]:
    return jnp.where(now > best[1], angle, best[0]), jnp.maximum(now, best[1])


def _directions(steps: int, slots: int) -> Array:
    """[steps, S] of -1 and 1, the same in every run."""
    return jnp.asarray(_signs(steps, slots))


@lru_cache(maxsize=16)
def _signs(steps: int, slots: int) -> np.ndarray:
    draws = np.random.Generator(np.random.Philox(key=0)).random((steps, slots))
    return np.where(draws < 0.5, np.float32(-1), np.float32(1))


def cobyla(value: Value, steps: int, rate: float, angles: np.ndarray, circuits: list[Any], moves: np.ndarray) -> np.ndarray:
    """Tunes the angles of circuits one after another by scipy's COBYLA.

    Args:
        value: higher is better; called with one circuit's angles [S].
        steps: values that each circuit has.
        rate: size of the first changes, radians.
        angles: [B, S] to begin with.
        circuits: B of them.
        moves: [B, S] bool, angles that change anything.

    Returns:
        [B, S] float32.
    """
    from scipy.optimize import minimize

    tuned = np.array(angles, np.float32)
    for row, circuit, free in zip(tuned, circuits, moves, strict=True):
        loss = _Loss(value, circuit, row.copy(), free, steps)
        if free.any():
            options = {"rhobeg": rate, "maxiter": max(steps, int(free.sum()) + 2)}  # it wants two more than there are angles
            with suppress(StopIteration):
                minimize(loss, row[free].astype(float), method="COBYLA", tol=1e-6, options=options)
        row[:] = loss.best
    return tuned


class _Loss:
    """Minus a value as a function of the free angles; keeps the best, and stops after a number of calls."""

    def __init__(self, value: Value, circuit: Any, angle: np.ndarray, free: np.ndarray, calls: int) -> None:
        self.value, self.circuit, self.angle, self.free, self.calls = value, circuit, angle, free, calls
        self.best, self.highest = angle, -np.inf

    def __call__(self, part: np.ndarray) -> float:
        if self.calls == 0:
            raise StopIteration
        self.calls -= 1
        angle = self.angle.copy()
        angle[self.free] = part
        now = float(self.value(angle, self.circuit))
        if now > self.highest:
            self.best, self.highest = angle, now
        return -now
