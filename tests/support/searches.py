"""Searches of toys, begun, advanced and compared; an example batch and bounds for archives."""

import jax
import numpy as np

from qd import keys
from qd.emitters.ribs import Ribs
from qd.emitters.vary import IsoLine, Vary
from qd.search import start, step
from qd.types import Rows, Search, State

BOUNDS = ((-1.0, 1.0), (0.0, 3.0))
VARY = Vary(IsoLine(0.05, 0.3), batch_size=32)


CMA_ME = Ribs("EvolutionStrategyEmitter", {"sigma0": 0.2, "ranker": "2imp", "batch_size": 16}, count=2)


CMA_MAE = Ribs(
    "EvolutionStrategyEmitter",
    {"sigma0": 0.2, "ranker": "imp", "selection_rule": "mu", "restart_rule": "basic", "batch_size": 16},
    count=2,
)


THRESHOLDS = {"learning_rate": 0.1, "threshold_min": -20.0}


def example(n: int = 2, dim: int = 3, features: dict | None = None) -> Rows:
    return Rows(np.arange(n), np.zeros((n, dim), np.float32), np.zeros(n, np.float32), features or {}, np.ones(n, bool))


def begin(search: Search, seed: int = 0, n: int = 64) -> State:
    key, sample_key = keys.split(keys.new(seed))
    return start(search, key, search.domain.sample(sample_key, n))[0]


def advance(search: Search, state: State, generations: int) -> State:
    for _ in range(generations):
        state, _ = step(search, state)
    return state


def columns(archive) -> dict[str, np.ndarray]:
    """Everything that an archive stores, in its own order."""
    store = archive._store
    occupied = store.occupied_list.copy()
    return {"cells": occupied} | {name: column[occupied] for name, column in store._fields.items()}


def same(a: State, b: State) -> None:
    assert (a.generation, a.evaluations) == (b.generation, b.evaluations)
    np.testing.assert_array_equal(a.key, b.key)
    for one, other in zip(jax.tree.leaves((a.params, a.reserve)), jax.tree.leaves((b.params, b.reserve)), strict=True):
        np.testing.assert_array_equal(one, other)
    theirs = columns(b.archive)
    for name, column in columns(a.archive).items():
        np.testing.assert_array_equal(column, theirs[name], err_msg=name)
