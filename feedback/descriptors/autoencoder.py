"""Measures learned by a dense autoencoder of what the elites look like: AURORA (Cully 2019; Grillotti and Cully 2022).

N rows, F feature length (all that is read, laid end to end), M measures.
"""

from dataclasses import dataclass
from functools import partial
from typing import ClassVar, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from feedback.descriptors import training
from feedback.descriptors.scaling import Box, around, check_varies, into_bounds
from feedback.features import flat
from qd.support.errors import UserError
from qd.types import Array, Features, Fresh, Rows

Layers = tuple[tuple[Array, Array], ...]  # weights [in, out] and bias [out] of each


class AutoencoderParams(NamedTuple):
    """What a dense autoencoder has learned."""

    middle: Array  # [F] mean of the rows, and their one scale: units between features are kept
    scale: Array  # []
    encoder: Layers
    decoder: Layers
    box: Box


@dataclass(frozen=True)
class Autoencoder:
    """The bottleneck of F - hidden - M - hidden - F, trained from scratch at each fit; never refitted, it is AURORA-Pre.

    ``signals`` gives "surprise": the mean squared error of each solution's reconstruction, in units of the rows' variance.
    """

    reads: tuple[str, ...]
    hidden: tuple[int, ...] = (64, 32)  # QDHF's baseline; the decoder mirrors them
    measures: int = 2
    learning_rate: float = 1e-3
    batch: int = 64
    steps: int = 2000  # about 50 epochs of 2500 elites
    rows: int = 4096  # rows at most, drawn evenly: one program, whatever the number of elites
    padding: float = 0.0
    pure: bool = True
    learns: bool = True
    fewest: ClassVar[int] = 2  # solutions that a fit needs

    def __post_init__(self) -> None:
        if min(self.steps, self.batch, self.rows, *self.hidden, 1) < 1:
            raise UserError("steps, batch, rows and hidden sizes must be 1 or more")

    @property
    def bounds(self) -> tuple[tuple[float, float], ...]:
        """M pairs (-1, 1)."""
        return ((-1.0, 1.0),) * self.measures

    def init(self, key: Array, rows: Rows, fresh: Fresh) -> AutoencoderParams:
        """Trains on generation 0.

        Args:
            key: of initial weights and batches, as key data.
            rows: generation 0, features [N, ...].
            fresh: unused.

        Returns:
            Weights, and the scales of input and measures.

        Raises:
            UserError: the rows do not vary.
        """
        return self.fit(key, None, rows, fresh)

    def fit(self, key: Array, params: AutoencoderParams | None, rows: Rows, fresh: Fresh) -> AutoencoderParams:
        """Trains from scratch.

        Args:
            key: of initial weights and batches, as key data.
            params: unused.
            rows: elites and whatever else is learned from, features [N, ...].
            fresh: unused.

        Returns:
            Weights, and the scales of input and measures.

        Raises:
            UserError: the rows do not vary.
        """
        x = np.asarray(flat(rows.features, self.reads), np.float32)
        check_varies(x, self.reads, self.fewest)
        middle, scale = x.mean(0), np.float32(np.sqrt(x.var(0).mean()))
        normal = (x - middle) / scale
        padded = normal[np.arange(self.rows) % len(x)] if len(x) < self.rows else normal[: self.rows]
        encoder, decoder = jax.tree.map(np.asarray, _train(self, key, padded, np.int32(min(len(x), self.rows))))
        return AutoencoderParams(middle, scale, encoder, decoder, around(np.asarray(_through(encoder, normal)), self.padding))

    def __call__(self, params: AutoencoderParams, features: Features) -> Array:
        """Encodes; arguments as in ``Descriptor``."""
        return into_bounds(self._encode(params, features)[1], params.box)

    def signals(self, params: AutoencoderParams, features: Features) -> Features:
        """Computes the reconstruction error.

        Args:
            params: of the last fit.
            features: name -> [B, ...].

        Returns:
            "surprise" [B], in units of the variance of the rows of the last fit.
        """
        normal, code = self._encode(params, features)
        return {"surprise": ((_through(params.decoder, code) - normal) ** 2).mean(axis=1)}

    def _encode(self, params: AutoencoderParams, features: Features) -> tuple[Array, Array]:
        normal = (flat(features, self.reads) - params.middle) / params.scale
        return normal, _through(params.encoder, normal)


@partial(jax.jit, static_argnums=0)
def _train(learner: Autoencoder, key: Array, x: Array, n: Array) -> tuple[Layers, Layers]:
    init_key, draw_key = jax.random.split(jax.random.wrap_key_data(key))
    sizes = (x.shape[1], *learner.hidden, learner.measures)
    encoder_key, decoder_key = jax.random.split(init_key)
    network = _fresh(encoder_key, sizes), _fresh(decoder_key, sizes[::-1])

    def loss(network: tuple[Layers, Layers], batch: Array) -> Array:
        return ((_through(network[1], _through(network[0], batch)) - batch) ** 2).mean()

    return training.descend(loss, network, draw_key, x, n, learner.steps, learner.batch, learner.learning_rate)


def _through(layers: Layers, x: Array) -> Array:
    """Dense layers with ReLU between them."""
    for i, (weights, bias) in enumerate(layers):
        x = x @ weights + bias
        x = jax.nn.relu(x) if i < len(layers) - 1 else x
    return x


def _fresh(key: Array, sizes: tuple[int, ...]) -> Layers:
    """He's initial weights (2015)."""
    each = jax.random.split(key, len(sizes) - 1)
    pairs = zip(each, sizes[:-1], sizes[1:], strict=True)
    return tuple((jax.random.normal(k, (i, o)) * (2 / i) ** 0.5, jnp.zeros(o)) for k, i, o in pairs)
