"""Pictures drawn by small networks: each pixel's colour is a function of its place (CPPN; Stanley 2007, Picbreeder).

There is a ground truth of similarity that no learner reads: ``look`` is for the judge, ``view`` for the learner.

B batch, S side in pixels, G genes, V length of the view.
"""

import math
from dataclasses import dataclass
from typing import ClassVar

import jax
import jax.numpy as jnp
import numpy as np

from domains.images import looks, png
from domains.images.views import Views, features, pairs
from qd import keys
from qd.support.errors import UserError
from qd.types import Array, Evaluation, Rendering

_INPUTS, _COLOURS = 4, 3  # x, y, distance from the centre, one; red, green, blue


@dataclass(frozen=True)
class Pictures:
    """High contrast, and as many kinds of picture as possible.

    Features: view [B, V], fixed statistics of colour, edges, frequency and symmetry; look [B, 2] in [0, 1], how fine and
    how symmetric a picture is. Objective: contrast, the deviation of the pixels' brightness, 100 at 0.3 and above.
    """

    side: int = 32  # pixels while searching
    width: int = 12  # nodes in each of three layers: tanh, sine, bell and |x|, a quarter each
    spread: float = 1.0  # standard deviation of the weights of fresh pictures
    detail: float = 3.0  # how far the corners are from the centre: more shows more of the pattern
    views: Views = ()  # more features: name -> function of the pictures
    pure: bool = True
    objective_range: ClassVar[tuple[float, float]] = (0.0, 100.0)

    def __post_init__(self) -> None:
        object.__setattr__(self, "views", pairs(self.views))
        if self.side < 8 or self.width < 4 or self.width % 4:
            raise UserError(f"side={self.side}, width={self.width}: type a side of 8 or more and a width of 4, 8, 12, ...")

    @property
    def genes(self) -> int:
        """G, the number of weights of one picture."""
        return sum(i * o for i, o in self._shapes)

    def sample(self, key: Array, n: int) -> Array:
        """Draws weights from a normal distribution of deviation ``spread``; arguments as in ``Domain``.

        Returns:
            Weights, [n, G].
        """
        return np.float32(self.spread) * keys.normal(key, (n, self.genes))

    def evaluate(self, keys: Array, solutions: Array) -> Evaluation:
        """Draws each picture and measures it.

        Args:
            keys: unused: nothing is random.
            solutions: weights, [B, G].

        Returns:
            Contrast, 0 to 100, and the features view, look and those of ``views``.

        Raises:
            UserError: the solutions have another G.
        """
        if solutions.shape[1] != self.genes:
            raise UserError(f"a picture has {solutions.shape[1]} genes, but width={self.width} takes {self.genes}")
        image = self.draw(solutions, self.side)
        objective = 100 * jnp.minimum(looks.brightness(image).std(axis=(1, 2)) / 0.3, 1)
        own = {"view": looks.view(image), "look": looks.look(image)}
        return Evaluation(objective, own | features(self.views, lambda: image))

    def draw(self, solutions: Array, side: int) -> Array:
        """Draws pictures of any size.

        Args:
            solutions: weights, [B, G].
            side: S, in pixels.

        Returns:
            [B, S, S, 3] in 0..1.
        """
        place = (jnp.arange(side) + 0.5) / side * 2 - 1
        y, x = jnp.meshgrid(place, place, indexing="ij")
        inputs = jnp.stack([x, y, jnp.sqrt(x**2 + y**2), jnp.ones_like(x)], axis=-1).reshape(-1, _INPUTS)
        inputs = inputs * jnp.array([self.detail] * 3 + [1.0])
        colours = jax.lax.map(lambda genes: self._colours(genes, inputs), jnp.asarray(solutions, jnp.float32))
        return colours.reshape(-1, side, side, _COLOURS)

    def render(self, solutions: Array) -> list[Rendering]:
        """Returns png pictures of 128 x 128 pixels."""
        pictures = np.asarray(self.draw(np.asarray(solutions), 128))
        return [Rendering("png", png.encode(image)) for image in pictures]

    @property
    def _shapes(self) -> tuple[tuple[int, int], ...]:
        return (_INPUTS, self.width), (self.width, self.width), (self.width, self.width), (self.width, _COLOURS)

    def _colours(self, genes: Array, place: Array) -> Array:
        """One picture's pixels [S², 3]."""
        ends = np.cumsum([i * o for i, o in self._shapes])
        layers = [part.reshape(shape) for part, shape in zip(jnp.split(genes, ends[:-1]), self._shapes, strict=True)]
        x = place
        for i, weights in enumerate(layers):
            x = x @ weights / math.sqrt(weights.shape[0]) if i else x @ weights
            x = _bent(x) if i < len(layers) - 1 else jax.nn.sigmoid(3 * x)
        return x


def _bent(x: Array) -> Array:
    quarter = x.shape[1] // 4
    a, b, c, d = (x[:, i * quarter : (i + 1) * quarter] for i in range(4))
    return jnp.concatenate([jnp.tanh(a), jnp.sin(b), jnp.exp(-(c**2)), jnp.abs(d)], axis=1)
