"""Searches of the fused driver, begun, ended and compared."""

import numpy as np

from feedback.descriptors.select import Select
from qd import fused, keys, search
from qd.archives import Grid
from qd.emitters.vary import IsoLine, Vary
from qd.types import Search, State
from tests.support.scripted import contents
from tests.support.toys import SQUARE

VARY = Vary(IsoLine(0.05, 0.3), batch_size=32)


XY = Select("xy", SQUARE)


GRID = Grid((12, 12))


def begin(recipe: Search, seed: int = 0, n: int = 64) -> State:
    key, sample_key = keys.split(keys.new(seed))
    return search.start(recipe, key, recipe.domain.sample(sample_key, n))[0]


def end(recipe: Search, state: State, until: int, **how) -> State:
    for state, _ in fused.run(recipe, state, until, **how):
        pass
    return state


def same(a: State, b: State) -> None:
    """Everything is the same, the order of the elites, the sums and the best elite too."""
    assert (a.generation, a.evaluations, a.archive.stats) == (b.generation, b.evaluations, b.archive.stats)
    np.testing.assert_array_equal(a.archive._store.occupied_list, b.archive._store.occupied_list)
    for one, other in ((contents(a.archive), contents(b.archive)), (a.archive.best_elite, b.archive.best_elite)):
        for name, column in one.items():
            np.testing.assert_array_equal(column, other[name], err_msg=name)
