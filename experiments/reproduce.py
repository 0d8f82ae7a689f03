"""Published figures reproduced by hosted emitters, beside plain pyribs in the same process.

Settings are those of pyribs' sphere example (icaros-usc/pyribs, examples/sphere.py), which follow Fontaine and
Nikolaidis 2023: 540 solutions an iteration (15 emitters of 36, or one of 540), sigma0 0.5, x0 = 0, 100 x 100 cells;
CMA-MAE with alpha 0.01 and threshold_min 0; MAP-Elites (line) with iso 0.5 and line 0.2; CMA-MEGA with sigma0 10,
gradient ascent of rate 1, selection rule mu, 15 emitters of 35 + 1. Both sides share the jitted evaluation; ours begins
from the one solution 0, pyribs from an empty archive. On the arm that solution is the best one, and an iso+line search
keeps it: "pyribs from 0" starts with it too. Scores are those of a plain grid of everything evaluated, which
neither search uses.

    qd study reproduce budget=quick|first|full seeds=5 [cases=sphere] [methods=ours,pyribs]

quick: 20 iterations; first: 500 iterations of all cases (and CMA-MEGA); full: 10,000 of CMA-MAE and CMA-MEGA.
"""

import time
from collections.abc import Callable
from typing import Annotated, Any, NamedTuple

import jax
import numpy as np
import ribs.emitters
from ribs.archives import GridArchive
from ribs.schedulers import Scheduler

from domains.arm import Arm
from domains.functions import LinearProjection
from experiments import command, study
from experiments.command import Names
from feedback.descriptors.select import Select
from qd import keys, metrics
from qd.archives import Grid, insert
from qd.emitters.ribs import Ribs
from qd.report.table import Row, Runs, summary
from qd.search import run, start
from qd.types import Batch, Rows, Search

CELLS = (100, 100)
ITERATION = 540  # solutions
_ES = {"sigma0": 0.5, "batch_size": 36}
_ASCENT = {"sigma0": 10.0, "lr": 1.0, "grad_opt": "gradient_ascent", "selection_rule": "mu", "batch_size": 35}


class Algorithm(NamedTuple):
    emitter: str
    settings: dict[str, Any]
    count: int
    archive: Grid = Grid(CELLS)


ALGORITHMS = {
    "cma_mae": Algorithm(
        "EvolutionStrategyEmitter",
        {**_ES, "ranker": "imp", "selection_rule": "mu", "restart_rule": "basic"},
        15,
        Grid(CELLS, learning_rate=0.01, threshold_min=0),
    ),
    "cma_me": Algorithm("EvolutionStrategyEmitter", {**_ES, "ranker": "2imp"}, 15),
    "map_elites_line": Algorithm("IsoLineEmitter", {"iso_sigma": 0.5, "line_sigma": 0.2, "batch_size": ITERATION}, 1),
    "cma_mega": Algorithm("GradientArborescenceEmitter", _ASCENT, 15),
}


class Case(NamedTuple):
    domain: Any
    descriptor: Select


def _functions(name: str, dim: int) -> Case:
    domain = LinearProjection(name, dim)
    return Case(domain, Select("projection", domain.bounds))


CASES = {
    "sphere": _functions("sphere", 100),
    "rastrigin": _functions("rastrigin", 100),
    "arm": Case(Arm(joints=100), Select("gripper", ((-1.0, 1.0),) * 2)),
    "sphere_1000": _functions("sphere", 1000),
}
_ALL = [(case, name) for name in ("cma_mae", "cma_me", "map_elites_line") for case in ("sphere", "rastrigin", "arm")]
_DQD = [("sphere_1000", "cma_mega")]
PEERS = ("pyribs", "pyribs from 0")
BUDGETS = {"quick": 20, "first": 500, "full": 10_000}  # iterations
PLANS = {  # (case, algorithm)
    "quick": [("sphere", "cma_mae"), *_DQD],
    "first": _ALL + _DQD,
    "full": [*((case, "cma_mae") for case in ("sphere", "rastrigin", "arm")), *_DQD],
}
METHODS = ("ours", "pyribs", "pyribs from 0")


def main(
    budget: Annotated[str, BUDGETS] = "quick",
    seeds: int = 5,
    cases: str = "",
    methods: Annotated[Names, METHODS] = (),
    out: str = "",
) -> None:
    """Does the missing runs, then writes and prints the table; arguments as in ``study``."""
    plan = {f"{case} {name} {BUDGETS[budget]}": (case, name) for case, name in PLANS[budget]}
    names = study.beginning(plan, cases)
    folder = study.folder("reproduce", budget, out)
    runs = study.runs(folder)
    todo = (
        (key, method, seed)
        for key in names
        for seed in range(seeds)
        for method in sides(plan[key][1])
        if method in (methods or METHODS)
    )
    for key, method, seed in study.missing(runs, todo):
        case, name = plan[key]
        begin = time.process_time()
        scores = sides(name)[method](CASES[case], ALGORITHMS[name], BUDGETS[budget], seed)
        study.add(runs, key, method, seed, {**scores, "cpu_seconds": time.process_time() - begin})
    study.report(folder, rows(runs), ("coverage", "qd_score", "cpu_seconds"))
    print(*agreement(rows(runs)), sep="\n")


def rows(runs: Runs) -> list[Row]:
    """Returns means, and ours minus both programs of pyribs, paired by seed."""
    pairs = [(case, "ours", peer) for case in study.cases(runs) for peer in PEERS if peer in study.methods(runs, case)]
    return [*summary(runs, "mean"), *study.differences(runs, pairs, ("coverage", "qd_score"))]


def sides(name: str) -> dict[str, Callable[..., dict[str, float]]]:
    """Returns the programs that run an algorithm. pyribs has no gradients of its own: its example writes them by hand."""
    peers = {} if name == "cma_mega" else {"pyribs": plain_pyribs}
    return {"ours": ours, **peers} | ({"pyribs from 0": pyribs_from_0} if name == "map_elites_line" else {})


def ours(case: Case, algorithm: Algorithm, iterations: int, seed: int) -> dict[str, float]:
    """Runs our loop with hosted emitters, and returns coverage and QD score of everything evaluated.

    Args:
        case: domain and descriptor.
        algorithm: emitter with its settings, and archive.
        iterations: of 540 solutions.
        seed: of all randomness.
    """
    emitter = Ribs(algorithm.emitter, algorithm.settings, algorithm.count, x0=0.0)  # type: ignore[arg-type]
    search = Search(case.domain, case.descriptor, algorithm.archive, emitter)
    state, batch = start(search, keys.new(seed), np.zeros((1, _dim(case)), np.float32))
    first = Rows(batch.ids, batch.solutions, *batch.evaluation, batch.status >= 0)
    everything = Grid(CELLS).open(first, case.descriptor.bounds, (), seed)
    for _, batch in run(search, state, until=1 + iterations * ITERATION):
        _judge(everything, batch)
    return _scores(everything)


def pyribs_from_0(case: Case, algorithm: Algorithm, iterations: int, seed: int) -> dict[str, float]:
    """Runs pyribs as below, from the one solution that ours begins with; arguments as in ``ours``."""
    return plain_pyribs(case, algorithm, iterations, seed, first=np.zeros((1, _dim(case)), np.float32))


def plain_pyribs(
    case: Case, algorithm: Algorithm, iterations: int, seed: int, first: np.ndarray | None = None
) -> dict[str, float]:
    """Runs pyribs' own scheduler with the same emitters and evaluation.

    Args:
        case: domain and descriptor.
        algorithm: emitter with its settings, and archive.
        iterations: of 540 solutions.
        seed: of all randomness.
        first: [N, D] solutions that both archives start with; None: empty archives.

    Returns:
        Coverage and QD score of everything evaluated, in per cent.
    """
    dim, settings, grid = _dim(case), algorithm.settings, algorithm.archive
    shape = {"solution_dim": dim, "dims": CELLS, "ranges": case.descriptor.bounds, "dtype": np.float32}
    thresholds = {} if grid.threshold_min is None else {"threshold_min": 0, "learning_rate": grid.learning_rate}
    archive, everything = GridArchive(**shape, **thresholds, seed=seed), GridArchive(**shape, seed=seed)
    make: Callable[..., Any] = getattr(ribs.emitters, algorithm.emitter)
    seeds = np.random.SeedSequence(seed).spawn(algorithm.count)
    emitters = [make(archive, x0=np.zeros(dim), **settings, seed=each.generate_state(1)[0]) for each in seeds]
    scheduler = Scheduler(archive, emitters, everything)
    feature = case.descriptor.feature

    @jax.jit
    def evaluate(solutions: Any) -> tuple[Any, Any]:
        evaluation = case.domain.evaluate(None, solutions)
        return evaluation.objective, evaluation.features[feature]

    if first is not None:
        for each in (archive, everything):
            each.add(first, *map(np.asarray, evaluate(first)))
    for _ in range(iterations):
        scheduler.tell(*map(np.asarray, evaluate(scheduler.ask())))
    return _scores(everything)


def agreement(table: list[Row]) -> list[str]:
    """Returns a line for each difference of a table: the difference, and whether it is one (Student, Holm, 5 %)."""
    return [
        f"{row.case:28} {row.metric:9} {row.method}: {row.value:.2f} [{row.low:.2f}, {row.high:.2f}], "
        + ("DIFFER" if row.p < 0.05 else "agree")
        for row in table
        if " - " in row.method
    ]


def _dim(case: Case) -> int:
    return case.domain.sample(keys.new(0), 1).shape[1]


def _judge(everything: Any, batch: Batch) -> None:
    insert(everything, batch.ids, batch.solutions, batch.evaluation.objective, batch.measures, {})


def _scores(everything: Any) -> dict[str, float]:
    objective = everything.data(["objective"])["objective"].astype(np.float64)
    cells = int(np.prod(CELLS))
    return {"coverage": 100 * len(objective) / cells, "qd_score": metrics.qd_score(objective, cells, (0.0, 100.0))}


if __name__ == "__main__":
    command.run()
