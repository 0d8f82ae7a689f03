"""A dry run: a small sample and a short search of a recipe, kept for the probes of `qd doctor`. Nothing is written.

B batch, R rows of all batches, M measures.
"""

import time
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import jax
import numpy as np

from qd import abilities, archives, checks, keys, programs
from qd.config.settings import RunSettings
from qd.search import start, step
from qd.store import archive_file
from qd.support.errors import UserError
from qd.types import Array, Batch, Evaluation, Search, State

SEEDS, SECONDS = 500, 20.0  # at most: seeds, and seconds of search
RAISED = (
    ValueError, TypeError, ArithmeticError, LookupError, AttributeError, ImportError, RuntimeError, OSError, AssertionError
)  # fmt: skip


class Finding(NamedTuple):
    """A fault."""

    name: str
    seen: str
    instead: str  # what to type


@dataclass
class Trial:
    """What a recipe did; where a fault kept it from going on, what comes later is None or empty."""

    settings: RunSettings
    search: Search
    seeds: Array
    again: tuple[Array, ...] = ()  # the seeds drawn, and evaluated, a second time by the same keys
    said: Evaluation | None = None
    plain: Evaluation | None = None  # of a pure domain: not compiled
    state: State | None = None
    batches: list[Batch] = field(default_factory=list)
    timed: list[tuple[int, float]] = field(default_factory=list)  # rows and seconds of generations that compiled nothing

    @property
    def batch_size(self) -> float | None:
        """Rows of a generation, on average."""
        return float(np.mean([len(batch.ids) for batch in self.batches[1:]])) if self.batches[1:] else None

    @property
    def seconds(self) -> float | None:
        """Of one evaluation, with all that a generation does besides."""
        rows, seconds = np.sum(self.timed, axis=0) if self.timed else (0, 0.0)
        return float(seconds / rows) if rows else None

    def judged(self) -> np.ndarray:
        """Returns which rows did not fail, [R]."""
        return np.concatenate([batch.status >= 0 for batch in self.batches])

    def measures(self) -> np.ndarray:
        """Returns measures of all rows that did not fail."""
        return np.concatenate([np.asarray(batch.measures, float) for batch in self.batches])[self.judged()]

    def objective(self) -> np.ndarray:
        """Returns objectives of all rows that did not fail."""
        return np.concatenate([np.asarray(batch.evaluation.objective, float) for batch in self.batches])[self.judged()]


def try_out(trial: Trial, samples: int) -> Finding | None:
    """Lets a recipe run for about so many evaluations, and returns the fault that kept it from going on.

    Args:
        trial: of a search and its seeds; what the recipe did is kept in it.
        samples: evaluations after which the search stops, or the budget, whichever is less, but not before two
            generations are timed; it also stops after 20 seconds, once one is timed.

    Returns:
        The fault, from an error of RAISED; None where none was raised, also where no seed can enter the archive and nothing
        is searched.
    """
    try:
        _evaluate(trial)
        if trial.said is not None and np.isfinite(trial.said.objective).any() and _passes(trial):
            _search(trial, samples)
    except RAISED as error:
        return fault(error)
    return None


def fault(error: BaseException) -> Finding:
    """Says an error as a finding."""
    if isinstance(error, ImportError) or isinstance(error.__cause__, ImportError):
        causes = [each.name for each in (error, error.__cause__) if isinstance(each, ImportError) and each.name]
        package = [*causes, "it"][0].split(".")[0]
        return Finding("extra", str(error), f"pip install {package}, or the extra that holds it: pip install 'qd-atlas[...]'")
    if isinstance(error, UserError):
        return Finding("recipe", error.problem, error.fix.removeprefix("type ") or "qd run --help lists the choices")
    return Finding("raises", f"{type(error).__name__}: {error}", "the command once more as qd run ..., for the traceback")


def _evaluate(trial: Trial) -> None:
    """Evaluates the seeds twice by the same key, and once uncompiled where the domain is pure."""
    domain, names = trial.search.domain, programs.feature_names(trial.search)
    key = keys.new(1)
    checks.rehearse(trial.search, key, trial.seeds)
    trial.said = programs.evaluate(domain, names, key, trial.seeds)
    if domain.pure:
        trial.plain, again = (_uncompiled(domain, names, key, trial.seeds) for _ in range(2))
    else:
        again = programs.evaluate(domain, names, key, trial.seeds)
    trial.again = (again.objective, *(again.features[name] for name in names))


def _uncompiled(domain: Any, names: tuple[str, ...], key: np.ndarray, solutions: Array) -> Evaluation:
    each = jax.random.split(jax.random.wrap_key_data(jax.numpy.asarray(key)), len(solutions))
    said = domain.evaluate(each, jax.numpy.asarray(solutions))
    return Evaluation(np.asarray(said.objective), {name: np.asarray(said.features[name]) for name in names})


def _passes(trial: Trial) -> bool:
    """Whether any seed can enter the archive."""
    threshold = abilities.of_archive(trial.search.archive).threshold_min
    return threshold is None or bool(np.nanmax(trial.said.objective) > threshold)  # type: ignore[union-attr]


def _search(trial: Trial, samples: int) -> None:
    begun = time.perf_counter()
    trial.state, batch = start(trial.search, keys.new(0), trial.seeds)
    trial.batches.append(batch)
    sizes: set[int] = set()
    while trial.state.evaluations < min(samples, trial.settings.budget) or len(trial.timed) < 2:
        before = time.perf_counter()
        trial.state, batch = step(trial.search, trial.state)
        trial.batches.append(batch)
        if len(batch.ids) in sizes:
            trial.timed.append((len(batch.ids), time.perf_counter() - before))
        sizes.add(len(batch.ids))  # the first of a size compiles
        if time.perf_counter() - begun > SECONDS and trial.timed:
            break


def archive_bytes(archive: Any) -> int:
    """Returns how large the archive is when it is full."""
    columns = archive_file.columns(archive)
    return sum(column.nbytes for column in columns.values()) * archives.capacity(archive) // max(len(columns["id"]), 1)
