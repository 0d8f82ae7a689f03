"""Randomness by key: four draws that read the same on the host (NumPy) and in a trace (JAX).

On the host a key is NumPy uint32 [2]: splitting hashes it (SplitMix64, Steele et al. 2014), drawing opens a
counter-based Philox generator; a few microseconds, where an eager JAX split costs 500. In a trace it is a JAX key. A
key is used once: split it first.
"""

from typing import Any

import numpy as np

Array = Any
_GOLDEN, _MASK = 0x9E3779B97F4A7C15, (1 << 64) - 1


def new(seed: int) -> np.ndarray:
    """Returns the host key of a non-negative seed."""
    if seed < 0:
        raise ValueError(f"seed {seed} is negative; type a seed of 0 or more")
    return np.random.SeedSequence(seed).generate_state(2)


def split(key: Array, n: int = 2) -> Array:
    """Returns n independent keys."""
    if not _on_host(key):
        import jax

        return jax.random.split(key, n)
    whole = _whole(key)
    children = [_mix((whole + i * _GOLDEN) & _MASK) for i in range(1, n + 1)]
    return np.array(children, np.uint64).view(np.uint32).reshape(n, 2)


def normal(key: Array, shape: tuple[int, ...]) -> Array:
    """Returns standard normal draws, float32."""
    if not _on_host(key):
        import jax

        return jax.random.normal(key, shape)
    return _generator(key).standard_normal(shape, dtype=np.float32)


def uniform(key: Array, shape: tuple[int, ...], low: Array = 0.0, high: Array = 1.0) -> Array:
    """Returns draws from [low, high), float32."""
    if not _on_host(key):
        import jax

        return jax.random.uniform(key, shape, minval=low, maxval=high)
    low, high = np.float32(low), np.float32(high)
    return low + (high - low) * _generator(key).random(shape, dtype=np.float32)


def integers(key: Array, shape: tuple[int, ...], low: Array, high: Array) -> Array:
    """Returns draws from low..high-1, int32; low and high may be arrays that broadcast to shape."""
    if not _on_host(key):
        import jax

        return jax.random.randint(key, shape, low, high)
    return _generator(key).integers(low, high, shape, dtype=np.int32)


def to_host(key: Array) -> np.ndarray:
    """Returns any key (a JAX key too) as NumPy uint32 [2].

    Raises:
        ValueError: it is no key.
    """
    if not isinstance(key, np.ndarray):
        import jax

        if jax.numpy.issubdtype(getattr(key, "dtype", object), jax.dtypes.prng_key):
            key = jax.random.key_data(key)
    key = np.asarray(key)
    if key.shape != (2,) or key.dtype != np.uint32:
        raise ValueError(f"a key is uint32 [2], but this is {key.dtype} {list(key.shape)}; type qd.keys.new(0)")
    return key


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
