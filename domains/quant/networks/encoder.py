"""The sentence encoder all-MiniLM-L6-v2 in JAX: six BERT blocks (Devlin et al. 2019), mean over tokens, length 1.

Weights come by `qd fetch minilm_f32`. Its 36 products (query, key, value, output, up, down of each block) are what is
quantized; embeddings, norms, softmax and GELU stay float32. N sentences, T tokens, D = 384, H = 12 heads.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property, lru_cache
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
from safetensors.numpy import load_file

from domains.quant.networks.layers import Apply, Layer, Network, attention_blocks, split_heads
from domains.quant.networks.wordpiece import Words
from qd.support.cache_dirs import cache_path
from qd.support.errors import UserError
from qd.types import Array

_PLACES = ("attention.self.query", "attention.self.key", "attention.self.value", "attention.output.dense")
_INSIDE = (*_PLACES, "intermediate.dense", "output.dense")
_BYTES = 90_868_376


@dataclass(frozen=True)
class Encoder:
    """Its form. It takes embedded tokens, padded with zeros to ``tokens``; longer sentences are cut."""

    blocks: int = 6
    width: int = 384
    heads: int = 12
    tokens: int = 32
    data: str = "sentences"

    @cached_property
    def layers(self) -> tuple[Layer, ...]:
        return attention_blocks(self.blocks, self.width, 4 * self.width, self.tokens)

    def __call__(self, apply: Apply, x: Array) -> Array:
        """Embedded tokens [N, T, D] -> unit vectors [N, D]."""
        norms, is_token = _norms(), (x != 0).any(-1)
        for b in range(self.blocks):
            q, k, v = (split_heads(apply(6 * b + i, x), self.heads) for i in range(3))
            score = jnp.where(is_token[:, None, None], q @ k.swapaxes(2, 3) / (self.width / self.heads) ** 0.5, -1e9)
            attention = (jax.nn.softmax(score, -1) @ v).swapaxes(1, 2).reshape(x.shape)
            x = _norm(x + apply(6 * b + 3, attention), norms[f"norm{b}.attention"])
            up = jax.nn.gelu(apply(6 * b + 4, x), approximate=False)
            x = _norm(x + apply(6 * b + 5, up), norms[f"norm{b}.output"])
        mean = (x * is_token[..., None]).sum(1) / is_token.sum(1, keepdims=True)
        return mean / jnp.linalg.norm(mean, axis=1, keepdims=True)


def folder() -> Path:
    """Returns where `qd fetch minilm_f32` puts it."""
    return cache_path("weights", "minilm_f32")


def embed(sentences: Sequence[str], tokens: int = 32) -> np.ndarray:
    """Returns the first block's input; zeros where a sentence has ended.

    Args:
        sentences: N texts.
        tokens: T, to which each sentence is padded or cut, [CLS] and [SEP] included.

    Returns:
        float32 [N, T, D]: sums of word, position and type embeddings, after layer norm.

    Raises:
        ValueError: the encoder's weights or vocabulary are missing, or the weights' file has another size.
    """
    numbers, weights = _words().encode(sentences, tokens), tensors()
    words, places, kinds = (weights[f"embeddings.{name}_embeddings.weight"] for name in ("word", "position", "token_type"))
    x = _norm(words[numbers] + places[:tokens] + kinds[0], _pair("embeddings.LayerNorm"))
    return (x * (numbers > 0)[..., None]).astype(np.float32)


@lru_cache(maxsize=1)
def load() -> Network:
    """Returns the trained encoder. Raises ValueError where its weights are not on this machine."""
    form, arrays = Encoder(), tensors()
    names = [f"encoder.layer.{b}.{place}" for b in range(form.blocks) for place in _INSIDE]
    weights = tuple(np.ascontiguousarray(arrays[f"{name}.weight"].T) for name in names)
    return Network("minilm", form, weights, tuple(arrays[f"{name}.bias"] for name in names))


@lru_cache(maxsize=1)
def tensors() -> dict[str, np.ndarray]:
    """Reads every tensor of the weights' file: name -> float32."""
    path = folder() / "model.safetensors"
    if not path.is_file():
        raise UserError(f"the encoder's weights are not in {path.parent}", "type qd fetch minilm_f32")
    if path.stat().st_size != _BYTES:
        raise UserError(
            f"{path} has {path.stat().st_size} bytes and not {_BYTES}",
            "delete it and type qd fetch minilm_f32, which compares its checksum",
        )
    return load_file(path)


@lru_cache(maxsize=1)
def _norms() -> dict[str, np.ndarray]:
    """Scale and shift of each block's two norms, [2, D]."""
    places = {"attention": "attention.output", "output": "output"}
    blocks = range(Encoder().blocks)
    return {f"norm{b}.{name}": _pair(f"encoder.layer.{b}.{at}.LayerNorm") for b in blocks for name, at in places.items()}


def _pair(place: str) -> np.ndarray:
    return np.stack([tensors()[f"{place}.weight"], tensors()[f"{place}.bias"]])


@lru_cache(maxsize=1)
def _words() -> Words:
    path = folder() / "vocab.txt"
    if not path.is_file():
        raise UserError(f"the encoder's vocabulary is not in {path.parent}", "type qd fetch minilm_f32")
    return Words.read(path)


def _norm(x: Array, scale_and_shift: Array) -> Array:
    mean = x.mean(-1, keepdims=True)
    variance = ((x - mean) ** 2).mean(-1, keepdims=True)
    return (x - mean) / (variance + 1e-12) ** 0.5 * scale_and_shift[0] + scale_and_shift[1]
