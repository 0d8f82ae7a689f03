"""Reads metrics.csv."""

import math
from pathlib import Path

import numpy as np

from qd.support import read_files
from qd.support.errors import UserError


def metrics(path: Path) -> dict[str, np.ndarray]:
    """Reads metrics.csv, name -> [G]; an empty cell is not defined: NaN. Raises ValueError where it is damaged."""
    if not path.is_file():
        return {}
    try:
        lines = read_files.text(path).splitlines(keepends=True)
        names, *rows = [line.rstrip().split(",") for line in lines if line.endswith("\n")] or [[]]  # the last may be cut short
        if not rows:
            return {}
        if '"' in "".join(lines):
            raise UserError("it holds a quotation mark")
        if "evals" not in names:
            raise UserError("its first line names no evals")
        numbers = [[_number(cell) for cell in row] for row in rows]
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
    return float(cell or "nan")
