"""A fast generator of random numbers, that costs a fifth of threefry: counters hashed with the key.

Two rounds of a 32-bit mixing function over the counter and each word of the key (the mixer is Chris Wellons'
"lowbias32", found by search for the least bias). It is no cipher and has 64 bits of key; JAX makes normals, integers and
all else of its bits. Its statistics are tested in tests/fused/test_generator.py.
"""

import math
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax.extend.random import define_prng_impl, threefry_prng_impl

from qd.support.spelling import unknown

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


@jax.jit  # traced once for each shape
def _threefry(key: Array, x: Array, y: Array) -> tuple[Array, Array]:
    """Threefry-2x32 of 20 rounds (Salmon et al. 2011), written out: JAX's own goes through memory after every four."""
    words = key[0], key[1], key[0] ^ key[1] ^ np.uint32(0x1BD11BDA)
    x, y = x + words[0], y + words[1]
    for i in range(5):
        for turn in ((13, 15, 26, 6), (17, 29, 16, 24))[i % 2]:
            x = x + y
            y = x ^ ((y << turn) | (y >> (32 - turn)))
        x, y = x + words[(i + 1) % 3], y + words[(i + 2) % 3] + np.uint32(i + 1)
    return x, y


def _threefry_bits(key: Array, bit_width: int, shape: tuple[int, ...]) -> Array:
    """Threefry as JAX had it before it could be spread over devices: both words of each hash are used, at half the cost.

    They are computed by themselves (the condition always holds, which XLA does not see), or else what is made of them is
    computed number by number.
    """
    if bit_width != 32:
        return threefry_prng_impl.random_bits(key, bit_width, shape)
    size = math.prod(shape)
    half = (size + 1) // 2

    def hashed() -> Array:
        counter = jax.lax.iota(jnp.uint32, half)
        return jnp.concatenate(_threefry(key, counter, counter + np.uint32(half)))[:size].reshape(shape)

    return jax.lax.cond((key[0] | np.uint32(1)) != 0, hashed, lambda: jnp.zeros(shape, jnp.uint32))


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
_THREEFRY = define_prng_impl(
    key_shape=(2,),
    seed=threefry_prng_impl.seed,
    split=threefry_prng_impl.split,
    random_bits=_threefry_bits,
    fold_in=threefry_prng_impl.fold_in,
    name="qd_threefry",
    tag="qdt",
)


def key_of(data: Array, generator: str) -> Array:
    """Returns the JAX key of uint32 [2], of the generator threefry or hash.

    Args:
        data: uint32 [2].
        generator: threefry (Threefry-2x32 of 20 rounds, Salmon et al. 2011), or hash (two rounds of Wellons' lowbias32).

    Returns:
        One JAX key.

    Raises:
        UserError: no such generator.
    """
    if generator not in ("threefry", "hash"):
        raise unknown("generator", generator, ("threefry", "hash"))
    return jax.random.wrap_key_data(data, impl=_THREEFRY if generator == "threefry" else HASH)
