"""Emitters, which propose new solutions; imported when they are first used.

Vary(IsoLine(), batch_size=256)                      any variation of parents from the archive: IsoLine, Gaussian, IntegerReset
Vary(Mixed(domain.space), batch_size=256)            the same for genes of different kinds (qd.genes)
EvolutionStrategies(count=15, samples=36)            CMA-ME, CMA-MAE and their variants, in JAX
Ribs("GradientArborescenceEmitter", {...})           any emitter of pyribs, hosted: CMA-MEGA, OMG-MEGA, ...
NoveltySearch, Serene                                searches for novelty first
Pool((one, another))                                 several at once
"""

from typing import TYPE_CHECKING

from qd.support.imports import attach

__all__ = [
    "EvolutionStrategies",
    "Gaussian",
    "IntegerReset",
    "IsoLine",
    "Mixed",
    "NoveltySearch",
    "Pool",
    "Ribs",
    "Serene",
    "Vary",
]

if TYPE_CHECKING:
    from qd.emitters.cma.cma_me import EvolutionStrategies
    from qd.emitters.mixed import Mixed
    from qd.emitters.novelty import NoveltySearch
    from qd.emitters.pool import Pool
    from qd.emitters.ribs import Ribs
    from qd.emitters.sparse.serene import Serene
    from qd.emitters.vary import Gaussian, IntegerReset, IsoLine, Vary
else:
    __getattr__, __dir__ = attach(
        __name__,
        {
            "qd.emitters.cma.cma_me": ("EvolutionStrategies",),
            "qd.emitters.mixed": ("Mixed",),
            "qd.emitters.novelty": ("NoveltySearch",),
            "qd.emitters.pool": ("Pool",),
            "qd.emitters.ribs": ("Ribs",),
            "qd.emitters.sparse.serene": ("Serene",),
            "qd.emitters.vary": ("Gaussian", "IntegerReset", "IsoLine", "Vary"),
        },
    )
