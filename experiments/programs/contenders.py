"""Both sides of a comparison on a project of openevolve, each in a process of its own, and the evaluator by itself."""

import json
import math
import os
import re
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import yaml

from domains.programs.code import fault_of
from domains.programs.openevolve.project import Project
from experiments.programs import bare
from experiments.programs.metered import Meter, metered
from qd.support import growing

CONFIGS = {  # project -> its config
    "function_minimization": "config.yaml",
    "circle_packing": "config_phase_1.yaml",
    "symbolic_regression": "config.yaml",
    "trivial": "config.yaml",  # the study's own
}
_PATIENCE = 3600  # seconds for a call: a model on two cores is slow
_ALONE = 24  # programs of a run on which the evaluator alone is timed


class Task(NamedTuple):
    """What both sides get."""

    project: Path
    folder: Path  # empty, for what is written
    url: str  # of the model
    seed: int
    calls: int  # of the model
    longest: int = 0  # tokens of a reply; 0: as the project's config says


class Played(NamedTuple):
    """What one side did."""

    scores: dict[str, float]  # different programs that were evaluated -> combined score; NaN: it failed
    evaluations: int  # programs that were run
    meter: Meter


def ours(task: Task, sandbox: str) -> Played:
    """Runs qd-atlas.

    Args:
        task: project, model, seed and calls.
        sandbox: of conf/sandbox.
    """
    words = ["domain=openevolve", f"domain.project={task.project}", f"domain.config={config_of(task.project).name}"]
    words += [f"sandbox={sandbox}", "lm=custom", "lm.model=scripted", f"lm.base_url={task.url}", "lm.price.in=0"]
    words += ["lm.price.out=0", f"lm.cache={task.folder}/lm.sqlite", f"seed={task.seed}", f"budget={task.calls + 1}"]
    words += ["console=off", "yes=true", "name=r", f"runs={task.folder}", f"domain.longest={task.longest}"]
    words += [f"lm.limits.timeout={_PATIENCE}", f"lm.limits.deadline={_PATIENCE}", f"emitter.batch_size={generation(task)}"]
    with (task.folder / "log").open("w") as log:
        meter = metered([sys.executable, "-m", "qd", "run", *words], task.folder, log)
    if meter.status:
        raise RuntimeError(f"qd run ended with status {meter.status}: {_tail(task.folder)}")
    (run,) = (task.folder / "r").iterdir()
    sources, scores = {}, {}
    for line in growing.read(run / "programs.jsonl"):
        sources |= {line["program"]: line["source"]} if "source" in line else {}
        source = sources.get(line["program"], "")
        if "of" in line and not fault_of(source):  # else a reply without code
            scores[source] = math.nan if line["objective"] is None else float(line["objective"])
    return Played(scores, len(scores), meter)


def generation(task: Task) -> int:
    """Returns how many programs a generation of ours has: at most the project's, and a divisor of the calls.

    Args:
        task: a generation is never cut, and the other side has not one call more.
    """
    most = Project(str(task.project), config_of(task.project).name).in_flight
    return max(n for n in range(1, most + 1) if task.calls % n == 0)


def openevolve(task: Task, peer: str) -> Played:
    """Runs openevolve.

    Args:
        task: project, model, seed and calls.
        peer: Python with openevolve.
    """
    config = yaml.safe_load(config_of(task.project).read_text(encoding="utf-8"))
    config["llm"] = {"models": [{"name": "scripted", "weight": 1.0}], "api_base": task.url, "api_key": "none"}
    config["llm"] |= {"timeout": _PATIENCE} | ({"max_tokens": task.longest} if task.longest else {})
    config |= {"random_seed": task.seed, "checkpoint_interval": task.calls, "max_iterations": task.calls}
    trace = task.folder / "trace.jsonl"  # all programs: its database drops some
    config["evolution_trace"] = {"enabled": True, "include_code": True, "include_prompts": False, "output_path": str(trace)}
    (task.folder / "config.yaml").write_text(yaml.safe_dump(config))
    words = [str(program_of(task.project)), str(task.project / "evaluator.py"), "--config", str(task.folder / "config.yaml")]
    words += ["--output", str(task.folder / "out"), "--iterations", str(task.calls)]
    run = "import sys; from openevolve.cli import main; sys.exit(main())"
    env = {name: value for name, value in os.environ.items() if name not in ("PYTHONPATH", "VIRTUAL_ENV")}
    with (task.folder / "log").open("w") as log:
        meter = metered([peer, "-c", run, *words], task.folder, log, env)
    lines = growing.read(trace)
    scores = {line["parent_code"]: _combined(line["parent_metrics"]) for line in lines if line.get("parent_code")}
    scores |= {line["child_code"]: _combined(line["child_metrics"]) for line in lines}
    if not lines:  # no reply gave a program, with which openevolve ends as failed: the first program is all that it has
        first = re.search(r"Evaluated program .*combined_score=([-+.\de]+)", (task.folder / "log").read_text(errors="replace"))
        if not first:
            raise RuntimeError(f"openevolve ended with status {meter.status}: {_tail(task.folder)}")
        scores = {program_of(task.project).read_text(encoding="utf-8"): float(first[1])}
    return Played(scores, 1 + len(lines), meter)


def evaluator_alone(project: Path, programs: Sequence[str], python: str) -> float:
    """Returns what the project's evaluator costs by itself: milliseconds of the processor for a program.

    Args:
        project: the folder.
        programs: of which some are evaluated again, evenly.
        python: in which it runs.
    """
    job = Project(str(project), config_of(project).name).job("")
    some = programs[:: max(1, len(programs) // _ALONE)]
    task = json.dumps({"driver": job.harness, "inputs": dict(job.inputs), "programs": some})
    env = {name: value for name, value in os.environ.items() if name not in ("PYTHONPATH", "VIRTUAL_ENV")}
    done = subprocess.run(
        [python, str(bare.__file__)],
        input=task,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
        env=env,
        check=True,
    )
    return float(json.loads(done.stdout)["cpu_ms"])


def config_of(project: Path) -> Path:
    """Returns the config of a project."""
    return project / CONFIGS.get(project.name, "config.yaml")


def program_of(project: Path) -> Path:
    """Returns the first program of a project."""
    return next(iter(sorted(project.glob("initial_program.*"))))


def _combined(metrics: dict[str, Any]) -> float:
    """The score; NaN where words say that the program failed, as in ours."""
    value = metrics.get("combined_score")
    return math.nan if isinstance(metrics.get("error"), str) or value is None else float(value)


def _tail(folder: Path) -> str:
    return (folder / "log").read_text(encoding="utf-8", errors="replace")[-600:]
