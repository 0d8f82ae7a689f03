"""Pure descriptors: a trace and plain Python agree, keys decide, bounds stay; what PCA learns is what there is."""

from dataclasses import replace

import jax
import numpy as np
import pytest

from feedback.descriptors.pca import PCA
from feedback.descriptors.select import Select
from qd import keys, programs
from qd.types import Descriptor, Rows


def rows(features: dict, n: int) -> Rows:
    return Rows(np.arange(n), np.zeros((n, 1)), np.zeros(n), features, np.ones(n, bool))


@pytest.mark.parametrize(
    "descriptor",
    [
        Select("a", ((-1, 1),) * 2),
        Select("b", ((-1, 1),) * 2, columns=(5, 0)),
        PCA(reads=("a", "b"), measures=2),
        PCA(reads=("b",), measures=3),
    ],
    ids=str,
)
def test_descriptor_keeps_its_protocol(descriptor) -> None:
    assert isinstance(descriptor, Descriptor) and hash(descriptor) == hash(replace(descriptor))
    rng = np.random.default_rng(0)
    features = {"a": rng.normal(size=(40, 2)).astype(np.float32), "b": rng.normal(size=(40, 3, 2)).astype(np.float32)}
    read = {name: features[name] for name in descriptor.reads}

    def no_fresh(key, n):
        raise AssertionError("it asks for no fresh solutions")

    params, again = (descriptor.init(keys.new(0), rows(read, 40), no_fresh) for _ in range(2))
    jax.tree.map(np.testing.assert_array_equal, params, again)
    plain, traced = descriptor(params, read), jax.jit(descriptor)(params, read)
    assert plain.shape == (40, len(descriptor.bounds))
    np.testing.assert_allclose(plain, traced, rtol=1e-5, atol=1e-5)
    alone = descriptor(params, {name: column[7:8] for name, column in read.items()})
    np.testing.assert_allclose(plain[7:8], alone, rtol=1e-5, atol=1e-5)
    np.testing.assert_allclose(programs.describe(descriptor, params, read)[0], plain, rtol=1e-5, atol=1e-5)
    before = descriptor.bounds
    descriptor.fit(keys.new(1), params, rows({n: f * 9 for n, f in read.items()}, 40), no_fresh)
    assert descriptor.bounds == before


def test_a_selection_is_the_same_without_jax() -> None:
    select, features = Select("a", ((-1, 1),) * 2, columns=(1, 0)), {"a": np.random.default_rng(0).normal(size=(9, 3))}
    assert not programs.is_compiled(select) and programs.is_compiled(PCA(reads=("a",), measures=2))
    here, there = programs.describe(select, (), features)[0], np.asarray(jax.jit(select)((), features))
    assert here.dtype == there.dtype == np.float32
    np.testing.assert_array_equal(here, there)


def test_pca_finds_the_wide_directions_and_fills_its_bounds() -> None:
    rng = np.random.default_rng(0)
    hidden = rng.normal(size=(500, 2)) * [5, 2]
    turn = np.linalg.qr(rng.normal(size=(8, 8)))[0][:2]
    x = (hidden @ turn + 3 + rng.normal(size=(500, 8)) * 0.01).astype(np.float32)
    pca = PCA(reads=("x",), measures=2, margin=0.1)
    measures = np.asarray(pca(pca.init(keys.new(0), rows({"x": x}, 500), None), {"x": x}))  # type: ignore[arg-type]
    assert np.abs(np.corrcoef(measures.T, hidden.T)[:2, 2:]).max(axis=1).min() > 0.99
    np.testing.assert_allclose(np.abs(measures).max(axis=0), 1 / 1.1, rtol=1e-4)


def test_pca_says_when_there_is_too_little_to_learn_from() -> None:
    line = np.outer(np.arange(10), np.ones(3)).astype(np.float32)
    with pytest.raises(ValueError, match=r"vary in only 1 directions of x, too few for 2.*more solutions.*measures=1"):
        PCA(reads=("x",)).init(keys.new(0), rows({"x": line}, 10), None)  # type: ignore[arg-type]
