"""Twenty seeds in one process: threads, lax.map and one after another, and what fresh processes would cost.

10-D arm, iso+line. Warm: what is compiled is compiled. The lone runs go one after another in the same process. First
calls are timed apart: they are the compilation. The CPU time of a fresh process is for one seed: import, compile, run.

    python -m experiments.benchmarks.seeds budget=quick|first|full seeds=20
"""

import resource
import subprocess
import sys
import time
from pathlib import Path

from domains.arm import Arm
from experiments.benchmarks.rounds import Side, race, report, rounds
from feedback.descriptors.select import Select
from qd import fused, keys
from qd.archives import Grid
from qd.emitters.vary import IsoLine, Vary
from qd.fused import seeds as many
from qd.report import table
from qd.report.table import Runs
from qd.search import start
from qd.types import Search, State

CASES = {
    "arm 10-D, batch 100": (10, 100, 40_000),
    "arm 10-D, batch 1024": (10, 1024, 80_000),
    "arm 100-D, batch 256": (100, 256, 20_000),
}
PAIRS = {"threads / one by one": ("threads", "one by one"), "map / one by one": ("map", "one by one")}
_FRESH = "from experiments.benchmarks import seeds; seeds.lone({dim}, {batch}, {done})"


def main(budget: str = "quick", seeds: str = "20", out: str = "experiments/results/seeds") -> None:
    """Does what is missing, then writes and prints the table."""
    n, folder = rounds(budget), Path(out)
    runs = table.Runs(folder / "runs.jsonl")
    for case, (dim, batch, done) in CASES.items():
        race(runs, case, lambda a=(case, dim, batch, done): sides(runs, *a, count=int(seeds)), n)
        fresh(runs, case, dim, batch, done)
    report(runs, folder, PAIRS)


def sides(runs: Runs, case: str, dim: int, batch: int, done: int, count: int) -> dict[str, Side]:
    """All ways; their first calls are noted as compilation."""
    ways = {"one by one": one_by_one(dim, batch, done, count)}
    ways |= {how: together(dim, batch, done, count, how) for how in ("threads", "map")}
    for how, side in ways.items():
        cpu = time.process_time()
        side()
        first = time.process_time() - cpu
        cpu = time.process_time()
        side()
        if not runs.has(case, f"{how}, first call", 0):
            runs.add(case, f"{how}, first call", 0, {"cpu_s": first, "compile_cpu_s": first - (time.process_time() - cpu)})
    return ways


def fresh(runs: Runs, case: str, dim: int, batch: int, done: int) -> None:
    """Takes the CPU time of one whole process with one seed, whatever it has to import and compile."""
    if not runs.has(case, "fresh process, one seed", 0):
        begin = resource.getrusage(resource.RUSAGE_CHILDREN)
        subprocess.run([sys.executable, "-c", _FRESH.format(dim=dim, batch=batch, done=done)], check=True)
        end = resource.getrusage(resource.RUSAGE_CHILDREN)
        spent = end.ru_utime + end.ru_stime - begin.ru_utime - begin.ru_stime
        runs.add(case, "fresh process, one seed", 0, {"cpu_s": spent})


def lone(dim: int, batch: int, done: int) -> None:
    """One seed from its beginning to its end."""
    search = _search(dim, batch)
    for _ in fused.run(search, _begin(search, 0), done):
        pass


def _search(dim: int, batch: int) -> Search:
    return Search(Arm(dim), Select("gripper", ((-1.0, 1.0),) * 2), Grid((50, 50)), Vary(IsoLine(), batch))


def _begin(search: Search, seed: int) -> State:
    key, sample_key = keys.split(keys.new(seed))
    return start(search, key, search.domain.sample(sample_key, 100))[0]


def one_by_one(dim: int, batch: int, done: int, count: int) -> Side:
    search = _search(dim, batch)
    states = [_begin(search, seed) for seed in range(count)]

    def side() -> int:
        before = states[0].evaluations
        for i, state in enumerate(states):
            for states[i], _ in fused.run(search, state, before + done):
                pass
        return count * (states[0].evaluations - before)

    return side


def together(dim: int, batch: int, done: int, count: int, how: str) -> Side:
    search = _search(dim, batch)
    states = [_begin(search, seed) for seed in range(count)]

    def side() -> int:
        nonlocal states
        before = states[0].evaluations
        for states, _ in many.run(search, states, before + done, how):
            pass
        return count * (states[0].evaluations - before)

    return side


if __name__ == "__main__":
    main(**dict(word.split("=", 1) for word in sys.argv[1:]))
