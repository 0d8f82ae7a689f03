"""A descriptor of your own: how far out and in which direction an arm reaches, instead of x and y.

    python examples/own_descriptor.py

A descriptor turns features, which the domain returns, into measures, the axes of the map. Nothing else of the search changes.
"""

from dataclasses import dataclass

import jax.numpy as jnp

import qd
from domains.arm import Arm
from qd.archives import Grid
from qd.emitters import IsoLine, Vary


@dataclass(frozen=True)
class Polar:
    """Distance from the base and angle, in radians, of a feature [B, 2]."""

    feature: str
    bounds: tuple[tuple[float, float], ...] = ((0.0, 1.0), (-3.15, 3.15))  # of the two measures; they never change
    pure: bool = True

    @property
    def reads(self):
        return (self.feature,)  # the only features it is handed

    def init(self, key, rows, fresh):
        return ()  # its parameters; nothing is learned here

    def fit(self, key, params, rows, fresh):
        return params

    def __call__(self, params, features):
        x, y = features[self.feature].T
        return jnp.stack([jnp.hypot(x, y), jnp.arctan2(y, x)], axis=1)  # measures [B, 2]


search = qd.Search(Arm(joints=10), Polar("gripper"), Grid((20, 36)), Vary(IsoLine(), batch_size=256))
state, _ = qd.start(search, qd.keys.new(0), search.domain.sample(qd.keys.new(1), 256))
for state, batch in qd.run(search, state, until=30_000):
    pass

elites = state.archive.data(return_type="pandas")
far = elites[elites["measures_0"] > 0.9]
print(f"{len(elites)} elites, {len(far)} of them beyond 90 % of the reach: best objective {far['objective'].max():.1f}")
