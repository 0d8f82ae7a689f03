"""Films of robots: MuJoCo's own offscreen renderer where there is EGL, else a drawing of the capsules from the side.

T steps, Q positions.
"""

import io
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from typing import Any

import numpy as np
from PIL import Image, ImageDraw

from domains.walkers.models import engine

_FRAMES, _WIDTH, _HEIGHT = 48, 320, 240  # of a film at most; pixels
_SKY, _FLOOR, _BODY, _FOOT = "#f6f6f2", "#c9c5ba", "#2b7bba", "#d1495b"
View = tuple[float, float, float]
_PATIENCE = 300  # seconds that the renderer may take
_RENDER = """
import sys
import mujoco
import numpy
folder, width, height = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
model = mujoco.MjModel.from_binary_path(f"{folder}/model.mjb")
data, camera = mujoco.MjData(model), mujoco.MjvCamera()
camera.distance, camera.azimuth, camera.elevation = (float(word) for word in sys.argv[4:])
frames = []
with mujoco.Renderer(model, height, width) as renderer:
    for pose in numpy.load(f"{folder}/poses.npy"):
        data.qpos[:] = pose
        mujoco.mj_forward(model, data)
        camera.lookat[:] = data.xpos[1]
        renderer.update_scene(data, camera)
        for flag in (mujoco.mjtRndFlag.mjRND_SHADOW, mujoco.mjtRndFlag.mjRND_REFLECTION):
            renderer.scene.flags[flag] = 0  # half of the time of a renderer in software
        frames.append(renderer.render())
numpy.save(f"{folder}/frames.npy", numpy.stack(frames))
"""


def draw(model: Any, poses: np.ndarray, seconds: float, view: View) -> bytes:
    """Draws an episode as a gif that loops.

    Args:
        model: an MjModel.
        poses: positions at every step, [T, Q].
        seconds: that a control step takes.
        view: distance in metres, azimuth and elevation in degrees, of the camera, which follows the first body.

    Returns:
        The gif's bytes, 320 x 240 pixels, in real time or as near to it as 48 frames and a gif's clock of 20 ms allow.
    """
    shown = np.linspace(0, len(poses) - 1, min(len(poses), _FRAMES)).round().astype(int)
    images = list(_frames(model, poses[shown], view))
    duration = max(20, int(1000 * seconds * len(poses) / len(shown)))
    few = [image.quantize(64) for image in images]
    file, pauses = io.BytesIO(), [duration] * (len(few) - 1) + [1000]
    few[0].save(file, "GIF", save_all=True, append_images=few[1:], duration=pauses, loop=0)
    return file.getvalue()


def _frames(model: Any, poses: np.ndarray, view: View) -> Iterator[Image.Image]:
    rendered = _rendered(model, poses, view)
    if rendered is not None:
        yield from map(Image.fromarray, rendered)
        return
    data = engine().MjData(model)
    for pose in poses:
        data.qpos[:] = pose
        engine().mj_kinematics(model, data)
        yield _drawing(model, data, 0.8 * view[0])


def _rendered(model: Any, poses: np.ndarray, view: View) -> np.ndarray | None:
    """Frames [T, H, W, 3] by MuJoCo's renderer; None where it cannot draw without a screen.

    It runs in a process of its own, for without a driver it may end the process that calls it.
    """
    with tempfile.TemporaryDirectory() as folder:
        engine().mj_saveModel(model, f"{folder}/model.mjb", None)
        np.save(f"{folder}/poses.npy", poses)
        words = [sys.executable, "-c", _RENDER, folder, *map(str, (_WIDTH, _HEIGHT, *view))]
        env = os.environ | {"MUJOCO_GL": "egl"}
        try:
            done = subprocess.run(words, env=env, cwd=folder, capture_output=True, check=False, timeout=_PATIENCE)
        except subprocess.TimeoutExpired:
            return None
        return np.load(f"{folder}/frames.npy") if done.returncode == 0 else None


def _drawing(model: Any, data: Any, metres: float) -> Image.Image:
    """Draws every geom but the floor as a line as wide as its radius, from the side; the picture is so many metres wide."""
    mujoco, scale, middle = engine(), _WIDTH / metres, float(data.xpos[1][0])
    image = Image.new("RGB", (_WIDTH, _HEIGHT), _SKY)
    pen = ImageDraw.Draw(image)
    ground = _HEIGHT - 30
    pen.rectangle((0, ground, _WIDTH, _HEIGHT), fill=_FLOOR)
    for mark in np.arange(np.floor(middle - metres), middle + metres, 0.5):
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
