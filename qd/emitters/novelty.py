"""Novelty search as in the papers: a population that moves away from all that it has seen, the archive in its memory.

Settings as in SERENE (Paolo et al. 2021, arXiv 2102.03140). With other criteria it is TAXONS (Paolo et al. 2019,
arXiv 1909.05508: novelty and surprise, one of them drawn in each generation, or both by Pareto fronts) or NSGA-II.

M population, N rows, C criteria.
"""

from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np

from qd import keys
from qd.emitters import selection
from qd.emitters.selection import Known
from qd.support.errors import UserError
from qd.types import Array, Batch, Elites, Offspring, Rows


class Seen(NamedTuple):
    key: Array  # for the draws of the next tell
    population: Known  # [M] at most: fewer only where so few seeds succeeded
    archive: Known  # append-only, never pruned
    children: Known  # of the last generation: learned from, too


@dataclass(frozen=True)
class NoveltySearch:
    """Each of M parents makes ``children``; the best M of parents and children live on; a few children join the archive.

    Criteria are novelty, objective, or any signal of the descriptor (surprise).
    """

    population: int = 100
    children: int = 2  # of each parent
    sigma: float = 0.05
    low: float | None = -5.0  # genes are clipped; None: they are not
    high: float | None = 5.0
    neighbours: int = 15
    added: int = 5  # children that join the archive in each generation
    at_random: bool = True  # which they are; False: the most novel
    criteria: tuple[str, ...] = ("novelty",)
    archive: str = (
        "append"  # never pruned, as in the papers; or dns: the ``room`` best of dominated novelty, from whom parents come
    )
    room: int = 1024
    choose: str = "pareto"  # where there are several: all by fronts and crowding; or: either, one drawn in each generation
    pure: bool = False

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
        """Raises ValueError where solutions are not vectors of real numbers."""
        if solutions.dtype.kind != "f" or solutions.ndim != 2:
            what = "Python objects" if solutions.dtype == object else f"{solutions.dtype} {list(solutions.shape[1:])}"
            raise UserError(
                f"novelty search varies vectors of real numbers, but solutions are {what}", "choose another emitter"
            )

    def init(self, key: Array, elites: Elites) -> Seen:
        """Begins from the elites of the seeds, drawn evenly where there are more than M."""
        draw_key, key = keys.split(key)
        known = selection.of_elites(elites)
        order = np.argsort(keys.uniform(draw_key, (len(known.ids),)), kind="stable")[: self.population]
        population = known.take(np.sort(order))
        nobody = population.take(np.arange(0))
        return Seen(key, population, nobody, nobody)

    def ask(self, key: Array, memory: Seen, elites: Elites) -> tuple[Seen, Offspring]:
        vary_key, tell_key = keys.split(key)
        parents = memory.population.take(np.arange(self.batch_size) // self.children % len(memory.population.ids))
        return memory._replace(key=tell_key), Offspring(
            self.varied(vary_key, parents.solutions, self.sigma), parents.ids[:, None]
        )

    def tell(self, memory: Seen, batch: Batch) -> Seen:
        return self.select(memory, selection.of_batch(batch), memory.archive)

    def select(self, memory: Seen, children: Known, seen: Known) -> Seen:
        """Lets the best of parents and children live on; ``seen`` is what else novelty is measured against."""
        if len(children.ids) == 0:
            return memory
        if self.archive == "dns":
            return self._dominated(memory, children)
        which_key, add_key = keys.split(memory.key)
        both = selection.join([memory.population, children])
        values = self.judged(both, np.concatenate([both.measures, seen.measures]))
        if self.choose == "either" and len(self.criteria) > 1:
            one = int(keys.integers(which_key, (), 0, len(self.criteria)))
            values = values[:, one : one + 1]
        population = both.take(selection.survivors(values, self.population))
        order = keys.uniform(add_key, (len(children.ids),))
        if not self.at_random:
            reference = np.concatenate([both.measures, seen.measures])
            order = -selection.novelty(children.measures, reference, self.neighbours)
        added = children.take(np.argsort(order, kind="stable")[: self.added])
        return Seen(memory.key, population, selection.join([memory.archive, added]), children)

    def _dominated(self, memory: Seen, children: Known) -> Seen:
        """Dominated novelty search (Bahlous-Boldi et al. 2025): who is far from all fitter ones stays. Parents: evenly."""
        known = selection.join([memory.archive if len(memory.archive.ids) else memory.population, children])
        far = selection.dominated_novelty(known.measures, known.objective, self.neighbours)
        archive = known.take(np.sort(np.argsort(-far, kind="stable")[: self.room]))
        drawn = np.argsort(keys.uniform(memory.key, (len(archive.ids),)), kind="stable")[: self.population]
        return Seen(memory.key, archive.take(drawn), archive, children)

    def judged(self, known: Known, reference: Array) -> np.ndarray:
        """Returns the criteria of rows that belong to the reference, [N, C]. Raises ValueError where a signal is lacking."""
        columns = []
        for name in self.criteria:
            if name == "novelty":
                columns.append(selection.novelty(known.measures, reference, self.neighbours))
            elif name == "objective":
                columns.append(known.objective)
            elif name in known.signals:
                columns.append(np.nan_to_num(known.signals[name], nan=0.0))  # seeds, until the first refit
            else:
                raise UserError(
                    f"novelty search chooses by {name!r}, but the descriptor's signals are "
                    f"{', '.join(known.signals) or 'none'}",
                    "type descriptor=autoencoder, or criteria=[novelty]",
                )
        return np.stack(columns, axis=1)

    def varied(self, key: Array, solutions: Array, sigma: float) -> np.ndarray:
        """x + sigma N(0, I), clipped."""
        return self.clipped(solutions + np.float32(sigma) * keys.normal(key, solutions.shape))

    def clipped(self, solutions: Array) -> np.ndarray:
        return solutions if self.low is None and self.high is None else np.clip(solutions, self.low, self.high)

    def redescribe(self, memory: Seen, describe: Any) -> Seen:
        """Describes all that is remembered anew."""
        return Seen(memory.key, *selection.redescribed(list(memory[1:]), describe))

    def recall(self, memory: Seen) -> Rows:
        """Returns population, archive and the last children."""
        return selection.join([memory.population, memory.archive, memory.children]).rows()
