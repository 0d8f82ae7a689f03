"""A small language model in which all that is multiplied can be quantized: products by weights, by keys, and by values.

Blocks of attention with rotary places (Su et al. 2021) and a two-layer net with squared ReLU, each after dividing by the root
mean square without a learned scale. Inputs are embedded tokens; the embedding itself stays in 16 bits. N windows, T tokens,
D width, H heads, V pieces.
"""

from dataclasses import dataclass, replace
from functools import cached_property, lru_cache
from pathlib import Path
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from domains.quant.networks import shipped
from domains.quant.networks.layers import Apply, Layer, Network, split_heads
from domains.quant.networks.text import Pieces
from qd.types import Array

WEIGHTS = Path(__file__).parent / "weights" / "language.npz"
SHA256 = "89dc912c50156e7ea3ea61412472da4a09ef9e2f621404915de102af8042c25f"
TRAIN_AGAIN = "python -m domains.quant.networks.train_language"
OUTLIERS = {"language": 1.0, "language_outliers": 30.0}  # name of a network -> how large its planted channels are
PARTS = ("query", "key", "value", "keys", "values", "output", "up", "down")  # layers of a block, in order
_PLANTED = 3  # channels with outliers


@dataclass(frozen=True)
class Language:
    """Its form. ``outliers`` above 1 plants channels that are so many times as large, with the weights behind them divided."""

    blocks: int = 4
    width: int = 128
    heads: int = 4
    tokens: int = 128
    pieces: int = 1024
    outliers: float = 1.0
    data: str = "text"

    @cached_property
    def layers(self) -> tuple[Layer, ...]:
        d, t = self.width, self.tokens
        shapes = {"up": (d, 4 * d), "down": (4 * d, d)}

        def layer(block: int, part: str) -> Layer:
            name = f"block{block}.{part}"
            if part in ("keys", "values"):
                return Layer(name, part, (t, d), (self.heads, t, d // self.heads), t * t * d)
            shape = shapes.get(part, (d, d))
            return Layer(name, "dense", shape, (t, shape[0]), t * shape[0] * shape[1])

        head = Layer("head", "dense", (d, self.pieces), (t, d), t * d * self.pieces)
        return (*(layer(b, part) for b in range(self.blocks) for part in PARTS), head)

    def __call__(self, apply: Apply, x: Array) -> Array:
        """Embedded tokens [N, T, D] -> logits of the next token, [N * T, V]."""
        for b in range(self.blocks):
            x = self.block(b, apply, x)
        return apply(len(self.layers) - 1, _even(x) * self.scale()).reshape(-1, self.pieces)

    def block(self, b: int, apply: Apply, x: Array) -> Array:
        """Runs one block.

        Args:
            b: which block, from 0.
            apply: multiplies in a layer, as in ``__call__``.
            x: what goes in, [N, T, D].

        Returns:
            What comes out, [N, T, D].
        """
        scale, turn = self.scale(), rotary_places(x.shape[1], self.width // self.heads)
        later = jnp.triu(jnp.full((x.shape[1], x.shape[1]), -1e9), 1)
        query, key, value, keys, values, output, up, down = range(len(PARTS) * b, len(PARTS) * (b + 1))
        y = _even(x) * scale
        q, k, v = (split_heads(apply(i, y), self.heads) for i in (query, key, value))
        q = _rotary(q, turn) / (self.width / self.heads) ** 0.5
        attention = jax.nn.softmax(apply(keys, q, _rotary(k, turn)) + later, -1)
        x = x + apply(output, apply(values, attention, v).swapaxes(1, 2).reshape(x.shape))
        return x + apply(down, jax.nn.relu(apply(up, _even(x) * scale)) ** 2)

    def scale(self) -> np.ndarray:
        """Factors after each norm, [D]: 1 but for planted channels."""
        factors = np.ones(self.width, np.float32)
        factors[np.linspace(0, self.width, _PLANTED, endpoint=False, dtype=int) + 5] = self.outliers
        return factors

    def after_norm(self, i: int) -> bool:
        """Returns whether layer i multiplies what a norm gave."""
        return self.layers[i].name.split(".")[-1] in ("query", "key", "value", "up", "head")


class Stored(NamedTuple):
    """What the file of weights holds besides layers."""

    embedding: np.ndarray  # float32 [V, D]
    pieces: Pieces
    windows: dict[str, np.ndarray]  # split -> int32 [N, T + 1], excerpts of the text
    documents: dict[str, np.ndarray]  # split -> each window's document [N]


@lru_cache(maxsize=4)
def load(outliers: float = 1.0) -> Network:
    """Returns the trained network.

    Args:
        outliers: how many times as large the planted channels are; 1: none is planted. The outputs are the same.

    Raises:
        UserError: the weights are missing, or have another checksum.
    """
    arrays, form = _arrays(), Language(outliers=outliers)
    weights = [arrays[f"weight{i}"].astype(np.float32) for i in range(len(form.layers))]
    factors = form.scale()[:, None]
    weights = [weight / factors if form.after_norm(i) else weight for i, weight in enumerate(weights)]
    biases = tuple(arrays[f"bias{i}"].astype(np.float32) for i in range(len(form.layers)))
    (name,) = (name for name, planted in OUTLIERS.items() if planted == outliers)
    return Network(name, form, tuple(weights), biases)


@lru_cache(maxsize=1)
def stored() -> Stored:
    """Returns embedding, pieces and excerpts of the text. Raises UserError as ``load`` does."""
    arrays = _arrays()
    ends = np.cumsum(arrays["lengths"].astype(int))
    text = arrays["pieces"].tobytes()
    pieces = Pieces(tuple(text[end - length : end] for end, length in zip(ends, arrays["lengths"].astype(int), strict=True)))
    split = lambda kind: {key[len(kind) :]: arrays[key].astype(np.int32) for key in arrays if key.startswith(kind)}
    return Stored(arrays["embedding"].astype(np.float32), pieces, split("windows_"), split("documents_"))


def embed(tokens: np.ndarray) -> np.ndarray:
    """Tokens int [..., T] -> float32 [..., T, D]."""
    return stored().embedding[tokens]


def write(path: Path, network: Network, rest: Stored) -> None:
    """Writes a file of weights, 16 bits each.

    Args:
        path: an .npz file, replaced where it exists.
        network: of the form Language without outliers.
        rest: all else that belongs into the file.
    """
    half = {f"weight{i}": x.astype(np.float16) for i, x in enumerate(network.weights)}
    half |= {f"bias{i}": x.astype(np.float16) for i, x in enumerate(network.biases)}
    pieces = {
        "pieces": np.frombuffer(b"".join(rest.pieces.pieces), np.uint8),
        "lengths": rest.pieces.lengths.astype(np.uint8),
    }
    excerpts = {f"windows_{split}": x.astype(np.uint16) for split, x in rest.windows.items()}
    excerpts |= {f"documents_{split}": x.astype(np.uint16) for split, x in rest.documents.items()}
    path.parent.mkdir(parents=True, exist_ok=True)
    np.savez_compressed(path, embedding=rest.embedding.astype(np.float16), **half, **pieces, **excerpts)  # type: ignore[arg-type]


def empty(form: Language, layers: dict[int, np.ndarray], biases: dict[int, np.ndarray]) -> Network:
    """Returns a network of trained arrays; layers of keys and values have none.

    Args:
        form: its form.
        layers: number of a layer -> its kernel.
        biases: number of a layer -> its bias.
    """
    zero = np.zeros((), np.float32)
    several = range(len(form.layers))
    return Network("language", form, tuple(layers.get(i, zero) for i in several), tuple(biases.get(i, zero) for i in several))


def resized(network: Network, **settings: int) -> Network:
    """Returns the network with another form, e.g. for windows of another length.

    Args:
        network: of ``Transformer``.
        settings: fields of its form that change.
    """
    return replace(network, forward=replace(network.forward, **settings))


@lru_cache(maxsize=1)
def _arrays() -> dict[str, np.ndarray]:
    return shipped.arrays(WEIGHTS, SHA256, TRAIN_AGAIN, "language.py")


def _even(x: Array) -> Array:
    return x / jnp.sqrt((x**2).mean(-1, keepdims=True) + 1e-6)


def rotary_places(tokens: int, width: int) -> tuple[np.ndarray, np.ndarray]:
    """Returns cosines and sines of rotary places.

    Args:
        tokens: T.
        width: d, numbers of a head.

    Returns:
        Two arrays [T, d / 2].
    """
    angle = np.arange(tokens)[:, None] / 10_000 ** (np.arange(width // 2) / (width // 2))
    return np.cos(angle).astype(np.float32), np.sin(angle).astype(np.float32)


def _rotary(x: Array, turn: tuple[np.ndarray, np.ndarray]) -> Array:
    """Turns each pair (x_i, x_{i + d/2}) of a head's numbers by its token's angle."""
    one, two = jnp.split(x, 2, -1)
    cos, sin = turn
    return jnp.concatenate([one * cos - two * sin, two * cos + one * sin], -1)
