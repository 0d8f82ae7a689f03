"""What MAP-Elites over proxies is compared with: EMQ's own selection from a population, and drawing at random.

B children, N population.
"""

from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np

from domains.proxies.variation import Subtrees, expression_form
from qd import keys
from qd.types import Array, Batch, Elites, Offspring


class Population(NamedTuple):
    """The best expressions so far, each once."""

    solutions: np.ndarray  # [N, G] best first
    objective: np.ndarray  # [N]


@dataclass(frozen=True)
class DiversityPrompting:
    """EMQ's diversity-prompting selection (Dong et al. 2023), by its description: its code is not published.

    Of a few candidates drawn from the population one of the best is the first parent; the second is drawn from the whole
    population, good or bad, so that parents stay different. The child is a crossing of both, then changed at points. The worst
    leave. How many candidates the authors draw is not published; these are a usual tournament.
    """

    source: Any
    batch_size: int
    population: int = 64
    candidates: int = 10
    best: int = 3  # of the candidates, one of which is the first parent
    share: float = 0.5
    rate: float = 0.15
    pure: bool = False

    def check(self, key: Array, solutions: Array, archive: Any) -> None:
        """Checks that the domain's solutions are expressions.

        Args:
            key: unused.
            solutions: of generation 0, [N, G].
            archive: unused.

        Raises:
            UserError: the domain is not Proxies, or the solutions are not whole numbers, G in a row.
        """
        expression_form(self.source, solutions)

    def init(self, key: Array, elites: Elites) -> Population:
        """Starts with the best of generation 0; arguments as in ``Emitter``.

        Returns:
            The population.
        """
        return self._best(*elites.take(np.arange(elites.size), "solution", "objective"))

    def ask(self, key: Array, memory: Population, elites: Elites) -> tuple[Population, Offspring]:
        """Crosses B pairs of parents.

        Args:
            key: of selection and variation.
            memory: the population.
            elites: unused.

        Returns:
            The population, and B children.
        """
        candidate_key, best_key, other_key, vary_key = keys.split(key, 4)
        n = len(memory.objective)
        candidates = np.sort(keys.integers(candidate_key, (self.batch_size, self.candidates), 0, n), axis=1)
        places = keys.integers(best_key, (self.batch_size, 1), 0, min(self.best, self.candidates))
        first = np.take_along_axis(candidates, places, 1)[:, 0]  # the population stands best first
        second = keys.integers(other_key, (self.batch_size,), 0, n)
        parents = memory.solutions[np.stack([first, second], 1)]
        return memory, Offspring(Subtrees(self.source, self.share, self.rate)(vary_key, parents))

    def tell(self, memory: Population, batch: Batch) -> Population:
        """Adds the batch to the population, and keeps the best.

        Args:
            memory: the population.
            batch: expressions [B, G], their status and objective; failed ones do not enter.

        Returns:
            The new population.
        """
        evaluated_rows = np.asarray(batch.status) >= 0
        solutions = np.concatenate([memory.solutions, np.asarray(batch.solutions)[evaluated_rows]])
        return self._best(solutions, np.concatenate([memory.objective, np.asarray(batch.evaluation.objective)[evaluated_rows]]))

    def _best(self, solutions: np.ndarray, objective: np.ndarray) -> Population:
        order = np.argsort(-objective, kind="stable")
        _, first = np.unique(solutions[order], axis=0, return_index=True)  # each expression once
        survivors = order[np.sort(first)][: self.population]
        return Population(solutions[survivors], objective[survivors])


@dataclass(frozen=True)
class RandomExpressions:
    """Random search: what the domain samples, by the priorities of operations."""

    source: Any
    batch_size: int
    pure: bool = True

    def check(self, key: Array, solutions: Array, archive: Any) -> None:
        """Checks that the domain's solutions are expressions; arguments as in ``DiversityPrompting``."""
        expression_form(self.source, solutions)

    def init(self, key: Array, elites: Elites) -> tuple[()]:
        """Remembers nothing; arguments as in ``Emitter``."""
        return ()

    def ask(self, key: Array, memory: tuple[()], elites: Elites) -> tuple[tuple[()], Offspring]:
        """Draws B new expressions; arguments as in ``Emitter``.

        Returns:
            The memory, and B expressions.
        """
        return memory, Offspring(self.source.sample(key, self.batch_size))

    def tell(self, memory: tuple[()], batch: Batch) -> tuple[()]:
        """Learns nothing; arguments as in ``Emitter``."""
        return memory
