"""In the form of openevolve: two stages, metrics and artifacts, prints."""

import importlib.util

import helper
from openevolve.evaluation_result import EvaluationResult


def load(path):
    spec = importlib.util.spec_from_file_location("program", path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def evaluate(path):
    print("evaluating")
    value = load(path).answer()
    score = max(0.0, 1 - abs(value - helper.TARGET))
    return EvaluationResult(metrics={"combined_score": score, "size": value / 10}, artifacts={"note": f"it said {value:.2f}"})


def evaluate_stage1(path):
    value = load(path).answer()
    return {"runs": 1.0, "combined_score": 0.9 if value > 0 else 0.1, "size": 0.0}


def evaluate_stage2(path):
    return evaluate(path)
