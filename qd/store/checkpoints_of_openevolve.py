"""Programs of a checkpoint of openevolve (0.3 and 0.4): a folder with metadata.json and programs/ID.json.

Their metrics are claims: the domain evaluates each program again.
"""

import math
from pathlib import Path
from typing import Any

import numpy as np

from qd.support import read_files
from qd.support.errors import UserError

_AGAIN = "name another checkpoint"


def find(path: Path) -> Path | None:
    """Returns the folder of a checkpoint: itself, or the newest below an output folder of openevolve; None where it is none.

    Args:
        path: a folder, e.g. openevolve_output or openevolve_output/checkpoints/checkpoint_50.
    """
    if _is_checkpoint(path):
        return path
    below = [each for folder in (path, path / "checkpoints") for each in folder.glob("checkpoint_*") if _is_checkpoint(each)]
    return max(below, key=lambda each: (_number(each), str(each)), default=None)


def read(path: Path) -> tuple[np.ndarray, np.ndarray]:
    """Reads all programs of a checkpoint, the oldest first.

    Args:
        path: as ``find`` returns it.

    Returns:
        Sources, objects [N], and the scores that it claims [N], NaN where there are none.

    Raises:
        UserError: a file of it is damaged, or holds no program.
    """
    rows = []
    for file in sorted((path / "programs").glob("*.json")):
        content = read_files.json_object(file, _AGAIN)
        if not isinstance(content.get("code"), str) or not content["code"].strip():
            raise UserError(f"{file} holds no code of a program", _AGAIN)
        metrics, iteration = content.get("metrics"), content.get("iteration_found")
        score = _score(metrics if isinstance(metrics, dict) else {})
        rows.append((iteration if isinstance(iteration, int) else 0, file.name, content["code"], score))
    rows.sort(key=lambda row: row[:2])
    sources = np.empty(len(rows), dtype=object)
    sources[:] = [row[2] for row in rows]
    return sources, np.array([row[3] for row in rows], float)


def _is_checkpoint(path: Path) -> bool:
    return (path / "metadata.json").is_file() and (path / "programs").is_dir()


def _number(path: Path) -> int:
    digits = path.name.rpartition("_")[2]
    return int(digits) if digits.isdecimal() else -1


def _score(metrics: dict[str, Any]) -> float:
    """combined_score, else the mean of the numbers, as openevolve scores a program."""
    is_number = {name: isinstance(value, int | float) and not isinstance(value, bool) for name, value in metrics.items()}
    numbers = {name: float(metrics[name]) for name, yes in is_number.items() if yes}
    if "combined_score" in numbers:
        return numbers["combined_score"]
    return sum(numbers.values()) / len(numbers) if numbers else math.nan
