"""Does a map help a language model to write well and diversely? QDAIF (Bradley et al. 2024) and its rivals at equal calls.

    qd experiment qdaif budget=quick|first|full [iterations=100] [seeds=3] [cases=opinions] ['methods=QDAIF,random search']

Every method starts from the same texts and ends once it has made as many calls as QDAIF makes in so many iterations: calls
to write and calls to judge count alike, and one that the cache answers counts too. What each wrote is laid out on one map.

*judge*: the score of the map by the language model that the search was guided by. *held out*: the same elites placed, and
found on the topic or not, by vectors of MiniLM, which guides no search; they are drawn to the judge's scale by the texts of
the start, and laid out in the same cells. *finer*: the judge's score of all texts in cells a quarter as wide. *copied*: texts
that are nearly an earlier one, in per cent. Answers are kept in runs/qdaif.sqlite, so that a run cut off goes on call by call.
"""

import json
import sys
from pathlib import Path
from typing import Any

import numpy as np

from experiments.qdaif.curves import curves, file_of, of_texts
from experiments.qdaif.held_out import TICKS, Ruler, ruler
from qd import abilities, diversity, keys, metrics
from qd.archives import HostElites
from qd.config.compose import assemble, load
from qd.report import table
from qd.search import run, start
from qd.support.errors import UserError
from qd.types import Search, State

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
}
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
START = 12  # texts of the start, those written by hand included


def main(
    budget: str = "first", iterations: str = "", seeds: str = "", cases: str = "", methods: str = "", lm: str = "",
    out: str = "", answers: str = "runs/qdaif.sqlite",
) -> None:  # fmt: skip
    """Runs what is missing, seed by seed so that methods stay level, then prints and writes the table."""
    if budget not in BUDGETS:
        raise UserError(f"there is no budget {budget!r}", f"type budget={' or budget='.join(BUDGETS)}")
    model, n, several, domains, compared = BUDGETS[budget]
    folder = Path(out or ("runs/qdaif-quick" if budget == "quick" else "experiments/results/qdaif"))
    runs, n = table.Runs(folder / "runs.jsonl"), int(iterations or n)
    chosen = _chosen(methods.split(",") if methods else compared, tuple(METHODS), "method")
    for seed in range(int(seeds or several)):
        for domain in _chosen(cases.split(",") if cases else domains, CASES, "case"):
            for method in chosen:
                case = f"{domain}, {n} iterations"
                if runs.has(case, method, seed):
                    continue
                words = [f"domain={domain}", f"lm={lm or model}", *METHODS[method]]
                kept = [] if (lm or model) == "toy" else [f"lm.cache={answers}"]
                told, texts = play([*words, *kept, "lm.folder=null"], seed, n, ruler(domain))
                told |= of_texts(texts, TICKS[domain], START)
                runs.add(case, method, seed, told)
                _keep(folder / "texts" / file_of(case, method, seed), texts)
                print(case, method, seed, {name: round(told[name], 1) for name in METRICS if name in told}, flush=True)
    print(table.text(written(folder, runs), METRICS))


def play(words: list[str], seed: int, iterations: int, held: Ruler | None) -> tuple[dict[str, float], list[dict[str, Any]]]:
    """Runs one method to the end of its calls; returns what was measured, and all texts in order."""
    search, _, _, services = assemble(load([*words, f"seed={seed}"]))
    lm, domain = services[0], search.domain
    sample_key, key = keys.split(keys.new(seed))
    state, batch = start(search, key, domain.sample(sample_key, START))
    begun, texts = _calls(lm), _lines(batch, 0)
    most = iterations * (1 + 1 + len(search.descriptor.bounds))  # one to write, one for quality, one for each axis
    for state, batch in run(search, state, until=100 * most):
        made = sum(_calls(lm).values()) - sum(begun.values())
        texts += _lines(batch, made)
        if made >= most:
            break
    calls = {role: n - begun.get(role, 0) for role, n in _calls(lm).items()}
    told = judged(search, state) | {"texts": len(texts), "failed": sum(not line["text"] for line in texts)}
    told |= {f"{role}_calls": float(n) for role, n in calls.items()}
    told |= _tokens(lm)
    lm.close()
    return told | (held_out(state, texts, held) if held else {}), texts


def judged(search: Search, state: State) -> dict[str, float]:
    """What the judge that guided the search says of its map."""
    said = metrics.of_archive(state.archive, abilities.of_domain(search.domain).objective_range)
    return {"qd_score": said["qd_score"], "coverage": said["coverage"], "quality": 100 * said["mean"]}


def held_out(state: State, texts: list[dict[str, Any]], held: Ruler) -> dict[str, float]:
    """What the held-out judge says of the elites, of all that was written, and how far it agrees on where texts lie."""
    (elites,) = HostElites(state.archive).take(np.arange(len(state.archive)), "solution")
    written = [line["text"] for line in texts if line["text"]]
    axes = np.array([line["kind"] for line in texts if line["text"]])
    placed, cells = held.places(written), int(np.prod(state.archive.dims))
    ranks = [_spearman(placed[:, i], axes[:, i]) for i in range(axes.shape[1])]
    return {
        "held_qd_score": held.qd_score(list(elites), cells),
        "held_coverage": 100 * len(held.filled(list(elites))) / cells,
        "held_qd_score_all": held.qd_score(written, cells),
        "held_coverage_all": 100 * len(held.filled(written)) / cells,
        "agreement": float(np.nanmean(ranks)),  # Spearman's rank correlation of both judges' axes
        "vendi": diversity.vendi(held.embed(written[: START + 30])),  # of as many texts in each run
    }


def written(folder: Path, runs: table.Runs) -> list[table.Row]:
    """Writes table.csv and about.json: means, and QDAIF's difference from each rival, paired by seed."""
    rows = table.summary(runs, np.mean)
    ran = dict.fromkeys((case, method) for case, method, _ in runs.records)
    for case, rival in ran:
        if rival != "QDAIF" and (case, "QDAIF") in ran:
            for metric in ("qd_score", "finer_qd_score", "held_qd_score"):
                if set(runs.column(case, "QDAIF", metric)) & set(runs.column(case, rival, metric)):
                    rows.append(table.difference(runs, case, "QDAIF", rival, metric, np.mean))
    for case in dict.fromkeys(case for case, _ in ran):
        figure = curves(folder / "texts", case, tuple(method for there, method in ran if there == case))
        figure.savefig(folder / f"{case.replace(', ', '-').replace(' ', '_')}.png", dpi=110)
    table.write(folder / "table.csv", rows)
    table.about(folder / "about.json", ("numpy", "ribs", "openai", "xllamacpp", "onnxruntime"))
    return rows


def _chosen(names: Any, known: tuple[str, ...], what: str) -> tuple[str, ...]:
    for name in names:
        if name not in known:
            raise UserError(f"there is no {what} {name!r}; there is {', '.join(known)}")
    return tuple(names)


def _calls(lm: Any) -> dict[str, int]:
    """Calls by role, those that the cache answered too; what was tried again counts once."""
    rows = [row for row in lm.report() if row["role"] != "probe"]
    return {row["role"]: row["calls"] - sum(row["why"].values()) + row["cached"] for row in rows}


def _tokens(lm: Any) -> dict[str, float]:
    """Tokens read and written in the whole run, start included, as if no cache had answered."""
    rows = [row for row in lm.report() if row["role"] != "probe"]
    return {"tokens": float(sum(row["tokens_in"] + row["tokens_out"] + row["saved_tokens"] for row in rows))}


def _lines(batch: Any, calls: int) -> list[dict[str, Any]]:
    objective, kind = batch.evaluation.objective, batch.evaluation.features["kind"]
    return [
        {
            "id": int(i),
            "calls": calls,
            "text": str(text),
            "quality": _number(q),
            "kind": [_number(x) for x in k],
            "status": int(s),
        }
        for i, text, q, k, s in zip(batch.ids, batch.solutions, objective, kind, batch.status, strict=True)
    ]


def _number(x: Any) -> float | None:
    return round(float(x), 5) if np.isfinite(x) else None


def _keep(path: Path, lines: list[dict[str, Any]]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("".join(json.dumps(line, ensure_ascii=False) + "\n" for line in lines), encoding="utf-8")


def _spearman(a: np.ndarray, b: np.ndarray) -> float:
    from scipy.stats import spearmanr

    if not (np.ptp(a) > 0 and np.ptp(b) > 0):
        return float("nan")
    return float(np.asarray(spearmanr(a, b))[0])


if __name__ == "__main__":
    main(**dict(arg.split("=", 1) for arg in sys.argv[1:]))
