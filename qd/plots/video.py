"""Frames as an mp4, by the program ffmpeg: that of the system, or that of the package imageio-ffmpeg."""

import shutil
import subprocess
import tempfile
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from PIL import Image

from qd.support.errors import UserError

_PAUSE = 15  # times that the last frame is shown


def mp4(frames: Sequence[Image.Image], milliseconds: int = 100) -> bytes:
    """Returns frames as one mp4 (H.264), with a pause at its end.

    Args:
        frames: of one size, 1 or more; a side of an odd number of pixels loses one.
        milliseconds: how long a frame is shown.

    Raises:
        UserError: there is no ffmpeg, or it cannot write H.264.
    """
    width, height = (side // 2 * 2 for side in frames[0].size)
    raw = [np.asarray(frame.convert("RGB"))[:height, :width].tobytes() for frame in (*frames, *[frames[-1]] * _PAUSE)]
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "film.mp4"
        words = [
            _ffmpeg(), "-v", "error", "-f", "rawvideo", "-pix_fmt", "rgb24", "-s", f"{width}x{height}",
            "-r", f"1000/{milliseconds}", "-i", "-", "-c:v", "libx264", "-pix_fmt", "yuv420p",
            "-movflags", "+faststart", str(file),
        ]  # fmt: skip
        done = subprocess.run(words, input=b"".join(raw), capture_output=True, check=False)
        if done.returncode or not file.is_file():
            reason = done.stderr.decode("utf-8", "replace").strip()[-300:]
            raise UserError(f"ffmpeg wrote no mp4: {reason}", "install an ffmpeg with libx264, or name a .gif")
        return file.read_bytes()


def _ffmpeg() -> str:
    program = shutil.which("ffmpeg")
    if program is not None:
        return program
    try:
        from imageio_ffmpeg import get_ffmpeg_exe  # pyright: ignore[reportMissingImports]
    except ImportError as error:
        raise UserError(
            "an mp4 needs ffmpeg, which is not here", "type pip install 'qd-atlas[film]', which brings it, or name a .gif"
        ) from error
    return get_ffmpeg_exe()
