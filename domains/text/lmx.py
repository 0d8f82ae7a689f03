"""Emitters of QDAIF (Bradley et al. 2024): which texts of the archive the writer gets as examples.

B texts of a generation, N elites.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np

from domains.text.writer import Writer, draw_weighted
from qd import keys
from qd.support.errors import UserError
from qd.types import Array, Batch, Elites, Memory, Offspring

_FIRST = 5  # oldest texts that make the pool where there are none by hand


@dataclass(frozen=True)
class Near:
    """LMX-Near: one elite, drawn evenly, and others near it, p ~ 1 / (1 + d³), d in cells.

    As long as fewer cells are filled than a prompt has examples, a child is written after the first texts, as in the start.
    """

    writer: Writer
    batch_size: int = 1
    pure: bool = False

    def init(self, key: Array, elites: Elites) -> Memory:
        """Starts from the first texts; arguments as in ``Few``."""
        return first_texts(self.writer, elites)

    def ask(self, key: Array, memory: Memory, elites: Elites) -> tuple[Memory, Offspring]:
        """Writes B texts, each after elites near one another.

        Args:
            key: of the draws and of the writer.
            memory: the first texts.
            elites: of the archive.

        Returns:
            The memory, and B texts with the ids of the texts that each was written after [B, shots]; no ids in the start.
        """
        n, shots = int(elites.size), self.writer.shots
        if n < shots:
            return memory, Offspring(self.writer.after_some(key, memory, self.batch_size))
        draw_key, write_key = keys.split(key)
        ids, texts, place = elites.take(np.arange(n), "id", "solution", "place")
        indices = np.array([near(each, place, shots) for each in keys.split(draw_key, self.batch_size)])
        return memory, Offspring(self.writer(write_key, texts[indices]), ids[indices])

    def tell(self, memory: Memory, batch: Batch) -> Memory:
        """Learns nothing; arguments as in ``Emitter``."""
        return memory


def near(key: Array, place: np.ndarray, n: int) -> np.ndarray:
    """Draws elites near one another, the first in proportion to 1 / (1 + d³), d the distance from an elite drawn evenly.

    This is LMX-Near of QDAIF (Bradley et al. 2024). Later draws are made in the same way among the rest.

    Args:
        key: of both draws.
        place: of the elites, in cells, [N, M].
        n: how many to draw, without replacement.

    Returns:
        Indices of elites, [min(n, N)]; the elite drawn evenly may be missing.
    """
    one_key, rest_key = keys.split(key)
    one = keys.integers(one_key, (1,), 0, len(place))[0]
    d = np.linalg.norm(place - place[one], axis=1)
    return draw_weighted(rest_key, 1 / (1 + d**3), n)


class Depth(NamedTuple):
    """What LMX-Replace remembers."""

    first: tuple[str, ...]
    cells: dict[int, tuple[tuple[float, str], ...]]  # cell -> its best texts so far, the best first
    examples: dict[int, tuple[str, ...]]  # id -> the texts that it was written after
    pending: tuple[tuple[str, ...], ...] = ()  # those of the current generation

    def pool(self, most: int) -> list[str]:
        """The first texts and the best of each cell, in the order in which cells were filled; at most so many."""
        return [*self.first, *(text for texts in self.cells.values() for _, text in texts)][:most]


@dataclass(frozen=True)
class Replace:
    """LMX-Replace: a child is written after the list of texts of its parent, one of them replaced by a text of a pool.

    The pool holds the first texts and the best three of each cell, beaten ones too. Each child keeps a list of its own.
    """

    writer: Writer
    batch_size: int = 1
    deep: int = 3  # texts of a cell
    most: int = 100  # texts of the pool
    pure: bool = False

    def init(self, key: Array, elites: Elites) -> Memory:
        """Starts with the first texts, and nothing in any cell; arguments as in ``Few``."""
        return Depth(first_texts(self.writer, elites), {}, {})

    def ask(self, key: Array, memory: Memory, elites: Elites) -> tuple[Memory, Offspring]:
        """Writes B texts, each after the list of its parent with one text replaced.

        Args:
            key: of the draws and of the writer.
            memory: lists and pool so far.
            elites: of the archive; B parents are drawn evenly.

        Returns:
            The memory with the lists of this batch, and B texts with their parents [B, 1].
        """
        draw_key, item_key, write_key = keys.split(key, 3)
        ids, _ = elites.draw(draw_key, self.batch_size)
        pool, each = memory.pool(self.most), keys.split(item_key, self.batch_size)
        shots = tuple(self._replace_one(k, memory.examples.get(int(i)), pool) for k, i in zip(each, ids, strict=True))
        return memory._replace(pending=shots), Offspring(self.writer(write_key, shots), ids[:, None])

    def tell(self, memory: Memory, batch: Batch) -> Memory:
        """Updates lists and pool by what entered the archive.

        Args:
            memory: with the lists of this batch.
            batch: texts [B] with ids, status, cell and objective.

        Returns:
            The new memory.
        """
        examples, cells = dict(memory.examples), dict(memory.cells)
        for i in np.flatnonzero(batch.status > 0):
            examples[int(batch.ids[i])] = memory.pending[i]
            cell, entry = int(batch.cell[i]), (float(batch.evaluation.objective[i]), str(batch.solutions[i]))
            cells[cell] = tuple(sorted([*cells.get(cell, ()), entry], key=lambda pair: -pair[0])[: self.deep])
        return memory._replace(cells=cells, examples=examples, pending=())

    def _replace_one(self, key: Array, examples: tuple[str, ...] | None, pool: list[str]) -> tuple[str, ...]:
        list_key, item_key, from_key = keys.split(key, 3)
        shots = list(examples or self.writer.some(list_key, pool, 1)[0])
        item = keys.integers(item_key, (1,), 0, len(shots))[0]
        shots[item] = pool[keys.integers(from_key, (1,), 0, len(pool))[0]]
        return tuple(shots)


@dataclass(frozen=True)
class Rewrite:
    """LMX-rewrite: an elite, drawn evenly, is rewritten to be of another kind: for each axis one of its answers."""

    writer: Writer
    answers: tuple[tuple[str, ...], ...]  # of each axis: ((haiku, sonnet), (happy, dark))
    batch_size: int = 1
    pure: bool = False

    def __post_init__(self) -> None:
        if not self.answers or not all(self.answers):
            raise UserError("rewriting needs the answers of each axis", "type emitter.answers=[[sad,happy]]")

    def init(self, key: Array, elites: Elites) -> Memory:
        """Remembers nothing; arguments as in ``Emitter``."""
        return ()

    def ask(self, key: Array, memory: Memory, elites: Elites) -> tuple[Memory, Offspring]:
        """Rewrites B elites, each with one random answer of each axis.

        Args:
            key: of the draws and of the writer.
            memory: returned as it is.
            elites: of the archive; B parents are drawn evenly.

        Returns:
            The memory, and B texts with their parents [B, 1].
        """
        draw_key, wish_key, write_key = keys.split(key, 3)
        ids, texts = elites.draw(draw_key, self.batch_size)
        counts = [len(answers) for answers in self.answers]
        choices = keys.integers(wish_key, (self.batch_size, len(counts)), 0, np.array(counts))
        wishes = [" and ".join(answers[i] for answers, i in zip(self.answers, row, strict=True)) for row in choices]
        return memory, Offspring(self.writer.rewrite(write_key, texts, wishes), ids[:, None])

    def tell(self, memory: Memory, batch: Batch) -> Memory:
        """Learns nothing; arguments as in ``Emitter``."""
        return memory


def first_texts(writer: Writer, elites: Elites) -> tuple[str, ...]:
    """Returns the writer's own seeds; without any, the oldest texts in the archive.

    Args:
        writer: its ``seeds`` come first.
        elites: of the archive; their solutions are texts.

    Returns:
        All seeds, or at most 5 texts, the oldest first.
    """
    rows: Any = elites.rows()
    return writer.seeds or tuple(_by_age(rows.ids, rows.solutions))[:_FIRST]


def _by_age(ids: np.ndarray, texts: Iterable) -> list[str]:
    return [str(text) for _, text in sorted(zip(ids.tolist(), texts, strict=True))]
