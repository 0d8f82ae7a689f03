"""Tables of damage against closed forms and against what configs truly lose, on the network of digits."""

from functools import lru_cache

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy.stats import spearmanr

from domains.quant import options
from domains.quant.networks import data, registry
from domains.quant.networks.layers import Network
from domains.quant.networks.resnet import ResNet
from domains.quant.predict import hessian, sensitivity
from domains.quant.quantize import bank


@lru_cache(maxsize=1)
def small() -> bank.Bank:
    return bank.build(registry.load("digits"), *options.by_name("bits"), data.load("digits", "train").pixels[:128])


@lru_cache(maxsize=1)
def shown() -> data.Images:
    return data.load("digits", "train").first(64)


@lru_cache(maxsize=1)
def truth() -> tuple[np.ndarray, np.ndarray]:
    """Random configs and what they truly lose on validation images."""
    configs = np.random.default_rng(0).integers(0, 5, (60, 14))
    images = data.load("digits", "validation")
    return configs, 1 - (small().logits(configs, images.pixels).argmax(2) == images.labels).mean(1)


@pytest.mark.parametrize("name", sensitivity.NAMES)
def test_fewer_bits_hurt_more_and_the_sum_foretells(name: str) -> None:
    table = sensitivity.tables(name, small(), shown())
    assert table.weights.shape == table.activations.shape == (7, 5)
    assert np.isfinite(table.weights).all() and np.isfinite(table.activations).all()
    assert table.weights[:, 0].sum() > table.weights[:, -1].sum()  # 2 bits against 8
    assert table.activations[:, 0].sum() >= table.activations[:, -1].sum()  # of 64 digits none may change
    configs, lost = truth()
    assert spearmanr(table.of(small(), configs), lost).statistic > 0.2  # the weakest of them; measured ones are above 0.6
    if name in ("kl", "loss"):
        assert spearmanr(table.of(small(), configs), lost).statistic > 0.6


def test_curvature_equals_the_whole_hessian() -> None:
    form = ResNet(widths=(2,), blocks=0, side=4, stem_stride=2, classes=3)
    random = np.random.default_rng(0)
    weights = tuple(random.normal(size=layer.shape).astype(np.float32) for layer in form.layers)
    tiny = Network("tiny", form, weights, tuple(np.zeros(layer.shape[-1], np.float32) for layer in form.layers))
    images = data.Images(random.normal(size=(20, 4, 4, 1)).astype(np.float32), random.integers(0, 3, 20).astype(np.int32))
    loss = hessian._loss(tiny, images)
    top, mean = hessian.eigenvalues(tiny, images, steps=60), hessian.traces(tiny, images, probes=200)

    def alone(flat: jax.Array, i: int) -> jax.Array:
        return loss([flat.reshape(v.shape) if j == i else jnp.asarray(v) for j, v in enumerate(weights)], images)

    for i, weight in enumerate(weights):
        whole = np.asarray(jax.jit(jax.hessian(alone), static_argnums=1)(jnp.asarray(weight).ravel(), i))
        values = np.linalg.eigvalsh(whole)
        assert top[i] == pytest.approx(values[np.abs(values).argmax()], rel=0.02)
        assert mean[i] == pytest.approx(np.trace(whole) / len(whole), rel=0.15)


def test_agreement_on_a_few_images_foretells_best() -> None:
    configs, lost = truth()
    told = sensitivity.agreement(small(), configs, shown().pixels)
    assert told.shape == (60,) and spearmanr(told, -lost).statistic > 0.9
    assert sensitivity.agreement(small(), small().full()[None], shown().pixels) == 1


def test_unknown_names() -> None:
    with pytest.raises(ValueError, match="unknown sensitivity 'hawq'"):
        sensitivity.tables("hawq", small(), shown())
