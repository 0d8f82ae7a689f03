"""NeuralFoil's networks in JAX: lift, drag and the networks' own confidence, of shapes in Kulfan's form.

Weights are read from the installed package ``neuralfoil``, which is not imported. The networks take 25 scaled numbers; as in
the package each case is also evaluated upside down and both answers are averaged, and the confidence falls with the distance
to the data that the networks learned from. B batch.
"""

import importlib.util
from functools import lru_cache
from pathlib import Path
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from qd.support.errors import UserError
from qd.types import Array

SIZES = ("xxsmall", "xsmall", "small", "medium", "large", "xlarge", "xxlarge", "xxxlarge")
WEIGHTS = 17  # numbers of a shape: eight a surface and one of the leading edge
_EDGE = 50.0  # by which the trailing edge's thickness is scaled
_CRITICAL = 9.0  # amplification at which a boundary layer becomes turbulent: an average wind tunnel


class Aero(NamedTuple):
    """What the networks say of B airfoils."""

    confidence: Array  # [B] 0..1
    lift: Array  # [B] coefficient
    drag: Array  # [B] coefficient


class Networks(NamedTuple):
    """The weights of one network, and the data that it learned from."""

    layers: tuple[tuple[np.ndarray, np.ndarray], ...]  # weights [in, out] and bias [out]; outputs are confidence, lift, drag
    mean: np.ndarray  # [25] of the scaled inputs
    precision: np.ndarray  # [25, 25]
    root: np.ndarray  # [17, 17] Cholesky factor of the shapes' covariance


def evaluate(size: str, weights: Array, angle: Array, reynolds: float) -> Aero:
    """Evaluates airfoils.

    Args:
        size: of the network, one of SIZES.
        weights: Kulfan's, and the trailing edge's thickness in chords, [B, 18].
        angle: of attack, in degrees, [B].
        reynolds: Reynolds number by the chord.

    Returns:
        Confidence, lift and drag.
    """
    nets = load(size)
    x = _inputs(weights, angle, reynolds)
    upside_down = jnp.concatenate(
        [-x[:, 8:16], -x[:, :8], -x[:, 16:17], x[:, 17:18], -x[:, 18:19], x[:, 19:23], x[:, 24:25], x[:, 23:24]], axis=1
    )
    n = len(weights)
    both = _outputs(nets, jnp.concatenate([x, upside_down]))
    logit, log_drag = ((both[:n, i] + both[n:, i]) / 2 for i in (0, 2))
    return Aero(jax.nn.sigmoid(logit), (both[:n, 1] - both[n:, 1]) / 4, jnp.exp(2 * (log_drag - 2)))


def unwhiten(deviations: Array) -> Array:
    """Returns Kulfan's weights and the mean thickness of a trailing edge [B, 18] of deviations from the mean shape [B, 17]."""
    nets = load("xxsmall")
    shapes = nets.mean[:WEIGHTS] + deviations @ nets.root.T
    edge = jnp.full((len(deviations), 1), max(float(nets.mean[WEIGHTS]) / _EDGE, 0.0), jnp.float32)
    return jnp.concatenate([shapes, edge], axis=1)


@lru_cache(maxsize=8)
def load(size: str) -> Networks:
    """Reads a network. Raises UserError where the package is not installed, or is of another version."""
    folder = _folder()
    try:
        with np.load(folder / f"nn-{size}.npz", allow_pickle=False) as file:
            numbers = sorted({int(name.split(".")[1]) for name in file.files})
            layers = [(file[f"net.{i}.weight"].T, file[f"net.{i}.bias"]) for i in numbers]
        with np.load(folder / "scaled_input_distribution.npz", allow_pickle=False) as file:
            mean, precision = file["mean_inputs_scaled"], file["inv_cov_inputs_scaled"]
    except (OSError, KeyError, ValueError) as error:
        raise UserError(f"{folder} holds no networks of NeuralFoil 0.3 ({error})", _FIX) from error
    weights, bias = layers.pop()
    layers.append((weights[:, :3], bias[:3]))  # the rest are the boundary layers
    root = np.linalg.cholesky(np.linalg.inv(precision)[:WEIGHTS, :WEIGHTS])
    as_float = lambda array: np.ascontiguousarray(array, np.float32)
    return Networks(tuple((as_float(w), as_float(b)) for w, b in layers), *map(as_float, (mean, precision, root)))


_FIX = "type pip install 'qd-atlas[airfoils]'"


def _folder() -> Path:
    spec = importlib.util.find_spec("neuralfoil")
    if spec is None or not spec.submodule_search_locations:
        raise UserError("domain=airfoils needs the package neuralfoil, not installed here", _FIX)
    return Path(spec.submodule_search_locations[0], "nn_weights_and_biases")


def _inputs(weights: Array, angle: Array, reynolds: float) -> Array:
    """Scales as the networks were trained: [B, 25]."""
    a = jnp.deg2rad(angle)
    one = jnp.ones_like(a)
    air = [jnp.sin(2 * a), jnp.cos(a), jnp.sin(a) ** 2, one * ((np.log(reynolds) - 12.5) / 3.5), one * ((_CRITICAL - 9) / 4.5)]
    return jnp.concatenate([weights[:, :-1], _EDGE * weights[:, -1:], jnp.stack([*air, one, one], axis=1)], axis=1)


def _outputs(nets: Networks, x: Array) -> Array:
    """Returns confidence (a logit), lift and drag as the networks scale them, [B, 3]."""
    y = x
    for i, (weights, bias) in enumerate(nets.layers):
        y = y @ weights + bias
        y = jax.nn.silu(y) if i < len(nets.layers) - 1 else y
    away = x - nets.mean
    distance = ((away @ nets.precision) * away).sum(axis=1)
    return y.at[:, 0].add(-distance / (2 * x.shape[1]))
