"""Pure domains: a trace and plain Python agree, keys decide, ranges hold, published figures come out."""

import math
import re

import jax
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from domains.arm import Arm
from domains.functions import LinearProjection
from domains.sincos import sincos
from qd import keys
from qd.types import Domain

DOMAINS = [
    Arm(joints=10, length=10.0),
    Arm(joints=7),
    LinearProjection("sphere", 20),
    LinearProjection("rastrigin", 20),
]


def evaluate(domain, solutions, seed: int = 0, f=None):
    return (f or domain.evaluate)(jax.random.split(jax.random.key(seed), len(solutions)), solutions)


@pytest.mark.parametrize("domain", DOMAINS, ids=str)
def test_domain_keeps_its_protocol(domain) -> None:
    assert isinstance(domain, Domain) and hash(domain) == hash(type(domain)(**vars(domain)))
    x = domain.sample(keys.new(0), 32)
    np.testing.assert_array_equal(x, domain.sample(keys.new(0), 32))
    assert not np.array_equal(x, domain.sample(keys.new(1), 32))
    low, high = domain.space
    assert x.dtype == np.float32 and x.min() >= low and x.max() <= high
    plain, traced = evaluate(domain, x), evaluate(domain, x, f=jax.jit(domain.evaluate))
    for one, other in zip(jax.tree.leaves(plain), jax.tree.leaves(traced), strict=True):
        assert len(one) == 32
        np.testing.assert_allclose(one, other, rtol=1e-5, atol=1e-5)
    alone = [evaluate(domain, x[i : i + 1]).objective[0] for i in range(3)]
    np.testing.assert_allclose(plain.objective[:3], alone, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("domain", DOMAINS, ids=str)
def test_samples_look_alike_in_a_trace(domain) -> None:
    host, traced = domain.sample(keys.new(0), 4000), jax.jit(lambda k: domain.sample(k, 4000))(jax.random.key(0))
    np.testing.assert_allclose(host.mean(), traced.mean(), atol=0.05)
    np.testing.assert_allclose(host.std(), traced.std(), rtol=0.02)


def test_the_arm_stretched_and_folded() -> None:
    arm = Arm(joints=4, length=4.0)
    poses = np.array([[0, 0, 0, 0], [math.pi / 2, 0, 0, 0], [0, math.pi, math.pi, math.pi]], np.float32)
    said = evaluate(arm, poses)
    np.testing.assert_allclose(said.features["gripper"], [[4, 0], [0, 4], [0, 0]], atol=1e-5)
    np.testing.assert_allclose(said.objective, 100 * (1 - poses.var(axis=1)), rtol=1e-5)
    np.testing.assert_allclose(said.features["angles"][1], [0] * 4 + [1] * 4, atol=1e-6)


def test_the_arm_of_angles_drawn_evenly_is_as_published() -> None:
    objective = np.asarray(evaluate(Arm(10), Arm(10).sample(keys.new(0), 20_000)).objective)
    np.testing.assert_allclose(objective.mean(), (1 - 0.9 * math.pi**2 / 3) * 100, rtol=0.01)  # -196


def test_an_arm_of_narrow_angles_keeps_its_objective_range() -> None:
    arm = Arm(joints=100, length=100.0)
    objective = np.asarray(evaluate(arm, 0.5 * keys.normal(keys.new(0), (500, 100))).objective)
    low, high = arm.objective_range
    assert objective.min() >= low and objective.max() <= high


@pytest.mark.parametrize("function", ["sphere", "rastrigin"])
def test_linear_projection_is_scaled_from_its_corner_to_its_optimum(function) -> None:
    domain = LinearProjection(function, 10)
    best, corner = np.full((1, 10), 0.4 * 5.12, np.float32), np.full((1, 10), -5.12, np.float32)
    np.testing.assert_allclose(evaluate(domain, best).objective, 100, atol=1e-3)
    np.testing.assert_allclose(evaluate(domain, corner).objective, 0, atol=1e-3)
    x = keys.uniform(keys.new(0), (5000, 10), *domain.space)
    objective = np.asarray(evaluate(domain, x).objective)
    low, high = domain.objective_range
    assert low <= objective.min() and objective.max() <= high


def test_linear_projection_folds_what_lies_outside() -> None:
    domain = LinearProjection("sphere", 4)
    x = np.array([[1, 2, -10.24, 5.12], [0, 0, 0, 0]], np.float32)
    np.testing.assert_allclose(evaluate(domain, x).features["projection"], [[3, 4.62], [0, 0]], rtol=1e-6)
    assert domain.bounds == ((-10.24, 10.24),) * 2


def test_the_fold_has_a_gradient_everywhere() -> None:
    x = np.array([[0.0, 1.0, 6.0, -8.0]], np.float32)
    gradient = jax.jacobian(lambda s: evaluate(LinearProjection("sphere", 4), s).features["projection"].sum())(x)
    np.testing.assert_allclose(gradient, [[1, 1, -5.12 / 36, -5.12 / 64]], rtol=1e-5)


def test_the_sphere_in_numbers() -> None:
    x = np.array([[0.0, 0.0]], np.float32)  # 100 (1 - 2 x 2.048² / (2 x 7.168²))
    said = evaluate(LinearProjection("sphere", 2), x)
    np.testing.assert_allclose(said.objective, 100 * (1 - (2.048 / 7.168) ** 2), rtol=1e-5)


def test_poses_are_drawn_to_where_the_gripper_is() -> None:
    arm = Arm(joints=3)
    (picture,) = arm.render(np.array([[math.pi / 2, -math.pi / 2, 0]], np.float32))
    assert picture.kind == "svg"
    *_, end = re.findall(r'<circle cx="([-\d.]+)" cy="([-\d.]+)"', str(picture.data))
    np.testing.assert_allclose([float(c) for c in end], [66.7, -33.3])  # svg's y grows downwards


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: Arm(joints=0), "joints=1 or more"),
        (lambda: LinearProjection("spere"), "unknown function 'spere'; type sphere"),
        (lambda: LinearProjection("sphere", 3), "dim 3 has no two equal halves"),
    ],
)
def test_wrong_settings_are_refused(make, message) -> None:
    with pytest.raises(ValueError, match=re.escape(message)):
        make()


@given(st.lists(st.floats(-1e5, 1e5, width=32), min_size=1, max_size=50))
@settings(deadline=None)
def test_sine_and_cosine_together_are_those_of_the_angles(angles) -> None:
    angles = np.array(angles, np.float32)
    sin, cos = jax.jit(sincos)(angles)
    np.testing.assert_allclose(sin, np.sin(angles.astype(np.float64)), atol=1e-7)
    np.testing.assert_allclose(cos, np.cos(angles.astype(np.float64)), atol=1e-7)


def test_sine_and_cosine_of_what_is_not_finite_are_not_numbers() -> None:
    assert np.isnan(np.array(sincos(np.float32([np.nan, np.inf, -np.inf])))).all()
