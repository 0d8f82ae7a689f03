"""How long a recipe takes: evaluations a second once its programs are compiled, and the compilation apart."""

import time
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np

from qd import keys, search
from qd.search import start
from qd.store.compile_time import compile_clock
from qd.types import Array, Search

_REPEATS = 3  # stretches that are timed
_SHORT = 0.2  # seconds: of a shorter stretch the work around it would be a large part
_GROWTH = 4  # a stretch that was too short is made longer by this factor
_WARM_UP = 2  # generations on the host that may compile
_SECONDS = 10.0  # of timing, after which one stretch has to do
_MARGIN = 1.5  # a busy machine, a fuller archive, what a run records: each end of the range is moved by this factor
_RECORDING = 4.0  # seconds at most of generation 0, checkpoints and files: 1.2 to 4.3 for the arm on a busy machine


class Timing(NamedTuple):
    rates: tuple[float, ...]  # evaluations a second of stretches of search, without compilation
    compile_s: float  # seconds of compilation in this process

    def seconds(self, evaluations: int) -> tuple[float, float]:
        """Returns the range of seconds that a run of so many evaluations takes besides compilation."""
        return evaluations / max(self.rates) / _MARGIN, evaluations / min(self.rates) * _MARGIN + _RECORDING


class Stopwatch:
    """Seconds since it was made, those of compilation apart."""

    def __init__(self) -> None:
        self._began, self._compiled = time.perf_counter(), compile_clock().seconds

    @property
    def compile_s(self) -> float:
        """Seconds of compilation."""
        return compile_clock().seconds - self._compiled

    @property
    def work_s(self) -> float:
        """All other seconds."""
        return max(time.perf_counter() - self._began - self.compile_s, 1e-9)


def of_driver(run: Callable[[Search, Any, int], Any], recipe: Search, initial: Array) -> Timing:
    """Times a recipe with an archive of its own.

    Args:
        run: the driver, (search, state, until) -> iterator of (state, batch).
        recipe: what is run.
        initial: [B, ...] solutions to start from.

    Returns:
        Rates of three stretches of 0.2 seconds or more, or of as many as 10 seconds allow, at least one.
    """
    whole = Stopwatch()
    state, batch = start(recipe, keys.new(2), initial)
    length, rates, rough = len(batch.ids), [], 0.0
    while len(rates) < _REPEATS and (whole.work_s < _SECONDS or not (rates or rough)):
        watch, before = Stopwatch(), state.evaluations
        for state, _ in run(recipe, state, before + length):
            pass
        rough = (state.evaluations - before) / watch.work_s
        if watch.work_s < _SHORT:
            length *= _GROWTH
        elif not watch.compile_s:
            rates.append(rough)
    return Timing(tuple(rates) or (rough,), whole.compile_s)


def of_generations(rows: list[int], watches: list[tuple[float, float]]) -> Timing:
    """Times a recipe by generations that ran on the host.

    Args:
        rows: [G] of each generation, G >= 1.
        watches: [G] seconds of work and of compilation in each.

    Returns:
        The lower and the upper quartile of their rates. Where there are more, the first two do not count: what they take beyond
        the others is compilation too, by Numba for the strategies of pyribs.
    """
    counts, work = np.array(rows), np.array([seconds for seconds, _ in watches])
    first = _WARM_UP if len(rows) > _WARM_UP else 0
    low, high = np.quantile(counts[first:] / work[first:], (0.25, 0.75))
    beyond = np.maximum(work[:first] - counts[:first] / low, 0)
    return Timing((float(low), float(high)), float(beyond.sum()) + sum(compilation for _, compilation in watches))


def is_host(run: Any) -> bool:
    """Whether a driver is the loop on the host, of which each generation can be timed by itself."""
    return run is search.run
