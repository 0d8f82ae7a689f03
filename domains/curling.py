"""A two-link arm pushes a disc over a square table with four walls; paid only where the disc ends in one of two areas.

The curling task of SERENE (Paolo et al. 2021, arXiv 2102.03140) by our own planar physics in place of Box2D: motors
are strong, so joints turn exactly at the speed that the controller sets, and a link that would leave the table or
squeeze the disc against a wall stops. The disc slides with linear damping and bounces by restitution along the contact's
normal; it has no spin and no friction with what it meets, and a contact slower than ``slow`` does not bounce (Box2D's rule).

B episodes, C of them stepped together, D parameters, P points of a trace, T steps. The last axis of the physics is C.
"""

import math
from dataclasses import dataclass, field, replace
from functools import lru_cache
from typing import ClassVar, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from domains import episodes, scene
from domains.maze.controller import Controller, OneBias
from domains.maze.maps import Areas
from domains.scene import Camera, Stroke
from qd.support.errors import UserError
from qd.types import Array, Evaluation, Rendering

_TABLE = 1.5  # half its side
_BOX = (-_TABLE, _TABLE)
_BASE = (0.0, -_TABLE)  # the shoulder, in the middle of the lower wall
_LIMITS = np.array([[0.4 * math.pi], [0.9 * math.pi]], np.float32)  # of the two joints, to both sides
_HALF = 0.025  # half a link's width
_DISC = 0.15  # its radius
_AREAS = ((0.8, 0.8, 0.4), (0.8, -0.8, 0.2))
_READINGS, _ACTIONS = 6, 2


class CurlingState(NamedTuple):
    """Disc and arm in motion."""

    disc: Array  # [2, C]
    speed: Array  # [2, C] of the disc
    angles: Array  # [2, C] of the links: from upright, and from the first link
    turning: Array  # [2, C] of the joints, radians a second


@dataclass(frozen=True)
class Curling:
    """Plays B episodes of T steps each.

    Features: position [B, 2], where the disc ends; trace [B, P, 2], where it is after T/P, 2 T/P, ... steps; states
    [B, P, 4], disc and angles, the same; image [B, F, S, S, 3] (uint8), what the camera sees.
    """

    steps: int = 500
    controller: Controller = field(default_factory=lambda: OneBias((5, 5, 5)))
    goal: Areas = field(default_factory=lambda: Areas(_AREAS))
    camera: Camera = field(default_factory=Camera)
    points: int = 50  # of the trace
    start: tuple[float, float] = (-0.5, 0.2)  # of the disc
    rate: float = 60.0  # steps a second
    damping: float = 1.1  # of the disc, per second
    bounce: tuple[float, float] = (0.9, 0.95)  # restitution at a link, at a wall
    slow: float = 1.0  # a contact slower than this does not bounce
    chunk: int = 64  # episodes stepped together
    pure: bool = True
    objective_range: ClassVar[tuple[float, float]] = (0.0, 1.0)

    def __post_init__(self) -> None:
        episodes.check(self.steps, self.points, self.chunk)
        if max(map(abs, self.start)) > _TABLE - _DISC:
            raise UserError(f"a disc that starts at {self.start} is not on the table", f"type start within +-{_TABLE - _DISC}")
        self.camera.check(self.points)

    @property
    def size(self) -> int:
        """D, the number of parameters of one controller."""
        return self.controller.size(_READINGS, _ACTIONS)

    @property
    def space(self) -> tuple[float, float]:
        """The range of a parameter."""
        return self.controller.space

    def sample(self, key: Array, n: int) -> Array:
        """Draws controllers; arguments as in ``Domain``."""
        return self.controller.sample(key, n, _READINGS, _ACTIONS)

    def evaluate(self, keys: Array, solutions: Array) -> Evaluation:
        """Plays each episode.

        Args:
            keys: unused: nothing is random.
            solutions: parameters, [B, D].

        Returns:
            Reward of the last position, and the features position, trace, states and image.

        Raises:
            UserError: the controllers have another D.
        """
        episodes.check_size(solutions, self.size, "this one")
        states = episodes.play(self._episodes, self.chunk, solutions)
        position = states[:, -1, :2]
        strokes = _strokes(self.camera.moments(states), self.goal.discs() if self.camera.goals else ())
        image = self.camera.shoot(strokes, _BOX)
        features = {"position": position, "trace": states[:, :, :2], "states": states, "image": image}
        return Evaluation(self.goal.last(position.T), features)

    def render(self, solutions: Array) -> list[Rendering]:
        """Draws goals, the last state and the disc's trace of each episode as an svg."""
        strokes_and_path = [(_strokes(s[-1], self.goal.discs()), s[:, :2]) for s in self.states(solutions)]
        return [Rendering("svg", scene.svg(strokes, _BOX, trace)) for strokes, trace in strokes_and_path]

    def film(self, solutions: Array, frames: int = 50) -> list[Rendering]:
        """Animates each episode.

        Args:
            solutions: parameters, [B, D].
            frames: of a film, evenly spaced in time; at least 1.

        Returns:
            B gifs, each about three seconds long.
        """
        frame_steps = np.linspace(0, self.steps - 1, frames).round().astype(int)
        films = [s[frame_steps] for s in self.states(solutions)]
        return [Rendering("gif", scene.gif(_strokes(s, self.goal.discs()), _BOX, s[:, :2])) for s in films]

    def states(self, solutions: Array) -> np.ndarray:
        """Returns disc and angles at every step, [B, T, 4]."""
        every_step = replace(self, points=self.steps, camera=Camera())
        return np.asarray(_state_program(every_step)(np.asarray(solutions, np.float32)))

    def step(self, state: CurlingState, push: Array) -> CurlingState:
        """Computes one step of the physics.

        Args:
            state: before the step.
            push: speeds that the joints' motors aim at, radians a second, [2, C].

        Returns:
            The state after the step; where the disc would be squeezed, the old one at rest.
        """
        dt = 1 / self.rate
        angles = _within_table(state.angles, jnp.clip(state.angles + push * dt, -_LIMITS, _LIMITS))
        turning = (angles - state.angles) / dt
        speed = state.speed / (1 + dt * self.damping)
        disc = state.disc + speed * dt
        for which in (0, 1):
            disc, speed = self._meet_link(disc, speed, angles, turning, which)
        disc, speed = self._meet_walls(disc, speed)
        overlaps = jnp.minimum(*(_gap(disc, angles, which)[0] for which in (0, 1))) < -0.005
        resting = CurlingState(state.disc, jnp.zeros_like(speed), state.angles, jnp.zeros_like(turning))
        following = CurlingState(disc, speed, angles, turning)
        return jax.tree.map(lambda old, new: jnp.where(overlaps, old, new), resting, following)

    def _episodes(self, solutions: Array) -> Array:
        """Plays C episodes: states [C, P, 4]."""
        layers = self.controller.layers(solutions.T, _READINGS, _ACTIONS)
        still = jnp.zeros((2, len(solutions)))
        first = CurlingState(still + np.array(self.start, np.float32)[:, None], still, still, still)

        def step(_: int, state: CurlingState) -> CurlingState:
            readings = jnp.concatenate([state.disc, state.angles, state.turning])
            return self.step(state, self.controller.act(layers, readings))

        def stretch(state: CurlingState, _: None) -> tuple[CurlingState, Array]:
            state = jax.lax.fori_loop(0, self.steps // self.points, step, state)
            return state, jnp.concatenate([state.disc, state.angles])

        return jax.lax.scan(stretch, first, None, length=self.points)[1].transpose(2, 0, 1)

    def _meet_link(self, disc: Array, speed: Array, angles: Array, turning: Array, which: int) -> tuple[Array, Array]:
        """Pushes the disc out of a link, and lets it bounce off the link's surface, which moves."""
        gap, normal, near = _gap(disc, angles, which)
        shoulder, elbow, _ = _arm(angles)
        around = _across(near - shoulder) * turning[0] + (_across(near - elbow) * turning[1] if which else 0)
        coming = ((speed - around) * normal).sum(axis=0)
        hit = (gap < 0) & (coming < 0)
        rebound = speed - normal * coming * (1 + jnp.where(coming < -self.slow, self.bounce[0], 0))
        return disc - normal * jnp.minimum(gap, 0), jnp.where(hit, rebound, speed)

    def _meet_walls(self, disc: Array, speed: Array) -> tuple[Array, Array]:
        edge = _TABLE - _DISC
        hit = jnp.abs(disc) > edge
        outward = speed * jnp.sign(disc)
        back = -jnp.sign(disc) * outward * jnp.where(outward > self.slow, self.bounce[1], 0)
        return jnp.clip(disc, -edge, edge), jnp.where(hit & (outward > 0), back, speed)


def _arm(angles: Array) -> tuple[Array, Array, Array]:
    """Shoulder, elbow and tip [2, ...]; angles [2, ...]."""
    first, second = angles[0], angles[0] + angles[1]
    shoulder = jnp.stack([jnp.full_like(first, x) for x in _BASE])
    elbow = shoulder + jnp.stack([-jnp.sin(first), jnp.cos(first)])
    return shoulder, elbow, elbow + jnp.stack([-jnp.sin(second), jnp.cos(second)])


def _within_table(old: Array, new: Array) -> Array:
    """Turns both joints, or one alone where both would lead the tip off the table, or none."""
    angles = old
    for candidate in (jnp.stack([old[0], new[1]]), jnp.stack([new[0], old[1]]), new):  # the last that can be wins
        tip = _arm(candidate)[2]
        angles = jnp.where(jnp.abs(tip).max(axis=0) > _TABLE - _HALF, angles, candidate)
    return angles


def _gap(disc: Array, angles: Array, which: int) -> tuple[Array, Array, Array]:
    """Between disc and link: distance [C], below 0 where they overlap, normal towards the disc, nearest point [2, C]."""
    a, b = _arm(angles)[which : which + 2]
    along = b - a  # a link is 1 long
    near = a + along * jnp.clip(((disc - a) * along).sum(axis=0), 0, 1)
    away = disc - near
    distance = jnp.sqrt((away**2).sum(axis=0) + 1e-12)
    return distance - _DISC - _HALF, away / distance, near


def _across(arm: Array) -> Array:
    """What a point at the end of ``arm`` [2, C] moves by, per radian."""
    return jnp.stack([-arm[1], arm[0]])


def _strokes(states: Array, discs: tuple[tuple[float, float, float], ...]) -> list[Stroke]:
    """States [..., 4] as strokes."""
    arm = jnp.moveaxis(jnp.stack(_arm(jnp.moveaxis(states[..., 2:], -1, 0))), (0, 1), (-2, -1))
    strokes = [Stroke(scene.lines(arm), _HALF, scene.BODY), Stroke(scene.dots(states[..., None, :2]), _DISC, scene.TIP)]
    return scene.goals(discs) + strokes


@lru_cache(maxsize=8)
def _state_program(curling: Curling):
    return jax.jit(lambda solutions: curling.evaluate(None, solutions).features["states"])
