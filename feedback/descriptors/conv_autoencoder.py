"""Measures learned by a convolutional autoencoder of images: TAXONS (Paolo et al. 2019, arXiv 1909.05508).

What moves in a scene is a few pixels of many: an autoencoder of plain pixels learns the background. So the input is an
image's difference from the mean image, and pixels that seldom vary count for more (``lift``). Several images of an episode
are encoded one by one, their codes laid end to end, their errors summed (STAX, Paolo et al. 2021).

N rows, F images of an episode, S pixels a side, Z numbers of a code, M = F Z measures.
"""

from dataclasses import dataclass, field
from functools import lru_cache
from typing import ClassVar, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from feedback.descriptors import training
from feedback.descriptors.image_networks import ImageNetwork, Layers, PatchNetwork
from feedback.descriptors.scaling import Box, around, check_varies, into_bounds
from qd.support.errors import UserError
from qd.types import Array, Features, Fresh, Rows

_LEAST = 8  # rows
_FLOOR = 0.01  # of the mean variance: added to the variance of each pixel
_CHUNK = 1024


class ConvAutoencoderParams(NamedTuple):
    """What a convolutional autoencoder has learned."""

    middle: Array  # [S, S, 3], the mean image
    scale: Array  # [S, S, 3]
    encoder: Layers
    decoder: Layers
    box: Box


@dataclass(frozen=True)
class ConvAutoencoder:
    """Reads one feature of images [N, F, S, S, 3], uint8, or floats in 0..1; weights are kept from one fit to the next.

    ``signals`` gives "surprise", the mean squared error of each image's reconstruction in units of the images' variance,
    summed over the F images.
    """

    reads: tuple[str, ...]
    frames: int = 1  # F
    code: int = 10  # Z
    network: ImageNetwork = field(default_factory=PatchNetwork)
    steps: int = 200  # of a training, and of the first twice as many; 0: never trained, a control
    batch: int = 128
    learning_rate: float = 3e-3  # falls to a tenth within a training
    lift: float = 0.5  # pixels are divided by their deviation to this power: 0 plain pixels, 1 all count the same
    rows: int = 2048  # at most, drawn evenly from what there is: one program, whatever their number
    from_scratch: bool = False  # forget the weights at each fit, an ablation of the papers
    pure: bool = True
    learns: bool = True
    fewest: ClassVar[int] = _LEAST  # solutions that a fit needs

    def __post_init__(self) -> None:
        if len(self.reads) != 1:
            raise UserError(
                f"it looks at one feature of images, but it reads {', '.join(self.reads) or 'none'}", "type reads=[image]"
            )
        if min(self.frames, self.code, self.batch) < 1 or self.steps < 0 or self.rows < _LEAST or not 0 <= self.lift <= 1:
            raise UserError(
                f"type frames, code and batch of 1 or more, steps of 0 or more, rows of {_LEAST} or more, lift of 0 to 1"
            )

    @property
    def bounds(self) -> tuple[tuple[float, float], ...]:
        """F Z pairs (-1, 1)."""
        return ((-1.0, 1.0),) * (self.frames * self.code)

    def init(self, key: Array, rows: Rows, fresh: Fresh) -> ConvAutoencoderParams:
        """Trains on generation 0, twice as many steps.

        Args:
            key: of initial weights and batches, as key data.
            rows: generation 0; the images are [N, F, S, S, 3].
            fresh: unused.

        Returns:
            Weights, and the scales of pixels and measures.

        Raises:
            UserError: as ``fit``.
        """
        return self.fit(key, None, rows, fresh)

    def fit(self, key: Array, params: ConvAutoencoderParams | None, rows: Rows, fresh: Fresh) -> ConvAutoencoderParams:
        """Continues the training.

        Args:
            key: of initial weights, rows and batches, as key data.
            params: of the fit before, or None at the first.
            rows: elites and whatever else is learned from; the images are [N, F, S, S, 3].
            fresh: unused.

        Returns:
            Weights, and the scales of pixels and measures.

        Raises:
            UserError: the images are not square, their side does not fit the network, they are fewer than 8, or all are the
                same.
        """
        images = np.asarray(rows.features[self.reads[0]])
        self._check(images)
        new_key, choose_key, learn_key = jax.random.split(jax.random.wrap_key_data(key), 3)
        choice = np.asarray(jax.random.permutation(choose_key, len(images)))[: self.rows]
        sample = images[choice].reshape(-1, *images.shape[2:])
        middle, scale = self._normalization(sample)
        network = None if params is None else (params.encoder, params.decoder)
        if network is None or self.from_scratch:
            network = self.network.fresh(new_key, images.shape[2], self.code)
        if self.steps:
            first = 2 if params is None or self.from_scratch else 1
            padded = sample[np.arange(self.rows * self.frames) % len(sample)]
            network = _train(self, first)(network, learn_key, padded, np.int32(len(sample)), middle, scale)
        encoder, decoder = jax.tree.map(np.asarray, network)
        params = ConvAutoencoderParams(middle, scale, encoder, decoder, Box(np.float32(0), np.float32(1)))
        box = around(self._codes(params, images))
        return params._replace(box=box._replace(half=np.full_like(box.half, box.half.max())))  # one scale for all of them

    def __call__(self, params: ConvAutoencoderParams, features: Features) -> Array:
        """Encodes.

        Args:
            params: of the last fit.
            features: name -> [B, ...]; the images are [B, F, S, S, 3].

        Returns:
            Measures, [B, F Z].
        """
        images = features[self.reads[0]]
        code = self.network.encode(params.encoder, _normalized(images, params.middle, params.scale))
        return into_bounds(code.reshape(len(images), -1), params.box)

    def signals(self, params: ConvAutoencoderParams, features: Features) -> Features:
        """Computes the reconstruction error.

        Args:
            params: of the last fit.
            features: name -> [B, ...]; the images are [B, F, S, S, 3].

        Returns:
            "surprise" [B], in units of the images' variance, summed over the F images.
        """
        images = features[self.reads[0]]
        x = _normalized(images, params.middle, params.scale)
        again = self.network.decode(params.decoder, self.network.encode(params.encoder, x))
        return {"surprise": ((again - x) ** 2).mean(axis=(1, 2, 3)).reshape(len(images), -1).sum(axis=1)}

    def reconstructed(self, params: ConvAutoencoderParams, images: Array) -> np.ndarray:
        """Reconstructs images from their codes, to look at.

        Args:
            params: of a fit.
            images: [N, F, S, S, 3], uint8, or floats in 0..1.

        Returns:
            Images of the same shape, in 0..1.
        """
        x = _normalized(images, params.middle, params.scale)
        again = self.network.decode(params.decoder, self.network.encode(params.encoder, x))
        return np.clip(np.asarray(again) * params.scale + params.middle, 0, 1).reshape(images.shape)

    def _normalization(self, images: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """The mean image, and by what each pixel is divided: its deviation to the power of ``lift``, in units of their mean."""
        light = _light(images)
        middle, varies = light.mean(axis=0), light.var(axis=0)
        usual = varies.mean()
        relative = varies / usual + _FLOOR  # s = sqrt(usual) (v / usual)^(lift / 2)
        return middle, (np.sqrt(usual) * relative ** (self.lift / 2)).astype(np.float32)

    def _codes(self, params: ConvAutoencoderParams, images: np.ndarray) -> np.ndarray:
        """Codes of all rows, in chunks of one size."""
        program, n = _encoder_program(self), len(images)
        parts = [program(params, images[np.minimum(np.arange(i, i + _CHUNK), n - 1)]) for i in range(0, n, _CHUNK)]
        return np.concatenate(parts)[:n]

    def _check(self, images: np.ndarray) -> None:
        square = images.ndim == 5 and images.shape[2] == images.shape[3] and images.shape[4] == 3
        if not square or images.shape[1] != self.frames:
            raise UserError(
                f"{self.reads[0]} is {list(images.shape[1:])} for each solution, but {self.frames} square image(s) in colour "
                f"are needed, [{self.frames}, S, S, 3]",
                f"type frames={images.shape[1] if square else 1}, and reads=[image]",
            )
        side, least = images.shape[2], self.network.least
        if side % least:
            raise UserError(
                f"images of {side} pixels cannot be cut into patches of {least}; "
                f"type domain.camera.side={max(side // least, 1) * least}, or smaller strides"
            )
        check_varies(images.reshape(len(images), -1), self.reads, self.fewest)


def _light(images: Array) -> Array:
    return images.astype(np.float32) / np.float32(255 if images.dtype == np.uint8 else 1)


def _normalized(images: Array, middle: Array, scale: Array) -> Array:
    """The network's input for images [N, F, S, S, 3] or [N, S, S, 3]: [N F, S, S, 3]."""
    return (_light(images).reshape(-1, *images.shape[-3:]) - middle) / scale


@lru_cache(maxsize=16)
def _encoder_program(learner: ConvAutoencoder):
    @jax.jit
    def encode(params: ConvAutoencoderParams, images: Array) -> Array:
        return learner(params, {learner.reads[0]: images})

    return encode


@lru_cache(maxsize=16)
def _train(learner: ConvAutoencoder, times: int):
    import optax

    steps, network = times * learner.steps, learner.network
    rate = optax.cosine_decay_schedule(learner.learning_rate, steps, alpha=0.1)

    @jax.jit
    def train(weights: tuple[Layers, Layers], key: Array, images: Array, n: Array, middle: Array, scale: Array):
        def loss(weights: tuple[Layers, Layers], rows: Array) -> Array:
            x = _normalized(rows, middle, scale)
            return ((network.decode(weights[1], network.encode(weights[0], x)) - x) ** 2).mean()

        return training.descend(loss, weights, key, jnp.asarray(images), n, steps, learner.batch, rate)

    return train
