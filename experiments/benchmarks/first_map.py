"""One map, from the prompt to the picture: ``qd run`` beside the script that a user of pyribs writes (``plain_pyribs``).

Both are whole processes, in turns: imports, compilation or its cache, 50,000 evaluations, one heatmap at 200 dpi. ``qd run``
also writes its archive, metrics, history, checkpoints, pictures of elites and the page of the run. A first start has an
empty cache of compiled programs; a second start has what the one before left. Twenty seeds are one ``qd run seeds=20``
against twenty scripts (one is timed, and counts twenty times); a sweep of six is ``qd run -m`` against six commands.
On a terminal: seconds until the first sign of life, and until the live line shows the first generation.

    qd study benchmarks.first_map budget=quick|first|full
    qd study benchmarks.first_map qdax=PYTHON                   # of an environment with the extra peers
    qd study benchmarks.first_map before=FOLDER cases=arm       # a checkout of an earlier commit as one more side
"""

import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Annotated

from experiments import command, study
from experiments.benchmarks import rounds, whole_process

WORDS = {
    "arm": ["domain=arm", "emitter.batch_size=100"],
    "cvt": ["domain=arm", "emitter.batch_size=100", "archive=cvt", "archive.cells=1000", "archive.samples=50000"],
    "cma_me": [
        "domain=sphere",
        "domain.dim=10",
        "emitter=cma_me_jax",
        "emitter.count=5",
        "archive=grid",
        "archive.dims=[50,50]",
    ],
}
BUDGETS = {"quick": 1, "first": 5, "full": 21}  # rounds; each takes two or three minutes
METRICS = ("wall_s", "cpu_s", "peak_mb")
PAIRS = {
    "qd run / pyribs": ("qd run", "pyribs"),
    "qd run / QDax": ("qd run", "QDax"),
    "qd run / before": ("qd run", "qd run before"),
    "sweep / six commands": ("sweep", "six commands"),
}
SHOWN = {"first_sign_s": "", "first_generation_s": "gen 1 "}  # on a terminal
Measured = dict[str, float]
Side = Callable[[], Measured]


def main(budget: Annotated[str, BUDGETS] = "quick", cases: str = "", qdax: str = "", before: str = "", out: str = "") -> None:
    """Does the rounds that are missing, then writes and prints the table.

    Args:
        budget: a name in BUDGETS.
        cases: the beginning of their names, e.g. arm; empty: all.
        qdax: the Python of an environment with the extra peers; empty: QDax is left out.
        before: the folder of an earlier commit, whose ``qd run`` is one more side; empty: none.
        out: folder of the results; empty: the default one.
    """
    folder = study.folder("first_map", budget, out)
    runs = study.runs(folder)
    qdax = _python_with_qdax(qdax)
    with tempfile.TemporaryDirectory() as place:
        sides = dict(_sides(Path(place), qdax, before))
        chosen = study.beginning(sides, cases)
        for i in range(BUDGETS[budget]):
            for case in chosen:
                for method, side in sides[case].items():
                    if list(study.missing(runs, [(case, method, i)])):
                        study.add(runs, case, method, i, side())
    report(folder, runs)


def report(folder: Path, runs: study.Runs) -> None:
    """Writes the table and prints the ratios, and the seconds on a terminal.

    Args:
        folder: of the results.
        runs: the finished runs.
    """
    study.report(folder, rows(runs), [*(f"ratio {metric}" for metric in METRICS), *SHOWN], 2)


rows = partial(rounds.rows, pairs=PAIRS, metrics=METRICS)  # of its table


def _python_with_qdax(python: str) -> str:
    """Returns it; empty, and says why, where QDax cannot be a side."""
    if not python:
        print("QDax is left out: qdax=PYTHON names the Python of an environment with pip install -e '.[peers]'")
    elif subprocess.run([python, "-c", "import qdax"], capture_output=True).returncode:
        print(f"QDax is left out: {python} cannot import it; type {python} -m pip install -e '.[peers]'")
        return ""
    return python


def _sides(place: Path, qdax: str, before: str) -> Iterator[tuple[str, dict[str, Side]]]:
    """Yields each case and its sides, by method."""
    for name, words in WORDS.items():
        script = partial(_script, "plain_pyribs.py", name)
        theirs = partial(_script, "plain_qdax.py", name, python=qdax)
        for start in ("first start", "second start"):
            cache = lambda of, name=name, start=start: place / f"{name}, {of}" if start == "second start" else None
            sides = {"qd run": partial(_started, partial(qd, *words), cache("qd run")), "pyribs": script}
            if before:
                sides["qd run before"] = partial(_started, partial(qd, *words, source=before), cache("before"))
            if qdax and name != "cma_me":
                sides["QDax"] = partial(_started, theirs, cache("QDax"))
            yield f"{name}, {start}", sides
    arm = partial(_started, cache=place / "arm, qd run")
    yield "arm, second start, on a terminal", {"qd run": partial(arm, partial(qd, *WORDS["arm"], terminal=True))}
    script, one = partial(_script, "plain_pyribs.py", "arm"), partial(arm, partial(qd, *WORDS["arm"]))
    many, sweep = (partial(qd, *words, *WORDS["arm"]) for words in (["seeds=20"], ["-m", "seed=range(0,6)"]))
    yield "arm, 20 seeds", {"qd run": partial(arm, many), "pyribs": partial(_times, 20, script)}
    yield "arm, 6 runs", {"sweep": partial(arm, sweep), "six commands": partial(_times, 6, one)}


def _started(side: Callable[..., Measured], cache: Path | None) -> Measured:
    """Calls a side with a cache that a call before has filled, or, where it is None, with an empty one."""
    if cache is None:
        with tempfile.TemporaryDirectory() as empty:
            return side(cache=Path(empty))
    if not cache.exists():
        side(cache=cache)
    return side(cache=cache)


def _times(count: int, side: Side) -> Measured:
    """What ``count`` calls of a side take, one of which is timed; the peak of memory is that of one."""
    one = side()
    return one | {name: count * one[name] for name in ("wall_s", "cpu_s")}


def qd(*words: str, cache: Path, source: str = "", terminal: bool = False) -> Measured:
    """Times one ``qd run`` in a folder of its own.

    Args:
        words: of the command.
        cache: the user's cache folder.
        source: a checkout of it; empty: this one.
        terminal: on one; then the figures are those of SHOWN.

    Returns:
        As ``whole_process.run``, or as ``whole_process.on_terminal``.
    """
    env = {"XDG_CACHE_HOME": str(cache)} | ({"PYTHONPATH": source} if source else {})
    with tempfile.TemporaryDirectory() as folder:
        command = [sys.executable, "-m", "qd", "run", *words, "budget=50000", f"runs={folder}/runs"]
        if terminal:
            return whole_process.on_terminal(command, folder, env, SHOWN)
        return whole_process.run(command, folder, env)


def _script(file: str, case: str, python: str = sys.executable, cache: Path | None = None) -> Measured:
    """Times one script beside this file; where there is a cache, JAX keeps compiled programs in it."""
    path = str(Path(__file__).with_name(file))
    kept = {"JAX_COMPILATION_CACHE_DIR": str(cache), "JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS": "0"}
    with tempfile.TemporaryDirectory() as folder:
        return whole_process.run([python, path, case, "map.png"], folder, kept if cache else {})


if __name__ == "__main__":
    command.run()
