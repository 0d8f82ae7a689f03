"""An emitter that screens: of many children, a cheap prediction selects the few that are evaluated.

B evaluated children, V screened children, n configs evaluated before.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from domains.quant.domain import Quant
from domains.quant.predict.refit import refit
from domains.quant.solve.emitter import EvaluatedConfigs
from qd import keys
from qd.emitters.vary import Vary
from qd.types import Array, Batch, Elites, Offspring


@dataclass(frozen=True)
class ScreeningEmitter:
    """Selects the children with the largest predicted gain in their cell, one of each cell before any second.

    ``by``: trees (boosted trees on the bits of each layer), tables (refitted additive tables), or both: then trees also read
    the tables' sum, and the two predictions are averaged. ``predict`` replaces them.
    """

    vary: Vary
    domain: Quant
    box: tuple[tuple[tuple[float, float], ...], tuple[int, ...]]  # bounds and cells of the map
    batch_size: int
    by: str = "tables and trees"
    predict: Callable[[EvaluatedConfigs, np.ndarray], np.ndarray] | None = None  # (past, children [V, 2L]) -> objective [V]
    pure: bool = False

    def init(self, key: Array, elites: Elites) -> EvaluatedConfigs:
        """Remembers the initial population.

        Args:
            key: not used.
            elites: folder of the elites of ``qd study emq``.
        """
        return EvaluatedConfigs(*elites.take(np.arange(elites.size), "solution", "objective"))

    def tell(self, memory: EvaluatedConfigs, batch: Batch) -> EvaluatedConfigs:
        """Adds a batch to the evaluated configs.

        Args:
            memory: configs evaluated before.
            batch: evaluated.
        """
        both = zip(memory, (batch.solutions, batch.evaluation.objective), strict=True)
        return EvaluatedConfigs(*(np.concatenate([old, np.asarray(new)]) for old, new in both))

    def ask(self, key: Array, memory: EvaluatedConfigs, elites: Elites) -> tuple[EvaluatedConfigs, Offspring]:
        """Varies elites and selects the most promising children.

        Args:
            key: of the draws.
            memory: configs evaluated before.
            elites: folder of the elites of ``qd study emq``.

        Returns:
            The memory, and B children.
        """
        _, offspring = self.vary.ask(key, (), elites)
        children = np.unique(np.asarray(offspring.solutions), axis=0)
        past = {row.tobytes() for row in memory.genomes.astype(np.int32)}
        children = children[[row.tobytes() not in past for row in children.astype(np.int32)]]
        there = dict(zip(self._cells(memory.genomes).tolist(), np.zeros(len(memory.genomes)), strict=True))
        for cell, objective in zip(self._cells(memory.genomes).tolist(), memory.objective, strict=True):
            there[cell] = max(there[cell], objective)
        cells = self._cells(children)
        gain = self._predict(memory, children) - np.array([there.get(cell, 0.0) for cell in cells.tolist()])
        return memory, Offspring(children[_best_of_each_cell_first(gain, cells)[: self.batch_size]])

    def _predict(self, memory: EvaluatedConfigs, children: np.ndarray) -> np.ndarray:
        if self.predict:
            return self.predict(memory, children)
        predictions = []
        if "tables" in self.by:
            quality = np.clip((memory.objective - 10) / 90, 0, 1)
            tables = refit(self.domain.sensitivity, memory.genomes, quality).expected()
            predictions.append(10 + 90 * np.exp(-np.maximum(tables.damage(children), 0)))
        if "trees" in self.by:
            predictions.append(self._trees(memory).predict(self._inputs(children)))
        return np.mean(predictions, axis=0)

    def _trees(self, memory: EvaluatedConfigs) -> Any:
        from sklearn.ensemble import HistGradientBoostingRegressor
        from threadpoolctl import threadpool_limits

        trees = HistGradientBoostingRegressor(max_iter=80, min_samples_leaf=5, random_state=0)
        with threadpool_limits(1):  # so few rows that threads only wait for each other
            return trees.fit(self._inputs(memory.genomes), memory.objective)

    def _inputs(self, configs: np.ndarray) -> np.ndarray:
        bits = self.domain.bank
        of_weights, of_inputs = bits.split(configs)
        columns = [np.array([option.bits for option in bits.weight_options])[of_weights]]
        columns.append(np.array([option.bits for option in bits.activation_options])[of_inputs])
        if "tables" in self.by:
            columns.append(np.log(self.domain.sensitivity.of(bits, configs) + 1e-9)[:, None])
        return np.concatenate(columns, 1)

    def _cells(self, configs: np.ndarray) -> np.ndarray:
        (bounds, dims), cost = self.box, self.domain.cost(configs)["cost"]
        low, high = np.array(bounds).T
        place = np.clip(np.array(dims) * (cost - low) / (high - low), 0, np.array(dims) - 1).astype(int)
        return place[:, 0] * dims[1] + place[:, 1]


def _best_of_each_cell_first(gain: np.ndarray, cells: np.ndarray) -> np.ndarray:
    """Orders rows by gain, the best of each cell before any second of one."""
    order = np.argsort(-gain, kind="stable")
    turn, ranks = np.zeros(len(order), int), dict[int, int]()
    for i, cell in enumerate(cells[order].tolist()):
        turn[i] = ranks[cell] = ranks.get(cell, -1) + 1
    return order[np.argsort(turn, kind="stable")]


@dataclass(frozen=True)
class JointEmitter:
    """Emitters side by side; each receives all rows in ``tell`` (in a pool, only its own)."""

    emitters: tuple[Any, ...]
    pure: bool = False

    def init(self, key: Array, elites: Elites) -> tuple[Any, ...]:
        """Starts all emitters, with the same key.

        Args:
            key: of the draws.
            elites: folder of the elites of ``qd study emq``.
        """
        return tuple(emitter.init(key, elites) for emitter in self.emitters)

    def ask(self, key: Array, memory: tuple[Any, ...], elites: Elites) -> tuple[tuple[Any, ...], Offspring]:
        """Asks all emitters.

        Args:
            key: of the draws.
            memory: of each emitter.
            elites: folder of the elites of ``qd study emq``.

        Returns:
            Their memories, and all their solutions.
        """
        each = zip(self.emitters, keys.split(key, len(self.emitters)), memory, strict=True)
        answers = [emitter.ask(one, part, elites) for emitter, one, part in each]
        return tuple(part for part, _ in answers), Offspring(np.concatenate([offspring.solutions for _, offspring in answers]))

    def tell(self, memory: tuple[Any, ...], batch: Batch) -> tuple[Any, ...]:
        """Tells all emitters the whole batch.

        Args:
            memory: of each emitter.
            batch: evaluated.
        """
        return tuple(emitter.tell(part, batch) for emitter, part in zip(self.emitters, memory, strict=True))
