"""Which driver runs a search: whole generations compiled where every component is pure, else the loop on the host.

    for state, batch in run(search, state, until=50_000): ...

Both have the signature of qd.search.run; they agree in distribution, not in bits, and each repeats itself bit for bit.
"""

from collections.abc import Callable, Iterator

from qd import fused
from qd.remote import steady
from qd.search import run as run_on_host
from qd.support.errors import UserError
from qd.support.spelling import unknown
from qd.types import Batch, Search, State

Driver = Callable[[Search, State, int], Iterator[tuple[State, Batch]]]


class Generations(Iterator[tuple[State, Batch]]):
    """Yields (state, batch) as the generations of a search are done; it remembers the search and where it ends."""

    def __init__(self, search: Search, state: State, until: int, every: int) -> None:
        self.search, self.until = search, until
        self._steps = _segments(search, state, until, every)

    def __next__(self) -> tuple[State, Batch]:
        return next(self._steps)


def run(search: Search, state: State, until: int, every: int = 10_000) -> Generations:
    """Runs generations until there are ``until`` evaluations, by the fastest driver that fits; nothing is refitted in it.

    Args:
        search: the recipe.
        state: of ``start``, of a refit or of another run; it is spent, and assigning ``state`` in the loop changes nothing.
        until: evaluations in all, those of ``state`` included.
        every: evaluations after which a batch ends at the latest, where generations are compiled together: how often the
            body of your loop runs. It changes no elite.

    Returns:
        An iterator of (state, batch). A batch is one generation, or many of them in order where all components are pure. The
        archive is the same, bit for bit, as that of `qd run` with the same seed.

    Raises:
        UserError: a component breaks its protocol, or memory cannot hold the archive.
    """
    return Generations(search, state, until, every)


def choose(search: Search, name: str = "auto", order: str | None = None) -> Driver:
    """Returns the driver of that name (auto, host, fused, steady).

    Args:
        search: the recipe.
        name: host; fused; steady: workers that do not wait for each other; or auto: fused where it can run these components,
            else host.
        order: of steady, a run of which the order is repeated.

    Returns:
        A function (search, state, until) -> iterator of (state, batch).

    Raises:
        UserError: an unknown driver, or one that cannot run these components.
    """
    if name not in ("auto", "host", "fused", "steady"):
        raise unknown("driver", name, ("auto", "fused", "host", "steady"))
    if name == "steady":
        steady.check(search)
        return steady.Steady(order)
    if name == "host":
        return run_on_host
    why = fused.applies(search)
    if why is not None and name == "fused":
        raise UserError(f"driver=fused cannot run this search: {why}", "type driver=auto or driver=host")
    return fused.run if why is None else run_on_host


def _segments(search: Search, state: State, until: int, every: int) -> Iterator[tuple[State, Batch]]:
    driver = choose(search)
    while state.evaluations < until:
        end = min(until, (state.evaluations // every + 1) * every)
        for state, batch in driver(search, state, end):
            yield state, batch
