"""Does a map help a language model to write well and diversely? QDAIF (Bradley et al. 2024) and its rivals at equal calls.

    qd study qdaif budget=quick|first|full [iterations=100] [seeds=3] [cases=opinions] ['methods=QDAIF,random search']

Every method starts from the same texts and may make as many calls as QDAIF makes in ``iterations``. Calls to write and calls
to judge both count, also where the cache answers. All methods are compared on the same map.

*judge*: the score of the map by the language model that guided the search. *held out*: the score of the same elites by vectors
of MiniLM, which guide no search: their axes are scaled to the judge's on the initial texts, and the cells are the same.
*finer*: the judge's score of all texts in cells a quarter as wide. *copied*: per cent of texts that nearly repeat an earlier
one. Answers are stored in runs/qdaif.sqlite, so that a run that was cut off continues call by call.
"""

from typing import Annotated, Any

import numpy as np

from experiments import command, study
from experiments.command import Names
from experiments.qdaif.curves import figure
from experiments.qdaif.held_out import TICKS, Ruler, ruler
from experiments.qdaif.scores import Lines, log_file, log_lines, score_text_log, write_log
from qd import abilities, diversity, keys
from qd.archives import HostElites
from qd.config.compose import Components, assemble, load
from qd.metrics import of_archive
from qd.report.table import Row, Runs, summary
from qd.search import run, start
from qd.types import Batch, Search, State

# Pools of ten: the paper's hold 100 of 2,000 texts, which of fewer than 100 would be all of them, that is random search.
METHODS = {
    "QDAIF": ["emitter=lmx_near"],
    "fixed few-shot": ["emitter=lmx_fixed"],
    "quality only": ["emitter=lmx_quality", "emitter.best=10"],
    "random search": ["emitter=lmx_random"],
    "NSAIF": ["emitter=lmx_nsaif", "emitter.most=10"],
    "shuffled few-shot": ["emitter=lmx_fixed", "emitter.shuffled=true"],
    "ROUGE-L": ["emitter=lmx_rouge"],
    "best of 4": ["emitter=lmx_best"],
    "QDAIF, replace": ["emitter=lmx_replace"],
    "QDAIF, no copies": ["emitter=lmx_near_new"],
    "QDAIF, no copies by vectors": ["emitter=lmx_near_new_vectors"],
    "fixed few-shot, no copies": ["emitter=lmx_near_new", "emitter.emitter._target_=domains.text.baselines.Few"],
}
REJECTING = (  # near copies: pairs beside QDAIF's own
    ("QDAIF, no copies", "fixed few-shot, no copies"),
    ("QDAIF, no copies by vectors", "fixed few-shot, no copies"),
    ("fixed few-shot, no copies", "fixed few-shot"),
)
FIRST = tuple(METHODS)[:5]
CASES = ("opinions", "stories_genre", "stories_ending", "stories")
BUDGETS = {  # model, iterations, seeds, cases, methods
    "quick": ("toy", 8, 2, CASES[:1], FIRST),
    "first": ("local", 100, 3, CASES[:1], FIRST),
    "full": ("local", 100, 5, CASES, tuple(METHODS)),
}
METRICS = (
    "qd_score",
    "coverage",
    "held_qd_score",
    "held_coverage",
    "quality",
    "finer_qd_score",
    "copied",
    "texts",
    "failed",
    "writer_calls",
    "judge_calls",
)
START = 12  # initial texts, hand-written ones included


def main(
    budget: Annotated[str, BUDGETS] = "first",
    iterations: int = 0,
    seeds: int = 0,
    cases: Annotated[Names, CASES] = (),
    methods: Annotated[Names, METHODS] = (),
    lm: str = "",
    answers: str = "runs/qdaif.sqlite",
    out: str = "",
) -> None:
    """Does the missing runs, seed by seed so that methods stay level; then writes and prints the table, and draws its curves.

    Args:
        budget: a name in BUDGETS.
        iterations: of each run; 0: as the budget says.
        seeds: number of seeds; 0: as the budget says.
        cases: names of cases; empty: those of the budget.
        methods: names of methods; empty: those of the budget.
        lm: a name in conf/lm; empty: the budget's.
        answers: file of stored answers of the language model.
        out: folder of the results; empty: the default one.
    """
    model, n, several, domains, default_methods = BUDGETS[budget]
    model, n = lm or model, iterations or n
    folder = study.folder("qdaif", budget, out)
    runs = study.runs(folder)
    plan = {f"{domain}, {n} iterations": domain for domain in cases or domains}
    todo = ((case, method, seed) for seed in range(seeds or several) for case in plan for method in methods or default_methods)
    for case, method, seed in study.missing(runs, todo):
        cache = [] if model == "toy" else [f"lm.cache={answers}"]
        words = [f"domain={plan[case]}", f"lm={model}", *METHODS[method], *cache, "lm.folder=null"]
        metrics, lines = play(assemble(load([*words, f"seed={seed}"])), seed, n, ruler(plan[case]))
        write_log(log_file(folder, case, method, seed), lines)
        study.add(runs, case, method, seed, metrics | score_text_log(lines, TICKS[plan[case]], START), METRICS)
    study.report(folder, rows(runs), METRICS, 1, ("numpy", "ribs", "openai", "xllamacpp", "onnxruntime"))
    for case in study.cases(runs):
        curves = figure(folder, case, tuple(study.methods(runs, case)))
        curves.savefig(folder / f"{case.replace(', ', '-').replace(' ', '_')}.png", dpi=110)


def begin(components: Components, seed: int) -> tuple[State, Batch]:
    """Writes and judges the initial texts of a seed, the same for all methods.

    Args:
        components: of the run.
        seed: of the run.

    Returns:
        The state and its first batch.
    """
    sample_key, key = keys.split(keys.new(seed))
    return start(components.search, key, components.search.domain.sample(sample_key, START))


def play(components: Components, seed: int, iterations: int, referee: Ruler | None) -> tuple[dict[str, float], Lines]:
    """Runs one method until its calls are used up.

    Args:
        components: of the run.
        seed: of the run.
        iterations: of the method.
        referee: the held-out judge; None: not scored.

    Returns:
        Metrics, and the log of its texts.
    """
    search, lm = components.search, components.services[0]
    state, batch = begin(components, seed)
    before, lines = _calls(lm), log_lines(batch, 0)
    most = iterations * (1 + 1 + len(search.descriptor.bounds))  # one to write, one for quality, one for each axis
    for state, batch in run(search, state, until=100 * most):
        calls = sum(_calls(lm).values()) - sum(before.values())
        lines += log_lines(batch, calls)
        if calls >= most:
            break
    metrics = judge_scores(search, state) | {"texts": len(lines), "failed": sum(not line["text"] for line in lines)}
    metrics |= {f"{role}_calls": float(n - before.get(role, 0)) for role, n in _calls(lm).items()}
    metrics |= _tokens(lm)
    lm.close()
    return metrics | (held_out(state, lines, referee) if referee else {}), lines


def judge_scores(search: Search, state: State) -> dict[str, float]:
    """Returns the scores of the map by the judge that guided the search.

    Args:
        search: its components.
        state: at the end of the run.
    """
    scores = of_archive(state.archive, abilities.of_domain(search.domain).objective_range)
    return {"qd_score": scores["qd_score"], "coverage": scores["coverage"], "quality": 100 * scores["mean"]}


def held_out(state: State, lines: Lines, referee: Ruler) -> dict[str, float]:
    """Returns the held-out judge's scores of the elites and of all texts, and how far both judges agree on measures.

    Args:
        state: at the end of the run.
        lines: log of all texts.
        referee: the held-out judge.
    """
    (elites,) = HostElites(state.archive).take(np.arange(len(state.archive)), "solution")
    texts = [line["text"] for line in lines if line["text"]]
    axes = np.array([line["kind"] for line in lines if line["text"]])
    places, cells = referee.places(texts), int(np.prod(state.archive.dims))
    ranks = [_spearman(places[:, i], axes[:, i]) for i in range(axes.shape[1])]
    return {
        "held_qd_score": referee.qd_score(list(elites), cells),
        "held_coverage": 100 * len(referee.fill(list(elites))) / cells,
        "held_qd_score_all": referee.qd_score(texts, cells),
        "held_coverage_all": 100 * len(referee.fill(texts)) / cells,
        "agreement": float(np.nanmean(ranks)),  # Spearman's rank correlation of both judges' axes
        "vendi": diversity.vendi(referee.embed(texts[: START + 30])),  # of as many texts in each run
    }


def rows(runs: Runs) -> list[Row]:
    """Returns means, and differences paired by seed: QDAIF's from each rival, and of those that reject copies."""
    metrics = ("qd_score", "finer_qd_score", "held_qd_score")
    pairs = [(case, "QDAIF", m) for case, m in dict.fromkeys((case, m) for case, m, _ in runs.records) if m != "QDAIF"]
    pairs += [(case, *pair) for case in study.cases(runs) for pair in REJECTING]
    return [*summary(runs, "mean"), *study.differences(runs, pairs, metrics)]


def _calls(lm: Any) -> dict[str, int]:
    """Returns calls by role, with those that the cache answered; a retried call counts once."""
    rows = [row for row in lm.report() if row["role"] != "probe"]
    return {row["role"]: row["calls"] - sum(row["why"].values()) + row["cached"] for row in rows}


def _tokens(lm: Any) -> dict[str, float]:
    """Tokens read and written in the whole run, start included, as if no cache had answered."""
    rows = [row for row in lm.report() if row["role"] != "probe"]
    return {"tokens": float(sum(row["tokens_in"] + row["tokens_out"] + row["saved_tokens"] for row in rows))}


def _spearman(a: np.ndarray, b: np.ndarray) -> float:
    from scipy.stats import spearmanr

    if not (np.ptp(a) > 0 and np.ptp(b) > 0):
        return float("nan")
    return float(np.asarray(spearmanr(a, b))[0])


if __name__ == "__main__":
    command.run()
