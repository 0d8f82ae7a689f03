"""Generators of pictures that need no weights: of latents, and of prompts."""

import io
import zlib
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from PIL import Image


@dataclass(frozen=True)
class Painted:
    """The first three latents are a colour, the others stripes; beyond 3 in the first the picture fails."""

    side: int = 16

    def __call__(self, latents: np.ndarray) -> np.ndarray:
        """Returns [n, S, S, 3]."""
        z = np.asarray(latents, np.float32)
        waves = np.sin(np.arange(self.side) * (1 + np.abs(z[:, 3:4])))[:, None, :, None]
        image = (0.5 + 0.15 * z[:, None, None, :3] + 0.2 * waves).clip(0, 1).repeat(self.side, axis=1)
        return np.where((np.abs(z[:, 0]) > 3)[:, None, None, None], np.nan, image).astype(np.float32)


@dataclass(frozen=True)
class PaintedPrompts:
    """A file of one colour, by a prompt's hash."""

    def __call__(self, prompts: Sequence[str]) -> list[bytes | None]:
        """Returns png files."""
        files = []
        for prompt in prompts:
            file = io.BytesIO()
            Image.new("RGB", (8, 8), tuple(zlib.crc32(prompt.encode()).to_bytes(4, "big")[:3])).save(file, "PNG")
            files.append(file.getvalue())
        return files
