"""Many seeds in one program: each bit-identical to its lone run, one compilation, and what cannot be shared is said."""

import numpy as np
import pytest

from qd.fused import seeds
from qd.fused.seeds import _mapped
from qd.types import Search
from tests.support.fused import GRID, VARY, XY, begin, end, same
from tests.support.scripted import contents
from tests.support.toys import Bowl, Failing, Words

RECIPE = Search(Failing(Bowl()), XY, GRID, VARY, keep=("half",))


@pytest.mark.parametrize("how", ["threads", "map"])
def test_each_seed_is_bit_identical_to_its_lone_run(how) -> None:
    states, ids = [begin(RECIPE, seed) for seed in range(3)], []
    for stop in (900, 2000):
        for states, batches in seeds.run(RECIPE, states, stop, how):
            ids.append([batch.ids for batch in batches])
    for seed, state in enumerate(states):
        same(state, end(RECIPE, begin(RECIPE, seed), 2000))
        np.testing.assert_array_equal(np.concatenate([one[seed] for one in ids]), np.arange(64, state.evaluations))
    assert not np.array_equal(contents(states[0].archive)["id"], contents(states[1].archive)["id"])
    if how == "map":
        assert [_mapped(work)._cache_size() for work in _recipes(states)] == [1]


def _recipes(states) -> list:
    from qd.fused.prepare import prepare

    recipe = prepare(RECIPE, states[0]).recipe
    return [recipe._replace(length=recipe.length // len(states))]


def test_what_cannot_share_a_program_is_said() -> None:
    states = [begin(RECIPE), begin(RECIPE, n=32)]
    with pytest.raises(ValueError, match="same evaluation"):
        next(seeds.run(RECIPE, states, 100))
    with pytest.raises(ValueError, match="Words"):
        next(seeds.run(RECIPE._replace(domain=Words()), states, 100))
    with pytest.raises(ValueError, match="unknown how .*; type threads, map or auto"):
        next(seeds.run(RECIPE, states[:1], 100, how="forks"))
