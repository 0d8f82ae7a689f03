"""Differentiable quality-diversity: CMA-MEGA (Fontaine and Nikolaidis 2021) follows gradients of objective and measures.

    python examples/gradients.py

Nothing need be written for it: domain and descriptor are pure, so JAX differentiates them. The emitter is pyribs' own.
"""

import qd
from domains.functions import LinearProjection
from feedback.descriptors.select import Select
from qd.archives import Grid
from qd.emitters import Gaussian, Ribs, Vary

sphere = LinearProjection("sphere", dim=100)
cma_mega = Ribs(
    "GradientArborescenceEmitter",
    {"sigma0": 10.0, "lr": 1.0, "grad_opt": "gradient_ascent", "selection_rule": "mu", "batch_size": 35},
    count=5,
)
for name, emitter in {"without": Vary(Gaussian(sigma=0.5), batch_size=180), "with": cma_mega}.items():
    search = qd.Search(sphere, Select("projection", sphere.bounds), Grid((50, 50)), emitter)
    state, _ = qd.start(search, qd.keys.new(0), sphere.sample(qd.keys.new(1), 100))
    for state, batch in qd.run(search, state, until=15_000):
        pass
    scores = qd.metrics.of_archive(state.archive, sphere.objective_range)
    print(f"{name:7} gradients: coverage {scores['coverage']:5.1f} %   QD score {scores['qd_score']:5.1f}")
