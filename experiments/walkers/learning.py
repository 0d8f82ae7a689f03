"""Which method finds the best walking policies: MAP-Elites, PGA-MAP-Elites, DCRL-MAP-Elites or CMA-MAE, at equal evaluations?

Networks of 64-64, episodes of at most 250 steps, noise-free. All are judged by one referee, a grid of the share of time that
each foot touches the floor, filled with everything evaluated: QD score, coverage, best objective. CMA-MAE is the scalable one,
with a diagonal covariance (Tjanaka et al. 2023). Learning is far cheaper than published (critics of 64-64 units, 150 steps of
64 transitions in a generation of 50; policies climb for 50 steps), so that a run takes a quarter of a minute of one core.

    qd study walkers.learning budget=quick|first
"""

import time
from typing import Annotated

from domains.walkers import Walker
from experiments import command, study
from experiments.command import Names
from feedback.descriptors.select import Select
from qd import keys, metrics, programs
from qd.archives import Grid
from qd.emitters.policy_gradient.dcrl import ConditionedPolicyGradient
from qd.emitters.policy_gradient.pga import PolicyGradient
from qd.emitters.policy_gradient.td3 import Td3
from qd.emitters.ribs import Ribs
from qd.emitters.vary import IsoLine, Vary
from qd.referee import Referee
from qd.report.table import Row, Runs, summary
from qd.search import run, start
from qd.support.spelling import unknown
from qd.types import Emitter, Search

BUDGETS = {"quick": 1, "first": 5}  # seeds
EVALUATIONS = {"quick": 200, "first": 600}
BATCH, INITIAL = 50, 100
DIMS = {"hopper": (100,), "walker2d": (32, 32)}
METHODS = ("MAP-Elites", "PGA-ME", "CMA-MAE", "DCRL-ME")
MAIN = METHODS[:3]  # of the first table
METRICS = ("qd_score", "coverage", "best")
PAIRS = (("PGA-ME", "MAP-Elites"), ("CMA-MAE", "MAP-Elites"), ("DCRL-ME", "PGA-ME"))
VARIATION = IsoLine(iso=0.005, line=0.05)
LEARNER = Td3(hidden=(64, 64), steps=150, minibatch=64)
POLICY_STEPS, REPLAY = 50, 200_000


def main(
    budget: Annotated[str, BUDGETS] = "quick", seeds: int = 0, methods: Annotated[Names, METHODS] = (), out: str = ""
) -> None:
    """Does the missing runs, then writes and prints the table; arguments as in ``study``."""
    programs.remember()
    folder = study.folder("walkers_learning", budget, out)
    runs = study.runs(folder)
    every = [
        (case(robot, EVALUATIONS[budget]), method, seed)
        for seed in range(seeds or BUDGETS[budget])
        for robot in DIMS
        for method in methods or MAIN
    ]
    for key in study.missing(runs, every):
        study.add(runs, *key, play(key[0].split("-")[0], key[1], key[2], EVALUATIONS[budget]))
    study.report(folder, rows(runs), (*METRICS, "cpu_s"), 3, ("mujoco-core", "gymnasium", "jax", "ribs", "numpy"))


def case(robot: str, evaluations: int) -> str:
    """Returns the name of a case."""
    return f"{robot}-uni, {evaluations} evaluations"


def play(robot: str, method: str, seed: int, evaluations: int) -> dict[str, float]:
    """Searches, and judges everything evaluated.

    Args:
        robot: of DIMS.
        method: of METHODS.
        seed: of the search.
        evaluations: the budget.

    Returns:
        QD score, coverage (%), best objective; the same at a half of the budget; control steps, and seconds of CPU time.
    """
    domain = Walker(robot)
    descriptor = Select("touch", domain.bounds)
    archive = Grid(DIMS[robot], 0.01, domain.objective_range[0]) if method == "CMA-MAE" else Grid(DIMS[robot])
    search = Search(domain, descriptor, archive, emitter(method, domain), keep=("touch", "lengths"))
    begun = time.process_time()
    key, sample_key = keys.split(keys.new(seed))
    state, batch = start(search, key, domain.sample(sample_key, INITIAL))
    bench, steps = Referee(descriptor, Grid(DIMS[robot])).open(batch), 0
    half: dict[str, float] = {}
    while True:
        bench.add(batch)
        steps += int(batch.evaluation.features["lengths"].sum())
        if not half and state.evaluations >= evaluations / 2:
            half = {f"{name}_at_half": value for name, value in scores(bench.archive, domain).items()}
        if state.evaluations >= evaluations:
            break
        ((state, batch),) = run(search, state, state.evaluations + 1)
    return scores(bench.archive, domain) | half | {"steps": steps, "cpu_s": time.process_time() - begun}


def emitter(method: str, domain: Walker) -> Emitter:
    """Returns a method's emitter.

    Args:
        method: of METHODS.
        domain: of its policies.
    """
    if method == "MAP-Elites":
        return Vary(VARIATION, BATCH)
    learning = {"td3": LEARNER, "policy_steps": POLICY_STEPS, "replay": REPLAY, "variation": VARIATION}
    if method == "PGA-ME":
        return PolicyGradient(domain.network, BATCH, policy_rate=1e-3, **learning)
    if method == "DCRL-ME":
        kinds = {"variations": BATCH // 2, "climbers": BATCH // 4, "injections": BATCH - BATCH // 2 - BATCH // 4}
        return ConditionedPolicyGradient(domain.network, domain.bounds, **kinds, policy_rate=1e-3, **learning)
    if method == "CMA-MAE":
        settings = {"ranker": "imp", "selection_rule": "mu", "restart_rule": "basic", "es": "sep_cma_es", "sigma0": 0.02}
        return Ribs("EvolutionStrategyEmitter", settings | {"batch_size": BATCH // 2}, count=2)
    raise unknown("method", method, METHODS)


def scores(archive: object, domain: Walker) -> dict[str, float]:
    """Returns METRICS of a referee's archive.

    Args:
        archive: a pyribs archive.
        domain: its objective range is the unit of the QD score.
    """
    table = metrics.of_archive(archive, domain.objective_range)
    return {name: table[name] for name in METRICS}


def rows(runs: Runs) -> list[Row]:
    """Returns means over seeds, and differences paired by seed.

    Args:
        runs: the finished runs.
    """
    pairs = [(name, *pair) for name in study.cases(runs) for pair in PAIRS]
    return summary(runs, "mean") + study.differences(runs, pairs, METRICS)


if __name__ == "__main__":
    command.run()
