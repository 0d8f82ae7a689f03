"""Predicted damage of each option of each layer: tables that add up over layers, from measuring, from errors, from gradients.

Measured, one layer quantized at a time: loss, kl (ZeroQ, Cai et al. 2020, eq. 3), flips (predictions that change).
From the error that an option makes: layer_error, sqnr. Weighed by gradients: snip (Lee et al. 2019), fisher, relevance
(input times gradient, Montavon et al. 2018). By curvature: hawq_v1 and omega (Dong et al. 2019, 2020).

L layers, W weight options, A activation options, N images.
"""

from collections.abc import Callable
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from domains.quant.networks.data import Images
from domains.quant.networks.layers import linear
from domains.quant.predict import hessian
from domains.quant.quantize import calibration
from domains.quant.quantize.bank import Bank, fake_quantize
from qd.support.errors import UserError
from qd.support.spelling import unknown
from qd.types import Array


class Sensitivity(NamedTuple):
    """Predicted damage; higher is worse."""

    weights: np.ndarray  # [L, W]
    activations: np.ndarray  # [L, A]

    def of(self, bank: Bank, solutions: np.ndarray) -> np.ndarray:
        """Adds up over layers: a proxy for how bad configs are.

        Args:
            bank: that the tables were made of.
            solutions: [B, 2L].

        Returns:
            [B] in the unit of the tables; higher is worse.
        """
        of_weights, of_inputs = bank.split(solutions)
        rows = np.arange(bank.size)
        return self.weights[rows, of_weights].sum(1) + self.activations[rows, of_inputs].sum(1)


def tables(name: str, bank: Bank, images: Images) -> Sensitivity:
    """Returns a table by its name.

    Args:
        name: one of NAMES.
        bank: L layers in W + A options.
        images: N images with labels to predict from.

    Returns:
        Damage by layer and option, [L, W] and [L, A], in the unit of that sensitivity.

    Raises:
        ValueError: there is none of that name.
    """
    if name not in NAMES:
        raise unknown("sensitivity", name, NAMES)
    if bank.network.forward.data == "text" and name not in MEASURED:
        raise UserError(f"the table of {name} is not for language models", f"type domain.proxy={' or '.join(MEASURED)}")
    return NAMES[name](bank, images)


def kl(bank: Bank, images: Images) -> Sensitivity:
    """Mean KL divergence from full precision, one layer quantized at a time; needs no labels (ZeroQ, Cai et al. 2020, eq. 3).

    Args:
        bank: of a classifier.
        images: N images; their labels are not used.

    Returns:
        KL(full precision || quantized), mean over images, in nats: [L, W] and [L, A].
    """

    def divergence(logits: np.ndarray, full: np.ndarray) -> np.ndarray:
        p = _log_softmax(full)
        return (np.exp(p) * (p - _log_softmax(logits))).sum(-1).mean(-1)

    return _one_at_a_time(bank, images, divergence)


def loss(bank: Bank, images: Images) -> Sensitivity:
    """How much the cross-entropy rises, one layer quantized at a time.

    Args:
        bank: of a classifier.
        images: N images with labels.

    Returns:
        The rise of the mean over images in nats, 0 where it falls: [L, W] and [L, A].
    """
    labels = images.labels.reshape(-1)
    rows = np.arange(len(labels))

    def increase(logits: np.ndarray, full: np.ndarray) -> np.ndarray:
        rise = _log_softmax(full)[rows, labels] - _log_softmax(logits)[:, rows, labels]
        return np.maximum(rise.mean(-1), 0)

    return _one_at_a_time(bank, images, increase)


def flips(bank: Bank, images: Images) -> Sensitivity:
    """Share of predictions that change, one layer quantized at a time; needs no labels; arguments as in ``kl``.

    Returns:
        Shares in 0..1: [L, W] and [L, A].
    """
    return _one_at_a_time(bank, images, lambda logits, full: (logits.argmax(-1) != full.argmax(-1)).mean(-1))


def layer_error(bank: Bank, images: Images) -> Sensitivity:
    """Each layer's relative squared error, of weights and of inputs.

    Args:
        bank: L layers in W + A options.
        images: N images, which give the inputs in full precision; their labels are not used.

    Returns:
        Squared change divided by squared value, both summed over a layer: [L, W] and [L, A].
    """
    changes = _weight_changes(bank)
    of_weights = [
        (change**2).sum(tuple(range(1, change.ndim))) / (weight**2).sum()
        for change, weight in zip(changes, bank.network.weights, strict=True)
    ]
    inputs = calibration.inputs(bank.network, images.pixels)
    input_changes = [_input_changes(bank, i, x) for i, x in enumerate(inputs)]
    of_inputs = [[(change**2).sum() / (x**2).sum() for change in each] for each, x in zip(input_changes, inputs, strict=True)]
    return Sensitivity(np.array(of_weights), np.array(of_inputs))


def sqnr(bank: Bank, images: Images) -> Sensitivity:
    """Negative signal-to-noise ratio in decibels: 10 log10 of the relative squared error; arguments as in ``layer_error``.

    Returns:
        Decibels, -120 or more: [L, W] and [L, A].
    """
    return Sensitivity(*(10 * np.log10(np.maximum(table, 1e-12)) for table in layer_error(bank, images)))


def snip(bank: Bank, images: Images) -> Sensitivity:
    """Sum of |gradient times change| (Lee et al. 2019); arguments as in ``loss``.

    Returns:
        [L, W], with the root mean square of the gradients over images, and [L, A], the mean over images.
    """
    return _by_gradients(bank, images, lambda gradient, change: np.abs(gradient * change).sum())


def fisher(bank: Bank, images: Images) -> Sensitivity:
    """Sum of squared gradient times squared change: the diagonal of the empirical Fisher matrix; arguments as in ``loss``.

    Returns:
        [L, W], with the mean of the squared gradients over images, and [L, A], the mean over images.
    """
    return _by_gradients(bank, images, lambda gradient, change: (gradient**2 * change**2).sum())


def relevance(bank: Bank, images: Images) -> Sensitivity:
    """Each layer's |input times gradient of the chosen logit| (Montavon et al. 2018), times its relative squared errors.

    Arguments as in ``kl``.

    Returns:
        layer_error times the layer's relevance, summed over its inputs, mean over images: [L, W] and [L, A].
    """
    inputs, gradients = _input_gradients(bank, images, of_top_logit=True)
    weight = np.array([np.abs(x * g).mean() * x[0].size for x, g in zip(inputs, gradients, strict=True)])
    return Sensitivity(*(weight[:, None] * table for table in layer_error(bank, images)))


def hawq_v1(bank: Bank, images: Images) -> Sensitivity:
    """Top eigenvalue of each layer's Hessian times the squared change (Dong et al. 2019); inputs by KL, on the same scale.

    Arguments as in ``loss``.

    Returns:
        [L, W], where a negative eigenvalue counts as 0, and [L, A], KL times the ratio of the weights' medians.
    """
    return _by_curvature(bank, images, hessian.eigenvalues(bank.network, images))


def omega(bank: Bank, images: Images) -> Sensitivity:
    """Average trace of each layer's Hessian times the squared change (Dong et al. 2020); inputs by KL, on the same scale.

    Arguments as in ``loss``.

    Returns:
        [L, W], where a negative trace counts as 0, and [L, A], KL times the ratio of the weights' medians.
    """
    return _by_curvature(bank, images, hessian.traces(bank.network, images))


def agreement(bank: Bank, solutions: np.ndarray, images: np.ndarray) -> np.ndarray:
    """Share of a few unlabelled images that B whole configs classify as full precision does: no table, but cheap and good.

    Args:
        bank: of a classifier.
        solutions: configs [B, 2L].
        images: pixels [N, H, W, 1].

    Returns:
        [B] in 0..1.

    Raises:
        ValueError: the configs have another number of genes, or a gene is no index of an option.
    """
    logits = bank.logits(np.concatenate([bank.full()[None], solutions]), images)
    return (logits[1:].argmax(2) == logits[0].argmax(1)).mean(1)


MEASURED = ("kl", "loss", "flips")  # one layer quantized at a time
_TOGETHER = 32  # configs whose outputs are held at a time

NAMES: dict[str, Callable[[Bank, Images], Sensitivity]] = {
    "kl": kl,
    "loss": loss,
    "flips": flips,
    "layer_error": layer_error,
    "sqnr": sqnr,
    "snip": snip,
    "fisher": fisher,
    "relevance": relevance,
    "hawq_v1": hawq_v1,
    "omega": omega,
}


def _one_at_a_time(bank: Bank, images: Images, damage_of: Callable[[np.ndarray, np.ndarray], np.ndarray]) -> Sensitivity:
    layers, several = bank.size, (len(bank.weight_options), len(bank.activation_options))
    full = bank.full()
    configs = np.repeat(full[None], 1 + layers * sum(several), 0)
    places = [(i + kind * layers, option) for kind in (0, 1) for i in range(layers) for option in range(several[kind])]
    for row, (gene, option) in enumerate(places, 1):
        configs[row, gene] = option
    reference = bank.logits(configs[:1], images.pixels)[0]
    pieces = np.array_split(configs[1:], -(-(len(configs) - 1) // _TOGETHER))
    damage = np.concatenate([damage_of(bank.logits(piece, images.pixels), reference) for piece in pieces])
    of_weights = layers * several[0]
    return Sensitivity(damage[:of_weights].reshape(layers, -1), damage[of_weights:].reshape(layers, -1))


def _by_gradients(bank: Bank, images: Images, damage_of: Callable[[np.ndarray, np.ndarray], float]) -> Sensitivity:
    gradients = hessian.gradients(bank.network, images)
    changes = _weight_changes(bank)
    of_weights = [[damage_of(g, change) for change in each] for g, each in zip(gradients, changes, strict=True)]
    inputs, pulls = _input_gradients(bank, images)
    several = [_input_changes(bank, i, x) for i, x in enumerate(inputs)]
    of_inputs = [[damage_of(g, change) / len(change) for change in each] for g, each in zip(pulls, several, strict=True)]
    return Sensitivity(np.array(of_weights), np.array(of_inputs))


def _by_curvature(bank: Bank, images: Images, curvature: np.ndarray) -> Sensitivity:
    squares = [(change**2).sum(tuple(range(1, change.ndim))) for change in _weight_changes(bank)]
    of_weights = np.maximum(curvature, 0)[:, None] * np.array(squares)
    divergences = kl(bank, images)
    scale = np.median(of_weights) / max(float(np.median(divergences.weights)), 1e-12)
    return Sensitivity(of_weights, divergences.activations * scale)


def _weight_changes(bank: Bank) -> list[np.ndarray]:
    return [several[:-1] - several[-1] for several in bank.weights]  # each [W, *shape]


def _input_changes(bank: Bank, i: int, x: np.ndarray) -> list[np.ndarray]:
    return [np.asarray(fake_quantize(x, scale)) - x for scale in bank.scales[i, :-1]]


def _input_gradients(bank: Bank, images: Images, of_top_logit: bool = False) -> tuple[list[np.ndarray], list[np.ndarray]]:
    """Each layer's inputs and the gradients there, of each image's own loss, or of its highest logit."""
    network = bank.network
    inputs = calibration.inputs(network, images.pixels)

    def total(shifts: list[Array]) -> Array:
        apply = lambda i, x: linear(network.layers[i], x + shifts[i], network.weights[i]) + network.biases[i]
        logits = network.forward(apply, images.pixels)
        if of_top_logit:
            return logits.max(1).sum()
        return -jax.nn.log_softmax(logits)[jnp.arange(len(logits)), images.labels].sum()

    gradients = jax.jit(jax.grad(total))([jnp.zeros_like(x) for x in inputs])
    return inputs, [np.asarray(gradient) for gradient in gradients]


def _log_softmax(x: np.ndarray) -> np.ndarray:
    x = x - x.max(-1, keepdims=True)
    return x - np.log(np.exp(x).sum(-1, keepdims=True))
