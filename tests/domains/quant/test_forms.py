"""Formats of weights and inputs as ONNX files: what is recovered is the bank's weight, and files give what the bank gives."""

import dataclasses
from typing import Any

import numpy as np
import pytest

from domains.quant.export import encoded, forms, onnx_text, support
from domains.quant.networks import language, registry
from domains.quant.networks.language import Language, Stored
from domains.quant.quantize import bank
from domains.quant.quantize.quantizers import ActivationOption as A
from domains.quant.quantize.quantizers import WeightOption as W
from tests.domains.quant.test_language import random_network

FORM = Language(blocks=1, width=32, heads=2, tokens=16, pieces=264)
FORMATS = ("hadamard", "smooth", "learned", "two_level", "nested", "mixed", "mixed_random", "spread", "groups")
WEIGHTS = (*(W(4, name) for name in FORMATS), W(1, "sign"), W(8, "two_level"), W(4, "log2", clip="mse"), W(8))
INPUTS = (
    *(A(8), A(8, turn="smooth"), A(8, turn="hadamard"), A(8, per="token", turn="learned")),
    A(8, per="gaussian", turn="hadamard"),
)


@pytest.fixture(scope="module")
def small() -> bank.Bank:
    random = np.random.default_rng(1)
    x, targets = random.normal(size=(4, 16, 32)).astype(np.float32), random.integers(0, 264, (4, 16))
    return bank.build(random_network(FORM), WEIGHTS, INPUTS, x, targets)


@pytest.mark.parametrize("name", FORMATS)
def test_each_form_makes_the_banks_weight_and_none_of_full_precision(small: bank.Bank, name: str) -> None:
    index = FORMATS.index(name)
    for layer in (0, 7, 8):
        form = encoded.of_layer(small, layer, index)
        np.testing.assert_allclose(forms.made(form), small.weights[layer][index], rtol=1e-4, atol=1e-6)  # type: ignore[arg-type]
        codes = _codes(form)
        assert codes.max() - codes.min() < 16
    assert all(not support.refusal(FORM.layers[0], small.weight_options[index], a, "ort-cpu") for a in INPUTS)


def _codes(form: Any) -> np.ndarray:
    """The codes in 4 bits."""
    while not isinstance(form, np.ndarray):
        form = form.few if isinstance(form, forms.Mixed) else form.codes
    return form


def test_what_files_do_not_carry_says_so() -> None:
    group = W(4, per="group")
    assert "no codes that files carry" in support.refusal(FORM.layers[0], group, A(8), "ort-cpu")
    assert "ONNX files alone" in support.refusal(FORM.layers[0], W(4), A(8, turn="smooth"), "qwix-cpu")
    with pytest.raises(ValueError, match="build it again"):
        network = random_network(FORM)
        x = np.ones((2, 16, 32), np.float32)
        own = bank.build(network, (W(4, "nested"),), (A(8),), x)
        other = dataclasses.replace(own, weights=tuple(np.asarray(w) * 1.01 if w.ndim == 3 else w for w in own.weights))
        forms.encode(other, 0, 0)


@pytest.mark.ci
def test_files_give_what_the_bank_gives(small: bank.Bank, monkeypatch: pytest.MonkeyPatch) -> None:
    for package in ("onnx", "onnxruntime"):
        pytest.importorskip(package, reason="wants the extra onnx")
    random = np.random.default_rng(2)
    embedding = random.normal(size=(264, 32)).astype(np.float16).astype(np.float32)
    monkeypatch.setattr(language, "stored", lambda: Stored(embedding, None, {}, {}))  # type: ignore[arg-type]
    x = embedding[random.integers(0, 264, (8, 16))]
    full = len(INPUTS)
    for weight in range(len(WEIGHTS)):
        config = small.uniform(weight, full)  # inputs as they are: nothing is left to rounding
        _same(small, config, x, 1e-3)
    for inputs in range(len(INPUTS)):
        _same(small, small.uniform(len(WEIGHTS) - 1, inputs), x, 0.1)


@pytest.mark.ci
def test_whole_matrices_too(monkeypatch: pytest.MonkeyPatch) -> None:
    for package in ("onnx", "onnxruntime"):
        pytest.importorskip(package, reason="wants the extra onnx")
    form = language.Language(blocks=1, width=32, heads=2, tokens=16, pieces=264)
    random = np.random.default_rng(3)
    embedding = random.normal(size=(264, 32)).astype(np.float16).astype(np.float32)
    monkeypatch.setattr(language, "stored", lambda: Stored(embedding, None, {}, {}))  # type: ignore[arg-type]
    x = embedding[random.integers(0, 264, (4, 16))]
    own = bank.build(random_network(form), (W(4, "orthogonal"), W(8)), (A(8, turn="orthogonal"),), x)
    _same(own, own.uniform(0, 1), x, 1e-3)
    _same(own, own.uniform(1, 0), x, 0.1)


@pytest.mark.ci
def test_trained_weights_are_recovered_from_their_file() -> None:
    windows = language.stored().windows["train"][:1, :129]
    weights = (W(2, "trained"), W(3, "nested_trained"))
    own = bank.build(registry.load("language"), weights, (A(8, per="token"),), language.embed(windows[:, :-1]))
    for weight in range(2):
        for layer in (0, 7, 32):
            form = encoded.of_layer(own, layer, weight)
            np.testing.assert_allclose(forms.made(form), own.weights[layer][weight], rtol=1e-3, atol=1e-5)  # type: ignore[arg-type]


def _same(small: bank.Bank, config: np.ndarray, x: np.ndarray, most: float) -> None:
    ours = small.logits(config[None], x)[0]
    file = onnx_text.write(encoded.encode(small, config))
    difference = np.abs(onnx_text.runner(file)(x) - ours)
    assert difference.mean() < most * ours.std(), config
