"""A generator in an ONNX file, run by onnxruntime on the CPU, searched whole or in a random subspace of its noise.

n pictures, Z latents, D numbers of noise.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np

from qd.support.cache_dirs import cache_path
from qd.support.errors import UserError


@dataclass(frozen=True)
class OnnxGenerator:
    """Maps latents to pictures by a network whose first input is noise.

    In a subspace, latents z choose the noise sqrt(Z) N z / |z|, N [D, Z] random of deviation 1 / sqrt(Z): each number of it has
    deviation 1, as the network was trained, however far a search goes, and a step of the search is a step of the noise.
    """

    file: str  # path of an .onnx, or FOLDER/NAME of what `qd fetch FOLDER` brings
    shape: tuple[int, ...]  # of one noise, e.g. [1, 128, 128]
    subspace: int | None = 32  # Z; None: all D numbers are searched
    noise: str | None = None  # the name of its input; None: the network's first
    others: Mapping[str, float] = field(default_factory=dict, compare=False)  # its other inputs -> a number for each picture
    low: float = 0.0  # the value of an output that is black
    high: float = 1.0  # that is white
    scale: float = 1.0  # by which noise is multiplied
    seed: int = 0  # of the subspace
    threads: int = 1

    def __post_init__(self) -> None:
        if not self.low < self.high or not self.shape or min(self.shape) < 1:
            raise UserError(f"low={self.low}, high={self.high}, shape={self.shape} are no scale and no shape of noise")

    @property
    def latents(self) -> int:
        """Z."""
        return self.subspace or int(np.prod(self.shape))

    @property
    def options(self) -> tuple[int, ...]:
        """None: latents are real numbers."""
        return ()

    @property
    def fingerprint(self) -> str:
        """File, size and settings."""
        path = self._path
        settings = (
            self.shape,
            self.subspace,
            self.noise,
            sorted(self.others.items()),
            self.low,
            self.high,
            self.scale,
            self.seed,
        )
        return f"{path.name} {path.stat().st_size if path.is_file() else 0} {settings}"

    def __call__(self, latents: np.ndarray) -> np.ndarray:
        """Makes pictures, one at a time, so that none depends on its neighbours in a batch.

        Args:
            latents: [n, Z].

        Returns:
            [n, H, W] or [n, H, W, 3] in 0..1.
        """
        session = _open(str(self._path), self.threads)
        inputs = {each.name: each for each in session.get_inputs()}
        noise = self.noise or next(iter(inputs))
        unknown = [name for name in self.others if name not in inputs]
        if noise not in inputs or unknown:
            raise UserError(f"{self.file} has the inputs {', '.join(inputs)}, not {', '.join([*unknown, noise])}")
        feeds = {name: _filled(inputs[name], value) for name, value in self.others.items()}
        rows = [session.run(None, {noise: one[None], **feeds})[0] for one in self._noise(latents)]
        return _pictures((np.stack(rows) - self.low) / (self.high - self.low))

    def _noise(self, latents: np.ndarray) -> np.ndarray:
        z = np.asarray(latents, np.float32)
        if self.subspace is not None:
            z = z / np.maximum(np.linalg.norm(z, axis=1, keepdims=True), 1e-6) * np.float32(np.sqrt(self.subspace))
            z = z @ _basis(self.subspace, int(np.prod(self.shape)), self.seed)
        return np.float32(self.scale) * z.reshape(len(z), *self.shape)

    @property
    def _path(self) -> Path:
        path = Path(self.file).expanduser()
        return path if path.is_file() else cache_path("weights", *path.parts)


@lru_cache(maxsize=4)
def _basis(latents: int, size: int, seed: int) -> np.ndarray:
    """Fields of noise [Z, D]; their sum over unit latents has deviation 1."""
    draws = np.random.Generator(np.random.Philox(key=seed)).standard_normal((latents, size), dtype=np.float32)
    return draws / np.float32(np.sqrt(latents))


@lru_cache(maxsize=2)
def _open(path: str, threads: int) -> Any:
    if not Path(path).is_file():
        folder = Path(path).parent.name
        raise UserError(f"there is no {path}", f"type qd fetch {folder}, or domain.generate.file=FILE.onnx")
    try:
        import onnxruntime  # pyright: ignore[reportMissingImports]
    except ModuleNotFoundError as error:
        raise UserError("an ONNX file needs onnxruntime, not installed here", "type pip install 'qd-atlas[onnx]'") from error
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = threads
    options.log_severity_level = 3
    return onnxruntime.InferenceSession(path, options, providers=["CPUExecutionProvider"])


def _filled(entry: Any, value: float) -> np.ndarray:
    """An input of one picture, every number of it the same."""
    shape = [size if isinstance(size, int) and size > 0 else 1 for size in entry.shape]
    kind = {"tensor(float)": np.float32, "tensor(int64)": np.int64, "tensor(int32)": np.int32}.get(entry.type)
    if kind is None:
        raise UserError(f"the input {entry.name} is of {entry.type}, which has no number to be set to")
    return np.full(shape, value, kind)


def _pictures(output: np.ndarray) -> np.ndarray:
    """Drops axes of length 1 and puts colours last."""
    image = output.reshape(len(output), *(size for size in output.shape[1:] if size != 1)).clip(0, 1)
    return image.transpose(0, 2, 3, 1) if image.ndim == 4 and image.shape[1] == 3 else image
