"""A domain that wraps a domain: its solutions are evaluated by workers, in chunks of a size that is recorded.

    with Pool(MyDomain(), workers=4) as domain:
        search = Search(domain, descriptor, archive, emitter)

B batch.
"""

from dataclasses import dataclass, field, fields, replace
from functools import cached_property
from typing import Any

import numpy as np

from qd import abilities
from qd.remote.dispatch import Dispatcher
from qd.remote.tasks import EngineSettings
from qd.support.errors import UserError
from qd.types import Array, Domain, Evaluation


@dataclass(frozen=True)
class Remote:
    """A domain that is evaluated by an engine of workers; whatever else the domain can do, it does in this process."""

    domain: Domain
    engine: EngineSettings = field(metadata={"decides": False})  # it changes no result: a run may go on with another
    chunk: int = 1  # solutions that a worker gets at a time
    retries: int = 1  # more tries of an evaluation that failed
    patience: float = 300.0  # seconds to wait for a worker where there is none
    journal: str | None = field(default=None, compare=False, repr=False)  # the folder of a run, where results are recorded
    pure: bool = False

    def __post_init__(self) -> None:
        if abilities.of_domain(self.domain).external:
            raise UserError(
                f"{type(self.domain).__name__} is evaluated by another program, not by workers",
                "leave out workers and remote; or write a domain that calls a program: qd new NAME --program",
            )
        for name, least in (("chunk", 1), ("retries", 0), ("patience", 0)):
            if not getattr(self, name) >= least:
                raise UserError(f"remote.{name}={getattr(self, name)} is too small", f"type remote.{name}={least} or more")

    @cached_property
    def dispatcher(self) -> Dispatcher:
        """The workers, which are started at the first evaluation."""
        return Dispatcher(self.engine, self.domain, self.retries, self.patience, self.journal)

    @cached_property
    def held_out(self) -> "Remote | None":
        """The held-out twin, evaluated by workers of its own."""
        twin = abilities.of_domain(self.domain).held_out
        return None if twin is None else replace(self, domain=twin, journal=None)

    def sample(self, key: Array, n: int) -> Array:
        """Returns n solutions, made in this process; arguments as in ``Domain``."""
        return self.domain.sample(key, n)

    def evaluate(self, keys: Array, solutions: Array) -> Evaluation:
        """Evaluates by the workers.

        Args:
            keys: uint32 [B, 2].
            solutions: [B, ...].

        Returns:
            Objective [B], NaN where a solution failed, and features, name -> [B, ...].
        """
        return self.dispatcher.evaluate(keys, _as_array(solutions), self.chunk)

    def report(self) -> list[dict[str, Any]]:
        """Returns what the workers did, one row; none where they were not needed."""
        work, status = self.dispatcher.workload, self.dispatcher.status()
        if not work.evaluations:
            return []
        idle, reasons = work.idle(status.alive), dict(sorted(work.reasons.items()))
        row = {"workers": status.alive, "lost": status.lost, "failed": sum(reasons.values())}
        return [row | reasons | {"retried": work.retries, "idle": f"{100 * idle:.0f} %"}]

    def close(self) -> None:
        """Ends the workers."""
        for name in ("dispatcher", "held_out"):
            if (part := vars(self).get(name)) is not None:
                part.close()

    def __enter__(self) -> "Remote":
        return self

    def __exit__(self, *error: object) -> None:
        self.close()

    def __getattr__(self, ability: str) -> Any:
        if ability.startswith("__") or ability == "domain":  # of pickle and copy
            raise AttributeError(ability)
        return getattr(self.domain, ability)

    def __reduce__(self) -> tuple:
        return Remote, tuple(getattr(self, each.name) for each in fields(self))  # without its workers


def _as_array(solutions: Array) -> np.ndarray:
    """Packs a list of Python objects into an object array [B], as qd.archives.objects does, which a worker need not import."""
    if not isinstance(solutions, list):
        return np.asarray(solutions)
    packed = np.empty(len(solutions), dtype=object)
    for i, solution in enumerate(solutions):
        packed[i] = solution
    return packed
