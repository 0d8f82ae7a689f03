"""A search with a domain that another program evaluates: the next batch out, and its results back in.

Nothing is kept between the two: a batch follows from the checkpoint alone, so that two calls give the same batch.
B batch.
"""

import dataclasses
import json
import math
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from qd import abilities
from qd.config import compose
from qd.config.estimate import Estimate, of_pace
from qd.config.settings import RunSettings
from qd.runner.run import run
from qd.runner.stopping import Stop
from qd.store import checkpoint
from qd.support import run_files
from qd.support.errors import UserError
from qd.types import Array, Batch, Evaluation, Search, State


class PendingBatch(Exception):
    """A batch that waits for its results: no error, but the search can go no further without them."""

    def __init__(self, first: int, solutions: Array, keys: Array) -> None:
        self.ids = np.arange(first, first + len(solutions))
        self.solutions, self.keys = solutions, keys


class Progress(NamedTuple):
    """What the results of a batch brought a run to."""

    run: Path
    results: int  # rows of the batch
    failed: int  # of them
    evaluations: int  # of the run
    budget: int
    figures: list[Path] | None  # None where the run goes on
    remaining: Estimate | None  # by the time that this batch took, from the last results to these; None at the end


def tell(settings: RunSettings, run: Path, file: str) -> Progress:
    """Hands the results in a file to a run, which goes on for a generation; draws the map once it is finished.

    Args:
        settings: of the run.
        run: its folder.
        file: of json objects, one a line; "-" reads standard input.

    Returns:
        How far the run is.

    Raises:
        UserError: results are missing, foreign, twice or malformed, or the run waits for none; then nothing is changed.
    """
    seconds = time.time() - _last_results(run)
    batch = waiting(settings, run)
    if batch is None:
        raise UserError(f"{run} is finished and waits for no results", f"type qd plot {run}")
    evaluation = read(_lines(file), batch, compose.assemble(settings).search.domain)
    result = work(settings, run, (batch, evaluation))
    failed = int(np.isnan(evaluation.objective.reshape(len(batch.ids), -1)).any(axis=1).sum())
    paths = None
    if result["status"] == "finished":
        from qd.report import figures  # with matplotlib, half a second

        paths = figures.draw_heatmap(run)
    remaining = settings.budget - result["evaluations"]
    pace = of_pace(len(batch.ids), max(seconds, 1e-3), remaining) if paths is None and remaining > 0 else None
    return Progress(run, len(batch.ids), failed, result["evaluations"], settings.budget, paths, pace)


def _last_results(run: Path) -> float:
    """When the batch was ready to be evaluated, in seconds since 1970: at the last checkpoint, or when the run was made."""
    files = [file for file in (run / run_files.CHECKPOINTS).glob("*") if file.is_file()] or [run / run_files.CONFIG]
    return max((file.stat().st_mtime for file in files if file.is_file()), default=time.time())


def waiting(settings: RunSettings, run: Path) -> PendingBatch | None:
    """Returns the batch that a run waits for, None where it is finished.

    Args:
        settings: of the run.
        run: its folder.

    Returns:
        The batch, or None.

    Raises:
        ValueError: as ``work`` and ``qd.runner.run.run`` raise it.
    """
    try:
        work(settings, run, None)
    except PendingBatch as batch:
        return batch
    return None


def work(settings: RunSettings, path: Path, answer: tuple[PendingBatch, Evaluation] | None) -> dict[str, Any]:
    """Lets a run go on for one generation by the results that are given; returns the result of qd.runner.run.

    Args:
        settings: of the run.
        path: its folder.
        answer: a batch and its results; None where there are none yet.

    Returns:
        The result; its "status" is finished, stopped (before its budget), spent or skipped.

    Raises:
        PendingBatch: it can go no further without an answer.
        ValueError: the domain is evaluated in this process, the descriptor evaluates solutions in between, or the run waits for
            another batch by now.
    """
    stop, parts = Stop(), compose.assemble(settings, path)
    if not abilities.of_domain(parts.search.domain).external:
        raise UserError(
            f"{type(parts.search.domain).__name__} is evaluated in this process",
            "type qd run, or make a domain of another program by qd new NAME --external",
        )
    desk = _AnswerSource(path, parts.search.domain, answer, stop)
    domain = dataclasses.replace(parts.search.domain, answers=desk.answer)  # type: ignore[type-var]
    parts = parts._replace(search=parts.search._replace(domain=domain), run=desk.watch(parts.run))
    return run(settings, parts, path, _Aside(), stop)


class _AnswerSource:
    """Evaluates one batch by the results of another program, then requests a stop."""

    def __init__(self, run: Path, domain: Any, answer: tuple[PendingBatch, Evaluation] | None, stop: Stop) -> None:
        self.run, self.domain, self.results, self.stop = run, domain, answer, stop
        self.calls, self.stepping = 0, False

    def answer(self, keys: Array, solutions: Array) -> Evaluation:
        """Returns the results of the batch."""
        last = checkpoint.load(self.run / run_files.CHECKPOINTS, lambda text: None)
        self.calls += 1
        if last is None and self.calls == 1:
            return self.domain.blank(len(solutions))  # the rehearsal of shapes and names, of which nothing is kept
        if not self.stepping and (last is not None or self.calls > 2):
            raise UserError(
                "the descriptor evaluates solutions of its own while it learns, which another program cannot do; "
                "type another descriptor"
            )
        if self.results is None:
            raise PendingBatch(last.state.evaluations if last else 0, np.asarray(solutions), np.asarray(keys))
        (batch, evaluation), self.results = self.results, None
        if not np.array_equal(batch.solutions, solutions):
            raise UserError(
                f"{self.run} went on in the meantime", f"type qd ask {self.run} for the batch that it waits for now"
            )
        self.stop.request()
        return evaluation

    def watch(self, run: Callable) -> Callable:
        """Separates evaluations of a generation from those of a learner."""

        def driver(search: Search, state: State, until: int) -> Iterator[tuple[State, Batch]]:
            self.stepping = True
            try:
                yield from run(search, state, until)
            finally:
                self.stepping = False

        return driver


class _Aside:
    """Standard output carries the batch; messages go to standard error."""

    def update(self, row: dict) -> None: ...

    def say(self, text: str) -> None:
        print(f"qd: {text}", file=sys.stderr)

    def close(self, summary: dict) -> None: ...


_NAMED = 8  # faults that a message names


def read(lines: list[str], batch: PendingBatch, domain: Any) -> Evaluation:
    """Returns the results in the order of the batch.

    Args:
        lines: each empty or a JSON object: id, objective (null where it failed) and features.
        batch: of B solutions.
        domain: an external one, which names the features and their shapes, and reads objectives.

    Returns:
        The evaluation: objective [B] or [B, K], NaN where it failed; features name -> [B, ...].

    Raises:
        UserError: rows are missing, foreign, twice or malformed; names them.
    """
    evaluation, rows = domain.blank(len(batch.ids)), {number: row for row, number in enumerate(batch.ids.tolist())}
    ids: set[int] = set()
    faults: list[str] = []
    for line, text in enumerate(lines, 1):
        if not text.strip():
            continue
        try:
            number, objective, features = _parse_row(text, domain)
        except ValueError as error:
            faults.append(f"line {line} is malformed: {error}")
            continue
        if number not in rows:
            faults.append(f"line {line}: id {number} is foreign, no id of this batch ({batch.ids[0]} to {batch.ids[-1]})")
        elif number in ids:
            faults.append(f"line {line}: id {number} is there twice")
        else:
            ids.add(number)
            evaluation.objective[rows[number]] = objective
            for name, value in features.items():
                evaluation.features[name][rows[number]] = value
    faults += list(_missing(rows.keys() - ids))
    if faults:
        more = f"; and {len(faults) - _NAMED} more" if len(faults) > _NAMED else ""
        raise UserError(f"nothing is changed: {'; '.join(faults[:_NAMED])}{more}. Correct the results and type the same again")
    return evaluation


def _lines(file: str) -> list[str]:
    try:
        return (sys.stdin.read() if file == "-" else Path(file).read_text(encoding="utf-8")).split("\n")
    except (OSError, UnicodeDecodeError) as error:
        raise UserError(f"{file} cannot be read ({error})", "name the file of results, one json object a line") from error


def _parse_row(text: str, domain: Any) -> tuple[int, Any, dict[str, np.ndarray]]:
    """Reads one row: id, objective or K of them, features. Raises UserError that names what is wrong with it."""
    shapes: dict[str, tuple[int, ...]] = dict(domain.features)
    try:
        row = json.loads(text)
    except json.JSONDecodeError as error:
        raise UserError(f"no json ({error.msg} at character {error.pos})") from error
    if not isinstance(row, dict) or isinstance(row.get("id"), bool) or not isinstance(row.get("id"), int):
        raise UserError("a row is an object with a whole number as id")
    if "objective" not in row:
        raise UserError("it has no objective (null: it failed)")
    number, objective = row["id"], domain.objective_of(row["objective"])
    if np.isnan(objective).any():
        return number, math.nan, {}
    features = row.get("features")
    if not isinstance(features, dict) or features.keys() != shapes.keys():
        names = sorted(features) if isinstance(features, dict) else features
        raise UserError(f"its features are {names}, but the domain's yaml has {sorted(shapes)}")
    return number, objective, {name: _feature(name, features[name], shape) for name, shape in shapes.items()}


def _feature(name: str, value: Any, shape: tuple[int, ...]) -> np.ndarray:
    try:
        column = np.asarray(value)
        with np.errstate(over="ignore"):
            numbers = column.astype(np.float32) if column.dtype.kind in "iuf" else None
    except ValueError:  # lists of different lengths
        numbers = None
    if numbers is None or numbers.shape != shape or not np.isfinite(numbers).all():
        raise UserError(f"feature {name!r} is {json.dumps(value)[:60]}, but it must be finite numbers of shape {list(shape)}")
    return numbers


def _missing(numbers: set[int]) -> Iterator[str]:
    if numbers:
        shown_ids = ", ".join(map(str, sorted(numbers)[:_NAMED]))
        yield f"missing: {len(numbers)} ids ({shown_ids}{', ...' if len(numbers) > _NAMED else ''})"
