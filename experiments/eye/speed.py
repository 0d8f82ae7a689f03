"""What an evaluation costs: a trained eye's pictures, airfoils beside NeuralFoil's own call, levels beside a plain search.

    qd study eye.speed budget=quick|first

Evaluations in a CPU-second of one process, both sides in turn in the same process, so that the load of a machine weighs on
both; a run is one repetition. "package" is neuralfoil's function in NumPy for airfoils, and for levels a breadth-first search
in plain Python by the rules of PCGRL, of which no package exists.
"""

import time
from collections import deque
from collections.abc import Callable
from typing import Annotated, Any

import jax
import numpy as np

from domains.airfoils import Airfoils
from domains.images.eye import Eye
from domains.levels import Binary
from experiments import command, study
from qd import keys
from qd.report.table import Row, Runs, summary

BUDGETS = {"quick": 2, "first": 5}  # repetitions
_ROWS = 256


def main(budget: Annotated[str, BUDGETS] = "quick", out: str = "") -> None:
    """Does the missing repetitions, then writes and prints the table; arguments as in ``study``."""
    folder = study.folder("eye_speed", budget, out)
    runs = study.runs(folder)
    for case, sides in (("airfoils, 256 at a time", _airfoils), ("levels of 14 x 14", _levels), ("pictures of 64 x 64", _eye)):
        for repetition in range(BUDGETS[budget]):
            if all(runs.has(case, side, repetition) for side in sides()):
                continue
            for side, call in sides().items():
                call()  # compiles
                begin, times = time.process_time(), 0
                while time.process_time() - begin < 0.5:
                    call()
                    times += 1
                rate = times * _ROWS / (time.process_time() - begin)
                study.add(runs, case, side, repetition, {"evaluations_per_cpu_second": rate})
    study.report(folder, rows(runs), ("evaluations_per_cpu_second",))


def rows(runs: Runs) -> list[Row]:
    """Returns medians over repetitions."""
    return summary(runs)


def _airfoils() -> dict[str, Callable[[], Any]]:
    import neuralfoil  # pyright: ignore[reportMissingImports]

    domain = Airfoils()
    x = domain.sample(keys.new(0), _ROWS)
    weights, angle = (np.asarray(part, float) for part in domain.decode(x))
    wings: dict[str, Any] = {"upper_weights": weights[:, :8].T, "lower_weights": weights[:, 8:16].T}
    wings |= {"leading_edge_weight": weights[:, 16], "TE_thickness": weights[:, 17]}
    package = lambda: neuralfoil.get_aero_from_kulfan_parameters(wings, alpha=angle, Re=1e6, model_size="large")
    return {"ours": _compiled(lambda x: domain.evaluate(None, x).objective, x), "package": package}


def _levels() -> dict[str, Callable[[], Any]]:
    domain = Binary()
    x = domain.sample(keys.new(0), _ROWS)
    levels = x.reshape(-1, 14, 14) == 0
    return {
        "ours": _compiled(lambda x: domain.evaluate(None, x).objective, x),
        "package": lambda: [_walk(one) for one in levels],
    }


def _eye() -> dict[str, Callable[[], Any]]:
    return {"ours": _compiled(Eye(), keys.uniform(keys.new(0), (_ROWS, 64, 64, 3)))}


def _compiled(function: Callable, x: np.ndarray) -> Callable[[], Any]:
    program = jax.jit(function)
    return lambda: program(x).block_until_ready()


def _walk(floors: np.ndarray) -> int:
    """The longest path by two plain searches."""
    one = _steps(floors, tuple(np.argwhere(floors)[0]))
    return max(_steps(floors, max(one, key=lambda place: one[place])).values())


def _steps(floors: np.ndarray, start: tuple[int, ...]) -> dict[tuple[int, ...], int]:
    height, width = floors.shape
    known, queue = {start: 0}, deque([start])
    while queue:
        y, x = queue.popleft()
        for i, j in ((y - 1, x), (y + 1, x), (y, x - 1), (y, x + 1)):
            if 0 <= i < height and 0 <= j < width and floors[i, j] and (i, j) not in known:
                known[i, j] = known[y, x] + 1
                queue.append((i, j))
    return known


if __name__ == "__main__":
    command.run()
