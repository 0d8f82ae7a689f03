"""Finds finished runs below folders and reads their config and metrics, for `qd compare`.

G rows of metrics.csv.
"""

import contextlib
import os
from collections.abc import Callable, Collection, Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from qd.store import folder, identity
from qd.store.metrics_file import metrics
from qd.support import links, read_files, run_files
from qd.support.errors import UserError

_LEFT_OUT = ("evals", "generation", "evals_per_s")  # no results


class Run(NamedTuple):
    """Config, sources and metrics of a finished run."""

    folder: Path
    config: dict[str, Any]
    sources: dict[str, str]
    curve: dict[str, np.ndarray]  # column of metrics.csv -> [G]

    def differences(self, other: "Run") -> list[str]:
        """Lists the settings in which the other run differs, seeds aside."""
        configs = []
        for run in (self, other):
            own = [path for path, value in _seeds(run.config) if value == run.config["seed"]]
            configs.append(_without_seeds(run.config, own))
        return identity.differences(*configs)

    @property
    def label(self) -> str:
        """The folder's name without the seed."""
        name, end = self.folder.name, f"s{self.config['seed']}"
        return name.removesuffix(end).removesuffix("-") or "default"

    def at(self, evaluations: int) -> dict[str, float]:
        """Returns the first row at or past so many evaluations."""
        row = min(int(np.searchsorted(self.curve["evals"], evaluations)), len(self.curve["evals"]) - 1)
        return {name: float(column[row]) for name, column in self.curve.items() if name not in _LEFT_OUT}


def recipes(runs: Sequence[Run]) -> list[str]:
    """Returns a name for the config of each run, which is the same in those that differ only in seed or budget.

    Components may have a seed too, as a language model's client: where it is the run's own in all runs that are else the same,
    it follows the run's; else it is a setting as any other.

    Args:
        runs: that are compared.
    """
    seeds = [dict(_seeds(run.config)) for run in runs]
    bare = [identity.config_hash(_without_seeds(run.config, each)) for run, each in zip(runs, seeds, strict=True)]
    like: dict[str, list[tuple[int, dict]]] = {}
    for run, own, name in zip(runs, seeds, bare, strict=True):
        like.setdefault(name, []).append((run.config["seed"], own))
    following = {
        name: [path for path in each[0][1] if all(own.get(path) == seed for seed, own in each)] for name, each in like.items()
    }
    return [identity.config_hash(_without_seeds(run.config, following[name])) for run, name in zip(runs, bare, strict=True)]


def _seeds(node: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[tuple[Any, ...], Any]]:
    """Yields (path, value) of each seed in a config."""
    for name, value in node.items() if isinstance(node, dict) else enumerate(node) if isinstance(node, list) else ():
        if name == "seed":
            yield (*path, name), value
        else:
            yield from _seeds(value, (*path, name))


def _without_seeds(node: Any, paths: Collection[tuple[Any, ...]], path: tuple[Any, ...] = ()) -> Any:
    """Returns a config with null in place of some seeds."""
    if isinstance(node, dict):
        return {name: _without_seeds(value, paths, (*path, name)) for name, value in node.items()}
    if isinstance(node, list):
        return [_without_seeds(value, paths, (*path, i)) for i, value in enumerate(node)]
    return None if path in paths else node


def finished_runs(folders: Sequence[Path], say: Callable[[str], None] = print) -> list[Run]:
    """Reads all finished runs below the folders.

    Args:
        folders: where runs are looked for, at any depth.
        say: called with a line for each run that is left out.

    Raises:
        UserError: none is finished.
    """
    paths = {path.resolve(): path for top in folders for path in below(top)}
    runs = [run for path in paths.values() if (run := _read(path, say))]
    if not runs:
        where = ", ".join(str(top) for top in folders)
        problem = f"none of the {len(paths)} runs in {where} is finished" if paths else f"no run in {where}"
        raise UserError(f"{problem}", "type qd run -m seed=0,1,2 and then qd compare with the folder that it names")
    return runs


def _read(path: Path, say: Callable[[str], None]) -> Run | None:
    """Reads a run; says a line and returns None where it is unfinished or damaged."""
    try:
        links.check(path)
        outcome = folder.result(path)
    except UserError as error:
        say(f"left out: {error}")
        return None
    try:
        curve = metrics(path / run_files.METRICS)
    except ValueError as error:
        say(f"left out: {error}; type its command with again=true")
        return None
    evaluations = curve.get("evals", [])
    if outcome is None:
        progress = f" ({int(evaluations[-1]):,} evaluations)" if len(evaluations) else ""
        say(f"left out: {path} is not finished{progress}; give its command again")
        return None
    for name in (run_files.ARCHIVE_HEADER, run_files.METRICS):
        if not (path / name).is_file():
            say(f"left out: {path} has lost its {name}; type its command with again=true")
            return None
    if not len(evaluations):
        say(f"left out: {path / run_files.METRICS} holds no rows; type its command with again=true")
        return None
    try:
        config = read_files.json_object(path / run_files.ARCHIVE_HEADER, "type its command with again=true").get("config")
    except UserError as error:
        say(f"left out: {error}")
        return None
    kinds = {"name": str, "seed": int, "budget": int}
    if not isinstance(config, dict) or not all(isinstance(config.get(name), kind) for name, kind in kinds.items()):
        say(f"left out: {path / run_files.ARCHIVE_HEADER} holds no config; type its command with again=true")
        return None
    return Run(path, config, outcome["sources"], curve)


def below(top: Path, example: str = "qd compare runs/arm") -> Iterator[Path]:
    """Yields the folders of runs, in order of their names; links are not followed.

    Args:
        top: where to look.
        example: a command, for the message.

    Raises:
        UserError: the folder does not exist.
    """
    if not top.is_dir():
        raise UserError(f"{top} is {'no folder' if top.exists() else 'not there'}", f"type a folder of runs, e.g. {example}")
    for here, inner, names in os.walk(top):
        inner[:] = sorted(name for name in inner if not name.startswith("."))  # launchers keep their own there
        if run_files.CONFIG in names and {run_files.LOCK, run_files.RESULT, run_files.METRICS} & set(names):
            inner.clear()
            yield Path(here)


_MANY = 5  # runs that a message names
_LOOKS = 3_000  # folders that are looked at for them


def check_begun(run: Path, command: str) -> None:
    """Checks that a folder is that of a run, finished or not; arguments and errors as in ``check``."""
    links.check(run)
    if not (run / run_files.CONFIG).is_file():
        check(run, command)


def check(run: Path, command: str = "qd plot {}") -> None:
    """Checks that a folder holds the archive of a run.

    Args:
        run: the folder.
        command: what the message proposes, with {} for the folder of a run nearby.

    Raises:
        UserError: it holds none; where no run was begun there, the message names runs below it, or else below runs/.
    """
    links.check(run)
    if (run / run_files.ARCHIVE_HEADER).is_file():
        return
    has_config = (run / run_files.CONFIG).is_file()
    what = "has no archive yet" if has_config else "is no folder of a run" if run.exists() else "does not exist"
    if has_config:
        raise UserError(f"{run} {what}: archive.json is written when a run ends", "give the command of the run once more")
    near = next((nearby for root in (run, Path("runs")) if (nearby := _runs(root))), [])
    typed = command.format(near[0] if near else "the folder that it names")
    instead = f"type {typed}" if near else f"type qd run first, then {typed}"
    others = f" (there are also {', '.join(map(str, near[1:_MANY]))})" if near[1:] else ""
    raise UserError(f"{run} {what}, it holds no archive.json; {instead}{others}")


def _runs(root: Path) -> list[Path]:
    """Returns folders of runs up to three levels below a folder, which may be / or change: only so many are looked at."""
    level, runs, left = [str(root)], [], _LOOKS
    for _ in range(3):
        below = []
        for place in level:
            with contextlib.suppress(OSError), os.scandir(place) as entries:
                names = sorted(entry.path for entry in entries if entry.is_dir(follow_symlinks=False))
                below += names[: left - len(below)]
        runs += [Path(place) for place in below if os.path.isfile(os.path.join(place, run_files.ARCHIVE_HEADER))]
        level, left = below, left - len(below)
    return sorted(runs)[: _MANY + 1]
