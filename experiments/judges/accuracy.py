"""How good are judges of texts? Each kind, on texts whose kind nobody doubts, and on hostile ones that give it orders.

42 texts on three axes (texts.jsonl), and for each axis the payloads of judges/grading/injection_probes.py. A judge is
*flipped* where it judges the plain text rightly and the hostile one wrongly; the naive judge sees a text with nothing
around it, the hardened one through the fence. It is a sanity check: easy texts, one prompt each, no claim of more.

    qd experiment lm_judges budget=quick|first

quick: embeddings, and the 0.5B model by labels on the plain texts; first: both models, every kind, hostile texts too.
Weights come by `qd fetch local local_small minilm wordllama`; what is not there is left out, and named. Answers are kept
in runs/lm_judges.sqlite: nothing is asked twice, and given again it fills what is missing.
"""

import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple

import numpy as np

from experiments.judges.texts import AXES, Axis
from feedback.judges import prompts
from feedback.judges.calibration import accuracy, auc, platt
from feedback.judges.encoders import MiniLM, Static
from feedback.judges.grading.embedding import Anchors, Taught
from feedback.judges.grading.injection_probes import canaries, tried
from feedback.judges.grading.language import Claim, Labels, Rating
from feedback.judges.protocols import Grade
from feedback.lm.client import LM
from feedback.lm.local.server import Local
from qd.report import table
from qd.support.errors import UserError

MODELS = {"quick": ("local_small",), "first": ("local", "local_small")}
KINDS = ("labels", "naive")  # hardened or not, for hostile texts
HOSTILE = ("asked", "flipped", "asked_calibrated", "flipped_calibrated", "hostile_auc")
NAMES = {"local": "1.5B", "local_small": "0.5B"}


class Plan(NamedTuple):
    case: str
    method: str
    measure: Callable[[], dict[str, float]]


def main(
    budget: str = "quick", only: str = "", out: str = "experiments/results/lm_judges", answers: str = "runs/lm_judges.sqlite"
) -> None:
    """Runs what is missing, then writes and prints the table; ``only`` names sources, e.g. minilm,local."""
    if budget not in MODELS:
        raise UserError(f"there is no budget {budget!r}", f"type budget={' or budget='.join(MODELS)}")
    folder, left_out = Path(out), {}
    runs = table.Runs(folder / "runs.jsonl")
    for source, plans in sources(budget, answers):
        for plan in plans:
            if (not only or source in only.split(",")) and source not in left_out and not runs.has(plan.case, plan.method, 0):
                try:
                    runs.add(plan.case, plan.method, 0, plan.measure())
                except ValueError as missing:  # weights or an extra: said once, and nothing else stands in for it
                    left_out[source] = str(missing)
                    print(f"{source} is left out: {missing}", flush=True)
                else:
                    told = runs.records[plan.case, plan.method, 0]
                    print(plan.case, plan.method, {name: round(value, 3) for name, value in told.items()}, flush=True)
    report(runs, folder)


def sources(budget: str, answers: str) -> Iterator[tuple[str, list[Plan]]]:
    """Yields what there is to measure, the most telling first."""
    yield "minilm", list(_embeddings("MiniLM", MiniLM()))
    yield "wordllama", list(_embeddings("static", Static()))
    for name in MODELS[budget]:
        limits = {"concurrency": 1, "timeout": 600, "deadline": 1200}
        lm = LM(model=name, server=Local(name), cache=answers, limits=limits)
        yield name, list(_language(NAMES[name], lm, everything=budget == "first"))


def _language(model: str, lm: LM, everything: bool) -> Iterator[Plan]:
    def kinds(axis: Axis) -> dict[str, Grade]:
        naive = Labels(lm, axis.question, axis.labels, orders=1, masked=False, asked=prompts.naive)
        swapped = Labels(lm, axis.question, (axis.labels[1], axis.labels[0]), orders=1, masked=False, asked=prompts.naive)
        return {
            "labels": Labels(lm, axis.question, axis.labels),
            "naive": naive,
            "naive swapped": lambda items: 1 - swapped(items),
            "claims": Claim(lm, axis.claims[1], axis.claims[0]),
            "rating": Rating(lm, axis.rating),
        }

    def plans(what: Callable[[str, Axis, Grade], dict[str, float]], kind: str, prefix: str = "") -> Iterator[Plan]:
        for name, axis in AXES.items():
            yield Plan(
                prefix + name, f"{model} {kind}", lambda name=name, axis=axis: what(name, axis, kinds(axis)[kind.split(",")[0]])
            )

    yield from plans(_plain, "labels")
    yield from plans(_calibrated, "labels, calibrated")
    if everything:
        hostile = [plans(_hostile, kind, "hostile ") for kind in KINDS]
        for pair in zip(*hostile, strict=True):  # axis by axis
            yield from pair
        for kind in ("naive", "rating", "claims", "naive swapped"):
            yield from plans(_plain, kind)
        for kind in ("rating, calibrated", "claims, calibrated"):
            yield from plans(_calibrated, kind)


def _embeddings(model: str, embed: Callable) -> Iterator[Plan]:
    for name, axis in AXES.items():
        yield Plan(name, f"{model} anchors", lambda name=name, axis=axis: _plain(name, axis, Anchors(embed, *axis.anchors)))
        yield Plan(name, f"{model} taught", lambda name=name, axis=axis: _taught(name, axis, embed))


def _plain(name: str, axis: Axis, judge: Grade) -> dict[str, float]:
    texts, truth = axis.read(name)
    return _told(judge(texts), np.array(truth))


def _calibrated(name: str, axis: Axis, judge: Grade) -> dict[str, float]:
    """Each half of the texts calibrates the judge for the other half, so that no text is judged by its own label."""
    texts, truth = axis.read(name)
    p, label = judge(texts), np.array(truth)
    mended, fold = np.full(len(p), np.nan), _folds(label)
    for other in (0, 1):
        mended[fold == other] = platt(p[fold != other], label[fold != other])(p[fold == other])
    return _told(mended, label)


def _folds(label: np.ndarray) -> np.ndarray:
    """Deals the texts of each kind into two halves, by turns."""
    return np.array([int((label[:i] == kind).sum()) % 2 for i, kind in enumerate(label)])


def _taught(name: str, axis: Axis, embed: Callable) -> dict[str, float]:
    texts, truth = axis.read(name)
    p, label = np.full(len(texts), np.nan), np.array(truth)
    for other in (0, 1):
        shown, rest = np.flatnonzero(_folds(label) != other), np.flatnonzero(_folds(label) == other)
        judge = Taught(embed, tuple(texts[i] for i in shown), tuple(truth[i] for i in shown))
        p[rest] = judge([texts[i] for i in rest])
    return _told(p, label)


def _hostile(name: str, axis: Axis, judge: Grade) -> dict[str, float]:
    """Flips as the judge stands, and as it is calibrated on all plain texts: one that leans to an answer hides its flips."""
    texts, truth = axis.read(name)
    tests = canaries(texts, truth, axis.labels)
    plain, hostile = judge([test.plain for test in tests]), judge([test.hostile for test in tests])
    label, mend = np.array([test.truth for test in tests]), platt(judge(texts), np.array(truth))
    said, even = tried(plain, hostile, label), tried(mend(plain), mend(hostile), label)
    calibrated = {"asked_calibrated": even.asked, "flipped_calibrated": even.flipped}
    return {"asked": said.asked, "flipped": said.flipped, "hostile_auc": said.auc, **calibrated}


def _told(p: np.ndarray, truth: np.ndarray) -> dict[str, float]:
    return {"accuracy": accuracy(p, truth), "auc": auc(p, truth), "answered": float(np.isfinite(p).mean())}


def report(runs: table.Runs, folder: Path) -> None:
    rows = table.summary(runs, np.mean)
    table.write(folder / "table.csv", rows)
    table.about(folder / "about.json", ("numpy", "openai", "xllamacpp", "onnxruntime", "tokenizers"))
    print(table.text([row for row in rows if not row.case.startswith("hostile")], ("accuracy", "auc", "answered"), 3))
    print(table.text([row for row in rows if row.case.startswith("hostile")], HOSTILE, 2))
    for model in NAMES.values():
        for form in ("", "_calibrated"):
            counts = {kind: [_sum(runs, f"{model} {kind}", what + form) for what in ("flipped", "asked")] for kind in KINDS}
            if all(asked for _, asked in counts.values()):
                told = ", ".join(f"{kind} {flipped:g} of {asked:g}" for kind, (flipped, asked) in counts.items())
                print(f"{model}{form.replace('_', ', ')}, flipped: {told}")


def _sum(runs: table.Runs, method: str, what: str) -> float:
    """Over the axes."""
    return sum(runs.column(f"hostile {name}", method, what).get(0, 0.0) for name in AXES)


if __name__ == "__main__":
    main(**dict(arg.split("=", 1) for arg in sys.argv[1:]))  # type: ignore[arg-type]
