"""The loop: ask -> evaluate -> describe -> insert -> tell.

    state, batch = start(search, key, search.domain.sample(key, 256))
    while state.evaluations < budget:
        for state, batch in run(search, state, until=next_stop):
            ...                                # what to log, plot and save is the caller's
        state = refit(search, state)         # between segments, in the open

B batch, N rows, M measures.
"""

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np

from qd import abilities, archives, checks, keys, outcomes, programs
from qd.archives import HostElites
from qd.support.error_notes import in_generation, naming_component
from qd.types import Array, Batch, Descriptor, Features, Fresh, Offspring, Params, Reserve, Rows, Search, State


def start(search: Search, key: Array, solutions: Array) -> tuple[State, Batch]:
    """Evaluates the initial solutions (generation 0), opens the archive, and lets descriptor and emitter begin.

    Args:
        search: the recipe.
        key: a host key (uint32 [2]) or a JAX key.
        solutions: [B, ...], or a list of B Python objects.

    Returns:
        The state after generation 0 (its evaluations include those that the descriptor's init made), and the batch of B.

    Raises:
        UserError: a component breaks its protocol, or every solution failed; the message names the fix.
    """
    key, solutions = keys.to_host(key), _as_batch(solutions)
    ids = range(len(np.atleast_1d(solutions)))
    with naming_component(search, lambda: in_generation(0, ids)):
        return _start(search, key, solutions)


def _start(search: Search, key: np.ndarray, solutions: np.ndarray) -> tuple[State, Batch]:
    checks.rehearse(search, key, solutions)
    names = programs.feature_names(search)
    key, evaluate_key, learn_key, archive_key, emit_key = keys.split(key, 5)
    evaluation = programs.evaluate(search.domain, names, evaluate_key, solutions)
    outcomes.not_all_failed(search.domain, solutions, evaluation)
    outcomes.above_reference(search.domain, evaluation)

    counter = _Counter(len(solutions))
    rows = _finite(Rows(np.arange(len(solutions)), solutions, *evaluation, np.ones(len(solutions), bool)))
    params = search.descriptor.init(learn_key, rows, _fresh(search, counter))
    measures, signals = checks.describe(search.descriptor, params, evaluation.features)

    if search.domain.pure:  # whatever JAX computes with: the fused driver holds float32
        rows = rows._replace(objective=rows.objective.astype(np.float32))
    archive = search.archive.open(rows, search.descriptor.bounds, names, int(archive_key[0]))
    state = State(key, archive, None, params, _empty_reserve(rows), 0, 0)
    batch = insert(state, Offspring(solutions), programs.Results(evaluation, measures, signals))
    outcomes.not_empty(archive, batch)
    memory = search.emitter.init(emit_key, HostElites(archive))
    return state._replace(memory=memory, generation=1, evaluations=counter.evaluations), batch


def step(search: Search, state: State) -> tuple[State, Batch]:
    """Does one generation. The state given is spent.

    Args:
        search: the recipe.
        state: of ``start``, of a refit or of another step.

    Returns:
        The state after the generation, and its batch, of as many rows as the emitter proposed.

    Raises:
        UserError: the emitter proposed no solutions.
    """
    key, ask_key, evaluate_key = keys.split(state.key, 3)
    ids = range(0)  # of the offspring, once there are some
    with naming_component(search, lambda: in_generation(state.generation, ids)):
        memory, offspring = search.emitter.ask(ask_key, state.memory, HostElites(state.archive))
        checks.offspring(search.emitter, offspring)
        evaluations = state.evaluations + len(offspring.solutions)
        ids = range(state.evaluations, evaluations)
        components = search.domain, search.descriptor, programs.names_in_batches(search)
        result = programs.evaluate_and_describe(
            *components, state.params, evaluate_key, offspring.solutions, offspring.gradients
        )
        batch = insert(state, offspring, result)
        memory = search.emitter.tell(memory, batch)
    return state._replace(key=key, memory=memory, generation=state.generation + 1, evaluations=evaluations), batch


def run(search: Search, state: State, until: int) -> Iterator[tuple[State, Batch]]:
    """Yields generations until there are ``until`` evaluations; nothing is refitted in it.

    It owns its state: assigning ``state`` inside its body changes nothing.

    Args:
        search: the recipe.
        state: of ``start``, of a refit or of another run; it is spent.
        until: evaluations in all, those of ``state`` included; the last generation is done whole and may go beyond.

    Yields:
        The state after each generation, and the generation's batch.

    Raises:
        UserError: the emitter proposed no solutions.
    """
    while state.evaluations < until:
        state, batch = step(search, state)
        yield state, batch


def refit(search: Search, state: State) -> State:
    """Fits the descriptor, describes again what is stored, and refills the archive; losers go to the reserve.

    Args:
        search: the recipe.
        state: it is spent.

    Returns:
        The state with new params, archive, memory and reserve; its evaluations include those that the fit made.

    Raises:
        UserError: the descriptor cannot be traced though it says pure, its measures misfit its bounds, or none are finite.
    """
    with naming_component(search, lambda: in_generation(state.generation)):
        return _refit(search, state)


def _refit(search: Search, state: State) -> State:
    key, fit_key = keys.split(state.key, 2)
    counter = _Counter(state.evaluations)
    rows = _by_age([HostElites(state.archive).rows(), state.reserve.rows])
    lessons = _by_age([rows, *_recall(search, state)])
    params = search.descriptor.fit(fit_key, state.params, lessons, _fresh(search, counter))
    measures, _ = checks.describe(search.descriptor, params, rows.features)
    outcomes.not_all_lost(search.descriptor, measures)
    state.archive.clear()
    archives.insert(state.archive, rows.ids, rows.solutions, rows.objective, measures, rows.features)
    archives.restart_thresholds(state.archive)
    memory = abilities.of_emitter(search.emitter).redescribe(state.memory, _Describe(search.descriptor, params))
    reserve = _reserve(search, state, rows)
    return state._replace(key=key, params=params, memory=memory, reserve=reserve, evaluations=counter.evaluations)


class _Describe(NamedTuple):
    """What an emitter is handed after a refit: the new measures of stored features, and the new signals."""

    descriptor: Descriptor
    params: Params

    def __call__(self, features: Features) -> np.ndarray:
        return programs.describe(self.descriptor, self.params, features)[0]

    def signals(self, features: Features) -> Features:
        return programs.describe(self.descriptor, self.params, features)[1]


class _Counter:
    def __init__(self, evaluations: int) -> None:
        self.evaluations = evaluations

    def take(self, n: int) -> np.ndarray:
        self.evaluations += n
        return np.arange(self.evaluations - n, self.evaluations)


def _fresh(search: Search, counter: _Counter) -> Fresh:
    def fresh(key: Array, n: int) -> Rows:
        sample_key, evaluate_key = keys.split(keys.to_host(key))
        solutions = search.domain.sample(sample_key, n)
        checks.sampled(search.domain, solutions, n)
        solutions = _as_batch(solutions)
        evaluation = programs.evaluate(search.domain, programs.feature_names(search), evaluate_key, solutions)
        return Rows(counter.take(n), solutions, *evaluation, np.isfinite(evaluation.objective))

    return fresh


def insert(state: State, offspring: Offspring, result: programs.Results) -> Batch:
    """Offers evaluated offspring to the archive, which changes; the ids follow the state's evaluations.

    Args:
        state: before this batch.
        offspring: B solutions.
        result: of them, evaluated and described.

    Returns:
        The batch.
    """
    solutions, n = _as_batch(offspring.solutions), len(offspring.solutions)
    ids = np.arange(state.evaluations, state.evaluations + n)
    evaluation, measures = result.evaluation, result.measures
    names = HostElites(state.archive).features  # the emitter may want more, which no archive stores
    stored = {name: column for name, column in evaluation.features.items() if name in names}
    insertion = archives.insert(state.archive, ids, solutions, evaluation.objective, measures, stored)
    return Batch(
        first=state.generation,
        ids=ids,
        parents=np.zeros((n, 0), np.int64) if offspring.parents is None else offspring.parents,
        solutions=solutions,
        evaluation=evaluation,
        measures=measures,
        signals=result.signals,
        jacobian=result.jacobian,
        **insertion,
    )


def _recall(search: Search, state: State) -> list[Rows]:
    rows = abilities.of_emitter(search.emitter).recall(state.memory)
    return [] if rows is None else [_finite(rows)]


def _by_age(several: list[Rows]) -> Rows:
    """Joins rows, each id once, the oldest first: of equals the oldest keeps its cell."""
    ids = np.concatenate([rows.ids for rows in several])
    _, order = np.unique(ids, return_index=True)
    return _take(several[0], several, order)


def _take(like: Rows, several: list[Rows], order: np.ndarray) -> Rows:
    features = {name: np.concatenate([rows.features[name] for rows in several])[order] for name in like.features}
    columns = zip(*(rows[:3] for rows in several), strict=True)
    ids, solutions, objective = (np.concatenate(column)[order] for column in columns)
    return Rows(ids, solutions, objective, features, np.ones(len(order), bool))


def _finite(rows: Rows) -> Rows:
    return _take(rows, [rows], np.flatnonzero(np.isfinite(rows.objective) & np.asarray(rows.valid)))


def _empty_reserve(rows: Rows) -> Reserve:
    return Reserve(_take(rows, [rows], np.arange(0)), 0)


def _reserve(search: Search, state: State, rows: Rows) -> Reserve:
    (elite_ids,) = HostElites(state.archive).take(np.arange(len(state.archive)), "id")
    losers = np.flatnonzero(~np.isin(rows.ids, elite_ids))
    room = archives.capacity(state.archive) if search.reserve is None else search.reserve
    best = losers[np.argsort(-rows.objective[losers], kind="stable")[:room]]
    n_dropped = state.reserve.n_dropped + len(losers) - len(best)
    return Reserve(_take(rows, [rows], np.sort(best)), n_dropped)


def _as_batch(solutions: Array) -> np.ndarray:
    return archives.objects(solutions) if isinstance(solutions, list) else np.asarray(solutions)
