"""Pictures by the content of their latents, so that none is made, or paid for, twice.

In memory, and for a generator with a fingerprint in files of the user's cache folder. Failed ones are kept for the run alone.
"""

import hashlib
from contextlib import suppress
from pathlib import Path

import numpy as np

from qd.support.atomic import replacing
from qd.support.cache_dirs import cache_path


class PictureStore:
    def __init__(self, fingerprint: str) -> None:
        """Opens the pictures of a generator; "" keeps them in memory alone."""
        self._fingerprint = fingerprint
        digest = hashlib.sha256(fingerprint.encode()).hexdigest()[:16]
        self._folder: Path | None = cache_path("pictures", digest) if fingerprint else None
        self._pictures: dict[str, np.ndarray] = {}

    def __repr__(self) -> str:
        return f"PictureStore({self._fingerprint!r})"

    def __reduce__(self) -> tuple:
        return PictureStore, (self._fingerprint,)

    @staticmethod
    def name(latent: np.ndarray) -> str:
        """Returns the name of the picture of one latent vector: a hash of type and numbers."""
        latent = np.ascontiguousarray(latent)
        return hashlib.sha256(f"{latent.dtype.str} {latent.shape} ".encode() + latent.tobytes()).hexdigest()[:32]

    def __contains__(self, name: str) -> bool:
        return name in self._pictures or self._read(name)

    def get(self, name: str) -> np.ndarray:
        """Returns a picture that is there, [H, W, 3] or [H, W]; [0] for one that failed."""
        if name not in self._pictures:
            self._read(name)
        return self._pictures[name]

    def put(self, name: str, picture: np.ndarray) -> None:
        """Keeps a picture.

        Args:
            name: of its latents.
            picture: [H, W, 3] or [H, W]; one with a number that is not finite counts as failed, and goes to no file.
        """
        failed = not np.isfinite(picture).all()
        self._remember(name, np.zeros(0, np.float32) if failed else picture)
        if failed or self._folder is None:
            return
        with suppress(OSError):  # a cache that cannot be written costs time only
            self._folder.mkdir(parents=True, exist_ok=True)
            with replacing(self._folder / f"{name}.npy") as file:
                np.save(file, picture)

    def _read(self, name: str) -> bool:
        if self._folder is None:
            return False
        with suppress(OSError, ValueError):  # none yet, or damaged: it is made again
            self._remember(name, np.load(self._folder / f"{name}.npy", allow_pickle=False))
            return True
        return False

    def _remember(self, name: str, picture: np.ndarray) -> None:
        self._pictures[name] = picture
