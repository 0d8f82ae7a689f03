"""A domain that calls an executable for each solution: JSON on standard input, JSON on standard output.

    {"solution": [0.1, -0.4], "key": [17, 4]}                     what the program gets; key: a seed for what it draws at random
    {"objective": 1.5, "features": {"end": [0.1, 0.2]}}           what it prints; objective null: the solution failed
    {"objective": [1.5, -2], "features": {"end": [0.1, 0.2]}}     of two objectives, where objective_range has two pairs

Each call has a working folder of its own. Workers evaluate such a domain (workers=4): a call that fails, hangs or prints no
JSON fails alone, and events.jsonl says why. B batch, D numbers of a solution, K objectives.
"""

import errno
import json
import os
import shutil
import subprocess
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from domains.external import External, Range
from qd.support.errors import UserError
from qd.types import Array, Evaluation

_SHOWN = 200  # characters of output that a message shows
_LARGEST = 10**7  # bytes of output that are read


@dataclass(frozen=True)
class Program:
    """Solutions are D numbers, sampled evenly between low and high, or one of 0..options-1 each."""

    command: tuple[str, ...]  # the executable and its arguments; names of files here are made absolute
    dim: int
    features: tuple[tuple[str, tuple[int, ...]], ...]  # name -> shape of one solution's; a yaml says {end: 2, speed: []}
    low: float = -1.0
    high: float = 1.0
    options: int | None = None  # whole numbers 0..options-1 instead
    objective_range: Range | tuple[Range, ...] | None = None  # scale of the QD score; K pairs: there are K objectives
    objective_names: tuple[str, ...] | None = None  # of K objectives, for pages
    keep_failed: str | None = None  # a folder where the working folders of calls that fail stay; None: they are removed
    pure: bool = False

    def __post_init__(self) -> None:
        object.__setattr__(self, "features", self._solutions.features)
        if not self.command:
            raise UserError("command=[] names no program", "type domain.command=[./simulate]")
        _executable(self.command[0])

    @property
    def space(self) -> tuple[float, ...]:
        """(low, high), or the options of every gene."""
        return self._solutions.space

    def sample(self, key: Array, n: int) -> Array:
        """Returns solutions [n, D], float32 or int32; arguments as in ``Domain``."""
        return self._solutions.sample(key, n)

    def evaluate(self, keys: Array, solutions: Array) -> Evaluation:
        """Calls the program once for each solution.

        Args:
            keys: uint32 [B, 2].
            solutions: [B, D].

        Returns:
            Objective [B] or [B, K], float64, and features, name -> [B, ...], float32.

        Raises:
            ProgramError: a call ended with an exit status other than 0, or printed no such JSON.
        """
        objective, features = self._solutions.blank(len(solutions))  # all failed
        for row, (key, solution) in enumerate(zip(keys, solutions, strict=True)):
            answer = self._call({"solution": solution.tolist(), "key": np.asarray(key).tolist()})
            objective[row], columns = _read(answer, self._solutions)
            for name, column in columns.items():
                features[name][row] = column
        return Evaluation(objective, features)

    @property
    def _solutions(self) -> External:
        return External(self.dim, self.features, self.low, self.high, self.options, self.objective_range, self.objective_names)

    def _call(self, question: dict[str, Any]) -> str:
        """Returns what the program printed. Raises ProgramError where it failed."""
        folder = Path(tempfile.mkdtemp(prefix="qd-call-", dir=_folder(self.keep_failed)))
        try:
            (folder / "stdin").write_text(json.dumps(question), encoding="utf-8")
            with (folder / "stdin").open() as stdin, (folder / "stdout").open("w") as out, (folder / "stderr").open("w") as err:
                command = [_executable(self.command[0]), *map(_absolute, self.command[1:])]
                status = _run(command, stdin=stdin, stdout=out, stderr=err, cwd=folder)
            output, errors = (_text(folder / name) for name in ("stdout", "stderr"))
            if status:
                place = f"; its folder is {folder}" if self.keep_failed else ""
                raise ProgramError(f"exit status {status}; stderr ends in {errors[-_SHOWN:]!a}{place}")
            _parse(output)  # before its folder is removed
        except ProgramError:
            if self.keep_failed is None:
                shutil.rmtree(folder, ignore_errors=True)
            raise
        shutil.rmtree(folder, ignore_errors=True)
        return output


class ProgramError(RuntimeError):
    """A call of the program failed."""


def _run(command: list[str], **places: Any) -> int:
    """Returns the exit status. Raises UserError where the file is no program."""
    try:
        return subprocess.run(command, **places).returncode
    except OSError as error:
        if error.errno != errno.ENOEXEC:
            raise
        raise UserError(
            f"{command[0]} is no program that this machine can start", "name its language in its first line, e.g. #!/bin/sh"
        ) from error


def _executable(name: str) -> str:
    """Returns the path of an executable, of the working directory or of PATH. Raises UserError where there is none."""
    path = Path(name).absolute()
    if os.sep not in name and (there := shutil.which(name)):
        return there
    if not path.is_file():
        raise UserError(f"the program {name!r} is not there", "type domain.command=[./NAME], with its path from this folder")
    if not os.access(path, os.X_OK):
        raise UserError(f"the program {name!r} is not executable", f"type chmod +x {name}")
    return str(path)


def _absolute(argument: str) -> str:
    return str(Path(argument).absolute()) if Path(argument).exists() else argument


def _folder(keep: str | None) -> Path | None:
    if keep is None:
        return None
    Path(keep).mkdir(parents=True, exist_ok=True)
    return Path(keep).absolute()


def _text(path: Path) -> str:
    with path.open("rb") as file:
        return file.read(_LARGEST).decode(errors="replace")


def _parse(output: str) -> dict[str, Any]:
    try:
        answer = json.loads(output)
    except (json.JSONDecodeError, RecursionError) as error:
        raise ProgramError(f"its output is no JSON: {output[:_SHOWN]!a}") from error
    if not isinstance(answer, dict) or "objective" not in answer:
        raise ProgramError(f"its output has no objective: {output[:_SHOWN]!a}")
    return answer


def _read(output: str, domain: External) -> tuple[Any, dict[str, np.ndarray]]:
    """Returns objectives and features of an answer; NaN and none where the solution failed."""
    answer, shapes = _parse(output), dict(domain.features)
    try:
        objective = domain.objective_of(answer["objective"])
    except UserError as error:
        raise ProgramError(f"its {error}") from error
    if np.isnan(objective).any():
        return objective, {}
    features = answer.get("features")
    if not isinstance(features, dict) or not shapes.keys() <= features.keys():
        raise ProgramError(f"its features are {ascii(str(features))[:_SHOWN]}, but the domain's yaml has {sorted(shapes)}")
    return objective, {name: _column(name, features[name], shape) for name, shape in shapes.items()}


def _column(name: str, value: Any, shape: tuple[int, ...]) -> np.ndarray:
    try:
        column = np.asarray(value, np.float32)
    except (ValueError, TypeError, OverflowError):
        column = np.zeros(0)
    if column.shape != shape or not np.isfinite(column).all():
        raise ProgramError(
            f"its feature {name!r} is {ascii(str(value))[:_SHOWN]}, but it must be numbers of shape {list(shape)}"
        )
    return column
