"""A fast generator of random numbers, that costs a fifth of threefry: counters hashed with the key.

Two rounds of a 32-bit mixing function over the counter and each word of the key (the mixer is Chris Wellons'
"lowbias32", found by search for the least bias). It is no cipher and has 64 bits of key; JAX makes normals, integers and
all else of its bits. Its statistics are tested in tests/test_fused_generator.py.
"""

import math
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax.extend.random import define_prng_impl

Array = Any
_STEP, _LEFT, _RIGHT = np.uint32(0x9E3779B9), np.uint32(0x85EBCA6B), np.uint32(0xC2B2AE35)  # odd, unlike each other


def _mixed(x: Array) -> Array:
    x = (x ^ (x >> 16)) * np.uint32(0x7FEB352D)
    x = (x ^ (x >> 15)) * np.uint32(0x846CA68B)
    return x ^ (x >> 16)


def _hashed(key: Array, counter: Array, step: Array) -> Array:
    return _mixed(_mixed(counter * step + key[0]) ^ key[1])


def _bits(key: Array, bit_width: int, shape: tuple[int, ...]) -> Array:
    counter = jax.lax.iota(jnp.uint32, math.prod(shape)).reshape(shape)
    bits = _hashed(key, counter, _STEP)
    if bit_width < 32:
        return bits.astype({8: jnp.uint8, 16: jnp.uint16}[bit_width])
    return bits


def _split(key: Array, shape: tuple[int, ...]) -> Array:
    counter = jax.lax.iota(jnp.uint32, math.prod(shape)).reshape(shape)
    return jnp.stack([_hashed(key, counter, _LEFT), _hashed(key[::-1], ~counter, _RIGHT)], -1)


def _fold_in(key: Array, data: Array) -> Array:
    data = jnp.asarray(data, jnp.uint32)
    return jnp.stack([_hashed(key ^ _LEFT, data, _RIGHT), _hashed(key[::-1] ^ _RIGHT, ~data, _LEFT)])


def _seed(seed: Array) -> Array:
    return jnp.stack([jnp.zeros((), jnp.uint32), jnp.asarray(seed).astype(jnp.uint32)])


HASH = define_prng_impl(
    key_shape=(2,), seed=_seed, split=_split, random_bits=_bits, fold_in=_fold_in, name="qd_hash", tag="qdh"
)


def key_of(data: Array, generator: str) -> Array:
    """Returns the JAX key of uint32 [2], of the generator threefry or hash."""
    if generator not in ("threefry", "hash"):
        raise ValueError(f"there is no generator {generator!r}; type generator=threefry or generator=hash")
    return jax.random.wrap_key_data(data, impl="threefry2x32" if generator == "threefry" else HASH)
