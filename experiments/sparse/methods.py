"""The methods of experiments/sparse/study.py: on ground truth, on learned measures, and controls.

A method is a descriptor, an archive, an emitter, and whether it refits on TAXONS' schedule. Methods on ground truth
read the final position of an episode; learned ones an image of its end, 32 x 32 pixels, without the goals.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any, NamedTuple

import numpy as np

from experiments.sparse.tasks import SparseTask
from feedback.descriptors.conv_autoencoder import ConvAutoencoder
from feedback.descriptors.random_projection import RandomProjection
from qd import keys
from qd.archives import Grid, Proximity
from qd.emitters.novelty import NoveltySearch
from qd.emitters.ribs import Ribs
from qd.emitters.sparse.cma_exploiter import CMAExploiter
from qd.emitters.sparse.local_search import Elitist
from qd.emitters.sparse.serene import Serene
from qd.emitters.vary import Gaussian, Vary
from qd.support.spelling import unknown
from qd.types import Archive, Array, Batch, Descriptor, Elites, Emitter, Features, Fresh, Memory, Offspring, Rows


class SparseMethod(NamedTuple):
    descriptor: Descriptor
    archive: Archive
    emitter: Emitter
    refits: bool = False


@dataclass(frozen=True)
class Sampling:
    """A control: every generation is sampled from scratch."""

    domain: Any
    batch_size: int = 200
    pure: bool = False

    def init(self, key: Array, elites: Elites) -> Memory:
        """Returns an empty memory; arguments as in ``Emitter``."""
        return ()

    def ask(self, key: Array, memory: Memory, elites: Elites) -> tuple[Memory, Offspring]:
        """Samples the domain; arguments as in ``Emitter``."""
        return memory, Offspring(self.domain.sample(keys.to_host(key), self.batch_size))

    def tell(self, memory: Memory, batch: Batch) -> Memory:
        """Learns nothing; arguments as in ``Emitter``."""
        return memory


@dataclass(frozen=True)
class Pixels:
    """A control: the last image itself, averaged over blocks of 4 x 4 pixels."""

    reads: tuple[str, ...] = ("image",)
    side: int = 8
    pure: bool = True

    @property
    def bounds(self) -> tuple[tuple[float, float], ...]:
        return ((0.0, 1.0),) * (3 * self.side**2)

    def init(self, key: Array, rows: Rows, fresh: Fresh) -> tuple:
        """Learns nothing; arguments as in ``Descriptor``."""
        return ()

    def fit(self, key: Array, params: tuple, rows: Rows, fresh: Fresh) -> tuple:
        """Learns nothing; arguments as in ``Descriptor``."""
        return params

    def __call__(self, params: tuple, features: Features) -> Array:
        image = features["image"][:, -1] / np.float32(255)
        block = image.shape[1] // self.side
        return image.reshape(len(image), self.side, block, self.side, block, 3).mean(axis=(2, 4)).reshape(len(image), -1)


def method(name: str, of: SparseTask) -> SparseMethod:
    """Returns a method by name.

    Args:
        name: of the method.
        of: the task.
    """
    if name not in METHODS:
        raise unknown("method", name, METHODS)
    return METHODS[name](of)


def _on_truth(emitter: Callable[[SparseTask], Emitter]) -> Callable[[SparseTask], SparseMethod]:
    return lambda of: SparseMethod(of.truth, Grid((50, 50)), emitter(of))


def _on_images(emitter: Emitter, **overrides: Any) -> Callable[[SparseTask], SparseMethod]:
    """The archive only stores; the search is guided by the emitter's memory."""

    def build(of: SparseTask) -> SparseMethod:
        settings: dict[str, Any] = {"frames": of.domain.camera.frames, "steps": of.steps, **overrides}
        learner = ConvAutoencoder(("image",), **settings)
        return SparseMethod(learner, Proximity(0.5), emitter, refits=learner.steps > 0)

    return build


def _on_random_features(of: SparseTask) -> SparseMethod:
    return SparseMethod(RandomProjection(("image",), measures=10), Proximity(0.5), NoveltySearch())


def _on_pixels(of: SparseTask) -> SparseMethod:
    return SparseMethod(Pixels(), Proximity(1.0), NoveltySearch())


def _cma_me(of: SparseTask) -> Emitter:
    settings: Any = {"ranker": "2imp", "sigma0": 0.5, "batch_size": 40}
    return Ribs("EvolutionStrategyEmitter", settings, 5)


def _ours(criteria: tuple[str, ...] = ("novelty",), sigma: float = 0.2, archive: str = "append") -> Serene:
    """SERENE with wider steps, local searches by CMA-ES, and no tests where a local search has been (recipe=sparse)."""
    return Serene(NoveltySearch(sigma=sigma, archive=archive, criteria=criteria), exploiter=CMAExploiter(), rivals=15)


_BOTH = ("novelty", "surprise")
METHODS: dict[str, Callable[[SparseTask], SparseMethod]] = {
    "random": _on_truth(lambda of: Sampling(of.domain)),
    "novelty": _on_truth(lambda of: NoveltySearch()),
    "map-elites": _on_truth(lambda of: Vary(Gaussian(0.05, *of.domain.space), 200)),
    "cma-me": _on_truth(_cma_me),
    "nsga2": _on_truth(lambda of: NoveltySearch(criteria=("novelty", "objective"))),
    "serene": _on_truth(lambda of: Serene()),
    "taxons": _on_images(NoveltySearch(criteria=_BOTH, choose="either")),
    "stax": _on_images(Serene(NoveltySearch(criteria=_BOTH))),
    "stax untrained": _on_images(Serene(NoveltySearch(criteria=_BOTH)), steps=0),
    "random features": _on_random_features,
    "pixels": _on_pixels,
    "ours": _on_images(_ours(_BOTH)),
    "ours, steps of 0.05": _on_images(_ours(_BOTH, sigma=0.05)),
    "ours without cma-es": _on_images(replace(_ours(_BOTH), exploiter=Elitist())),
    "ours without waiting": _on_images(replace(_ours(_BOTH), rivals=0)),
    "ours with dns": _on_images(_ours(_BOTH, archive="dns")),
    "ours on truth": _on_truth(lambda of: _ours()),
    "ours on truth, steps of 0.05": _on_truth(lambda of: _ours(sigma=0.05)),
    "ours on truth without cma-es": _on_truth(lambda of: replace(_ours(), exploiter=Elitist())),
    "ours on truth without waiting": _on_truth(lambda of: replace(_ours(), rivals=0)),
    "ours on truth with dns": _on_truth(lambda of: _ours(archive="dns")),
    "serene, steps of 0.2": _on_truth(lambda of: Serene(NoveltySearch(sigma=0.2))),
    "stax, steps of 0.2": _on_images(Serene(NoveltySearch(sigma=0.2, criteria=_BOTH))),
    "map-elites, steps of 0.2": _on_truth(lambda of: Vary(Gaussian(0.2, *of.domain.space), 200)),
}
