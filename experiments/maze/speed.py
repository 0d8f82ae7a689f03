"""How fast the maze is, ours and the Kheperax package: episodes alone, and a short novelty search end to end.

Sides take turns in one process, after compilation. The package runs where it is installed (experiments/maze/kheperax.py).

    qd study maze.speed budget=quick|first|full
"""

from typing import Annotated

from experiments import command, study
from experiments.benchmarks import rounds
from experiments.benchmarks.rounds import BUDGETS, Side
from experiments.maze.novelty import BATCH, MAZE, METHODS, evaluator, installed, novelty_search
from qd import keys
from qd.report.table import Row, Runs

CALLS, ITERATIONS = 10, 100  # batches of episodes, and iterations of novelty search, in a round
PAIRS: dict[str, tuple[str, str]] = {"ours / kheperax": METHODS}


def main(budget: Annotated[str, BUDGETS] = "quick", out: str = "") -> None:
    """Does the rounds that are missing, then writes and prints the table."""
    folder = study.folder("maze_speed", out=out)
    runs = study.runs(folder)
    rounds.race(runs, f"episodes of {MAZE.steps} steps, batch {BATCH}", episodes, BUDGETS[budget])
    rounds.race(runs, f"novelty search of {ITERATIONS} x {BATCH}", searches, BUDGETS[budget])
    rounds.report(folder, rows(runs))


def rows(runs: Runs) -> list[Row]:
    return rounds.rows(runs, PAIRS)


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

    return {method: side(method) for method in METHODS if installed(method)}


def searches() -> dict[str, Side]:
    """A whole novelty search each time."""

    def side(method: str) -> Side:
        evaluate = evaluator(method)
        return lambda: int(novelty_search(evaluate, 0, ITERATIONS)["evaluations"])

    return {method: side(method) for method in METHODS if installed(method)}


if __name__ == "__main__":
    command.run()
