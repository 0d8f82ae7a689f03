"""What is checked once solutions are evaluated: that a search has something to go on from.

Each message names the value, the reason and the fix. N rows, K objectives.
"""

from textwrap import shorten
from typing import Any, NamedTuple

import numpy as np

from qd import abilities
from qd.support.errors import UserError
from qd.types import OBJECTIVES, Array, Batch, Descriptor, Domain, Evaluation


class Why(NamedTuple):
    """What a domain knows of failures."""

    reason: str  # why the first solution failed that did; empty where it does not know
    problem: str = ""  # what is wrong in general; empty where it does not know
    fix: str = ""  # what to type


def why_failed(domain: Domain, solutions: Array) -> Why:
    """Returns what a domain knows of solutions that failed.

    Args:
        domain: that evaluated them.
        solutions: [B, ...].
    """
    known = abilities.of_domain(domain)
    reason = next(filter(None, known.reasons(solutions)), "") if known.reasons else ""
    return Why(shorten(reason, 200, placeholder=" ..."), *(known.advice() if known.advice else ()))


def not_all_failed(domain: Domain, solutions: Array, evaluation: Evaluation) -> None:
    """Raises UserError where every initial solution failed; it says why, and what helps, where the domain knows.

    Args:
        domain: that evaluated them.
        solutions: [B, ...].
        evaluation: of generation 0; of several objectives with all of them where the archive stores them.
    """
    objective, goals = _columns(evaluation)
    if np.isfinite(objective).any():
        return
    why = why_failed(domain, solutions)
    if why.reason:
        what = "; ".join(filter(None, (f"the first because: {why.reason}", why.problem)))
    elif goals is None:
        what = f"every objective is NaN or infinite (the first is {objective[0]})"
    else:
        never = np.flatnonzero(~np.isfinite(goals).any(axis=0)).tolist()
        which = f"number {' and '.join(map(str, never))}, counted from 0, is so in all" if never else "each row has one"
        what = f"an objective is NaN or infinite ({which}; the first row is {goals[0].tolist()})"
    fix = why.fix or "call domain.evaluate on a few by hand, or sample from a smaller space"
    raise UserError(f"all {len(objective)} solutions of generation 0 failed{', ' if why.reason else ': '}{what}", fix)


def above_reference(domain: Domain, evaluation: Evaluation) -> None:
    """Raises UserError where no initial solution is above the lows of all objectives: no hypervolume would ever be seen.

    Args:
        domain: its ranges begin with the reference point.
        evaluation: of generation 0.
    """
    ranges, own, goals = abilities.of_domain(domain).objective_ranges, *_columns(evaluation)
    if ranges is None:
        return
    reference = tuple(float(low) for low, _ in ranges)
    if (np.nan_to_num(own) > 0).any() if goals is None else (goals > np.array(reference)).all(axis=1).any():
        return
    seen = "" if goals is None else f": their best objectives, each by itself, are {_best(goals)}"
    raise UserError(
        f"the reference point {reference} is above all {len(own)} rows of generation 0{seen}",
        "type a lower first number in each pair of the domain's objective_range",
    )


def not_empty(archive: Any, batch: Batch) -> None:
    """Raises UserError where no initial solution entered the archive: an emitter would have no parents.

    Args:
        archive: the opened archive, after generation 0.
        batch: generation 0.

    Raises:
        UserError: the archive is empty; tells whether all measures failed or no objective reached ``threshold_min``.
    """
    if len(archive) == 0:
        if (batch.status < 0).all():
            raise UserError(
                f"all {len(batch.ids)} solutions of generation 0 failed: their measures are not finite",
                "correct the descriptor",
            )
        best = np.nanmax(batch.evaluation.objective)
        raise UserError(
            f"no initial solution entered the archive: the best objective is {best:g}, and threshold_min is "
            f"{float(archive.threshold_min):g}",
            "type a lower archive.threshold_min",
        )


def not_all_lost(descriptor: Descriptor, measures: np.ndarray) -> None:
    """Raises UserError where a refit would leave no elite; nothing is spent yet.

    Args:
        descriptor: named in the message.
        measures: [N, M] the new ones.

    Raises:
        UserError: no row of the measures is finite.
    """
    if not np.isfinite(measures).all(axis=1).any():
        raise UserError(
            f"after the refit none of {len(measures)} elites has finite measures; {type(descriptor).__name__} has diverged: "
            "go on from the last checkpoint with a smaller learning rate, or refit later"
        )


def _columns(evaluation: Evaluation) -> tuple[np.ndarray, np.ndarray | None]:
    """The objective [N], and all K [N, K] where they are stored."""
    goals = evaluation.features.get(OBJECTIVES)
    return np.asarray(evaluation.objective), None if goals is None else np.asarray(goals, np.float64)


def _best(goals: np.ndarray) -> tuple[float, ...]:
    """The best of each of K objectives [N, K]."""
    return tuple(round(float(x), 4) for x in np.where(np.isfinite(goals), goals, -np.inf).max(axis=0))
