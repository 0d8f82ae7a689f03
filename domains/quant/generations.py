"""How a diffusion transformer is searched: its generator, what it samples to be judged by, its figures, and pictures of them.

B configs, N images, P pixels.
"""

from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from domains.images import png
from domains.quant import generated, options
from domains.quant.cost.costs import Costs, build_cost_tables
from domains.quant.networks import registry
from domains.quant.networks.ddim import DDIM
from domains.quant.predict import decoupled
from domains.quant.predict.sensitivity import Sensitivity
from domains.quant.quantize import generator, steps
from domains.quant.quantize.generator import Generator
from qd.types import Rendering

COLUMNS = ("snr", "class_accuracy", "worst_class", "flips")
_SEEDS = {"train": 0, "validation": 1, "test": 2}  # of the noise; calibration samples come from other noise
_SHOWN, _ZOOM = 10, 2  # samples of a picture, one of each class
_PROBED = 20  # images that tables of damage are made of


@dataclass(frozen=True)
class Generation:
    """Configs of one network that generates, as ``Quant`` has them."""

    network: str
    option_set: str
    sampler: DDIM
    calibration: int = 256  # samples of single steps

    def check(self) -> None:
        """Raises UserError where groups of timesteps of its options are more than the steps or the calibration samples."""
        steps.check(options.by_name(self.option_set)[1], self.sampler.steps, self.calibration)

    @property
    def generator(self) -> Generator:
        return _generator(self)

    @property
    def costs(self) -> Costs:
        return _costs(self)

    def noise(self, split: str, images: int) -> tuple[np.ndarray, np.ndarray]:
        """Returns what images are made of: noise [N, P] and the classes asked for [N], of each as many.

        Args:
            split: train, validation or test: their noise is drawn apart.
            images: N.
        """
        form = registry.form(self.network)
        noise = np.random.default_rng((_SEEDS[split], 5)).standard_normal((images, form.pixels), np.float32)
        return noise, np.arange(images) % form.classes

    def judge(self, solutions: np.ndarray, split: str, images: int, corrupted: int = 0) -> dict[str, np.ndarray]:
        """Samples images with B configs, and returns their figures (``generated.judge``).

        Args:
            solutions: [B, 2L].
            split: of the noise, and of the real images to compare with.
            images: N.
            corrupted: how many to sample from noise that is too strong, for the figure ``corruption``: per cent of the class
                that full precision's have from the same noise; 0: none.
        """
        noise, labels = self.noise(split, images)
        columns = generated.judge(self.generator.sample(solutions, noise, labels), _full(self, split, images), labels, split)
        if corrupted:
            noise, labels = self.noise(split, corrupted)
            noise = generated.STRONGER * noise
            full = generated.look(self.generator.full(noise, labels)).classes
            samples = np.nan_to_num(self.generator.sample(solutions, noise, labels))
            kept = [(generated.look(each).classes == full).mean() for each in samples]
            columns["corruption"] = np.asarray(100 * np.array(kept), np.float32)
        return columns

    def sensitivity(self, proxy: str) -> Sensitivity:
        """Returns damage by layer and option: ``kl`` of the content, ``sqnr`` of the quality (see predict/decoupled.py)."""
        return _sensitivity(self, proxy)

    def draw(self, solutions: np.ndarray) -> list[Rendering]:
        """Draws B configs: a sample of each class in full precision above, and of the config from the same noise below."""
        noise, labels = self.noise("test", _SHOWN)
        full = _strip(_full(self, "test", _SHOWN))
        samples = self.generator.sample(np.atleast_2d(solutions), noise, labels)
        pictures = [np.concatenate([full, np.ones((2, full.shape[1])), _strip(each)]) for each in samples]
        return [Rendering("png", png.encode(picture.repeat(_ZOOM, 0).repeat(_ZOOM, 1))) for picture in pictures]


@lru_cache(maxsize=4)
def _generator(of: Generation) -> Generator:
    return generator.build(registry.load(of.network), *options.by_name(of.option_set), of.sampler, of.calibration)


@lru_cache(maxsize=4)
def _costs(of: Generation) -> Costs:
    return build_cost_tables(of.generator.bank)


@lru_cache(maxsize=4)
def _sensitivity(of: Generation, proxy: str) -> Sensitivity:
    return decoupled.tables(proxy, of.generator, *of.noise("train", _PROBED))


@lru_cache(maxsize=8)
def _full(of: Generation, split: str, images: int) -> np.ndarray:
    return of.generator.full(*of.noise(split, images))


def _strip(images: np.ndarray) -> np.ndarray:
    """Images [N, P] in -1..1 side by side, in 0..1."""
    side = round(images.shape[1] ** 0.5)
    return (np.nan_to_num(images).reshape(-1, side, side).swapaxes(0, 1).reshape(side, -1) + 1) / 2
