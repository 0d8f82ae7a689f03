"""Elites re-evaluated on held-out data, where a domain has a ``held_out`` twin: the figures of a finished run.

A search keeps the lucky (winner's curse): figures of the data that it chose by flatter its elites. N elites, K objectives.
"""

from typing import Any

import numpy as np

from qd import abilities, archives, keys, metrics, programs
from qd.archives import HostElites
from qd.types import OBJECTIVES, Domain

NAME = "held_out"  # the archive's column, and the ending of a result's figures


def evaluate(domain: Domain, archive: Any, seed: int) -> tuple[dict[str, np.ndarray], dict[str, float]]:
    """Evaluates the elites on held-out data: all of them, or as many as the domain's ``held_out_most`` says, drawn evenly.

    Args:
        domain: the search's; its ``held_out`` evaluates, and its objective range scales the QD score.
        archive: an opened pyribs archive.
        seed: of the draw, and of the keys for the evaluations.

    Returns:
        A column in the archive's order, "held_out" -> [N], NaN where an elite was not drawn, of several objectives also
        "held_out_objectives" -> [N, K]; and figures. Where all were drawn:
        qd_score_held_out, where what is not finite counts as the low end of the objective range (0 without a range), and
        best_held_out, of the elite with the highest objective in the archive. With ``held_out_tolerance``: confirmed_held_out,
        the share in per cent of which the held-out objective differs from the archive's by no more than that share, beside
        evaluated_held_out, how many were drawn, and answered_held_out, the share with a finite objective. All are empty
        where there is no twin or no elite.
    """
    traits = abilities.of_domain(domain)
    twin = traits.held_out
    if twin is None or not len(archive):
        return {}, {}
    draw_key, evaluate_key = keys.split(keys.new(seed))
    drawn = _drawn(draw_key, len(archive), traits.held_out_most)
    every = len(drawn) == len(archive)
    solutions, objective = HostElites(archive).take(drawn, "solution", "objective")
    each = keys.split(keys.new(seed) if every else evaluate_key, len(drawn))
    evaluation = programs.with_one_objective(twin, twin.evaluate(each, solutions))
    held_out = np.asarray(evaluation.objective)
    held_out = held_out.astype(np.result_type(held_out, np.float32))
    several = {name: np.asarray(evaluation.features[name]) for name in (OBJECTIVES,) if name in evaluation.features}
    columns = {NAME: held_out} | {f"{NAME}_{name}": column for name, column in several.items()}
    scale, figures = traits.objective_range, {}
    if every:
        figures[f"qd_score_{NAME}"] = _qd_score(archive, held_out, several.get(OBJECTIVES), scale)
        figures[f"best_{NAME}"] = float(held_out[objective.argmax()])
    if traits.held_out_tolerance is not None:
        with np.errstate(invalid="ignore"):
            confirmed = np.abs(held_out - objective) <= traits.held_out_tolerance * np.abs(objective)
        figures |= {f"confirmed_{NAME}": 100 * float(confirmed.mean()), f"evaluated_{NAME}": float(len(drawn))}
        figures |= {f"answered_{NAME}": 100 * float(np.isfinite(held_out).mean())}
    return {name: _all_rows(column, drawn, len(archive)) for name, column in columns.items()}, figures


def _qd_score(archive: Any, objective: np.ndarray, several: np.ndarray | None, scale: tuple[float, float] | None) -> float:
    """Of elites with other objectives [N], or [N, K], in the cells that they have."""
    of_fronts = abilities.of_opened(archive).score_of
    if of_fronts is not None and several is not None:
        return of_fronts(archive.data("index"), several)
    finite = np.where(np.isfinite(objective), objective, (scale or (0.0, 0.0))[0])
    return metrics.of_objective(finite, archives.count_cells(archive), scale)["qd_score"]


def _all_rows(column: np.ndarray, drawn: np.ndarray, n: int) -> np.ndarray:
    """A column [n, ...] of those that were drawn, NaN elsewhere."""
    whole = np.full((n, *column.shape[1:]), np.nan, np.result_type(column, np.float32))
    whole[drawn] = column
    return whole


def _drawn(key: np.ndarray, size: int, most: int | None) -> np.ndarray:
    """Returns ranks of elites, in order: all of them, or ``most`` drawn evenly without replacement."""
    if most is None or most >= size:
        return np.arange(size)
    return np.sort(np.argsort(keys.uniform(key, (size,)), kind="stable")[:most])
