"""Reads metrics.csv."""

import math
import os
from pathlib import Path

import numpy as np

from qd.support import growing, links
from qd.support.errors import UserError

_LONGEST = 65_536  # bytes of a line


def last_row(path: Path) -> dict[str, float]:
    """Returns the last whole row of metrics.csv without reading the others; empty where there is none, or it is damaged.

    Args:
        path: the file.

    Returns:
        Column -> number; an empty cell is not defined: NaN.

    Raises:
        UserError: it is a link.
        OSError: it cannot be opened.
    """
    with os.fdopen(links.open_file(path, os.O_RDONLY), "rb") as file:
        head = file.readline(_LONGEST)
        file.seek(max(len(head), file.seek(0, os.SEEK_END) - _LONGEST))
        lines = file.read(_LONGEST).split(b"\n")[:-1]  # the last may be cut short
    last = lines[-1] if lines else b""
    names, cells = ([cell.strip() for cell in line.decode("utf-8", "replace").split(",")] for line in (head, last))
    if len(names) != len(cells) or "evals" not in names or len(set(names)) < len(names):
        return {}
    try:
        return {name: _number(cell) for name, cell in zip(names, cells, strict=True)}
    except ValueError:
        return {}


def metrics(path: Path) -> dict[str, np.ndarray]:
    """Reads metrics.csv, name -> [G]; an empty cell is not defined: NaN. Raises ValueError where it is damaged."""
    return parse(path, growing.text(path)) if growing.is_there(path) else {}


def parse(path: Path, text: str) -> dict[str, np.ndarray]:
    """Reads the text of metrics.csv, as ``metrics`` does.

    Args:
        path: for the message.
        text: of the file.
    """
    try:
        lines = text.splitlines(keepends=True)
        names, *rows = [line.rstrip().split(",") for line in lines if line.endswith("\n")] or [[]]  # the last may be cut short
        if not rows:
            return {}
        if '"' in "".join(lines):
            raise UserError("it holds a quotation mark")
        if "evals" not in names:
            raise UserError("its first line names no evals")
        if len(set(names)) < len(names):
            raise UserError("its first line gives two columns one name")
        cells = "".join(lines[1:])
        number = _number if "_" in cells or not cells.isascii() else _python_number  # once for all: there may be 100,000s
        numbers = [[number(cell) for cell in row] for row in rows]
        if not all(math.isfinite(row[names.index("evals")]) for row in numbers):
            raise UserError("a row has no evals")
        evals = [row[names.index("evals")] for row in numbers]
        if evals != sorted(evals):
            raise UserError("its rows are not in order of evals")
        return dict(zip(names, np.array(numbers).reshape(len(rows), len(names)).T, strict=True))
    except (ValueError, IndexError) as error:
        raise UserError(f"{path} is damaged ({error})") from error


def _number(cell: str) -> float:
    if "_" in cell or not cell.isascii():  # Python reads 1_000 and other alphabets' digits, pandas does not
        raise ValueError(f"could not convert {cell!r} to a number")
    return _python_number(cell)


def _python_number(cell: str) -> float:
    return float(cell or "nan")
