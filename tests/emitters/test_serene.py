"""SERENE: rewards become candidates, candidates are tested, local searches improve and stop; chunks, schedules, refits."""

import io
import itertools
import pickle
from dataclasses import replace

import numpy as np
import pytest

from qd import keys
from qd.archives import DNS
from qd.emitters.sparse import local_search
from qd.emitters.sparse.phases import EXPLOIT, EXPLORE, START, Phases
from qd.emitters.sparse.serene import Serene
from qd.search import refit, run, step
from qd.store import checkpoint
from qd.types import Search
from tests.support.searches import advance, begin, same
from tests.support.sparse import EXPLORER, SERENE, Spots, Turning, row, rows_with

STAX = Search(
    Spots(), Turning(), DNS(64), Serene(replace(EXPLORER, criteria=("novelty", "surprise")), chunk=200)
)  # Pareto fronts of both


@pytest.fixture(scope="module")
def played():
    """A whole search: its batches, and the memory after each."""
    state = begin(SERENE, n=20)
    steps = []
    for state, batch in run(SERENE, state, until=8000):
        steps.append((state.memory, batch))
    return state, steps


def test_it_finds_and_exploits_every_spot(played):
    _, steps = played
    place = np.concatenate([batch.evaluation.features["where"] for _, batch in steps])
    for spot in Spots().spots:
        assert (1 - np.hypot(*(place - spot).T) / 0.12).max() > 0.95


def test_half_of_the_budget_exploits_once_there_are_rewards(played):
    state, steps = played
    memory = state.memory
    assert memory.exploration + memory.exploitation == state.evaluations - 20
    begun = next(i for i, (memory, _) in enumerate(steps) if memory.exploitation)
    late = steps[-1][0]
    exploited, explored = late.exploitation, late.exploration - steps[begun][0].exploration
    assert exploited / (exploited + explored) == pytest.approx(0.5, abs=0.1)
    assert {len(batch.ids) for _, batch in steps} == {40, 6, 12}


def test_a_candidates_test_costs_66_evaluations_and_keeps_only_those_that_improve(played):
    _, steps = played
    costs, cost = [], 0
    for (before, _), (after, batch) in itertools.pairwise(steps):
        if not before.testing:
            continue
        cost += len(batch.ids)
        if after.active is None or after.active.steps == 0 or not after.testing:
            costs.append(cost)
            cost = 0
    assert len(costs) > 2 and set(costs) == {66}
    assert all(search.gain > 0 for memory, _ in steps for search in memory.local_searches if search.steps == 6)


def test_each_reward_of_exploration_is_a_candidate_once(played):
    _, steps = played
    rewarded_ids = np.concatenate(
        [batch.ids[batch.evaluation.objective > 0] for _, batch in steps if len(batch.ids) == 40] + [np.zeros(0, int)]
    )
    candidate_ids = steps[-1][0].candidate_ids
    assert len(np.unique(candidate_ids)) == len(candidate_ids) and set(rewarded_ids) <= set(candidate_ids)
    assert set(candidate_ids) <= set(steps[-1][0].reward_archive.ids)


def test_novel_rows_of_a_local_search_join_the_archive_only_when_it_stops():
    emitter = Serene(EXPLORER, chunk=200, added=5)
    memory = begin(SERENE, n=20).memory
    search = local_search.begin(row([1.0, 1, 0, 0]), 0, memory.explorer.population.solutions)
    novel = search._replace(novel_rows=(rows_with([0.0] * 9),))
    ended = emitter._archive_novel_rows(memory, novel)
    assert len(ended.explorer.archive.ids) == 5 and set(ended.explorer.archive.ids) <= set(range(100, 109))
    assert len(emitter._archive_novel_rows(memory, search).explorer.archive.ids) == 0


def test_sigma_of_a_local_search_is_a_third_of_the_way_to_its_nearest():
    others = np.array([[0, 0, 0, 0], [0.6, 0, 0, 0], [9, 9, 9, 9]], np.float32)
    assert local_search.begin(row([0.0, 0, 0, 0]), 0, others).sigma == pytest.approx(0.2)
    twins = np.zeros((2, 4), np.float32)
    assert local_search.begin(row([0.0, 0, 0, 0]), 0, twins).sigma == 0.05


def test_the_best_six_live_on_and_the_gain_is_that_of_the_mean():
    search = local_search.begin(row([0.0, 0, 0, 0]), 0, np.ones((3, 4), np.float32))
    assert len(local_search.parents(search).ids) == 6
    search = local_search.select(search, rows_with([0.1] * 6))
    assert len(local_search.parents(search).ids) == 12 and search.gain == 0
    for step_number in range(5):
        search = local_search.select(search, rows_with([0.2 + 0.1 * step_number] * 3, first=200 + 10 * step_number))
    assert search.steps == 6
    np.testing.assert_allclose(sorted(search.population.objective), [0.5] * 3 + [0.6] * 3, rtol=1e-6)
    means = [0.1, 0.15, 0.25, 0.35, 0.45, 0.55]
    np.testing.assert_allclose(search.means, means, rtol=1e-5)
    assert search.gain == pytest.approx(np.mean(means[3:]) - np.mean(means[:3]), rel=1e-5)
    worse = local_search.select(search, rows_with([0.0] * 12, first=400))
    assert worse.bests[-1] == search.bests[-1]


def test_the_reward_archive_gets_what_beats_all_before():
    search = local_search.begin(row([0.0, 0, 0, 0]), 0, np.ones((3, 4), np.float32))
    search, best = local_search.best_new(search, rows_with([0.0, 0.0]))
    assert best is None
    search, best = local_search.best_new(search, rows_with([0.1, 0.3]))
    assert best is not None and list(best.ids) == [101] and search.best_archived == pytest.approx(0.3)
    assert local_search.best_new(search, rows_with([0.3, 0.2]))[1] is None


def test_it_ends_when_it_stands_still_and_not_before():
    ancestor = local_search.begin(row([0.0, 0, 0, 0]), 0, np.ones((3, 4), np.float32))
    window = 120 + 20 * 4 // 6
    still, rising = (0.5,) * window, tuple(np.linspace(0, 1, window))
    cases = {still: True, rising: False, still[1:]: False, rising + still: True, still + rising: False}
    for bests, ends in cases.items():
        assert local_search.stagnates(ancestor._replace(bests=bests, means=bests)) == ends


def test_rewards_that_are_not_sparse_are_refused_by_name():
    with pytest.raises(ValueError, match="are no sparse reward; type domain=redundant_arm"):
        begin(SERENE._replace(domain=Spots(below=-1.0)), n=20)
    with pytest.raises(ValueError, match="are no sparse reward"):
        begin(SERENE._replace(domain=Spots(radius=9.0)), n=20)
    with pytest.raises(ValueError, match="chooses by 'surprise', which Select does not give"):
        begin(SERENE._replace(emitter=STAX.emitter), n=20)
    with pytest.raises(ValueError, match="chunk and trial of 1 or more"):
        Serene(chunk=0)
    with pytest.raises(ValueError, match="unknown schedule 'ucb'; type alternate"):
        Phases("ucb")


def test_failures_do_no_harm():
    search = SERENE._replace(domain=Spots(fails_above=0.6))
    state = advance(search, begin(search, n=20), 120)
    memory = state.memory
    assert memory.exploitation > 0 and np.isfinite(memory.reward_archive.objective).all()
    assert memory.reward_archive.features["where"][:, 0].max() <= 0.6


def test_a_refit_describes_all_that_it_remembers():
    state = begin(STAX, n=20)
    while state.memory.active is None or not state.memory.local_searches:
        state, _ = step(STAX, state)
    rows = STAX.emitter.recall(state.memory)
    assert set(state.memory.reward_archive.ids) <= set(rows.ids) and set(state.memory.explorer.archive.ids) <= set(rows.ids)
    memory = refit(STAX, state).memory
    parts = [
        memory.reward_archive,
        memory.active.ancestor,
        *memory.explorer[1:],
        *(c.ancestor for c in memory.local_searches + memory.candidates),
    ]
    for part in parts:
        np.testing.assert_allclose(part.measures, STAX.descriptor(2, part.features), atol=1e-6)
    assert memory.active.max_novelty == 0


@pytest.mark.parametrize("schedule", ["alternate", "even", "fading", "bandit"])
def test_a_stored_state_goes_on_like_the_uninterrupted_run(schedule):
    emitter = replace(STAX.emitter, phases=Phases(schedule, budget=4000))
    search = STAX._replace(emitter=emitter)
    state = advance(search, begin(search, n=20), 40)
    again = pickle.loads(pickle.dumps(state))
    state, again = (advance(search, refit(search, s), 40) for s in (state, again))
    same(state, again)
    assert state.memory.exploration > 0 and state.memory.exploration == again.memory.exploration


def test_schedules():
    turns, record = [], START
    for _ in range(4):
        turns.append(Phases().next(keys.new(0), record, 0))
        record = record._replace(last=turns[-1])
    assert turns == [EXPLOIT, EXPLORE, EXPLOIT, EXPLORE]
    coins = [Phases("even").next(keys.new(s), START, 0) for s in range(200)]
    assert 70 < sum(coins) < 130
    fading = Phases("fading", budget=1000)
    share = [np.mean([fading.next(keys.new(s), START, used) for s in range(200)]) for used in (0, 500, 1000)]
    assert share[0] == 0 and 0.35 < share[1] < 0.65 and share[2] == 1
    bandit, record = Phases("bandit"), START
    record = bandit.after(record, 5)  # exploring has found much to exploit
    assert bandit.next(keys.new(0), record, 0) == EXPLOIT
    for _ in range(8):
        record = bandit.after(record._replace(last=EXPLOIT), 3)
    assert bandit.next(keys.new(0), record, 0) == EXPLOIT
    for _ in range(30):
        record = bandit.after(record._replace(last=EXPLOIT), 0)
    assert bandit.next(keys.new(0), record, 0) == EXPLORE


def test_a_memory_under_the_old_names_opens():
    memory = advance(SERENE, begin(SERENE, n=20), 40).memory
    pickled = pickle.dumps(memory, protocol=2)  # names classes as text
    for now, before in {
        "serene\nSereneMemory": "serene\nMemory",
        "phases\nPhaseHistory": "phases\nRecord",
        "local_search\nLocalSearch": "climbing\nClimber",
        "novelty\nNoveltyMemory": "novelty\nSeen",
        "selection\nEvaluatedSolutions": "selection\nKnown",
    }.items():
        assert f"{now}\n".encode() in pickled
        pickled = pickled.replace(f"{now}\n".encode(), f"{before}\n".encode())
    opened = checkpoint._Unpickler(io.BytesIO(pickled)).load()
    assert type(opened) is type(memory) and type(opened.explorer) is type(memory.explorer)
    np.testing.assert_array_equal(opened.reward_archive.solutions, memory.reward_archive.solutions)
