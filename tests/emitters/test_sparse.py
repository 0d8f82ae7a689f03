"""What recipe=sparse changes: local searches by CMA-ES, candidates that wait, an archive of dominated novelty."""

import json
from dataclasses import replace

import numpy as np
import pytest
from ribs.archives import DNSArchive

from domains.maze import Maze
from domains.maze.maps import Areas
from feedback.descriptors.select import Select
from qd import keys
from qd.archives import Grid
from qd.emitters import selection
from qd.emitters.selection import EvaluatedSolutions
from qd.emitters.sparse.cma_exploiter import CMAExploiter
from qd.emitters.sparse.phases import EXPLOIT, START
from qd.emitters.sparse.serene import Serene
from qd.search import run, start
from qd.store.recorder import Recorder
from qd.types import Search
from tests.support.searches import advance, begin
from tests.support.sparse import EXPLORER, SERENE, Spots, row, rows_with

AROUND = np.array([[0, 0, 0, 0], [0.6, 0, 0, 0]], np.float32)


def climbing_towards(part: CMAExploiter, target: np.ndarray, steps: int):
    """A local search with reward 1 - distance / 2, 0 beyond."""
    search, key = part.begin(row([0.0, 0, 0, 0]), 0, AROUND), keys.new(3)
    for step in range(steps):
        key, draw_key = keys.split(key)
        x, parents = part.ask(draw_key, search)
        assert x.shape == (part.samples, 4) and set(parents) <= {7, *search.population.ids}
        reward = np.maximum(1 - np.linalg.norm(x - target, axis=1) / 2, 0).astype(np.float32)
        ids = np.arange(100 * step + 100, 100 * step + 100 + len(x))
        search = part.tell(search, EvaluatedSolutions(ids, x, reward, x[:, :2], {"where": x[:, :2]}, {}))
    return search


@pytest.mark.parametrize("strategy", ["sep_cma_es", "cma_es"])
def test_a_local_search_by_cma_es_reaches_the_top(strategy):
    search = climbing_towards(CMAExploiter(strategy), np.array([0.9, -0.6, 0.3, 0.0]), 60)
    assert search.bests[-1] > 0.97 and search.bests == tuple(sorted(search.bests))
    np.testing.assert_allclose(search.population.solutions[0], [0.9, -0.6, 0.3, 0], atol=0.08)


def test_a_step_that_brings_nobody_narrows_the_next_but_not_for_ever():
    part = CMAExploiter()
    search = part.begin(row([0.0, 0, 0, 0]), 0, AROUND)
    begun = part.shrink * search.sigma
    search = part.tell(search, rows_with([0.0] * 12))
    assert float(search.strategy_state.sigma[0]) == pytest.approx(begun * 0.7, rel=1e-5)
    assert list(search.population.ids) == [7] and search.gain == 0
    for _ in range(40):
        search = part.tell(search, rows_with([]))  # all have failed
    assert float(search.strategy_state.sigma[0]) == pytest.approx(begun * part.floor, rel=1e-5)
    assert part.should_stop(search)


def test_settings_that_cannot_be_are_refused():
    with pytest.raises(ValueError, match="unknown strategy 'cma'; type .*cma_es"):
        CMAExploiter("cma")
    with pytest.raises(ValueError, match="samples of 2 or more"):
        CMAExploiter(samples=1)
    with pytest.raises(ValueError, match="there is no archive 'grid' of 1024; type archive=append, or archive=dns"):
        replace(EXPLORER, archive="grid")
    with pytest.raises(ValueError, match=r"no areas pay nothing; type areas=\[\[0.1, 0.9, 0.08\]\]"):
        Areas(())
    with pytest.raises(ValueError, match="are no sparse reward; type domain=redundant_arm"):
        maze = Maze(steps=10)  # pays for driving little
        begin(Search(maze, Select("position", ((0, 1),) * 2), Grid((5, 5)), SERENE.emitter), n=8)


def test_candidates_wait_where_a_local_search_has_found_more():
    emitter = Serene(EXPLORER, exploiter=CMAExploiter(), chunk=200, rivals=3)
    memory = begin(SERENE._replace(emitter=emitter), n=20).memory
    place = np.array([[0.7, 0.7, 0, 0]], np.float32)
    candidate = emitter.exploiter.begin(row(place[0], 0.2), 0, AROUND)
    found = row(place[0] + 0.01, 0.5)._replace(ids=np.array([99]))
    for ids, reward, waits in (([99], 0.5, True), ([99], 0.1, False), ([3], 0.5, False)):
        rewarded = found._replace(ids=np.array(ids), objective=np.array([reward], np.float32))
        rivals = memory._replace(reward_archive=rewarded, candidate_ids=np.array([3]))  # 3 was a candidate: no search found it
        assert list(emitter._waits(rivals, (candidate,))) == [waits]
    memory = memory._replace(
        reward_archive=found, candidates=(candidate,) * 3, remaining=200, phases=START._replace(last=EXPLOIT)
    )
    first = emitter._next_search(memory)
    assert first.testing and first.tested_waiting and len(first.candidates) == 2
    assert emitter._next_search(first._replace(active=None)).active is None  # one in a chunk


def test_dominated_novelty_is_pyribs_own():
    rng = np.random.default_rng(0)
    for objective in (np.zeros(40, np.float32), rng.integers(0, 3, 40).astype(np.float32)):
        measures = rng.uniform(-1, 1, (40, 3)).astype(np.float32)
        ribs = DNSArchive(solution_dim=1, measure_dim=3, capacity=10, k_neighbors=5)
        ours = selection.dominated_novelty(measures, objective, 5)
        np.testing.assert_allclose(ours, ribs.compute_dns(measures, objective), rtol=1e-4)


def test_the_bounded_archive_keeps_the_best_and_its_parents_come_from_it():
    explorer = replace(EXPLORER, archive="dns", room=30)
    search = SERENE._replace(emitter=explorer)
    memory = advance(search, begin(search, n=20), 8).memory
    assert len(memory.archive.ids) == 30 and set(memory.population.ids) <= set(memory.archive.ids)
    assert len(memory.population.ids) == len(set(memory.population.ids)) == 20


def test_all_spots_are_found_and_climbed_with_fewer_evaluations():
    search = SERENE._replace(emitter=Serene(EXPLORER, exploiter=CMAExploiter(), chunk=200, rivals=15))
    state, best = begin(search, n=20), np.zeros(2)
    for state, batch in run(search, state, until=6000):
        gaps = [np.hypot(*(batch.evaluation.features["where"] - spot).T).min() for spot in Spots().spots]
        best = np.maximum(best, 1 - np.array(gaps) / Spots().radius)
    assert best.min() > 0.95 and state.memory.exploitation < 0.55 * state.evaluations


def test_what_fails_is_counted_and_its_genes_are_kept(tmp_path):
    search = SERENE._replace(domain=Spots(fails_above=0.1))
    state, batch = start(search, keys.new(0), search.domain.sample(keys.new(1), 40))
    recorder = Recorder(tmp_path, search, None, 1000)
    recorder.batch(state, batch)
    recorder.close()
    events = [json.loads(line) for line in (tmp_path / "events.jsonl").read_text().splitlines()]
    failed = np.flatnonzero(batch.status < 0)
    assert recorder.tally.failed == len(failed) > 10
    assert [e["id"] for e in events if e["event"] == "failed"] == failed[:10].tolist()
    np.testing.assert_array_equal(events[-1]["solution"], batch.solutions[failed[9]])
