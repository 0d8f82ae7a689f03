"""The diffusion transformer: its sampler, its inputs over timesteps, weights out of codebooks, and what is refused."""

import hashlib
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from domains.quant import generated
from domains.quant.domain import Quant
from domains.quant.networks import data, registry, train_diffusion
from domains.quant.networks.ddim import DDIM
from domains.quant.networks.diffusion import Diffusion, with_kernels
from domains.quant.networks.layers import Network
from domains.quant.networks.train import write
from domains.quant.quantize import codebook_training, generator, low_rank, low_rank_vectors, steps, vectors
from domains.quant.quantize.low_rank_vectors import LowRankVectorOption
from domains.quant.quantize.quantizers import WeightOption
from domains.quant.quantize.steps import PER, StepOption
from domains.quant.quantize.vectors import SmoothOption, VectorOption
from qd import keys
from qd.support.errors import UserError

FORM = Diffusion(side=8, patch=4, width=16, heads=2, blocks=2, waves=8)
SAMPLER = DDIM(steps=4)
WEIGHTS = (
    *(WeightOption(3), WeightOption(8), VectorOption(3), VectorOption(3, tuned=True), SmoothOption(4)),
    *(LowRankVectorOption(2), WeightOption(6, "fp6")),
)
INPUTS = (
    *(StepOption((6,), per=per, clip="minmax") for per in PER),
    StepOption((4,)),
    StepOption((8, 2), 2),
    StepOption((4,), 4),
)


def random_network(seed: int = 0) -> Network:
    random = np.random.default_rng(seed)
    layers = [layer for layer in FORM.layers if not layer.is_cached]
    weights = [random.normal(0, layer.shape[0] ** -0.5, layer.shape).astype(np.float32) for layer in layers]
    return with_kernels(FORM, weights, [random.normal(0, 0.1, w.shape[1]).astype(np.float32) for w in weights], "small")


@pytest.fixture(scope="module")
def small() -> generator.Generator:
    return generator.build(random_network(), WEIGHTS, INPUTS, SAMPLER, samples=32)


def noise(n: int) -> tuple[np.ndarray, np.ndarray]:
    return np.random.default_rng(1).standard_normal((n, FORM.pixels), np.float32), np.arange(n) % 10


def test_full_precision_is_the_network_itself_and_configs_do_not_meet(small: generator.Generator) -> None:
    x, labels = noise(64)
    network = small.bank.network
    plain, _ = generator.plain(FORM, SAMPLER)(network.weights, network.biases, x, labels)
    np.testing.assert_allclose(small.full(x, labels), plain, atol=2e-5)
    assert np.abs(small.full(x, (labels + 1) % 10) - plain).max() > 1e-3  # the class counts
    configs = np.stack([small.bank.uniform(w, a) for w in range(len(WEIGHTS)) for a in (0, len(PER) + 1)])
    samples = small.sample(configs, x, labels)
    np.testing.assert_array_equal(samples[3], small.sample(configs[3:4], x, labels)[0])
    assert len(np.unique(samples.reshape(len(configs), -1), axis=0)) == len(configs)


def test_every_way_to_round_inputs_is_near_them_in_6_bits(small: generator.Generator) -> None:
    x, labels = noise(64)
    full, several = small.full(x, labels), len(WEIGHTS)
    at_six = generated.snr(small.sample(np.stack([small.bank.uniform(several, a) for a in range(len(PER))]), x, labels), full)
    assert (at_six > 8).all(), dict(zip(PER, at_six, strict=True))
    groups = generated.snr(
        small.sample(np.stack([small.bank.uniform(several, a) for a in (len(PER), len(PER) + 2)]), x, labels), full
    )
    assert np.isfinite(groups).all()


def test_rounding_is_that_of_the_equation() -> None:
    layer = FORM.layers[0]._replace(shape=(4, 3))
    values = np.array([[-1.0, 0, 0.55, 2], [0.2, 0.1, 4, -0.5]], np.float32)
    both = {"evenly": steps.Samples(values, np.array([0, 3]))}
    weight = np.ones((4, 3), np.float32)
    per_step = steps.table(layer, weight, (StepOption((4,), 2, clip="minmax"),), both, 4)
    np.testing.assert_allclose(per_step.up[0, [0, 3], 0], [3 / 15, 4.5 / 15], rtol=1e-6)  # a range of each group's own
    assert (per_step.high[1] == 0).all()  # the last row leaves them as they are
    row = steps.InputTable(*(column[0, 0] for column in per_step))
    np.testing.assert_allclose(steps.round_inputs(values[:1], row, frozenset()), [[-1, 0, 0.6, 2]], atol=1e-6)
    signs = steps.table(layer, weight, (StepOption((3,), per="signs", clip="minmax"),), both, 4)
    np.testing.assert_allclose([signs.up[0, 0, 0], signs.down[0, 0, 0]], [4 / 3, 1 / 3], rtol=1e-6)
    token = steps.table(layer, weight, (StepOption((2,), per="token"),), both, 4)
    row = steps.InputTable(*(column[0, 0] for column in token))
    np.testing.assert_allclose(
        steps.round_inputs(values, row, frozenset({"token"})), [[-1, 0, 1, 2], [0, 0, 4.5, 0]], atol=1e-6
    )


def test_attention_is_rounded_to_powers_of_two() -> None:
    layer = FORM.layers[-1]
    assert layer.kind == "values" and layer.parameters == layer.scales == layer.biases == 0
    attention = np.array([0.5, 0.3, 0.15, 0.05], np.float32).reshape(1, 1, 1, 4)
    samples = {"evenly": steps.Samples(attention.repeat(4, 0), np.arange(4))}
    rounded = {}
    for per in ("log2", "log2 image", "log2 image first"):
        table = steps.table(layer, np.zeros(()), (StepOption((2,), per=per),), samples, 4)
        row = steps.InputTable(*(column[0, 0] for column in table))
        rounded[per] = np.asarray(steps.round_inputs(attention, row, frozenset({per}))).ravel()
        kept = steps.InputTable(*(column[1, 0] for column in table))
        np.testing.assert_array_equal(steps.round_inputs(attention, kept, frozenset({per})), attention)
    np.testing.assert_allclose(rounded["log2 image"], [0.5, 0.25, 0.125, 0.0625], rtol=1e-6)  # -log2(.3 / .5) = 0.74
    np.testing.assert_allclose(rounded["log2 image first"], [0.5, 0.3, 0.15, 0.0375], rtol=1e-6)  # s = 0.3; 2 bits: 3 at most
    ratios = np.log2(rounded["log2"][:-1] / rounded["log2"][1:])
    np.testing.assert_allclose(ratios, np.round(ratios), atol=1e-6)
    queries = steps.table(FORM.layers[-2], np.zeros(()), (StepOption((2,), per="log2"),), samples, 4)
    assert not queries.powers.any() and queries.high.any()  # all but attention has a range


def test_vectors_of_low_rank_are_those_of_the_equation() -> None:
    random = np.random.default_rng(5)
    axes = random.normal(size=(2, 4))
    weight = (random.normal(size=(6, 40, 2)) @ axes).transpose(0, 2, 1).reshape(24, 40)  # pairs of numbers in vectors of 4
    factors = low_rank_vectors.factorize(weight, 2)
    assert factors.codebook.shape == (256, 2) and factors.matrix.shape == (2, 4) and len(factors.codes) == 240
    values = low_rank_vectors.weight_of(factors, *weight.shape)
    assert ((values - weight) ** 2).sum() < 0.02 * (weight**2).sum()
    stored = LowRankVectorOption(2).quantize(weight, weight)
    assert stored.stored_bits == 2 * weight.size + 16 * (512 + 8)
    np.testing.assert_allclose(stored.values, values, rtol=1e-6)


def test_codebooks_have_so_many_vectors_and_tuning_lowers_the_layers_error() -> None:
    random = np.random.default_rng(2)
    weight = random.standard_t(4, (24, 16)).astype(np.float32)
    inputs = random.normal(size=(400, 24)) @ random.normal(size=(24, 24)) * np.linspace(0.1, 3, 24)
    plain, tuned = (VectorOption(3, tuned).quantize(weight, inputs).values for tuned in (False, True))
    assert len(np.unique(plain.reshape(12, 2, 16).swapaxes(1, 2).reshape(-1, 2), axis=0)) <= 64
    error = [((inputs @ (values - weight)) ** 2).sum() for values in (plain, tuned)]
    assert error[1] < 0.6 * error[0]
    exact, _, _ = vectors.quantize(np.repeat([[1.0, 2, 3, 5]], 4, 0), 2)
    np.testing.assert_allclose(exact, np.repeat([[1.0, 2, 3, 5]], 4, 0))


def test_distances_and_closeness_of_known_features() -> None:
    random = np.random.default_rng(3)
    real = random.normal(size=(4000, 5))
    moments = real.mean(0), np.cov(real, rowvar=False)
    assert generated.frechet(real, *moments) == pytest.approx(0, abs=1e-6)
    assert generated.frechet(real + [3, 0, 0, 0, 0], *moments) == pytest.approx(9, abs=1e-6)
    assert generated.frechet(2 * real, *moments) == pytest.approx(moments[1].trace() + 0.002, abs=0.05)
    full = np.ones((2, 4))
    assert generated.snr(np.stack([full, full * 1.1]), full) == pytest.approx([60, 20])


def test_groups_beyond_the_steps_and_beyond_the_samples_are_refused() -> None:
    with pytest.raises(UserError, match="5 groups of timesteps are more than the 4 steps"):
        generator.build(random_network(), WEIGHTS[:1], (StepOption((4,), 5),), SAMPLER)
    with pytest.raises(UserError, match="4 groups of timesteps cannot be calibrated on 3 samples"):
        generator.build(random_network(), WEIGHTS[:1], (StepOption((4,), 4),), SAMPLER, samples=3)
    refused: tuple[dict[str, Any], ...] = (
        {"each": (4, 4)},
        {"each": (1,)},
        {"per": "channel"},
        {"groups": 2, "drawn": "noise"},
    )
    for wrong in refused:
        with pytest.raises(ValueError, match="type|give|leave|none|no "):
            StepOption(**wrong)
    with pytest.raises(UserError, match="steps"):
        DDIM(steps=0)
    with pytest.raises(UserError, match="bits"):
        VectorOption(5)


def test_weights_that_are_missing_or_others_are_refused(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="restore the file, or train again .python -m domains.quant.networks.train_diffusion"):
        registry.read("diffusion", FORM, tmp_path / "none.npz", "0" * 64)
    write(random_network(), tmp_path / "small.npz", np.float16)
    with pytest.raises(UserError, match="has the checksum .* and not 0000"):
        registry.read("diffusion", FORM, tmp_path / "small.npz", "0" * 64)
    right = hashlib.sha256((tmp_path / "small.npz").read_bytes()).hexdigest()
    read = registry.read("diffusion", FORM, tmp_path / "small.npz", right)
    assert read.weights[0].dtype == np.float32
    np.testing.assert_allclose(read.weights[5], random_network().weights[5], rtol=1e-3, atol=1e-4)


def test_the_domain_names_what_does_not_fit_before_anything_is_sampled() -> None:
    with pytest.raises(UserError, match="5 groups of timesteps are more than the 4 steps.*domain.steps=5"):
        Quant("diffusion", steps=4)
    with pytest.raises(UserError, match="5 groups of timesteps cannot be calibrated on 4 samples.*domain.calibration=5"):
        Quant("diffusion", calibration=4)
    domain = Quant("diffusion")
    assert len(domain.space) == 88 and domain.objective_range[1] == 0 and "snr" in domain.keep
    assert domain.case != Quant("diffusion", steps=8).case and Quant("digits").render is None
    with pytest.raises(UserError, match="domain.network=diffusion"):
        Quant("digits").noise("test", 1)


@pytest.mark.ci
def test_a_step_as_onnx_gives_the_samples_of_the_bank(small: generator.Generator) -> None:
    pytest.importorskip("onnx", reason="pip install 'qd-atlas[onnx]'")
    pytest.importorskip("onnxruntime", reason="pip install 'qd-atlas[onnx]'")
    from domains.quant.export import denoiser

    cost = lambda genes: {"size": np.array([1.0]), "latency": np.array([1.0])}
    domain = SimpleNamespace(generator=small, noise=lambda split, n: noise(64), cost=cost)
    for weight, inputs in (
        (1, 0),
        (0, len(PER) + 2),
        (2, 5),
        (1, 6),
        (1, 8),
    ):  # by tensor, by timestep, by token; integers and a codebook
        genome = small.bank.uniform(weight, inputs)
        report = denoiser.check(domain, genome, denoiser.make(domain, genome), 99.5)
        assert report["whole_samples_snr"] > 25 and report["deployable"], report
    plain = len(INPUTS) - 3
    trained = [(codebook_training.tune(small, 5, steps=2), 1), (low_rank.tune(small, 0, plain, steps=2), 0)]
    configs = [
        *((small, small.bank.uniform(w, len(INPUTS))) for w in (4, 5, 6)),
        *((of, of.bank.uniform(0, a)) for of, a in trained),
    ]
    for of, genome in configs:  # smoothed, low rank, a table of values, and both trained
        domain = SimpleNamespace(generator=of, noise=lambda split, n: noise(64), cost=cost)
        report = denoiser.check(domain, genome, denoiser.make(domain, genome), 99.5)
        assert report["whole_samples_snr"] > 25, report


@pytest.mark.ci
def test_training_brings_codebooks_nearer_to_full_precision(small: generator.Generator) -> None:
    x, labels = noise(64)
    full = small.full(x, labels)
    tuned = codebook_training.tune(small, 5, steps=40, samples=256)
    before = small.sample(small.bank.uniform(5, len(INPUTS))[None], x, labels)
    after = tuned.sample(tuned.bank.uniform(0, 1)[None], x, labels)
    assert generated.snr(after, full)[0] > generated.snr(before, full)[0] + 0.3


@pytest.mark.ci
def test_low_rank_tuning_brings_a_step_nearer_to_full_precision() -> None:
    x, labels = noise(64)
    plain = generator.build(random_network(), WEIGHTS[:1], INPUTS[len(PER) : len(PER) + 1], DDIM(1, guidance=1.0), samples=64)
    full, config = plain.full(x, labels), plain.bank.uniform(0, 0)[None]
    tuned = low_rank.tune(plain, 0, 0, steps=60, samples=256)
    assert tuned.bank.weight_options == WEIGHTS[:1] and len(tuned.bank.weights[0]) == 2
    before, after = (generated.snr(of.sample(config, x, labels), full)[0] for of in (plain, tuned))
    assert after > before + 0.5
    np.testing.assert_allclose(tuned.full(x, labels), full, atol=1e-5)


@pytest.mark.ci
def test_the_trained_network_samples_the_class_asked_for_and_more_bits_are_nearer_to_it() -> None:
    if not data.folder().is_dir():
        pytest.skip("type apt-get install dataset-fashion-mnist")
    assert train_diffusion.agreement(registry.load("diffusion"), 200).mean() >= 0.85
    domain = Quant("diffusion", "denoising_bits", 20, steps=5)
    configs = np.stack([domain.bank.uniform(option, option) for option in (0, 2, 4)])  # 2, 4 and 8 bits
    objective, features = domain.evaluate(keys.split(keys.new(0), 3), configs)
    assert (np.diff(features["snr"]) > 3).all() and objective[2] > objective[1] > objective[0]
    assert features["class_accuracy"][2] > features["class_accuracy"][0] and features["faithful"].shape == (3, 2)
    assert domain.accuracies(configs[2:])["snr"][0] == features["snr"][2]
    unusual = Quant("diffusion", "denoising_bits", 10, steps=5, corrupted=20).accuracies(configs)["corruption"]
    assert unusual[2] > 80 > unusual[0]
    assert domain.held_out is not None and domain.held_out.accuracies(configs[2:])["snr"][0] > 10
    render = domain.render
    assert render is not None and render(configs[:1])[0].data[:4] == b"\x89PNG"
