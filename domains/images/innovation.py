"""Innovation engines: pictures that a trained eye is sure of, one for each class that it knows (Nguyen et al. 2015).

    measure = the number of the likeliest class         objective = 100 x its probability

B batch, C = 1000 classes of ImageNet.
"""

from dataclasses import dataclass, field
from typing import ClassVar

import jax.numpy as jnp

from domains.images import Pictures
from domains.images.eye import Eye, class_names
from qd.types import Array, Evaluation, Rendering


@dataclass(frozen=True)
class Innovation:
    """Pictures of small networks (CPPN), drawn and seen at the eye's size.

    Features: kind [B, 1], the number of the likeliest class; classes [B, C], 100 x the probability of each, by which
    archive.every=classes lets a picture compete for every class. Objective: 100 x the probability of the likeliest class.
    """

    pictures: Pictures = field(default_factory=Pictures)
    side: int = 64  # pixels that the eye looks at
    pure: bool = True
    objective_range: ClassVar[tuple[float, float]] = (0.0, 100.0)

    @property
    def categories(self) -> tuple[tuple[str, ...], ...]:
        """The names of the C classes, for archive=categorical."""
        return (class_names(),)

    def sample(self, key: Array, n: int) -> Array:
        """Draws weights as ``Pictures`` does; arguments as in ``Domain``.

        Returns:
            [n, G].
        """
        return self.pictures.sample(key, n)

    def evaluate(self, keys: Array, solutions: Array) -> Evaluation:
        """Draws each picture and names it.

        Args:
            keys: unused: nothing is random.
            solutions: weights, [B, G].

        Returns:
            100 x the probability of the likeliest class, and the features.
        """
        image = self.pictures.draw(solutions, self.side)
        percent = 100 * Eye("classes", self.side)(image)
        kind = percent.argmax(axis=1)[:, None].astype(jnp.float32)
        return Evaluation(percent.max(axis=1), {"kind": kind, "classes": percent})

    def render(self, solutions: Array) -> list[Rendering]:
        """Returns png pictures of 128 x 128 pixels."""
        return self.pictures.render(solutions)
