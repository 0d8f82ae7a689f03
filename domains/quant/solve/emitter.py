"""The exact solver as an emitter: the best predicted config for each promising cell, by tables refitted to all evaluations.

In each generation tables are refitted (see refit): as expected, drawn from what is possible, and as they were measured,
each for a third of the batch. Cells are ranked by predicted quality less the quality of their elite, and for the first of them
a 0-1 program is solved between the cell's own borders. True evaluations judge.

L layers, O options of a layer (pairs), K axes, C cells, n configs.
"""

from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np

from domains.quant.predict.refit import DamageTables, columns, refit
from domains.quant.solve import ilp
from domains.quant.solve.allocation import CostLimit, OutOfNodes, Unmet, solve
from qd import abilities, keys
from qd.support.errors import UserError
from qd.types import Array, Batch, Elites, Memory, Offspring

_SWEEP = 600  # prices tried in each generation to see what cells may hold


class EvaluatedConfigs(NamedTuple):
    """All configs evaluated, and their objectives."""

    genomes: np.ndarray  # [n, 2L]
    objective: np.ndarray  # [n]


class Targets(NamedTuple):
    """What to propose: cells, best first, each with the sweep's own config."""

    cells: np.ndarray  # [C, K]
    options: np.ndarray  # [C, L]


@dataclass(frozen=True)
class ILP:
    """Proposes configs for empty and weak cells of a map with costs as axes.

    ``source`` gives ``costs``, ``sensitivity`` and ``objective_range``, as the domain quant does. An axis that is no
    cost is None: all its cells are aimed at together.
    """

    source: Any
    bounds: tuple[tuple[float, float], ...]
    dims: tuple[int, ...]
    axes: tuple[str | None, ...] = ("size", "bops")  # in the order of the measures
    batch_size: int = 16
    gap: float = 0.01  # relative distance to the optimum of tables that are guesses
    nodes: int = 200  # of the solver's tree, for one cell; then the best so far, or the sweep's own config, will do
    chance: float | None = None  # the objective of guessing; None: the low end of its range
    noise: float = 0.03
    doubt: float = 0.5
    refits: bool = True  # False: tables as they were measured
    pure: bool = False

    def __post_init__(self) -> None:
        if not len(self.axes) == len(self.bounds) == len(self.dims) or not any(self.axes):
            raise UserError(
                f"{len(self.axes)} axes, {len(self.bounds)} bounds and {len(self.dims)} dims do not describe one map",
                f"give one of each for each measure, and a cost ({', '.join(ilp.AXES)}) for at least one axis",
            )

    def check(self, key: Array, solutions: Array, archive: Any) -> None:
        """Checks that there are tables of layers, and that they fit the solutions.

        Args:
            key: not used.
            solutions: [n, 2L] of the domain.
            archive: not used.

        Raises:
            UserError: there are no tables, or they are for another number of genes.
        """
        lacking = abilities.lacking(self.source, ("costs", "sensitivity", "objective_range"))
        if lacking:
            raise UserError(
                f"ILP solves by tables of layers, but {type(self.source).__name__} has no {', '.join(lacking)}; "
                "type domain=quant"
            )
        genes = 2 * len(self.source.sensitivity.weights)
        if solutions.shape[1:] != (genes,) or solutions.dtype.kind not in "iu":
            raise UserError(
                f"ILP chooses {genes} whole numbers, but solutions are {solutions.dtype} {list(solutions.shape[1:])}; "
                "type domain=quant"
            )

    def init(self, key: Array, elites: Elites) -> EvaluatedConfigs:
        """Begins with the archive's elites.

        Args:
            key: not used.
            elites: configs [n, 2L] and their objectives.

        Returns:
            The memory.
        """
        return EvaluatedConfigs(*elites.take(np.arange(elites.size), "solution", "objective"))

    def tell(self, memory: EvaluatedConfigs, batch: Batch) -> EvaluatedConfigs:
        """Adds what was evaluated.

        Args:
            memory: of the generation.
            batch: B configs and their objectives; failed ones are left out.

        Returns:
            The memory with them.
        """
        rows = np.flatnonzero(np.asarray(batch.status) >= 0)
        objective = np.asarray(batch.evaluation.objective)
        genomes = np.concatenate([memory.genomes, np.asarray(batch.solutions)[rows]])
        return EvaluatedConfigs(genomes, np.concatenate([memory.objective, objective[rows]]))

    def ask(self, key: Array, memory: Memory, elites: Elites) -> tuple[Memory, Offspring]:
        """Proposes configs.

        Args:
            key: of the random numbers.
            memory: all configs with an evaluation.
            elites: not used.

        Returns:
            The memory as it was, and batch_size configs [batch_size, 2L].
        """
        draw_key, sweep_key, vary_key = keys.split(key, 3)
        shape = self._shape()
        costs = {axis: ilp.cost(self.source.costs, axis, shape) for axis in self.axes if axis}
        known_genomes = {row.tobytes() for row in memory.genomes.astype(np.int32)}
        beliefs = self._beliefs(draw_key, memory)
        proposals: list[np.ndarray] = []
        target_cells: set[bytes] = set()  # cells: each once in a generation
        for i, (tables, one) in enumerate(zip(beliefs, keys.split(sweep_key, len(beliefs)), strict=True), 1):
            room = self.batch_size * i // len(beliefs) - len(proposals)
            proposals += self._propose(one, tables, costs, memory, room, known_genomes, target_cells)
        proposals += self._vary(vary_key, memory, self.batch_size - len(proposals), known_genomes)
        return memory, Offspring(np.stack(proposals).astype(memory.genomes.dtype))

    def _propose(
        self,
        key: Array,
        tables: DamageTables,
        costs: dict,
        memory: EvaluatedConfigs,
        room: int,
        known_genomes: set[bytes],
        target_cells: set[bytes],
    ) -> list[np.ndarray]:
        """Returns up to so many configs without an evaluation, for the cells that promise most."""
        damage = ilp.joint(tables)
        proposals: list[np.ndarray] = []
        for cell, swept in zip(*self._targets(key, damage, tables.offset, costs, memory), strict=True):
            if len(proposals) >= room:
                break
            if cell.tobytes() in target_cells:
                continue
            for exact in (True, False):
                options = self._exact(damage, costs, cell) if exact else swept
                genome = None if options is None else ilp.genome(options, tables.activations.shape[1])
                if genome is not None and genome.tobytes() not in known_genomes:
                    known_genomes.add(genome.tobytes())
                    target_cells.add(cell.tobytes())
                    proposals.append(genome)
                    break
        return proposals

    def _shape(self) -> tuple[int, int]:
        tables = self.source.sensitivity
        return np.shape(tables.weights)[1], np.shape(tables.activations)[1]

    def _beliefs(self, key: Array, memory: EvaluatedConfigs) -> list[DamageTables]:
        """Returns tables, each of which proposes a part of the batch: as expected, drawn, and as measured beforehand."""
        tables = self.source.sensitivity
        posterior = refit(tables, memory.genomes, self._quality(memory.objective), self.noise, self.doubt)
        draw = posterior.draw(keys.normal(key, (columns(tables),)))
        return [posterior.expected(), draw, posterior.prior] if self.refits else [posterior.prior]

    def _quality(self, objective: np.ndarray) -> np.ndarray:
        low, high = self.source.objective_range[0] if self.chance is None else self.chance, self.source.objective_range[1]
        return np.clip((np.asarray(objective, float) - low) / (high - low), 0, 1)

    def _targets(self, key: Array, damage: np.ndarray, offset: float, costs: dict, memory: EvaluatedConfigs) -> Targets:
        """Ranks cells by predicted gain in quality: damage + price * cost is least layer by layer, for many prices."""
        unit_costs = np.stack([c / max(float(np.ptp(c, axis=1).sum()), 1e-12) for c in costs.values()])  # [K, L, O]
        prices = self._prices(key, len(costs)) * max(float(np.ptp(damage, axis=1).sum()), 1e-12)
        options = np.stack([(damage + np.tensordot(price, unit_costs, 1)).argmin(axis=1) for price in prices])  # [n, L]
        options = np.unique(options, axis=0)
        rows = np.arange(len(damage))
        promise = np.exp(-(offset + damage[rows, options].sum(axis=1)))
        cells = self._cells({axis: c[rows, options].sum(axis=1) for axis, c in costs.items()})
        there = self._there(costs, memory)
        gain = np.minimum(promise, 1) - np.array([there.get(tuple(cell), 0.0) for cell in cells])
        order = np.argsort(-gain, kind="stable")
        _, first = np.unique(cells[order], axis=0, return_index=True)  # the best of each cell
        best = order[np.sort(first)]
        return Targets(cells[best], options[best])

    def _prices(self, key: Array, axes: int) -> np.ndarray:
        """Returns prices of cost [n, K] in both directions: a cell may ask for more bits than a least damage would take."""
        size_key, sign_key = keys.split(key)
        size = 10 ** keys.uniform(size_key, (_SWEEP, axes), -3.0, 1.0)
        return size * np.where(keys.uniform(sign_key, (_SWEEP, axes)) < 0.25, -1, 1)

    def _there(self, costs: dict[str, np.ndarray], memory: EvaluatedConfigs) -> dict[tuple, float]:
        """Returns cell -> the best quality in it."""
        pairs, rows = ilp.pairs(memory.genomes, self._shape()[1]), np.arange(len(next(iter(costs.values()))))
        cells = self._cells({axis: c[rows, pairs].sum(axis=1) for axis, c in costs.items()})
        best: dict[tuple, float] = {}
        for cell, quality in zip(map(tuple, cells), self._quality(memory.objective), strict=True):
            best[cell] = max(best.get(cell, 0.0), float(quality))
        return best

    def _map(self) -> list[tuple[str, tuple[float, float], int]]:
        return [(axis, b, d) for axis, b, d in zip(self.axes, self.bounds, self.dims, strict=True) if axis]

    def _cells(self, costs: dict[str, np.ndarray]) -> np.ndarray:
        """Costs, each [n] -> cells [n, K]."""
        places = []
        for axis, (low, high), dim in self._map():
            measure = np.log2(costs[axis] / self.source.costs.bops_reference) if axis == "bops" else costs[axis]
            places.append(np.clip((dim * (measure - low) / (high - low)).astype(int), 0, dim - 1))
        return np.stack(places, axis=1)

    def _exact(self, damage: np.ndarray, costs: dict[str, np.ndarray], cell: np.ndarray) -> np.ndarray | None:
        """Returns the least damage within a cell's borders, [L]; None where the solver found nothing in time."""
        budgets, near = [], []
        for (axis, (low, high), dim), place in zip(self._map(), cell, strict=True):
            edges = low + (high - low) * np.array([place, place + 1]) / dim
            edges = self.source.costs.bops_reference * 2.0**edges if axis == "bops" else edges
            floor, limit = (-np.inf if place == 0 else edges[0]), (np.inf if place == dim - 1 else edges[1])
            budgets.append(CostLimit(axis, costs[axis], float(limit), float(floor)))
            near.append((edges[1] - edges[0]) / 4 / len(damage))  # all layers together move by a quarter of a cell
        try:
            mask = _worth(damage, [b.cost for b in budgets], near)
            return solve(damage, budgets, mask, gap=self.gap, nodes=self.nodes).options
        except (Unmet, OutOfNodes):
            return None

    def _vary(self, key: Array, memory: EvaluatedConfigs, n: int, known_genomes: set[bytes]) -> list[np.ndarray]:
        """Returns evaluated configs with a gene or two drawn at random, where the tables propose nothing new."""
        w, a = self._shape()
        layers = len(self.source.sensitivity.weights)
        options = np.repeat([w, a], layers)
        proposals: list[np.ndarray] = []
        for one in keys.split(key, n) if n else ():
            row_key, gene_key, value_key = keys.split(one, 3)
            genome = memory.genomes[keys.integers(row_key, (), 0, len(memory.genomes))].astype(np.int32)
            genes = keys.integers(gene_key, (2,), 0, 2 * layers)
            genome[genes] = keys.integers(value_key, (2,), 0, options[genes])
            known_genomes.add(genome.tobytes())
            proposals.append(genome)
        return proposals


def _worth(damage: np.ndarray, costs: list[np.ndarray], near: list[float]) -> np.ndarray:
    """Leaves out options [L, O] that another of the layer betters at all but the same costs."""
    better = (damage[:, None, :] < damage[:, :, None]) | (
        (damage[:, None, :] == damage[:, :, None]) & np.tri(damage.shape[1], k=-1, dtype=bool)
    )
    for cost, width in zip(costs, near, strict=True):
        better &= np.abs(cost[:, :, None] - cost[:, None, :]) <= width
    return ~better.any(axis=2)
