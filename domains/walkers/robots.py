"""The robots: which file, what is observed, what is paid, when an episode ends; all by numbers of gymnasium's v5 tasks.

Reward of a control step: forward velocity + alive bonus - control cost x sum of squared actions (gymnasium 1.4, hopper_v5.py,
walker2d_v5.py, half_cheetah_v5.py, ant_v5.py). Ant's contact forces are neither observed nor paid for, as in Brax. The
functions take NumPy's and JAX's arrays alike, so that both engines share them.

B batch, Q positions, V velocities, O observations.
"""

from dataclasses import dataclass

from qd.types import Array

INFINITE = float("inf")


@dataclass(frozen=True)
class Robot:
    """What differs from robot to robot."""

    file: str  # of gymnasium's assets
    feet: tuple[str, ...]  # their geoms: each that touches the floor counts for the measures
    outputs: int  # length of an action
    frame_skip: int  # steps of the physics in one control step
    control_seconds: float
    planar: bool  # walks in a plane: positions begin with x, z and the angle; else with x, y, z
    positions: int  # Q
    velocities: int  # V
    control_cost: float
    alive: float  # paid in each step after which the robot stands
    noise: float  # of a published start: half the width, or the standard deviation of velocities where normal
    normal: bool  # are the velocities of a start normal? else uniform
    height: tuple[float, float] = (-INFINITE, INFINITE)  # outside it has fallen, in metres
    lean: float = INFINITE  # beyond this angle it has fallen, in radians
    limit: float = INFINITE  # of positions (but x and z) and velocities, beyond which it has fallen
    clip: float = INFINITE  # of observed velocities
    place: tuple[tuple[float, float], tuple[float, float]] | None = (
        None  # (middle, half width) of x and y, where it observes them
    )
    objective_range: tuple[float, float] = (0.0, 1.0)  # of one control step; low: QDax' offsets; high: beyond what TD3 reaches
    view: tuple[float, float, float] = (4.0, 90.0, -12.0)  # of a film: distance in metres, azimuth and elevation in degrees

    @property
    def hidden_positions(self) -> int:
        """Leading positions that are not observed: where on the floor it is."""
        return 1 if self.planar else 2

    @property
    def inputs(self) -> int:
        """O, the length of an observation."""
        return self.positions - self.hidden_positions + self.velocities + (0 if self.place is None else 2)

    def observe(self, qpos: Array, qvel: Array) -> Array:
        """Returns observations [B, O] of positions [B, Q] and velocities [B, V]."""
        numpy = qpos.__array_namespace__()
        velocities = qvel if self.clip == INFINITE else qvel.clip(-self.clip, self.clip)
        parts = [qpos[:, self.hidden_positions :], velocities]
        if self.place is not None:
            middle, half = self.place
            parts.insert(0, (qpos[:, :2] - numpy.asarray(middle)) / numpy.asarray(half))
        return numpy.concatenate(parts, axis=1).astype(numpy.float32)

    def stands(self, qpos: Array, qvel: Array) -> Array:
        """Returns whether each robot has not fallen, [B].

        Args:
            qpos: positions, as ``observe`` takes them.
            qvel: velocities, as ``observe`` takes them.
        """
        numpy = qpos.__array_namespace__()
        low, high = self.height
        z = qpos[:, 1 if self.planar else 2]
        stands = (low <= z) & (z <= high)
        if self.lean < INFINITE:
            stands &= abs(qpos[:, 2]) < self.lean
        if self.limit < INFINITE:
            stands &= (abs(qpos[:, 2:]) < self.limit).all(axis=1) & (abs(qvel) < self.limit).all(axis=1)
        return stands & numpy.isfinite(qpos).all(axis=1)

    def reward(self, moved: Array, actions: Array, stands: Array, forward: float) -> Array:
        """Pays one control step.

        Args:
            moved: along x, in metres, [B].
            actions: [B, A].
            stands: whether each robot stands after the step, [B].
            forward: share of the forward velocity that is paid; 0 where only the place counts.

        Returns:
            Rewards [B].
        """
        cost = self.control_cost * (actions**2).sum(axis=1)
        return forward * moved / self.control_seconds + self.alive * stands - cost


HOPPER = Robot(
    "hopper.xml", ("foot_geom",), 3, 4, 0.008, True, 6, 6, 0.001, 1.0, 0.005, False,
    height=(0.7, INFINITE), lean=0.2, limit=100.0, clip=10.0, objective_range=(-0.9, 5.0),
)  # fmt: skip
WALKER2D = Robot(
    "walker2d_v5.xml", ("foot_geom", "foot_left_geom"), 6, 4, 0.008, True, 9, 9, 0.001, 1.0, 0.005, False,
    height=(0.8, 2.0), lean=1.0, clip=10.0, objective_range=(-1.413, 8.0),
)  # fmt: skip
HALFCHEETAH = Robot(
    "half_cheetah.xml", ("bfoot", "ffoot"), 6, 5, 0.05, True, 9, 9, 0.1, 0.0, 0.1, True,
    objective_range=(-9.231, 20.0),
)  # fmt: skip
ANT = Robot(
    "ant.xml", ("left_ankle_geom", "right_ankle_geom", "third_ankle_geom", "fourth_ankle_geom"), 8, 5, 0.05, False, 15, 14,
    0.5, 1.0, 0.1, True, height=(0.2, 1.0), objective_range=(-3.24, 10.0), view=(6.0, 70.0, -30.0),
)  # fmt: skip
ROBOTS = {"hopper": HOPPER, "walker2d": WALKER2D, "halfcheetah": HALFCHEETAH, "ant": ANT}
