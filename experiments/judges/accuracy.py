"""How good are judges of texts? Each kind of judge, on unambiguous texts and on hostile ones that try to give it orders.

42 texts on three axes (texts.jsonl), and for each axis the payloads of judges/grading/injection_probes.py. A judge is
*flipped* where it judges the plain text rightly and the hostile one wrongly. The naive judge reads the bare text; for the
other one the prompt is hardened. It is a sanity check: easy texts, one prompt each, no claim of more.

    qd study judges.accuracy budget=quick|first [only=minilm,local]

quick: embeddings, and the 0.5B model by labels on the plain texts; first: both models, every kind, hostile texts too.
Weights come by `qd fetch local local_small minilm wordllama`; models without weights are left out and listed. Answers are
stored in runs/lm_judges.sqlite: no question is paid for twice, and the same command continues a study that was cut off.
"""

from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Annotated, NamedTuple

import numpy as np

from experiments import command, study
from experiments.command import Names
from experiments.judges.texts import AXES, TextAxis
from feedback.judges import prompts
from feedback.judges.calibration import accuracy, auc, platt
from feedback.judges.encoders import MiniLM, Static
from feedback.judges.grading.embedding import Anchors, LabelledAxis
from feedback.judges.grading.injection_probes import count_flips, probes
from feedback.judges.grading.language import Claim, Labels, Rating
from feedback.judges.protocols import Grade
from feedback.lm.client import LM
from feedback.lm.local.server import Local
from qd.report.table import Runs, summary, text

SOURCES = ("minilm", "wordllama", "local", "local_small")
BUDGETS = {"quick": ("local_small",), "first": ("local", "local_small")}  # language models
KINDS = ("labels", "naive")  # hardened or not, for hostile texts
HOSTILE = ("asked", "flipped", "asked_calibrated", "flipped_calibrated", "hostile_auc")
NAMES = {"local": "1.5B", "local_small": "0.5B"}


class Measurement(NamedTuple):
    """One row of the table, and the function that measures it."""

    case: str
    method: str
    measure: Callable[[], dict[str, float]]


def main(
    budget: Annotated[str, BUDGETS] = "quick",
    only: Annotated[Names, SOURCES] = (),
    answers: str = "runs/lm_judges.sqlite",
    out: str = "",
) -> None:
    """Does the missing runs, then writes and prints the table.

    Args:
        budget: a name in BUDGETS.
        only: names of sources, e.g. minilm,local; empty: all.
        answers: file of stored answers of language models.
        out: folder of the results; empty: the default one.
    """
    folder = study.folder("lm_judges", out=out)
    runs = study.runs(folder)
    for source, measurements in sources(budget, answers):
        if only and source not in only:
            continue
        try:
            for item in measurements:
                for key in study.missing(runs, [(item.case, item.method, 0)]):
                    study.add(runs, *key, item.measure())
        except ValueError as error:  # weights or an extra is missing: printed once, and nothing else stands in for it
            print(f"{source} is left out: {error}", flush=True)
    report(runs, folder)


def sources(budget: str, answers: str) -> Iterator[tuple[str, list[Measurement]]]:
    """Yields (source, measurements), the most informative first.

    Args:
        budget: a name in BUDGETS.
        answers: file of stored answers.
    """
    yield "minilm", list(_embeddings("MiniLM", MiniLM()))
    yield "wordllama", list(_embeddings("static", Static()))
    for name in BUDGETS[budget]:
        limits = {"concurrency": 1, "timeout": 600, "deadline": 1200}
        lm = LM(model=name, server=Local(name), cache=answers, limits=limits)
        yield name, list(_language(NAMES[name], lm, everything=budget == "first"))


def _language(model: str, lm: LM, everything: bool) -> Iterator[Measurement]:
    def kinds(axis: TextAxis) -> dict[str, Grade]:
        naive = Labels(lm, axis.question, axis.labels, orders=1, masked=False, prompt_form=prompts.naive)
        reverse = (axis.labels[1], axis.labels[0])
        naive_swapped = Labels(lm, axis.question, reverse, orders=1, masked=False, prompt_form=prompts.naive)
        return {
            "labels": Labels(lm, axis.question, axis.labels),
            "naive": naive,
            "naive swapped": lambda items: 1 - naive_swapped(items),
            "claims": Claim(lm, axis.claims[1], axis.claims[0]),
            "rating": Rating(lm, axis.rating),
        }

    def plans(what: Callable[[str, TextAxis, Grade], dict[str, float]], kind: str, prefix: str = "") -> Iterator[Measurement]:
        for name, axis in AXES.items():
            yield Measurement(
                prefix + name, f"{model} {kind}", lambda name=name, axis=axis: what(name, axis, kinds(axis)[kind.split(",")[0]])
            )

    yield from plans(_evaluate_plain, "labels")
    yield from plans(_calibrate, "labels, calibrated")
    if everything:
        hostile = [plans(_evaluate_hostile, kind, "hostile ") for kind in KINDS]
        for pair in zip(*hostile, strict=True):  # axis by axis
            yield from pair
        for kind in ("naive", "rating", "claims", "naive swapped"):
            yield from plans(_evaluate_plain, kind)
        for kind in ("rating, calibrated", "claims, calibrated"):
            yield from plans(_calibrate, kind)


def _embeddings(model: str, embed: Callable) -> Iterator[Measurement]:
    for name, axis in AXES.items():
        yield Measurement(
            name, f"{model} anchors", lambda name=name, axis=axis: _evaluate_plain(name, axis, Anchors(embed, *axis.anchors))
        )
        yield Measurement(name, f"{model} taught", lambda name=name, axis=axis: _teach(name, axis, embed))


def _evaluate_plain(name: str, axis: TextAxis, judge: Grade) -> dict[str, float]:
    texts, truth = axis.read(name)
    return _scores(judge(texts), np.array(truth))


def _calibrate(name: str, axis: TextAxis, judge: Grade) -> dict[str, float]:
    """Each half of the texts calibrates the judge for the other half, so that no text is judged by its own label."""
    texts, truth = axis.read(name)
    p, label = judge(texts), np.array(truth)
    probabilities, fold = np.full(len(p), np.nan), _folds(label)
    for other in (0, 1):
        probabilities[fold == other] = platt(p[fold != other], label[fold != other])(p[fold == other])
    return _scores(probabilities, label)


def _folds(label: np.ndarray) -> np.ndarray:
    """Splits the texts of each kind into two halves, alternately."""
    return np.array([int((label[:i] == kind).sum()) % 2 for i, kind in enumerate(label)])


def _teach(name: str, axis: TextAxis, embed: Callable) -> dict[str, float]:
    texts, truth = axis.read(name)
    p, label = np.full(len(texts), np.nan), np.array(truth)
    for other in (0, 1):
        examples, rest = np.flatnonzero(_folds(label) != other), np.flatnonzero(_folds(label) == other)
        judge = LabelledAxis(embed, tuple(texts[i] for i in examples), tuple(truth[i] for i in examples))
        p[rest] = judge([texts[i] for i in rest])
    return _scores(p, label)


def _evaluate_hostile(name: str, axis: TextAxis, judge: Grade) -> dict[str, float]:
    """Counts flips of the judge as it is, and calibrated on all plain texts: a bias towards one answer hides flips."""
    texts, truth = axis.read(name)
    tests = probes(texts, truth, axis.labels)
    plain, hostile = judge([test.plain for test in tests]), judge([test.hostile for test in tests])
    label, calibrate = np.array([test.truth for test in tests]), platt(judge(texts), np.array(truth))
    raw, even = count_flips(plain, hostile, label), count_flips(calibrate(plain), calibrate(hostile), label)
    after_calibration = {"asked_calibrated": even.correct, "flipped_calibrated": even.flips}
    return {"asked": raw.correct, "flipped": raw.flips, "hostile_auc": raw.auc, **after_calibration}


def _scores(p: np.ndarray, truth: np.ndarray) -> dict[str, float]:
    return {"accuracy": accuracy(p, truth), "auc": auc(p, truth), "answered": float(np.isfinite(p).mean())}


rows = partial(summary, statistic="mean")  # of its table


def report(runs: Runs, folder: Path) -> None:
    """Writes the table; prints the results on plain and on hostile texts, and how many hostile texts flip each judge.

    Args:
        runs: the finished runs.
        folder: of the results.
    """
    table = rows(runs)
    print(text([row for row in table if not row.case.startswith("hostile")], ("accuracy", "auc", "answered"), 3))
    study.report(folder, table, HOSTILE, 2, ("numpy", "openai", "xllamacpp", "onnxruntime", "tokenizers"))
    for model in NAMES.values():
        for form in ("", "_calibrated"):
            counts = {kind: [_sum(runs, f"{model} {kind}", what + form) for what in ("flipped", "asked")] for kind in KINDS}
            if all(hostile for _, hostile in counts.values()):
                summary_of_flips = ", ".join(f"{kind} {flips:g} of {hostile:g}" for kind, (flips, hostile) in counts.items())
                print(f"{model}{form.replace('_', ', ')}, flipped: {summary_of_flips}")


def _sum(runs: Runs, method: str, what: str) -> float:
    """Over the axes."""
    return sum(runs.column(f"hostile {name}", method, what).get(0, 0.0) for name in AXES)


if __name__ == "__main__":
    command.run()
