"""The encoder against a forward pass written for itself in NumPy, float64; word pieces against a tiny vocabulary."""

import json
from pathlib import Path

import jax
import numpy as np
import pytest
from scipy.special import erf, softmax

from domains.quant.networks import encoder, registry
from domains.quant.networks.wordpiece import Words

SENTENCES = ["A man is eating food.", "A man is eating a piece of bread.", "Zürich's trams run, mostly, on time!", "Yes"]
HERE = encoder.folder()  # before any test has a cache of its own
THERE = (HERE / "model.safetensors").is_file() and (HERE / "vocab.txt").is_file()
needs_weights = pytest.mark.skipif(not THERE, reason="needs the encoder's weights: qd fetch minilm_f32")


def by_hand(numbers: np.ndarray) -> np.ndarray:
    """BERT as its paper and its weights' names tell it, one sentence at a time, no padding: token numbers [T] -> [384]."""
    raw = (HERE / "model.safetensors").read_bytes()
    length = int.from_bytes(raw[:8], "little")
    header = json.loads(raw[8 : 8 + length])

    def held(name: str) -> np.ndarray:
        begin, end = header[name]["data_offsets"]
        flat = np.frombuffer(raw[8 + length + begin : 8 + length + end], "<f4")
        return flat.reshape(header[name]["shape"]).astype(np.float64)

    def norm(x: np.ndarray, name: str) -> np.ndarray:
        apart = x - x.mean(1)[:, None]
        return apart / np.sqrt(apart.var(1) + 1e-12)[:, None] * held(f"{name}.weight") + held(f"{name}.bias")

    def dense(x: np.ndarray, name: str) -> np.ndarray:
        return x @ held(f"{name}.weight").T + held(f"{name}.bias")

    places, kinds = held("embeddings.position_embeddings.weight"), held("embeddings.token_type_embeddings.weight")
    x = held("embeddings.word_embeddings.weight")[numbers] + places[: len(numbers)] + kinds[0]
    x = norm(x, "embeddings.LayerNorm")
    for b in range(6):
        at, mixed = f"encoder.layer.{b}", []
        q, k, v = (dense(x, f"{at}.attention.self.{part}") for part in ("query", "key", "value"))
        for head in range(12):
            part = slice(32 * head, 32 * head + 32)
            mixed.append(softmax(q[:, part] @ k[:, part].T / np.sqrt(32), axis=1) @ v[:, part])
        x = norm(x + dense(np.concatenate(mixed, 1), f"{at}.attention.output.dense"), f"{at}.attention.output.LayerNorm")
        up = dense(x, f"{at}.intermediate.dense")
        x = norm(x + dense(up * (1 + erf(up / np.sqrt(2))) / 2, f"{at}.output.dense"), f"{at}.output.LayerNorm")
    return x.mean(0) / np.linalg.norm(x.mean(0))


@needs_weights
def test_the_forward_pass_equals_one_by_hand(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(HERE.parents[2]))
    network = encoder.load()
    told = np.asarray(jax.jit(network.__call__)(encoder.embed(SENTENCES)))
    numbers = encoder._words().encode(SENTENCES, 32)
    expected = np.stack([by_hand(row[row > 0]) for row in numbers])
    assert np.abs(told - expected).max() < 1e-4
    assert told[0] @ told[1] == pytest.approx(0.755, abs=0.001)  # as documented for this pair
    assert sum(layer.parameters for layer in network.layers) == 6 * 12 * 384**2 and len(network.layers) == 36
    assert [layer.shape for layer in network.layers] == [weight.shape for weight in network.weights]


def test_word_pieces() -> None:
    known = ("[PAD]", "[UNK]", "[CLS]", "[SEP]", "tram", "##s", "zurich", "'", "s", "##way", "!")
    words = Words({piece: i for i, piece in enumerate(known)})
    told = words.encode(["Zürich's Trams!", "tramway café"], 9)
    assert told.tolist() == [[2, 6, 7, 8, 4, 5, 10, 3, 0], [2, 4, 9, 1, 3, 0, 0, 0, 0]]
    assert words.encode(["tram tram tram tram"], 4).tolist() == [[2, 4, 4, 3]]


def test_missing_weights_say_what_to_type(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    encoder.tensors.cache_clear()
    with pytest.raises(ValueError, match="type qd fetch minilm_f32"):
        encoder.tensors()
    encoder.folder().mkdir(parents=True)
    (encoder.folder() / "model.safetensors").write_bytes(b"cut")
    with pytest.raises(ValueError, match="has 3 bytes and not"):
        encoder.tensors()
    encoder.tensors.cache_clear()
    assert len(registry.form("minilm").layers) == 36  # its form needs no weights
