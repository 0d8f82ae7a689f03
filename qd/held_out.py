"""What elites are worth on what no search saw: where a domain has a ``held_out`` twin, a finished run is told by it.

A search keeps the lucky (winner's curse): figures of the data that it chose by flatter what it chose. N elites.
"""

from typing import Any

import numpy as np

from qd import abilities, archives, keys, metrics
from qd.archives import HostElites
from qd.types import Domain

NAME = "held_out"  # the archive's column, and the ending of a result's figures


def judged(domain: Domain, archive: Any, seed: int) -> dict[str, np.ndarray]:
    """Returns the elites' objectives on held-out data, one column in the archive's order; none where a domain has no twin.

    Args:
        domain: the search's; its ``held_out`` evaluates.
        archive: an opened pyribs archive.
        seed: of the keys for the evaluations.

    Returns:
        "held_out" -> [N] float32; empty where there is no twin or no elite.
    """
    twin = abilities.of_domain(domain).held_out
    if twin is None or not len(archive):
        return {}
    (solutions,) = HostElites(archive).take(np.arange(len(archive)), "solution")
    told = twin.evaluate(keys.split(keys.new(seed), len(solutions)), solutions)
    return {NAME: np.asarray(told.objective, np.float32)}


def figures(domain: Domain, archive: Any, told: dict[str, np.ndarray]) -> dict[str, float]:
    """Returns the QD score of the elites on held-out data, and what the search's best is worth there.

    Args:
        domain: the search's, for its objective range.
        archive: an opened pyribs archive.
        told: what ``judged`` returned.

    Returns:
        qd_score_held_out, where what is not finite counts as the low end of the objective range (0 without a range), and
        best_held_out, of the elite with the highest objective in the archive; empty where ``told`` is.
    """
    if not told:
        return {}
    (objective,) = HostElites(archive).take(np.arange(len(archive)), "objective")
    scale = abilities.of_domain(domain).objective_range
    kept = np.where(np.isfinite(told[NAME]), told[NAME], (scale or (0.0, 0.0))[0])
    again = metrics.of_objective(kept, archives.count_cells(archive), scale)
    return {f"qd_score_{NAME}": again["qd_score"], f"best_{NAME}": float(told[NAME][objective.argmax()])}
