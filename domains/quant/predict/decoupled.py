"""Damage of a diffusion model by layer and option in two tables that say different things (MixDQ, Zhao et al. 2024).

Content, what is in the picture: KL divergence of the classifier's classes from those of full precision (in place of MixDQ's
text alignment). Quality, how it looks: relative squared error of the sample, their SQNR. One layer quantized at a time, all
from the same noise; MixDQ allocates bits to the layers that matter for content by the first, to the others by the second.

L layers, W weight options, A input options, N images, P pixels.
"""

import numpy as np

from domains.quant import generated
from domains.quant.predict.sensitivity import Sensitivity
from domains.quant.quantize.generator import Generator
from qd.support.spelling import unknown

NAMES = ("kl", "sqnr")


def tables(name: str, generator: Generator, noise: np.ndarray, labels: np.ndarray) -> Sensitivity:
    """Returns one of the two tables.

    Args:
        name: kl (content) or sqnr (quality).
        generator: L layers in W + A options.
        noise: [N, P].
        labels: [N].

    Returns:
        [L, W] and [L, A]; higher is worse.

    Raises:
        ValueError: there is none of that name.
    """
    if name not in NAMES:
        raise unknown("sensitivity of a diffusion model", name, NAMES)
    return dict(zip(NAMES, both(generator, noise, labels), strict=True))[name]


def both(
    generator: Generator, noise: np.ndarray, labels: np.ndarray, of_inputs: bool = True, of_weights: int | None = None
) -> tuple[Sensitivity, Sensitivity]:
    """Returns content and quality.

    Args:
        generator: L layers in W + A options.
        noise: [N, P].
        labels: [N].
        of_inputs: False: of weights alone; the tables of inputs are [L, 0].
        of_weights: how many weight options, the first ones; None: all W.
    """
    bank, full = generator.bank, generator.full(noise, labels)
    several = (of_weights or len(bank.weight_options), len(bank.activation_options) * of_inputs)
    configs = np.repeat(bank.full()[None], bank.size * sum(several), 0)
    places = [(i + kind * bank.size, option) for kind in (0, 1) for i in range(bank.size) for option in range(several[kind])]
    for row, (gene, option) in enumerate(places):
        configs[row, gene] = option
    samples = generator.sample(configs, noise, labels)
    quality = ((samples - full) ** 2).sum((1, 2)) / (full**2).sum()
    reference = generated.probabilities(full)
    content = np.array([_divergence(reference, generated.probabilities(each)) for each in samples])
    cut = bank.size * several[0]
    shaped = lambda damage: Sensitivity(
        damage[:cut].reshape(bank.size, several[0]), damage[cut:].reshape(bank.size, several[1])
    )
    return shaped(content), shaped(quality)


def _divergence(full: np.ndarray, other: np.ndarray) -> float:
    """Mean over images of KL(full || other), in nats."""
    return float((full * (np.log(full) - np.log(other))).sum(1).mean())
