"""Pictures of an endpoint of OpenAI's image form: latents choose words, the words make a prompt.

The client is injected (feedback.lm's: its budget, cache and bill are those of all calls). n pictures, Z words of a prompt.
"""

import io
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import numpy as np
from PIL import Image, UnidentifiedImageError

from qd.support.errors import UserError

_LARGEST = 64_000_000  # pixels of a picture that is decoded


@dataclass(frozen=True)
class Endpoint:
    """Maps whole numbers, one for each word, to pictures; a call that failed for good is a picture that failed."""

    images: Callable[[Sequence[str]], Sequence[bytes | None]] = field(compare=False)  # prompts -> files, None where one failed
    words: tuple[tuple[str, ...], ...]  # for each place in the prompt, what may stand there
    prompt: str  # with {} at each place
    side: int = 128  # pixels to which a picture is reduced

    def __post_init__(self) -> None:
        if self.prompt.count("{}") != len(self.words) or not all(self.words) or self.side < 8:
            raise UserError(
                f"the prompt has {self.prompt.count('{}')} places, and there are words for {len(self.words)}",
                "type domain.generate.prompt='a {} of a {}' domain.generate.words=[[drawing,photo],[cat,boat]]",
            )

    @property
    def latents(self) -> int:
        """Z."""
        return len(self.words)

    @property
    def options(self) -> tuple[int, ...]:
        """How many words may stand at each place."""
        return tuple(len(choice) for choice in self.words)

    @property
    def fingerprint(self) -> str:
        """None: the client keeps the answers."""
        return ""

    def __call__(self, latents: np.ndarray) -> np.ndarray:
        """Asks for pictures.

        Args:
            latents: numbers of words, [n, Z].

        Returns:
            [n, S, S, 3] in 0..1; NaN where a call failed, or answered with no picture.
        """
        prompts = [self.prompt.format(*(self.words[i][int(k)] for i, k in enumerate(row))) for row in latents]
        return np.stack([self._pixels(file) for file in self.images(prompts)])

    def _pixels(self, file: bytes | None) -> np.ndarray:
        nothing = np.full((self.side, self.side, 3), np.nan, np.float32)
        if file is None:
            return nothing
        try:
            with Image.open(io.BytesIO(file), formats=("PNG", "JPEG", "WEBP")) as image:
                if image.width * image.height > _LARGEST:
                    return nothing
                small = image.convert("RGB").resize((self.side, self.side), Image.Resampling.BOX)
        except (UnidentifiedImageError, OSError, ValueError, SyntaxError, Image.DecompressionBombError):
            return nothing
        return np.asarray(small, np.float32) / 255
