"""Whether the fast generator of random numbers (hash) finds as much as threefry: MAP-Elites over seeds, an equivalence test.

qd study benchmarks.generators budget=quick|first|full seeds=20
"""

from typing import Annotated

from domains.arm import Arm
from domains.functions import LinearProjection
from experiments import command, study
from experiments.benchmarks.equivalence import mean_differences, verdicts
from experiments.benchmarks.sides import describe, end
from qd import keys, metrics
from qd.archives import Grid
from qd.emitters.vary import IsoLine, Vary
from qd.report.table import Row, Runs, summary
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
BUDGETS = {"quick": 20_000, "first": 50_000, "full": 500_000}  # evaluations
GENERATORS = ("hash", "threefry")
METRICS = ("coverage", "qd_score", "best")


def main(budget: Annotated[str, BUDGETS] = "first", seeds: int = 20, out: str = "") -> None:
    """Does the missing runs, then writes the table and prints whether the two are equivalent; arguments as in ``study``."""
    folder = study.folder("generators", out=out)
    runs = study.runs(folder)
    cases = {f"{name}, {BUDGETS[budget]:,} evaluations": search for name, search in CASES.items()}
    for case, generator, seed in study.missing(runs, ((c, g, s) for c in cases for s in range(seeds) for g in GENERATORS)):
        study.add(runs, case, generator, seed, measure(cases[case], seed, generator, BUDGETS[budget]))
    study.report(folder, rows(runs), METRICS)
    print(verdicts(rows(runs)))


def rows(runs: Runs) -> list[Row]:
    """Returns medians, and the differences of the two generators."""
    return [*summary(runs), *mean_differences(runs, study.cases(runs), METRICS, *GENERATORS)]


def measure(search: Search, seed: int, generator: str, evaluations: int) -> dict[str, float]:
    """Runs one seed, and returns what is in its archive.

    Args:
        search: its components.
        seed: of all randomness.
        generator: hash or threefry.
        evaluations: of the run.

    Returns:
        The metrics of METRICS.
    """
    key, sample_key = keys.split(keys.new(seed))
    state = start(search, key, search.domain.sample(sample_key, 100))[0]
    archive = end(search, state, evaluations, generator).archive
    scores = metrics.of_archive(archive, search.domain.objective_range)  # type: ignore[attr-defined]
    return {name: scores[name] for name in METRICS}


if __name__ == "__main__":
    command.run()
