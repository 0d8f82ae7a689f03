"""When a descriptor learns again: never, every so often, at given points, or once offspring leave its bounds.

    refit=10000        refit=[10000,25000]        refit=[0.1,0.25,0.5]        refit=outside

Checked between segments and, for the last, where rows of metrics are written: a run that was cut off learns again at
the same places. Shares are of the budget that the run has now.
"""

import math
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from qd import abilities
from qd.config.settings import RunSettings
from qd.config.values import format_value
from qd.outcomes import Why
from qd.store import metrics_file
from qd.support import run_files
from qd.support.errors import TooFewSolutions, UserError


def unused_questions(settings: RunSettings, descriptor: Any) -> tuple[str, str] | None:
    """Returns which questions of a descriptor with ``questions_per_fit`` this run will not ask, and the fix.

    Args:
        settings: its budget [evaluations] and refit set how often the descriptor learns.
        descriptor: any; only one with questions for two fits or more can have too many.

    Returns:
        (problem, fix), or None where all are used, or where refit=outside leaves the number of fits open.
    """
    questions, stops = abilities.of_descriptor(descriptor).questions_per_fit, settings.refit
    if stops == "outside" or len(questions) < 2:
        return None
    in_time = (settings.budget - 1) // stops if isinstance(stops, int) else sum(n < settings.budget for n in points(settings))
    fits = 1 + in_time
    if fits >= len(questions):
        return None
    n = sum(questions[:fits])
    shares = ",".join(f"{(i + 1) / len(questions):.2g}" for i in range(len(questions) - 1))
    more = "refit=[0.1,0.25,0.5]" if len(questions) == 4 else f"refit=[{shares}]"
    return (
        f"only {n} of {sum(questions)} questions are put with refit={stops} and budget={settings.budget}",
        f"type {more}, or descriptor.questions_per_fit=[{sum(questions)}]",
    )


def check_initial(settings: RunSettings, descriptor: Any) -> None:
    """Raises UserError where even an initial population without a failure is too small for the descriptor's first fit.

    Args:
        settings: of the run; where it begins from stored solutions their number is not known here.
        descriptor: any.
    """
    fewest = abilities.of_descriptor(descriptor).fewest
    if settings.source is None and settings.initial < fewest:
        problem = f"initial={settings.initial} is too small: {type(descriptor).__name__} learns from {fewest} solutions or more"
        raise UserError(problem, _larger_initial(settings, 2 * fewest))


def too_few_at_start(settings: RunSettings, error: TooFewSolutions, known: Why) -> UserError:
    """Returns the error of a first fit with what helps this run.

    Args:
        settings: of the run.
        error: of the descriptor.
        known: what the domain knows of the solutions that failed.
    """
    if settings.source is not None:
        return UserError(error.problem, "begin from more solutions (from=...)")
    failed = settings.initial - error.count
    why = f"{failed} of the {settings.initial} initial solutions failed" if failed else ""
    why += f", the first because: {known.reason}" if failed and known.reason else ""
    wanted = math.ceil(1.5 * error.needed * settings.initial / max(1, error.count))  # where as many fail; and half more
    fix = known.fix or _larger_initial(settings, wanted) + (f", or {error.instead}" if error.instead else "")
    return UserError("; ".join(filter(None, (error.problem, why, known.problem))), fix)


def too_few_at_refit(settings: RunSettings, error: TooFewSolutions) -> UserError:
    """Returns the error of a refit with what helps this run.

    Args:
        settings: of the run.
        error: of the descriptor.
    """
    later = "type a larger budget= or a later refit=, so that more solutions that do not fail are found before it"
    when = f"at a refit (refit={format_value(settings.refit)}, budget={settings.budget})"
    return UserError(f"{error.problem} {when}", later + (f", or {error.instead}" if error.instead else ""))


def _larger_initial(settings: RunSettings, initial: int) -> str:
    budget = f" budget={10 * initial}" if settings.budget <= initial else ""
    return f"type initial={initial}{budget}"


@dataclass
class Schedule:
    """Follows rows of metrics, and decides when the descriptor is refitted next."""

    every: int | None = None
    points: tuple[int, ...] = ()
    share: float | None = None  # of offspring outside the bounds since the last refit, over the last ``over`` evaluations
    over: int = 0
    rows: list[tuple[int, int]] = field(default_factory=list)  # (evaluations, outside), counted from the beginning

    def add(self, row: dict[str, Any]) -> None:
        self.rows.append((int(row["evals"]), int(row["outside"])))

    def next(self, after: int) -> int | None:
        """Returns the evaluations at which it learns next, after it did so at ``after``; None for not yet known, or never."""
        if self.every is not None:
            return (after // self.every + 1) * self.every
        if self.share is None:
            return min((point for point in self.points if point > after), default=None)
        now = self.rows[-1] if self.rows else (0, 0)
        before = [row for row in self.rows if after <= row[0] <= now[0] - self.over]
        if not before or now[1] - before[-1][1] <= self.share * (now[0] - before[-1][0]):
            return None
        return now[0]


def points(settings: RunSettings) -> list[int]:
    """Returns the evaluations at which a list schedules a refit, in order; none for another schedule."""
    stops = settings.refit
    if not isinstance(stops, list):
        return []
    return sorted(stop if isinstance(stop, int) else max(1, round(stop * settings.budget)) for stop in stops)


def open_schedule(settings: RunSettings, run: Path) -> Schedule:
    """Returns the schedule of a run that begins or goes on.

    Args:
        settings: of the run.
        run: its folder; for refit=outside the rows of its metrics.csv are read.

    Raises:
        UserError: metrics.csv is damaged.
    """
    stops = settings.refit
    if isinstance(stops, int):
        return Schedule(every=stops)
    if stops != "outside":
        return Schedule(points=tuple(points(settings)))
    schedule = Schedule(share=settings.outside.share, over=settings.outside.over)
    table = metrics_file.metrics(run / run_files.METRICS)
    if table:
        schedule.rows += [(int(n), int(out)) for n, out in zip(table["evals"], table["outside"], strict=True)]
    return schedule
