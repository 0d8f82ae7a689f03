"""Randomness by key: four draws that read the same on the host (NumPy) and in a trace (JAX).

On the host a key is NumPy uint32 [2]: splitting hashes it (SplitMix64, Steele et al. 2014), drawing opens a
counter-based Philox generator; a few microseconds, where an eager JAX split costs 500. In a trace it is a JAX key. A
key is used once: split it first.
"""

import math
from collections.abc import Callable
from functools import cache
from typing import Any

import numpy as np

from qd.support.errors import UserError

Array = Any
_MOST = 2**40  # numbers of one draw
_GOLDEN, _MASK = 0x9E3779B97F4A7C15, (1 << 64) - 1


def new(seed: int) -> np.ndarray:
    """Returns the host key of a non-negative seed."""
    if seed < 0:
        raise UserError(f"seed {seed} is negative", "type a seed of 0 or more")
    return np.random.SeedSequence(seed).generate_state(2)


def split(key: Array, n: int = 2) -> Array:
    """Returns n independent keys.

    Args:
        key: a host key (uint32 [2]) or a JAX key; not to be used again.
        n: how many.

    Returns:
        Host keys, uint32 [n, 2], by SplitMix64 (Steele et al. 2014), or JAX keys [n].
    """
    if not _on_host(key):
        import jax

        return jax.random.split(key, n)
    whole = _whole(key)
    children = [_mix((whole + i * _GOLDEN) & _MASK) for i in range(1, n + 1)]
    return np.array(children, np.uint64).view(np.uint32).reshape(n, 2)


def normal(key: Array, shape: tuple[int, ...]) -> Array:
    """Returns standard normal draws, float32.

    Args:
        key: a host key (uint32 [2]) or a JAX key.
        shape: of the draws.

    Returns:
        Draws of that shape; for a JAX key by Box and Muller (1958).
    """
    if not _on_host(key):
        return _normal_program()(key, tuple(shape))
    return _drawn(lambda: _generator(key).standard_normal(shape, dtype=np.float32), shape)


def uniform(key: Array, shape: tuple[int, ...], low: Array = 0.0, high: Array = 1.0) -> Array:
    """Returns draws from [low, high), float32.

    Args:
        key: a host key (uint32 [2]) or a JAX key.
        shape: of the draws.
        low: a number, or an array that broadcasts to shape.
        high: like ``low``.

    Returns:
        Draws of that shape.
    """
    if not _on_host(key):
        import jax

        return jax.random.uniform(key, shape, minval=low, maxval=high)
    low, high = np.float32(low), np.float32(high)
    return low + (high - low) * _drawn(lambda: _generator(key).random(shape, dtype=np.float32), shape)


def integers(key: Array, shape: tuple[int, ...], low: Array, high: Array) -> Array:
    """Returns draws from low..high-1, int32; low and high may be arrays that broadcast to shape.

    Args:
        key: a host key (uint32 [2]) or a JAX key.
        shape: of the draws.
        low: the lowest number drawn.
        high: one more than the highest.

    Returns:
        Draws of that shape.
    """
    if not _on_host(key):
        import jax

        return jax.random.randint(key, shape, low, high)
    return _drawn(lambda: _generator(key).integers(low, high, shape, dtype=np.int32), shape)


def _drawn(draw: Callable[[], np.ndarray], shape: tuple[int, ...]) -> np.ndarray:
    """Returns draws on the host. Raises UserError where memory cannot hold them."""
    try:
        if math.prod(shape) > _MOST:
            raise MemoryError
        return draw()
    except MemoryError as error:
        size = " x ".join(f"{length:,}" for length in shape)
        raise UserError(
            f"{size} random numbers do not fit into memory", "type a smaller size of the domain, initial=... or batch_size"
        ) from error


def to_host(key: Array) -> np.ndarray:
    """Returns any key (a JAX key too) as NumPy uint32 [2].

    Raises:
        ValueError: it is no key.
    """
    if not isinstance(key, np.ndarray):
        import jax

        if isinstance(key, jax.Array) and jax.numpy.issubdtype(key.dtype, jax.dtypes.prng_key):
            key = jax.random.key_data(key)
    key = np.asarray(key)
    if key.shape != (2,) or key.dtype != np.uint32:
        raise UserError(f"a key is uint32 [2], but this is {key.dtype} {list(key.shape)}", "type qd.keys.new(0)")
    return key


@cache
def _normal_program() -> Callable:
    import jax

    return jax.jit(_paired_normals, static_argnums=1)  # traced once for each shape


def _paired_normals(key: Array, shape: tuple[int, ...]) -> Array:
    """Draws by Box and Muller (1958), in half the time of JAX's own, which inverts the error function number by number.

    r = sqrt(-2 ln u); the angle is t in +-pi/4, of which two bits choose the sign of the cosine and who is the cosine.
    """
    import jax
    from jax import numpy as jnp

    size = math.prod(shape)
    half = (size + 1) // 2
    sure = (jax.random.key_data(key).ravel()[0] | np.uint32(1)) != 0  # which XLA does not see: see qd.fused.mirror.apart
    radius, turn = jax.lax.cond(
        sure, lambda: jax.random.bits(key, (2, half), jnp.uint32), lambda: jnp.zeros((2, half), jnp.uint32)
    )

    def normals() -> Array:
        r = jnp.sqrt(-2 * jnp.log((radius.astype(jnp.float32) + np.float32(0.5)) * np.float32(2**-32)))
        t = jax.lax.bitcast_convert_type(turn << 2, jnp.int32).astype(jnp.float32) * np.float32(math.pi * 2**-33)
        square = t * t  # the series' next terms are below a float32's last digit
        sin = t * (1 + square * (-1 / 6 + square * (1 / 120 - square / 5040)))
        cos = 1 + square * (-1 / 2 + square * (1 / 24 + square * (-1 / 720 + square / 40320)))
        cos = jnp.where(turn >> 31 == 0, cos, -cos)
        swap = (turn >> 30) & 1 == 1
        pair = r * jnp.where(swap, sin, cos), r * jnp.where(swap, cos, sin)
        return jnp.concatenate(pair)[:size].reshape(shape)

    return jax.lax.cond(sure, normals, lambda: jnp.zeros(shape, jnp.float32))


def _on_host(key: Array) -> bool:
    return isinstance(key, np.ndarray)


def _whole(key: np.ndarray) -> int:
    return (int(key[1]) << 32) | int(key[0])


def _mix(z: int) -> int:
    z = ((z ^ (z >> 30)) * 0xBF58476D1CE4E5B9) & _MASK
    z = ((z ^ (z >> 27)) * 0x94D049BB133111EB) & _MASK
    return z ^ (z >> 31)


def _generator(key: np.ndarray) -> np.random.Generator:
    return np.random.Generator(np.random.Philox(key=_whole(key)))
