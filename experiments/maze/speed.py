"""How fast the maze is, ours and the Kheperax package: episodes alone, and a short novelty search end to end.

Sides take turns in one process, after compilation. The package runs where it is installed (experiments/maze/kheperax.py).

    qd study maze.speed budget=quick|first|full
"""

from functools import partial
from typing import Annotated

from experiments import command
from experiments.benchmarks import rounds
from experiments.benchmarks.rounds import BUDGETS, Side
from experiments.maze.novelty import BATCH, MAZE, METHODS, evaluator, is_installed, novelty_search
from qd import keys

CALLS, ITERATIONS = 10, 100  # batches of episodes, and iterations of novelty search, in a round
PAIRS: dict[str, tuple[str, str]] = {"ours / kheperax": METHODS}


def main(budget: Annotated[str, BUDGETS] = "quick", out: str = "") -> None:
    """Does the missing rounds, then writes and prints the table; arguments as in ``study``."""
    cases = {
        f"episodes of {MAZE.steps} steps, batch {BATCH}": episodes,
        f"novelty search of {ITERATIONS} x {BATCH}": searches,
    }
    rounds.run("maze_speed", cases, BUDGETS[budget], PAIRS, out)


rows = partial(rounds.rows, pairs=PAIRS)  # of its table


def episodes() -> dict[str, Side]:
    """The same policies on both sides."""
    policies = 0.5 * keys.normal(keys.new(0), (BATCH, MAZE.size))

    def side(method: str) -> Side:
        evaluate = evaluator(method)

        def evaluate_batches() -> int:
            for _ in range(CALLS):
                evaluate(policies)
            return CALLS * BATCH

        return evaluate_batches

    return {method: side(method) for method in METHODS if is_installed(method)}


def searches() -> dict[str, Side]:
    """A whole novelty search each time."""

    def side(method: str) -> Side:
        evaluate = evaluator(method)
        return lambda: int(novelty_search(evaluate, 0, ITERATIONS)["evaluations"])

    return {method: side(method) for method in METHODS if is_installed(method)}


if __name__ == "__main__":
    command.run()
