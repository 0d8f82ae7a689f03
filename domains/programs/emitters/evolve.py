"""The loop of program evolution as an emitter: operators by weight, on the map of elites or on islands of it.

B programs of a generation, N elites.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from domains.programs import Programs
from domains.programs.emitters.operators import Context, Operator, Parent, ParentPool
from qd import keys
from qd.support.errors import UserError
from qd.types import Array, Batch, Elites, Memory, Offspring


class Member(NamedTuple):
    """A program of an island."""

    objective: float
    id: int
    source: str
    measures: tuple[float, ...]


class Islands(NamedTuple):
    """What the loop remembers."""

    maps: tuple[dict[int, Member], ...]  # of each island: cell -> its best program; none where there is one island
    faulty: tuple[tuple[int, str], ...]  # (id, source) of the last programs that failed
    generation: int
    pending: tuple[int, ...] = ()  # island of each program that is being evaluated


@dataclass(frozen=True)
class Evolve:
    """Asks the language model for children of elites, each by an operator drawn by its weight.

    Islands (Tanese 1989, as in AlphaEvolve and openevolve) are maps of their own, of which parents are drawn; every ``migrate``
    generations each sends a copy of its best ``share`` to the next one. The run's archive holds the best of all.
    """

    domain: Programs
    operators: tuple[Operator, ...]
    weights: tuple[float, ...] = ()  # of the operators; none: all equal
    batch_size: int = 4
    islands: int = 1
    migrate: int = 10
    share: float = 0.1
    remembered: int = 20  # programs that failed, for repair
    pure: bool = False

    def __post_init__(self) -> None:
        check_domain(self.domain)
        if not self.operators:
            raise UserError("emitter.operators=[] leaves nothing to do", "type emitter=code_mix")
        if self.weights and (len(self.weights) != len(self.operators) or min(self.weights) < 0 or not sum(self.weights) > 0):
            raise UserError(
                f"emitter.weights={list(self.weights)} are no weights of {len(self.operators)} operators",
                f"type emitter.weights={[1] * len(self.operators)}",
            )
        check_counts(batch_size=self.batch_size)
        if min(self.islands, self.migrate) < 1 or not 0 < self.share <= 1:
            raise UserError(
                f"islands={self.islands}, migrate={self.migrate}, share={self.share} make no islands",
                "type emitter.islands=4 emitter.migrate=10 emitter.share=0.1",
            )

    def init(self, key: Array, elites: Elites) -> Memory:
        """Begins with every elite on every island.

        Args:
            key: unused.
            elites: of generation 0.

        Returns:
            The islands.
        """
        if self.islands == 1:
            return Islands((), (), 0)
        ids, sources, objective, measures = elites.take(np.arange(int(elites.size)), "id", "solution", "objective", "measures")
        members = [
            Member(float(o), int(i), str(s), tuple(map(float, m)))
            for i, s, o, m in zip(ids, sources, objective, measures, strict=False)
        ]
        return Islands(tuple({-1 - i: each for i, each in enumerate(members)} for _ in range(self.islands)), (), 0)

    def ask(self, key: Array, memory: Memory, elites: Elites) -> tuple[Memory, Offspring]:
        """Asks for B children.

        Args:
            key: of the draws and of the model's samples.
            memory: islands, and programs that failed.
            elites: of the archive.

        Returns:
            The memory, and B sources with the ids of their parents [B, P].
        """
        choose_key, draw_key, write_key = keys.split(key, 3)
        context = Context(self.domain.coder, self.domain.problem, self.domain.journal)
        islands = tuple((memory.generation * self.batch_size + i) % self.islands for i in range(self.batch_size))
        pools = [self._pool(memory, island, elites) for island in range(self.islands)]
        operators = self._choose(choose_key)
        each_key = keys.split(draw_key, self.batch_size)
        families = [each.parents(k, pools[i]) for each, k, i in zip(operators, each_key, islands, strict=True)]
        prompts = [each.prompt(context, parents) for each, parents in zip(operators, families, strict=True)]

        def child_of(i: int, reply: str | None) -> str:
            source = operators[i].child(context, families[i], reply)
            self.domain.run_soon(source)  # while others are being written
            return source

        children = self.domain.coder.ask_each(write_key, prompts, child_of)
        for child, each, parents in zip(children, operators, families, strict=True):
            context.journal.note_origin(child, each.name, [parent.source for parent in parents])
        return memory._replace(pending=islands), Offspring(objects_of(children), table(families))

    def tell(self, memory: Memory, batch: Batch) -> Memory:
        """Puts the batch on its islands, remembers what failed, and lets programs migrate.

        Args:
            memory: of the last ask.
            batch: B programs, evaluated.

        Returns:
            The memory.
        """
        failed = [(int(batch.ids[i]), str(batch.solutions[i])) for i in np.flatnonzero(batch.status < 0)]
        maps = self._settle(memory, batch) if self.islands > 1 else ()
        generation = memory.generation + 1
        if maps and generation % self.migrate == 0:
            maps = self._migrate(maps)
        return Islands(maps, (*memory.faulty, *failed)[-self.remembered :], generation)

    def _pool(self, memory: Islands, island: int, elites: Elites) -> ParentPool:
        if self.islands == 1:
            columns = elites.take(np.arange(int(elites.size)), "id", "solution", "objective", "place")
            ids, sources, objective, place = columns
            return ParentPool(ids, sources, objective, place, memory.faulty)
        members = [memory.maps[island][cell] for cell in sorted(memory.maps[island])]
        measures = np.array([each.measures for each in members])
        width = np.std(measures, axis=0)
        place = measures / np.where(width > 0, width, 1) * len(members) ** (1 / measures.shape[1])
        sources = objects_of([each.source for each in members])
        return ParentPool(
            np.array([m.id for m in members]), sources, np.array([m.objective for m in members]), place, memory.faulty
        )

    def _choose(self, key: Array) -> list[Operator]:
        weights = np.cumsum(self.weights or np.ones(len(self.operators)))
        u = np.asarray(keys.uniform(key, (self.batch_size,))) * weights[-1]
        return [self.operators[min(int(i), len(self.operators) - 1)] for i in np.searchsorted(weights, u, side="right")]

    def _settle(self, memory: Islands, batch: Batch) -> tuple[dict[int, Member], ...]:
        maps = [dict(each) for each in memory.maps]
        for i in np.flatnonzero(batch.status >= 0):
            measures = tuple(map(float, batch.measures[i]))
            member = Member(float(batch.evaluation.objective[i]), int(batch.ids[i]), str(batch.solutions[i]), measures)
            put(maps[memory.pending[i]], int(batch.cell[i]), member)
        return tuple(maps)

    def _migrate(self, maps: Sequence[dict[int, Member]]) -> tuple[dict[int, Member], ...]:
        after = [dict(each) for each in maps]
        for island, each in enumerate(maps):
            best = sorted(each.items(), key=lambda pair: (-pair[1].objective, pair[1].id))
            for cell, member in best[: max(1, round(self.share * len(best)))]:
                put(after[(island + 1) % len(maps)], cell, member)
        return tuple(after)


def check_counts(**counts: int) -> None:
    """Raises UserError where a setting of an emitter that counts something, by its name, is below 1."""
    for name, count in counts.items():
        if count < 1:
            raise UserError(f"emitter.{name}={count} is too small", f"type emitter.{name}=1 or more")


def check_domain(domain: object) -> None:
    """Raises UserError where a domain has no programs to vary."""
    if not isinstance(domain, Programs):
        raise UserError(
            f"this emitter varies programs, and {type(domain).__name__} has none",
            "type domain=bin_packing, or another domain of programs",
        )


def put(cells: dict[int, Member], cell: int, member: Member) -> None:
    """Puts a program into a cell where it is the best there.

    Args:
        cells: the island's map, changed in place.
        cell: its number.
        member: the program.
    """
    if cell not in cells or cells[cell].objective < member.objective:
        cells[cell] = member


def table(families: Sequence[Sequence[Parent]]) -> np.ndarray:
    """Returns the ids of parents, [B, P], -1 where a child has fewer."""
    wide = max((len(parents) for parents in families), default=0)
    return np.array([[*(p.id for p in parents), *[-1] * (wide - len(parents))] for parents in families], np.int64).reshape(
        len(families), wide
    )


def objects_of(sources: Sequence[str]) -> np.ndarray:
    """Returns sources as an array of objects, [B]."""
    column = np.empty(len(sources), dtype=object)
    column[:] = list(sources)
    return column
