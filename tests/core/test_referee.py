"""The referee judges by ground truth, sees everything evaluated, and stands outside of the search."""

import pickle
from dataclasses import dataclass

import jax
import numpy as np
import pytest

from domains.arm import Arm
from feedback.descriptors.pca import PCA
from feedback.descriptors.select import Select
from qd import keys
from qd.archives import Grid, HostElites
from qd.emitters.vary import Gaussian, IsoLine, Vary
from qd.referee import Referee, aligned_r2, corrected_archive
from qd.search import run, start
from qd.types import Evaluation, Search
from tests.support.searches import advance, begin, columns, same
from tests.support.toys import SQUARE, Bowl, Failing

TRUTH = Referee(Select("gripper", SQUARE), Grid((12, 12)), coarse=(4, 4))
SEARCH = Search(Failing(Arm(5), 0.2), PCA(reads=("angles",)), Grid((8, 8)), Vary(IsoLine(), 32), keep=TRUTH.keep)


def begun(search: Search = SEARCH):
    key, sample_key = keys.split(keys.new(0))
    return start(search, key, search.domain.sample(sample_key, 64))


def cells_of(gripper: np.ndarray, dims: int) -> set[tuple[int, int]]:
    return {tuple(cell) for cell in np.clip(((gripper + 1) / 2 * dims).astype(int), 0, dims - 1)}


def test_all_is_everything_evaluated_and_current_is_the_elites() -> None:
    state, batch = begun()
    bench = TRUTH.open(batch)
    bench.add(batch)
    seen = [batch]
    for state, batch in run(SEARCH, state, until=64 + 32 * 8):
        bench.add(batch)
        seen.append(batch)
    ok = np.concatenate([b.status >= 0 for b in seen])
    gripper = np.concatenate([b.evaluation.features["gripper"] for b in seen])[ok]
    elites = HostElites(state.archive)
    (current,) = elites.take(np.arange(elites.size), "gripper")
    said = bench.scores(elites, scale=(0.0, 100.0))
    for suffix, dims in (("", 12), ("_coarse", 4)):
        assert said[f"coverage_all{suffix}"] == pytest.approx(100 * len(cells_of(gripper, dims)) / dims**2)
        assert said[f"coverage_current{suffix}"] == pytest.approx(100 * len(cells_of(current, dims)) / dims**2)
        assert said[f"qd_score_all{suffix}"] != said[f"qd_score_current{suffix}"]
    assert 0 < said["aligned_r2"] < 1


def test_each_cell_of_all_keeps_its_best() -> None:
    _, batch = begun()
    bench = TRUTH.open(batch)
    bench.add(batch)
    best: dict[int, float] = {}
    ok = batch.status >= 0
    for cell, f in zip(
        bench.archive.index_of(batch.evaluation.features["gripper"][ok]), batch.evaluation.objective[ok], strict=True
    ):
        best[cell] = max(best.get(cell, -np.inf), f)
    assert dict(zip(*(columns(bench.archive)[name] for name in ("cells", "objective")), strict=True)) == best


def test_a_search_does_not_notice_its_referee() -> None:
    judged, batch = begun()
    bench = TRUTH.open(batch)
    for judged, batch in run(SEARCH, judged, until=200):
        bench.add(batch)
        bench.scores(HostElites(judged.archive))
    alone, _ = begun()
    for alone, _ in run(SEARCH, alone, until=200):
        ...
    same(judged, alone)


def test_a_bench_stores_and_goes_on_identically() -> None:
    state, batch = begun()
    bench = TRUTH.open(batch)
    bench.add(batch)
    again = pickle.loads(pickle.dumps(bench))
    state, batch = next(run(SEARCH, state, until=65))
    for each in (bench, again):
        each.add(batch)
    for name, column in columns(bench.archive).items():
        np.testing.assert_array_equal(column, columns(again.archive)[name])


def test_a_perfect_descriptor_is_aligned() -> None:
    search = SEARCH._replace(descriptor=Select("gripper", SQUARE))
    state, batch = begun(search)
    bench = TRUTH.open(batch)
    elites = HostElites(state.archive)
    assert bench.scores(elites)["aligned_r2"] == pytest.approx(1)
    turned = elites.rows().features["gripper"] @ np.array([[0.0, -3.0], [3.0, 0.0]]) + 5
    assert bench.scores(elites, measures=turned)["aligned_r2"] == pytest.approx(1)


def test_aligned_r2_of_what_is_unrelated_stretched_or_constant() -> None:
    rng = np.random.default_rng(0)
    truth = rng.normal(size=(4000, 2))
    assert aligned_r2(rng.normal(size=(4000, 2)), truth) < 0.01
    assert aligned_r2(truth * [3, 1], truth) == pytest.approx((3 + 1) ** 2 / (2 * (9 + 1)), abs=0.02)
    assert np.isnan(aligned_r2(np.zeros((4000, 2)), truth))
    assert aligned_r2(np.concatenate([truth, truth * 0], axis=1), truth) == pytest.approx(1)


def test_what_the_search_does_not_keep_cannot_be_judged() -> None:
    _, batch = begun(SEARCH._replace(keep=()))
    with pytest.raises(ValueError, match=r"the referee reads gripper.*type Search\(..., keep=\('gripper',\)\)"):
        TRUTH.open(batch)


def test_a_referee_must_not_learn() -> None:
    with pytest.raises(ValueError, match="must be hand-made, but PCA learns"):
        Referee(PCA(reads=("angles",)), Grid((4, 4)))


@dataclass(frozen=True)
class Noisy(Bowl):
    def evaluate(self, keys, solutions) -> Evaluation:
        said = super().evaluate(keys, solutions)
        return said._replace(objective=said.objective + jax.vmap(jax.random.normal)(keys))


def test_corrected_undoes_the_luck_of_elites_and_spends_nothing() -> None:
    search = Search(Noisy(), Select("xy", SQUARE), Grid((6, 6)), Vary(Gaussian(0.3), 64))
    state = advance(search, begin(search), 30)
    before = columns(state.archive)
    truth = -(before["solution"] ** 2).sum(1)
    again = columns(corrected_archive(search, state, repeats=100))
    luck, corrected_luck = before["objective"] - truth, again["objective"] + (again["solution"] ** 2).sum(1)
    assert luck.mean() > 1 and abs(corrected_luck.mean()) < 0.1
    np.testing.assert_array_equal(again["threshold"], again["objective"])
    for name, column in columns(state.archive).items():
        np.testing.assert_array_equal(column, before[name])
    same(*(pickle.loads(pickle.dumps(state)) for _ in range(2)))
    np.testing.assert_array_equal(columns(corrected_archive(search, state, 100))["objective"], again["objective"])
    with pytest.raises(ValueError, match="0 repeats re-evaluate nothing; type repeats=1"):
        corrected_archive(search, state, 0)
