"""Bin packing: does a heuristic that the search finds beat best fit on held-out instances, and at what cost?

    qd study programs.packing [calls=400] [seeds=3] [lm=scripted] [methods=MAP-Elites]

The search sees 8 instances of 300 items and begins with first fit, best fit, and best fit with steps of numbers that may
be tuned; its map is laid out by how often a heuristic opens a bin without need and by the room that it leaves. The
program that is the best there, the oldest of equals, is judged on 40 instances of 500 items from another seed. *excess*:
per cent of bins beyond the lower bound, of the best program, of best fit and of first fit, on held-out instances; *gain*:
best fit's excess minus the program's; *better*: instances where it needs fewer bins than best fit, minus those where it
needs more. *random numbers* is best fit with such steps, of which all numbers are drawn, without a search. *search_excess* is
on the search's instances; *cpu_s* the cost of a run, the scripted model included, the server of a local one not.
"""

import random
import time
from typing import Annotated

import numpy as np

from domains.programs import Programs, objects
from domains.programs.coder import Coder
from domains.programs.problems.bin_packing import BEST_FIT, FIRST_FIT, BinPacking
from domains.programs.sandbox.bubblewrap import Bubblewrap
from experiments import command, study
from experiments.command import Names
from experiments.programs.searches import SCRIPTED, best, check_answers, played
from qd.config.compose import assemble, load
from qd.report.table import Row, Runs, summary

METHODS = {
    "random numbers": [],
    "MAP-Elites": ["emitter=code_rewrite"],
    "islands": ["emitter=code_islands", "emitter.weights=[1,0,0,0,0]"],
}
BUDGETS = {"quick": (40, 1), "first": (400, 3), "full": (2000, 10)}  # evaluations, seeds
STEPS = """def priority(item, bins):
    scores = []
    for room in bins:
        left = room - item
        score = -left
        if left > {0}:
            score -= {1}
        if left > {2}:
            score += {1}
        if left > {3}:
            score += {4}
        scores.append(score)
    return scores
"""  # best fit that avoids to leave some room which no later item is likely to fill
METRICS = ("gain", "better", "excess", "best_fit", "first_fit", "search_excess", "programs", "cpu_s")
AXES = [
    "domain.axes=[fresh,slack]",
    "domain_defaults.bounds=[[0,0.2],[0,0.15]]",
    "domain.problem.instances=8",
    "sandbox=bubblewrap",
]
PATIENT = [
    "lm.server.slots=12",
    "domain_defaults.batch_size=12",
    "lm.limits.timeout=3600",
    "lm.limits.deadline=7200",
]  # where the model is on this machine
HELD_OUT = BinPacking(items=500, instances=40, seed=1000)


def main(
    budget: Annotated[str, BUDGETS] = "first",
    calls: int = 0,
    seeds: int = 0,
    methods: Annotated[Names, METHODS] = (),
    lm: str = "scripted",
    out: str = "",
) -> None:
    """Does the missing runs, then writes and prints the table.

    Args:
        budget: a name in BUDGETS.
        calls: programs that are written; 0: as the budget says.
        seeds: number of seeds; 0: as the budget says.
        methods: empty: all.
        lm: a name in conf/lm, or scripted.
        out: folder of the results; empty: the default one.
    """
    n, several = calls or BUDGETS[budget][0], seeds or BUDGETS[budget][1]
    folder = study.folder("programs_packing", budget, out)
    runs = study.runs(folder)
    todo = ((f"{lm}, {n} programs", method, seed) for seed in range(several) for method in methods or METHODS)
    for case, method, seed in study.missing(runs, todo):
        model = SCRIPTED if lm == "scripted" else [f"lm={lm}", "lm.cache=runs/programs.sqlite", "lm.folder=null", *PATIENT]
        words = ["domain=bin_packing", *AXES, *model, *METHODS[method], "domain.folder=null", f"seed={seed}"]
        study.add(runs, case, method, seed, play(words, seed, n), METRICS)
    study.report(folder, rows(runs), METRICS, 3, ("numpy", "ribs", "pydantic-monty"))


def play(words: list[str], seed: int, programs: int) -> dict[str, float]:
    """Runs one search and judges its best program.

    Args:
        words: overrides of the run.
        seed: of the run.
        programs: to evaluate.

    Returns:
        The metrics.
    """
    start = time.process_time()
    if not any(word.startswith("emitter=") for word in words):
        domain = Programs(BinPacking(instances=8), Coder(None), Bubblewrap(), ("fresh", "slack"))
        sources = drawn(seed, programs)
        objective = domain.evaluate(np.zeros(0), objects(sources)).objective
        return judge(domain, sources, objective, start)
    components = assemble(load(words))
    search, domain = components.search, components.search.domain
    assert isinstance(domain, Programs)
    sources, objective = played(search, seed, objects(domain.problem.initial), lambda n: n >= programs)
    check_answers(components.services[0])
    return judge(domain, sources, objective, start)


def drawn(seed: int, n: int) -> list[str]:
    """Returns n heuristics of ``STEPS`` with random numbers: no model and no search.

    Args:
        seed: of the draws.
        n: how many.
    """
    rng = random.Random(seed)
    sources = []
    for _ in range(n):
        first, second = rng.randint(0, 8), rng.randint(10, 40)
        sources.append(STEPS.format(first, rng.randint(2, 60), second, rng.randint(second, 60), rng.randint(0, 30)))
    return sources


def judge(domain: Programs, sources: list[str], objective: np.ndarray, start: float) -> dict[str, float]:
    """Returns the metrics of the best program.

    Args:
        domain: with the sandbox and the journal.
        sources: [N], the oldest first.
        objective: [N], NaN where one failed.
        start: seconds of the processor at the start of the run.
    """
    cpu = (
        time.process_time()
        - start
        + sum(
            record.seconds
            for source in set(sources)
            if (record := domain.journal.find(source)) and record.seconds == record.seconds
        )
    )
    i = best(objective)
    bins = {
        name: excesses(domain, source)
        for name, source in {"best": sources[i], "best_fit": BEST_FIT, "first_fit": FIRST_FIT}.items()
    }
    means = {name: float(np.mean(each)) for name, each in bins.items()}
    sign = np.sign(bins["best_fit"] - bins["best"])
    print(sources[i], flush=True)
    return {
        "gain": means["best_fit"] - means["best"],
        "better": float(sign.sum()),
        "excess": means["best"],
        "best_fit": means["best_fit"],
        "first_fit": means["first_fit"],
        "search_excess": -float(objective[i]),
        "programs": float(len(sources)),
        "cpu_s": cpu,
    }


def excesses(domain: Programs, source: str) -> np.ndarray:
    """Returns the per cent of bins beyond the lower bound on each held-out instance, [N].

    Args:
        domain: with the sandbox.
        source: of the heuristic.
    """
    value = domain.sandbox.run(HELD_OUT.job(source)._replace(wall=300.0)).value
    return np.array(HELD_OUT.excesses(value))


def rows(runs: Runs) -> list[Row]:
    """Returns means over seeds."""
    return summary(runs, "mean")


if __name__ == "__main__":
    command.run()
