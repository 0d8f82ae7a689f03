"""Whether the fast generator of random numbers (hash) finds as much as threefry: MAP-Elites over seeds, an equivalence test.

python -m experiments.benchmarks.generators budget=quick|first|full seeds=20
"""

import sys
from pathlib import Path

from domains.arm import Arm
from domains.functions import LinearProjection
from experiments.benchmarks.equal import equivalence, told
from experiments.benchmarks.map_elites import describe, end
from experiments.benchmarks.rounds import report, rounds
from qd import keys, metrics
from qd.archives import Grid
from qd.emitters.vary import IsoLine, Vary
from qd.report.table import Runs
from qd.search import start
from qd.types import Search

CASES = {
    "arm 10-D": Search(Arm(10), describe(Arm(10)), Grid((50, 50)), Vary(IsoLine(), 256)),
    "sphere 100-D": Search(
        LinearProjection("sphere", 100),
        describe(LinearProjection("sphere", 100)),
        Grid((100, 100)),
        Vary(IsoLine(0.5, 0.2), 256),
    ),
}
EVALUATIONS = {"quick": 20_000, "first": 50_000, "full": 500_000}
FOUND = ("coverage", "qd_score", "best")


def main(budget: str = "first", seeds: str = "20", out: str = "experiments/results/generators") -> None:
    """Does what is missing, then writes and prints the table."""
    rounds(budget)
    folder = Path(out)
    runs = Runs(folder / "runs.jsonl")
    cases = {f"{name}, {EVALUATIONS[budget]:,} evaluations": search for name, search in CASES.items()}
    for case, search in cases.items():
        for seed in range(int(seeds)):
            for generator in ("hash", "threefry"):
                if not runs.has(case, generator, seed):
                    runs.add(case, generator, seed, found(search, seed, generator, EVALUATIONS[budget]))
    rows = equivalence(runs, tuple(cases), FOUND, "hash", "threefry")
    report(runs, folder, {}, rows)
    print(told(rows))


def found(search: Search, seed: int, generator: str, evaluations: int) -> dict[str, float]:
    """Runs one seed, and returns what is in its archive."""
    key, sample_key = keys.split(keys.new(seed))
    state = start(search, key, search.domain.sample(sample_key, 100))[0]
    archive = end(search, state, evaluations, generator).archive
    told = metrics.of_archive(archive, search.domain.objective_range)  # type: ignore[attr-defined]
    return {name: told[name] for name in FOUND}


if __name__ == "__main__":
    main(**dict(word.split("=", 1) for word in sys.argv[1:]))
