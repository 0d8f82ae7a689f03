"""Rounding that is trained through, whole matrices, and the file of tuned kernels: what is stored is what was trained."""

import hashlib
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from domains.quant.networks import language
from domains.quant.quantize import bank, estimators, inputs, published, rounding, tuned, turns
from domains.quant.quantize.estimators import Gaussian, Groups, Nested
from domains.quant.quantize.published import Hints
from domains.quant.quantize.quantizers import ActivationOption as A
from domains.quant.quantize.quantizers import WeightOption as W
from domains.quant.tune import groups as tune_groups
from domains.quant.tune import language as tune_language
from tests.support.small_language import random_network, random_text

RANDOM = np.random.default_rng(0)
KERNEL = RANDOM.normal(size=(32, 6)).astype(np.float32)


def test_the_grid_of_a_normal_variable():
    assert estimators.gaussian_scale(1) == pytest.approx((2 / np.pi) ** 0.5, abs=1e-5)
    x = RANDOM.normal(size=(4, 4096)).astype(np.float32)
    errors = []
    for bits in (1, 2, 3, 4):
        rounded, step = (np.asarray(each) for each in estimators.project(x, bits, -1))
        assert len(np.unique(rounded[0])) == 2**bits and np.abs(rounded / step % 1 - 0.5).max() < 1e-3
        errors.append(float(((rounded - x) ** 2).mean()))
    assert errors[0] == pytest.approx(1 - 2 / np.pi, abs=0.02) and errors == sorted(errors, reverse=True)
    wider = estimators.gaussian_scale(2) * 1.1  # any other width is worse
    step = 2 * wider / 3
    assert errors[1] < (((np.clip(np.floor(x / step), -2, 1) + 0.5) * step - x) ** 2).mean()


@pytest.mark.parametrize("size", [16, 96, 256])
def test_rotation_in_blocks_is_hadamards(size):
    x = RANDOM.normal(size=(3, size)).astype(np.float32)
    np.testing.assert_allclose(np.asarray(estimators.rotate(x, -1)), x @ rounding.hadamard(size), atol=1e-5)
    np.testing.assert_allclose(np.asarray(estimators.rotate(x.T, 0)), rounding.hadamard(size).T @ x.T, atol=1e-5)


def test_the_gradient_stops_where_rounding_is_not_trusted():
    x = jnp.asarray([0.1, -0.4, 0.3, 0.2, -0.1, 0.4, -0.2, 5.0])
    slope = lambda trust: np.asarray(jax.grad(lambda x: Gaussian(2, trust)._round(x, -1).sum())(x))
    assert slope(True).tolist() == [1] * 7 + [0] and slope(False).tolist() == [1] * 8


def test_before_training_each_way_is_the_banks():
    for bits in (2, 4, 8):
        way, one = Nested(bits), np.eye(32, dtype=np.float32)
        values = published.nested(KERNEL.astype(np.float64), bits, Hints())[0]
        np.testing.assert_allclose(np.asarray(way.multiply(one, way.params(KERNEL))), values, atol=1e-5)
        groups = Groups(bits)
        gram = np.eye(32)
        pruned = groups.params(KERNEL, published.kept_groups(KERNEL, gram))
        np.testing.assert_allclose(groups.values(pruned), published.groups(KERNEL, bits, Hints(gram))[0], atol=1e-5)


def test_inputs_of_a_bank_are_rounded_as_in_training():
    x = RANDOM.normal(size=(5, 32)).astype(np.float32)
    for bits in (1, 3):
        option = A(bits, per="gaussian", turn="hadamard")
        scale = option.fit(x).astype(np.float32)
        rounded = np.asarray(inputs.turned(x, scale, inputs.turns((option,), {}), 0))
        wanted = np.asarray(estimators.rotate(estimators.project(estimators.rotate(x, -1), bits, -1)[0], -1))
        np.testing.assert_allclose(rounded, wanted, atol=1e-5)


@pytest.fixture
def file(tmp_path: Path, monkeypatch):
    """A file of tuned kernels of two layers."""
    params = {i: {"kernel": KERNEL * (i + 1), "logs": RANDOM.normal(0, 0.1, (8, 6))} for i in (0, 3)}
    arrays = tuned.nested_codes(params)
    for bits in tuned.BITS:
        arrays |= tuned.quest_codes(params, bits)
    tuned.write(tmp_path / "tuned.npz", arrays)
    monkeypatch.setattr(tuned, "FILE", tmp_path / "tuned.npz")
    monkeypatch.setattr(tuned, "SHA256", hashlib.sha256((tmp_path / "tuned.npz").read_bytes()).hexdigest())
    tuned.arrays.cache_clear()
    yield params
    tuned.arrays.cache_clear()


def test_what_is_stored_is_what_was_trained(file):
    hints = Hints(layer=("language", 3))
    for bits in tuned.BITS:
        quantized = W(bits, "trained").quantize(KERNEL, hints=hints)
        wanted = estimators.rotate(estimators.project(estimators.rotate(file[3]["kernel"], 0), bits, 0)[0], 0)
        np.testing.assert_allclose(quantized.values, np.asarray(wanted), rtol=2e-3, atol=2e-3)  # steps of 16 bits
        assert quantized.stored_bits == 32 * 6 * bits + 6 * 16
    for bits in (2, 4, 8):
        wanted = Nested(bits).multiply(np.eye(32, dtype=np.float32), {k: jnp.asarray(x) for k, x in file[3].items()})
        quantized = W(bits, "nested_trained").quantize(KERNEL, hints=hints)
        np.testing.assert_allclose(quantized.values, np.asarray(wanted), rtol=2e-3, atol=2e-3)


def test_tuned_kernels_that_there_are_not(file, monkeypatch, tmp_path):
    with pytest.raises(ValueError, match="type domain.network=language"):
        W(2, "trained").quantize(KERNEL, hints=Hints(layer=("resnet14", 0)))
    with pytest.raises(ValueError, match="no trained weights of 8 bits.*type bits=1 or 2"):
        W(8, "trained").quantize(KERNEL, hints=Hints(layer=("language", 0)))
    for option in (lambda: W(1), lambda: W(1, "nested_trained"), lambda: A(1), lambda: A(1, per="token")):
        with pytest.raises(ValueError, match="1 bits cannot be"):
            option()
    with pytest.raises(ValueError, match="a sign has one bit"):
        W(2, "sign").quantize(KERNEL)
    tuned.FILE.write_bytes(b"x")
    tuned.arrays.cache_clear()
    with pytest.raises(ValueError, match="has the checksum .*tune.language"):
        tuned.arrays()
    monkeypatch.setattr(tuned, "FILE", tmp_path / "none.npz")
    with pytest.raises(ValueError, match="is not there.*tune.language"):
        tuned.arrays()


@pytest.mark.parametrize("kind", turns.WHOLE)
def test_learned_matrices_help_inputs_with_outliers(kind):
    x, weight = RANDOM.normal(size=(128, 16)).astype(np.float32), RANDOM.normal(size=(16, 8)).astype(np.float32)
    x[:, 3] *= 30
    factors = {kind: turns.LEARN[kind](x, weight)}
    turn = factors[kind]
    rotation = turn * np.linalg.norm(turn, axis=1, keepdims=True) ** -1
    is_orthogonal = np.abs(rotation @ rotation.T - np.eye(16)).max() < 1e-4
    assert is_orthogonal == (kind == "orthogonal") and np.linalg.cond(turn) < 1e4
    error = {}
    for name in ("", "hadamard", kind):
        option = A(4, per="token", turn=name)
        scale = option.fit(turns.turn(x, name, factors)).astype(np.float32)
        rounded = np.asarray(inputs.turned(x, scale, inputs.turns((option,), factors), 0))
        kernel = W(4, name or "int").quantize(weight, hints=Hints(matrices=factors)).values
        error[name] = float((rounded @ kernel - x @ weight).std())
    assert error[kind] < 0.6 * error[""] and error[kind] < error["hadamard"]
    assert W(4, kind).quantize(weight, hints=Hints(matrices=factors)).stored_bits == 16 * 8 * 4 + 8 * 16 + 16 * 16 * 16
    with pytest.raises(ValueError, match="build the bank with calibration images"):
        W(4, kind).quantize(weight)


def test_controls_of_salient_channels_have_their_mean_bits():
    weight, drawn = RANDOM.normal(size=(64, 200)), RANDOM.permutation(200) / 200
    hints = Hints(channels=np.arange(200) < 20, drawn=drawn)
    bits = {name: published.FORMATS[name](weight, 3, hints)[1] for name in ("mixed", "mixed_random", "spread")}
    assert len({*bits.values()}) == 1
    assert bits["mixed"] == 64 * (180 * 3 + 20 * 8) + 200 * 17


@pytest.mark.ci
def test_training_lowers_the_loss_and_moves_only_what_it_should(monkeypatch):
    network, rest = random_network(), random_text()
    monkeypatch.setattr(language, "stored", lambda: rest)
    monkeypatch.setattr(tune_language, "stream", lambda: np.tile(np.arange(40, dtype=np.int32), 120))
    x = rest.embedding[np.tile(np.arange(40), 2)[None, :64]]
    loss = lambda params, way: float(
        -jax.nn.log_softmax(tune_language.logits(network, params, way, x))[np.arange(64), (np.arange(64) + 1) % 40].mean()
    )
    way = Gaussian(3)
    before, after = tune_language.start(network, way), tune_language.tune(network, [way], 20, peak=1e-2)
    assert loss(after, way) < loss(before, way) - 0.5
    ways = [Nested(b) for b in (8, 4, 3, 2)]
    after = tune_language.tune(network, ways, 10, guided=True, balanced=True, peak=1e-2)
    assert loss(after, ways[-1]) < loss(tune_language.start(network, ways[-1]), ways[-1])
    moved = np.abs(np.asarray(after[0]["logs"])).max(1)
    assert moved[1] < moved[7] and (moved[[0, 4, 5, 6]] == 0).all()  # of 2 and 8 bits; others are not trained


@pytest.mark.ci
def test_groups_are_tuned_block_by_block_and_stay_gone(monkeypatch):
    network, rest, way = random_network(), random_text(), Groups(4)
    monkeypatch.setattr(language, "stored", lambda: rest)
    monkeypatch.setattr(tune_language, "stream", lambda: np.tile(np.arange(40, dtype=np.int32), 120))
    x = rest.embedding[rest.windows["train"][:4, :64]]
    before, after = tune_groups.pruned(network, x, way), tune_groups.tune_groups(network, x, way)
    for i, params in before.items():
        np.testing.assert_array_equal(np.asarray(params["scale"]) == 0, np.asarray(after[i]["scale"]) == 0)
    full = np.asarray(network(x))
    error = lambda params: float(((tune_language.logits(network, params, way, x) - full) ** 2).mean())
    assert error(after) < error(before)


@pytest.mark.ci
def test_the_shipped_kernels_are_better_than_rounding():
    from domains.quant import texts
    from domains.quant.networks import data, registry

    images, labels = data.load("text", "train")
    weights = (W(2), W(2, "trained"), W(1, "sign"), W(1, "trained"), W(2, "nested"), W(2, "nested_trained"))
    own = bank.build(registry.load("language"), weights, (A(2, per="gaussian", turn="hadamard"), A(32)), images[:1], labels[:1])
    of_options = texts.judge(own, np.stack([own.uniform(w, 1) for w in range(6)]), "validation", 4, probes=False)[
        "bits_per_byte"
    ]
    assert of_options[1] < of_options[0] and of_options[3] < of_options[2] and of_options[5] < of_options[4]
