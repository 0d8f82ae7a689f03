"""MuJoCo's models of the robots: gymnasium's files and a contact sensor at each foot; a trap or a locked joint where asked for.

The files are read from the package gymnasium (MIT), so the physics is the published one to the last digit. A contact sensor is
above 0 where the contact list of MuJoCo, one physics step before the end of a control step, has the foot and the floor.
"""

import importlib.util
from functools import lru_cache
from pathlib import Path
from typing import Any

from domains.walkers.robots import Robot
from qd.support.errors import UserError

Locked = tuple[tuple[int, float], ...]  # (actuator, angle in radians) of joints that are stuck
_TRAP = (  # capsules of QDax' TrapWrapper: from, to, in metres; all with a radius of 0.5
    ((12.0, -2.0, 0.5), (12.0, 2.0, 0.5)),
    ((7.0, 3.0, 0.5), (12.0, 3.0, 0.5)),
    ((7.0, -3.0, 0.5), (12.0, -3.0, 0.5)),
)


def engine() -> Any:
    """Returns the package mujoco with its batches.

    Raises:
        UserError: it is not installed, or too old for batches.
    """
    try:
        import mujoco  # pyright: ignore[reportMissingImports]
        import mujoco.batch  # pyright: ignore[reportMissingImports]
    except ImportError as error:
        raise UserError(
            f"walkers need the package mujoco 4 ({error})",
            "type pip install 'qd-atlas[walkers]'; over mujoco 3: pip uninstall mujoco first",
        ) from error
    return mujoco


@lru_cache(maxsize=64)
def of_robot(robot: Robot, trap: bool = False, locked: Locked = ()) -> Any:
    """Returns the compiled MjModel of a robot; it is shared, so nobody changes it.

    Args:
        robot: of robots.ROBOTS.
        trap: whether walls stand in front of it, open towards it.
        locked: joints that are stuck at an angle.

    Raises:
        UserError: a package is not installed, or there is no such joint.
    """
    mujoco = engine()
    spec = mujoco.MjSpec.from_file(str(_assets() / robot.file))
    total, spec.compiler.settotalmass = spec.compiler.settotalmass, -1  # deprecated: it would warn at each compilation
    for start, end in _TRAP if trap else ():
        spec.worldbody.add_geom(
            type=mujoco.mjtGeom.mjGEOM_CAPSULE, fromto=(*start, *end), size=(0.5, 0, 0), contype=1, conaffinity=1, condim=3
        )
    add_feet(spec, robot.feet)
    lock(spec, locked)
    model = spec.compile()
    if total > 0:
        mujoco.mj_setTotalmass(model, total)
        mujoco.mj_setConst(model, mujoco.MjData(model))
    return model


def add_feet(spec: Any, feet: tuple[str, ...]) -> None:
    """Adds a contact sensor for each foot, in order, after all other sensors.

    Args:
        spec: an MjSpec with a geom "floor"; it changes.
        feet: names of geoms.
    """
    mujoco = engine()
    for foot in feet:
        spec.add_sensor(
            name=f"touch_{foot}",
            type=mujoco.mjtSensor.mjSENS_CONTACT,
            objtype=mujoco.mjtObj.mjOBJ_GEOM,
            objname=foot,
            reftype=mujoco.mjtObj.mjOBJ_GEOM,
            refname="floor",
            intprm=[1, 0, 1],  # one number, found: how many contacts there are
        )


def lock(spec: Any, locked: Locked) -> None:
    """Holds joints at an angle by a constraint, and takes away their motors.

    Args:
        spec: an MjSpec; it changes.
        locked: (actuator, angle in radians).

    Raises:
        UserError: there is no such actuator.
    """
    mujoco = engine()
    for number, angle in locked:
        if not 0 <= number < len(spec.actuators):
            raise UserError(f"there is no joint {number} to lock", f"type a number of 0..{len(spec.actuators) - 1}")
        actuator = spec.actuators[number]
        equality = spec.add_equality(type=mujoco.mjtEq.mjEQ_JOINT, objtype=mujoco.mjtObj.mjOBJ_JOINT, name1=actuator.target)
        equality.data[:5] = (angle, 0, 0, 0, 0)
        equality.solref[:] = (0.02, 1)
        actuator.gainprm[:] = 0
        actuator.biasprm[:] = 0


def _assets() -> Path:
    found = importlib.util.find_spec("gymnasium")
    if found is None or found.origin is None:
        raise UserError(
            "the robots' models come with the package gymnasium, which is not installed", "type pip install 'qd-atlas[walkers]'"
        )
    return Path(found.origin).parent / "envs" / "mujoco" / "assets"
