"""Does QDAIF win once near copies of earlier texts are rejected? With and without, beside fixed examples, at equal calls.

    qd study qdaif.copies budget=quick|first [iterations=100] [seeds=3] [cases=opinions] ['methods=QDAIF,fixed few-shot']

Methods, metrics and calls are those of ``experiments/qdaif/study.py``; a text that is written again is a call too. All rows
are of one program, so that those of QDAIF and of fixed examples are run again here. The methods of a seed share one server,
which answers ``AT_ONCE`` calls at a time: a call costs less, and replies repeat no longer bit for bit. Their 12 initial texts
are the same: one run writes them before the others begin. The rows stand in the table of that study, as a case of their own.
"""

from typing import Annotated

from experiments import command, parallel, study
from experiments.command import Names
from experiments.qdaif.held_out import TICKS, ruler
from experiments.qdaif.scores import log_file, score_text_log, write_log
from experiments.qdaif.study import METHODS as ALL
from experiments.qdaif.study import METRICS, START, begin, play, rows
from qd.config.compose import Components, assemble, load

METHODS = ("QDAIF", "fixed few-shot", "QDAIF, no copies", "QDAIF, no copies by vectors", "fixed few-shot, no copies")
CASES = ("opinions", "stories_genre")
BUDGETS = {"quick": ("toy", 8, 2), "first": ("local", 100, 3)}  # model, iterations, seeds
AT_ONCE = 5  # runs, and slots of the server that they share


def main(
    budget: Annotated[str, BUDGETS] = "first",
    iterations: int = 0,
    seeds: int = 0,
    cases: Annotated[Names, CASES] = CASES[:1],
    methods: Annotated[Names, METHODS] = (),
    lm: str = "",
    answers: str = "runs/qdaif.sqlite",
    out: str = "",
) -> None:
    """Does the missing runs, seed by seed, then writes and prints the table.

    Args:
        budget: a name in BUDGETS.
        iterations: of each run; 0: as the budget says.
        seeds: number of seeds; 0: as the budget says.
        cases: names of cases.
        methods: empty: all.
        lm: a name in conf/lm; empty: the budget's.
        answers: file of stored answers of the language model.
        out: folder of the results; empty: the default one.
    """
    model, n, several = BUDGETS[budget]
    model, n = lm or model, iterations or n
    folder = study.folder("qdaif", budget, out)
    runs = study.runs(folder)
    plan = {f"{domain}, {n} iterations, one server": domain for domain in cases}
    todo = [(case, method, seed) for seed in range(seeds or several) for case in plan for method in methods or METHODS]
    always = [f"lm={model}", "lm.folder=null", *([] if model == "toy" else [f"lm.cache={answers}", *_shared()])]
    left = list(study.missing(runs, todo))

    def parts_of(case: str, method: str, seed: int) -> Components:
        return assemble(load([f"domain={plan[case]}", *always, *ALL[method], f"seed={seed}"]))

    for case, seed in dict.fromkeys((case, seed) for case, _, seed in left):
        first = parts_of(case, "QDAIF", seed)
        begin(first, seed)
        first.services[0].close()
    parts, judges = [parts_of(*key) for key in left], {case: ruler(plan[case]) for case, _, _ in left}
    of = dict(zip(left, parts, strict=True))
    for key, (metrics, lines) in parallel.results(left, lambda key: play(of[key], key[2], n, judges[key[0]]), AT_ONCE):
        write_log(log_file(folder, *key), lines)
        study.add(runs, *key, metrics | score_text_log(lines, TICKS[plan[key[0]]], START), METRICS)
    study.report(folder, rows(runs), METRICS, 1, ("numpy", "ribs", "openai", "xllamacpp", "onnxruntime"))


def _shared() -> list[str]:
    return [f"lm.server.slots={AT_ONCE}", "lm.limits.timeout=3600", "lm.limits.deadline=7200"]


if __name__ == "__main__":
    command.run()
