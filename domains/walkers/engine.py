"""Episodes in MuJoCo's C engine: many robots stepped at once on a few threads, the policy computed for all of them together.

Rows that fell leave, so that they cost nothing; a row that diverged, which MuJoCo would silently start over, has failed. Each
row is the same to the last bit alone or among others, on any number of threads, and as in a loop over mujoco.MjData.

N rows, T steps, Q positions, V velocities, O observations, A actions, F feet.
"""

import os
from collections.abc import Callable
from functools import lru_cache
from typing import Any, NamedTuple

import numpy as np

from domains.policies import Layers, Mlp
from domains.walkers.models import engine
from domains.walkers.robots import Robot

Act = Callable[[np.ndarray, np.ndarray, int], np.ndarray]  # rows [n], their observations [n, O], step -> actions [n, A]
_BAD = ("mjWARN_BADQPOS", "mjWARN_BADQVEL", "mjWARN_BADQACC", "mjWARN_BADCTRL")


class Episodes(NamedTuple):
    """What N robots did."""

    total: np.ndarray  # [N] sum of rewards
    touch: np.ndarray  # [N, F] share of its steps in which each foot touched the floor
    end: np.ndarray  # [N, Q] positions at the end
    lengths: np.ndarray  # [N] steps until it fell, or T
    fell: np.ndarray  # [N] whether it fell
    failed: np.ndarray  # [N] whether the simulation diverged
    observations: np.ndarray  # [N, T + 1, O] zeros after its last step; T = 0 here where steps are not recorded
    actions: np.ndarray  # [N, T, A]
    rewards: np.ndarray  # [N, T]
    poses: np.ndarray | None  # [N, T + 1, Q], where they are asked for


class Start(NamedTuple):
    """Where N robots begin."""

    qpos: np.ndarray  # [N, Q]
    qvel: np.ndarray  # [N, V]


class Policies:
    """Actions of N networks; those of rows that fell are put aside now and then, which costs less than each time."""

    def __init__(self, network: Mlp, solutions: np.ndarray) -> None:
        self._network, self._rows = network, np.arange(len(solutions))
        self._layers: Layers = network.unflatten(solutions)

    def __call__(self, rows: np.ndarray, observations: np.ndarray, step: int) -> np.ndarray:
        """Returns the actions [n, A] of some rows, given their observations [n, O]; the step is not used."""
        if len(rows) < 0.7 * len(self._rows):
            of = np.searchsorted(self._rows, rows)
            self._layers = [(bias[of], weights[of]) for bias, weights in self._layers]
            self._rows = rows
        if len(rows) == len(self._rows):
            return self._network.act(self._layers, observations)
        of = np.searchsorted(self._rows, rows)
        full = np.zeros((len(self._rows), observations.shape[1]), observations.dtype)
        full[of] = observations
        return self._network.act(self._layers, full)[of]


def play(
    model: Any,
    robot: Robot,
    start: Start,
    act: Act,
    steps: int,
    forward: float = 1.0,
    threads: int = 1,
    record: bool = True,
    poses: bool = False,
) -> Episodes:
    """Plays N episodes.

    Args:
        model: an MjModel with a contact sensor for each foot.
        robot: what is observed and paid.
        start: of each row.
        act: computes actions.
        steps: T.
        forward: share of the forward velocity that is paid.
        threads: of the engine; they change no result.
        record: whether to return observations, actions and rewards of every step.
        poses: whether to return the positions at every step.

    Returns:
        What the robots did.
    """
    batch = _batch(model, -(-len(start.qpos) // 16) * 16, threads, os.getpid())
    qpos, qvel, ctrl, touches = (batch.bind(name) for name in ("qpos", "qvel", "ctrl", "sensordata"))
    n, feet, bad = len(start.qpos), len(robot.feet), _warnings()
    alive = np.arange(n)
    _begin(batch, alive, start)
    episodes = _blank(start, steps if record else 0, robot, ctrl.shape[1])
    if poses:
        episodes = episodes._replace(poses=np.repeat(start.qpos[:, None], steps + 1, axis=1))
    for step in range(steps):
        now = robot.observe(qpos[alive], qvel[alive])
        actions = act(alive, now, step)
        before = qpos[alive, 0]
        ctrl[alive] = actions
        batch.step(alive, robot.frame_skip)
        diverged = batch.warning[alive][:, bad, 1].any(axis=1)
        stands = robot.stands(qpos[alive], qvel[alive])
        rewards = robot.reward(qpos[alive, 0] - before, actions.astype(np.float64), stands, forward)
        episodes.total[alive] += rewards
        episodes.touch[alive] += touches[alive, -feet:] > 0
        episodes.lengths[alive] += 1
        if record:
            episodes.observations[alive, step], episodes.actions[alive, step] = now, actions
            episodes.rewards[alive, step] = rewards
        if episodes.poses is not None:
            episodes.poses[alive, step + 1 :] = qpos[alive, None]
        if diverged.any() or not stands.all() or step == steps - 1:
            leave = diverged | ~stands | (step == steps - 1)
            gone = alive[leave]
            episodes.fell[alive[~stands]], episodes.failed[alive[diverged]] = True, True
            episodes.end[gone] = qpos[gone]
            if record:
                episodes.observations[gone, step + 1] = robot.observe(qpos[gone], qvel[gone])
            alive = alive[~leave]
        if not len(alive):
            break
    return episodes._replace(touch=episodes.touch / np.maximum(episodes.lengths, 1)[:, None])


def usable_cores() -> int:
    """Returns how many cores this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def _begin(batch: Any, rows: np.ndarray, start: Start) -> None:
    """Puts rows at their start; a reset clears controls, warm starts and warnings."""
    batch.reset(rows)
    batch.bind("qpos")[rows], batch.bind("qvel")[rows] = start
    batch.bind("qacc_warmstart")[rows] = 0
    batch.bind("time")[rows] = 0


def _blank(start: Start, steps: int, robot: Robot, outputs: int) -> Episodes:
    n = len(start.qpos)
    return Episodes(
        np.zeros(n), np.zeros((n, len(robot.feet))), start.qpos.copy(), np.zeros(n, np.int32), np.zeros(n, bool),
        np.zeros(n, bool), np.zeros((n, steps + 1, robot.inputs), np.float32), np.zeros((n, steps, outputs), np.float32),
        np.zeros((n, steps), np.float32), None,
    )  # fmt: skip


@lru_cache(maxsize=16)
def _batch(model: Any, rows: int, threads: int, process: int) -> Any:
    """A batch, kept for the run; another process has no use for these threads."""
    return engine().batch.Batch(model, rows, nthread=threads)


@lru_cache(maxsize=1)
def _warnings() -> list[int]:
    return [int(getattr(engine().mjtWarning, name)) for name in _BAD]


def blank_start(model: Any, n: int) -> Start:
    """Returns the start of n robots as the model's file has it.

    Args:
        model: an MjModel.
        n: how many.
    """
    return Start(np.tile(model.qpos0, (n, 1)), np.zeros((n, model.nv)))
