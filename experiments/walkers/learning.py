"""Which method finds the best walking policies: MAP-Elites, PGA-MAP-Elites, DCRL-MAP-Elites or CMA-MAE, at equal evaluations?

Networks of 64-64, episodes of at most 250 steps, noise-free. All are judged by one referee, a grid of the share of time that
each foot touches the floor, filled with everything evaluated: QD score, coverage, best objective. CMA-MAE is the scalable
one, with a diagonal covariance (Tjanaka et al. 2023). Learning is cheaper than published: generations of 50, critics of 64-64
units; at 600 evaluations 150 steps of 64 transitions in a generation and policies that climb for 50 steps, which proved too
few; at 1,500 evaluations 300 steps of 100, and 100.

The referee's elites are evaluated once more, from starts as noisy as published, and placed by what they then do: corrected QD
score. Of methods with parents it is measured, by kind of offspring, how many enter the map and by how much a child beats its
(first) parent; of critics, how well Q of the last generation's steps agrees with the discounted rewards that followed.

    qd study walkers.learning budget=quick|first|full      full: seeds that chose no setting
"""

import time
from dataclasses import replace
from typing import Annotated, Any, NamedTuple

import numpy as np

from domains.walkers import Walker
from experiments import command, study
from experiments.command import Names
from feedback.descriptors.select import Select
from qd import keys, metrics, programs
from qd.archives import Grid, HostElites
from qd.emitters.policy_gradient import td3
from qd.emitters.policy_gradient.dcrl import ConditionedPolicyGradient
from qd.emitters.policy_gradient.pga import LearnerMemory, PolicyGradient
from qd.emitters.policy_gradient.td3 import Td3
from qd.emitters.ribs import Ribs
from qd.emitters.vary import IsoLine, Vary
from qd.referee import Referee
from qd.report.table import Row, Runs, summary
from qd.search import run, start
from qd.support.spelling import unknown
from qd.types import Batch, Emitter, Rows, Search

BUDGETS = {"quick": 1, "first": 5, "full": 5}  # seeds
EVALUATIONS = {"quick": 200, "first": 600, "full": 1500}
FIRST_SEED = {"quick": 0, "first": 0, "full": 200}  # settings were chosen on seeds 0 and 100
BATCH, INITIAL = 50, 100
DIMS = {"hopper": (100,), "walker2d": (32, 32)}
METHODS = ("MAP-Elites", "PGA-ME", "CMA-MAE", "DCRL-ME")
MAIN = METHODS[:3]  # of the first table
METRICS = ("qd_score", "coverage", "best")
COMPARED = (*METRICS, "corrected_qd_score")
PAIRS = (("PGA-ME", "MAP-Elites"), ("CMA-MAE", "MAP-Elites"), ("DCRL-ME", "PGA-ME"))
VARIATION = IsoLine(iso=0.005, line=0.05)
REPLAY = 400_000  # transitions


class Learning(NamedTuple):
    """How much is learned in a generation."""

    td3: Td3
    policy_steps: int


CHEAP = Learning(Td3(hidden=(64, 64), steps=150, minibatch=64), 50)
MORE = Learning(Td3(hidden=(64, 64), steps=300, minibatch=100), 100)
LEARNING = {"quick": CHEAP, "first": CHEAP, "full": MORE}


def main(
    budget: Annotated[str, BUDGETS] = "quick",
    seeds: int = 0,
    first_seed: int = -1,
    methods: Annotated[Names, METHODS] = (),
    out: str = "",
) -> None:
    """Does the missing runs, then writes and prints the table; arguments as in ``study``.

    Args:
        first_seed: the smallest seed; -1: as the budget says.
    """
    programs.remember()
    folder = study.folder("walkers_learning", budget, out)
    runs = study.runs(folder)
    first = FIRST_SEED[budget] if first_seed < 0 else first_seed
    every = [
        (case(robot, EVALUATIONS[budget]), method, seed)
        for seed in range(first, first + (seeds or BUDGETS[budget]))
        for robot in DIMS
        for method in methods or MAIN
    ]
    for key in study.missing(runs, every):
        study.add(runs, *key, play(key[0].split("-")[0], key[1], key[2], budget))
    study.report(folder, rows(runs), (*COMPARED, "cpu_s"), 3, ("mujoco-core", "gymnasium", "jax", "ribs", "numpy"))


def case(robot: str, evaluations: int) -> str:
    """Returns the name of a case."""
    return f"{robot}-uni, {evaluations} evaluations"


def play(robot: str, method: str, seed: int, budget: str) -> dict[str, float]:
    """Searches, and judges everything evaluated.

    Args:
        robot: of DIMS.
        method: of METHODS.
        seed: of the search.
        budget: a name in BUDGETS.

    Returns:
        QD score, coverage (%), best objective; the same at a half of the budget; the corrected QD score; what became of
        offspring, and how good the critic is; control steps of the search, and its seconds of CPU time.
    """
    evaluations = EVALUATIONS[budget]
    domain = Walker(robot, threads=1)  # so that its CPU time is not that of threads which wait
    descriptor = Select("touch", domain.bounds)
    archive = Grid(DIMS[robot], 0.01, domain.objective_range[0]) if method == "CMA-MAE" else Grid(DIMS[robot])
    search = Search(domain, descriptor, archive, emitter(method, domain, LEARNING[budget]), keep=("touch", "lengths"))
    begun = time.process_time()
    key, sample_key = keys.split(keys.new(seed))
    state, batch = start(search, key, domain.sample(sample_key, INITIAL))
    bench, steps, batches = Referee(descriptor, Grid(DIMS[robot])).open(batch), 0, []
    half: dict[str, float] = {}
    while True:
        bench.add(batch)
        steps += int(batch.evaluation.features["lengths"].sum())
        batches.append((batch.ids, batch.parents, batch.status, batch.evaluation.objective))
        if not half and state.evaluations >= evaluations / 2:
            half = {f"{name}_at_half": value for name, value in scores(bench.archive, domain).items()}
        if state.evaluations >= evaluations:
            break
        ((state, batch),) = run(search, state, state.evaluations + 1)
    costs = {"steps": steps, "cpu_s": time.process_time() - begun}
    measured = scores(bench.archive, domain) | half | corrected(bench.archive, domain, seed)
    return measured | offspring(batches) | (critic(state.memory, batch) if method == "PGA-ME" else {}) | costs


def corrected(archive: Any, domain: Walker, seed: int) -> dict[str, float]:
    """Evaluates a referee's elites once more, from noisy starts; one evaluation that chose nobody is without bias.

    Args:
        archive: a pyribs archive.
        domain: of its policies.
        seed: of the starts.

    Returns:
        The QD score of what they then do.
    """
    elites = HostElites(archive).rows()
    _, key = keys.split(keys.new(seed))
    again = replace(domain, noise=1.0).evaluate(keys.split(key, len(elites.ids)), elites.solutions)
    rows = Rows(elites.ids, elites.solutions, *again, np.isfinite(again.objective))
    referee = Referee(Select("touch", domain.bounds), Grid(DIMS[domain.robot]))
    fresh = referee.archive.open(rows, domain.bounds, (), 0)
    referee.judge(fresh, rows)
    return {"corrected_qd_score": metrics.of_archive(fresh, domain.objective_range)["qd_score"]}


def offspring(batches: list[tuple]) -> dict[str, float]:
    """Says what became of offspring that vary two parents, and of those that climbed the critic from one.

    Args:
        batches: ids, parents, status and objective of each generation, from the first on.

    Returns:
        Kind -> share that entered the map (%), and the mean objective less that of the first parent.
    """
    objective, table = np.concatenate([each[3] for each in batches]), {}
    rows = [each for each in batches[1:] if each[1] is not None and each[1].shape[1] == 2]
    if not rows:
        return {}
    ids, parents, status = (np.concatenate(column) for column in list(zip(*rows, strict=True))[:3])
    for kind, of in (("varied", parents[:, 1] >= 0), ("climbed", (parents[:, 0] >= 0) & (parents[:, 1] < 0))):
        if of.any():
            table[f"entered_{kind}"] = 100 * float((status[of] > 0).mean())
            table[f"gain_{kind}"] = float(np.nanmean(objective[ids[of]] - objective[parents[of, 0]]))
    return table


def critic(memory: LearnerMemory, batch: Batch) -> dict[str, float]:
    """Compares the first critic with what came.

    Args:
        memory: of PGA-MAP-Elites.
        batch: a generation, with its steps.

    Returns:
        The correlation of Q with the discounted rewards that followed, over all steps of robots that fell.
    """
    names = ("observations", "actions", "rewards", "lengths", "fell")
    seen, actions, rewards, lengths, fell = (np.asarray(batch.evaluation.features[name])[:, 0] for name in names)
    returns, after = np.zeros_like(rewards), np.zeros(len(rewards), rewards.dtype)
    for step in reversed(range(rewards.shape[1])):
        returns[:, step] = after = rewards[:, step] + CHEAP.td3.discount * after
    there = (np.arange(rewards.shape[1]) < lengths[:, None]) & fell[:, None]
    if there.sum() < 2:
        return {}
    q = np.asarray(td3.q_values(memory.learner.critics, seen[:, :-1][there], actions[there]))[0]
    return {"critic_correlation": float(np.corrcoef(q, returns[there])[0, 1])}


def emitter(method: str, domain: Walker, much: Learning) -> Emitter:
    """Returns a method's emitter.

    Args:
        method: of METHODS.
        domain: of its policies.
        much: how much it learns, if it does.
    """
    if method == "MAP-Elites":
        return Vary(VARIATION, BATCH)
    learning = {**much._asdict(), "replay": REPLAY, "variation": VARIATION}
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
    return summary(runs, "mean") + study.differences(runs, pairs, COMPARED)


if __name__ == "__main__":
    command.run()
