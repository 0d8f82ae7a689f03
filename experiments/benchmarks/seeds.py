"""Twenty seeds in one process: threads, lax.map and one after another, and the cost of fresh processes.

10-D arm, iso+line. Warm: after compilation. Single runs follow one another in the same process. First calls are
timed separately: they are the compilation. The CPU time of a fresh process is for one seed: import, compile, run.

    qd study benchmarks.seeds budget=quick|first|full seeds=20
"""

import resource
import subprocess
import sys
import time
from functools import partial
from typing import Annotated

from domains.arm import Arm
from experiments import command, study
from experiments.benchmarks import rounds
from experiments.benchmarks.rounds import BUDGETS, Side
from feedback.descriptors.select import Select
from qd import fused, keys
from qd.archives import Grid
from qd.emitters.vary import IsoLine, Vary
from qd.fused.seeds import run
from qd.report.table import Runs
from qd.search import start
from qd.types import Search, State

CASES = {
    "arm 10-D, batch 100": (10, 100, 40_000),
    "arm 10-D, batch 1024": (10, 1024, 80_000),
    "arm 100-D, batch 256": (100, 256, 20_000),
}
PAIRS = {"threads / one by one": ("threads", "one by one"), "map / one by one": ("map", "one by one")}
_FRESH = "from experiments.benchmarks import seeds; seeds.lone({dim}, {batch}, {evaluations})"


def main(budget: Annotated[str, BUDGETS] = "quick", seeds: int = 20, out: str = "") -> None:
    """Does the missing rounds and runs, then writes and prints the table; arguments as in ``study``."""
    folder = study.folder("seeds", out=out)
    runs = study.runs(folder)
    for case, settings in CASES.items():
        rounds.race(runs, case, lambda a=(case, *settings): sides(runs, *a, count=seeds), BUDGETS[budget])
        for key in study.missing(runs, [(case, "fresh process, one seed", 0)]):
            study.add(runs, *key, fresh_process(*settings))
    rounds.report(folder, rows(runs))


rows = partial(rounds.rows, pairs=PAIRS)  # of its table


def sides(runs: Runs, case: str, dim: int, batch: int, evaluations: int, count: int) -> dict[str, Side]:
    """Returns all ways; their first calls are stored as compilation.

    Args:
        runs: the finished runs; first calls are added where they are missing.
        case: name of the case.
        dim: joints of the arm.
        batch: solutions a generation.
        evaluations: of each seed in a round.
        count: number of seeds.
    """
    ways = {"one by one": one_by_one(dim, batch, evaluations, count)}
    ways |= {how: together(dim, batch, evaluations, count, how) for how in ("threads", "map")}
    for how, side in ways.items():
        cpu = time.process_time()
        side()
        first = time.process_time() - cpu
        cpu = time.process_time()
        side()
        for key in study.missing(runs, [(case, f"{how}, first call", 0)]):
            study.add(runs, *key, {"cpu_s": first, "compile_cpu_s": first - (time.process_time() - cpu)})
    return ways


def fresh_process(dim: int, batch: int, evaluations: int) -> dict[str, float]:
    """Measures the CPU time of one whole process with one seed, with imports and compilation.

    Args:
        dim: joints of the arm.
        batch: solutions a generation.
        evaluations: of the run.
    """
    begin = resource.getrusage(resource.RUSAGE_CHILDREN)
    subprocess.run([sys.executable, "-c", _FRESH.format(dim=dim, batch=batch, evaluations=evaluations)], check=True)
    end = resource.getrusage(resource.RUSAGE_CHILDREN)
    return {"cpu_s": end.ru_utime + end.ru_stime - begin.ru_utime - begin.ru_stime}


def lone(dim: int, batch: int, evaluations: int) -> None:
    """Runs one seed from its beginning to its end; arguments as in ``fresh_process``."""
    search = _search(dim, batch)
    for _ in fused.run(search, _begin(search, 0), evaluations):
        pass


def _search(dim: int, batch: int) -> Search:
    return Search(Arm(dim), Select("gripper", ((-1.0, 1.0),) * 2), Grid((50, 50)), Vary(IsoLine(), batch))


def _begin(search: Search, seed: int) -> State:
    key, sample_key = keys.split(keys.new(seed))
    return start(search, key, search.domain.sample(sample_key, 100))[0]


def one_by_one(dim: int, batch: int, evaluations: int, count: int) -> Side:
    """Returns the side that runs the seeds one after another.

    Args:
        dim: joints of the arm.
        batch: solutions a generation.
        evaluations: of each seed in a round.
        count: number of seeds.
    """
    search = _search(dim, batch)
    states = [_begin(search, seed) for seed in range(count)]

    def side() -> int:
        before = states[0].evaluations
        for i, state in enumerate(states):
            for states[i], _ in fused.run(search, state, before + evaluations):
                pass
        return count * (states[0].evaluations - before)

    return side


def together(dim: int, batch: int, evaluations: int, count: int, how: str) -> Side:
    """Returns the side that runs all seeds in one program.

    Args:
        dim: joints of the arm.
        batch: solutions a generation.
        evaluations: of each seed in a round.
        count: number of seeds.
        how: threads or map.
    """
    search = _search(dim, batch)
    states = [_begin(search, seed) for seed in range(count)]

    def side() -> int:
        nonlocal states
        before = states[0].evaluations
        for states, _ in run(search, states, before + evaluations, how):
            pass
        return count * (states[0].evaluations - before)

    return side


if __name__ == "__main__":
    command.run()
