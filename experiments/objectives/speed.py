"""Evaluations a CPU-second of fronts in both drivers and of QDax' MOME, in turns in one process.

The same function (two Rastrigin functions of 10 genes), iso+line, batch of 100, 16 x 16 cells, fronts of at most 16. Each side
goes on with its own search from round to round, after it has compiled.

    qd study objectives.speed budget=first      QDax' side where it is installed, in an environment of its own
"""

import importlib.util
from functools import partial
from typing import Annotated, Any

import jax

from experiments import command
from experiments.benchmarks import rounds
from experiments.benchmarks.rounds import BUDGETS, Side
from experiments.objectives.mome import BATCH, carry_of_qdax, search_of, started
from qd import fused
from qd.search import run

EVALUATIONS = 20_000  # of a round
PAIRS = {
    "fused, threefry / QDax": ("fused, threefry", "QDax"),
    "fused, hash / QDax": ("fused, hash", "QDax"),
    "fused, crowding / QDax": ("fused, crowding", "QDax"),
    "host / QDax": ("host", "QDax"),
}


def main(budget: Annotated[str, BUDGETS] = "quick", out: str = "") -> None:
    """Does the missing rounds, then writes and prints the table; arguments as in ``study``."""
    rounds.run("mome_speed", {"rastrigins, 10 genes": sides}, BUDGETS[budget], PAIRS, out)


rows = partial(rounds.rows, pairs=PAIRS)  # of its table


def sides() -> dict[str, Side]:
    """Returns the sides that are installed."""
    both = {
        "fused, threefry": _ours(False, partial(fused.run, generator="threefry")),
        "fused, hash": _ours(False, partial(fused.run, generator="hash")),
        "fused, crowding": _ours(True, partial(fused.run, generator="threefry")),
        "host": _ours(False, run, EVALUATIONS // 4),
    }
    return both | ({"QDax": _by_qdax()} if importlib.util.find_spec("qdax") else {})


def _ours(crowding: bool, driver: Any, evaluations: int = EVALUATIONS) -> Side:
    search = search_of(crowding)
    state = started(search, 0)

    def side() -> int:
        nonlocal state
        for state, _ in driver(search, state, state.evaluations + evaluations):
            pass
        return evaluations

    return side


def _by_qdax() -> Side:
    program, carry = carry_of_qdax(0)
    scan = jax.jit(lambda carry: jax.lax.scan(program.scan_update, carry, None, length=EVALUATIONS // BATCH)[0])

    def side() -> int:
        nonlocal carry
        carry = jax.block_until_ready(scan(carry))
        return EVALUATIONS

    return side


if __name__ == "__main__":
    command.run()
