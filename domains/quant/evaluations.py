"""What true evaluations said, on disk: one table (config -> figures) for all methods and processes, so that none costs twice.

A case names everything else that a figure depends on: network, options, split, number of images. B configs.
"""

import json
import sqlite3
from collections.abc import Mapping
from pathlib import Path

import numpy as np


class Evaluations:
    """A table in one SQLite file, opened anew for each call: processes may share it, and a kill leaves it whole."""

    def __init__(self, path: Path | str) -> None:
        self.path = Path(path)
        self.path.parent.mkdir(parents=True, exist_ok=True)
        with self._open() as table:
            table.execute("CREATE TABLE IF NOT EXISTS told (kind TEXT, config BLOB, figures TEXT, PRIMARY KEY (kind, config))")

    def find(self, case: str, solutions: np.ndarray) -> list[dict[str, float] | None]:
        """Returns what is known of each of B configs, or None."""
        with self._open() as table:
            asked = "SELECT figures FROM told WHERE kind = ? AND config = ?"
            found = [table.execute(asked, (case, _blob(row))).fetchone() for row in solutions]
        return [None if row is None else json.loads(row[0]) for row in found]

    def add(self, case: str, solutions: np.ndarray, columns: Mapping[str, np.ndarray]) -> None:
        """Keeps what B configs said; what is there already stays."""
        told = [json.dumps({name: float(column[i]) for name, column in columns.items()}) for i in range(len(solutions))]
        rows = [(case, _blob(row), text) for row, text in zip(solutions, told, strict=True)]
        with self._open() as table:
            table.executemany("INSERT OR IGNORE INTO told VALUES (?, ?, ?)", rows)

    def all(self, case: str) -> tuple[np.ndarray, list[dict[str, float]]]:
        """Returns every config of a case, int32 [N, 2L], and its figures."""
        with self._open() as table:
            rows = table.execute("SELECT config, figures FROM told WHERE kind = ? ORDER BY rowid", (case,)).fetchall()
        configs = [np.frombuffer(config, np.uint8) for config, _ in rows]
        return np.array(configs, np.int32), [json.loads(figures) for _, figures in rows]

    def _open(self) -> sqlite3.Connection:
        return sqlite3.connect(self.path, timeout=60)


def _blob(config: np.ndarray) -> bytes:
    return np.asarray(config).astype(np.uint8).tobytes()
