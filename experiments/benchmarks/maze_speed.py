"""How fast the maze is, ours and the Kheperax package: episodes per CPU-second, and a short novelty search end to end.

Process CPU time of all threads, in one process, rounds interleaved, after compilation; medians over rounds with the
range. The package's side runs where it is installed (see experiments/maze/kheperax.py).

    python -m experiments.benchmarks.maze_speed [rounds] [iterations of the novelty search, 0 for none]
"""

import statistics
import sys
import time

from experiments.maze import novelty
from experiments.maze.novelty import BATCH, MAZE, METHODS, Evaluate
from qd import keys


def main(rounds: int = 5, iterations: int = 100) -> None:
    """Prints a row for each side: median (least to largest)."""
    methods = [method for method in METHODS if novelty.installed(method)]
    sides = {method: novelty.evaluator(method) for method in methods}
    policies = 0.5 * keys.normal(keys.new(0), (BATCH, MAZE.size))
    rates: dict[str, list[float]] = {method: [] for method in methods}
    for _ in range(rounds):
        for method, evaluate in sides.items():
            rates[method].append(_episodes_per_cpu_second(evaluate, policies))
    print(f"episodes of {MAZE.steps} steps per CPU-second at batch {BATCH}:")
    for method in methods:
        print(f"  {method:9} {_spread(rates[method], ',.0f')}")
    if iterations:
        _search(sides, rounds, iterations)


def _search(sides: dict[str, Evaluate], rounds: int, iterations: int) -> None:
    for evaluate in sides.values():
        novelty.novelty_search(evaluate, 0, 2)
    spent: dict[str, list[dict[str, float]]] = {method: [] for method in sides}
    for seed in range(rounds):
        for method, evaluate in sides.items():
            spent[method].append(novelty.novelty_search(evaluate, seed, iterations))
    print(f"novelty search of {iterations} x {BATCH}:")
    for metric in ("cpu_seconds", "wall_seconds"):
        taken = {method: [run[metric] for run in runs] for method, runs in spent.items()}
        for method in sides:
            print(f"  {method:9} {_spread(taken[method], '.2f')} {metric.replace('_', ' ')}")
        if len(sides) == 2:
            ours, theirs = taken.values()
            print(f"  ratio     {_spread([b / a for a, b in zip(ours, theirs, strict=True)], '.2f')}")


def _episodes_per_cpu_second(evaluate: Evaluate, policies, least: float = 1.0) -> float:
    evaluate(policies)
    begin, episodes = time.process_time(), 0
    while time.process_time() - begin < least:
        evaluate(policies)
        episodes += len(policies)
    return episodes / (time.process_time() - begin)


def _spread(values: list[float], form: str) -> str:
    return f"{statistics.median(values):{form}} ({min(values):{form}} to {max(values):{form}})"


if __name__ == "__main__":
    main(*map(int, sys.argv[1:3]))
