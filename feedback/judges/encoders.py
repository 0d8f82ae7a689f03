"""Encoders of texts: MiniLM and WordLlama."""

import importlib.util
import threading
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from safetensors.numpy import load_file

from feedback.lm.local import weights
from qd.support.errors import UserError
from qd.types import Rows


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
        """Embeds B texts, one at a time: 8-bit rounding depends on the batch, and a text must always get the same vector."""
        model, tokenizer = _minilm(self.longest, self.threads)
        rows = []
        for text in map(_valid_text, texts):
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
        ids = (tokenizer.encode(_valid_text(text), add_special_tokens=False).ids[: self.longest] for text in texts)
        return _unit([table[each].mean(axis=0) if each else np.zeros(table.shape[1]) for each in ids], table.shape[1])


def texts_of(rows: Rows, feature: str | None) -> list[str]:
    """Returns the texts that a judge reads: solutions, or a feature of them.

    Args:
        rows: B solutions.
        feature: the feature that is read; None: the solutions themselves.

    Returns:
        B texts.

    Raises:
        UserError: the search does not keep the feature, or a value is not a text.
    """
    if feature is not None and feature not in rows.features:
        raise UserError(f"the judge reads {feature!r}, which the search does not keep", f"type keep=[{feature}]")
    column = rows.solutions if feature is None else rows.features[feature]
    for item in column:
        if not isinstance(item, str):
            raise UserError(
                f"the judge reads texts, but {feature or 'a solution'} is a {type(item).__name__}; "
                "choose a domain of texts, or type judge.feature=NAME of a feature that describes in words"
            )
    return [str(item) for item in column]


def _valid_text(text: str) -> str:
    return text.encode("utf-8", "replace").decode()  # a tokenizer refuses half a surrogate pair


def _unit(rows: Sequence[np.ndarray], length: int) -> np.ndarray:
    x = np.array(rows, np.float32).reshape(-1, length)
    return x / np.maximum(np.linalg.norm(x, axis=1, keepdims=True), 1e-12)


def _inputs(model: Any) -> list[str]:
    return [tensor.name for tensor in model.get_inputs()]


_LOADING = threading.Lock()


def _minilm(longest: int, threads: int) -> tuple[Any, Any]:
    with _LOADING:
        return _loaded_minilm(longest, threads)


@lru_cache(maxsize=2)
def _loaded_minilm(longest: int, threads: int) -> tuple[Any, Any]:
    _check_packages("onnxruntime", "tokenizers")
    import onnxruntime  # pyright: ignore[reportMissingImports]

    model, words = weights.files("minilm")
    settings = onnxruntime.SessionOptions()
    settings.intra_op_num_threads = settings.inter_op_num_threads = threads
    tokenizer = _tokenizer(words)
    tokenizer.no_padding()
    tokenizer.enable_truncation(longest)
    return onnxruntime.InferenceSession(str(model), settings, providers=["CPUExecutionProvider"]), tokenizer


@lru_cache(maxsize=1)
def _wordllama() -> tuple[np.ndarray, Any]:
    _check_packages("tokenizers")
    table, words = weights.files("wordllama")
    tokenizer = _tokenizer(words)
    tokenizer.no_padding()
    tokenizer.no_truncation()
    return _matrix(table), tokenizer


def _tokenizer(path: Path) -> Any:
    from tokenizers import Tokenizer  # pyright: ignore[reportMissingImports]

    return Tokenizer.from_file(str(path))


def _check_packages(*names: str) -> None:
    """Raises UserError that lists all packages that are not installed."""
    missing = [name for name in names if importlib.util.find_spec(name) is None]
    if missing:
        raise UserError(
            f"embeddings of texts need {' and '.join(missing)}, not installed here", "type pip install 'qd-atlas[embeddings]'"
        )


def _matrix(path: Path) -> np.ndarray:
    """Reads the one matrix of a safetensors file."""
    (matrix,) = load_file(path).values()
    return matrix.astype(np.float32)
