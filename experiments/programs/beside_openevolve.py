"""The same projects, the same model, the same number of calls: qd-atlas beside openevolve 0.4.1.

    qd study programs.beside_openevolve examples=FOLDER peer=PYTHON [calls=100] [seeds=5] [cases=circle_packing] [lm=local]

examples: the folder ``examples`` of openevolve's repository; peer: the Python of an environment with openevolve. Both get
the project's own config, a scripted model on loopback (or one of conf/lm) and so many calls; methods take turns, seed by
seed. *best*: openevolve's combined score of the best program. *qd_score* and *coverage*: of the programs that each has at
its end, on one map of length and distance from the first program, 10 by 10. *evaluations*: programs that were run.
*evaluations_per_s* and *evaluations_per_cpu_s*: those by the seconds of the whole command, imports, map and page
included, by the clock and of the processor (without the model's). The data of ``symbolic_regression`` are not in its
folder: its own generator writes the project for data of ours (``regression``).
"""

import os
import re
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated

import numpy as np
import yaml

from domains.programs import measures
from experiments import command, study
from experiments.command import Names
from experiments.programs import regression, scripted
from feedback.lm.local.server import Local
from qd.report import table
from qd.report.table import Row, Runs, summary
from qd.store import archive_file, checkpoints_of_openevolve
from qd.support import growing
from qd.support.errors import UserError

PROJECTS = {  # project -> its config
    "function_minimization": "config.yaml",
    "circle_packing": "config_phase_1.yaml",
    "symbolic_regression": "config.yaml",
}
METHODS = ("qd-atlas", "qd-atlas, no sandbox", "openevolve")
BUDGETS = {"quick": (12, 1), "first": (100, 5), "full": (1000, 10)}  # calls, seeds
METRICS = ("best", "qd_score", "coverage", "evaluations", "evaluations_per_s", "evaluations_per_cpu_s", "wall_s", "cpu_s")
_DONE = re.compile(r"Iteration \d+: Program")  # in openevolve's log: a program that it evaluated


def main(
    budget: Annotated[str, BUDGETS] = "first",
    calls: int = 0,
    seeds: int = 0,
    cases: Annotated[Names, PROJECTS] = (),
    methods: Annotated[Names, METHODS] = (),
    examples: str = "",
    peer: str = "",
    lm: str = "scripted",
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
        lm: scripted, or local or local_small of conf/lm.
        out: folder of the results; empty: the default one.
    """
    n, several = calls or BUDGETS[budget][0], seeds or BUDGETS[budget][1]
    folder = study.folder("programs_beside_openevolve", budget, out)
    runs = study.runs(folder)
    kind = f"{n} calls" if lm == "scripted" else f"{n} calls of {lm}"
    pairs = [(f"{case}, {kind}", method) for case in cases or PROJECTS for method in methods or METHODS]
    todo = ((case, method, seed) for seed in range(several) for case, method in pairs)
    with tempfile.TemporaryDirectory() as temporary:
        for case, method, seed in study.missing(runs, todo):
            project = folder_of(case.partition(",")[0], examples, Path(temporary))
            study.add(runs, case, method, seed, play(project, method, seed, n, peer, lm), METRICS)
    study.report(folder, rows(runs), METRICS, 3, ("numpy", "ribs"))


def folder_of(project: str, examples: str, temporary: Path) -> Path:
    """Returns the folder of a project.

    Args:
        project: of PROJECTS.
        examples: folder of openevolve's examples.
        temporary: where the generator of symbolic_regression may write.
    """
    path = Path(examples, project).resolve()
    if not examples or not path.is_dir():
        raise UserError(f"examples={examples} has no {project}", "type examples=FOLDER of openevolve's examples")
    return regression.make(path, temporary) if project == "symbolic_regression" else path


def play(project: Path, method: str, seed: int, calls: int, peer: str, lm: str = "scripted") -> dict[str, float]:
    """Runs one method in a process of its own.

    Args:
        project: the folder.
        method: of METHODS.
        seed: of the run.
        calls: of the model.
        peer: Python with openevolve.
        lm: the model.

    Returns:
        The metrics.
    """
    with tempfile.TemporaryDirectory() as temporary, _model(lm) as url:
        before, start = _children_cpu(), time.perf_counter()
        play_one = _openevolve if method == "openevolve" else _ours
        played = play_one(project, Path(temporary), url, seed, calls, peer if method == "openevolve" else method)
        wall, cpu = time.perf_counter() - start, _children_cpu() - before
        sources, scores, evaluated = played
        times = {"wall_s": wall, "cpu_s": cpu, "evaluations_per_s": evaluated / wall, "evaluations_per_cpu_s": evaluated / cpu}
        return score(project, sources, scores) | {"evaluations": float(evaluated)} | times


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
    words = ["domain=openevolve", f"domain.project={project}", f"domain.config={_config(project).name}", f"sandbox={sandbox}"]
    words += [
        "lm=custom",
        "lm.model=scripted",
        f"lm.base_url={url}",
        "lm.price.in=0",
        "lm.price.out=0",
        f"lm.cache={here}/lm.sqlite",
    ]
    words += [f"seed={seed}", f"budget={calls + 1}", "console=off", "name=r", f"runs={here}", "domain_defaults.batch_size=4"]
    subprocess.run([sys.executable, "-m", "qd", "run", *words], check=True, stdout=subprocess.DEVNULL)
    (run,) = (here / "r").iterdir()
    columns = archive_file.load(run).columns
    lines = [line for line in growing.read(run / "programs.jsonl") if "of" in line]
    evaluated = sum(
        line["seconds"] is not None or bool(line["output"]) for line in lines
    )  # the others are replies without code
    return [str(each) for each in columns["solution"]], np.asarray(columns["objective"], float), evaluated


def _openevolve(project: Path, here: Path, url: str, seed: int, calls: int, peer: str) -> tuple[list[str], np.ndarray, int]:
    if not peer:
        raise UserError("peer= names no Python with openevolve", "type peer=VENV/bin/python")
    config = yaml.safe_load(_config(project).read_text(encoding="utf-8"))
    config["llm"] = {"models": [{"name": "scripted", "weight": 1.0}], "api_base": url, "api_key": "none", "timeout": 600}
    config |= {"random_seed": seed, "checkpoint_interval": calls, "log_level": "INFO", "max_iterations": calls}
    (here / "config.yaml").write_text(yaml.safe_dump(config))
    program = next(iter(sorted(project.glob("initial_program.*"))))
    words = [str(program), str(project / "evaluator.py"), "--config", str(here / "config.yaml"), "--output", str(here / "out")]
    run = "import sys; from openevolve.cli import main; sys.exit(main())"
    env = {name: value for name, value in os.environ.items() if name not in ("PYTHONPATH", "VIRTUAL_ENV")}
    with (here / "log").open("w") as log:
        command = [peer, "-c", run, *words, "--iterations", str(calls)]
        status = subprocess.run(command, stdout=log, stderr=log, env=env).returncode
    said = (here / "log").read_text(encoding="utf-8", errors="replace")
    checkpoint = checkpoints_of_openevolve.find(here / "out")
    if checkpoint is None:
        raise RuntimeError(f"openevolve ended with status {status}: {said[-600:]}")
    sources, scores = checkpoints_of_openevolve.read(checkpoint)
    return [str(each) for each in sources], scores, 1 + len(_DONE.findall(said))


def _config(project: Path) -> Path:
    return project / PROJECTS.get(project.name, "config.yaml")


def _children_cpu() -> float:
    """Seconds of the processor of all child processes that have ended."""
    usage = resource.getrusage(resource.RUSAGE_CHILDREN)
    return usage.ru_utime + usage.ru_stime


@contextmanager
def _model(lm: str) -> Iterator[str]:
    """The model in a process of its own, so that its time is not ours."""
    if lm != "scripted":
        yield Local(weights=lm, context=8192).start()
        return
    child = subprocess.Popen([sys.executable, "-m", scripted.__name__], stdout=subprocess.PIPE, text=True)
    assert child.stdout is not None
    try:
        yield child.stdout.readline().strip()
    finally:
        child.kill()
        child.wait()


def rows(runs: Runs) -> list[Row]:
    """Returns means over seeds, and ours minus openevolve's, paired by seed."""
    pairs = [(case, method, "openevolve") for case in study.cases(runs) for method in METHODS[:2]]
    return [*summary(runs, "mean"), *study.differences(runs, pairs, ("best", "qd_score")), *_ratios(runs, pairs)]


def _ratios(runs: Runs, pairs: list[tuple[str, str, str]]) -> list[Row]:
    """Ours by openevolve's, paired by seed."""
    names = ("evaluations_per_s", "evaluations_per_cpu_s")
    several = [(case, ours, other, name, runs.pairs(case, ours, other, name)) for case, ours, other in pairs for name in names]
    return [
        table.of_ratios(case, f"{ours} / {other}", name, [a / b for a, b in both])
        for case, ours, other, name, both in several
        if both
    ]


if __name__ == "__main__":
    command.run()
