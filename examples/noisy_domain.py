"""A noisy domain: which elites were only lucky?

    python examples/noisy_domain.py

An archive keeps the luckiest evaluation of each cell. `qd.referee.corrected_archive` evaluates all elites again,
several times, and returns an archive of their means: report that one.
"""

from dataclasses import dataclass

import jax
import jax.numpy as jnp

import qd
from feedback.descriptors.select import Select
from qd.archives import Grid
from qd.emitters import Gaussian, Vary


@dataclass(frozen=True)
class NoisyBowl:
    """Objective: minus the squared distance to the origin, plus noise. Feature: spot [B, 2]."""

    noise: float = 0.3
    pure: bool = True

    def sample(self, key, n):
        return qd.keys.uniform(key, (n, 2), -1, 1)

    def evaluate(self, keys, solutions):
        noise = jax.vmap(jax.random.normal)(keys)  # from each solution's own key: the run repeats itself
        return qd.Evaluation(self.noise * noise - (solutions**2).sum(axis=1), {"spot": jnp.asarray(solutions)})


search = qd.Search(NoisyBowl(), Select("spot", ((-1, 1), (-1, 1))), Grid((10, 10)), Vary(Gaussian(0.1), batch_size=100))
state, _ = qd.start(search, qd.keys.new(0), search.domain.sample(qd.keys.new(1), 100))
for state, batch in qd.run(search, state, until=5_000):
    pass
archive = qd.referee.corrected_archive(search, state, repeats=50)
print(f"mean objective of the elites: {state.archive.stats.obj_mean:.2f} as archived, {archive.stats.obj_mean:.2f} corrected")
