"""One map, from the prompt to the picture: ``qd run`` beside the script that a user of pyribs writes (``plain_pyribs``).

Both are whole processes, in turns: imports, compilation or its cache, 50,000 evaluations, one heatmap at 200 dpi. ``qd run``
also writes its archive, metrics, history, checkpoints, pictures of elites and the page of the run. A first start has an
empty cache of compiled programs; a second start has what the one before left. Twenty seeds are one ``qd run seeds=20``
against twenty scripts (one is timed, and counts twenty times); a sweep of six is ``qd run -m`` against six commands.

    qd study benchmarks.first_map budget=quick|first|full
"""

import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Annotated, Any

from experiments import command, study
from experiments.benchmarks import plain_pyribs, rounds

WORDS = {
    "arm": ["domain=arm", "emitter.batch_size=100"],
    "cvt": ["domain=arm", "emitter.batch_size=100", "archive=cvt", "archive.cells=1000"],
    "cma_me": [
        "domain=sphere",
        "domain.dim=10",
        "emitter=cma_me_jax",
        "emitter.count=5",
        "archive=grid",
        "archive.dims=[50,50]",
    ],
}
BUDGETS = {"quick": 2, "first": 7, "full": 21}  # rounds; each takes two or three minutes
METRICS = ("wall_s", "cpu_s", "peak_mb")
PAIRS = {"qd run / pyribs": ("qd run", "pyribs"), "sweep / six commands": ("sweep", "six commands")}


def main(budget: Annotated[str, BUDGETS] = "quick", out: str = "") -> None:
    """Does the rounds that are missing, then writes and prints the table.

    Args:
        budget: a name in BUDGETS.
        out: folder of the results; empty: the default one.
    """
    folder = study.folder("first_map", budget, out)
    runs = study.runs(folder)
    with tempfile.TemporaryDirectory() as place:
        cache = Path(place, "cache")
        for i in range(BUDGETS[budget]):
            for name in WORDS:
                _round(runs, name, i, cache)
            _seeds(runs, i, cache)
    report(folder, runs)


def report(folder: Path, runs: study.Runs) -> None:
    """Writes the table and prints the ratios.

    Args:
        folder: of the results.
        runs: the finished runs.
    """
    study.report(folder, rows(runs), [f"ratio {metric}" for metric in METRICS], 2)


rows = partial(rounds.rows, pairs=PAIRS, metrics=METRICS)  # of its table


def _round(runs: study.Runs, name: str, i: int, cache: Path) -> None:
    """Times the sides of one case, first and second start, in turns."""
    for start in ("first start", "second start"):
        case = f"{name}, {start}"
        if list(study.missing(runs, [(case, "qd run", i)])):
            if start == "second start" and not (cache / name).exists():
                qd(cache / name, *WORDS[name])
            with tempfile.TemporaryDirectory() as empty:
                there = Path(empty) if start == "first start" else cache / name
                study.add(runs, case, "qd run", i, qd(there, *WORDS[name]))
        if list(study.missing(runs, [(case, "pyribs", i)])):
            study.add(runs, case, "pyribs", i, pyribs(name))


def _seeds(runs: study.Runs, i: int, cache: Path) -> None:
    """Times twenty seeds in one command, and a sweep of six."""
    sides = {
        ("arm, 20 seeds", "qd run"): partial(qd, cache / "arm", *WORDS["arm"], "seeds=20"),
        ("arm, 20 seeds", "pyribs"): partial(_times, 20, pyribs, "arm"),
        ("arm, 6 runs", "sweep"): partial(qd, cache / "arm", "-m", *WORDS["arm"], "seed=range(0,6)"),
        ("arm, 6 runs", "six commands"): partial(_times, 6, qd, cache / "arm", *WORDS["arm"]),
    }
    for (case, method), side in sides.items():
        if list(study.missing(runs, [(case, method, i)])):
            study.add(runs, case, method, i, side())


def _times(count: int, side: Callable[..., dict[str, float]], *words: Any) -> dict[str, float]:
    """What ``count`` calls of a side take, one of which is timed; the peak of memory is that of one."""
    one = side(*words)
    return one | {name: count * one[name] for name in ("wall_s", "cpu_s")}


def qd(cache: Path, *words: str) -> dict[str, float]:
    """Times one ``qd run`` in a folder of its own.

    Args:
        cache: the user's cache folder.
        words: of the command.

    Returns:
        As ``process``.
    """
    with tempfile.TemporaryDirectory() as folder:
        return process(
            [sys.executable, "-m", "qd", "run", *words, "budget=50000", f"runs={folder}/runs"],
            folder,
            {"XDG_CACHE_HOME": str(cache)},
        )


def pyribs(name: str) -> dict[str, float]:
    """Times one script of pyribs.

    Args:
        name: of its case.
    """
    with tempfile.TemporaryDirectory() as folder:
        return process([sys.executable, plain_pyribs.__file__, name, "map.png"], folder, {})


def process(words: list[str], folder: str, env: dict[str, str]) -> dict[str, float]:
    """Runs a command and waits for it.

    Args:
        words: of the command.
        folder: where it runs.
        env: variables beside those of this process.

    Returns:
        wall_s; cpu_s of it and its children; peak_mb, the largest resident memory of the process, in 10^6 bytes.

    Raises:
        CalledProcessError: it ended with a status other than 0.
    """
    began = time.perf_counter()
    env = os.environ | {"OPENBLAS_NUM_THREADS": "1"} | env
    with open(Path(folder, "output.txt"), "w") as output:
        child = subprocess.Popen(words, cwd=folder, env=env, stdout=output, stderr=output)
        _, status, usage = os.wait4(child.pid, 0)
    child.returncode = os.waitstatus_to_exitcode(status)
    if child.returncode:
        raise subprocess.CalledProcessError(child.returncode, words, Path(folder, "output.txt").read_text())
    peak = usage.ru_maxrss * (1 if sys.platform == "darwin" else 1024) / 1e6
    return {"wall_s": time.perf_counter() - began, "cpu_s": usage.ru_utime + usage.ru_stime, "peak_mb": peak}


if __name__ == "__main__":
    command.run()
