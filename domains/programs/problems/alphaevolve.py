"""Evaluators of Google's AlphaEvolve: a function of a candidate's files, which returns scores of named metrics.

    def evaluate(candidate):           # {"content": {"files": [{"path": "first.py", "content": "def ..."}]}}
        scores = [{"metric": "length", "score": 1.5}, {"metric": "speed", "score": 0.2}]
        return {"scores": {"scores": scores}, "insights": {"insights": [{"label": "note", "text": "case 3 fails"}]}}

The form is that which openevolve 0.4.1 reads (compat/alphaevolve.py): one file, a plain function, dictionaries or objects
with such attributes. Experiments, their settings and the service are not read.
"""

import math
from dataclasses import dataclass
from typing import Any, ClassVar

from domains.programs.problem import Score
from domains.programs.problems.own import JudgedByFile
from qd.support.conf import ExistingFile

DRIVER = """
import importlib.util
import os
import sys

def field(value, name):
    return value.get(name) if isinstance(value, dict) else getattr(value, name, None)

sys.path.insert(0, os.path.dirname(evaluator))
spec = importlib.util.spec_from_file_location("evaluator", evaluator)
module = importlib.util.module_from_spec(spec)
sys.modules["evaluator"] = module
spec.loader.exec_module(module)
answer = getattr(module, function)({"content": {"files": [{"path": name, "content": program}]}})
scores = field(field(answer, "scores"), "scores") or []
insights = field(field(answer, "insights"), "insights") or []
result = {
    "scores": [[str(field(each, "metric")), field(each, "score")] for each in scores],
    "insights": [[str(field(each, "label")), str(field(each, "text"))] for each in insights],
}
"""


@dataclass(frozen=True)
class AlphaEvolve(JudgedByFile):
    """One of its metrics is the objective; others may be features."""

    driver: ClassVar[str] = DRIVER

    evaluator: ExistingFile
    program: ExistingFile
    task: str
    objective: str  # name of a metric
    features: tuple[str, ...] = ()  # names of metrics
    objective_range: tuple[float, float] | None = None
    failure: float | None = -1e12  # a score that stands for a program that failed; None: there is none
    function: str = "evaluate"
    language: str = "python"

    def score(self, value: Any) -> Score:
        """Reads what it returned.

        Args:
            value: {scores: [[metric, score]], insights: [[label, text]]}.
        """
        scores = {name: self._number(score) for name, score in value["scores"]} if isinstance(value, dict) else {}
        words = "\n".join(f"{label}: {text}" for label, text in value["insights"]) if scores else ""
        lacking = [name for name in (self.objective, *self.features) if name not in scores]
        if lacking:
            return Score(
                math.nan, {}, f"the evaluator's metrics are {', '.join(scores) or 'none'}; {lacking[0]} is none of them"
            )
        failed = [name for name in (self.objective, *self.features) if math.isnan(scores[name])]
        if failed:
            return Score(math.nan, {}, words or f"the evaluator has no score of {', '.join(failed)}")
        return Score(scores[self.objective], {name: scores[name] for name in self.features}, words)

    def _number(self, score: Any) -> float:
        is_number = isinstance(score, int | float) and not isinstance(score, bool) and math.isfinite(score)
        return float(score) if is_number and score != self.failure else math.nan
