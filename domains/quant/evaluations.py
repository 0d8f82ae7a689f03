"""Results of true evaluations on disk: one table (config -> figures) for all methods and processes, so that none costs twice.

A case names everything else that a figure depends on: network, options, split, number of images. B configs.
"""

import json
import sqlite3
from collections.abc import Mapping
from pathlib import Path

import numpy as np

_TABLE = "told"  # its name in the files, from the first version on


class Evaluations:
    """A table in one SQLite file, opened for each call: processes may share it, and a kill leaves it whole."""

    def __init__(self, path: Path | str) -> None:
        self.path = Path(path)
        self.path.parent.mkdir(parents=True, exist_ok=True)
        with self._open() as table:
            table.execute(
                f"CREATE TABLE IF NOT EXISTS {_TABLE} (kind TEXT, config BLOB, figures TEXT, PRIMARY KEY (kind, config))"
            )

    def find(self, case: str, solutions: np.ndarray) -> list[dict[str, float] | None]:
        """Returns the figures of B configs.

        Args:
            case: all else that they depend on.
            solutions: [B, 2L], indices below 256.

        Returns:
            B times name -> figure, or None where that config has no evaluation.
        """
        with self._open() as table:
            query = f"SELECT figures FROM {_TABLE} WHERE kind = ? AND config = ?"
            rows = [table.execute(query, (case, _blob(row))).fetchone() for row in solutions]
        return [None if row is None else json.loads(row[0]) for row in rows]

    def add(self, case: str, solutions: np.ndarray, columns: Mapping[str, np.ndarray]) -> None:
        """Stores the figures of B configs; those that are there already stay.

        Args:
            case: all else that they depend on.
            solutions: [B, 2L], indices below 256.
            columns: name -> figures [B].
        """
        texts = [json.dumps({name: float(column[i]) for name, column in columns.items()}) for i in range(len(solutions))]
        rows = [(case, _blob(row), text) for row, text in zip(solutions, texts, strict=True)]
        with self._open() as table:
            table.executemany(f"INSERT OR IGNORE INTO {_TABLE} VALUES (?, ?, ?)", rows)

    def all(self, case: str) -> tuple[np.ndarray, list[dict[str, float]]]:
        """Returns every config of a case, int32 [N, 2L], and its figures."""
        with self._open() as table:
            rows = table.execute(f"SELECT config, figures FROM {_TABLE} WHERE kind = ? ORDER BY rowid", (case,)).fetchall()
        configs = [np.frombuffer(config, np.uint8) for config, _ in rows]
        return np.array(configs, np.int32), [json.loads(figures) for _, figures in rows]

    def _open(self) -> sqlite3.Connection:
        return sqlite3.connect(self.path, timeout=60)


def _blob(config: np.ndarray) -> bytes:
    return np.asarray(config).astype(np.uint8).tobytes()
