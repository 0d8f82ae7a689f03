"""Arrays and JSON as one compressed text that a page unpacks: a header of JSON, then the bytes of each array.

    4 bytes: length of the header, little-endian | header | arrays, each from a multiple of 8 bytes

The whole is compressed by gzip and written in base64; browsers have both.
"""

import base64
import gzip
import json
from typing import Any

import numpy as np

_DTYPES = {"float32": "f4", "float64": "f8", "int32": "i4", "uint8": "u1"}  # what a page can read without copying


def pack(facts: dict[str, Any], arrays: dict[str, np.ndarray]) -> str:
    """Returns both as base64 text.

    Args:
        facts: what JSON can hold; NaN and infinities become null.
        arrays: by name, of any shape; of another dtype than float32, float64, int32 or uint8 they are converted.
    """
    places, data, offset = {}, [], 0
    for name, array in arrays.items():
        plain = _plain(array)
        places[name] = {"dtype": _DTYPES[plain.dtype.name], "shape": list(plain.shape), "offset": offset}
        raw = plain.tobytes()
        data.append(raw + bytes(-len(raw) % 8))
        offset += len(data[-1])
    header = json.dumps({"facts": _finite(facts), "arrays": places}, ensure_ascii=False, allow_nan=False).encode(
        "utf-8", "replace"
    )
    header += b" " * (-(len(header) + 4) % 8)
    whole = len(header).to_bytes(4, "little") + header + b"".join(data)
    return base64.b64encode(gzip.compress(whole, 4, mtime=0)).decode()


def unpack(text: str) -> tuple[dict[str, Any], dict[str, np.ndarray]]:
    """Returns the facts and arrays of a packed text, as the page does."""
    whole = gzip.decompress(base64.b64decode(text))
    start = 4 + int.from_bytes(whole[:4], "little")
    header = json.loads(whole[4:start])
    arrays = {}
    for name, place in header["arrays"].items():
        count = int(np.prod(place["shape"]))
        arrays[name] = np.frombuffer(whole, place["dtype"], count, start + place["offset"]).reshape(place["shape"])
    return header["facts"], arrays


def _plain(array: np.ndarray) -> np.ndarray:
    """Returns an array in a dtype that a page can read; whole numbers beyond 32 bits become float64."""
    array = np.asarray(array)
    if array.dtype.name in _DTYPES:
        return np.ascontiguousarray(array)
    if array.dtype.kind in "iub":
        bounds = np.iinfo(np.int32)
        fits = not array.size or (array.min() >= bounds.min and array.max() <= bounds.max)
        return np.ascontiguousarray(array, np.int32 if fits else np.float64)
    return np.ascontiguousarray(array, np.float32 if array.dtype.itemsize <= 4 else np.float64)


def _finite(value: Any) -> Any:
    """Returns a copy that JSON can hold."""
    if isinstance(value, dict):
        return {str(key): _finite(each) for key, each in value.items()}
    if isinstance(value, (list, tuple)):
        return [_finite(each) for each in value]
    if isinstance(value, (np.floating, float)):
        return float(value) if np.isfinite(value) else None
    if isinstance(value, np.integer):
        return int(value)
    return value if value is None or isinstance(value, (str, int, bool)) else str(value)
