"""Elites re-evaluated on held-out data, where a domain has a ``held_out`` twin: the figures of a finished run.

A search keeps the lucky (winner's curse): figures of the data that it chose by flatter its elites. N elites.
"""

from typing import Any

import numpy as np

from qd import abilities, archives, keys, metrics
from qd.archives import HostElites
from qd.types import Domain

NAME = "held_out"  # the archive's column, and the ending of a result's figures


def evaluate(domain: Domain, archive: Any, seed: int) -> tuple[dict[str, np.ndarray], dict[str, float]]:
    """Evaluates the elites on held-out data.

    Args:
        domain: the search's; its ``held_out`` evaluates, and its objective range scales the QD score.
        archive: an opened pyribs archive.
        seed: of the keys for the evaluations.

    Returns:
        A column in the archive's order, "held_out" -> [N]; and figures: qd_score_held_out, where what is not finite
        counts as the low end of the objective range (0 without a range), and best_held_out, of the elite with the highest
        objective in the archive. Both are empty where there is no twin or no elite.
    """
    traits = abilities.of_domain(domain)
    if traits.held_out is None or not len(archive):
        return {}, {}
    solutions, objective = HostElites(archive).take(np.arange(len(archive)), "solution", "objective")
    evaluation = traits.held_out.evaluate(keys.split(keys.new(seed), len(solutions)), solutions)
    objective_held_out, scale = np.asarray(evaluation.objective), traits.objective_range
    held_out = objective_held_out.astype(np.result_type(objective_held_out, np.float32))
    finite = np.where(np.isfinite(held_out), held_out, (scale or (0.0, 0.0))[0])
    qd_score = metrics.of_objective(finite, archives.count_cells(archive), scale)["qd_score"]
    return {NAME: held_out}, {f"qd_score_{NAME}": qd_score, f"best_{NAME}": float(held_out[objective.argmax()])}
