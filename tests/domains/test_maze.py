"""The maze: step by step and episode by episode as the Kheperax package's, pure, repeatable, drawn.

tests/data/maze_reference.npz is what the package said (see experiments/maze/kheperax.py).
"""

import io
import math
import re
import xml.etree.ElementTree as ElementTree
from dataclasses import replace
from functools import cache
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from PIL import Image

from domains.maze import Maze, physics
from domains.maze.controller import Mlp, OneBias
from domains.maze.maps import BORDER, Areas, Energy, Target
from domains.maze.physics import LEFT, RIGHT, STUCK, Robot
from qd import keys
from qd.types import Domain

REFERENCE = np.load(Path(__file__).parents[1] / "data/maze_reference.npz")
SMALL = Maze(steps=40, points=10)
NOISY = replace(SMALL, robot=Robot(laser_noise=0.01, wheel_noise=0.002))
NEEDS_PACKAGE = "needs the extra peers (kheperax); install it in an environment of its own"


@cache
def program(maze: Maze):
    return jax.jit(maze.evaluate)


def evaluate(maze: Maze, policies, seed: int = 0):
    return program(maze)(jax.random.split(jax.random.key(seed), len(policies)), policies)


def poses(given: np.ndarray):
    """From (x, y, angle) [N, 3] to [4, N]."""
    x, y, angle = jnp.asarray(given, jnp.float32).T
    return jnp.stack([x, y, jnp.cos(angle), jnp.sin(angle)])


def same_cell(a, b, cells: int = 100) -> float:
    """The share of positions that lie in the same of cells x cells."""
    a, b = (np.floor(np.clip(p, 0, 0.9999) * cells) for p in (a, b))
    return (a == b).all(axis=1).mean()


def straight(policy_size: int, left: float, right: float) -> np.ndarray:
    """A policy of constant wheels: all weights 0, the last two biases set."""
    policy = np.zeros((1, policy_size), np.float32)
    policy[0, 48:50] = np.arctanh([left, right])  # of 5-8-2: 8 + 40 parameters, then two biases
    return policy


@pytest.mark.ci
def test_single_steps_are_the_packages_also_from_inside_walls():
    maze, before = Maze(), poses(REFERENCE["pose"])
    _, touch = physics.sense(maze.robot, maze.walls, before)
    wheels = physics.wheel_speeds(maze.robot, jnp.clip(REFERENCE["action"].T, -1, 1), None)
    after = physics.drive(maze.robot, before, touch, wheels)
    near, _ = physics.sense(maze.robot, maze.walls, after)
    np.testing.assert_allclose(after, poses(REFERENCE["next_pose"]), atol=2e-6)
    np.testing.assert_allclose(physics.readings(maze.robot, near, touch, None).T, REFERENCE["readings"], atol=2e-5)
    np.testing.assert_allclose(Energy().reward(after[:2], wheels)[0], REFERENCE["energy"], atol=1e-8)
    reward, ends = Target().reward(after[:2], wheels)
    np.testing.assert_allclose(reward, REFERENCE["distance"], atol=2e-6)
    np.testing.assert_array_equal(ends, REFERENCE["ended"])


def test_the_reference_is_worth_comparing_with():
    stuck = (REFERENCE["pose"][:, :2] == REFERENCE["next_pose"][:, :2]).all(axis=1)
    assert 0.2 < stuck.mean() < 0.5 and len(stuck) > 500
    assert REFERENCE["ended"].any() and ((REFERENCE["readings"][:, 3:] == 1).mean(axis=0) > 0.05).all()
    assert ((REFERENCE["readings"][:, :3] < 0.2).mean(axis=0) > 0.4).all()
    outside = (REFERENCE["pose"][:, :2] < 0).any(axis=1) | (REFERENCE["pose"][:, :2] > 1).any(axis=1)
    assert outside.sum() > 20
    assert (REFERENCE["near_objective"] > -20).sum() >= 3  # episodes that end early


@pytest.mark.parametrize("name", ["energy", "target", "near"])
def test_whole_episodes_are_the_packages(name):
    goal = {"energy": Energy(), "target": Target(), "near": Target((0.2, 0.3), 0.1)}[name]
    said = evaluate(Maze(goal=goal), REFERENCE["policies"])
    assert same_cell(said.features["position"], REFERENCE[f"{name}_position"]) >= 0.95
    off = np.abs(said.objective - REFERENCE[f"{name}_objective"])
    assert np.median(off) < 1e-3 and (off < 0.01 * np.abs(REFERENCE[f"{name}_objective"]) + 1e-3).mean() >= 0.95


@pytest.mark.slow
@pytest.mark.parametrize("sigma", [0.5, 1.0, 2.0])
def test_parity_is_not_below_the_packages_own_under_perturbation(sigma):
    pytest.importorskip("kheperax", reason=NEEDS_PACKAGE)
    from experiments.maze.kheperax import evaluator

    maze = Maze(controller=Mlp((8, 8)), goal=Target())
    policies = sigma * keys.normal(keys.new(0), (3000, maze.size))
    package = evaluator(maze)
    theirs, shaken = (package(p)[1] for p in (policies, policies + 1e-7 * keys.normal(keys.new(1), policies.shape)))
    ours = evaluate(maze, policies).features["position"]
    assert same_cell(ours, theirs) >= same_cell(shaken, theirs) - 0.005


@pytest.mark.parametrize("maze", [SMALL, replace(SMALL, controller=OneBias(), goal=Areas()), replace(SMALL, points=0)])
def test_it_keeps_the_protocol(maze):
    assert isinstance(maze, Domain) and hash(maze) == hash(replace(maze)) and maze == replace(maze)
    x = maze.sample(keys.new(0), 40)
    np.testing.assert_array_equal(x, maze.sample(keys.new(0), 40))
    low, high = maze.space
    assert x.shape == (40, maze.size) and x.dtype == np.float32 and x.min() >= low and x.max() <= high
    said = evaluate(maze, x)
    assert said.objective.shape == (40,) and said.features["position"].shape == (40, 2)
    low, high = maze.objective_range
    assert np.asarray(said.objective).min() >= low and np.asarray(said.objective).max() <= high
    plain = maze.evaluate(jax.random.split(jax.random.key(0), 40), x)
    for one, other in zip(jax.tree.leaves(said), jax.tree.leaves(plain), strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-4, atol=1e-4)


def test_sizes_are_the_published_ones():
    assert Maze(controller=Mlp((8,))).size == 66
    assert Maze(controller=Mlp((8, 8))).size == 138
    assert Maze(controller=OneBias((5, 5))).size == 63


@pytest.mark.ci
def test_chunks_and_neighbours_change_nothing():
    x = keys.normal(keys.new(3), (40, SMALL.size))
    each = jax.random.split(jax.random.key(1), 40)
    for maze in (SMALL, NOISY):
        together, part = program(maze)(each, x), program(maze)(each[5:12], x[5:12])
        for one, other in zip(jax.tree.leaves(together), jax.tree.leaves(part), strict=True):
            np.testing.assert_array_equal(one[5:12], other)


def test_noise_is_drawn_from_each_policys_own_key():
    x = np.repeat(keys.normal(keys.new(3), (1, SMALL.size)), 40, axis=0)
    assert np.ptp(evaluate(SMALL, x).features["position"], axis=0).max() == 0
    said = evaluate(NOISY, x).features["position"]
    assert len(np.unique(said, axis=0)) == 40
    np.testing.assert_array_equal(said, evaluate(NOISY, x).features["position"])
    assert not np.array_equal(said, evaluate(NOISY, x, seed=1).features["position"])


def test_wheels_never_exceed_their_speed_and_lasers_never_go_below_zero():
    robot = Robot(laser_noise=1.0, wheel_noise=1.0)
    noise = 3 * keys.normal(keys.new(0), (3, 500))
    assert np.abs(physics.wheel_speeds(robot, jnp.ones((2, 500)), noise[:2])).max() <= 0.025
    near = jnp.full((3, 500), 0.1)
    seen = physics.readings(robot, near, jnp.zeros(500, int), noise)[:3]
    assert seen.min() == 0 and float(seen.max()) == pytest.approx(0.2)
    beyond = physics.readings(replace(robot, beyond=-1.0), jnp.full((3, 2), jnp.inf), jnp.zeros(2, int), None)
    np.testing.assert_array_equal(beyond[:3], -1)


@pytest.mark.ci
def test_what_a_robot_sees_and_touches():
    robot = Robot(radius=0.05, lasers=(-90.0, 0.0, 90.0), reach=0.5)
    given = [(0.3, 0.5, math.pi / 2), (0.96, 0.5, 0.3), (0.96, 0.5, -0.3), (0.96, 0.5, math.pi)]
    near, touch = physics.sense(robot, BORDER, poses(np.array(given)))
    np.testing.assert_allclose(near[:, 0], [np.inf, 0.5, 0.3], atol=1e-6)
    # the wall is to the right (clockwise) of a heading of 0.3; the package calls that bumper left
    np.testing.assert_array_equal(touch, [0, STUCK | LEFT, STUCK | RIGHT, STUCK])


def test_a_robot_that_goes_straight_stops_in_the_wall():
    maze = Maze(steps=100, points=100)
    end = evaluate(maze, straight(maze.size, 0.99, 0.99)).features
    assert float(end["position"][0, 0]) == pytest.approx(0.15, abs=1e-4)
    touches = 0.45 - math.sqrt(0.015**2 - 0.01**2)  # a wall ends at (0.14, 0.45), left of the way
    assert touches < float(end["position"][0, 1]) < touches + 0.025
    np.testing.assert_array_equal(end["trace"][0, -1], end["position"][0])
    np.testing.assert_allclose(end["trace"][0, 0], [0.15, 0.15])  # reported places lag one step
    np.testing.assert_allclose(np.diff(end["trace"][0, :12, 1]), 0.99 * 0.025, rtol=1e-4)


def test_a_turning_robot_drives_a_circle():
    maze = Maze(steps=100, points=100)
    trace = np.asarray(evaluate(maze, straight(maze.size, 0.1, 0.2)).features["trace"][0])
    radius = 0.015 * (0.2 + 0.1) / (0.2 - 0.1)  # half the wheels' distance x sum / difference
    np.testing.assert_allclose(np.hypot(*(trace - [0.15 - radius, 0.15]).T), radius, rtol=1e-3)


@pytest.mark.ci
def test_a_subsampled_trace_is_part_of_the_whole():
    x = keys.normal(keys.new(5), (40, SMALL.size))
    some = evaluate(SMALL, x).features
    every = evaluate(replace(SMALL, points=40), x).features
    np.testing.assert_allclose(some["trace"], every["trace"][:, 3::4], atol=1e-6)
    np.testing.assert_allclose(some["readings"], every["readings"][:, 3::4], atol=1e-6)
    np.testing.assert_array_equal(some["trace"][:, -1], some["position"])
    np.testing.assert_allclose(SMALL.traces(x), every["trace"], atol=1e-6)


def test_areas_pay_at_the_end_and_only_inside():
    place = jnp.array([[0.1, 0.1, 0.5, 1 / 6], [0.9, 0.95, 0.5, 2 / 3]])
    np.testing.assert_allclose(Areas().last(place), [1, 1 - 0.05 * 12, 0, 1], atol=1e-5)
    reward, ends = Areas().reward(place, jnp.ones((2, 4)))
    assert not reward.any() and not ends.any()


def test_a_picture_shows_walls_and_the_way():
    x = SMALL.sample(keys.new(0), 2)
    first, second = SMALL.render(x)
    root = ElementTree.fromstring(str(first.data))
    assert first.kind == "svg" and first.data != second.data
    assert len(root.findall(".//{*}line")) == len(SMALL.walls)
    end = re.findall(r"[\d.]+,[\d.]+", root.find(".//{*}polyline").attrib["points"])[-1]
    x, y = SMALL.traces(x)[0, -1]
    np.testing.assert_allclose([float(c) for c in end.split(",")], [100 * x, 100 - 100 * y], atol=0.01)


def test_a_film_moves():
    maze = replace(SMALL, goal=Target())
    (film,) = maze.film(straight(maze.size, 0.2, 0.6), frames=8)
    gif = Image.open(io.BytesIO(film.data))
    assert film.kind == "gif" and gif.n_frames == 8
    first = np.asarray(gif.convert("RGB")).astype(int)
    gif.seek(7)
    assert np.abs(np.asarray(gif.convert("RGB")).astype(int) - first).max() > 50


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: Maze(points=60), "60 points cannot be spread evenly over 250 steps; type points=50"),
        (lambda: Maze(steps=0), "type at least 1 of each"),
        (lambda: Robot(radius=0), "type a radius above 0"),
        (lambda: SMALL.evaluate(None, np.zeros((2, 7))), "7 parameters, but this controller takes 66"),
        (lambda: replace(SMALL, robot=Robot(wheel_noise=1)).evaluate(None, np.zeros((2, 66))), "type keys"),
        (lambda: SMALL.film(SMALL.sample(keys.new(0), 1), frames=0), "type frames=1 or more"),
    ],
)
def test_wrong_settings_are_refused(make, message):
    with pytest.raises(ValueError, match=re.escape(message)):
        make()
