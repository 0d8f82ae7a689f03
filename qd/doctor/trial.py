"""A dry run: a small sample and a short search of a recipe, on which the probes of `qd doctor` look. Nothing is written.

B batch, R rows of all batches, M measures.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import jax
import numpy as np

from qd import abilities, archives, checks, keys, programs
from qd.config.settings import RunSettings
from qd.doctor import timing
from qd.doctor.timing import Stopwatch, Timing
from qd.driver import Driver
from qd.search import start, step
from qd.store import archive_file
from qd.support import error_notes
from qd.support.errors import UserError
from qd.types import Array, Batch, Evaluation, Search, State

SEEDS, SECONDS = 500, 20.0  # at most: initial solutions, and seconds of search
_KEY = 1  # of the evaluations that are compared
RAISED = (
    ValueError, TypeError, ArithmeticError, LookupError, AttributeError, NameError, ImportError, RuntimeError, OSError,
    AssertionError
)  # fmt: skip


class Finding(NamedTuple):
    """A fault."""

    name: str
    problem: str
    fix: str  # what to type


@dataclass
class Trial:
    """What a recipe did; where a fault kept it from going on, what comes later is None or empty."""

    settings: RunSettings
    search: Search
    driver: Driver
    seeds: Array  # the initial population
    repeat: tuple[Array, ...] = ()  # objective and features of a second evaluation by the same keys
    evaluation: Evaluation | None = None
    plain: Evaluation | None = None  # of a pure domain: not compiled
    state: State | None = None
    batches: list[Batch] = field(default_factory=list)
    compile_s: float = 0.0  # seconds of compilation that a run has too
    timing: Timing | None = None

    @property
    def batch_size(self) -> float | None:
        """Rows of a generation, on average."""
        return float(np.mean([len(batch.ids) for batch in self.batches[1:]])) if self.batches[1:] else None

    def valid(self) -> np.ndarray:
        """Returns which rows did not fail, [R]."""
        return np.concatenate([batch.status >= 0 for batch in self.batches])

    def measures(self) -> np.ndarray:
        """Returns measures of all rows that did not fail."""
        return np.concatenate([np.asarray(batch.measures, float) for batch in self.batches])[self.valid()]

    def objective(self) -> np.ndarray:
        """Returns objectives of all rows that did not fail."""
        return np.concatenate([np.asarray(batch.evaluation.objective, float) for batch in self.batches])[self.valid()]

    def nearby(self, count: int, scale: float) -> Iterator[Evaluation]:
        """Evaluates solutions near the initial ones, by the same keys; none where solutions are not of real numbers.

        Args:
            count: evaluations of the whole population.
            scale: standard deviation of the change of each gene, as a share of its largest absolute value.
        """
        solutions = np.asarray(self.seeds)
        names, key = programs.feature_names(self.search), keys.new(_KEY)
        for number in range(count if solutions.dtype.kind == "f" else 0):
            change = np.asarray(keys.normal(keys.new(number), solutions.shape)) * np.abs(solutions).max(axis=0)
            neighbours = (solutions + scale * change).astype(solutions.dtype)
            yield programs.evaluate(self.search.domain, names, key, neighbours)


def try_out(trial: Trial, samples: int) -> Finding | None:
    """Lets a recipe run for about so many evaluations, and returns the fault that kept it from going on.

    Args:
        trial: of a search and its seeds; what the recipe did is kept in it.
        samples: evaluations after which the search stops, or the budget, whichever is less, but not before six
            generations of a pure domain and four of others; it also stops after 20 seconds, once there is half of these.

    Returns:
        The fault, from an error of RAISED; None where none was raised, also where no seed can enter the archive and nothing
        is searched.
    """
    try:
        _evaluate(trial)
        if trial.evaluation is not None and np.isfinite(trial.evaluation.objective).any() and _passes(trial):
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
    *_, line = ["", *error_notes.lines(error.__traceback__)]
    where = f"\n  {line}" if line else ""
    fix = "a correction of that line, or QD_TRACEBACK=1 qd run ... for the whole traceback"
    return Finding("raises", f"{type(error).__name__}: {error}{where}", fix if line else fix.partition(", or ")[2])


def _evaluate(trial: Trial) -> None:
    """Evaluates the seeds twice by the same key, and once uncompiled where the domain is pure."""
    domain, names = trial.search.domain, programs.feature_names(trial.search)
    key = keys.new(_KEY)
    checks.rehearse(trial.search, key, trial.seeds)
    watch = Stopwatch()
    trial.evaluation = programs.evaluate(domain, names, key, trial.seeds)
    trial.compile_s += watch.compile_s
    if domain.pure:
        trial.plain, repeat = (_evaluate_plainly(domain, names, key, trial.seeds) for _ in range(2))
    else:
        repeat = programs.evaluate(domain, names, key, trial.seeds)
    trial.repeat = (repeat.objective, *(repeat.features[name] for name in names))


def _evaluate_plainly(domain: Any, names: tuple[str, ...], key: np.ndarray, solutions: Array) -> Evaluation:
    each = jax.random.split(jax.random.wrap_key_data(jax.numpy.asarray(key)), len(solutions))
    evaluation = programs.with_one_objective(domain, domain.evaluate(each, jax.numpy.asarray(solutions)))
    features = {name: np.asarray(evaluation.features[name]) for name in names}
    return Evaluation(np.asarray(evaluation.objective), features)


def _passes(trial: Trial) -> bool:
    """Whether any seed can enter the archive."""
    threshold = abilities.of_archive(trial.search.archive).threshold_min
    return threshold is None or bool(np.nanmax(trial.evaluation.objective) > threshold)  # type: ignore[union-attr]


def _search(trial: Trial, samples: int) -> None:
    whole, rows, watches = Stopwatch(), [], []
    trial.state, batch = start(trial.search, keys.new(0), trial.seeds)
    trial.batches.append(batch)
    trial.compile_s += whole.compile_s
    least = 3 if trial.search.domain.pure else 2  # where two may compile, a third
    while trial.state.evaluations < min(samples, trial.settings.budget) or len(rows) < 2 * least:
        watch = Stopwatch()
        trial.state, batch = step(trial.search, trial.state)
        trial.batches.append(batch)
        rows.append(len(batch.ids))
        watches.append((watch.work_s, watch.compile_s))
        if whole.work_s > SECONDS and len(rows) >= least:
            break
    on_host = timing.is_host(trial.driver)
    once = timing.of_generations(rows, watches) if on_host else timing.of_driver(trial.driver, trial.search, trial.seeds)
    trial.timing = once._replace(compile_s=once.compile_s + trial.compile_s)


def archive_bytes(archive: Any) -> int:
    """Returns how large the archive is when it is full."""
    columns = archive_file.columns(archive)
    return sum(column.nbytes for column in columns.values()) * archives.capacity(archive) // max(len(columns["id"]), 1)
