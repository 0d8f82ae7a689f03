"""A search whose every row a test chooses: the emitter reads solutions from a table, the domain says what they hold.

G generations, B batch, M measures; a row is (objective, measures..., number of the row).
"""

from dataclasses import dataclass

import jax.numpy as jnp
import numpy as np

from qd import keys
from qd.archives import HostElites, insert
from qd.types import Array, Batch, Elites, Evaluation, Memory, Offspring


@dataclass(frozen=True)
class Said:
    """Objective and measures stand in the solution."""

    measures: int = 2
    pure: bool = True

    def sample(self, key: Array, n: int) -> Array:
        return keys.uniform(key, (n, self.measures + 2))

    def evaluate(self, keys: Array, solutions: Array) -> Evaluation:
        x = solutions
        return Evaluation(x[:, 0], {"xy": x[:, 1 : 1 + self.measures], "row": x[:, -1].astype("int32")})


@dataclass(frozen=True)
class Table:
    """Asks for the rows of a table [G, B, 2 + M], which is its memory, one generation after another."""

    pure: bool = True

    def init(self, key: Array, elites: Elites) -> Memory:
        return None

    def ask(self, key: Array, memory: Memory, elites: Elites) -> tuple[Memory, Offspring]:
        table, i = memory
        return (table, i + 1), Offspring(jnp.asarray(table)[i])

    def tell(self, memory: Memory, batch: Batch) -> Memory:
        return memory


def replay(archive, batch: Batch, size: int) -> dict[str, np.ndarray]:
    """Inserts the rows of a batch into an archive, one generation after another, and returns what it said of them."""
    said: dict[str, list] = {"cell": [], "status": [], "value": []}
    for start in range(0, len(batch.ids), size):
        rows = slice(start, start + size)
        features = {name: column[rows] for name, column in batch.evaluation.features.items()}
        columns = batch.ids[rows], batch.solutions[rows], batch.evaluation.objective[rows], batch.measures[rows]
        added = insert(archive, *columns, features)
        for name, parts in said.items():
            parts.append(added[name])
    return {name: np.concatenate(parts) for name, parts in said.items()}


def contents(archive) -> dict[str, np.ndarray]:
    """Everything that an archive stores, by cell."""
    cells = np.sort(archive._store.occupied_list)
    return {"cells": cells} | {name: column[cells] for name, column in archive._store._fields.items()}


def elites(archive) -> HostElites:
    return HostElites(archive)
