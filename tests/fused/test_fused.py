"""The fused driver's promises: chunks change nothing, one compilation, the host loop's stops, refitting, refusals."""

import pickle
from dataclasses import dataclass, replace

import numpy as np
import pytest

from domains.functions import LinearProjection
from feedback.descriptors.pca import PCA
from feedback.descriptors.select import Select
from qd import fused, keys, search
from qd.archives import CVT, DNS, Grid, HostElites
from qd.cli import run
from qd.config import compose
from qd.emitters.pool import Pool
from qd.emitters.ribs import Ribs
from qd.emitters.vary import Gaussian, Vary
from qd.fused import driver, prepare
from qd.fused.program import compiled
from qd.referee import Referee
from qd.types import Array, Batch, Elites, Memory, Offspring, Search, State
from tests.support.fused import GRID, VARY, XY, begin, end, same
from tests.support.scripted import contents, replay
from tests.support.toys import SQUARE, Bowl, Failing, OnHost, Words


@dataclass(frozen=True)
class Learner:
    """A pure emitter that looks at all there is: rows, features, objectives; and remembers what it was told."""

    batch_size: int = 16
    pure: bool = True

    def init(self, key: Array, elites: Elites) -> Memory:
        return {"seen": np.zeros((), np.int64), "mean": np.zeros(4, np.float32)}

    def ask(self, key: Array, memory: Memory, elites: Elites) -> tuple[Memory, Offspring]:
        draw_key, step_key = keys.split(key)
        rows = elites.rows()
        middle = (rows.solutions * rows.valid[:, None]).sum(0) / elites.size
        solutions, objective, half = elites.draw(draw_key, self.batch_size, "solution", "objective", "half")
        steps = keys.normal(step_key, solutions.shape) * 0.3 + 0.01 * middle + 0.001 * objective[:, None]
        return memory | {"mean": memory["mean"] + half.mean()}, Offspring((solutions + steps).astype("float32"))

    def tell(self, memory: Memory, batch: Batch) -> Memory:
        return memory | {"seen": memory["seen"] + (batch.status >= 0).sum()}


@pytest.mark.parametrize(
    ("archive", "lengths"),
    [
        pytest.param(GRID, (7,), id="grid"),
        pytest.param(GRID, (1, 7, None), id="grid, more lengths", marks=pytest.mark.ci),
        pytest.param(CVT(50, samples=500), (7,), id="cvt", marks=pytest.mark.ci),
        pytest.param(Grid((12, 12), 0.1, -20.0), (7,), id="mae", marks=pytest.mark.ci),
    ],
)
def test_where_chunks_end_and_runs_are_resumed_changes_nothing(archive, lengths) -> None:
    recipe = Search(Failing(Bowl()), XY, archive, Pool((VARY, Learner())), keep=("half",))
    states = [end(recipe, begin(recipe), 2500, length=length) for length in lengths]
    halfway = pickle.loads(pickle.dumps(end(recipe, begin(recipe), 1200, length=7)))
    states += [end(recipe, halfway, 2500, length=50), end(recipe, begin(recipe), 2500, length=7)]
    for state in states[1:]:
        same(states[0], state)
    assert len(states[0].archive) > 30 and states[0].evaluations == 64 + 51 * 48


@pytest.mark.ci
def test_many_stretches_refits_and_params_take_one_compilation() -> None:
    recipe = Search(Bowl(), PCA(reads=("all",)), GRID, VARY, keep=("half",))
    state, batches = begin(recipe), []
    for stop in (100, 101, 777, 2000, 5000):
        for state, batch in fused.run(recipe, state, stop):
            batches.append(batch)
        state = search.refit(recipe, state)
    programs = [compiled(r) for r in _recipes(recipe, state)]
    assert [program._cache_size() for program in programs] == [1]
    assert [b.first for b in batches] == list(np.cumsum([1] + [len(b.ids) // 32 for b in batches])[:-1])
    ids = np.concatenate([b.ids for b in batches])
    np.testing.assert_array_equal(ids, np.arange(64, 64 + len(ids)))


def _recipes(recipe: Search, state: State) -> list:
    from qd.fused.prepare import prepare

    return [prepare(recipe, state).recipe]


@pytest.mark.ci
def test_it_stops_where_the_host_loop_stops_and_its_rows_replay_in_pyribs() -> None:
    recipe = Search(Failing(Bowl()), XY, GRID, VARY, keep=("half",))
    state, host = begin(recipe), begin(recipe)
    other = begin(recipe).archive
    for stop in (65, 300, 300, 1000):
        for state, batch in fused.run(recipe, state, stop):
            said = replay(other, batch, 32)
            np.testing.assert_array_equal(batch.status, said["status"])
            assert batch.ids.dtype == batch.parents.dtype == np.int64 and batch.parents.shape == (len(batch.ids), 2)
            assert (batch.parents < batch.ids[:, None]).all()
        for host, _ in search.run(recipe, host, stop):
            pass
        assert (state.evaluations, state.generation) == (host.evaluations, host.generation)
    for name, column in contents(other).items():
        np.testing.assert_array_equal(column, contents(state.archive)[name])
    assert {-1, 0, 1, 2} == set(batch.status.tolist())


@pytest.mark.ci
def test_parents_are_elites_drawn_evenly() -> None:
    """Every cell is drawn about equally often, and a child lies near the parents that its ids name."""
    recipe = Search(Bowl(), XY, Grid((4, 4)), Vary(Gaussian(1e-6), 64))
    state = end(recipe, begin(recipe, n=500), 700)
    before = HostElites(state.archive).rows()
    state, batch = next(fused.run(recipe, state, 100_000, length=500))
    where = np.searchsorted(np.sort(before.ids), batch.parents[:64, 0])
    parents = before.solutions[np.argsort(before.ids)][where]
    np.testing.assert_allclose(batch.solutions[:64], parents, atol=1e-5)
    cells = [tuple(cell) for cell in np.floor(batch.solutions[:, :2] * 2)]
    counts = np.unique(np.array(cells), axis=0, return_counts=True)[1]
    counts = counts[counts > 100]
    expected = 500 * 64 / 16
    assert len(counts) == 16 and (np.abs(counts - expected) < 6 * expected**0.5).all()


def test_a_referee_sees_every_row() -> None:
    recipe = Search(Bowl(), XY, GRID, VARY, keep=("half",))
    state, batch = search.start(recipe, keys.new(0), recipe.domain.sample(keys.new(1), 64))
    bench = Referee(Select("half", SQUARE), Grid((10, 10))).open(batch)
    bench.add(batch)
    for _, batch in fused.run(recipe, state, 2000):
        bench.add(batch)
    other = Referee(Select("half", SQUARE), Grid((10, 10))).open(batch)
    other.add(batch)
    assert len(bench.archive) >= len(other.archive) > 20


def test_the_host_may_change_the_archive_between_two_runs() -> None:
    recipe = Search(Bowl(), XY, GRID, VARY)
    state = end(recipe, begin(recipe), 500)
    state, _ = search.step(recipe, state)
    other = pickle.loads(pickle.dumps(state))
    same(end(recipe, state, 1500), end(recipe, other, 1500))


def test_what_cannot_be_fused_is_said() -> None:
    fine = Search(Bowl(), XY, GRID, VARY)
    assert fused.applies(fine) is None
    cma = Ribs("EvolutionStrategyEmitter", {"sigma0": 0.2, "ranker": "2imp", "batch_size": 16})
    for recipe, word in (
        (fine._replace(emitter=cma), "Ribs"),
        (fine._replace(domain=Words()), "Words"),
        (fine._replace(descriptor=OnHost()), "OnHost"),
        (fine._replace(archive=DNS(100)), "DNS"),
        (fine._replace(archive=replace(GRID, dtype="float64")), "float64"),
    ):
        assert word in (fused.applies(recipe) or "")
        with pytest.raises(ValueError, match="driver=host"):
            next(fused.run(recipe, begin(fine), 100))
    with pytest.raises(ValueError, match="generator"):
        next(fused.run(fine, begin(fine), 100, generator="dice"))


def test_a_mirror_that_memory_cannot_hold_is_refused_before_anything_is_evaluated(monkeypatch, tmp_path) -> None:
    words = [
        "domain=sphere",
        "domain.dim=100",
        "emitter=isoline",
        f"runs={tmp_path}",
        "console=off",
        "initial=10",
        "budget=100",
    ]
    grid, tessellation = "archive.dims=[50,40]", "archive=cvt"  # 2,000 and 1,000 cells
    monkeypatch.setattr(prepare, "_memory", lambda: 1_000_000)  # of which 40 % are less than 1,000 x 424 bytes
    asked = compose.assemble(compose.load([*words, grid])).search
    assert "2,000 cells x 424 bytes needs 0.0 GiB" in (fused.applies(asked) or "")
    monkeypatch.setattr(LinearProjection, "evaluate", lambda *args: pytest.fail("something was evaluated"))
    for archive in (grid, tessellation):
        with pytest.raises(ValueError, match=r"cells x 424 bytes .* driver=host"):
            run.main([*words, archive, "driver=fused"])
    assert not list(tmp_path.iterdir())
    with pytest.raises(ValueError, match="2,000 cells x 424 bytes"):
        run.main([*words, grid, "seeds=2"])
    assert compose.assemble(compose.load([*words, grid])).run is search.run  # auto goes to the host
    monkeypatch.setattr(prepare, "_memory", lambda: 3_000_000)
    assert fused.applies(asked) is None and compose.assemble(compose.load([*words, grid])).run is fused.run


def test_the_size_is_said_as_pyribs_and_the_machine_have_it(monkeypatch) -> None:
    recipe = Search(Bowl(), XY, GRID, VARY)
    state = begin(recipe)
    enormous = recipe._replace(archive=Grid((200_000, 200_000)))
    assert "40,000,000,000 cells" in (fused.applies(enormous) or "") and "GiB beside the archive" in (
        fused.applies(enormous) or ""
    )
    monkeypatch.setattr(driver, "applies", lambda recipe: None)
    monkeypatch.setattr(prepare, "_memory", lambda: 10_000)
    with pytest.raises(ValueError, match=r"144 cells .* type driver=host, or fewer cells"):
        next(fused.run(recipe, state, 1000))


def test_a_chunk_longer_than_the_run_and_ids_that_overflow() -> None:
    recipe = Search(Bowl(), XY, GRID, VARY)
    state, batch = next(fused.run(recipe, begin(recipe), 100, length=10_000))
    assert (len(batch.ids), state.evaluations) == (64, 128)
    assert [len(batch.ids) for _, batch in fused.run(recipe, begin(recipe), 300, length=3)] == [96, 96, 64]
    with pytest.raises(ValueError, match="driver=host"):
        next(fused.run(recipe, state._replace(evaluations=2**31 - 100), 2**31))
