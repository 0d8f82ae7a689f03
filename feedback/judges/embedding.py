"""Judges that compare vectors of texts: cheap axes, answers to triplets, and a judge that no search optimises.

    embed = MiniLM()
    grade = Anchors(embed, low=("a sad story",), high=("a happy story",))
    grade(["They kissed."])     # [B] in (0, 1)

B texts, V numbers of one, T triplets.
"""

import json
import struct
import threading
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any, Protocol

import numpy as np

from feedback.judges.scores import sigmoid
from feedback.judges.simulated import CANT_TELL, A, B
from feedback.lm import weights
from qd.types import Rows

_MISSING = "embedding judges need {}, which is not installed; type pip install 'qd-atlas[embeddings]'"


class Embedding(Protocol):
    def __call__(self, texts: Sequence[str]) -> np.ndarray:
        """Returns unit vectors [B, V], float32."""
        ...


@dataclass(frozen=True)
class MiniLM:
    """all-MiniLM-L6-v2 in 8 bits (`qd fetch minilm`); mean over tokens, V = 384. About 5 ms of a core a text."""

    longest: int = 256  # tokens; what the model was trained with
    threads: int = 1

    def __call__(self, texts: Sequence[str]) -> np.ndarray:
        """One text at a time: 8 bits round by what else is in the batch, and a text is to have one vector."""
        model, tokenizer = _minilm(self.longest, self.threads)
        rows = []
        for text in map(_said, texts):
            if not text.strip():
                rows.append(np.zeros(384, np.float32))
                continue
            ids = np.array([tokenizer.encode(text).ids], np.int64)
            feed = {"input_ids": ids, "attention_mask": np.ones_like(ids), "token_type_ids": np.zeros_like(ids)}
            (tokens,) = model.run(["last_hidden_state"], {name: feed[name] for name in feed if name in _inputs(model)})
            rows.append(tokens[0].mean(axis=0))
        return _unit(rows, 384)


@dataclass(frozen=True)
class Static:
    """WordLlama's table of token vectors (`qd fetch wordllama`), mean over tokens, V = 256. About 0.1 ms of a core a text."""

    longest: int = 512  # tokens

    def __call__(self, texts: Sequence[str]) -> np.ndarray:
        table, tokenizer = _wordllama()
        ids = (tokenizer.encode(_said(text), add_special_tokens=False).ids[: self.longest] for text in texts)
        return _unit([table[each].mean(axis=0) if each else np.zeros(table.shape[1]) for each in ids], table.shape[1])


@dataclass(frozen=True)
class Anchors:
    """How much nearer a text lies to one kind of description than to another, in (0, 1).

    p = sigmoid((mean cosine to ``high`` - mean cosine to ``low``) / width)
    """

    embed: Embedding
    low: tuple[str, ...]
    high: tuple[str, ...]
    width: float = 0.05  # cosines of one text to two descriptions differ by about so much

    def __post_init__(self) -> None:
        if not self.low or not self.high or self.width <= 0:
            raise ValueError("anchors need a description or more at each end, and a width above 0; type low=[...] high=[...]")

    def __call__(self, items: Sequence[str]) -> np.ndarray:
        """Returns [B]; NaN for an empty text."""
        texts = self.embed(items)
        ends = [self.embed(descriptions).mean(axis=0) for descriptions in (self.low, self.high)]
        p = sigmoid((texts @ (ends[1] - ends[0])) / self.width)
        return np.where(np.any(texts != 0, axis=1), p, np.nan)


@dataclass(frozen=True)
class Taught:
    """An axis learned from a few labelled texts by ridge regression on their vectors, in (0, 1)."""

    embed: Embedding
    texts: tuple[str, ...]
    truth: tuple[int, ...]  # 0 or 1
    ridge: float = 0.1

    def __post_init__(self) -> None:
        if len(self.texts) != len(self.truth) or set(self.truth) != {0, 1}:
            raise ValueError(
                f"{len(self.texts)} texts with labels {sorted(set(self.truth))} teach no axis: type 0 or 1 for each"
            )

    def __call__(self, items: Sequence[str]) -> np.ndarray:
        """Returns [B]; NaN for an empty text."""
        x, truth = self.embed(self.texts), np.array(self.truth)
        middle = (x[truth == 0].mean(axis=0) + x[truth == 1].mean(axis=0)) / 2  # so that no kind weighs more for its number
        gram = (x - middle) @ (x - middle).T + self.ridge * np.eye(len(x))  # w = Xᵀ (X Xᵀ + λ I)⁻¹ y
        w = (x - middle).T @ np.linalg.solve(gram, 2.0 * truth - 1)
        texts = self.embed(items)
        return np.where(np.any(texts != 0, axis=1), sigmoid(4 * (texts - middle) @ w), np.nan)


@dataclass(frozen=True)
class Nearer:
    """Answers "is a or b more like x?" by the angle between texts, or between descriptions kept as a feature."""

    embed: Embedding
    unsure: float = 0.0  # it cannot tell where the two cosines differ by no more
    feature: str | None = None  # None: the solutions are the texts

    @property
    def keep(self) -> tuple[str, ...]:
        return () if self.feature is None else (self.feature,)

    def __call__(self, x: Rows, a: Rows, b: Rows) -> np.ndarray:
        here, near, far = (self.embed(texts_of(rows, self.feature)) for rows in (x, a, b))
        gap = (here * near).sum(axis=1) - (here * far).sum(axis=1)
        return np.where(np.abs(gap) <= self.unsure, CANT_TELL, np.where(gap > 0, A, B)).astype(np.int8)


def texts_of(rows: Rows, feature: str | None) -> list[str]:
    """Returns what there is to read of rows. Raises ValueError where it is no text."""
    if feature is not None and feature not in rows.features:
        raise ValueError(f"the judge reads {feature!r}, which the search does not keep; type keep=[{feature}]")
    column = rows.solutions if feature is None else rows.features[feature]
    for item in column:
        if not isinstance(item, str):
            raise ValueError(
                f"the judge reads texts, but {feature or 'a solution'} is a {type(item).__name__}; "
                "choose a domain of texts, or type judge.feature=NAME of a feature that describes in words"
            )
    return [str(item) for item in column]


def _said(text: str) -> str:
    return text.encode("utf-8", "replace").decode()  # half a surrogate pair is no text to a tokenizer


def _unit(rows: Sequence[np.ndarray], length: int) -> np.ndarray:
    x = np.array(rows, np.float32).reshape(-1, length)
    return x / np.maximum(np.linalg.norm(x, axis=1, keepdims=True), 1e-12)


def _inputs(model: Any) -> list[str]:
    return [given.name for given in model.get_inputs()]


_LOADING = threading.Lock()


def _minilm(longest: int, threads: int) -> tuple[Any, Any]:
    with _LOADING:
        return _loaded_minilm(longest, threads)


@lru_cache(maxsize=2)
def _loaded_minilm(longest: int, threads: int) -> tuple[Any, Any]:
    try:
        import onnxruntime  # pyright: ignore[reportMissingImports]
    except ModuleNotFoundError as error:
        raise ValueError(_MISSING.format("onnxruntime")) from error
    model, words = weights.files("minilm")
    settings = onnxruntime.SessionOptions()
    settings.intra_op_num_threads = settings.inter_op_num_threads = threads
    tokenizer = _tokenizer(words)
    tokenizer.no_padding()
    tokenizer.enable_truncation(longest)
    return onnxruntime.InferenceSession(str(model), settings, providers=["CPUExecutionProvider"]), tokenizer


@lru_cache(maxsize=1)
def _wordllama() -> tuple[np.ndarray, Any]:
    table, words = weights.files("wordllama")
    tokenizer = _tokenizer(words)
    tokenizer.no_padding()
    tokenizer.no_truncation()
    return _matrix(table), tokenizer


def _tokenizer(path: Path) -> Any:
    try:
        from tokenizers import Tokenizer  # pyright: ignore[reportMissingImports]
    except ModuleNotFoundError as error:
        raise ValueError(_MISSING.format("tokenizers")) from error
    return Tokenizer.from_file(str(path))


def _matrix(path: Path) -> np.ndarray:
    """Reads the one matrix of a safetensors file: eight bytes of length, a JSON header, the numbers."""
    raw = path.read_bytes()
    (length,) = struct.unpack("<Q", raw[:8])
    ((_, told),) = [(name, told) for name, told in json.loads(raw[8 : 8 + length]).items() if name != "__metadata__"]
    first, last = told["data_offsets"]
    kind = {"F16": "<f2", "F32": "<f4"}[told["dtype"]]
    return np.frombuffer(raw[8 + length + first : 8 + length + last], kind).reshape(told["shape"]).astype(np.float32)
