"""The steady-state driver: as soon as a chunk is back it enters the archive, and the emitter makes the next.

Generations wait for their slowest evaluation; this driver does not, so that workers stay busy where durations vary. Each ask
is a generation of its own. The order in which asks come back depends on the clock: it is recorded, and a run that goes on, or
that repeats the order of another, ends with the same archive. b rows of an ask.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np

from qd import abilities, checks, keys, programs
from qd.archives import HostElites, objects
from qd.remote.dispatch import ChunkResult, Dispatcher
from qd.remote.order import Order
from qd.remote.tasks import RowFailure
from qd.search import insert
from qd.support.error_notes import in_generation, naming_component
from qd.support.errors import UserError
from qd.types import Array, Batch, Emitter, Offspring, Search, State

_AHEAD = 4  # one more ask under way for so many workers, so that none waits for the driver


class Ask(NamedTuple):
    """Offspring that are under way."""

    number: int
    keys: Array  # uint32 [b, 2]
    offspring: Offspring


@dataclass(frozen=True)
class Steady:
    """The driver, with the signature of qd.search.run."""

    order: str | None = None  # a run, the order of which is repeated; None: as evaluations come back

    def __call__(self, search: Search, state: State, until: int) -> Iterator[tuple[State, Batch]]:
        """Yields an ask at a time until there are ``until`` evaluations; what is under way then stays so.

        Args:
            search: the recipe; its domain is evaluated by workers.
            state: of ``start``, of a refit or of another run; it is spent.
            until: evaluations in all, those of ``state`` included.

        Yields:
            The state after each ask that came back, and its batch of b rows.

        Raises:
            UserError: the emitter cannot ask before its last tell, or the domain has no workers.
        """
        emitter, dispatcher = _emitter(search), _dispatcher(search)
        size = search.domain.chunk  # type: ignore[attr-defined]
        order = dispatcher.order = dispatcher.order or Order.open(search.domain.journal, self.order)  # type: ignore[attr-defined]
        search = search._replace(emitter=emitter)
        for ask in state.pending:
            _submit(dispatcher, ask, size)
        while state.evaluations < until:
            entry = order.at(state.generation - 1)
            state = _top_up(search, state, entry.before if entry else _target(dispatcher, state, size))
            before = len(state.pending)
            number, results = _take(dispatcher, state, entry.ask if entry else None)
            order.add(state.generation - 1, number, before)
            state, batch = _conclude(search, state, number, results)
            yield state, batch


def check(search: Search) -> None:
    """Raises UserError where this driver cannot run a search."""
    _dispatcher(search)
    _emitter(search)


def _emitter(search: Search) -> Emitter:
    """Returns the emitter with asks of one chunk."""
    steady = abilities.of_emitter(search.emitter).steady
    emitter = steady(search.domain.chunk) if steady else None  # type: ignore[attr-defined]
    if emitter is None:
        raise UserError(
            f"driver=steady wants new solutions before the results of the last ones, which {_name(search.emitter)} cannot "
            "make: it learns from each batch before the next",
            "type emitter=isoline or emitter=gaussian, or driver=host",
        )
    return emitter


def _name(emitter: Any) -> str:
    """The class of an emitter, and which of pyribs' it hosts."""
    hosted = abilities.of_emitter(emitter).hosted
    return f"{type(emitter).__name__}({hosted})" if hosted else type(emitter).__name__


def _dispatcher(search: Search) -> Dispatcher:
    dispatcher = abilities.of_domain(search.domain).dispatcher
    if dispatcher is None:
        raise UserError("driver=steady keeps workers busy, and there are none", "type workers=4 too, or remote=dask")
    return dispatcher


def _target(dispatcher: Dispatcher, state: State, size: int) -> int:
    """How many asks keep all workers busy."""
    capacity = max(dispatcher.status().alive, dispatcher.settings.capacity)
    rows = len(state.pending[0].offspring.solutions) if state.pending else size
    chunks = -(-rows // size)
    return max(1, -(-(capacity + max(1, capacity // _AHEAD)) // chunks))


def _top_up(search: Search, state: State, target: int) -> State:
    """Asks until so many asks are under way."""
    while len(state.pending) < target:
        state = _ask(search, state)
    return state


def _ask(search: Search, state: State) -> State:
    """Asks once, and sends the offspring."""
    number = state.generation - 1 + len(state.pending)
    key, ask_key, evaluate_key = keys.split(state.key, 3)
    with naming_component(search, lambda: in_generation(state.generation)):
        memory, offspring = search.emitter.ask(ask_key, state.memory, HostElites(state.archive))
        checks.offspring(search.emitter, offspring)
    solutions = offspring.solutions
    solutions = objects(solutions) if isinstance(solutions, list) else np.asarray(solutions)
    ask = Ask(number, keys.split(evaluate_key, len(solutions)), offspring._replace(solutions=solutions))
    _submit(_dispatcher(search), ask, search.domain.chunk)  # type: ignore[attr-defined]
    return state._replace(key=key, memory=memory, pending=(*state.pending, ask))


def _submit(dispatcher: Dispatcher, ask: Ask, size: int) -> None:
    """Sends an ask in chunks; one that is on its way already stays so."""
    if ask.number not in dispatcher.asks:
        rows = [slice(start, start + size) for start in range(0, len(ask.keys), size)]
        solutions = ask.offspring.solutions
        dispatcher.asks[ask.number] = [dispatcher.submit(ask.keys[each], solutions[each]) for each in rows]


def _take(dispatcher: Dispatcher, state: State, number: int | None) -> tuple[int, list[ChunkResult]]:
    """Waits for an ask, the given one or whichever is back first, and returns its number and its results."""
    asks = [ask.number for ask in state.pending] if number is None else [number]
    number = dispatcher.first(asks)
    return number, [dispatcher.take([ticket])[1] for ticket in dispatcher.asks.pop(number)]


def _conclude(search: Search, state: State, number: int, results: list[ChunkResult]) -> tuple[State, Batch]:
    """Describes an ask's results, offers them to the archive and tells the emitter."""
    offspring = next(ask.offspring for ask in state.pending if ask.number == number)
    dispatcher = _dispatcher(search)
    names = programs.feature_names(search)
    with naming_component(search, lambda: in_generation(state.generation)):
        whole = dispatcher.join(results)
        evaluation = whole._replace(features={name: whole.features[name] for name in names})
        described = programs.describe(search.descriptor, state.params, evaluation.features)
        batch = insert(state, offspring, programs.Results(evaluation, *described))
        memory = search.emitter.tell(state.memory, batch)
    dispatcher.calls.append((len(batch.ids), _failures(results)))
    pending = tuple(ask for ask in state.pending if ask.number != number)
    evaluations = state.evaluations + len(batch.ids)
    return state._replace(memory=memory, pending=pending, generation=state.generation + 1, evaluations=evaluations), batch


def _failures(results: list[ChunkResult]) -> list[RowFailure]:
    starts = np.cumsum([0, *(len(each.solutions) for each in results)])
    pairs = zip(starts, results, strict=False)
    return [failure._replace(row=int(start) + failure.row) for start, each in pairs for failure in each.failures]
