"""Words that are no settings of ``qd run``: what to type instead of names of commands, and of words that other tools use."""

import difflib
from collections.abc import Iterable

from qd.support.errors import UserError

_CLOSE = 0.6  # similarity from which a word is taken as meant
_FOLDER = "type runs=FOLDER for the root of all run folders, or name=NAME for the folder of this run's domain in it"
_FIGURES = "every run that finishes draws its map, and its page where that takes no time; type qd {} RUN after the run"
_BUDGET = "type budget=N for the number of evaluations at which the run ends"
_BATCH = "type emitter.batch_size=N for the solutions of a generation, initial=N for those of generation 0"
_WORKERS = "type workers=N for N processes that evaluate"
_CONSOLE = "type console=plain, or console=off for no output"
_DIMS = "type archive.dims=[N,N] for the cells of a grid, archive.cells=N for those of archive=cvt"
INSTEAD = {  # word -> what to do
    **{command: _FIGURES.format(command) for command in ("plot", "report")},
    **{word: _FIGURES.format("plot") for word in ("plots", "figures", "heatmap")},
    "page": _FIGURES.format("report"),
    "view": "type qd view RUNS in another terminal to look at a run that goes on",
    **{
        command: f"it is a command: type qd {command} RUN after the run"
        for command in ("export", "select", "query", "reevaluate")
    },
    "compare": "it is a command: type qd compare RUNS after the runs",
    "import": "type from=FILE to begin from stored solutions, or qd import FILE to store them as a run",
    **{command: f"it is a command: type qd {command} RUN" for command in ("ask", "tell")},
    "doctor": "it is a command: type qd doctor and the other words of this command",
    "new": "it is a command: type qd new NAME",
    "study": "it is a command: type qd study NAME",
    "run": "leave it out",
    **dict.fromkeys(("out", "out_dir", "outdir", "output", "output_dir", "dir", "folder", "path"), _FOLDER),
    **dict.fromkeys(("generations", "iterations", "iters", "steps", "epochs", "evaluations", "evals"), _BUDGET),
    **dict.fromkeys(("population", "population_size", "pop_size", "batch", "batch_size"), _BATCH),
    **dict.fromkeys(("threads", "jobs", "n_jobs", "processes", "parallel", "num_workers"), _WORKERS),
    **dict.fromkeys(("verbose", "quiet", "silent", "progress"), _CONSOLE),
    **dict.fromkeys(("dims", "cells", "bins", "resolution"), _DIMS),
}


def nearest(name: str, settings: Iterable[str]) -> UserError | None:
    """Returns the error about a name that is no setting and is most like one of the words above, else None.

    Args:
        name: as typed before the =.
        settings: valid names; where one of them is more like ``name``, that one is meant.
    """
    word = name.lower().replace("-", "_")
    close = difflib.get_close_matches(word, {**dict.fromkeys(settings), **INSTEAD}, n=1, cutoff=_CLOSE)
    return error(name, close[0]) if close and close[0] in INSTEAD else None


def error(name: str, word: str = "") -> UserError:
    """Returns the error about a name that is no setting.

    Args:
        name: as typed.
        word: the key of INSTEAD that it stands for; "" for ``name`` itself.
    """
    return UserError(f"qd run has no setting {name!r}", INSTEAD[word or name])
