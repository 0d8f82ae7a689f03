"""What runs in the sandbox for a project of openevolve: its evaluator with cascade stages, as openevolve 0.4.1 calls it."""

DRIVER = '''
import asyncio
import importlib.util
import inspect
import os
import sys
import traceback
import types


class EvaluationResult:  # a dataclass would write its methods anew for each program, a tenth of what a small one costs
    def __init__(self, metrics, artifacts=None):
        self.metrics, self.artifacts = metrics, {} if artifacts is None else artifacts


if "openevolve" not in sys.modules and not importlib.util.find_spec("openevolve"):  # evaluators import this class, no more
    for name_of_module in ("openevolve", "openevolve.evaluation_result"):
        sys.modules[name_of_module] = types.ModuleType(name_of_module)
    sys.modules["openevolve"].evaluation_result = sys.modules["openevolve.evaluation_result"]
    sys.modules["openevolve"].EvaluationResult = EvaluationResult
    sys.modules["openevolve.evaluation_result"].EvaluationResult = EvaluationResult


def load(path):
    spec = importlib.util.spec_from_file_location("evaluation_module", path)
    module = importlib.util.module_from_spec(spec)
    sys.modules["evaluation_module"] = module
    spec.loader.exec_module(module)
    return module


def parts(answer):
    """Metrics and artifacts of a dict, of an EvaluationResult, or of what a coroutine returns."""
    if inspect.iscoroutine(answer):
        answer = asyncio.run(answer)
    metrics = getattr(answer, "metrics", answer)
    artifacts = getattr(answer, "artifacts", None) or {}
    metrics = {str(key): plain(value) for key, value in dict(metrics).items()}
    return metrics, {str(key): str(value) for key, value in artifacts.items()}


def plain(value):
    if value is None or isinstance(value, (bool, int, float, str)):
        return value
    item = getattr(value, "item", None)
    return item() if item is not None and getattr(value, "size", 0) == 1 else str(value)


def passes(metrics, threshold):
    """combined_score, else the mean of the numbers."""
    score = metrics.get("combined_score")
    if not isinstance(score, (int, float)):
        numbers = [v for k, v in metrics.items() if k != "error" and isinstance(v, (int, float)) and not isinstance(v, bool)]
        score = sum(numbers) / len(numbers) if numbers else 0.0
    return score >= threshold


def evaluate(module, path):
    if thresholds is None or not hasattr(module, "evaluate_stage1"):
        return parts(module.evaluate(path))
    metrics, artifacts = parts(module.evaluate_stage1(path))
    for number, threshold in zip((2, 3), thresholds):
        stage = getattr(module, "evaluate_stage%d" % number, None)
        if stage is None or not passes(metrics, threshold):
            break
        try:
            more, further = parts(stage(path))
        except Exception as error:
            metrics["stage%d_passed" % number] = 0.0
            artifacts["stage%d_stderr" % number] = describe(error)
            break
        metrics.update({k: v for k, v in more.items() if isinstance(v, (int, float)) and k != "error"})
        artifacts.update(further)
    return metrics, artifacts


with open(name, "w") as file:
    file.write(program)
sys.path.insert(0, os.path.dirname(evaluator))
metrics, artifacts = evaluate(load(evaluator), os.path.abspath(name))
result = {"metrics": metrics, "artifacts": artifacts}
'''
