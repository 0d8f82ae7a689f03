"""MAP-Elites with iso+line variation: whole generations in one program against pyribs and QDax, and against the limit.

The limit is the jitted evaluation alone, in a loop of its own. pyribs runs its scheduler with NumPy evaluation and with
jitted evaluation; QDax 0.5.0 (the extra ``peers``) its MAP-Elites in a scan. All start from the same elites, in float32.
Almost all of the distance to QDax is its cell lookup: it measures the distance to every cell.

    qd study benchmarks.map_elites budget=quick|first|full
"""

from functools import partial
from typing import Annotated, Any

from domains.arm import Arm
from domains.functions import LinearProjection
from experiments import command
from experiments.benchmarks import qdax_sides, rounds
from experiments.benchmarks.rounds import BUDGETS, Side
from experiments.benchmarks.sides import (
    ISO,
    LINE,
    WARM,
    begin,
    describe,
    end,
    host,
    in_numpy,
    jit_evaluation,
    limit,
    ours,
    pyribs,
)
from qd.archives import Grid
from qd.emitters.vary import IsoLine, Vary
from qd.types import Search

ARM100, ARM10, SPHERE = Arm(joints=100), Arm(joints=10), LinearProjection("sphere", 100)
CASES = {  # name -> domain, batch, dims, evaluations of a round
    "arm 100-D, batch 1024, 10,000 cells": (ARM100, 1024, (100, 100), 150_000),
    "sphere 100-D, batch 1024, 10,000 cells": (SPHERE, 1024, (100, 100), 150_000),
    "arm 10-D, batch 100, 10,000 cells": (ARM10, 100, (100, 100), 60_000),
    "arm 10-D, batch 256, 2,500 cells": (ARM10, 256, (50, 50), 100_000),  # what qd run runs by default
    "arm 100-D, batch 1024, 1,000 cells": (ARM100, 1024, (40, 25), 150_000),
}
PAIRS = {
    "fused hash / pyribs": ("fused, hash", "pyribs, NumPy evaluation"),
    "fused threefry / pyribs": ("fused, threefry", "pyribs, NumPy evaluation"),
    "fused hash / pyribs jitted": ("fused, hash", "pyribs, jitted evaluation"),
    "fused threefry / pyribs jitted": ("fused, threefry", "pyribs, jitted evaluation"),
    "fused hash / QDax": ("fused, hash", "QDax"),
    "fused threefry / QDax": ("fused, threefry", "QDax"),
    "fused hash / limit": ("fused, hash", "limit"),
    "fused threefry / limit": ("fused, threefry", "limit"),
    "fused threefry / host loop": ("fused, threefry", "host loop"),
    "limit / pyribs": ("limit", "pyribs, NumPy evaluation"),  # no driver could be faster than this with this evaluation
}


def main(budget: Annotated[str, BUDGETS] = "quick", out: str = "") -> None:
    """Does the missing rounds, then writes and prints the table; arguments as in ``study``."""
    rounds.run("map_elites", {case: partial(sides, *settings) for case, settings in CASES.items()}, BUDGETS[budget], PAIRS, out)


rows = partial(rounds.rows, pairs=PAIRS)  # of its table


def sides(domain: Any, batch: int, dims: tuple[int, int], evaluations: int) -> dict[str, Side]:
    """Returns the sides that are installed; all start from the same elites.

    Args:
        domain: arm or sphere.
        batch: solutions a generation.
        dims: cells on each axis of the grid.
        evaluations: of a round; slower sides do fewer.
    """
    search = Search(domain, describe(domain), Grid(dims), Vary(IsoLine(ISO, LINE), batch))
    elites = end(search, begin(search), WARM).archive.data()
    sides = {
        "limit": limit(search, elites["solution"], batch, evaluations),
        "fused, hash": ours(search, evaluations, "hash"),
        "fused, threefry": ours(search, evaluations, "threefry"),
        "host loop": host(search, evaluations // 4),
        "pyribs, NumPy evaluation": pyribs(search, elites, in_numpy(domain), evaluations // 4),
        "pyribs, jitted evaluation": pyribs(search, elites, jit_evaluation(search), evaluations // 4),
    }
    if qdax_sides.is_installed():
        sides["QDax"] = qdax_sides.map_elites(search, elites, batch, dims, max(2 * batch, evaluations // 50), ISO, LINE)
    return sides


if __name__ == "__main__":
    command.run()
