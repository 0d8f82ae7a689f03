"""The same projects, the same scripted model, the same number of calls: qd-atlas beside openevolve 0.4.1.

    qd study programs.beside_openevolve examples=FOLDER peer=PYTHON [calls=60] [seeds=3] [cases=function_minimization]

examples: the folder ``examples`` of openevolve's repository; peer: the Python of an environment with openevolve. Both get
the project's own config, a scripted model on loopback and so many calls. *best*: openevolve's combined score of the best
program. *qd_score* and *coverage*: of the programs that each has at its end, on one map of length and distance from the first
program, 10 by 10. *evaluations_per_s*: programs evaluated by the seconds of the whole command, imports included.
"""

import json
import subprocess
import sys
import tempfile
import time
import urllib.request
from pathlib import Path
from typing import Annotated

import numpy as np
import yaml

from domains.programs import measures
from experiments import command, study
from experiments.command import Names
from experiments.programs import scripted
from qd.report.table import Row, Runs, summary
from qd.store import archive_file, checkpoints_of_openevolve
from qd.support import json_lines
from qd.support.errors import UserError

PROJECTS = {  # project -> its config
    "function_minimization": "config.yaml",
    "circle_packing": "config_phase_1.yaml",
    "signal_processing": "config.yaml",
}
METHODS = ("qd-atlas", "qd-atlas, no sandbox", "openevolve")
BUDGETS = {"quick": (12, 1), "first": (60, 3), "full": (300, 10)}  # calls, seeds
METRICS = ("best", "qd_score", "coverage", "evaluations", "calls", "evaluations_per_s", "wall_s")


def main(
    budget: Annotated[str, BUDGETS] = "first",
    calls: int = 0,
    seeds: int = 0,
    cases: Annotated[Names, PROJECTS] = (),
    methods: Annotated[Names, METHODS] = (),
    examples: str = "",
    peer: str = "",
    out: str = "",
) -> None:
    """Does the missing runs, then writes and prints the table.

    Args:
        budget: a name in BUDGETS.
        calls: of the model; 0: as the budget says.
        seeds: number of seeds; 0: as the budget says.
        cases: names of projects; empty: all.
        methods: empty: all.
        examples: folder of openevolve's examples.
        peer: Python with openevolve.
        out: folder of the results; empty: the default one.
    """
    n, several = calls or BUDGETS[budget][0], seeds or BUDGETS[budget][1]
    folder = study.folder("programs_beside_openevolve", budget, out)
    runs = study.runs(folder)
    pairs = [(f"{case}, {n} calls", method) for case in cases or PROJECTS for method in methods or METHODS]
    todo = ((case, method, seed) for seed in range(several) for case, method in pairs)
    for case, method, seed in study.missing(runs, todo):
        project = Path(examples, case.partition(",")[0])
        if not project.is_dir():
            raise UserError(f"examples={examples} has no {project.name}", "type examples=FOLDER of openevolve's examples")
        study.add(runs, case, method, seed, play(project, method, seed, n, peer), METRICS)
    study.report(folder, rows(runs), METRICS, 3, ("numpy", "ribs"))


def play(project: Path, method: str, seed: int, calls: int, peer: str) -> dict[str, float]:
    """Runs one method in a process of its own.

    Args:
        project: the folder.
        method: of METHODS.
        seed: of the run.
        calls: of the model.
        peer: Python with openevolve.

    Returns:
        The metrics.
    """
    with tempfile.TemporaryDirectory() as temporary, _model() as url:
        here, before, start = Path(temporary), _calls(url), time.perf_counter()
        play_one = _openevolve if method == "openevolve" else _ours
        sources, scores, evaluated = play_one(project, here, url, seed, calls, peer if method == "openevolve" else method)
        wall = time.perf_counter() - start
        metrics = score(project, sources, scores)
        return metrics | {
            "evaluations": float(evaluated),
            "calls": float(_calls(url) - before),
            "wall_s": wall,
            "evaluations_per_s": evaluated / wall,
        }


def score(project: Path, sources: list[str], scores: np.ndarray) -> dict[str, float]:
    """Returns best, QD score (sum of scores above 0 by cells) and coverage on the common map.

    Args:
        project: the folder; its first program is the origin.
        sources: [N].
        scores: [N], NaN where there is none.
    """
    first = next(iter(sorted(project.glob("initial_program.*")))).read_text(encoding="utf-8")
    origin, cells = measures.describe(first), {}
    for source, value in zip(sources, scores, strict=True):
        here = measures.describe(source)
        length = here["length"][0] / (4 * origin["length"][0])
        distance = 1 - here["syntax"] @ origin["syntax"]
        cell = tuple(int(np.clip(10 * x, 0, 9)) for x in (length, distance))
        if np.isfinite(value):
            cells[cell] = max(cells.get(cell, 0.0), float(value))
    return {
        "best": max(cells.values(), default=float("nan")),
        "qd_score": sum(cells.values()),
        "coverage": float(len(cells)),
    }


def _ours(project: Path, here: Path, url: str, seed: int, calls: int, method: str) -> tuple[list[str], np.ndarray, int]:
    sandbox = "none" if "no sandbox" in method else "bubblewrap"
    words = ["domain=openevolve", f"domain.project={project.resolve()}", f"domain.config={PROJECTS[project.name]}"]
    words += [f"sandbox={sandbox}", "lm=custom", "lm.model=scripted", f"lm.base_url={url}", "lm.price.in=0", "lm.price.out=0"]
    words += [f"seed={seed}", f"budget={calls + 1}", "console=off", "name=r", f"runs={here}", f"lm.cache={here}/lm.sqlite"]
    words += ["domain_defaults.batch_size=4", "renderings=1"]
    subprocess.run([sys.executable, "-m", "qd", "run", *words], check=True, stdout=subprocess.DEVNULL)
    (run,) = (here / "r").iterdir()
    columns = archive_file.load(run).columns
    evaluated = sum("of" in line for line in json_lines.read(run / "programs.jsonl"))
    return [str(each) for each in columns["solution"]], np.asarray(columns["objective"], float), evaluated


def _openevolve(project: Path, here: Path, url: str, seed: int, calls: int, peer: str) -> tuple[list[str], np.ndarray, int]:
    if not peer:
        raise UserError("peer= names no Python with openevolve", "type peer=VENV/bin/python")
    config = yaml.safe_load((project / PROJECTS[project.name]).read_text(encoding="utf-8"))
    config["llm"] = {"models": [{"name": "scripted", "weight": 1.0}], "api_base": url, "api_key": "none", "timeout": 60}
    config |= {"random_seed": seed, "checkpoint_interval": 10, "log_level": "WARNING", "max_iterations": calls}
    (here / "config.yaml").write_text(yaml.safe_dump(config))
    program = next(iter(sorted(project.glob("initial_program.*"))))
    words = [str(program), str(project / "evaluator.py"), "--config", str(here / "config.yaml"), "--output", str(here / "out")]
    run = "import sys; from openevolve.cli import main; sys.exit(main())"
    with (here / "log").open("w") as log:
        status = subprocess.run(
            [peer, "-c", run, *words, "--iterations", str(calls)], stdout=log, stderr=log, env=_plain_environment()
        ).returncode
    checkpoint = checkpoints_of_openevolve.find(here / "out")
    if checkpoint is None:
        raise RuntimeError(f"openevolve ended with status {status}: {(here / 'log').read_text()[-600:]}")
    sources, scores = checkpoints_of_openevolve.read(checkpoint)
    return [str(each) for each in sources], scores, calls + 1


def _plain_environment() -> dict[str, str]:
    import os

    return {name: value for name, value in os.environ.items() if name not in ("PYTHONPATH", "VIRTUAL_ENV")}


class _model:
    """The scripted model in a process of its own, so that its time is not ours."""

    def __enter__(self) -> str:
        self.child = subprocess.Popen([sys.executable, "-m", scripted.__name__], stdout=subprocess.PIPE, text=True)
        assert self.child.stdout is not None
        return self.child.stdout.readline().strip()

    def __exit__(self, *error: object) -> None:
        self.child.kill()
        self.child.wait()


def _calls(url: str) -> int:
    with urllib.request.urlopen(url) as answer:
        return json.load(answer)["calls"]


def rows(runs: Runs) -> list[Row]:
    """Returns means over seeds."""
    return summary(runs, "mean")


if __name__ == "__main__":
    command.run()
