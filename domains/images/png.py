"""Pictures as png files, by the standard library alone (PNG specification, W3C, third edition)."""

import struct
import zlib

import numpy as np

from qd.support.errors import UserError


def encode(image: np.ndarray) -> bytes:
    """Encodes a picture [H, W, 3] or [H, W] of numbers in 0..1, 8 bits a channel. Raises ValueError on another shape."""
    image = np.asarray(image)
    if image.ndim not in (2, 3) or (image.ndim == 3 and image.shape[2] != 3):
        raise UserError(f"a picture is [H, W, 3] or [H, W], but this is {list(image.shape)}")
    height, width = image.shape[:2]
    pixels = np.round(np.clip(np.nan_to_num(image), 0, 1) * 255).astype(np.uint8).reshape(height, -1)
    rows = np.concatenate([np.zeros((height, 1), np.uint8), pixels], axis=1)  # 0: each row stands as it is
    head = struct.pack(">IIBBBBB", width, height, 8, 2 if image.ndim == 3 else 0, 0, 0, 0)
    body = zlib.compress(rows.tobytes(), 6)
    return b"\x89PNG\r\n\x1a\n" + _chunk(b"IHDR", head) + _chunk(b"IDAT", body) + _chunk(b"IEND", b"")


def _chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
