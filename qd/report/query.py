"""The best elite that meets conditions, from a run's archive alone; no domain is imported."""

import json
import re
from collections.abc import Sequence
from decimal import Decimal
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from qd.report import measure_names
from qd.store import archive_file, runs
from qd.support import read_files
from qd.support.errors import UserError
from qd.support.spelling import unknown

MARKS = "deployable.json"  # in a run's folder: reports of elites that were exported and checked
UNMET = 3  # exit status where no elite meets all conditions


_FORM = re.compile(r"\s*([A-Za-z_]\w*(?:\[\d+\])?)\s*(<=|>=|==|=|<|>)\s*([-+]?[\d.]+(?:[eE][-+]?\d+)?)\s*([A-Za-zµ%]*)\s*")
_SCALES = {  # unit -> what it is in the unit that columns of its kind have: KB of 1000 bytes, microseconds, per cent
    "B": ("KB", 1e-3), "KB": ("KB", 1.0), "kB": ("KB", 1.0), "KiB": ("KB", 1.024), "MB": ("KB", 1e3), "MiB": ("KB", 1048.576),
    "GB": ("KB", 1e6),
    "ns": ("us", 1e-3), "us": ("us", 1.0), "µs": ("us", 1.0), "ms": ("us", 1e3), "s": ("us", 1e6),
    "%": ("%", 1.0),
}  # fmt: skip


_WIDEST = 16  # numbers of a column
_KINDS = {"size": "KB", "latency": "us"}  # columns with a unit by their name; others are compared as plain numbers
_WORSE = {"<=": 1, "<": 1, ">=": -1, ">": -1}


class Condition(NamedTuple):
    """One column held against one number."""

    name: str
    sign: str  # <= >= < > ==
    value: float  # in the column's own unit
    typed: str

    def excess(self, column: np.ndarray) -> np.ndarray:
        """By how much each value fails, in units of the column's spread; 0 where it does not.

        Args:
            column: [N] in the dtype that it is stored in, to which the number is rounded: 0.7 equals a float32 0.7.

        Returns:
            [N], inf where the value is NaN.
        """
        over = column.astype(float) - _rounded(self.value, column.dtype)
        over = np.abs(over) if self.sign == "==" else _WORSE[self.sign] * over
        fails = ~(over < 0) if self.sign in "<>" else ~(over <= 0)
        spread = float(np.nanmax(column)) - float(np.nanmin(column))
        share = np.maximum(over / max(spread, 1e-12), np.finfo(float).tiny)  # a division may end in 0
        return np.where(fails, np.nan_to_num(share, nan=np.inf), 0.0)


def _rounded(value: float, dtype: np.dtype) -> float:
    """Returns a number as a column of floats would store it; unchanged where that column has no number near it."""
    if dtype.kind != "f":
        return value
    with np.errstate(over="ignore"):
        nearest = float(np.array(value).astype(dtype))
    return nearest if abs(nearest - value) <= float(np.finfo(dtype).eps) * abs(value) else value


class QueryResult(NamedTuple):
    """Elites, best first; where none meets the conditions, the nearest first."""

    rows: list[dict[str, Any]]
    met: int  # how many elites meet all conditions
    columns: tuple[str, ...]  # of the rows, each measure under one name


def query(run: Path, conditions: Sequence[str], top: int = 1, by: str = "objective") -> QueryResult:
    """Returns the elites of a run that meet conditions, or the nearest.

    The nearest fail by the least summed excess, each in units of how far that column's values spread over the archive.

    Args:
        run: folder of the run.
        conditions: e.g. "size<=30KB"; all must be met.
        top: how many elites at most, 1 or more.
        by: the column that ranks elites of equal excess, highest first; lowest first after a "-".

    Returns:
        A row for each elite (id, cell, each finite number by its column, solution), and how many elites meet all conditions.

    Raises:
        ValueError: the folder is no run, its archive is empty, a condition or ``by`` names no column or unit that there is,
            or ``top`` is below 1.
    """
    if top < 1:
        raise UserError(f"--top {top} shows nothing", "type 1 or more")
    runs.check(run, "qd query {}")
    archive = archive_file.load(run)
    numbers = columns(archive)
    if (run / MARKS).exists():
        numbers["deployable"] = np.isin(numbers["id"], deployable_ids(run)).astype(float)
    if not len(numbers["objective"]):
        raise UserError(f"the archive of {run} holds no elite", "give the run a larger budget")
    criteria = [parse(text, numbers) for text in conditions]
    order = -_column(by.removeprefix("-"), numbers) * (-1 if by.startswith("-") else 1)
    excess = np.zeros(len(order))
    for condition in criteria:
        excess += condition.excess(numbers[condition.name])
    ranks = np.lexsort((numbers["id"], order, excess))
    met = int((excess == 0).sum())
    rows = ranks[: min(top, met or top)]
    names = _distinct(numbers, _titles(archive), [condition.name for condition in criteria])
    return QueryResult([_row(archive, numbers, int(i)) for i in rows], met, names)


def columns(archive: archive_file.StoredArchive) -> dict[str, np.ndarray]:
    """Returns what conditions may name: each column of one number an elite; a wider one by number, e.g. measures[0].

    Columns of more than 16 numbers are vectors (images, whole solutions), which nobody limits number by number: they are left
    out. Floats stay in the dtype that they are stored in; all others become float64.
    """
    numbers = {}
    for name, column in archive.columns.items():
        if column.dtype.kind not in "biuf" or name in ("solution", "index", "threshold"):
            continue
        wide = column.reshape(len(column), -1)
        if wide.shape[1] > _WIDEST and name != "measures":
            continue
        wide = wide if column.dtype.kind == "f" else wide.astype(float)
        numbers |= {name: wide[:, 0]} if column.ndim == 1 else {f"{name}[{i}]": wide[:, i] for i in range(wide.shape[1])}
    titles = _titles(archive)
    return numbers | {title: numbers[f"measures[{i}]"] for i, title in enumerate(titles) if title and title not in numbers}


def deployable_ids(run: Path) -> list[int]:
    """Returns ids of elites with an exported file that was run and agreed."""
    return [report["id"] for report in reports(run) if report["deployable"]]


def reports(run: Path) -> list[dict[str, Any]]:
    """Returns the reports of elites that were exported, none where there are none.

    Raises:
        UserError: RUN/deployable.json is damaged.
    """
    marks, fix = run / MARKS, "remove it, and export the elites again"
    content = read_files.json_value(marks, fix) if marks.exists() else []
    names = {"id": int, "format": str, "deployable": bool}
    sound = isinstance(content, list) and all(
        isinstance(report, dict) and all(isinstance(report.get(name), kind) for name, kind in names.items())
        for report in content
    )
    if not sound:
        raise UserError(f"{marks} is damaged: it holds no list of reports", fix)
    return content


def parse(text: str, numbers: dict[str, np.ndarray]) -> Condition:
    """Reads a condition, e.g. ``latency<=2ms``.

    Args:
        text: a column, a sign (<= >= < > = ==) and a number with or without a unit.
        numbers: column -> [N], of ``columns``.

    Returns:
        The condition, its number in the column's own unit: size in KB of 1000 bytes, latency in us.

    Raises:
        UserError: the text is no condition, or there is no such column or unit; lists those that there are.
    """
    match = _FORM.fullmatch(text)
    if match is None:
        raise UserError(f"{text!r} is no condition", 'type a column, a sign and a number with or without a unit: "size<=120KB"')
    name, sign, number, unit = match.groups()
    _column(name, numbers)
    try:
        value = float(number)
    except ValueError as error:
        raise UserError(f"{number!r} in {text!r} is no number", f"type e.g. {name}{sign}12.5") from error
    if unit and unit not in _SCALES:
        raise unknown("unit", unit, _SCALES, f"in {text!r}")
    if unit:
        kind, factor = _SCALES[unit]
        own = _KINDS.get(name)
        if own is not None and own != kind:
            raise UserError(
                f"{name} is in {own}, of which {unit!r} is no unit ({text!r})", f"type e.g. {name}{sign}{number}{own}"
            )
        if own is None and kind != "%":
            raise UserError(f"{name} says no unit, so {text!r} may mean anything", f"type {name}{sign}{number}")
        exact = Decimal(number) * Decimal(str(factor)) if abs(value) < 1e300 else value * factor  # 1.001 ms are 1001 us
        value = float(exact)
    return Condition(name, "==" if sign == "=" else sign, value, text)


_OBJECTIVE = ("fitness", "quality", "score", "reward")  # other names of it


def _column(name: str, numbers: dict[str, np.ndarray]) -> np.ndarray:
    if name not in numbers:
        if name in _OBJECTIVE:
            raise UserError(f"unknown column {name!r}", "type objective, as it is called here")
        how = f"run again with keep=[{name}]"
        if name == "deployable":
            how = "export cells first, e.g. qd export RUN --format onnx --where 'size<=20KB'"
        raise unknown("column", name, sorted(numbers), otherwise=f"or {how}")
    return numbers[name]


def _titles(archive: archive_file.StoredArchive) -> list[str | None]:
    """Names of the measures in conditions: features that the descriptor reads one by one, or titles of one word."""
    measures = archive.columns["measures"].shape[1]
    try:
        features = archive.about.get("config", {}).get("descriptor", {}).get("features") or measure_names.names(archive.about)
    except (TypeError, AttributeError, LookupError, ValueError) as error:
        raise UserError(f"the config in archive.json is damaged ({error})", "give the run's command once more") from error
    names = [name if re.fullmatch(r"[A-Za-z_]\w*", name) else None for name in features]
    return names if len(names) == measures else [None] * measures


def _distinct(numbers: dict[str, np.ndarray], titles: list[str | None], names: list[str]) -> tuple[str, ...]:
    """Returns the columns without those that repeat a measure.

    Args:
        numbers: column -> [N].
        titles: [M] names of the measures, None where they have none.
        names: columns of the conditions; these are never left out, and stand for the measure that they repeat.
    """
    preferences, repeats = set(names), set()
    for i, title in enumerate(titles):
        measure = f"measures[{i}]"
        equal = {name for name, column in numbers.items() if np.array_equal(column, numbers[measure], equal_nan=True)}
        preferences |= equal & set(names) or {title if title in equal else measure}
        repeats |= equal
    return tuple(name for name in numbers if name in preferences or name not in repeats)


def _row(archive: archive_file.StoredArchive, numbers: dict[str, np.ndarray], i: int) -> dict[str, Any]:
    plain = {name: float(column[i]) for name, column in numbers.items() if name != "id" and np.isfinite(column[i])}
    solution = archive.columns["solution"][i]
    value = solution.tolist() if isinstance(solution, np.ndarray) else solution
    return {"id": int(numbers["id"][i]), "cell": int(archive.columns["index"][i]), **plain, "solution": value}


def text(answer: QueryResult, conditions: Sequence[str]) -> str:
    """Lays an answer out for a terminal.

    Args:
        answer: of ``query``.
        conditions: as they were typed; they stand in the first line.

    Returns:
        A line of how many elites meet the conditions, then two lines for each elite: its numbers and its solution.
    """
    wanted_words = " and ".join(conditions) or "nothing"
    noun = "elite meets" if answer.met == 1 else "elites meet"
    head = f"{answer.met} {noun} {wanted_words}" if answer.met else f"no elite meets {wanted_words}; the nearest:"
    blocks = [head]
    for row in answer.rows:
        cells = [f"{name} {row[name]:.6g}{_unit(name)}" for name in answer.columns if name in row and name != "id"]
        blocks.append(f"elite {row['id']} (cell {row['cell']}): " + ", ".join(cells))
        solution = row["solution"]
        blocks.append(f"  solution {solution if isinstance(solution, str) else json.dumps(solution)}")
    return "\n".join(blocks)


def _unit(name: str) -> str:
    return f" {_KINDS[name]}" if name in _KINDS else ""
