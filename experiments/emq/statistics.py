"""Statistics of a network's layers, before any config is evaluated; domains/proxies/bench.py documents each.

L layers, S = 2L sites, O options, N images.
"""

import time
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from domains.proxies.record import NAMES, SOURCES
from domains.quant.networks.data import Images
from domains.quant.networks.layers import Network, linear
from domains.quant.predict import hessian
from domains.quant.quantize import calibration
from domains.quant.quantize.bank import Bank, fake_quantize
from qd.types import Array

PROBES, STEPS = 12, 4  # of Hutchinson's estimate; of power iteration


def statistics(bank: Bank, images: Images) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Returns statistics [T, S, O], eigenvalues [L], and CPU-seconds of the sources and of the eigenvalues.

    Seconds are of this single computation, compilation included.

    Args:
        bank: of the network, L layers.
        images: N training images.
    """
    network, n = bank.network, len(images.labels)
    columns: dict[str, np.ndarray] = _shapes(bank)
    seconds: dict[str, float] = {}

    def run_timed(source: str, compute: Callable[[], Any]) -> Any:
        begin = time.process_time()
        result = compute()
        seconds[source] = time.process_time() - begin
        return result

    columns |= run_timed("weights", lambda: _of_weights(network))
    columns["synflow"] = run_timed("synflow", lambda: _twice(synflow(network)))
    inputs = run_timed("inputs", lambda: calibration.inputs(network, images.pixels))
    columns |= _of_inputs(inputs)
    changes = run_timed("change", lambda: _changes(bank, inputs))
    gradients = run_timed("gradients", lambda: [*hessian.gradients(network, images), *input_gradients(network, images, inputs)])
    columns |= _products([*network.weights, *inputs], gradients, changes, n)
    traces = run_timed("traces", lambda: [hessian.traces(network, images, PROBES), input_traces(network, images, inputs)])
    columns["trace"] = np.concatenate(traces)[:, None]
    columns["omega"] = columns["trace"] * columns["change"]
    columns |= run_timed("measured", lambda: _measure(bank, images))
    eigenvalues = run_timed("eigenvalues", lambda: hessian.eigenvalues(network, images, STEPS))
    shape = columns["bits"].shape
    table = np.stack([np.broadcast_to(columns[name], shape) for name in NAMES]).astype(np.float32)
    table[:, ~np.isfinite(columns["bits"])] = np.nan
    return table, eigenvalues, np.array([seconds[name] for name in (*SOURCES, "eigenvalues")])


def synflow(network: Network) -> np.ndarray:
    """Sum of |w dR/dw| for R the output with absolute weights, no biases and an input of ones; largest layer 1, [L]."""
    weights = [jnp.abs(weight) for weight in network.weights]
    ones = jnp.ones((1, *network.layers[0].inputs))
    flow = lambda w: network.forward(lambda i, x: linear(network.layers[i], x, w[i]), ones).sum()
    flows = [float(jnp.abs(w * g).sum()) for w, g in zip(weights, jax.jit(jax.grad(flow))(weights), strict=True)]
    return np.array(flows) / max(*flows, 1e-30)


def input_gradients(network: Network, images: Images, inputs: list[np.ndarray]) -> list[np.ndarray]:
    """Returns the gradients of each image's own loss by each layer's inputs.

    Args:
        network: L layers.
        images: N images.
        inputs: of each layer, [N, ...].

    Returns:
        Gradients, shaped as the inputs.
    """
    loss = _loss_of_shifts(network, images)
    return [np.asarray(g) for g in jax.jit(jax.grad(loss))([jnp.zeros_like(x) for x in inputs])]


def input_traces(network: Network, images: Images, inputs: list[np.ndarray], seed: int = 0) -> np.ndarray:
    """Estimates the mean over images of tr(H) / elements, H by one image's input of a layer (Hutchinson 1989).

    Args:
        network: L layers.
        images: N images.
        inputs: of each layer, [N, ...].
        seed: of the probes.

    Returns:
        Traces [L].
    """
    slope, still = jax.grad(_loss_of_shifts(network, images)), [jnp.zeros_like(x) for x in inputs]
    product = jax.jit(lambda still, v: jax.jvp(slope, (still,), (v,))[1])
    random, traces = np.random.default_rng(seed), np.zeros(len(inputs))
    for _ in range(PROBES):
        v = [random.choice(np.array([-1.0, 1.0], np.float32), x.shape) for x in inputs]
        traces += [float((a * b).sum()) for a, b in zip(v, product(still, v), strict=True)]
    return traces / PROBES / np.array([x.size for x in inputs])


def _loss_of_shifts(network: Network, images: Images) -> Callable[[list[Array]], Array]:
    """Sum over images of the loss, as a function of what is added to the layers' inputs."""

    def loss(shifts: list[Array]) -> Array:
        apply = lambda i, x: linear(network.layers[i], x + shifts[i], network.weights[i]) + network.biases[i]
        logits = network.forward(apply, images.pixels)
        return -jax.nn.log_softmax(logits)[jnp.arange(len(logits)), images.labels].sum()

    return loss


def _shapes(bank: Bank) -> dict[str, np.ndarray]:
    several = (bank.weight_options, bank.activation_options)
    most = max(len(options) for options in several)
    rows = [[option.bits for option in options] + [np.nan] * (most - len(options)) for options in several]
    layers = bank.network.layers
    elements = [layer.parameters for layer in layers] + [int(np.prod(layer.inputs)) for layer in layers]
    return {
        "bits": np.repeat(np.array(rows, float), bank.size, 0),
        "elements": np.array(elements, float)[:, None],
        "macs": _twice(np.array([layer.macs for layer in layers], float)),
    }


def _of_weights(network: Network) -> dict[str, np.ndarray]:
    absolute = [np.abs(weight) for weight in network.weights]
    columns = {
        "abs": [w.mean() for w in absolute],
        "square": [(w**2).sum() for w in absolute],
        "max": [w.max() for w in absolute],
    }
    return {f"weight_{name}": _twice(np.array(column)) for name, column in columns.items()}


def _of_inputs(inputs: list[np.ndarray]) -> dict[str, np.ndarray]:
    absolute = [np.abs(x) for x in inputs]
    columns = {"abs": [x.mean() for x in absolute], "square": [(x**2).sum() / len(x) for x in absolute]}
    columns["max"] = [x.max() for x in absolute]
    return {f"input_{name}": _twice(np.array(column)) for name, column in columns.items()}


def _changes(bank: Bank, inputs: list[np.ndarray]) -> list[list[np.ndarray]]:
    """Q(x) - x of each site and option."""
    of_kernels = [list(several[:-1] - several[-1]) for several in bank.weights]
    scales = bank.scales[:, :-1]
    return of_kernels + [[np.asarray(fake_quantize(x, s)) - x for s in each] for x, each in zip(inputs, scales, strict=True)]


def _products(
    tensors: list[np.ndarray], gradients: list[np.ndarray], changes: list[list[np.ndarray]], n: int
) -> dict[str, np.ndarray]:
    """Statistics of tensors, their gradients and their changes; sums over inputs are for one image."""
    count = np.array([1.0] * (len(tensors) // 2) + [n] * (len(tensors) // 2))[:, None]
    each = list(zip(gradients, changes, strict=True))
    square = np.array([[(x**2).sum()] for x in tensors]) / count
    options = max(len(several) for several in changes)
    padded = lambda rows: np.array([[*row, *[np.nan] * (options - len(row))] for row in rows]) / count
    change = padded([[(d**2).sum() for d in several] for several in changes])
    return {
        "change": change,
        "change_abs": padded([[np.abs(d).sum() for d in several] for several in changes]),
        "error": change / np.maximum(square, 1e-30),
        "gradient_abs": np.array([[np.abs(g).mean()] for g in gradients]),
        "gradient_square": np.array([[(g**2).sum()] for g in gradients]) / count,
        "saliency": np.array([[np.abs(g * x).sum()] for g, x in zip(gradients, tensors, strict=True)]) / count,
        "snip": padded([[np.abs(g * d).sum() for d in several] for g, several in each]),
        "fisher": padded([[(g**2 * d**2).sum() for d in several] for g, several in each]),
    }


def _measure(bank: Bank, images: Images) -> dict[str, np.ndarray]:
    """Changes of the outputs where one site alone is quantized."""
    several = [len(bank.weight_options)] * bank.size + [len(bank.activation_options)] * bank.size
    full, rows = bank.full(), np.arange(len(images.labels))
    configs = np.repeat(full[None], 1 + sum(several), 0)
    places = [(site, option) for site, count in enumerate(several) for option in range(count)]
    for row, (site, option) in enumerate(places, 1):
        configs[row, site] = option
    logits = bank.logits(configs, images.pixels)
    log_p = _log_softmax(logits)
    each = {
        "kl": (np.exp(log_p[0]) * (log_p[0] - log_p[1:])).sum(-1).mean(-1),
        "loss": (log_p[0, rows, images.labels] - log_p[1:, rows, images.labels]).mean(-1),
        "logit": ((logits[1:] - logits[0]) ** 2).mean((1, 2)),
    }
    tables = {name: np.full((2 * bank.size, max(several)), np.nan) for name in each}
    for name, column in each.items():
        tables[name][tuple(np.array(places).T)] = column
    return tables


def _log_softmax(x: np.ndarray) -> np.ndarray:
    x = x - x.max(-1, keepdims=True)
    return x - np.log(np.exp(x).sum(-1, keepdims=True))


def _twice(column: np.ndarray) -> np.ndarray:
    """Repeats a column of layers for kernels and for inputs, [S, 1]."""
    return np.concatenate([column, column])[:, None]
