"""`qd tell RUN results.jsonl`: brings the results of the batch that `qd ask` printed. All of them, or nothing is changed."""

import json
import math
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from qd.cli.ask import Asked, waiting, which, work
from qd.types import Evaluation

USAGE = """usage: qd tell RUN results.jsonl      (- reads standard input)

A line for each solution of the batch that qd ask RUN prints, in any order:
{"id": 7, "objective": 1.5, "features": {"end": [0.1, 0.2]}}; objective null (features may lack) where it failed."""
_LARGEST = float(np.finfo(np.float32).max)
_NAMED = 8  # faults that a message names


def main(args: Sequence[str]) -> int:
    """Tells. Raises ValueError that names what is missing, foreign, twice or malformed; then nothing is changed."""
    if len(args) != 2 or {"-h", "--help"} & set(args):
        print(USAGE)
        return 0 if {"-h", "--help"} & set(args) else 2
    from qd.cli.compose import assemble

    config, run = which(args[:1])
    asked = waiting(config, run)
    if asked is None:
        raise ValueError(f"{run} is finished and waits for no results; type qd plot {run}")
    evaluation = read(_lines(args[1]), asked, assemble(config).search.domain)
    result = work(config, run, (asked, evaluation))
    failed, done = int(np.isnan(evaluation.objective).sum()), result["evaluations"]
    print(f"told {len(asked.ids)} results, {failed} of them failures: {done:,} of {config['budget']:,} evaluations")
    if result["status"] != "finished":
        print(f"next: qd ask {run} > batch.jsonl")
        return 0
    from qd.cli.plot import draw

    print(f"finished; drawn: {', '.join(str(figure) for figure in draw(run) if figure.suffix == '.png')}")
    return 0


def read(lines: list[str], asked: Asked, domain: Any) -> Evaluation:
    """Returns the results in the order of the batch.

    Raises:
        ValueError: rows are missing, foreign, twice or malformed; names them.
    """
    evaluation, rows = domain.blank(len(asked.ids)), {number: row for row, number in enumerate(asked.ids.tolist())}
    told: set[int] = set()
    faults: list[str] = []
    for line, text in enumerate(lines, 1):
        if not text.strip():
            continue
        try:
            number, objective, features = _parsed(text, dict(domain.features))
        except ValueError as error:
            faults.append(f"line {line} is malformed: {error}")
            continue
        if number not in rows:
            faults.append(f"line {line}: id {number} is foreign, no id of this batch ({asked.ids[0]} to {asked.ids[-1]})")
        elif number in told:
            faults.append(f"line {line}: id {number} is there twice")
        else:
            told.add(number)
            evaluation.objective[rows[number]] = objective
            for name, value in features.items():
                evaluation.features[name][rows[number]] = value
    faults += list(_missing(rows.keys() - told))
    if faults:
        more = f"; and {len(faults) - _NAMED} more" if len(faults) > _NAMED else ""
        raise ValueError(f"nothing is changed: {'; '.join(faults[:_NAMED])}{more}. Mend the results and type the same again")
    return evaluation


def _parsed(text: str, shapes: dict[str, tuple[int, ...]]) -> tuple[int, float, dict[str, np.ndarray]]:
    """Reads one row. Raises ValueError that says what is wrong with it."""
    try:
        row = json.loads(text)
    except json.JSONDecodeError as error:
        raise ValueError(f"no json ({error.msg} at character {error.pos})") from error
    if not isinstance(row, dict) or isinstance(row.get("id"), bool) or not isinstance(row.get("id"), int):
        raise ValueError("a row is an object with a whole number as id")
    if "objective" not in row:
        raise ValueError("it has no objective (null says that it failed)")
    objective, number = row["objective"], row["id"]
    if objective is None or (isinstance(objective, float) and math.isnan(objective)):
        return number, math.nan, {}
    if isinstance(objective, bool) or not isinstance(objective, int | float) or not abs(objective) <= _LARGEST:
        raise ValueError(f"objective {objective!r} is no finite number (null says that it failed)")
    features = row.get("features")
    if not isinstance(features, dict) or features.keys() != shapes.keys():
        seen = sorted(features) if isinstance(features, dict) else features
        raise ValueError(f"its features are {seen}, but the domain's yaml says {sorted(shapes)}")
    return number, float(objective), {name: _feature(name, features[name], shape) for name, shape in shapes.items()}


def _feature(name: str, value: Any, shape: tuple[int, ...]) -> np.ndarray:
    try:
        column = np.asarray(value)
        with np.errstate(over="ignore"):
            numbers = column.astype(np.float32) if column.dtype.kind in "iuf" else None
    except ValueError:  # lists of different lengths
        numbers = None
    if numbers is None or numbers.shape != shape or not np.isfinite(numbers).all():
        raise ValueError(f"feature {name!r} is {json.dumps(value)[:60]}, but finite numbers of shape {list(shape)} are wanted")
    return numbers


def _missing(numbers: set[int]) -> Iterator[str]:
    if numbers:
        named = ", ".join(map(str, sorted(numbers)[:_NAMED]))
        yield f"missing: {len(numbers)} ids ({named}{', ...' if len(numbers) > _NAMED else ''})"


def _lines(file: str) -> list[str]:
    try:
        return (sys.stdin.read() if file == "-" else Path(file).read_text(encoding="utf-8")).split("\n")
    except (OSError, UnicodeDecodeError) as error:
        raise ValueError(f"{file} cannot be read ({error}); name the file of results, one json object a line") from error
