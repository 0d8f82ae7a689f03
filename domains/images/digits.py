"""Digits drawn by a generator that is itself learned: the decoder of a small variational autoencoder, trained on the spot.

The data are scikit-learn's 1797 handwritten digits of 8 x 8 pixels. B batch, Z latents, N training pictures.
"""

from dataclasses import dataclass
from functools import lru_cache
from typing import ClassVar

import jax
import jax.numpy as jnp
import numpy as np
import optax

from domains.images import png
from domains.images.views import Views, features, pairs
from qd import keys
from qd.types import Array, Evaluation, Rendering

_SIDE = 8
Layers = tuple[tuple[Array, Array], ...]


@dataclass(frozen=True)
class Digits:
    """Real-looking digits, as many kinds as possible.

    Features: pixels [B, 64] in 0..1; look [B, 2] in 0..1, how thick and how slanted (for the judge). Objective: 100 for
    a digit that is in the data, less the farther (root mean square) the nearest one is; 0 at 0.4 and beyond.
    """

    latents: int = 8
    hidden: int = 64
    steps: int = 3000  # of training, batches of 128: about 2 s
    seed: int = 0  # of the generator: the same in every run
    views: Views = ()  # more features: name -> function of the pictures, dark ink on white
    pure: bool = True
    objective_range: ClassVar[tuple[float, float]] = (0.0, 100.0)

    def __post_init__(self) -> None:
        object.__setattr__(self, "views", pairs(self.views))

    def sample(self, key: Array, n: int) -> Array:
        """Draws latents from the generator's prior; arguments as in ``Domain``.

        Returns:
            [n, Z].
        """
        return keys.normal(key, (n, self.latents))

    def evaluate(self, keys: Array, solutions: Array) -> Evaluation:
        """Decodes latents, and finds the nearest training picture of each.

        Args:
            keys: unused: nothing is random.
            solutions: latents, [B, Z].

        Returns:
            Objective 0 to 100, and the features pixels, look and those of ``views``.
        """
        pixels, real = self.draw(solutions), jnp.asarray(_data())
        distance = (pixels**2).sum(1)[:, None] + (real**2).sum(1)[None] - 2 * pixels @ real.T
        far = jnp.sqrt(jnp.maximum(distance.min(axis=1), 0) / _SIDE**2)
        own = {"pixels": pixels, "look": _look(pixels)}
        return Evaluation(100 * jnp.maximum(1 - far / 0.4, 0), own | features(self.views, lambda: _ink(pixels)))

    def draw(self, solutions: Array) -> Array:
        """Decodes latents [B, Z] into pixels [B, 64]."""
        return jax.nn.sigmoid(_dense(_decoder(self), solutions))

    def render(self, solutions: Array) -> list[Rendering]:
        """Returns png pictures, dark ink on white, enlarged to 96 x 96 pixels."""
        pictures = 1 - np.asarray(self.draw(np.asarray(solutions, np.float32))).reshape(-1, _SIDE, _SIDE)
        return [Rendering("png", png.encode(image.repeat(12, 0).repeat(12, 1))) for image in pictures]


def _ink(pixels: Array) -> Array:
    """Returns pictures [B, 8, 8, 3], dark ink on white."""
    return (1 - pixels.reshape(-1, _SIDE, _SIDE, 1)).repeat(3, axis=-1)


def _look(pixels: Array) -> Array:
    """Mean ink, 0.24 to 0.36 mapped to 0..1, and how far ink moves right for each row up, -0.5 to 0.3 mapped to 0..1."""
    ink = pixels.reshape(-1, _SIDE, _SIDE) + 1e-6
    mass = ink.sum((1, 2))
    axis = jnp.arange(_SIDE, dtype=jnp.float32)
    x, y = (ink.sum(1) @ axis) / mass, (ink.sum(2) @ axis) / mass
    dx, dy = axis[None, None, :] - x[:, None, None], axis[None, :, None] - y[:, None, None]
    slant = -(ink * dx * dy).sum((1, 2)) / ((ink * dy**2).sum((1, 2)) + 1e-6)
    return jnp.clip(jnp.stack([(mass / _SIDE**2 - 0.24) / 0.12, (slant + 0.5) / 0.8], axis=1), 0, 1)


@lru_cache(maxsize=1)
def _data() -> np.ndarray:
    from sklearn.datasets import load_digits

    pixels, _ = load_digits(return_X_y=True)
    return (np.asarray(pixels) / 16).astype(np.float32)


@lru_cache(maxsize=4)
def _decoder(digits: Digits) -> Layers:
    """Trains the generator (Kingma and Welling 2014) and returns its decoder."""
    with jax.ensure_compile_time_eval():  # it may be called within a trace
        _, decoder = _train(digits, jnp.asarray(_data()))
    return jax.tree.map(np.asarray, decoder)


def _train(digits: Digits, data: Array) -> tuple[Layers, Layers]:
    z, h = digits.latents, digits.hidden
    encoder_key, decoder_key, train_key = jax.random.split(jax.random.key(digits.seed), 3)
    network = _fresh(encoder_key, (_SIDE**2, h, 2 * z)), _fresh(decoder_key, (z, h, h, _SIDE**2))
    adam = optax.adam(2e-3)

    def loss(network: tuple[Layers, Layers], x: Array, key: Array) -> Array:
        mean, log_deviation = jnp.split(_dense(network[0], x), 2, axis=1)
        latent = mean + jnp.exp(log_deviation) * jax.random.normal(key, mean.shape)
        logits = _dense(network[1], latent)
        ink = optax.sigmoid_binary_cross_entropy(logits, x).sum(1)
        divergence = (jnp.exp(2 * log_deviation) + mean**2 - 1 - 2 * log_deviation).sum(1) / 2
        return (ink + divergence).mean()

    def step(_: int, carry: tuple) -> tuple:
        network, memory, key = carry
        key, draw_key, noise_key = jax.random.split(key, 3)
        examples = data[jax.random.randint(draw_key, (128,), 0, len(data))]
        update, memory = adam.update(jax.grad(loss)(network, examples, noise_key), memory)
        return optax.apply_updates(network, update), memory, key

    train = jax.jit(lambda start: jax.lax.fori_loop(0, digits.steps, step, start))
    return train((network, adam.init(network), train_key))[0]


def _dense(layers: Layers, x: Array) -> Array:
    for i, (weights, bias) in enumerate(layers):
        x = x @ weights + bias
        x = jax.nn.relu(x) if i < len(layers) - 1 else x
    return x


def _fresh(key: Array, sizes: tuple[int, ...]) -> Layers:
    each = jax.random.split(key, len(sizes) - 1)
    pairs = zip(each, sizes[:-1], sizes[1:], strict=True)
    return tuple((jax.random.normal(k, (i, o)) * (2 / i) ** 0.5, jnp.zeros(o)) for k, i, o in pairs)
