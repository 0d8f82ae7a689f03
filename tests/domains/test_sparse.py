"""Domains of sparse rewards: the redundant arm, curling, and what a camera sees of them and of the maze."""

import io
import math
import re
import xml.etree.ElementTree as ElementTree
from dataclasses import replace

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from PIL import Image

from domains import curling, redundant_arm, scene
from domains.curling import Curling, CurlingState
from domains.maze import Maze
from domains.maze.maps import Areas
from domains.redundant_arm import RedundantArm
from domains.scene import Camera, Stroke
from qd import keys, programs

ARM = RedundantArm(steps=40, points=10)
GAME = Curling(steps=60, points=6)
TWO = [pytest.param(ARM, id="arm"), pytest.param(GAME, id="curling", marks=pytest.mark.ci)]
NAMES = ("position", "trace", "image")


def evaluate(domain, solutions, names=NAMES):
    return programs.evaluate(domain, names, keys.new(0), solutions)


@pytest.fixture(scope="module")
def arms():
    x = ARM.sample(keys.new(0), 60)
    return x, ARM.poses(x)


@pytest.fixture(scope="module")
def games():
    x = Curling().sample(keys.new(1), 200)
    return x, Curling().states(x)


def table(disc=(0.0, 0.0), speed=(0.0, 0.0), angles=(0.0, 0.0)) -> CurlingState:
    column = lambda pair: jnp.array(pair, jnp.float32)[:, None]
    return CurlingState(column(disc), column(speed), column(angles), jnp.zeros((2, 1)))


def test_sizes_are_the_published_ones():
    assert RedundantArm().size == 228 and Curling().size == 94


def test_an_arm_keeps_its_links_and_every_pose_is_legal(arms):
    _, poses = arms
    steps = np.diff(poses, axis=2)
    np.testing.assert_allclose(np.hypot(*np.moveaxis(steps, -1, 0)), 1 / 20, rtol=1e-4)
    np.testing.assert_allclose(poses[:, :, 0], 0.5)
    assert poses.min() >= 0 and poses.max() <= 1
    gaps = np.abs(poses[:, -1, :, None] - poses[:, -1, None]).sum(-1) + np.eye(21)
    assert gaps.min() >= 0.95 / 20 - 1e-6
    for x, y, width, height in redundant_arm._WALLS:
        assert not ((np.abs(poses[..., 0] - x) < width) & (np.abs(poses[..., 1] - y) < height)).any()
    assert np.hypot(*np.moveaxis(np.diff(poses[:, :, -1], axis=1), -1, 0)).max() <= 1 / 20 + 1e-6


def test_an_illegal_step_ends_the_episode_and_is_not_taken(arms):
    _, poses = arms
    moves = np.abs(np.diff(poses, axis=1)).max((2, 3)) > 0
    ended = ~moves[:, -1]
    assert 0.2 < ended.mean() < 1  # some fail, not all
    first_stop = np.argmin(moves, axis=1)
    for arm in np.flatnonzero(ended):
        assert not moves[arm, first_stop[arm] :].any()


def test_an_arm_of_zeros_keeps_its_coil_and_constant_push_turns_as_physics_says():
    still = ARM.poses(np.zeros((1, 228), np.float32))
    np.testing.assert_array_equal(still[0, 0], still[0, -1])
    push = np.zeros((1, 228), np.float32)
    push[0, -101] = 0.2  # the last layer's one bias: every joint accelerates alike
    poses = ARM.poses(push)
    moved = np.diff(poses[0, [0, 30]], axis=1)  # after 1 and 31 steps
    heading = np.unwrap(np.arctan2(moved[..., 1], moved[..., 0]), axis=1)
    angles = np.diff(heading, axis=1, prepend=0)
    time = np.array([1, 31]) * 0.02
    turned = math.tanh(0.1) * (time[1] ** 2 - time[0] ** 2) / 2
    np.testing.assert_allclose(angles[1] - angles[0], turned, atol=1e-4)


def test_rewards_are_sparse_and_paid_at_the_end_of_each_area():
    x = RedundantArm().sample(keys.new(0), 1000)
    said = evaluate(RedundantArm(), x, ("position",))
    assert 0 < (said.objective > 0).mean() < 0.05 and said.objective.max() <= 1
    best = np.argmax(said.objective)
    place = said.features["position"][best]
    gaps = [1 - math.dist(place, (cx, cy)) / r for cx, cy, r in RedundantArm().goal.areas]
    assert max(gaps) == pytest.approx(said.objective[best], abs=1e-5)
    each = Areas().each(jnp.array([[0.1, 0.5], [0.9, 0.5]]))
    assert len(each) == 2 and float(each[0][0]) == pytest.approx(1) and float(each[1][1]) < 0


@pytest.mark.parametrize("domain", TWO)
def test_a_controller_that_is_not_finite_fails_alone(domain):
    x = domain.sample(keys.new(0), 10)
    whole = evaluate(domain, x, ("position", "trace"))
    x[3] = np.nan
    said = evaluate(domain, x, ("position", "trace"))
    assert np.isnan(said.objective[3]) and np.isfinite(np.delete(said.objective, 3)).all()
    np.testing.assert_array_equal(np.delete(said.features["trace"], 3, 0), np.delete(whole.features["trace"], 3, 0))


@pytest.mark.parametrize("domain", TWO)
def test_chunks_change_nothing(domain):
    x = domain.sample(keys.new(2), 21)
    together, alone = (evaluate(d, x, ("trace",)) for d in (domain, replace(domain, chunk=5)))
    np.testing.assert_allclose(together.features["trace"], alone.features["trace"], atol=1e-5)


@pytest.mark.ci
def test_a_disc_slides_bounces_and_slows_down():
    game = Curling()
    sliding = game.step(table(disc=(0.8, 0.8), speed=(-1.0, 0.5)), jnp.zeros((2, 1)))
    np.testing.assert_allclose(sliding.speed[:, 0], np.array([-1, 0.5]) / (1 + 1.1 / 60), rtol=1e-5)
    np.testing.assert_allclose(sliding.disc[:, 0], [0.8, 0.8] + np.asarray(sliding.speed[:, 0]) / 60, rtol=1e-5)
    fast = game.step(table(disc=(1.34, 0.5), speed=(3.0, 0.0)), jnp.zeros((2, 1)))
    assert float(fast.speed[0, 0]) == pytest.approx(-0.95 * 3 / (1 + 1.1 / 60), rel=1e-5) and fast.disc[0, 0] <= 1.35
    slow = game.step(table(disc=(1.349, 0.5), speed=(0.5, 0.0)), jnp.zeros((2, 1)))
    assert float(slow.speed[0, 0]) == 0  # too slow to bounce


def test_a_turning_link_carries_the_disc_along_and_a_resting_one_sends_it_back():
    game = Curling()
    beside = table(disc=(0.17, -1.0))  # touches the first link, half a unit from the shoulder
    pushed = game.step(beside, jnp.array([[-1.0], [0.0]]))  # turning to the right
    np.testing.assert_allclose(pushed.speed[:, 0], [0.5, 0], atol=0.02)  # radians a second x distance; too slow to bounce
    assert float(pushed.turning[0, 0]) == pytest.approx(-1, rel=1e-4)
    hit = game.step(table(disc=(0.19, -1.0), speed=(-2.0, 0.0)), jnp.zeros((2, 1)))
    assert float(hit.speed[0, 0]) == pytest.approx(0.9 * 2 / (1 + 1.1 / 60), rel=1e-4)


@pytest.mark.ci
def test_nothing_overlaps_or_leaves_the_table(games):
    _, states = games
    disc, angles = (jnp.asarray(np.moveaxis(states[..., c], -1, 0).reshape(2, -1)) for c in ([0, 1], [2, 3]))
    assert np.abs(disc).max() <= 1.35 + 1e-6 and np.abs(np.asarray(curling._arm(angles)[2])).max() <= 1.5
    assert min(float(curling._gap(disc, angles, which)[0].min()) for which in (0, 1)) >= -0.005 - 1e-6
    assert (np.abs(angles) <= curling._LIMITS + 1e-6).all()
    moved = np.abs(states[:, -1, :2] - states[:, 0, :2]).max(1) > 1e-3
    assert 0.2 < moved.mean() < 0.9


def test_a_squeezed_disc_stops_the_link():
    game = Curling(start=(1.3, -1.0))
    now = table(disc=(1.3, -1.0), angles=(-0.4, -0.4))
    now = jax.jit(lambda now: jax.lax.fori_loop(0, 600, lambda _, t: game.step(t, jnp.array([[-1.0], [-1.0]])), now))(now)
    assert np.isfinite(np.concatenate(now)).all() and float(jnp.abs(now.disc).max()) <= 1.35
    gap = min(float(curling._gap(now.disc, now.angles, which)[0][0]) for which in (0, 1))
    assert gap >= -0.005


def test_a_stroke_is_where_it_should_be_in_its_colour():
    disc = Stroke(scene.dots(np.array([[0.25, 0.75]], np.float32)), 0.125, "#ff0000")
    image = np.asarray(scene.raster([disc], (0.0, 1.0), 64))
    red = (image == [1, 0, 0]).all(-1)
    rows, columns = np.nonzero(red)
    assert rows.mean() == pytest.approx(15.5, abs=0.1) and columns.mean() == pytest.approx(15.5, abs=0.1)
    assert 1 - image[..., 1].mean() == pytest.approx(math.pi / 64, rel=0.02)  # its area
    bar = Stroke(np.array([[0, 0.5, 1, 0.5]], np.float32), 0.125, "#000000")
    image = np.asarray(scene.raster([disc, bar], (0.0, 1.0), 64))
    assert image[32].max() == 0 and image[2].min() == 1


@pytest.mark.parametrize("domain", [*TWO, pytest.param(Maze(steps=40, points=10), id="maze", marks=pytest.mark.ci)])
def test_images_show_where_an_episode_is(domain):
    several = replace(domain, camera=Camera(side=24, frames=2))
    x = several.sample(keys.new(3), 12)
    said = evaluate(several, x)
    image = said.features["image"]
    assert image.shape == (12, 2, 24, 24, 3) and image.dtype == np.uint8 and len(np.unique(image, axis=0)) > 3
    last = evaluate(replace(domain, camera=Camera(side=24)), x, ("image",)).features["image"]
    np.testing.assert_array_equal(last[:, 0], image[:, 1])
    red = image[:, 1, ..., 0].astype(int) - image[:, 1, ..., 2]  # the only thing that is red is at the position
    row, column = np.unravel_index(red.reshape(12, -1).argmax(1), (24, 24))
    low, high = (-1.5, 1.5) if domain is GAME else (0, 1)
    seen = low + (high - low) * (np.stack([column, 23 - row], 1) + 0.5) / 24
    assert np.abs(seen - said.features["position"]).max() < 0.17 if domain is GAME else 0.06


@pytest.mark.ci
def test_goals_are_seen_only_where_asked_for():
    x = ARM.sample(keys.new(3), 2)
    hidden, shown = (evaluate(replace(ARM, camera=Camera(16, goals=g)), x, ("image",)).features["image"] for g in (False, True))
    assert not np.array_equal(hidden, shown) and not (hidden == [0xA7, 0xD3, 0xA6]).all(-1).any()
    assert (shown == [0xA7, 0xD3, 0xA6]).all(-1).any()


@pytest.mark.parametrize("domain", TWO)
def test_pictures_and_films(domain):
    x = domain.sample(keys.new(5), 6)
    first, second = domain.render(x[:2])
    ElementTree.fromstring(str(first.data))
    assert first.kind == "svg" and first.data != second.data
    trace = domain.poses(x)[:, :, -1] if domain is ARM else domain.states(x)[..., :2]
    moving = np.argmax(np.ptp(trace, axis=1).max(1))
    (film,) = domain.film(x[moving : moving + 1], frames=8)
    gif = Image.open(io.BytesIO(film.data))
    before = np.asarray(gif.convert("RGB")).astype(int)
    gif.seek(gif.n_frames - 1)
    assert film.kind == "gif" and gif.n_frames > 1 and np.abs(np.asarray(gif.convert("RGB")).astype(int) - before).max() > 50


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: RedundantArm(points=30), "30 points cannot be spread evenly over 100 steps"),
        (lambda: RedundantArm(camera=Camera(frames=3)), "3 images cannot be spread evenly over 20 points"),
        (lambda: ARM.evaluate(None, np.zeros((2, 7))), "7 parameters, but an arm of 20 joints takes 228"),
        (lambda: Curling(start=(2.0, 0.0)), "is not on the table"),
        (lambda: Curling(steps=0), "type at least 1 of each"),
        (lambda: GAME.evaluate(None, np.zeros((2, 7))), "7 parameters, but this one takes 94"),
        (lambda: Camera(side=2), "images of 2 pixels show nothing"),
        (lambda: Maze(camera=Camera(frames=5)), "a maze of no points keeps no 5 moments to show; type points=5"),
        (lambda: ARM.film(ARM.sample(keys.new(0), 1), frames=0), "type frames=1 or more"),
    ],
)
def test_wrong_settings_are_refused(make, message):
    with pytest.raises(ValueError, match=re.escape(message)):
        make()
