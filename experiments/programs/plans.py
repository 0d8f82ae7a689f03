"""Function synthesis at equal calls: repeated sampling, PlanSearch, RethinkMCTS, MAP-Elites over programs.

    qd study programs.plans budget=quick|first|full [calls=20] [seeds=1] [cases=roman] [methods=sampling] [lm=local]

A case is one of the 30 tasks; each method begins with a function that returns nothing and has ``calls`` replies of the
model, not one more: what a method would ask beyond them is not answered. *solved*: 1 where the program that is the best
on the public cases, the oldest of equals, passes all hidden cases; *any*: 1 where some program passes them. *hidden*: the
share of hidden cases that it passes; *public* likewise. *each*: the share of programs that pass all hidden cases, what one
program is worth; *gain*: *any* minus that (the paper's pass@k - pass@1). *cut*: replies that end within a block of code.
*vendi*: effective number of different programs (Vendi score of
their syntax vectors) among the first ``COMPARED`` that could be read, *ideas* the same over embeddings of MiniLM, where
its weights are there. The case *all tasks* has each method's mean over the tasks that all methods have, a task being one
sample; its differences are paired by task, and *vendi with gain* and *ideas with gain* are rank correlations over tasks.
``first`` is what two cores can do in two hours: 8 calls, replies of middle length, the small model, and PlanSearch without
criticism and pseudocode, which would leave it one program. ``full`` is the whole comparison. ``AT_ONCE`` runs share one
server, which answers as many calls at a time: a reply alone costs the processor two to five times as much. Replies are
stored in runs/programs.sqlite: a study that was cut off goes on call by call.
"""

import threading
from dataclasses import replace
from itertools import product
from pathlib import Path
from typing import Annotated, Any

import numpy as np
from scipy.stats import spearmanr

from domains.programs import Programs, measures, objects
from domains.programs.code import fault_of
from domains.programs.problems.cases import CASES
from domains.programs.problems.synthesis import Synthesis
from experiments import command, parallel, study
from experiments.command import Names
from experiments.programs.searches import SCRIPTED, best, check_answers, played
from qd import diversity, keys
from qd.config.compose import Components, assemble, load
from qd.report.table import Row, Runs, summary
from qd.support.errors import UserError

METHODS = {
    "sampling": ["emitter=code_sampling"],
    "PlanSearch": ["emitter=code_plans"],
    "RethinkMCTS": ["emitter=code_thoughts"],
    "MAP-Elites": ["emitter=code_mix"],
}
BUDGETS = {  # model, calls, seeds, tasks, tokens of a reply
    "quick": ("scripted", 12, 1, 2, 400),
    "first": ("local_small", 8, 1, 30, 200),
    "full": ("local", 20, 5, 30, 600),
}
AT_ONCE = 24  # runs, and slots of the server that they share: the tasks of a few minutes
PATIENT = ["lm.limits.timeout=3600", "lm.limits.deadline=7200", f"lm.server.slots={AT_ONCE}"]
PATIENT += ["sandbox.limits.seconds=60", "sandbox.limits.wall=120"]
SHORT = {
    "PlanSearch": ["emitter.criticism=false", "emitter.pseudocode=false", "emitter.count=3", "emitter.batch_size=3"]
}  # below 15 calls
METRICS = ("solved", "any", "each", "gain", "hidden", "public", "vendi", "ideas", "programs", "failed", "cut", "calls")
COMPARED = 3
ALL = "all tasks"


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
    model, default_calls, several, count, longest = BUDGETS[budget]
    n, model = calls or default_calls, lm or model
    folder = study.folder("programs_plans", budget, out)
    runs = study.runs(folder)
    tasks = cases or list(CASES)[:: len(CASES) // count][:count]
    plan = {f"{task}, {n} calls": task for task in tasks}
    local = [f"lm={model}", "lm.cache=runs/programs.sqlite", "lm.folder=null", f"domain.coder.longest={longest}", *PATIENT]
    always = ["domain=synthesis", "domain_defaults.batch_size=2", f"sandbox={sandbox}", "domain.folder=null"]
    always += SCRIPTED if model == "scripted" else local
    todo = ((case, method, seed) for seed in range(seeds or several) for case in plan for method in methods or METHODS)
    left, parts = list(study.missing(runs, todo)), []
    for case, method, seed in left:
        own = [*METHODS[method], *(SHORT.get(method, []) if n < 15 else [])]
        parts.append(assemble(load([*always, *own, f"domain.problem.task={plan[case]}", f"seed={seed}"])))
    if left and model != "scripted":
        print(parts[0].services[0].endpoint_traits, flush=True)  # found once, by calls, and stored for all
    of = dict(zip(left, parts, strict=True))
    for key, metrics in parallel.results(left, lambda key: play(of[key], key[2], n), AT_ONCE):
        study.add(runs, *key, metrics, METRICS)
    study.report(folder, rows(runs), METRICS, 2, ("numpy", "ribs", "openai", "xllamacpp", "pydantic-monty"))


class Capped:
    """A client that answers so many prompts, and no more."""

    def __init__(self, lm: Any, calls: int) -> None:
        self.lm, self.calls, self.used, self.cut = lm, calls, 0, 0
        self._lock = threading.Lock()

    def __call__(self, prompts: list[str], *, sample: Any = 0, **options: Any) -> list[str | None]:
        """Answers the first prompts that are left.

        Args:
            prompts: B prompts.
            sample: which of the model's answers, [B].
            options: of the client.

        Returns:
            B replies, None beyond the cap.
        """
        with self._lock:
            room = max(0, min(len(prompts), self.calls - self.used))
            self.used += room
        numbers = sample if isinstance(sample, int) else list(sample)[:room]
        answers = self.lm(prompts[:room], sample=numbers, **options) if room else []
        with self._lock:
            self.cut += sum((answer or "").count("```") % 2 for answer in answers)
        return [*answers, *[None] * (len(prompts) - room)]


def play(components: Components, seed: int, calls: int) -> dict[str, float]:
    """Runs one method until its calls are used up.

    Args:
        components: of the run.
        seed: of the run.
        calls: of the model.

    Returns:
        The metrics.
    """
    search, lm, domain = components.search, components.services[0], components.search.domain
    assert isinstance(domain, Programs)
    problem = domain.problem
    assert isinstance(problem, Synthesis)
    capped = Capped(lm, calls)
    domain = replace(domain, coder=replace(domain.coder, lm=capped))
    search = search._replace(domain=domain, emitter=replace(search.emitter, domain=domain))  # type: ignore[type-var]
    first = objects([f"{Synthesis(problem.task).head}\n    return None\n"])
    sources, objective = played(search, seed, first, lambda _: capped.used >= calls)
    check_answers(lm)
    sources, objective = sources[1:], objective[1:]
    answered = [i for i, source in enumerate(sources) if fault_of(source) != "the model returned nothing"]
    sources, objective = [sources[i] for i in answered], objective[answered]
    metrics = {"programs": float(len(sources)), "failed": float(np.isnan(objective).sum()), "calls": float(capped.used)}
    metrics["cut"] = float(capped.cut)
    metrics |= judge(domain, sources, objective) | spread(sources)
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
        return dict.fromkeys(("solved", "any", "each", "gain", "hidden", "public"), 0.0)
    hidden = np.nan_to_num(held.evaluate(keys.split(keys.new(0), len(sources)), objects(sources)).objective)
    i, passes = best(objective), hidden == 1
    metrics = {"solved": passes[i], "any": passes.any(), "each": passes.mean(), "gain": passes.any() - passes.mean()}
    return {name: float(value) for name, value in metrics.items()} | {"hidden": float(hidden[i]), "public": float(objective[i])}


def spread(sources: list[str]) -> dict[str, float]:
    """Returns the Vendi score of the first programs that can be read; none where there are fewer than COMPARED.

    Args:
        sources: [N], the oldest first.
    """
    whole = [each for each in sources if not fault_of(each) and measures.parse(each)][:COMPARED]
    if len(whole) < COMPARED:
        return {}
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


def rows(runs: Runs) -> list[Row]:
    """Returns means over seeds of each task, means over tasks, their differences from repeated sampling, correlations."""
    whole = over_tasks(runs)
    pairs = [(case, name, "sampling") for case in study.cases(whole) for name in METHODS if name != "sampling"]
    return [
        *summary(whole, "mean"),
        *study.differences(whole, pairs, ("solved", "any", "each", "gain", "hidden", "vendi", "ideas")),
        *correlations(whole),
        *summary(runs, "mean"),
    ]


def over_tasks(runs: Runs) -> Runs:
    """Returns runs of the case ``ALL``, a task's number as seed: each task's means over the seeds that all methods have."""
    whole = Runs(Path())
    kinds = dict.fromkeys(case.partition(", ")[2] for case in study.cases(runs))
    for kind in kinds:
        for number, task in enumerate(CASES):
            case = f"{task}, {kind}"
            seeds = set.intersection(*(set(runs.column(case, method, "solved")) for method in METHODS))
            for method in METHODS if seeds else ():
                columns = {name: runs.column(case, method, name) for name in METRICS}
                values = {name: [column[seed] for seed in seeds & column.keys()] for name, column in columns.items()}
                means = {name: float(np.mean(value)) for name, value in values.items() if value}
                whole.records[f"{ALL}, {kind}", method, number] = means
    return whole


def correlations(whole: Runs) -> list[Row]:
    """Returns the rank correlation over tasks of diversity with gain, by method; none where one of them is constant.

    The interval is that of Fisher's z with the variance of Bonett and Wright (2000, https://doi.org/10.1007/BF02294183).

    Args:
        whole: of ``over_tasks``.
    """
    table = []
    for case, method, name in product(study.cases(whole), METHODS, ("vendi", "ideas")):
        diversities, gains = whole.column(case, method, name), whole.column(case, method, "gain")
        tasks = sorted(diversities.keys() & gains.keys())
        x, y = ([column[task] for task in tasks] for column in (diversities, gains))
        if len(tasks) > 3 and np.ptp(x) and np.ptp(y):
            r = float(np.asarray(spearmanr(x, y))[0])
            width = 1.96 * np.sqrt((1 + r * r / 2) / (len(tasks) - 3))
            z = np.arctanh(np.clip(r, -0.999999, 0.999999))
            low, high = float(np.tanh(z - width)), float(np.tanh(z + width))
            table.append(Row(case, method, f"{name} with gain", r, low, high, len(tasks)))
    return table


if __name__ == "__main__":
    Path("runs").mkdir(exist_ok=True)
    command.run()
