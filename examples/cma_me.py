"""CMA-ME (Fontaine et al. 2020) beside MAP-Elites, on the benchmark of its paper: only the emitter changes.

    python examples/cma_me.py

EvolutionStrategies is compiled by JAX. The pyribs original is hosted too: Ribs("EvolutionStrategyEmitter", {...}, count=15).
"""

import qd
from domains.functions import LinearProjection
from feedback.descriptors.select import Select
from qd.archives import Grid
from qd.emitters import EvolutionStrategies, Gaussian, Vary

sphere = LinearProjection("sphere", dim=20)
emitters = {
    "MAP-Elites": Vary(Gaussian(sigma=0.5), batch_size=180),
    "CMA-ME": EvolutionStrategies(count=5, samples=36, sigma0=0.5, ranker="2imp"),
}
for name, emitter in emitters.items():
    search = qd.Search(sphere, Select("projection", sphere.bounds), Grid((50, 50)), emitter)
    state, _ = qd.start(search, qd.keys.new(0), sphere.sample(qd.keys.new(1), 180))
    for state, batch in qd.run(search, state, until=36_000):
        pass
    scores = qd.metrics.of_archive(state.archive, sphere.objective_range)
    print(f"{name:10}  coverage {scores['coverage']:5.1f} %   QD score {scores['qd_score']:5.1f}   best {scores['best']:5.1f}")
