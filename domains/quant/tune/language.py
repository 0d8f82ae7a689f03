"""Trains the shipped language model on, with rounding in its forward pass, and stores what bits need: QuEST and nested weights.

    python -m domains.quant.tune.language   # wants the text of train_language; prints the checksum

Adam on the kernels alone: embedding, biases and all between layers stay, so that a tuned kernel can take the place of the
shipped one in any config. K inputs of a layer, O outputs, T tokens of a window.
"""

import hashlib
import sys
from collections.abc import Sequence
from functools import lru_cache
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import optax

from domains.quant.networks import language, text
from domains.quant.networks.layers import Apply, Network, linear
from domains.quant.networks.train_language import batches
from domains.quant.quantize import tuned
from domains.quant.quantize.estimators import NESTED, Full, Gaussian, Groups, Nested
from qd.support.errors import UserError
from qd.types import Array

BATCH = 8  # windows a step
# the highest learning rates, chosen on validation windows: at 1, 2, 4 and 8 bits of two or three, at 3 as at 4
PEAKS, NESTED_PEAK = {1: 4e-3, 2: 2e-3, 3: 1e-3, 4: 1e-3, 8: 3e-4}, 5e-4
STEPS, NESTED_STEPS = 100, 40  # of what is shipped
Way = Full | Gaussian | Nested | Groups
Params = dict[int, dict[str, Array]]  # number of a layer -> what is trained of it


def main(out: str = "", steps: int | str = STEPS, nested_steps: int | str = NESTED_STEPS) -> None:
    """Tunes 1, 2, 3 and 4 bits, each by itself, and nested bits together; writes the file and prints its checksum.

    Args:
        out: the file to write; empty: the one that is read.
        steps: of training, for each number of bits.
        nested_steps: of training, for all numbers of bits together.
    """
    network, path = language.load(), Path(out) if out else tuned.FILE
    codes = {}
    for bits in tuned.BITS:
        codes |= tuned.quest_codes(tune(network, [Gaussian(bits)], int(steps), peak=PEAKS[bits]), bits)
    nested = tune(network, [Nested(bits) for bits in NESTED], int(nested_steps), balanced=True, peak=NESTED_PEAK)
    tuned.write(path, codes | tuned.nested_codes(nested))
    print(f"{path}: {path.stat().st_size} bytes, sha256 {hashlib.sha256(path.read_bytes()).hexdigest()}")


def tune(
    network: Network,
    ways: Sequence[Way],
    steps: int,
    seed: int = 0,
    guided: bool = False,
    balanced: bool = False,
    begin: Params | None = None,
    only: tuple[str, ...] = (),
    peak: float = NESTED_PEAK,
) -> Params:
    """Trains the kernels with rounding in the forward pass, on windows of the training documents.

    Args:
        network: the language model.
        ways: to round; in each step the loss is the mean over all of them.
        steps: how many.
        seed: of the order of windows.
        guided: the first way learns from the text, each other one from the way before it; of more than three ways, those
            between the first and the last take turns (the group progressive guidance of EQ-Net, Xu et al. 2023).
        balanced: learned scales of b bits move 10^(-(8 - b) / 2) times as fast (after ALRS of Double Rounding).
        begin: where training begins; None: at the network's kernels.
        only: names of parameters that are trained; empty: all.
        peak: the highest learning rate, reached after a tenth of the steps, from which it falls to 0.

    Returns:
        Number of a layer -> its trained parameters; layers of keys and values have none.

    Raises:
        UserError: the text is not on this machine.
    """
    form = network.forward
    assert begin or not isinstance(ways[0], Groups)  # which groups stay is chosen before
    params = begin or start(network, ways[0])  # type: ignore[arg-type]
    slower = 10.0 ** (np.arange(-7, 1)[:, None] / 2) if balanced else 1.0
    names = {name for layer in params.values() for name in layer}
    factors = {name: (slower if name == "logs" else 1.0) * (not only or name in only) for name in names}
    step, fixed = _stepper(form, guided), (language.stored().embedding, network.biases)
    rate = optax.warmup_cosine_decay_schedule(peak / 10, peak, max(steps // 10, 1), steps)
    memory = optax.scale_by_adam(b2=0.95).init(params)
    for i, tokens in enumerate(batches(stream(), form.tokens, steps, seed, BATCH)):
        several = ways if not guided or len(ways) < 4 else (ways[0], ways[1 + i % (len(ways) - 2)], ways[-1])
        rates = {name: rate(i) * each for name, each in factors.items()}
        params, memory = step(params, memory, rates, fixed, tokens, tuple(several))
    return params


def start(network: Network, way: Full | Gaussian | Nested) -> Params:
    """Returns what is trained of each layer, as it is before training.

    Args:
        network: the language model.
        way: to round.
    """
    return {i: way.params(network.weights[i]) for i, layer in enumerate(network.layers) if not layer.is_cached}


def logits(network: Network, params: Params, way: Way, x: np.ndarray) -> np.ndarray:
    """Returns what the tuned network makes of each next token, [N * T, V].

    Args:
        network: the language model.
        params: of each layer.
        way: to round.
        x: embedded tokens [N, T, D].
    """
    return np.asarray(_forward(network.forward)(params, network.biases, way, x))


@lru_cache(maxsize=2)
def _forward(form: Any) -> Any:
    return jax.jit(lambda params, biases, way, x: form(_apply(form, params, biases, way), x))


@lru_cache(maxsize=1)
def stream() -> np.ndarray:
    """Returns all training documents in the pieces of the shipped network, int32 [tokens].

    Raises:
        UserError: the text is not on this machine.
    """
    pieces = language.stored().pieces
    return np.concatenate([pieces.encode(each) for each in text.documents()["train"].values()])


@lru_cache(maxsize=8)
def _stepper(form: Any, guided: bool) -> Any:
    """The compiled step: (params, memory, learning rates by name, (embedding, biases), tokens, ways) -> params, memory."""
    rule = optax.scale_by_adam(b2=0.95)

    def step(params: Params, memory: Any, rates: Any, fixed: Any, tokens: Array, ways: tuple[Way, ...]) -> tuple[Params, Any]:
        gradient = jax.grad(lambda p: _loss(p, form, fixed, tokens, ways, guided))(params)
        update: Any
        update, memory = rule.update(gradient, memory)  # shaped as params
        moved = {i: {name: x - rates[name] * update[i][name] for name, x in layer.items()} for i, layer in params.items()}
        return moved, memory

    return jax.jit(step)


def _loss(params: Params, form: Any, fixed: Any, tokens: Array, ways: tuple[Way, ...], guided: bool) -> Array:
    embedding, biases = fixed
    x, targets, losses, before = jnp.asarray(embedding)[tokens[:, :-1]], tokens[:, 1:].reshape(-1), [], None
    for way in ways:
        logits = form(_apply(form, params, biases, way), x)
        if guided and before is not None:
            losses.append(-(jax.nn.softmax(jax.lax.stop_gradient(before)) * jax.nn.log_softmax(logits)).sum(-1).mean())
        else:
            losses.append(optax.softmax_cross_entropy_with_integer_labels(logits, targets).mean())
        before = logits
    return jnp.stack(losses).mean()


def _apply(form: Any, params: Params, biases: Any, way: Way) -> Apply:
    def apply(i: int, x: Array, *stored: Array) -> Array:
        return linear(form.layers[i], x, x, *stored) if stored else way.multiply(x, params[i]) + biases[i]

    return apply


if __name__ == "__main__":
    try:
        main(*sys.argv[1:])
    except UserError as error:
        sys.exit(str(error))
