"""Films of robots: MuJoCo's own offscreen renderer where there is EGL, else a drawing of the capsules from the side.

T steps, Q positions.
"""

import io
import os
from collections.abc import Iterator
from typing import Any

import numpy as np
from PIL import Image, ImageDraw

from domains.walkers.models import engine

_FRAMES, _WIDTH, _HEIGHT = 60, 320, 240  # of a film at most; pixels
_SKY, _FLOOR, _BODY, _FOOT = "#f6f6f2", "#c9c5ba", "#2b7bba", "#d1495b"
_METRES = 3.2  # that a drawing shows from left to right


def draw(model: Any, poses: np.ndarray, seconds: float) -> bytes:
    """Draws an episode as a gif that loops.

    Args:
        model: an MjModel.
        poses: positions at every step, [T, Q].
        seconds: that a control step takes.

    Returns:
        The gif's bytes, 320 x 240 pixels, in real time or as near to it as 60 frames and a gif's clock of 20 ms allow.
    """
    shown = np.linspace(0, len(poses) - 1, min(len(poses), _FRAMES)).round().astype(int)
    images = list(_frames(model, poses[shown]))
    duration = max(20, int(1000 * seconds * len(poses) / len(shown)))
    few = [image.quantize(64) for image in images]
    file, pauses = io.BytesIO(), [duration] * (len(few) - 1) + [1000]
    few[0].save(file, "GIF", save_all=True, append_images=few[1:], duration=pauses, loop=0)
    return file.getvalue()


def _frames(model: Any, poses: np.ndarray) -> Iterator[Image.Image]:
    renderer = _renderer(model)
    data = engine().MjData(model)
    for pose in poses:
        data.qpos[:] = pose
        engine().mj_kinematics(model, data)
        if renderer is None:
            yield _drawing(model, data)
            continue
        engine().mj_camlight(model, data)
        renderer.update_scene(data, _camera(data))
        yield Image.fromarray(renderer.render())
    if renderer is not None:
        renderer.close()


def _renderer(model: Any) -> Any | None:
    """Returns MuJoCo's renderer, or None where it cannot draw without a screen: no EGL, or mujoco-core alone."""
    os.environ.setdefault("MUJOCO_GL", "egl")
    mujoco = engine()
    try:
        return mujoco.Renderer(model, _HEIGHT, _WIDTH)
    except (AttributeError, ImportError, OSError, RuntimeError, mujoco.FatalError):
        return None


def _camera(data: Any) -> Any:
    """Looks from the side, and follows the robot."""
    camera = engine().MjvCamera()
    camera.type = engine().mjtCamera.mjCAMERA_FREE
    camera.lookat[:] = data.xpos[1][0], data.xpos[1][1], 0.6
    camera.distance, camera.azimuth, camera.elevation = 4.0, 90.0, -15.0
    return camera


def _drawing(model: Any, data: Any) -> Image.Image:
    """Draws every geom but the floor as a line as wide as its radius, from the side; the camera follows the first body."""
    mujoco, scale, middle = engine(), _WIDTH / _METRES, float(data.xpos[1][0])
    image = Image.new("RGB", (_WIDTH, _HEIGHT), _SKY)
    pen = ImageDraw.Draw(image)
    ground = _HEIGHT - 30
    pen.rectangle((0, ground, _WIDTH, _HEIGHT), fill=_FLOOR)
    for mark in np.arange(np.floor(middle - _METRES), middle + _METRES, 0.5):
        x = _WIDTH / 2 + (mark - middle) * scale
        pen.line((x, ground, x, ground + 8), fill="white", width=2)
    for geom in np.argsort(data.geom_xpos[:, 1])[::-1]:  # what is far first
        kind = model.geom_type[geom]
        if kind == mujoco.mjtGeom.mjGEOM_PLANE or model.geom_bodyid[geom] == 0:
            continue
        axis = data.geom_xmat[geom].reshape(3, 3)[:, 2 if kind == mujoco.mjtGeom.mjGEOM_CAPSULE else 0]
        half = model.geom_size[geom, 1 if kind == mujoco.mjtGeom.mjGEOM_CAPSULE else 0] * axis
        if kind == mujoco.mjtGeom.mjGEOM_SPHERE:
            half = 0 * axis
        ends = [data.geom_xpos[geom] + sign * half for sign in (-1, 1)]
        line = [(_WIDTH / 2 + (x - middle) * scale, ground - z * scale) for x, _, z in ends]
        radius = max(2.0, scale * model.geom_size[geom, 2 if kind == mujoco.mjtGeom.mjGEOM_BOX else 0])
        colour = _FOOT if "foot" in (model.geom(int(geom)).name or "") else _BODY
        pen.line(line, fill=colour, width=round(2 * radius))
        for x, y in line:
            pen.ellipse((x - radius, y - radius, x + radius, y + radius), fill=colour)
    return image
