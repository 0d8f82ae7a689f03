"""DDIM (Song et al. 2021, eq. 12 without noise): from noise to images in a few steps, with classifier-free guidance.

x_t = a x_0 + s e with a = cos(pi t / 2), s = sin(pi t / 2) (Nichol and Dhariwal 2021). N images, P pixels, S steps, C classes.
"""

from collections.abc import Callable
from dataclasses import dataclass

import jax
import jax.numpy as jnp
import numpy as np

from domains.quant.networks.diffusion import pack
from qd.support.errors import UserError
from qd.types import Array

_FIRST = 0.995  # the time of pure noise: at 1 nothing of the image is left, and a step cannot be divided by

Denoise = Callable[[Array, Array], Array]  # (number of the step, packed inputs [N, P + 2]) -> clean images [N, P]


@dataclass(frozen=True)
class DDIM:
    """How images are sampled."""

    steps: int = 10  # S
    guidance: float = 2.0  # x = x_none + guidance (x_class - x_none); 1: none, and half the work

    def __post_init__(self) -> None:
        if self.steps < 1 or not np.isfinite(self.guidance):
            raise UserError(f"{self.steps} steps with guidance {self.guidance} sample no image", "type steps=10 guidance=2")

    @property
    def times(self) -> np.ndarray:
        """From noise to image, float32 [S + 1]."""
        return (np.linspace(_FIRST, 0, self.steps + 1)).astype(np.float32)

    @property
    def rows(self) -> int:
        """How many inputs of the network one image takes in a step."""
        return 1 if self.guidance == 1 else 2

    def sample(self, denoise: Denoise, noise: Array, labels: Array, classes: int = 10) -> tuple[Array, Array]:
        """Samples N images, in a function that JAX traces.

        Args:
            denoise: one denoising step.
            noise: standard normal [N, P].
            labels: the classes asked for, [N].
            classes: C, the number that stands for no class.

        Returns:
            Images in -1..1 [N, P], and the network's inputs in each step [S, N or 2 N, P + 2].
        """
        times = jnp.asarray(self.times)
        step = lambda x, number: self.step(denoise, number, times[number], times[number + 1], x, labels, classes)
        return jax.lax.scan(step, noise, jnp.arange(self.steps))

    def step(
        self, denoise: Denoise, number: Array, time: Array, after: Array, x: Array, labels: Array, classes: int = 10
    ) -> tuple[Array, Array]:
        """Takes one step.

        Args:
            denoise: one denoising step.
            number: of the step.
            time: of the images with noise.
            after: the time of what comes out.
            x: images with noise [N, P].
            labels: the classes asked for, [N].
            classes: C, the number that stands for no class.

        Returns:
            Images with less noise [N, P], and the network's inputs [N or 2 N, P + 2].
        """
        inputs = pack(x, time, labels)
        if self.guidance != 1:
            inputs = jnp.concatenate([inputs, pack(x, time, jnp.full_like(labels, classes))])
        clean = denoise(number, inputs)
        if self.guidance != 1:
            with_class, without = jnp.split(clean, 2)
            clean = without + self.guidance * (with_class - without)
        clean = jnp.clip(clean, -1, 1)
        (a, s), (a_after, s_after) = levels(time), levels(after)
        return a_after * clean + s_after * (x - a * clean) / s, inputs


def levels(time: Array) -> tuple[Array, Array]:
    """Returns how much of the image and how much noise there is at a time.

    Args:
        time: 0 clean to 1 noise.

    Returns:
        (a, s), shaped as ``time``; their squares add up to 1.
    """
    return jnp.cos(jnp.pi / 2 * time), jnp.sin(jnp.pi / 2 * time)
