"""Emitters: the same on the host and in a trace, storable, and untroubled by failures."""

import pickle
from typing import NamedTuple

import jax
import numpy as np
import pytest
from scipy.stats import chi2_contingency, ks_2samp

from domains.functions import LinearProjection
from feedback.descriptors.select import Select
from qd import keys
from qd.archives import CVT, DensityGrid, Grid, HostElites, Proximity
from qd.emitters.pool import Pool
from qd.emitters.ribs import Ribs
from qd.emitters.vary import Gaussian, IntegerReset, IsoLine, Vary
from qd.search import refit, run, step
from qd.types import Elites, Search, State
from tests.support.searches import CMA_ME, THRESHOLDS, advance, begin, columns, same
from tests.support.toys import SQUARE, Bowl, Failing, Flip

ROOM = Grid((12, 12))
RANKERS = ["imp", "2imp", "rd", "2rd", "obj", "2obj"]
STRATEGIES = ["cma_es", "sep_cma_es", "lm_ma_es", "openai_es"]


class ArrayElites(NamedTuple):
    """Elites as a compiled mirror has them: arrays with room to spare, the first ``size`` in use."""

    id: jax.Array
    solution: jax.Array
    size: jax.Array
    features: tuple[str, ...] = ()

    def draw(self, key, n, *names):
        return self.take(keys.integers(key, (n,), 0, self.size), *(names or ("id", "solution")))

    def take(self, index, *names):
        return tuple(getattr(self, name)[index] for name in names)


def both_ways(emitter: Vary, solutions: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Children and parents [B, P], asked on the host and inside jax.jit, of the same elites (ids = ranks)."""
    n, spare = len(solutions), np.zeros_like(solutions)
    archive = Grid((n,)).open(_rows(solutions), ((0.0, float(n)),), (), 0)
    ids = np.arange(n)
    archive.add(solutions, np.zeros(n), ids[:, None] + 0.5, id=ids)
    _, host = emitter.ask(keys.new(5), emitter.init(keys.new(1), HostElites(archive)), HostElites(archive))

    def traced(key, elites: Elites):
        return emitter.ask(key, emitter.init(key, elites), elites)[1]

    padded = ArrayElites(np.arange(2 * n, dtype=np.int32), np.concatenate([solutions, spare - 99]), np.int32(n))
    fused = jax.jit(lambda key, id, x, size: tuple(traced(key, ArrayElites(id, x, size))[:2]))(jax.random.key(6), *padded[:3])
    return np.asarray(host.solutions), np.asarray(host.parents), *map(np.asarray, fused)


def _rows(solutions):
    from qd.types import Rows

    n = len(solutions)
    return Rows(np.arange(n), solutions, np.zeros(n), {}, np.ones(n, bool))


@pytest.mark.parametrize(
    "variation",
    [Gaussian(0.3), Gaussian(0.5, -0.4, 0.4), IsoLine(0.1, 0.5), IsoLine(0.01, 0.2, -0.8, 0.8)],
    ids=str,
)
def test_a_variation_draws_alike_on_the_host_and_in_a_trace(variation) -> None:
    solutions = np.random.default_rng(0).uniform(-1, 1, (6, 3)).astype(np.float32)
    host, host_parents, fused, fused_parents = both_ways(Vary(variation, batch_size=6000), solutions)
    assert host.dtype == fused.dtype == np.float32 and host.shape == fused.shape == (6000, 3)
    for gene in range(3):
        assert ks_2samp(host[:, gene], fused[:, gene]).pvalue > 1e-3
        moved = [x[:, gene] - solutions[p[:, 0], gene] for x, p in ((host, host_parents), (fused, fused_parents))]
        assert ks_2samp(*moved).pvalue > 1e-3
        assert ks_2samp(host[:, gene], fused[:, gene] + 0.15).pvalue < 1e-6, "the test can tell"
    for column in range(host_parents.shape[1]):
        assert _alike(host_parents[:, column], fused_parents[:, column], 6)


@pytest.mark.parametrize("options", [(4,), (2, 3, 9)], ids=str)
def test_integer_resets_draw_alike_on_the_host_and_in_a_trace(options) -> None:
    solutions = np.array([[0, 0, 0], [1, 2, 3], [1, 1, 1]], np.int32)
    host, host_parents, fused, fused_parents = both_ways(Vary(IntegerReset(options, rate=0.2), 6000), solutions)
    assert host.dtype == fused.dtype == np.int32
    for gene in range(3):
        assert _alike(host[:, gene], fused[:, gene], 9)
        most = max(options[gene % len(options)] - 1, solutions[:, gene].max())  # a gene may be left as it was
        assert host[:, gene].min() >= 0 and host[:, gene].max() == most
    changed = [(x != solutions[p[:, 0]]).sum(1) for x, p in ((host, host_parents), (fused, fused_parents))]
    assert _alike(*changed, 4)


def _alike(a: np.ndarray, b: np.ndarray, options: int) -> bool:
    table = np.stack([np.bincount(a, minlength=options), np.bincount(b, minlength=options)])
    return chi2_contingency(table[:, table.sum(0) > 0]).pvalue > 1e-3


def test_a_batch_says_its_parents() -> None:
    search = Search(Bowl(), Select("xy", SQUARE), ROOM, Vary(Gaussian(0.0), 32))
    state = begin(search)
    known = dict(zip(*HostElites(state.archive).take(np.arange(len(state.archive)), "id", "solution"), strict=True))
    _, batch = next(run(search, state, until=65))
    for parent, child in zip(batch.parents[:, 0], batch.solutions, strict=True):
        np.testing.assert_array_equal(known[parent], child)


def strategy(es: str, ranker: str, rule: str = "filter", **settings) -> Ribs:
    return Ribs(
        "EvolutionStrategyEmitter",
        {"sigma0": 0.2, "ranker": ranker, "es": es, "selection_rule": rule, "batch_size": 4, **settings},
        count=2,
    )


QUICK = ("vary", "cma_es 2imp")
EMITTERS = {
    "vary": Vary(IsoLine(), 8),
    **{f"cma_es {ranker}": strategy("cma_es", ranker) for ranker in RANKERS},
    **{f"{es} imp mu": strategy(es, "imp", "mu", restart_rule="basic") for es in STRATEGIES},
    "pool": Pool((Vary(Gaussian(), 8), CMA_ME, strategy("sep_cma_es", "2rd"))),
    "gaussian": Ribs("GaussianEmitter", {"sigma": 0.1, "batch_size": 8}),
    "iso_line": Ribs("IsoLineEmitter", {"batch_size": 8}),
    "genetic": Ribs("GeneticAlgorithmEmitter", {"operator": "gaussian", "operator_kwargs": {"sigma": 0.1}, "batch_size": 8}),
}


ARCHIVES = {"grid": ROOM, "mae": Grid((12, 12), **THRESHOLDS), "cvt": CVT(40, samples=400)}
PAIRS = [  # the quick ones: every emitter on a grid, and two that look at the archive in their own ways on the others
    pytest.param(emitter, archive, id=f"{name}-{kind}", marks=() if kind == "grid" or name in QUICK else pytest.mark.slow)
    for name, emitter in EMITTERS.items()
    for kind, archive in ARCHIVES.items()
]


@pytest.mark.parametrize(("emitter", "archive"), PAIRS)
def test_what_an_emitter_remembers_stores_and_goes_on_identically(emitter, archive) -> None:
    search = Search(Bowl(), Select("xy", SQUARE), archive, emitter)
    state = advance(search, begin(search), 3)
    stored = pickle.dumps(state)
    whole, resumed = advance(search, state, 3), advance(search, pickle.loads(stored), 3)
    same(whole, resumed)
    _, one = next(run(search, whole, until=whole.evaluations + 1))
    _, other = next(run(search, resumed, until=resumed.evaluations + 1))
    np.testing.assert_array_equal(one.solutions, other.solutions)


def restarts(state: State) -> list[int]:
    return [emitter.restarts for emitter in state.memory.emitters]


def test_hosted_cma_me_restarts_when_nothing_was_inserted_and_some_failed() -> None:
    """Seeds fill every cell with the best there can be, so that no child enters; a third of the children fail."""
    search = Search(Failing(Bowl(dim=2), 0.3), Select("xy", ((-9.0, 9.0), (-9.0, 9.0))), Grid((1, 1)), CMA_ME)
    state = begin(search)
    archive = state.archive
    archive._store._fields["objective"][:] = archive._store._fields["threshold"][:] = 1.0
    assert restarts(state) == [0, 0]
    state, batch = next(run(search, state, until=state.evaluations + 1))
    assert (batch.status == -1).any() and (batch.status == 0).any() and not (batch.status > 0).any()
    assert restarts(state) == [1, 1]


def hosted(ranker: str) -> Ribs:
    return Ribs("EvolutionStrategyEmitter", {"sigma0": 0.2, "ranker": ranker, "batch_size": 16}, count=2)


@pytest.mark.parametrize(
    ("archive", "ranker"),
    [(ROOM, "2imp"), (ROOM, "rd"), (Proximity(0.05, k_neighbors=3), "nov"), (DensityGrid((12, 12)), "density")],
    ids=["2imp", "rd", "nov", "density"],
)
def test_an_evolution_strategy_survives_batches_of_nothing_but_failures(archive, ranker) -> None:
    search = Search(Failing(Bowl(), 0.0), Select("xy", SQUARE), archive, hosted(ranker))
    state = begin(search)
    gone = search._replace(domain=Failing(Bowl(), 1.1))
    elites = columns(state.archive)["id"]
    for state, batch in run(gone, state, until=state.evaluations + 96):
        assert (batch.status == -1).all()
    np.testing.assert_array_equal(columns(state.archive)["id"], elites)
    state, batch = next(run(search, state, until=state.evaluations + 1))
    assert (batch.status >= 0).all() and np.isfinite(batch.solutions).all()


def test_gradients_are_taken_anew_after_a_refit() -> None:
    mega = Ribs("GradientArborescenceEmitter", {"sigma0": 0.5, "lr": 0.1, "batch_size": 7})
    search = Search(Bowl(), Flip(), ROOM, mega)
    state, gradients = step(search, begin(search))
    assert gradients.jacobian is not None and gradients.jacobian.shape == (1, 3, 4)
    _, branches = step(search, pickle.loads(pickle.dumps(state)))
    assert branches.jacobian is None and len(branches.ids) == 7
    _, again = step(search, refit(search, state))
    assert again.jacobian is not None and np.abs(again.jacobian[0, 1:] - gradients.jacobian[0, 1:]).max() > 0.1


def kept_by_cma_me(dim: int, count: int, cells: int, generations: int) -> list[float]:
    """Elites of CMA-ME with 30 % failing rows, as a share of those without, after as many evaluations; 5 seeds."""
    sphere = LinearProjection("sphere", dim)
    emitter = Ribs("EvolutionStrategyEmitter", {"sigma0": 0.5, "ranker": "2imp", "batch_size": 36}, count=count, x0=0.0)

    def elites(domain, seed: int) -> int:
        search = Search(domain, Select("projection", sphere.bounds), Grid((cells, cells)), emitter)
        return len(advance(search, begin(search, seed), generations).archive)

    return [elites(Failing(sphere, 0.3), seed) / elites(sphere, seed) for seed in range(5)]


@pytest.mark.ci
def test_cma_me_keeps_most_elites_where_a_third_of_the_rows_fail() -> None:
    kept = kept_by_cma_me(dim=10, count=5, cells=50, generations=200)
    assert np.mean(kept) >= 0.9, kept


@pytest.mark.slow
def test_cma_me_keeps_most_elites_where_a_third_of_the_rows_fail_in_100_dimensions() -> None:
    kept = kept_by_cma_me(dim=100, count=15, cells=100, generations=1200)
    assert np.mean(kept) >= 0.9, kept
