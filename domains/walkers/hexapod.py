"""A robot of six legs that walks by an open-loop gait of 36 numbers (Cully et al. 2015, Nature 521:503, arXiv 1407.3501).

Each leg has three servos: one swings it forward and back, one lifts it, one keeps its foot's bone upright (the negative of the
second). The first two follow a square wave of 1 Hz with an amplitude, a phase and a duty cycle, smoothed by a Gaussian: three
numbers in [0, 1] each, 6 x 2 x 3 = 36. The robot is our own, in the proportions of theirs.

    uni    objective: speed along x in m/s;   measures: the share of time that each foot touches the floor (feature ``touch``)
    omni   objective: minus the angle, in degrees, between its heading and that of a walk along a circle's arc;
           measures: where it ends (feature ``position``), after Cully and Mouret (2013, Evolutionary Computation 24:59)

B batch, T control steps, S control steps of a second.
"""

import math
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np

from domains.walkers import engine, models
from domains.walkers.robots import Robot
from qd import keys as host_keys
from qd.support.errors import UserError
from qd.support.spelling import unknown
from qd.types import Array, Evaluation, Rendering

TASKS = ("uni", "omni")
LEGS = ("right_front", "right_middle", "right_hind", "left_hind", "left_middle", "left_front")
_REACH = math.pi / 6  # radians of a servo at an amplitude of 1
_SMOOTH = 0.06  # standard deviation of the Gaussian, in cycles
_GAIT = (6, 2, 3)  # legs, servos with a wave of their own, numbers of a wave
ROBOT = Robot(
    "hexapod", tuple(f"{leg}_foot" for leg in LEGS), outputs=18, frame_skip=2, control_seconds=0.02, planar=False, positions=25,
    velocities=24, control_cost=0.0, alive=0.0, noise=0.0, normal=False, view=(1.2, 60.0, -25.0),
)  # fmt: skip


@dataclass(frozen=True)
class Hexapod:
    """Walks B gaits.

    Features: touch [B, 6]; position [B, 2], x and y in metres at the end. A gait whose simulation diverges has failed.
    """

    task: str = "uni"
    seconds: float = 5.0  # of a walk, as in the paper
    threads: int = 0  # of the engine; 0: as many as this process has cores; they change no result
    chunk: int = 256  # gaits that the engine has at a time
    locked: models.Locked = ()  # (servo 0..17, three a leg; angle in radians) of those that are stuck
    pure: bool = False

    def __post_init__(self) -> None:
        if self.task not in TASKS:
            raise unknown("task", str(self.task), TASKS, "of the hexapod")
        if self.chunk < 1 or self.threads < 0 or not ROBOT.control_seconds <= self.seconds < 3600:
            raise UserError(
                f"{self.seconds} seconds, chunks of {self.chunk}, {self.threads} threads", "type at least 0.02, 1 and 0"
            )
        model_of(self.locked)  # a package or a servo that lacks is noticed before a budget is spent

    @property
    def space(self) -> tuple[float, float]:
        """The range of a number; beyond it a gait is that of the border."""
        return (0.0, 1.0)

    @property
    def objective_range(self) -> tuple[float, float]:
        """From 0.5 m/s backwards to 1 m/s; of omni from the opposite direction to the right one."""
        return (-0.5, 1.0) if self.task == "uni" else (-180.0, 0.0)

    @property
    def bounds(self) -> tuple[tuple[float, float], ...]:
        """Of the task's measures."""
        return ((0.0, 1.0),) * 6 if self.task == "uni" else ((-1.5, 1.5), (-1.5, 1.5))

    def sample(self, key: Array, n: int) -> Array:
        """Draws gaits uniformly, [n, 36]; arguments as in ``Domain``."""
        return host_keys.uniform(key, (n, math.prod(_GAIT)))

    def evaluate(self, keys: Array, solutions: Array) -> Evaluation:
        """Walks each gait.

        Args:
            keys: unused: nothing is random.
            solutions: gaits, [B, 36].

        Returns:
            Objective [B], and the features touch and position.

        Raises:
            UserError: a gait has not 36 numbers.
        """
        gaits = np.asarray(solutions, np.float32)
        if gaits.shape[1:] != (math.prod(_GAIT),):
            raise UserError(f"a gait has {math.prod(_GAIT)} numbers, but a solution has {list(gaits.shape[1:])}")
        parts = [self._walk(gaits[i : i + self.chunk]) for i in range(0, len(gaits), self.chunk)]
        touch, end, failed = (np.concatenate([getattr(part, name) for part in parts]) for name in ("touch", "end", "failed"))
        place = end[:, :2].astype(np.float32)
        objective = end[:, 0] / self.seconds if self.task == "uni" else -_off_course(end)
        objective = np.where(failed, np.nan, objective).astype(np.float32)
        return Evaluation(objective, {"touch": touch.astype(np.float32), "position": place})

    def film(self, solutions: Array) -> list[Rendering]:
        """Films each gait as a gif."""
        from domains.walkers import film

        walk = self._walk(np.asarray(solutions, np.float32), poses=True)
        assert walk.poses is not None
        model = model_of(self.locked)
        return [Rendering("gif", film.draw(model, poses, ROBOT.control_seconds, ROBOT.view)) for poses in walk.poses]

    def _walk(self, gaits: np.ndarray, poses: bool = False) -> engine.Episodes:
        model, waves = model_of(self.locked), angles(gaits, round(1 / ROBOT.control_seconds))
        start = engine.blank_start(model, len(gaits))
        threads, steps = self.threads or engine.usable_cores(), round(self.seconds / ROBOT.control_seconds)

        def act(rows: np.ndarray, observations: np.ndarray, step: int) -> np.ndarray:
            return waves[rows, step % waves.shape[1]]

        return engine.play(model, ROBOT, start, act, steps, threads=threads, record=False, poses=poses)


def angles(gaits: Array, samples: int) -> np.ndarray:
    """Returns the angle that each servo is to have, over one cycle.

    Args:
        gaits: [B, 36]: by leg, by servo (swing, lift): amplitude, phase, duty cycle.
        samples: S.

    Returns:
        Radians [B, S, 18], three servos a leg.
    """
    amplitude, phase, duty = np.moveaxis(np.clip(gaits, 0, 1).reshape(-1, *_GAIT), -1, 0)[..., None]
    times = np.arange(samples) / samples
    wave = np.where((times - phase) % 1 < duty, 1.0, -1.0)
    away = np.minimum(times, 1 - times)
    bell = np.exp(-0.5 * (away / _SMOOTH) ** 2)
    smooth = np.fft.irfft(np.fft.rfft(wave) * np.fft.rfft(bell / bell.sum()), samples)
    swing, lift = np.moveaxis(_REACH * amplitude * smooth, 2, 0)  # [B, 6, S] each
    servos = np.stack([swing, lift, -lift], axis=2)
    return np.moveaxis(servos.reshape(len(servos), 18, samples), 2, 1).astype(np.float32)


def _off_course(end: np.ndarray) -> np.ndarray:
    """Degrees between the heading at the end, and that of a walk along an arc from the start to there."""
    w, x, y, z = end[:, 3:7].T
    heading = np.arctan2(2 * (w * z + x * y), 1 - 2 * (y**2 + z**2))
    off = heading - 2 * np.arctan2(end[:, 1], end[:, 0])
    return np.degrees(abs((off + np.pi) % (2 * np.pi) - np.pi))


@lru_cache(maxsize=64)
def model_of(locked: models.Locked) -> Any:
    """Returns the compiled MjModel; it is shared, so nobody changes it.

    Args:
        locked: servos that are stuck at an angle.
    """
    spec = models.engine().MjSpec.from_string(_mjcf())
    models.add_feet(spec, ROBOT.feet)
    models.lock(spec, locked)
    return spec.compile()


def _mjcf() -> str:
    """The robot: 24 cm long, 3.2 kg, servos of at most 3 Nm; only feet and body touch the floor."""
    sides = [(x, y) for y, xs in ((-0.1, (0.12, 0.0, -0.12)), (0.1, (-0.12, 0.0, 0.12))) for x in xs]
    legs = "".join(_leg(name, x, y) for name, (x, y) in zip(LEGS, sides, strict=True))
    servos = "".join(f'<position joint="{leg}_{joint}"/>' for leg in LEGS for joint in ("swing", "lift", "knee"))
    return f"""
<mujoco model="hexapod">
  <option timestep="0.01" integrator="implicitfast"/>
  <default>
    <geom contype="0" conaffinity="0" friction="1 0.05 0.001"/>
    <joint damping="0.05" armature="0.01" range="-90 90"/>
    <position kp="15" kv="0.5" forcerange="-3 3"/>
  </default>
  <worldbody>
    <light pos="0 0 3"/>
    <geom name="floor" type="plane" size="20 20 .1" contype="1" conaffinity="1" rgba=".8 .8 .75 1"/>
    <body name="body" pos="0 0 .12">
      <freejoint/>
      <geom name="trunk" type="box" size=".13 .09 .025" mass="1.2" contype="1" rgba=".17 .48 .73 1"/>{legs}
    </body>
  </worldbody>
  <actuator>{servos}</actuator>
</mujoco>"""


def _leg(name: str, x: float, y: float) -> str:
    """A leg that points away from the body: 4 cm, 9 cm, and 10 cm down; lifting turns the upper bone upwards."""
    out = math.copysign(1, y)
    return f"""
      <body pos="{x} {y} 0" euler="0 0 {-out * 300 * x:.0f}">
        <joint name="{name}_swing" axis="0 0 {-out:.0f}"/>
        <geom type="capsule" fromto="0 0 0 0 {0.04 * out} 0" size=".015" mass=".1"/>
        <body pos="0 {0.04 * out} 0">
          <joint name="{name}_lift" axis="{out:.0f} 0 0"/>
          <geom type="capsule" fromto="0 0 0 0 {0.09 * out} 0" size=".013" mass=".14"/>
          <body pos="0 {0.09 * out} 0">
            <joint name="{name}_knee" axis="{out:.0f} 0 0"/>
            <geom type="capsule" fromto="0 0 0 0 0 -.1" size=".01" mass=".09"/>
            <geom name="{name}_foot" type="sphere" pos="0 0 -.1" size=".02" mass=".01" contype="1"/>
          </body>
        </body>
      </body>"""
