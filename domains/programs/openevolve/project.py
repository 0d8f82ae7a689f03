"""A folder of openevolve (0.4) as a problem: its program, its evaluator with cascade stages, its config.

The evaluator and the program run in our sandbox. Which settings of the config are not honoured is printed at the start.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

import yaml

from domains.programs.code import frame, imports
from domains.programs.measures import describe
from domains.programs.openevolve.driver import DRIVER
from domains.programs.problem import Score
from domains.programs.sandbox.limits import Execution
from qd.support.errors import UserError

BUILT_IN = {"complexity": "length", "diversity": "distance", "score": "fitness"}  # openevolve's own dimension -> ours
_LANGUAGES = {".py": "python", ".r": "r", ".rs": "rust", ".cpp": "cpp", ".js": "javascript", ".jl": "julia"}
_FITNESS = "combined_score"
_DEFAULTS = {
    "diff_based_evolution": True,
    "max_code_length": 10_000,
    "prompt": {"system_message": ""},
    "llm": {"temperature": 0.7, "max_tokens": 4096},
    "database": {
        "feature_dimensions": ["complexity", "diversity"],
        "feature_bins": 10,
        "num_islands": 5,
        "migration_interval": 50,
        "migration_rate": 0.1,
    },
    "evaluator": {
        "parallel_evaluations": 1,
        "timeout": 300,
        "cascade_evaluation": True,
        "cascade_thresholds": [0.5, 0.75, 0.9],
    },
}  # what we honour, with openevolve's defaults (openevolve 0.4.1, config.py)
_OURS = {  # what stands for a setting here
    "max_iterations": "budget=",
    "checkpoint_interval": "save_every=",
    "random_seed": "seed=",
    "database.random_seed": "seed=",
    "evaluator.memory_limit_mb": "sandbox.limits.memory=",
    "llm.primary_model": "lm=",
    "llm.secondary_model": "lm=",
    "llm.models": "lm=",
    "llm.api_base": "lm.base_url=",
    "llm.top_p": "lm.extra={top_p: 0.95}",
    "llm.timeout": "lm.limits.timeout=",
    "llm.retries": "lm.limits=",
}


@dataclass(frozen=True)
class Project:
    """Features: fitness, length and distance for its dimensions, and each metric of its evaluator that is a dimension.

    openevolve scales dimensions to what it has met so far, so that a cell means another thing later; here bounds are fixed:
    0 to 1 for a metric, half to twice the first program's for its length, 0 to 0.2 for the distance from it, and what
    ``bounds`` says. (In ten examples of openevolve the best program has 0.87 to 1.33 of the length, and a distance up to 0.03.)
    """

    folder: str
    config: str = "config.yaml"
    bounds: Mapping[str, tuple[float, float]] = field(default_factory=dict)  # dimension -> (low, high)
    objective_range: tuple[float, float] | None = (0.0, 1.0)

    def __post_init__(self) -> None:
        if not Path(self.folder).is_dir():
            raise UserError(f"domain.project={self.folder} is no folder", "type domain.project=FOLDER of an openevolve project")
        files = {"evaluator.py": self._evaluator, "initial_program.*": self._program}
        lacking = [name for name, path in files.items() if not path]
        if lacking:
            raise UserError(
                f"{self.folder} has no {' and no '.join(lacking)}", "type domain.project=FOLDER of an openevolve project"
            )
        if frame(self._first) is None:
            problem = f"{self._program}: its EVOLVE-BLOCK markers are not in order"
            raise UserError(problem, "write a START and an END around each part that may change, or none")
        for name, pair in dict(self.bounds).items():
            if not (isinstance(pair, list | tuple) and len(pair) == 2 and all(map(_is_number, pair)) and pair[0] < pair[1]):
                raise UserError(f"domain.bounds.{name}={pair} is no (low, high)", "type domain.bounds={speed: [0, 20]}")
        object.__setattr__(self, "bounds", tuple(sorted(dict(self.bounds).items())))
        names = self.dimensions
        if len(names) != len(self.dims) or not names:
            raise UserError(f"{self.folder}: feature_dimensions={list(names)} do not fit feature_bins", "correct its config")

    @property
    def statement(self) -> str:
        """The system message of its prompts."""
        system = str(self.settings["prompt"]["system_message"]).strip()
        fixed = " Only the code between the EVOLVE-BLOCK markers may change." if "EVOLVE-BLOCK" in self.initial[0] else ""
        return f"{system or 'Improve this program so that its score rises.'}{fixed}"

    @property
    def initial(self) -> tuple[str, ...]:
        """Its first program."""
        return (self._first,)

    @property
    def language(self) -> str:
        """By the ending of its program."""
        return _LANGUAGES.get(self._program.suffix.lower(), "text") if self._program else "python"

    @property
    def dimensions(self) -> tuple[str, ...]:
        """Its feature dimensions."""
        return tuple(self.settings["database"]["feature_dimensions"])

    @property
    def axes(self) -> tuple[str, ...]:
        """Our features for its dimensions."""
        return tuple(BUILT_IN.get(name, name) for name in self.dimensions)

    @property
    def features(self) -> tuple[str, ...]:
        """Fitness, and the metrics that are dimensions."""
        return tuple(dict.fromkeys(("fitness", *(name for name in self.dimensions if name not in BUILT_IN))))

    @property
    def dims(self) -> tuple[int, ...]:
        """Cells of each dimension."""
        bins = self.settings["database"]["feature_bins"]
        return tuple(int(bins.get(name, 10) if isinstance(bins, dict) else bins) for name in self.dimensions)

    @property
    def axis_bounds(self) -> tuple[tuple[float, float], ...]:
        """(low, high) of each dimension."""
        raw = dict(self.bounds)
        first = float(describe(self.initial[0])["length"][0])
        own = {"complexity": (first / 2, 2 * first), "diversity": (0.0, 0.2), "score": self.objective_range or (0.0, 1.0)}
        pairs = (raw.get(name, own.get(name, (0.0, 1.0))) for name in self.dimensions)
        return tuple((float(low), float(high)) for low, high in pairs)

    @property
    def in_flight(self) -> int:
        """Programs that openevolve has in the works at a time (process_parallel.py): twice its workers, evenly by island."""
        islands, workers = (
            int(self.settings[group][name])
            for group, name in (("database", "num_islands"), ("evaluator", "parallel_evaluations"))
        )
        return max(1, 2 * workers // islands) * islands

    @cached_property
    def settings(self) -> dict[str, Any]:
        """What we honour of its config, with openevolve's defaults. Raises UserError where it is no config."""
        raw = self._raw
        merged = {}
        for name, default in _DEFAULTS.items():
            value = raw.get(name)
            if isinstance(default, dict):
                value = value if isinstance(value, dict) else {}
                merged[name] = default | {key: value[key] for key in default if value.get(key) is not None}
            else:
                merged[name] = default if value is None else value
        return merged

    @property
    def not_honoured(self) -> dict[str, str]:
        """Settings of its config that change nothing here -> what to type instead; empty where nothing does."""
        names = {}
        for name, value in self._raw.items():
            default = _DEFAULTS.get(name)
            if isinstance(value, dict):
                known = default if isinstance(default, dict) else {}
                names |= {f"{name}.{key}": _OURS.get(f"{name}.{key}", "") for key in value if key not in known}
            elif name not in _DEFAULTS:
                names[name] = _OURS.get(name, "")
        return names

    def job(self, source: str) -> Execution:
        """Calls its evaluator, stage by stage where it has stages; arguments as in ``Problem``."""
        assert self._evaluator and self._program  # checked above
        evaluator = self.settings["evaluator"]
        inputs = {
            "program": source,
            "evaluator": str(self._evaluator.resolve()),
            "name": self._program.name,
            "thresholds": list(evaluator["cascade_thresholds"]) if evaluator["cascade_evaluation"] else None,
        }
        timeout = float(evaluator["timeout"])
        folders = (str(self._evaluator.resolve().parent),)
        return Execution("", DRIVER, inputs, folders=folders, packages=self._packages, wall=timeout)

    def score(self, value: Any) -> Score:
        """Reads metrics and artifacts.

        Args:
            value: {metrics, artifacts, words}.
        """
        if not isinstance(value, dict) or not isinstance(value.get("metrics"), dict):
            return Score(math.nan, {}, f"the evaluator returned no metrics: {str(value)[:200]}")
        metrics = {name: float(each) for name, each in value["metrics"].items() if _is_number(each)}
        artifacts = "\n".join(f"{name}: {str(each)[:500]}" for name, each in (value.get("artifacts") or {}).items())
        if isinstance(error := value["metrics"].get("error"), str) and error:
            return Score(math.nan, {}, f"{error}\n{artifacts}".strip())  # openevolve stores such a program with its score of 0
        fitness = math.nan if _FITNESS in value["metrics"].keys() - metrics.keys() else _fitness(metrics, self.dimensions)
        own = [name for name in self.features if name != "fitness"]
        lacking = [name for name in own if name not in metrics]
        if lacking and not math.isnan(fitness):
            words = f"the evaluator's metrics are {', '.join(sorted(metrics))}; the feature dimension {lacking[0]} is none"
            return Score(math.nan, {}, f"{artifacts}\n{words}".strip())
        if math.isnan(fitness):
            return Score(math.nan, {}, artifacts or "the evaluator returned no score")
        shown = ", ".join(f"{name} {each:.4g}" for name, each in metrics.items())
        return Score(fitness, {"fitness": fitness} | {name: metrics[name] for name in own}, f"{shown}\n{artifacts}".strip())

    @cached_property
    def _raw(self) -> dict[str, Any]:
        path = Path(self.folder, self.config)
        if not path.is_file():
            others = sorted(each.name for each in Path(self.folder).glob("*.yaml"))
            if self.config != "config.yaml" or others:
                raise UserError(f"{path} is no file", f"type domain.config={others[0] if others else 'FILE'}")
            return {}
        try:
            raw = yaml.safe_load(path.read_text(encoding="utf-8"))
        except yaml.YAMLError as error:
            raise UserError(f"{path} is no YAML ({error})", "correct it") from error
        if not isinstance(raw, dict):
            raise UserError(f"{path} holds no settings", "correct it")
        return raw

    @cached_property
    def _first(self) -> str:
        assert self._program  # checked above
        return self._program.read_text(encoding="utf-8")

    @cached_property
    def _packages(self) -> tuple[str, ...]:
        """What evaluator and program import, so that it is imported once for all programs."""
        assert self._evaluator  # checked above
        return imports(self._evaluator.read_text(encoding="utf-8")) + imports(self.initial[0])

    @property
    def _evaluator(self) -> Path | None:
        path = Path(self.folder, "evaluator.py")
        return path if path.is_file() else None

    @property
    def _program(self) -> Path | None:
        return next(iter(sorted(Path(self.folder).glob("initial_program.*"))), None)


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)


def _fitness(metrics: dict[str, float], dimensions: tuple[str, ...]) -> float:
    """combined_score, else the mean of the metrics that are no dimensions (openevolve, utils/metrics_utils.py)."""
    if _FITNESS in metrics:
        return metrics[_FITNESS]
    rest = [value for name, value in metrics.items() if name not in dimensions] or list(metrics.values())
    return sum(rest) / len(rest) if rest else math.nan
