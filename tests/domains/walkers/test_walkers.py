"""Walkers: the physics of a plain loop over MuJoCo, on any threads and in any company; feet, ends, noise, refusals."""

import io
from dataclasses import replace

import numpy as np
import pytest
from PIL import Image

pytest.importorskip("mujoco", reason="needs the extra 'walkers'")
pytest.importorskip("gymnasium", reason="needs the extra 'walkers'")

import mujoco

from domains.policies import Mlp
from domains.walkers import Walker, engine, film, models
from domains.walkers.hexapod import ROBOT, Hexapod, angles
from domains.walkers.robots import ROBOTS
from qd import keys

TRANSITIONS = ("observations", "actions", "rewards", "lengths", "fell")


def plain(walker: Walker, solution: np.ndarray) -> tuple[float, np.ndarray, np.ndarray, int]:
    """One episode by hand: sum of rewards, shares of touching feet by the contact list, last positions, steps."""
    robot, model = ROBOTS[walker.robot], models.of_robot(ROBOTS[walker.robot])
    data, policy, touch, total = mujoco.MjData(model), walker.policy(solution), np.zeros(len(robot.feet)), 0.0
    feet = [model.geom(name).id for name in robot.feet]
    for step in range(walker.steps):
        action = policy(robot.observe(data.qpos[None], data.qvel[None])[0])
        data.ctrl[:], before = action, data.qpos[0]
        mujoco.mj_step(model, data, robot.frame_skip - 1)
        mujoco.mj_step1(model, data)
        pairs = [set(contact.geom.tolist()) for contact in data.contact[: data.ncon]]
        mujoco.mj_step(model, data)
        touch += [{foot, model.geom("floor").id} in pairs for foot in feet]
        stands = robot.stands(data.qpos[None], data.qvel[None])
        total += robot.reward(data.qpos[:1] - before, action[None].astype(float), stands, 1.0)[0]
        if not stands[0]:
            break
    return total, touch / (step + 1), data.qpos.copy(), step + 1


@pytest.mark.parametrize(("robot", "steps"), [("halfcheetah", 1000), ("hopper", 1000), ("walker2d", 200), ("ant", 60)])
def test_an_episode_is_the_plain_loop_on_any_threads_and_in_any_company(robot, steps):
    walker = Walker(robot, steps=steps, threads=2)
    x = walker.sample(keys.new(1), 3)
    several = walker.evaluate(None, x)
    for other, rows in (
        (replace(walker, threads=1), slice(None)),
        (walker, slice(1, 2)),
        (replace(walker, chunk=2), slice(None)),
    ):
        again = other.evaluate(None, x[rows])
        np.testing.assert_array_equal(again.objective, several.objective[rows])
        for name in (*TRANSITIONS, "touch", "position"):
            np.testing.assert_array_equal(again.features[name], several.features[name][rows], err_msg=name)
    total, touch, last, length = plain(walker, x[1])
    assert several.objective[1] == np.float32(total) and several.features["lengths"][1, 0] == length
    np.testing.assert_array_equal(several.features["touch"][1], touch.astype(np.float32))
    np.testing.assert_array_equal(several.features["position"][1], last[:2].astype(np.float32))


def test_rewards_observations_and_ends_are_gymnasiums():
    gymnasium, _, _ = (
        pytest.importorskip(name, reason="gymnasium runs its robots with it") for name in ("gymnasium", "imageio", "glfw")
    )
    for robot, name in (
        ("hopper", "Hopper-v5"),
        ("walker2d", "Walker2d-v5"),
        ("halfcheetah", "HalfCheetah-v5"),
        ("ant", "Ant-v5"),
    ):
        more = {"contact_cost_weight": 0, "include_cfrc_ext_in_observation": False} if robot == "ant" else {}
        environment = gymnasium.make(name, reset_noise_scale=0, disable_env_checker=True, **more)
        walker = Walker(robot, steps=60)
        x = walker.sample(keys.new(3), 1)
        features, policy = walker.evaluate(None, x).features, walker.policy(x[0])
        observation, _ = environment.reset(seed=0)
        for step in range(features["lengths"][0, 0]):
            np.testing.assert_allclose(observation, features["observations"][0, 0, step], rtol=1e-5, atol=1e-5)
            observation, reward, fell, _, _ = environment.step(policy(observation))
            # of the ant gymnasium reads where it was one physics step before
            assert reward == pytest.approx(features["rewards"][0, 0, step], abs=1e-4 if robot != "ant" else 2)
        assert fell == features["fell"][0, 0]
        np.testing.assert_allclose(observation, features["observations"][0, 0, step + 1], rtol=1e-5, atol=1e-4)


def test_a_diverged_row_has_failed_and_its_neighbours_have_not(monkeypatch):
    """MuJoCo would go on from the start, silently."""
    walker = Walker("halfcheetah", steps=20)
    x = walker.sample(keys.new(0), 4)
    x[1, 0] = np.nan
    start = engine.blank_start(walker.model, 4)
    start.qvel[2] = 1e11
    monkeypatch.setattr(engine, "blank_start", lambda model, n: start)
    objective = walker.evaluate(None, x).objective
    assert np.isnan(objective).tolist() == [False, True, True, False]
    monkeypatch.undo()
    again = walker.evaluate(None, x)
    assert np.isnan(again.objective).tolist() == [False, True, False, False]  # the used batch is as a new one
    np.testing.assert_array_equal(again.objective[[0, 3]], objective[[0, 3]])


def test_noisy_starts_come_from_each_policys_own_key():
    walker = Walker("hopper", steps=30, noise=1.0, episodes=3)
    x, each = walker.sample(keys.new(0), 4), keys.split(keys.new(1), 4)
    whole = walker.evaluate(each, x)
    part = replace(walker, chunk=2).evaluate(each[1:3], x[1:3])
    np.testing.assert_array_equal(part.objective, whole.objective[1:3])
    np.testing.assert_array_equal(part.features["observations"], whole.features["observations"][1:3])
    first = whole.features["observations"][:, :, 0]
    assert len(np.unique(first[..., 0])) == 12 and abs(first[..., 5:]).max() <= 0.005
    quiet = replace(walker, noise=0.0, episodes=1).evaluate(None, x)
    assert (whole.objective != quiet.objective).any()
    totals = whole.features["rewards"].sum(-1)
    np.testing.assert_allclose(whole.objective, totals.mean(1), rtol=1e-5)


def test_the_trap_stops_an_ant_and_is_seen():
    walker = Walker("ant", "trap", steps=5)
    assert walker.network.inputs == 29 and Walker("ant").network.inputs == 27
    x = walker.sample(keys.new(0), 1)
    np.testing.assert_allclose(walker.evaluate(None, x).features["observations"][0, 0, 0, :2], (-1, 0))
    model = walker.model
    data = mujoco.MjData(model)
    data.qpos[0] = 11.4  # within its front wall
    mujoco.mj_forward(model, data)
    assert data.ncon > 0


def test_omni_pays_no_speed():
    walker = Walker("ant", "omni", steps=20)
    x = walker.sample(keys.new(0), 2)
    omni, uni = walker.evaluate(None, x), replace(walker, task="uni").evaluate(None, x)
    np.testing.assert_array_equal(omni.features["actions"], uni.features["actions"])
    moved = uni.features["position"][:, 0] / ROBOTS["ant"].control_seconds
    np.testing.assert_allclose(uni.objective - omni.objective, moved, rtol=1e-3, atol=1e-3)


def test_a_locked_joint_stays_where_it_is_stuck():
    walker = Walker("halfcheetah", steps=30, locked=((2, -0.3),))
    start = engine.blank_start(walker.model, 1)
    x = walker.sample(keys.new(0), 1)
    poses = walker._play(x, start, 0, poses=True).poses
    assert (
        abs(poses[0, 10:, 5] + 0.3).max()
        < 0.1
        < np.ptp(replace(walker, locked=())._play(x, start, 0, poses=True).poses[0, :, 5])
    )


def test_a_layout_names_every_parameter_and_flattens_back():
    network = Walker("ant").network
    assert network.size == sum(int(np.prod(shape)) for _, shape in network.layout) == 27 * 64 + 64 + 64 * 64 + 64 + 64 * 8 + 8
    x = network.sample(keys.new(0), 3)
    np.testing.assert_array_equal(network.flatten(network.unflatten(x)), x)
    assert (abs(x[:, :64]).max(), x[0, 64:].max() > 0) == (0, True)
    wide = network.widened(2)
    y, observation, last = wide.sample(keys.new(1), 3), np.ones((3, 27), np.float32), np.full((3, 2), 0.5, np.float32)
    asked = wide.act(wide.unflatten(y), np.concatenate([observation, last], axis=1))
    np.testing.assert_allclose(network.act(network.unflatten(wide.narrowed(y, last)), observation), asked, rtol=1e-5, atol=1e-6)


def test_flax_computes_the_same_from_the_same_vector():
    linen, flat = (
        pytest.importorskip("flax.linen", reason="needs flax, of the extra 'qwix'"),
        pytest.importorskip("jax.flatten_util"),
    )
    import jax

    class Net(linen.Module):
        @linen.compact
        def __call__(self, x):
            for units in (64, 64, 3):
                x = jax.numpy.tanh(linen.Dense(units)(x))
            return x

    network, observation = Mlp(11, 3), np.linspace(-1, 1, 11, dtype=np.float32)
    x = network.sample(keys.new(0), 1)
    _, unravel = flat.ravel_pytree(Net().init(jax.random.key(0), observation))
    ours = network.act(network.unflatten(x), observation[None])[0]
    np.testing.assert_allclose(Net().apply(unravel(jax.numpy.asarray(x[0])), observation), ours, rtol=1e-5, atol=1e-6)


def test_a_tripod_walks_on_three_feet_and_a_still_robot_stands_on_six():
    hexapod, leg = Hexapod(seconds=3.0), np.arange(6) % 2
    gaits = np.zeros((2, 6, 2, 3), np.float32)
    gaits[1, :, 0] = np.stack([np.ones(6), leg / 2, np.full(6, 0.5)], axis=1)
    gaits[1, :, 1] = np.stack([np.full(6, 0.3), (leg / 2 + 0.75) % 1, np.full(6, 0.5)], axis=1)
    evaluation = hexapod.evaluate(None, gaits.reshape(2, 36))
    still, tripod = evaluation.objective
    assert abs(still) < 1e-3 and 0.2 < tripod < 0.5
    assert (evaluation.features["touch"][0] == 1).all() and evaluation.features["touch"][1].max() < 0.6
    course = replace(hexapod, task="omni").evaluate(None, gaits.reshape(2, 36)).objective
    assert course[0] == pytest.approx(0, abs=1) or course[0] > -180  # it stood still
    assert -30 < course[1] <= 0
    one = replace(hexapod, threads=1, chunk=1).evaluate(None, gaits.reshape(2, 36))
    np.testing.assert_array_equal(one.objective, evaluation.objective)


def test_a_servo_follows_amplitude_phase_and_duty():
    gaits = np.zeros((1, 6, 2, 3), np.float32)
    gaits[0, 2, 0], gaits[0, 2, 1] = (1, 0, 0.5), (0.5, 0.25, 0.25)
    wave = angles(gaits.reshape(1, 36), 100)[0]
    assert wave.shape == (100, ROBOT.outputs) and abs(np.delete(wave, [6, 7, 8], axis=1)).max() == 0
    assert wave[25, 6] == pytest.approx(np.pi / 6, rel=1e-3) == -wave[75, 6]
    np.testing.assert_array_equal(wave[:, 7], -wave[:, 8])
    assert wave[:, 7].argmax() == pytest.approx(37, abs=1) and wave[:, 7].mean() < 0


def test_a_film_is_drawn_without_a_renderer_too(monkeypatch):
    """MuJoCo's renderer runs elsewhere: without a driver it may end its process."""
    monkeypatch.setattr(film, "_rendered", lambda model, poses, view: None)
    walker = Walker("hopper", steps=40)
    x = walker.sample(keys.new(0), 2)
    steps = walker.evaluate(None, x).features["lengths"][:, 0]
    for reel, length in zip(walker.film(x), steps, strict=True):
        images = Image.open(io.BytesIO(reel.data))
        assert reel.kind == "gif" and 1 < images.n_frames <= min(length + 1, 48)  # equal frames are one
        colours = set(images.convert("RGB").get_flattened_data())
        assert len(colours) > 3 and images.size == (320, 240)


def test_a_renderer_that_cannot_draw_is_none(monkeypatch):
    monkeypatch.setattr(film, "_RENDER", "import os; os.abort()")
    walker = Walker("hopper", steps=2)
    assert film._rendered(walker.model, np.zeros((1, 6)), (4.0, 90.0, -12.0)) is None


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"robot": "walker"}, "unknown robot 'walker'.*walker2d"),
        ({"task": "omni"}, "walks in a plane.*type domain=ant_omni"),
        ({"task": "unni"}, "unknown task 'unni'"),
        ({"engine": "mujocu"}, "unknown engine 'mujocu'.*mujoco"),
        ({"episodes": 2}, "all the same; type noise=1"),
        ({"steps": 0}, "type at least 1"),
        ({"hidden": (0,)}, "computes nothing"),
        ({"locked": ((9, 0.0),)}, "no joint 9 to lock; type a number of 0..5"),
    ],
)
def test_what_cannot_be_is_refused_before_anything_runs(settings, message):
    with pytest.raises(ValueError, match=message):
        assert Walker(**settings).network.size


def test_a_policy_of_another_size_is_refused():
    with pytest.raises(ValueError, match=r"5 parameters, but a network of 17 inputs.*type the robot and the hidden sizes"):
        Walker().evaluate(None, np.zeros((2, 5)))
    with pytest.raises(ValueError, match="noisy and have no keys"):
        Walker(noise=1.0).evaluate(None, Walker().sample(keys.new(0), 1))
    with pytest.raises(ValueError, match="a gait has 36 numbers"):
        Hexapod().evaluate(None, np.zeros((1, 3)))


@pytest.mark.parametrize("package", ["mujoco", "gymnasium"])
def test_a_missing_package_names_the_extra(package, monkeypatch):
    import builtins
    import importlib.util

    models.of_robot.cache_clear()
    found, imported = importlib.util.find_spec, builtins.__import__

    def find(name, *rest):
        return None if name == package else found(name, *rest)

    def importer(name, *rest, **more):
        if name.split(".")[0] == package:
            raise ImportError(f"No module named {name!r}")
        return imported(name, *rest, **more)

    monkeypatch.setattr(importlib.util, "find_spec", find)
    monkeypatch.setattr(builtins, "__import__", importer)
    with pytest.raises(ValueError, match=r"pip install 'qd-atlas\[walkers\]'"):
        Walker()
