"""Any text-to-image model as a domain: a function from latents to pictures, and functions that look at them.

    TextToImage(generate, embed, score, shape=(4, 64, 64))          # latent diffusion: generate holds the prompt

B batch. Nothing is imported here: the model, its weights and its device are the caller's.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from domains.images import png
from qd import keys
from qd.support.errors import UserError
from qd.types import Array, Evaluation, Rendering


@dataclass(frozen=True)
class TextToImage:
    """Searches the latents of a generator that talks to the world. Solutions are latents laid flat, [B, prod(shape)].

    Features: embedding [B, E], and what each of ``views`` returns. A picture with a number that is not finite has failed.
    """

    generate: Callable[[np.ndarray], Any]  # latents [B, *shape] -> pictures [B, H, W, 3] in 0..1
    embed: Callable[[np.ndarray], Any]  # pictures -> [B, E], e.g. CLIP's or DreamSim's
    score: Callable[[np.ndarray], Any]  # pictures -> objective [B], e.g. likeness to the prompt
    shape: tuple[int, ...]
    views: tuple[tuple[str, Callable[[np.ndarray], Any]], ...] = ()  # more features: name, pictures -> [B, ...]
    chunk: int = 8  # pictures made together: what fits the device
    range: tuple[float, float] = (0.0, 100.0)  # of the objective
    pure: bool = False

    def __post_init__(self) -> None:
        if self.chunk < 1 or not self.shape or min(self.shape) < 1:
            raise UserError(f"chunk={self.chunk}, shape={self.shape}: type a chunk of 1 or more and the shape of a latent")

    @property
    def objective_range(self) -> tuple[float, float]:
        """The least and the largest objective."""
        return self.range

    def sample(self, key: Array, n: int) -> Array:
        """Draws latents from the standard normal distribution; arguments as in ``Domain``.

        Returns:
            [n, prod(shape)].
        """
        return keys.normal(key, (n, int(np.prod(self.shape))))

    def evaluate(self, keys: Array, solutions: Array) -> Evaluation:
        """Makes the pictures, chunk by chunk, and scores them.

        Args:
            keys: unused.
            solutions: latents, [B, prod(shape)].

        Returns:
            Score, and the features embedding and those of ``views``; NaN where a picture is not finite.

        Raises:
            UserError: the model returns pictures of another shape.
        """
        image = self.draw(np.asarray(solutions))
        finite = np.isfinite(image).all(axis=(1, 2, 3))
        pixels = np.nan_to_num(image)
        objective = np.where(finite, np.asarray(self.score(pixels), np.float64), np.nan)
        features = {"embedding": np.asarray(self.embed(pixels), np.float32)}
        return Evaluation(objective, features | {name: np.asarray(look(pixels)) for name, look in self.views})

    def draw(self, solutions: np.ndarray) -> np.ndarray:
        """Returns pictures [B, H, W, 3]."""
        latents = solutions.reshape(len(solutions), *self.shape)
        chunks = [np.asarray(self.generate(latents[i : i + self.chunk])) for i in range(0, len(latents), self.chunk)]
        image = np.concatenate(chunks)
        if image.ndim != 4 or image.shape[0] != len(solutions) or image.shape[3] != 3:
            raise UserError(
                f"generate returned pictures {list(image.shape)} for {len(solutions)} latents", "return [B, H, W, 3] in 0..1"
            )
        return image

    def render(self, solutions: Array) -> list[Rendering]:
        """Returns png pictures as the model makes them."""
        return [Rendering("png", png.encode(image)) for image in self.draw(np.asarray(solutions))]
