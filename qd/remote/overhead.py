"""What workers cost beside the evaluation itself, and from which duration of an evaluation on they pay."""

import time
from dataclasses import dataclass, replace
from typing import Any, NamedTuple

import numpy as np

from qd import keys
from qd.remote.domain import Remote
from qd.types import Array, Evaluation

_CHUNKS = 50  # for each worker, that are timed


class Overhead(NamedTuple):
    """Of one domain and its workers."""

    workers: int
    each: float  # seconds that an evaluation takes in a worker; NaN: none was evaluated
    cost: float  # seconds of work that the workers add to an evaluation

    @property
    def pays_from(self) -> float:
        """Seconds an evaluation, from which on the workers are faster than this process; infinite for one worker."""
        return self.cost * self.workers / (self.workers - 1) if self.workers > 1 else float("inf")

    @property
    def pays(self) -> bool:
        """Whether the workers are faster than this process; also where there is only one, which is no question of speed."""
        return self.workers < 2 or not self.each < self.pays_from

    def __str__(self) -> str:
        milliseconds = f"workers: {1e3 * self.cost:.2f} ms beside each evaluation, by {self.workers} of them"
        pays = (
            "one worker is never faster than this process"
            if self.workers < 2
            else f"they pay from {1e3 * self.pays_from:.2f} ms on"
        )
        return f"{milliseconds}; {pays}; an evaluation here takes {1e3 * self.each:.3g} ms"


def measure(domain: Remote, solutions: Array, evaluation: Evaluation) -> Overhead:
    """Measures the overhead with evaluations that take no time, by other workers of the same settings.

    Args:
        domain: what is evaluated, and how.
        solutions: [B, ...] that are sent.
        evaluation: [B] of these, for the shapes of what comes back.

    Returns:
        The overhead; its seconds an evaluation are those of all that the domain's workers have done so far.
    """
    features = tuple((name, column.shape[1:], column.dtype.str) for name, column in evaluation.features.items())
    work = domain.dispatcher.workload
    workers = max(domain.dispatcher.status().alive, 1)
    each = work.busy / work.evaluations if work.evaluations else float("nan")
    rows = domain.chunk * workers * _CHUNKS
    batch = np.asarray(solutions)[np.arange(rows) % len(solutions)]
    with replace(domain, domain=Echo(features), journal=None) as echo:
        echo.evaluate(keys.split(keys.new(0), len(batch)), batch)  # all workers have started
        began = time.perf_counter()
        echo.evaluate(keys.split(keys.new(1), len(batch)), batch)
        cost = (time.perf_counter() - began) / rows
    return Overhead(workers, each, cost)


def of(domain: Any, solutions: Array, evaluation: Evaluation | None) -> Overhead | None:
    """Measures a domain that is evaluated by workers; None for any other, or where nothing was evaluated.

    Args:
        domain: of a search.
        solutions: [B, ...].
        evaluation: of these; None: there is none.
    """
    return measure(domain, solutions, evaluation) if isinstance(domain, Remote) and evaluation is not None else None


@dataclass(frozen=True)
class Echo:
    """Answers zeros at once, features in the shapes of another domain."""

    features: tuple[tuple[str, tuple[int, ...], str], ...]  # name, shape of a row, dtype
    pure: bool = False

    def sample(self, key: Array, n: int) -> Array:
        """Returns solutions [n, 1], all zeros; arguments as in ``Domain``."""
        return np.zeros((n, 1), np.float32)

    def evaluate(self, keys: Array, solutions: Array) -> Evaluation:
        """Returns objective [B] and features, name -> [B, ...], all zeros; arguments as in ``Domain``."""
        n = len(solutions)
        return Evaluation(np.zeros(n, np.float32), {name: np.zeros((n, *shape), dtype) for name, shape, dtype in self.features})
