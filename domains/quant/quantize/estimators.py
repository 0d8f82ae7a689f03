"""Rounding that a network can be trained through: forward a few bits, backward an estimate of the gradient.

The trust estimator of QuEST (Panferov et al. 2025, section 3): Hadamard's rotation, the evenly spaced values that are nearest
to a normal variable, and no gradient where rounding moved a number by more than half a step, which is where it was clipped.
Nested codes of Double Rounding (Huang et al. 2025), with scales that are learned. Groups that stay after pruning (GQSA, Zeng
et al. 2024). K inputs of a layer, O outputs.
"""

from dataclasses import dataclass
from functools import lru_cache, partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from domains.quant.quantize import rounding
from domains.quant.quantize.published import SPARSE_GROUP
from qd.types import Array

ROTATED = 128  # inputs that are rotated together before they are mixed (QuEST rotates blocks of 128)
Params = dict[str, Array]


@lru_cache(maxsize=16)
def gaussian_scale(bits: int) -> float:
    """Returns half the width of 2^bits evenly spaced values with the least squared error for a standard normal variable.

    Args:
        bits: from 1; for one bit it is (2 / pi)^0.5, the mean of |x|.
    """
    from scipy.optimize import minimize_scalar  # here: slow to import, and few need it

    x = np.linspace(-8, 8, 40_001)
    density, last = np.exp(-(x**2) / 2), 2**bits - 1

    def error(scale: float) -> float:
        step = 2 * scale / last
        return float((density * (x - (np.clip(np.floor(x / step), -(last + 1) / 2, (last - 1) / 2) + 0.5) * step) ** 2).sum())

    found: Any = minimize_scalar(error, bounds=(0.3, 6), method="bounded", options={"xatol": 1e-8})
    return float(found.x)


def project(x: Array, bits: Array | int, axis: int) -> tuple[Array, Array]:
    """Rounds to the nearest of 2^bits evenly spaced values around 0, as wide as suits a normal variable.

    Args:
        x: of any shape.
        bits: 1 to 8; may be traced.
        axis: along which numbers share a scale, their root mean square times ``gaussian_scale``.

    Returns:
        Rounded numbers, shaped as x, and the step, with 1 for the axis.
    """
    half = _power(bits) / 2
    width = jnp.array([gaussian_scale(b) for b in range(1, 9)])[bits - 1]
    step = 2 * width / (2 * half - 1) * jnp.sqrt((x**2).mean(axis, keepdims=True) + 1e-12)
    return (jnp.clip(jnp.floor(x / step), -half, half - 1) + 0.5) * step, step


def rotate(x: Array, axis: int) -> Array:
    """Multiplies an axis of K numbers by ``rounding.hadamard(K)``, block by block of 128.

    Args:
        x: of any shape.
        axis: 0 or -1.
    """
    if axis == 0:
        return rotate(x.T, -1).T
    size = x.shape[-1]
    block = ROTATED if size % ROTATED == 0 else size
    y = x.reshape(*x.shape[:-1], size // block, block) @ rounding.hadamard(block).astype(np.float32)
    mix = rounding.hadamard(size // block).astype(np.float32)
    return jnp.einsum("ij,...jk->...ik", mix, y).reshape(x.shape)


def through(x: Array, rounded: Array, mask: Array | float = 1.0) -> Array:
    """Returns ``rounded``; its gradient is that of x where the mask is 1, and none where it is 0.

    Args:
        x: what was rounded, of any shape.
        rounded: of the same shape.
        mask: of the same shape, or one number.
    """
    return x * mask + jax.lax.stop_gradient(rounded - x * mask)


def _power(bits: Array | int) -> Array:
    return jnp.left_shift(1, bits).astype(jnp.float32)


@partial(jax.tree_util.register_dataclass, data_fields=[], meta_fields=[])
@dataclass(frozen=True)
class Full:
    """Nothing is rounded: what as many steps of training bring by themselves."""

    def params(self, kernel: np.ndarray) -> Params:
        """Returns what is trained of a layer with a kernel [K, O]."""
        return {"kernel": jnp.asarray(kernel)}

    def multiply(self, x: Array, params: Params) -> Array:
        """Returns the product of inputs [..., K] and the kernel, [..., O].

        Args:
            x: inputs, [..., K].
            params: what is trained of the layer.
        """
        return x @ params["kernel"]


@partial(jax.tree_util.register_dataclass, data_fields=["bits", "trust"], meta_fields=[])  # one program for all of them
@dataclass(frozen=True)
class Gaussian:
    """Weights and inputs projected after the rotation; with ``trust`` the gradient is masked (QuEST), else it goes straight."""

    bits: int
    trust: bool = True

    def params(self, kernel: np.ndarray) -> Params:
        """Returns what is trained of a layer with a kernel [K, O]."""
        return {"kernel": jnp.asarray(kernel)}

    def multiply(self, x: Array, params: Params) -> Array:
        """Returns the product of inputs [..., K] and the kernel, both in few bits, [..., O].

        Args:
            x: inputs, [..., K].
            params: what is trained of the layer.
        """
        return self._round(rotate(x, -1), -1) @ self._round(rotate(params["kernel"], 0), 0)

    def _round(self, x: Array, axis: int) -> Array:
        rounded, step = project(x, self.bits, axis)
        return through(x, rounded, jnp.where(self.trust, jnp.abs(rounded - x) <= step / 2, 1.0))


@partial(jax.tree_util.register_dataclass, data_fields=["bits"], meta_fields=[])
@dataclass(frozen=True)
class Nested:
    """Weights read in ``bits`` of the codes of 8, times a factor for each channel and number of bits that is learned."""

    bits: int

    def params(self, kernel: np.ndarray) -> Params:
        """Returns what is trained of a layer with a kernel [K, O]: it, and logarithms of factors, [8, O] by bits less one."""
        return {"kernel": jnp.asarray(kernel), "logs": jnp.zeros((8, kernel.shape[1]))}

    def multiply(self, x: Array, params: Params) -> Array:
        """Returns the product of inputs [..., K] and the kernel in few bits, [..., O].

        Args:
            x: inputs, [..., K].
            params: what is trained of the layer.
        """
        kernel, most, shift = params["kernel"], _power(self.bits) / 2 - 1, 256 / _power(self.bits)
        scale = jax.lax.stop_gradient(jnp.maximum(jnp.abs(kernel).max(0), 1e-12) / 127)
        eight = through(kernel / scale, jnp.round(kernel / scale))
        inside = jnp.clip(eight / shift, -most, most)
        return x @ (through(inside, jnp.round(inside)) * shift * scale * jnp.exp(params["logs"][self.bits - 1]))


NESTED = (2, 3, 4, 8)  # bits that one set of weights is trained for


@partial(jax.tree_util.register_dataclass, data_fields=["bits"], meta_fields=[])
@dataclass(frozen=True)
class Groups:
    """Weights of groups of 16 inputs, a scale a group that is learned; groups of scale 0 are those that went (GQSA)."""

    bits: int

    def params(self, kernel: np.ndarray, kept: np.ndarray) -> Params:
        """Returns what is trained: the kernel, and each group's scale, 0 where it went.

        Args:
            kernel: [K, O].
            kept: bool [K / 16, O].
        """
        scale = np.maximum(np.abs(_cut(kernel)).max(1), 1e-12) / (2 ** (self.bits - 1) - 1)
        return {"kernel": jnp.asarray(kernel), "scale": jnp.asarray(scale * kept, jnp.float32)}

    def values(self, params: Params) -> Array:
        """Returns the kernel in few bits, [K, O]; a scale has the gradient of what it stretches."""
        most, scale = _power(self.bits) / 2 - 1, params["scale"][:, None]
        kept = jax.lax.stop_gradient(scale != 0)
        codes = jnp.clip(_cut(params["kernel"]) / jnp.where(kept, scale, 1.0), -most, most)
        return (through(codes, jnp.round(codes)) * scale * kept).reshape(params["kernel"].shape)

    def multiply(self, x: Array, params: Params) -> Array:
        """Returns the product of inputs [..., K] and the kernel in few bits, [..., O].

        Args:
            x: inputs, [..., K].
            params: what is trained of the layer.
        """
        return x @ self.values(params)


def _cut(kernel):  # [K, O] -> [K / 16, 16, O]
    return kernel.reshape(-1, SPARSE_GROUP, kernel.shape[1])
