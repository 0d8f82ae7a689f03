"""Function synthesis at equal calls: repeated sampling, PlanSearch, RethinkMCTS, MAP-Elites over programs.

    qd study programs.plans budget=quick|first|full [calls=20] [seeds=1] [cases=roman] [methods=sampling] [lm=local]

A case is one of the 30 tasks. Each method makes ``calls`` calls of the model (its last generation is done whole), the initial
programs included. *solved*: 1 where the program that is the best on the public cases, the oldest of equals, passes all hidden
cases. *hidden*: the share of hidden cases that it passes; *public* likewise. *vendi*: effective number of different programs
(Vendi score of their syntax vectors) among the first ``COMPARED`` that could be read, *ideas* the same over embeddings of
MiniLM, where its weights are there. Replies are stored in runs/programs.sqlite: a study that was cut off goes on call by call.
"""

from pathlib import Path
from typing import Annotated, Any

import numpy as np

from domains.programs import Programs, measures
from domains.programs.code import fault_of
from domains.programs.problems.cases import CASES
from experiments import command, study
from experiments.command import Names
from qd import diversity, keys
from qd.config.compose import assemble, load
from qd.report.table import Row, Runs, summary
from qd.search import run, start
from qd.support.errors import UserError
from qd.types import Batch

METHODS = {
    "sampling": ["emitter=code_sampling"],
    "PlanSearch": ["emitter=code_plans"],
    "RethinkMCTS": ["emitter=code_thoughts"],
    "MAP-Elites": ["emitter=code_mix"],
}
BUDGETS = {  # model, calls, seeds, tasks
    "quick": ("scripted", 12, 1, 2),
    "first": ("local", 8, 1, 3),
    "full": ("local", 20, 5, 30),
}
METRICS = ("solved", "hidden", "public", "vendi", "programs", "failed", "calls")
COMPARED = 6
SCRIPTED = ["lm=toy", "lm.model=scripted", "lm.server._target_=experiments.programs.scripted.Scripted"]


def main(
    budget: Annotated[str, BUDGETS] = "first",
    calls: int = 0,
    seeds: int = 0,
    cases: Annotated[Names, CASES] = (),
    methods: Annotated[Names, METHODS] = (),
    lm: str = "",
    sandbox: str = "monty",
    out: str = "",
) -> None:
    """Does the missing runs, seed by seed, then writes and prints the table.

    Args:
        budget: a name in BUDGETS.
        calls: of a run; 0: as the budget says.
        seeds: number of seeds; 0: as the budget says.
        cases: names of tasks; empty: the first ones, as many as the budget says.
        methods: empty: all.
        lm: a name in conf/lm, or scripted; empty: the budget's.
        sandbox: a name in conf/sandbox.
        out: folder of the results; empty: the default one.
    """
    model, default_calls, several, count = BUDGETS[budget]
    n, model = calls or default_calls, lm or model
    folder = study.folder("programs_plans", budget, out)
    runs = study.runs(folder)
    plan = {f"{task}, {n} calls": task for task in cases or list(CASES)[:count]}
    todo = ((case, method, seed) for seed in range(seeds or several) for case in plan for method in methods or METHODS)
    for case, method, seed in study.missing(runs, todo):
        words = ["domain=synthesis", f"domain.problem.task={plan[case]}"]
        words += (
            SCRIPTED
            if model == "scripted"
            else [f"lm={model}", "lm.cache=runs/programs.sqlite", "lm.folder=null", "domain.coder.longest=400"]
        )
        words += [*METHODS[method], f"sandbox={sandbox}", "domain.folder=null", "domain_defaults.batch_size=2", f"seed={seed}"]
        study.add(runs, case, method, seed, play(words, seed, n), METRICS)
    study.report(folder, rows(runs), METRICS, 2, ("numpy", "ribs", "openai", "xllamacpp", "pydantic-monty"))


def play(words: list[str], seed: int, calls: int) -> dict[str, float]:
    """Runs one method until its calls are used up.

    Args:
        words: overrides of the run.
        seed: of the run.
        calls: of the model.

    Returns:
        The metrics.
    """
    components = assemble(load(words))
    search, lm, domain = components.search, components.services[0], components.search.domain
    assert isinstance(domain, Programs)
    sample_key, key = keys.split(keys.new(seed))
    batches: list[Batch] = []
    solutions = domain.sample(sample_key, 2)
    try:
        state, batch = start(search, key, solutions)
        batches.append(batch)
        while _calls(lm) < calls:
            ((state, batch),) = run(search, state, state.evaluations + 1)
            batches.append(batch)
    except UserError as error:  # both initial programs fail: the search has nothing to begin with
        print(f"not started: {error}", flush=True)
    sources = [str(each) for batch in batches for each in batch.solutions] or [str(each) for each in solutions]
    objective = [float(each) for batch in batches for each in batch.evaluation.objective] or [float("nan")] * len(sources)
    metrics = {"programs": float(len(sources)), "failed": float(np.isnan(objective).sum()), "calls": float(_calls(lm))}
    metrics |= judge(domain, sources, np.array(objective)) | spread(sources)
    lm.close()
    return metrics


def judge(domain: Programs, sources: list[str], objective: np.ndarray) -> dict[str, float]:
    """Returns how the best program on the public cases does on the hidden ones.

    Args:
        domain: with hidden cases.
        sources: [N], the oldest first.
        objective: [N] on the public cases.
    """
    held = domain.held_out
    assert held is not None
    if np.isnan(objective).all():
        return {"solved": 0.0, "hidden": 0.0, "public": 0.0}
    best = int(np.nanargmax(objective))
    hidden = float(held.evaluate(keys.split(keys.new(0), 1), np.array([sources[best]], object)).objective[0])
    hidden = 0.0 if np.isnan(hidden) else hidden
    return {"solved": float(hidden == 1), "hidden": hidden, "public": float(objective[best])}


def spread(sources: list[str]) -> dict[str, float]:
    """Returns the Vendi score of the first programs that can be read; NaN where there are fewer than COMPARED.

    Args:
        sources: [N], the oldest first.
    """
    whole = [each for each in sources if not fault_of(each) and measures.parse(each)][:COMPARED]
    if len(whole) < COMPARED:
        return {"vendi": float("nan")}
    metrics = {"vendi": diversity.vendi(np.array([measures.describe(each)["syntax"] for each in whole]))}
    if (embed := _minilm()) is not None:
        metrics["ideas"] = diversity.vendi(np.asarray(embed(whole)))
    return metrics


def _minilm() -> Any:
    from feedback.judges.encoders import MiniLM

    try:
        embed = MiniLM()
        embed([])
    except UserError:
        return None
    return embed


def _calls(lm: Any) -> int:
    """Calls of the model, those that the cache answered included."""
    rows = [row for row in lm.report() if row["role"] != "probe"]
    return int(sum(row["calls"] - sum(row["why"].values()) + row["cached"] for row in rows))


def rows(runs: Runs) -> list[Row]:
    """Returns means over seeds."""
    return summary(runs, "mean")


if __name__ == "__main__":
    Path("runs").mkdir(exist_ok=True)
    command.run()
