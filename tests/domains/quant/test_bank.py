"""Quantizers against their definitions, and the bank against a network that is quantized by hand."""

from functools import lru_cache
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from domains.quant import options
from domains.quant.networks import data, layers, registry, resnet
from domains.quant.quantize import bank, calibration, grids, rounding
from domains.quant.quantize.quantizers import ActivationOption, WeightOption

RANDOM = np.random.default_rng(0)
WEIGHT = RANDOM.normal(size=(3, 3, 8, 6)).astype(np.float32)


@lru_cache(maxsize=1)
def small() -> bank.Bank:
    weights = (WeightOption(8), WeightOption(2), WeightOption(4, symmetric=False), WeightOption(3, "round", symmetric=False))
    inputs = (ActivationOption(8), ActivationOption(3, "mse"))
    return bank.build(registry.load("digits"), weights, inputs, data.load("digits", "train").pixels[:128])


def accuracy(logits: np.ndarray) -> np.ndarray:
    return (logits.argmax(2) == data.load("digits", "validation").labels).mean(1)


@pytest.mark.parametrize("option", options.by_name("every")[0], ids=lambda option: option.name)
def test_each_option_keeps_shape_and_is_near(option: WeightOption) -> None:
    gram = np.eye(72)
    told = option.quantize(WEIGHT, gram)
    assert told.values.shape == WEIGHT.shape and told.values.dtype == np.float32
    error = ((told.values - WEIGHT) ** 2).mean() / (WEIGHT**2).mean()
    levels = np.unique(told.values).size
    assert 0 < error < (1.01 if option.bits == 2 else 0.75) and levels > 1
    assert told.stored_bits > 0
    if option.per == "tensor" and option.format == "int":
        assert levels <= 2**option.bits
    if told.codes is not None and told.scale is not None:
        np.testing.assert_allclose((told.codes - told.zero) * told.scale, told.values, atol=1e-6)


@given(st.integers(2, 8), st.booleans(), st.sampled_from(["tensor", "channel", "group"]), st.integers(0, 100))
@settings(max_examples=30, deadline=None)
def test_min_max_is_within_half_a_step(bits: int, symmetric: bool, per: str, seed: int) -> None:
    weight = np.random.default_rng(seed).normal(size=(70, 3)).astype(np.float32)
    told = WeightOption(bits, symmetric=symmetric, per=per).quantize(weight)
    spread = 2 * np.abs(weight).max() if symmetric else max(weight.max(), 0) - min(weight.min(), 0)
    step = spread / (2**bits - 2 if symmetric else 2**bits - 1)
    assert np.abs(told.values - weight).max() <= (0.5 if symmetric else 1.0) * step + 1e-6  # a zero point is rounded, too


def test_clipping_by_squared_error_is_never_worse() -> None:
    for bits in (2, 3, 4):
        plain, clipped = (WeightOption(bits, clip=clip).quantize(WEIGHT).values for clip in ("minmax", "mse"))
        assert ((clipped - WEIGHT) ** 2).sum() < ((plain - WEIGHT) ** 2).sum()


def test_bits_stored() -> None:
    n, out = WEIGHT.size, 6
    assert WeightOption(4).quantize(WEIGHT).stored_bits == 4 * n + 16 * out
    assert WeightOption(4, symmetric=False).quantize(WEIGHT).stored_bits == 4 * n + 20 * out
    assert WeightOption(4, per="tensor").quantize(WEIGHT).stored_bits == 4 * n + 16
    assert WeightOption(4, per="group").quantize(WEIGHT).stored_bits == 4 * n + 16 * out * 3  # 72 inputs: three groups
    assert WeightOption(3, "codebook").quantize(WEIGHT).stored_bits == 3 * n + 16 * 8
    assert WeightOption(4, "sparse").quantize(WEIGHT).stored_bits == (4 + 2) * n // 2 + 16 * out


def test_grids_are_the_published_ones() -> None:
    assert (grids.grid("fp4", 4) * 6).tolist() == [-6, -4, -3, -2, -1.5, -1, -0.5, 0, 0.5, 1, 1.5, 2, 3, 4, 6]
    assert grids.grid("fp6", 6).size == 63 and grids.grid("fp8", 8).size == 253
    assert grids.grid("fp6", 6)[-2] == 24 / 28 and grids.grid("fp8", 8)[-2] == 416 / 448
    published = [-1, -0.6961928, -0.52507305, -0.3949175, -0.28444138, -0.18477343, -0.09105004, 0, 0.0795803, 0.1609302]
    np.testing.assert_allclose(grids.grid("nf4", 4)[:10], published, atol=1e-4)
    assert grids.grid("log2", 3).tolist() == [-1, -0.5, -0.25, 0, 0.25, 0.5, 1]


def test_learned_rounding_beats_the_nearest_on_what_the_layer_is_shown() -> None:
    x = RANDOM.normal(size=(500, 40)) @ RANDOM.normal(size=(40, 40))
    weight = RANDOM.normal(size=(40, 5)).astype(np.float32)
    for symmetric in (True, False):
        nearest = WeightOption(3, symmetric=symmetric).quantize(weight).values
        learned = WeightOption(3, "round", symmetric=symmetric).quantize(weight, x.T @ x).values
        assert ((x @ (learned - weight)) ** 2).sum() < 0.7 * ((x @ (nearest - weight)) ** 2).sum()


def test_two_of_four_and_hadamard() -> None:
    kept = rounding.two_of_four(WEIGHT).reshape(-1, 4, 6)
    assert (kept.sum(1) == 2).all()
    size = np.abs(WEIGHT.reshape(-1, 4, 6))
    assert (np.where(kept, size, np.inf).min(1) >= np.where(kept, 0, size).max(1)).all()
    turn = rounding.hadamard(24)
    np.testing.assert_allclose(turn @ turn.T, np.eye(24), atol=1e-12)
    assert (turn != 0).sum(1).tolist() == [8] * 24


def test_gram_is_that_of_the_convolution() -> None:
    layer = resnet.ResNet().layers[5]  # stride 2, an even side: padding is uneven
    assert layer.stride == 2
    x = RANDOM.normal(size=(3, *layer.inputs)).astype(np.float32)
    kernel = RANDOM.normal(size=layer.shape).astype(np.float32)
    out = np.asarray(layers.linear(layer, x, kernel))
    flat = kernel.reshape(-1, layer.shape[-1]).astype(np.float64)
    np.testing.assert_allclose(np.diag(flat.T @ calibration.gram(layer, x) @ flat), (out**2).sum((0, 1, 2)), rtol=1e-4)


def test_the_bank_equals_a_network_quantized_by_hand() -> None:
    made, pixels = small(), data.load("digits", "validation").pixels[:50]
    config = np.random.default_rng(1).integers(0, [4] * made.size + [2] * made.size)
    full = registry.load("digits")

    def apply(i: int, x: np.ndarray) -> np.ndarray:
        scale, zero, levels = made.scales[i, config[made.size + i]]
        x = (np.clip(np.round(np.asarray(x) / scale) + zero, 0, levels) - zero) * scale
        return layers.linear(full.layers[i], x, made.weights[i][config[i]]) + full.biases[i]

    by_hand = np.asarray(full.forward(apply, pixels))
    assert (
        made.logits(config, pixels)[0].argmax(1) == by_hand.argmax(1)
    ).mean() >= 0.98  # a tie of rounding may fall otherwise
    np.testing.assert_allclose(made.logits(made.full(), pixels)[0], np.asarray(full(pixels)), atol=1e-4)


def test_fewer_bits_are_worse_and_nothing_is_compiled_anew() -> None:
    made, pixels = small(), data.load("digits", "validation").pixels
    eight, two = made.uniform("int8 sym channel minmax", 0), made.uniform(1, 0)
    good, bad = accuracy(made.logits(np.stack([eight, two]), pixels))
    assert good > 0.97 and bad < good - 0.2
    program = bank._program(made.network.forward)
    before = program._cache_size()
    many = np.random.default_rng(0).integers(0, 2, (11, 2 * made.size))
    one_by_one = np.concatenate([made.logits(row, pixels) for row in many])
    np.testing.assert_array_equal(made.logits(many, pixels), one_by_one)
    assert program._cache_size() == before


def test_bad_input_says_what_to_type(tmp_path: Path) -> None:
    made = small()
    with pytest.raises(ValueError, match="has 14 genes, and these have 3"):
        made.split(np.zeros((1, 3)))
    with pytest.raises(ValueError, match="no index of 4 weight options"):
        made.split(np.full((1, 14), 9))
    with pytest.raises(ValueError, match="unknown option 'int9'"):
        made.uniform("int9", 0)
    with pytest.raises(ValueError, match="unknown format 'fp5'"):
        WeightOption(4, "fp5")
    with pytest.raises(ValueError, match="type 2 to 8"):
        WeightOption(1)
    with pytest.raises(ValueError, match="unknown network"):
        registry.load("resnet18")
    with pytest.raises(ValueError, match="type images=300"):
        data.load("digits", "test").first(301)
    other = tmp_path / "digits.npz"
    other.write_bytes((registry.WEIGHTS / "digits.npz").read_bytes()[:-1] + b"x")
    with pytest.raises(ValueError, match="has the checksum .* it was changed or cut off"):
        registry.read("digits", registry.FORMS["digits"], other, registry.CHECKSUMS["digits"])


def test_fashion_mnist_elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FASHION_MNIST", str(tmp_path))
    data._fashion.cache_clear()
    with pytest.raises(ValueError, match="type apt-get install dataset-fashion-mnist"):
        data.load("fashion", "test")
    import gzip

    images = np.zeros((4, 8, 8), np.uint8)
    header = b"\x00\x00\x08\x03" + b"".join(n.to_bytes(4, "big") for n in images.shape)
    (tmp_path / "t10k-images-idx3-ubyte.gz").write_bytes(gzip.compress(header + images.tobytes()))
    labels = b"\x00\x00\x08\x01" + (4).to_bytes(4, "big") + bytes(4)
    (tmp_path / "t10k-labels-idx1-ubyte.gz").write_bytes(gzip.compress(labels))
    with pytest.raises(ValueError, match=r"images \[4, 8, 8\]"):
        data.load("fashion", "test")
    (tmp_path / "t10k-labels-idx1-ubyte.gz").write_bytes(gzip.compress(labels)[:-9])
    with pytest.raises(ValueError, match="t10k-labels-idx1-ubyte.gz cannot be unpacked"):
        data.load("fashion", "test")
    data._fashion.cache_clear()
