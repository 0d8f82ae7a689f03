"""Trains the language model on Django's documentation and stores it; prints bits per byte beside xz and a count model.

    pip download --no-deps --no-binary :all: -d ~/.cache/qd-atlas/text Django==5.2   # 11 MB; or set QUANT_TEXT to the folder
    python -m domains.quant.networks.train_language

Matrices by Muon (Jordan et al. 2024), embedding and head by AdamW, the learning rate falls linearly to 0.
"""

import hashlib
import lzma
import sys
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import optax

from domains.quant import preconditions
from domains.quant.networks import language, text
from domains.quant.networks.language import Language, Stored
from domains.quant.networks.layers import Network, linear
from qd.support.errors import UserError
from qd.types import Array

_STEPS, _BATCH = 900, 12  # windows a step
_MUON, _ADAM = 0.02, 0.003  # highest learning rates
_ORDER, _DISCOUNT = 3, 0.75


def main(out: str = "", steps: int | str = _STEPS) -> None:
    """Trains, writes the file, measures it on all test documents, and prints bits per byte and the checksum.

    Args:
        out: the file to write; empty: the one that is read.
        steps: of training.
    """
    documents = text.documents()
    pieces = text.learn_pieces(list(documents["train"].values()), Language.pieces)
    tokens = {split: [pieces.encode(each) for each in texts.values()] for split, texts in documents.items()}
    network, embedding = train(Language(), np.concatenate(tokens["train"]), int(steps))
    cut = {split: text.windows(rows, Language.tokens) for split, rows in tokens.items()}
    windows = {split: rows[: preconditions.WINDOWS[split]] for split, (rows, _) in cut.items()}
    numbers = {split: rows[: preconditions.WINDOWS[split]] for split, (_, rows) in cut.items()}
    path = Path(out) if out else language.WEIGHTS
    language.write(path, network, Stored(embedding, pieces, windows, numbers))
    held_out, seen = list(documents["test"].values()), list(documents["train"].values())
    count = {split: (len(texts), sum(map(len, texts.values()))) for split, texts in documents.items()}
    print("documents and bytes:", ", ".join(f"{split} {n}, {size}" for split, (n, size) in count.items()))
    print(f"bits per byte of the test documents: the network {bits_per_byte(network, embedding, cut['test'][0], pieces):.3f}")
    print(f"xz -9 of these documents {xz(held_out):.3f}, order-3 counts of the training documents {counts(seen, held_out):.3f}")
    print(f"{path}: {path.stat().st_size} bytes, sha256 {hashlib.sha256(path.read_bytes()).hexdigest()}")


def train(form: Language, stream: np.ndarray, steps: int, seed: int = 0) -> tuple[Network, np.ndarray]:
    """Trains on windows from random places of a stream of tokens.

    Args:
        form: of the network.
        stream: int32 [tokens].
        steps: how many.
        seed: of weights and places.

    Returns:
        The network, and the embedding [V, D], both rounded to 16 bits as they are stored.
    """
    params = _initial(form, seed)
    rule = optax.multi_transform(
        {
            "muon": optax.contrib.muon(_fade(_MUON, steps), weight_decay=0.01),
            "adam": optax.adamw(_fade(_ADAM, steps), b2=0.95, weight_decay=0.0),
        },
        {name: "muon" if name[:6] == "weight" and name != f"weight{len(form.layers) - 1}" else "adam" for name in params},
    )
    memory = rule.init(params)

    @jax.jit
    def step(params: Any, memory: Any, tokens: Array) -> tuple[Any, Any, Array]:
        loss, gradient = jax.value_and_grad(_loss)(params, form, tokens)
        update, memory = rule.update(gradient, memory, params)
        return optax.apply_updates(params, update), memory, loss

    losses = []
    for i, tokens in enumerate(batches(stream, form.tokens, steps, seed, _BATCH)):
        params, memory, loss = step(params, memory, tokens)
        losses.append(loss)
        if i % 100 == 99:
            print(f"step {i + 1} of {steps}: {float(np.mean(losses[-100:])) / np.log(2):.3f} bits a token", flush=True)
    half = {name: np.asarray(x).astype(np.float16).astype(np.float32) for name, x in params.items()}
    arrays = [{int(name[len(kind) :]): x for name, x in half.items() if name.startswith(kind)} for kind in ("weight", "bias")]
    return language.empty(form, *arrays), half["embedding"]


def batches(stream: np.ndarray, length: int, steps: int, seed: int, batch: int) -> Iterator[np.ndarray]:
    """Yields windows of a stream of tokens: it is cut at a new place in each pass, and its windows are shuffled.

    Args:
        stream: int32 [tokens].
        length: T.
        steps: how many batches.
        seed: of places and order.
        batch: windows of each.

    Yields:
        int32 [batch, T + 1].
    """
    random, rows = np.random.default_rng(seed), []
    for _ in range(steps):
        if len(rows) < batch:
            starts = np.arange(random.integers(length), len(stream) - length - 1, length)
            rows = [stream[at : at + length + 1] for at in random.permutation(starts)]
        yield np.stack([rows.pop() for _ in range(batch)])


def bits_per_byte(network: Network, embedding: np.ndarray, windows: np.ndarray, pieces: text.Pieces, chunk: int = 32) -> float:
    """Bits of all windows' next tokens, divided by these tokens' bytes.

    Args:
        network: of the form Language.
        embedding: [V, D].
        windows: int [N, T + 1].
        pieces: V pieces.
        chunk: windows that one forward pass takes.
    """

    @jax.jit
    def bits(tokens: Array) -> Array:
        logits = network(jnp.asarray(embedding)[tokens[:, :-1]])
        return optax.softmax_cross_entropy_with_integer_labels(logits, tokens[:, 1:].reshape(-1)).sum() / np.log(2)

    total = sum(float(bits(windows[i : i + chunk])) for i in range(0, len(windows), chunk))
    return total / float(pieces.lengths[windows[:, 1:]].sum())


def xz(texts: Sequence[bytes]) -> float:
    """Bits per byte of `xz -9` over all texts in one file."""
    joined = b"".join(texts)
    return 8 * len(lzma.compress(joined, preset=9)) / len(joined)


def counts(seen: Sequence[bytes], held_out: Sequence[bytes]) -> float:
    """Bits per byte of a model of order 3: counts of bytes after three, two, one and no bytes, each falling back to the next.

    Absolute discounting (Ney et al. 1994): p(b | c) = max(n(cb) - .75, 0) / n(c) + .75 kinds(c) / n(c) p(b | shorter c).

    Args:
        seen: texts that are counted.
        held_out: texts that are coded.
    """
    tables = [Counter() for _ in range(_ORDER + 1)]
    for each in seen:
        for order, table in enumerate(tables):
            table.update(each[i : i + order + 1] for i in range(len(each) - order))
    totals, kinds = [Counter() for _ in tables], [Counter() for _ in tables]
    for table, total, kind in zip(tables, totals, kinds, strict=True):
        for string, n in table.items():
            total[string[:-1]] += n
            kind[string[:-1]] += 1
    needed = Counter(each[max(i - _ORDER, 0) : i + 1] for each in held_out for i in range(len(each)))

    def probability(string: bytes) -> float:
        p = 1 / 256
        for order in range(len(string)):
            part = string[len(string) - order - 1 :]
            total = totals[order][part[:-1]]
            if total:
                p = max(tables[order][part] - _DISCOUNT, 0) / total + _DISCOUNT * kinds[order][part[:-1]] / total * p
        return p

    bits = -sum(n * np.log2(probability(string)) for string, n in needed.items())
    return float(bits) / sum(map(len, held_out))


def _fade(peak: float, steps: int) -> Any:
    """Up in 2 % of the steps, level, and down to 0 in the last 60 %."""
    up, down = max(steps // 50, 1), int(0.6 * steps)
    parts = [optax.linear_schedule(0.0, peak, up), optax.constant_schedule(peak), optax.linear_schedule(peak, 0.0, down)]
    return optax.join_schedules(parts, [up, steps - down])


def _initial(form: Language, seed: int) -> dict[str, Array]:
    random = np.random.default_rng(seed)
    params = {"embedding": random.normal(0, 0.7, (form.pieces, form.width))}
    for i, layer in enumerate(form.layers):
        if not layer.is_cached:
            quiet = 0.0 if layer.name.endswith(("output", "down")) else 1.0  # a block begins as nothing
            params[f"weight{i}"] = quiet * random.normal(0, layer.shape[0] ** -0.5, layer.shape)
            params[f"bias{i}"] = np.zeros(layer.shape[-1])
    return {name: jnp.asarray(x, jnp.float32) for name, x in params.items()}


def _loss(params: dict[str, Array], form: Language, tokens: Array) -> Array:
    def apply(i: int, x: Array, *stored: Array) -> Array:
        return linear(form.layers[i], x, params.get(f"weight{i}", x), *stored) + params.get(f"bias{i}", 0.0)

    logits = form(apply, params["embedding"][tokens[:, :-1]])
    return optax.softmax_cross_entropy_with_integer_labels(logits, tokens[:, 1:].reshape(-1)).mean()


if __name__ == "__main__":
    try:
        main(*sys.argv[1:])
    except UserError as error:
        sys.exit(str(error))
