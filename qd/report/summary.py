"""Columns that a domain's own package adds to a table of elites, and numbers of the whole set.

The run's folder holds only the name of a choice in conf/columns.yaml, ours or that beside you: what a stranger's folder
says is never built. A choice offers each(columns) -> columns to add [N], and whole(columns) -> name -> number.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np

from qd.config import plugins
from qd.config.build import build
from qd.config.compose import load
from qd.diversity import nearest, pairwise_mean
from qd.support.errors import UserError
from qd.support.spelling import unknown

Columns = dict[str, np.ndarray]
_MOST = 2_000  # elites between which distances are taken


def adder(name: str | None, overrides: Sequence[str] = ()) -> Any:
    """Builds the choice of that name, None where there is none.

    Args:
        overrides: what to build a language model from, e.g. lm=vllm.

    Raises:
        ValueError: there is no such choice, or a language model for nobody.
    """
    if name in (None, "none"):
        if overrides:
            raise UserError(f"{overrides[0]} serves no column here", "type --columns text, or leave it out")
        return None
    choices = plugins.columns()
    if name not in choices:
        raise unknown("--columns", str(name), [*choices, "none"])
    return build(choices[name], {"lm": _client(overrides)}, f"columns.{name}")


def with_added_columns(columns: Columns, by: Any) -> Columns:
    """Returns the columns with those that ``by`` adds.

    Args:
        columns: name -> [N] or [N, ...].
        by: a choice that ``adder`` built; None adds nothing.

    Returns:
        Name -> [N] or [N, ...], the added ones last.

    Raises:
        UserError: a column of that name is there already.
    """
    more = {} if by is None else by.each(columns)
    twice = more.keys() & columns.keys()
    if twice:
        raise UserError(f"the run stores a column {min(twice)!r} already", "type --columns none")
    return columns | more


def summary(columns: Columns, about: dict[str, Any], by: Any = None) -> dict[str, float]:
    """Says how good, how diverse and how complex a set is: name -> number.

    Args:
        columns: of ``with_added_columns``.
        about: the archive's header: bounds, and how many cells there are.
        by: a choice that ``adder`` built, for numbers of its own; None adds none.

    Returns:
        elites; coverage in per cent, where the archive has cells; mean, median and best objective; of up to 2,000 elites
        the mean distance between two and to the nearest, in widths of the bounds; and the numbers of ``by``. An empty set
        has neither objectives nor distances.
    """
    objective = np.asarray(columns["objective"], float)
    numbers = {"elites": float(len(objective))}
    if about.get("cells"):
        numbers["coverage"] = 100 * len(objective) / about["cells"]
    if len(objective):
        numbers |= {"objective_mean": float(objective.mean()), "objective_median": float(np.median(objective))}
        numbers["objective_best"] = float(objective.max())
        places = in_bounds(columns["measures"], about["bounds"])
        places = places[np.linspace(0, len(places), min(len(places), _MOST), endpoint=False).astype(int)]
        numbers |= {"measures_pairwise": pairwise_mean(places), "measures_nearest": float(nearest(places).mean())}
    return numbers | ({} if by is None else by.whole(columns))


def in_bounds(measures: np.ndarray, bounds: Sequence[Sequence[float]]) -> np.ndarray:
    """Returns measures [N, M] in widths of the bounds, clamped to them as the archive does.

    Args:
        measures: [N, M].
        bounds: M pairs (low, high).

    Returns:
        [N, M] in 0..1.
    """
    low, high = np.asarray(bounds, float).T
    return ((np.asarray(measures, float) - low) / (high - low)).clip(0, 1)


def lines(numbers: dict[str, float]) -> str:
    """A line each."""
    width = max(map(len, numbers), default=0)
    return "\n".join(
        f"{name:{width}}  {'not defined' if np.isnan(value) else f'{value:.6g}'}" for name, value in numbers.items()
    )


def _client(overrides: Sequence[str]) -> Any:
    if not overrides:
        return None
    settings = load(list(overrides))
    if settings.lm is None:
        raise UserError(f"{' '.join(overrides)} names no language model", "type lm=vllm, or another choice of conf/lm")
    return build(settings.lm, {"run": None}, "lm")
