"""Any generator of pictures as a domain: a function from latents to pictures, and functions that look at them.

    Generator(my_model, latents=512)                          # my_model: [n, 512] -> [n, H, W, 3] in 0..1

The function may be yours, an ONNX file (onnx_file.py), a diffusion model whose weights you have (diffusion.py), or an endpoint
of OpenAI's image form (endpoint.py). B solutions, Z latents, pictures [B, H, W, 3] or [B, H, W] in 0..1.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Protocol

import numpy as np

from domains.generator.store import PictureStore
from domains.images import png
from domains.images.views import View, Views, features, pairs
from qd import keys
from qd.support.errors import UserError
from qd.types import Array, Evaluation, Rendering


class Source(Protocol):
    """A generator that says itself what it takes. A plain function needs ``latents`` of the domain instead."""

    @property
    def latents(self) -> int:
        """Z, how many numbers make a picture."""
        ...

    @property
    def options(self) -> tuple[int, ...]:
        """Of each latent that is a whole number how many values it has, [Z]; empty: latents are real numbers."""
        ...

    @property
    def fingerprint(self) -> str:
        """Identifies it among the pictures that are kept; "" where they are not to be kept."""
        ...

    def __call__(self, latents: np.ndarray) -> np.ndarray:
        """Returns pictures [n, H, W, 3] or [n, H, W] of latents [n, Z]; NaN where one failed."""
        ...


@dataclass(frozen=True)
class Contrast:
    """Deviation of the pixels' brightness, 100 at 0.3 and above: what a picture is worth where nothing better is said."""

    def __call__(self, image: np.ndarray) -> np.ndarray:
        """Returns [B] of pictures."""
        return 100 * np.minimum(_tone(image)[:, 1] / 0.6, 1)


@dataclass(frozen=True)
class Generator:
    """Searches the latents of a generator. A picture with a number that is not finite has failed.

    Each picture is made once: pictures are kept by the content of their latents, in this process and, where the generator has a
    fingerprint, in the user's cache folder. Features: tone [B, 2], mean and twice the
    deviation of the brightness, 0..1; thumbnail [B, 8 x 8 x 3 or 8 x 8], and those of ``views``.
    """

    generate: Callable[[np.ndarray], Any]  # a Source, or a plain function
    latents: int | None = None  # Z of a plain function
    score: View = field(default_factory=Contrast)  # the objective [B] of pictures
    views: Views = ()  # more features: name -> function of the pictures
    show: View | None = None  # pictures as they are shown [B, H, W, 3]; None: as they are
    chunk: int = 8  # pictures made together: what fits the device
    range: tuple[float, float] = (0.0, 100.0)  # of the objective
    pure: bool = False

    def __post_init__(self) -> None:
        object.__setattr__(self, "views", pairs(self.views))
        if self.chunk < 1 or self._size < 1:
            raise UserError(
                f"chunk={self.chunk}, latents={self._size}: there is nothing to generate from",
                "type domain.chunk=8 and domain.latents=512, as many numbers as make a picture",
            )
        object.__setattr__(self, "_store", PictureStore(getattr(self.generate, "fingerprint", "")))

    @property
    def _size(self) -> int:
        return int(self.latents or getattr(self.generate, "latents", 0) or 0)

    @property
    def space(self) -> tuple[int, ...]:
        """The options of each latent that is a whole number."""
        return tuple(getattr(self.generate, "options", ()))

    @property
    def objective_range(self) -> tuple[float, float]:
        """The least and the largest objective."""
        return self.range

    def sample(self, key: Array, n: int) -> Array:
        """Draws latents from the standard normal distribution, or evenly of their options; arguments as in ``Domain``.

        Returns:
            [n, Z].
        """
        if self.space:
            return keys.integers(key, (n, self._size), 0, np.asarray(self.space))
        return keys.normal(key, (n, self._size))

    def evaluate(self, keys: Array, solutions: Array) -> Evaluation:
        """Makes the pictures that are not there yet, chunk by chunk, and looks at them.

        Args:
            keys: unused.
            solutions: latents, [B, Z].

        Returns:
            Score, tone, thumbnail and the features of ``views``; NaN where a picture failed.

        Raises:
            UserError: the generator returns another number of pictures, or another shape.
        """
        image = self.draw(np.asarray(solutions))
        finite = np.isfinite(image).reshape(len(image), -1).all(axis=1)
        pixels = np.where(finite.reshape(-1, *(1,) * (image.ndim - 1)), image, np.float32(0))
        objective = np.where(finite, np.asarray(self.score(pixels), np.float64), np.nan)
        seen = {name: np.asarray(column) for name, column in features(self.views, lambda: pixels).items()}
        return Evaluation(objective, {"tone": _tone(pixels), "thumbnail": _thumbnail(pixels)} | seen)

    def draw(self, solutions: np.ndarray) -> np.ndarray:
        """Returns pictures of latents [B, Z], NaN where one failed; kept ones are not made again."""
        store: PictureStore = self._store  # type: ignore[attr-defined]
        names = [store.name(latent) for latent in solutions]
        missing = list(dict.fromkeys(name for name in names if name not in store))
        first = {name: i for i, name in reversed(list(enumerate(names)))}
        for start in range(0, len(missing), self.chunk):
            part = missing[start : start + self.chunk]
            for name, picture in zip(part, self._make(solutions[[first[name] for name in part]]), strict=True):
                store.put(name, picture)
        pictures = [store.get(name) for name in names]
        shape = next((picture.shape for picture in pictures if picture.ndim > 1), (8, 8, 3))
        return np.stack([picture if picture.ndim > 1 else np.full(shape, np.nan, np.float32) for picture in pictures])

    def render(self, solutions: Array) -> list[Rendering]:
        """Returns png pictures as the model makes them, or as ``show`` has them; a failed one is black."""
        image = np.nan_to_num(self.draw(np.asarray(solutions)))
        shown = image if self.show is None else np.asarray(self.show(image))
        return [Rendering("png", png.encode(one)) for one in shown]

    def _make(self, latents: np.ndarray) -> np.ndarray:
        image = np.asarray(self.generate(latents), np.float32)
        if image.ndim not in (3, 4) or len(image) != len(latents) or (image.ndim == 4 and image.shape[3] != 3):
            raise UserError(
                f"generate returned pictures {list(image.shape)} for {len(latents)} latents",
                "return [n, H, W, 3] or [n, H, W] in 0..1",
            )
        return image


def _tone(image: np.ndarray) -> np.ndarray:
    grey = image if image.ndim == 3 else image @ np.array([0.299, 0.587, 0.114], np.float32)
    return np.stack([grey.mean(axis=(1, 2)), 2 * grey.std(axis=(1, 2))], axis=1).astype(np.float32)


def _thumbnail(image: np.ndarray) -> np.ndarray:
    """Means of 8 x 8 blocks, laid flat: [B, ...]."""
    rows, columns = (np.linspace(0, side, 9).astype(int)[:-1] for side in image.shape[1:3])
    sums = np.add.reduceat(np.add.reduceat(image, rows, axis=1), columns, axis=2)
    area = np.diff([*rows, image.shape[1]])[:, None] * np.diff([*columns, image.shape[2]])
    area = area if image.ndim == 3 else area[..., None]
    return (sums / area).reshape(len(image), -1).astype(np.float32)
