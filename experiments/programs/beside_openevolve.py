"""The same projects, the same model, the same number of calls: qd-atlas beside openevolve 0.4.1.

    qd study programs.beside_openevolve examples=FOLDER peer=PYTHON [calls=100] [seeds=5] [cases=circle_packing] [lm=local]

examples: the folder ``examples`` of openevolve's repository; peer: the Python of an environment with openevolve. Both get
the project's own config, a scripted model on loopback (or one of conf/lm) and so many calls; methods take turns, seed by
seed. *best*: openevolve's combined score of the best program. *qd_score*: the sum of the best scores of the cells, of all
programs that each side evaluated, on one map that neither side searches: length from 0.75 to 1.5 of the first program's in
15 steps by distance of the syntax tree from 0 to 0.1 in 10; *coverage*: its cells that are filled. *ran*: different programs
that ran to a score, by the calls. *evaluations*: programs that were run. *evaluations_per_s* and *evaluations_per_cpu_s*:
those by the seconds of the whole command, imports and page included, by the clock and of the processor (``metered``;
without the model's). *evaluator_ms*: what the evaluator alone costs the processor for a program of that run, in the same
Python (``bare``); *loop_ms*: what the command costs beyond that, for a program. A case of 2 calls shows what the start and
the end of a command cost. The data of ``symbolic_regression`` are not in its folder: its own generator writes the project
for data of ours (``regression``). Replies of a local model have as many tokens on both sides; its runs share one
server, ``AT_ONCE`` at a time, so that their seconds by the clock say nothing. ``trivial`` is a project of
the study's own, of which an evaluation costs next to nothing.
"""

import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated

import numpy as np

from domains.programs import measures
from experiments import command, parallel, study
from experiments.command import Names
from experiments.programs import contenders, regression, scripted, trivial
from experiments.programs.contenders import CONFIGS, Played, Task
from feedback.lm.local.server import Local
from qd.report import table
from qd.report.table import Row, Runs, summary
from qd.support.errors import UserError

METHODS = {"qd-atlas": "bubblewrap", "qd-atlas, no sandbox": "none", "openevolve": ""}  # -> its sandbox
BUDGETS = {"quick": (12, 1), "first": (100, 5), "full": (1000, 10)}  # calls, seeds
EDITS, WHOLE = 600, {"circle_packing": 1400}  # tokens of a local model's reply, which edits or is a whole program
SLOTS, AT_ONCE = 16, 6  # calls that a local model answers, and runs, at the same time
METRICS = ("best", "qd_score", "coverage", "ran", "evaluations", "evaluations_per_s", "evaluations_per_cpu_s",
           "evaluator_ms", "loop_ms", "wall_s", "cpu_s")  # fmt: skip
LENGTH, DISTANCE, DIMS = (0.75, 1.5), (0.0, 0.1), (15, 10)  # of the map on which both are compared


def main(
    budget: Annotated[str, BUDGETS] = "first",
    calls: int = 0,
    seeds: int = 0,
    cases: Annotated[Names, CONFIGS] = (),
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
    pairs = [(f"{case}, {kind}", method) for case in cases or CONFIGS for method in methods or METHODS]
    todo = ((case, method, seed) for seed in range(several) for case, method in pairs)
    with tempfile.TemporaryDirectory() as temporary:
        left = list(study.missing(runs, todo))
        projects = {case: folder_of(case.partition(",")[0], examples, Path(temporary)) for case, _, _ in left}
        one = lambda key: play(projects[key[0]], key[1], key[2], n, peer, lm)
        for key, metrics in parallel.results(left, one, 1 if lm == "scripted" else AT_ONCE):
            study.add(runs, *key, metrics, METRICS)
    study.report(folder, rows(runs), METRICS, 3, ("numpy", "ribs"))


def folder_of(project: str, examples: str, temporary: Path) -> Path:
    """Returns the folder of a project.

    Args:
        project: of CONFIGS.
        examples: folder of openevolve's examples.
        temporary: where the generator of symbolic_regression may write, and ``trivial`` is written.
    """
    if project == "trivial":
        return trivial.make(temporary)
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
    if not peer:
        raise UserError("peer= names no Python with openevolve", "type peer=VENV/bin/python")
    with tempfile.TemporaryDirectory() as temporary, _model(lm) as url:
        task = Task(project, Path(temporary), url, seed, calls, 0 if lm == "scripted" else WHOLE.get(project.name, EDITS))
        is_peer = method == "openevolve"
        played = contenders.openevolve(task, peer) if is_peer else contenders.ours(task, METHODS[method])
        alone = contenders.evaluator_alone(project, list(played.scores), peer if is_peer else sys.executable)
    n, wall, cpu = played.evaluations, played.meter.wall, played.meter.cpu
    times = {"wall_s": wall, "cpu_s": cpu, "evaluations_per_s": n / wall, "evaluations_per_cpu_s": n / cpu}
    times |= {"evaluator_ms": alone, "loop_ms": 1000 * cpu / n - alone}
    ran = (sum(map(np.isfinite, played.scores.values())) - 1) / calls  # without the first program
    return score(project, played) | {"ran": float(ran), "evaluations": float(n)} | times


def score(project: Path, played: Played) -> dict[str, float]:
    """Returns best, QD score (sum of scores above 0 by cells) and coverage on the common map.

    Args:
        project: the folder; its first program is the origin.
        played: with a score of each program, NaN where it failed.
    """
    first = contenders.program_of(project).read_text(encoding="utf-8")
    origin, cells = measures.describe(first), {}
    for source, value in played.scores.items():
        here = measures.describe(source)
        place = here["length"][0] / origin["length"][0], 1 - here["syntax"] @ origin["syntax"]
        shares = [(x - low) / (high - low) for x, (low, high) in zip(place, (LENGTH, DISTANCE), strict=True)]
        cell = tuple(int(np.clip(n * share, 0, n - 1)) for n, share in zip(DIMS, shares, strict=True))
        if np.isfinite(value):
            cells[cell] = max(cells.get(cell, 0.0), float(value))
    return {
        "best": max(cells.values(), default=float("nan")),
        "qd_score": sum(cells.values()),
        "coverage": float(len(cells)),
    }


@contextmanager
def _model(lm: str) -> Iterator[str]:
    """The model in a process of its own, so that its time is not ours."""
    if lm != "scripted":
        yield Local(weights=lm, context=8192, slots=SLOTS).start()  # one, however many ask for it
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
    pairs = [(case, method, "openevolve") for case in study.cases(runs) for method in METHODS if method != "openevolve"]
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
