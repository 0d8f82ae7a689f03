"""A latent diffusion model of the package diffusers, where a user has its weights: QDHF's text-to-image (Ding et al. 2024).

Nothing of it ships here: no package of PyPI carries such weights. n pictures, Z = 4 x 64 x 64 latents.
"""

from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np

from qd.support.errors import UserError


@dataclass(frozen=True)
class Diffusion:
    """Maps latents to pictures by a text-to-image pipeline with one prompt."""

    model: str  # a folder, or a name on the hub, of weights that you have
    prompt: str
    shape: tuple[int, ...] = (4, 64, 64)  # of one latent: Stable Diffusion's at 512 pixels
    steps: int = 25
    guidance: float = 7.5
    device: str = "cuda"

    @property
    def latents(self) -> int:
        """Z."""
        return int(np.prod(self.shape))

    @property
    def options(self) -> tuple[int, ...]:
        """None: latents are real numbers."""
        return ()

    @property
    def fingerprint(self) -> str:
        """Model, prompt and settings."""
        return f"diffusers {self}"

    def __call__(self, latents: np.ndarray) -> np.ndarray:
        """Makes pictures.

        Args:
            latents: [n, Z].

        Returns:
            [n, H, W, 3] in 0..1.
        """
        pipeline, torch = _pipeline(self.model, self.device)
        z = np.asarray(latents, np.float32).reshape(len(latents), *self.shape)
        start = torch.from_numpy(z).to(self.device, pipeline.dtype)
        settings = {"num_inference_steps": self.steps, "guidance_scale": self.guidance, "output_type": "np"}
        return np.asarray(pipeline([self.prompt] * len(latents), latents=start, **settings).images, np.float32)


@lru_cache(maxsize=1)
def _pipeline(model: str, device: str) -> tuple[Any, Any]:
    try:
        import diffusers  # pyright: ignore[reportMissingImports]
        import torch  # pyright: ignore[reportMissingImports]
    except ModuleNotFoundError as error:
        raise UserError(
            f"a diffusion model needs {error.name}, not installed here", "type pip install diffusers transformers torch"
        ) from error
    pipeline = diffusers.DiffusionPipeline.from_pretrained(model, use_safetensors=True).to(device)
    pipeline.set_progress_bar_config(disable=True)
    return pipeline, torch
