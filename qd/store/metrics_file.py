"""Reads metrics.csv."""

from pathlib import Path

import numpy as np

from qd.support.errors import UserError


def metrics(path: Path) -> dict[str, np.ndarray]:
    """Reads metrics.csv, name -> [G]; an empty cell is not defined: NaN. Raises ValueError where it is damaged."""
    if not path.is_file():
        return {}
    try:
        lines = path.read_text(encoding="utf-8").splitlines(keepends=True)
        names, *rows = [line.rstrip().split(",") for line in lines if line.endswith("\n")] or [[]]  # the last may be cut short
        if not rows:
            return {}
        if "evals" not in names:
            raise UserError("its first line names no evals")
        numbers = [[float(cell or "nan") for cell in row] for row in rows]
        return dict(zip(names, np.array(numbers).reshape(len(rows), len(names)).T, strict=True))
    except (ValueError, OSError) as error:
        raise UserError(f"{path} is damaged ({error})") from error
