"""Bin packing: does a heuristic that the search finds beat best fit on held-out instances, and at what cost?

    qd study programs.packing [calls=300] [seeds=3] [lm=scripted]

The search sees 6 instances of 300 items; the program that is the best there, the oldest of equals, is judged on 8 of 500 items
from another seed. *excess*: per cent of bins beyond the lower bound, of the best program, of best fit and of first fit, on
held-out instances; *gain*: best fit's excess minus the program's. *search_excess* is on the search's instances.
"""

from typing import Annotated

import numpy as np

from domains.programs import Programs
from domains.programs import run as run_program
from domains.programs.problems.bin_packing import BEST_FIT, FIRST_FIT
from experiments import command, study
from experiments.command import Names
from experiments.programs.plans import SCRIPTED
from qd import keys
from qd.config.compose import assemble, load
from qd.report.table import Row, Runs, summary
from qd.search import run, start

METHODS = {"MAP-Elites": ["emitter=code_rewrite"], "islands": ["emitter=code_islands", "emitter.weights=[1,0,0,0,0]"]}
BUDGETS = {"quick": (40, 1), "first": (300, 3), "full": (2000, 10)}  # evaluations, seeds
METRICS = ("gain", "excess", "best_fit", "first_fit", "search_excess", "programs", "seconds")


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
        model = SCRIPTED if lm == "scripted" else [f"lm={lm}", "lm.cache=runs/programs.sqlite", "lm.folder=null"]
        words = ["domain=bin_packing", *model, *METHODS[method], "domain.folder=null", f"seed={seed}"]
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
    components = assemble(load(words))
    search, domain = components.search, components.search.domain
    assert isinstance(domain, Programs) and domain.final is not None
    sample_key, key = keys.split(keys.new(seed))
    state, batch = start(search, key, domain.sample(sample_key, 3))
    batches = [batch]
    for state, batch in run(search, state, programs):
        batches.append(batch)
    sources = [str(each) for each_batch in batches for each in each_batch.solutions]
    objective = np.concatenate([each.evaluation.objective for each in batches])
    best = int(np.nanargmax(objective))
    held = {
        name: -run_program(domain.final, domain.sandbox, source).objective
        for name, source in {"excess": sources[best], "best_fit": BEST_FIT, "first_fit": FIRST_FIT}.items()
    }
    seconds = [record.seconds for source in set(sources) if (record := domain.journal.find(source))]
    more = {"search_excess": -float(objective[best]), "programs": float(len(sources)), "seconds": float(np.nansum(seconds))}
    return held | {"gain": held["best_fit"] - held["excess"]} | more


def rows(runs: Runs) -> list[Row]:
    """Returns means over seeds."""
    return summary(runs, "mean")


if __name__ == "__main__":
    command.run()
