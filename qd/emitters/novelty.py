"""Novelty search as in the papers: a population that moves away from its earlier solutions, the archive in its memory.

Settings as in SERENE (Paolo et al. 2021, arXiv 2102.03140). With other criteria it is TAXONS (Paolo et al. 2019,
arXiv 1909.05508: novelty and surprise, one of them drawn in each generation, or both by Pareto fronts) or NSGA-II.

M population, N rows, C criteria.
"""

from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np

from qd import keys
from qd.emitters import selection
from qd.emitters.selection import EvaluatedSolutions
from qd.support.errors import UserError
from qd.types import Array, Batch, Elites, Offspring, Rows


class NoveltyMemory(NamedTuple):
    key: Array  # for the draws of the next tell
    population: EvaluatedSolutions  # [M]; fewer where fewer of the initial population succeeded
    archive: EvaluatedSolutions  # append-only, never pruned
    children: EvaluatedSolutions  # of the last generation; the descriptor learns from them too


@dataclass(frozen=True)
class NoveltySearch:
    """Each of M parents makes ``children``; the best M of parents and children survive; a few children join the archive.

    Criteria are novelty, objective, or any signal of the descriptor (surprise).

    >>> from qd.emitters import NoveltySearch
    >>> NoveltySearch(population=50, children=2).batch_size
    100
    """

    population: int = 100  # parents in a generation
    children: int = 2  # of each parent
    sigma: float = 0.05  # standard deviation of the step, in the units of the genes
    low: float | None = -5.0  # genes are clipped; None: they are not
    high: float | None = 5.0  # as low
    neighbours: int = 15  # that novelty is the mean distance to
    added: int = 5  # children that join the archive in each generation
    at_random: bool = True  # they are drawn evenly; False: the most novel
    criteria: tuple[str, ...] = ("novelty",)  # of selection: novelty, objective, or a signal of the descriptor (surprise)
    archive: str = "append"  # never pruned, as in the papers; dns: the ``room`` best by dominated novelty, the parents too
    room: int = 1024  # rows of archive=dns
    choose: str = "pareto"  # several criteria: by fronts and crowding; either: by one of them, drawn in each generation
    pure: bool = False  # the fused driver compiles an emitter that is

    def __post_init__(self) -> None:
        if min(self.population, self.children, self.neighbours) < 1 or self.added < 0 or not self.sigma > 0:
            raise UserError("population, children and neighbours must be 1 or more, added 0 or more, sigma above 0")
        if self.archive not in ("append", "dns") or self.room < 2:
            raise UserError(
                f"there is no archive {self.archive!r} of {self.room}", "type archive=append, or archive=dns room=1024"
            )
        if not self.criteria or self.choose not in ("pareto", "either"):
            raise UserError(
                f"criteria {list(self.criteria)} cannot be chosen by {self.choose!r}",
                "type criteria=[novelty] or more, and choose=pareto or choose=either",
            )

    @property
    def batch_size(self) -> int:
        return self.population * self.children

    @property
    def needs(self) -> tuple[str, ...]:
        """Signals that the descriptor must give."""
        return tuple(name for name in self.criteria if name not in ("novelty", "objective"))

    def check(self, key: Array, solutions: Array, archive: Any) -> None:
        """Checks that solutions are vectors of real numbers.

        Args:
            key: not used.
            solutions: [N, D] of the domain.
            archive: not used.

        Raises:
            UserError: they are not.
        """
        if solutions.dtype.kind != "f" or solutions.ndim != 2:
            what = "Python objects" if solutions.dtype == object else f"{solutions.dtype} {list(solutions.shape[1:])}"
            raise UserError(
                f"novelty search varies vectors of real numbers, but solutions are {what}", "choose another emitter"
            )

    def init(self, key: Array, elites: Elites) -> NoveltyMemory:
        """Starts from the elites of the initial population, M of them drawn evenly where there are more.

        Args:
            key: of the draw and of the first tell.
            elites: of the initial population.

        Returns:
            The memory, its archive empty.
        """
        draw_key, key = keys.split(key)
        rows = selection.of_elites(elites)
        order = np.argsort(keys.uniform(draw_key, (len(rows.ids),)), kind="stable")[: self.population]
        population = rows.take(np.sort(order))
        empty = population.take(np.arange(0))
        return NoveltyMemory(key, population, empty, empty)

    def ask(self, key: Array, memory: NoveltyMemory, elites: Elites) -> tuple[NoveltyMemory, Offspring]:
        """Varies the population.

        Args:
            key: of the variation and of the draws of the next tell.
            memory: of the generation before.
            elites: not used.

        Returns:
            The memory, and ``children`` solutions of each parent.
        """
        vary_key, tell_key = keys.split(key)
        parents = memory.population.take(np.arange(self.batch_size) // self.children % len(memory.population.ids))
        return memory._replace(key=tell_key), Offspring(
            self.mutate(vary_key, parents.solutions, self.sigma), parents.ids[:, None]
        )

    def tell(self, memory: NoveltyMemory, batch: Batch) -> NoveltyMemory:
        """Selects the next population; arguments as in ``Emitter``."""
        return self.select(memory, selection.of_batch(batch), memory.archive)

    def select(self, memory: NoveltyMemory, children: EvaluatedSolutions, others: EvaluatedSolutions) -> NoveltyMemory:
        """Selects the next population from parents and children, and adds children to the archive.

        Args:
            memory: before the selection.
            children: evaluated, without failures.
            others: rows that novelty is measured against beside parents and children.

        Returns:
            The memory of the next generation.
        """
        if len(children.ids) == 0:
            return memory
        if self.archive == "dns":
            return self._dominated(memory, children)
        which_key, add_key = keys.split(memory.key)
        both = selection.join([memory.population, children])
        values = self.score(both, np.concatenate([both.measures, others.measures]))
        if self.choose == "either" and len(self.criteria) > 1:
            one = int(keys.integers(which_key, (), 0, len(self.criteria)))
            values = values[:, one : one + 1]
        population = both.take(selection.survivors(values, self.population))
        order = keys.uniform(add_key, (len(children.ids),))
        if not self.at_random:
            reference = np.concatenate([both.measures, others.measures])
            order = -selection.novelty(children.measures, reference, self.neighbours)
        additions = children.take(np.argsort(order, kind="stable")[: self.added])
        return NoveltyMemory(memory.key, population, selection.join([memory.archive, additions]), children)

    def _dominated(self, memory: NoveltyMemory, children: EvaluatedSolutions) -> NoveltyMemory:
        """Dominated novelty search (Bahlous-Boldi et al. 2025): rows far from all better ones stay. Parents: evenly."""
        rows = selection.join([memory.archive if len(memory.archive.ids) else memory.population, children])
        far = selection.dominated_novelty(rows.measures, rows.objective, self.neighbours)
        archive = rows.take(np.sort(np.argsort(-far, kind="stable")[: self.room]))
        parents = np.argsort(keys.uniform(memory.key, (len(archive.ids),)), kind="stable")[: self.population]
        return NoveltyMemory(memory.key, archive.take(parents), archive, children)

    def score(self, rows: EvaluatedSolutions, reference: Array) -> np.ndarray:
        """Computes the criteria.

        Args:
            rows: N evaluated solutions.
            reference: [R, K] measures, those of the rows among them.

        Returns:
            Criteria [N, C], more is better.

        Raises:
            UserError: the descriptor gives no such signal.
        """
        columns = []
        for name in self.criteria:
            if name == "novelty":
                columns.append(selection.novelty(rows.measures, reference, self.neighbours))
            elif name == "objective":
                columns.append(rows.objective)
            elif name in rows.signals:
                columns.append(np.nan_to_num(rows.signals[name], nan=0.0))  # initial population, until the first refit
            else:
                raise UserError(
                    f"novelty search chooses by {name!r}, but the descriptor's signals are {', '.join(rows.signals) or 'none'}",
                    "type descriptor=autoencoder, or criteria=[novelty]",
                )
        return np.stack(columns, axis=1)

    def mutate(self, key: Array, solutions: Array, sigma: float) -> np.ndarray:
        """x + sigma N(0, I), clipped.

        Args:
            key: of the draws.
            solutions: [N, D].
            sigma: in the units of the genes.

        Returns:
            Solutions [N, D].
        """
        return self.clip(solutions + np.float32(sigma) * keys.normal(key, solutions.shape))

    def clip(self, solutions: Array) -> np.ndarray:
        """Clips genes to low and high."""
        return solutions if self.low is None and self.high is None else np.clip(solutions, self.low, self.high)

    def redescribe(self, memory: NoveltyMemory, describe: Any) -> NoveltyMemory:
        """Describes all rows in memory again.

        Args:
            memory: before the refit.
            describe: the descriptor with its newest params.

        Returns:
            The memory with new measures and signals.
        """
        return NoveltyMemory(memory.key, *selection.redescribe(list(memory[1:]), describe))

    def recall(self, memory: NoveltyMemory) -> Rows:
        """Returns population, archive and the last children."""
        return selection.join([memory.population, memory.archive, memory.children]).rows()
