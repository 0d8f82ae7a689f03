"""How fast robots are simulated: control steps a second of the wall and of CPU time, beside a plain loop and mujoco.rollout.

All sides play the same policies from the same start, with one batched NumPy policy, in one process and in turn; robots that
fall go on, so that every side does the same work. A plain loop steps one mujoco.MjData after the other on one thread;
mujoco.rollout is called for one control step at a time. Ours is the domain's whole episode, with rewards, feet and records;
its last positions are the plain loop's, bit for bit, which is checked. Times want a quiet machine.

    qd study walkers.speed budget=quick|first      of one robot: robots=ant
"""

from collections.abc import Callable
from dataclasses import replace
from functools import partial
from typing import Annotated, Any

import numpy as np

from domains.policies import Mlp
from domains.walkers import engine, hexapod, models
from domains.walkers.engine import Policies, Start
from domains.walkers.robots import INFINITE, ROBOTS, Robot
from experiments import command, study
from experiments.benchmarks import rounds
from experiments.benchmarks.rounds import Side
from experiments.command import Names
from qd import keys

BUDGETS = {"quick": 1, "first": 5}  # rounds
ROBOT_NAMES = ("hopper", "walker2d", "halfcheetah", "ant", "hexapod")
STEPS = {"hopper": 24, "walker2d": 24, "halfcheetah": 60, "ant": 12, "hexapod": 24}  # of a round with 64 rows; of 256 a quarter
BATCHES = (64, 256)
PLAIN, ONE, TWO = "plain loop", "ours, 1 thread", "ours, 2 threads"
ROLLOUT = "mujoco.rollout, 2 threads"
PAIRS = {"ours, 2 threads / plain loop": (TWO, PLAIN), "ours, 2 threads / rollout": (TWO, ROLLOUT)}
_Act = Callable[[np.ndarray, np.ndarray, int], np.ndarray]


def main(budget: Annotated[str, BUDGETS] = "quick", robots: Annotated[Names, ROBOT_NAMES] = (), out: str = "") -> None:
    """Does the missing rounds, then writes and prints the table.

    Args:
        budget: a name in BUDGETS.
        robots: of ROBOT_NAMES; empty: all.
        out: folder of the results; empty: the default one.
    """
    folder = study.folder("walkers_speed", budget, out)
    runs = study.runs(folder)
    for robot in robots or ROBOT_NAMES:
        for n in BATCHES:
            rounds.race(runs, f"{robot}, batch {n}", partial(sides, robot, n), BUDGETS[budget])
    study.report(folder, rows(runs), (*rounds.RATIOS, "per_s", "per_cpu_s"), 2, ("mujoco-core", "gymnasium", "numpy"))


rows = partial(rounds.rows, pairs=PAIRS)  # of its table


def sides(name: str, n: int) -> dict[str, Side]:
    """Returns the sides of a case; each plays ``n`` rows and returns how many control steps it did.

    Args:
        name: of ROBOT_NAMES.
        n: rows.
    """
    steps = max(STEPS[name] * 64 // n, 4)
    robot, model, actor = _task(name, n)
    last: dict[str, np.ndarray] = {}

    def side(method: str, play: Callable[[], np.ndarray]) -> Side:
        def run() -> int:
            last[method] = play()
            if method != ROLLOUT and PLAIN in last and not np.array_equal(last[method], last[PLAIN]):
                raise AssertionError(f"{method} ends elsewhere than the plain loop")
            return n * steps

        return run

    return {
        PLAIN: side(PLAIN, lambda: _plain(model, robot, actor(), n, steps)),
        ROLLOUT: side(ROLLOUT, lambda: _rollout(model, robot, actor(), n, steps)),
        ONE: side(ONE, lambda: _ours(model, robot, actor(), n, steps, 1)),
        TWO: side(TWO, lambda: _ours(model, robot, actor(), n, steps, 2)),
    }


def _task(name: str, n: int) -> tuple[Robot, Any, Callable[[], _Act]]:
    """The robot that never falls, its model, and what makes its controller."""
    if name == "hexapod":
        waves = hexapod.angles(keys.uniform(keys.new(0), (n, 36)), 50)
        return hexapod.ROBOT, hexapod.model_of(()), lambda: lambda rows, observations, step: waves[rows, step % 50]
    robot = replace(ROBOTS[name], height=(-INFINITE, INFINITE), lean=INFINITE, limit=INFINITE)
    network = Mlp(robot.inputs, robot.outputs)
    solutions = network.sample(keys.new(0), n)
    return robot, models.of_robot(ROBOTS[name]), lambda: Policies(network, solutions)


def _plain(model: Any, robot: Robot, act: _Act, n: int, steps: int) -> np.ndarray:
    mujoco, rows = models.engine(), np.arange(n)
    data = [mujoco.MjData(model) for _ in rows]
    for step in range(steps):
        qpos, qvel = np.stack([d.qpos for d in data]), np.stack([d.qvel for d in data])
        for d, action in zip(data, act(rows, robot.observe(qpos, qvel), step), strict=True):
            d.ctrl[:] = action
            mujoco.mj_step(model, d, robot.frame_skip)
    return np.stack([d.qpos for d in data])


def _rollout(model: Any, robot: Robot, act: _Act, n: int, steps: int) -> np.ndarray:
    from mujoco.rollout import Rollout  # pyright: ignore[reportMissingImports]

    mujoco, rows, full = models.engine(), np.arange(n), models.engine().mjtState.mjSTATE_FULLPHYSICS
    data = [mujoco.MjData(model) for _ in range(2)]
    state = np.empty((n, mujoco.mj_stateSize(model, full)))
    mujoco.mj_getState(model, data[0], state[0], full)
    state[:] = state[0]
    with Rollout(nthread=2) as rollout:
        for step in range(steps):
            qpos, qvel = state[:, 1 : 1 + model.nq], state[:, 1 + model.nq : 1 + model.nq + model.nv]
            actions = act(rows, robot.observe(qpos, qvel), step).astype(np.float64)
            control = np.repeat(actions[:, None], robot.frame_skip, axis=1)
            states, _ = rollout.rollout([model] * n, data, state, control, nstep=robot.frame_skip)
            state = states[:, -1]
    return state[:, 1 : 1 + model.nq].copy()


def _ours(model: Any, robot: Robot, act: _Act, n: int, steps: int, threads: int) -> np.ndarray:
    start: Start = engine.blank_start(model, n)
    return engine.play(model, robot, start, act, steps, threads=threads).end


if __name__ == "__main__":
    command.run()
