"""Tables of solutions as csv, jsonl or parquet: columns named as pyribs' data frames name them (solution_0, measures_1).

Text is safe in all of them: it comes back unchanged. N rows.
"""

import csv
import io
import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from qd.archives import objects
from qd.support import read_files
from qd.support.errors import UserError

Columns = dict[str, np.ndarray]  # name -> [N], or [N, ...] where it was nested
_JSON = ".json"  # ends the name of a column with cells of json, in tables without nesting


def flat(columns: Columns) -> Columns:
    """Returns columns [N], one number or text a cell: solution [N, 2] is solution_0 and solution_1.

    Raises:
        ValueError: two columns would have one name.
    """
    table: Columns = {}
    for name, column in columns.items():
        wide = column.reshape(len(column), -1)
        for i in range(wide.shape[1]):
            title = name if column.ndim == 1 else f"{name}_{i}"
            if title in table:
                raise UserError(f"two columns would be called {title!r}", "type --format jsonl, which nests them")
            table |= _cells(title, wide[:, i])
    return table


def to_csv(columns: Columns) -> bytes:
    """Writes flat columns, numbers in the fewest digits that come back as the same number."""
    table, text = flat(columns), io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(table)
    writer.writerows(zip(*(column if column.dtype == object else column.astype(str) for column in table.values()), strict=True))
    return text.getvalue().encode()


def to_jsonl(columns: Columns) -> bytes:
    """Writes one object a row; what is not finite is null."""
    plain = {name: column.tolist() for name, column in columns.items()}
    odd = {name for name, column in columns.items() if column.dtype.kind == "f" and not np.isfinite(column).all()}
    rows = zip(*plain.values(), strict=True)
    lines = ({name: _finite(item) if name in odd else item for name, item in zip(plain, row, strict=True)} for row in rows)
    return "".join(json.dumps(line, ensure_ascii=False) + "\n" for line in lines).encode()


def to_parquet(columns: Columns) -> bytes:
    """Writes flat columns. Raises ValueError where pyarrow is not installed."""
    arrow, parquet = _pyarrow()
    table = {name: column.tolist() if column.dtype == object else column for name, column in flat(columns).items()}
    sink = io.BytesIO()
    parquet.write_table(arrow.table(table), sink)
    return sink.getvalue()


def from_csv(path: Path) -> Columns:
    """Reads a csv file, e.g. of ``archive.data(return_type="pandas").to_csv(path)``.

    Args:
        path: of text in UTF-8, or in UTF-16 with a byte order mark. Where its first line has no comma, semicolons or tabs
            separate the cells; with semicolons numbers may have decimal commas.

    Raises:
        UserError: it is no csv, its rows differ in length, or two columns have one name.
    """
    csv.field_size_limit(2**31 - 1)  # a solution may be a long text
    content = read_files.text(path)
    first = content.partition("\n")[0]
    delimiter = next((mark for mark in ",;\t" if mark in first), ",")
    try:
        names, *rows = [row for row in csv.reader(io.StringIO(content, newline=""), delimiter=delimiter) if row] or [[]]
    except csv.Error as error:
        raise UserError(f"{path} is no csv ({error})", "save it again as csv in UTF-8") from error
    names = [name.strip() for name in names]
    if names and not rows:
        raise UserError(f"{path} has a first line and no rows", "add a row for each solution")
    if twice := [name for name in names if names.count(name) > 1]:
        raise UserError(f"two columns of {path} are named {twice[0]!r}", "rename one")
    for number, row in enumerate(rows, 2):
        if len(row) != len(names):
            raise UserError(
                f"row {number} of {path} has {len(row)} cells, and its first row {len(names)}, separated by {delimiter!r}",
                "correct that row, or separate the cells by commas",
            )
    cells = {name: list(column) for name, column in zip(names, zip(*rows, strict=True), strict=True)} if rows else {}
    return _read({name: _with_points(name, column) for name, column in cells.items()} if delimiter == ";" else cells)


def from_jsonl(path: Path) -> Columns:
    """Reads one object a row, as ``to_jsonl`` writes it. Raises ValueError that names a row that cannot be read."""
    rows = [line for line in read_files.text(path).split("\n") if line.strip()]
    table: dict[str, list] = {}
    for number, line in enumerate(rows, 1):
        try:
            row = json.loads(line)
        except (json.JSONDecodeError, RecursionError) as error:
            raise UserError(f"row {number} of {path} is no json ({error})", "correct or remove it") from error
        if not isinstance(row, dict) or (table and row.keys() != table.keys()):
            raise UserError(f"row {number} of {path} is no object with the keys of the first row", "give each row all of them")
        for name, item in row.items():
            table.setdefault(name, []).append(item)
    return {name: _stack(path, name, items) for name, items in table.items()}


def from_parquet(path: Path) -> Columns:
    """Reads a parquet file. Raises ValueError where pyarrow is not installed, or the file is no parquet."""
    arrow, parquet = _pyarrow()
    try:
        return _read(parquet.read_table(path).to_pydict())
    except (arrow.ArrowException, OSError, ValueError, KeyError, OverflowError, MemoryError) as error:
        what = " ".join(str(error).split())
        raise UserError(f"{path} is no parquet file, or damaged ({what})", "save it again") from error


READERS: dict[str, Callable[[Path], Columns]] = {
    ".csv": from_csv, ".jsonl": from_jsonl, ".parquet": from_parquet, ".tsv": from_csv,
}  # fmt: skip
WRITERS: dict[str, Callable[[Columns], bytes]] = {"csv": to_csv, "parquet": to_parquet, "jsonl": to_jsonl}


def block(columns: Columns, name: str) -> np.ndarray | None:
    """Returns the column of that name, or name_0, name_1, ... side by side.

    Args:
        columns: a table of N rows.
        name: without the number.

    Returns:
        The column as it is; [N] objects of a json column; [N, K] of numbered ones; None where there are none of these.

    Raises:
        UserError: a number is missing, e.g. solution_1 between solution_0 and solution_2; or a cell is no json.
    """
    if name in columns:
        return columns[name]
    if name + _JSON in columns:
        try:
            return objects([json.loads(cell) for cell in columns[name + _JSON]])
        except (ValueError, RecursionError) as error:
            raise UserError(f"a cell of the column {name + _JSON} is no json ({error})", "correct it") from error
    numbers_of_columns = sorted(int(title[len(name) + 1 :]) for title in columns if re.fullmatch(rf"{name}_\d+", title))
    for i, number in enumerate(numbers_of_columns):
        if f"{name}_{i}" not in columns:
            raise UserError(f"there is a column {name}_{number}, but none {name}_{i}", "add it, or number the columns from 0")
    return np.stack([columns[f"{name}_{i}"] for i in numbers_of_columns], axis=1) if numbers_of_columns else None


def parse_printed(column: np.ndarray) -> np.ndarray | None:
    """Reads arrays that were printed as text, e.g. "[0.5 1. ]" or "[0.5, 1.0]".

    Args:
        column: [N] of texts.

    Returns:
        [N, K] numbers; None where a text is no whole array (NumPy shortens long ones with "..."), or their lengths differ.
    """
    rows = []
    for cell in column:
        inner = re.fullmatch(r"\s*\[([^\[\]]*)\]\s*", cell) if isinstance(cell, str) else None
        if inner is None:
            return None
        rows.append(inner[1].replace(",", " ").split())
    try:
        return np.array(rows, float) if len({len(row) for row in rows}) == 1 else None
    except ValueError:
        return None


def numbers(path: Path, columns: Columns, name: str, width: int = 0) -> np.ndarray:
    """Returns a column as floats.

    Args:
        path: the file, for the message.
        columns: a table of N rows that has the column.
        name: of the column.
        width: how many numbers a row has; 0: one by itself.

    Returns:
        [N], or [N, width]

    Raises:
        UserError: it holds anything else.
    """
    column = columns[name]
    if column.dtype.kind not in "biuf" or column.shape[1:] != ((width,) if width else ()):
        what = f"{width} numbers" if width else "one number"
        odd = next((item for item in column if not _is_like(item, width)), column[0] if len(column) else None)
        raise UserError(f"the column {name} of {path} holds something else than {what} a row, e.g. {odd!r}")
    return column.astype(float)


def _is_like(item: Any, width: int) -> bool:
    """Whether an item of a column reads as so many numbers; 0: as one by itself."""
    try:
        return np.shape(np.asarray(item, float)) == ((width,) if width else ())
    except (ValueError, TypeError):
        return False


def _cells(title: str, column: np.ndarray) -> Columns:
    if column.dtype != object or all(isinstance(item, str) for item in column):
        return {title: column}
    return {title + _JSON: objects([json.dumps(item) for item in column])}


def _read(table: dict[str, list]) -> Columns:
    """Turns columns of text into numbers where all of it is; a column called solution stays text."""
    columns = {}
    for name, cells in table.items():
        text = name == "solution" or name.endswith(_JSON)
        columns[name] = objects(list(map(str, cells))) if text else _numbers(cells)
    return columns


def _with_points(name: str, cells: list[str]) -> list[str]:
    """Returns a column of numbers with decimal commas as one with points; any other column as it is."""
    decimal = name != "solution" and all(re.fullmatch(r"\s*|[-+\d]*,?\d+([eE][-+]?\d+)?|nan|-?inf", cell) for cell in cells)
    return [cell.replace(",", ".") for cell in cells] if decimal else cells


def _numbers(cells: list) -> np.ndarray:
    try:
        return np.array([float("nan" if cell in ("", None) else _without_underscores(cell)) for cell in cells])
    except (ValueError, TypeError, OverflowError):
        return objects(cells)


def _without_underscores(cell: Any) -> Any:
    """Python reads 1_000 as a number, no other program does."""
    if isinstance(cell, str) and "_" in cell:
        raise ValueError(cell)
    return cell


def _stack(path: Path, name: str, items: list) -> np.ndarray:
    if all(isinstance(item, int | float | list) or item is None for item in items) and (name != "solution" or _is_flat(items)):
        try:
            return np.array(items, float)
        except (ValueError, TypeError, OverflowError) as error:
            if name != "solution":
                raise UserError(
                    f"the rows of {path} hold a {name} of different lengths, or too large", "correct them"
                ) from error
    return objects(items)


def _is_flat(items: list) -> bool:
    """Whether solutions are lists of numbers, all of one length; others are Python objects."""
    return len({len(item) for item in items if isinstance(item, list)}) == 1 and all(isinstance(item, list) for item in items)


def _finite(item: Any) -> Any:
    if isinstance(item, list):
        return [_finite(each) for each in item]
    return item if np.isfinite(item) else None


def _pyarrow() -> tuple[Any, Any]:
    try:
        import pyarrow
        from pyarrow import parquet
    except ImportError as error:
        raise UserError("parquet needs the package pyarrow", "type pip install 'qd-atlas[parquet]', or --format csv") from error
    return pyarrow, parquet
