"""What QDAIF is compared with: the same writer, given other examples (Bradley et al. 2024, appendix).

None of them looks at the map; their texts enter it as those of any emitter. B texts of a generation.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import numpy as np

from domains.text.lmx import first_texts
from domains.text.overlap import rouge_l
from domains.text.writer import Writer
from qd import keys
from qd.types import Array, Batch, Elites, Memory, Offspring


@dataclass(frozen=True)
class Few:
    """Always the first texts: in their order, or shuffled."""

    writer: Writer
    shuffled: bool = False
    batch_size: int = 1
    pure: bool = False

    def init(self, key: Array, elites: Elites) -> Memory:
        """Starts from the first texts.

        Args:
            key: unused.
            elites: of the archive; the oldest are taken where the writer has no seeds.

        Returns:
            The first texts.
        """
        return first_texts(self.writer, elites)

    def ask(self, key: Array, memory: Memory, elites: Elites) -> tuple[Memory, Offspring]:
        """Writes B texts, each after some of the first texts.

        Args:
            key: of the draws and of the writer.
            memory: the first texts.
            elites: unused.

        Returns:
            The memory, and B texts; "" where the writer returned nothing.
        """
        draw_key, write_key = keys.split(key)
        shots = self.writer.some(draw_key, memory, self.batch_size)
        return memory, Offspring(self.writer(write_key, shots if self.shuffled else [memory[: self.writer.shots]] * len(shots)))

    def tell(self, memory: Memory, batch: Batch) -> Memory:
        """Learns nothing; arguments as in ``Emitter``."""
        return memory


class TextPoolMemory(NamedTuple):
    """A pool of texts, the oldest first."""

    texts: tuple[str, ...]
    objective: tuple[float, ...]


@dataclass(frozen=True)
class TextPool:
    """Random texts of a pool: of all that was written (random search), or of the best (quality only)."""

    writer: Writer
    best: int | None = None  # None: all of them, empty ones too
    batch_size: int = 1
    pure: bool = False

    def init(self, key: Array, elites: Elites) -> Memory:
        """Starts the pool with the first texts, as the worst; arguments as in ``Few``.

        Returns:
            The pool.
        """
        first = first_texts(self.writer, elites)
        return TextPoolMemory(first, (-np.inf,) * len(first))

    def ask(self, key: Array, memory: Memory, elites: Elites) -> tuple[Memory, Offspring]:
        """Writes B texts, each after random ones of the pool.

        Args:
            key: of the draws and of the writer.
            memory: the pool.
            elites: unused.

        Returns:
            The memory, and B texts; "" where the writer returned nothing.
        """
        return memory, Offspring(self.writer.after_some(key, memory.texts, self.batch_size))

    def tell(self, memory: Memory, batch: Batch) -> Memory:
        """Adds the batch to the pool, and keeps the best where ``best`` is set.

        Args:
            memory: the pool.
            batch: texts [B] and their objective; NaN counts as the worst.

        Returns:
            The new pool.
        """
        good = np.nan_to_num(np.asarray(batch.evaluation.objective, float), nan=-np.inf)
        pool = TextPoolMemory((*memory.texts, *map(str, batch.solutions)), (*memory.objective, *map(float, good)))
        if self.best is None:
            return pool
        survivors = sorted(sorted(range(len(pool.texts)), key=lambda i: -pool.objective[i])[: self.best])  # in order of age
        return TextPoolMemory(tuple(pool.texts[i] for i in survivors), tuple(pool.objective[i] for i in survivors))


class NovelMemory(NamedTuple):
    """A pool of texts, the measures that count as its neighbourhood, and the threshold as it stands."""

    texts: tuple[str, ...]
    measures: tuple[tuple[float, ...], ...]  # scaled to 0..1
    threshold: float
    row: int  # accepted (above 0) or rejected (below 0) in a row


@dataclass(frozen=True)
class Novel:
    """Novelty search through AI feedback (NSAIF): a text with measures far from those of its neighbours enters the pool."""

    writer: Writer
    bounds: tuple[tuple[float, float], ...]  # of the measures
    threshold: float = 0.05  # mean distance to ``neighbours``, in widths of the map; it moves
    neighbours: int = 15
    most: int = 100  # texts of the pool; the oldest leave it
    batch_size: int = 1
    pure: bool = False

    def init(self, key: Array, elites: Elites) -> Memory:
        """Starts the pool with the first texts and the measures of all elites; arguments as in ``Few``.

        Returns:
            The pool, its measures, and the threshold.
        """
        (measures,) = elites.take(np.arange(elites.size), "measures")
        return NovelMemory(first_texts(self.writer, elites), self._scaled(measures), self.threshold, 0)

    def ask(self, key: Array, memory: Memory, elites: Elites) -> tuple[Memory, Offspring]:
        """Writes B texts, each after random ones of the pool; arguments as in ``TextPool``."""
        return memory, Offspring(self.writer.after_some(key, memory.texts, self.batch_size))

    def tell(self, memory: Memory, batch: Batch) -> Memory:
        """Adds each text of the batch that is far enough from its neighbours.

        Args:
            memory: the pool.
            batch: texts [B], their measures [B, M] and status.

        Returns:
            The new pool; its threshold rises where texts enter in a row, and falls where many are rejected in a row.
        """
        for i in np.flatnonzero(batch.status >= 0):
            memory = self._offer(memory, str(batch.solutions[i]), self._scaled(batch.measures[i : i + 1])[0])
        return memory

    def _offer(self, memory: NovelMemory, text: str, at: tuple[float, ...]) -> NovelMemory:
        apart = np.sort(np.linalg.norm(np.array(memory.measures) - np.array(at), axis=1))[: self.neighbours]
        if len(apart) and apart.mean() <= memory.threshold:
            row = min(memory.row, 0) - 1
            return memory._replace(row=row, threshold=memory.threshold * (0.95 if row < -20 else 1))
        row = max(memory.row, 0) + 1
        texts, measures = (*memory.texts, text)[-self.most :], (*memory.measures, at)[-self.most :]
        return NovelMemory(texts, measures, memory.threshold * (1.05 if row > 2 else 1), row)

    def _scaled(self, measures: np.ndarray) -> tuple[tuple[float, ...], ...]:
        low, high = np.array(self.bounds, float).T
        return tuple(map(tuple, ((np.asarray(measures, float) - low) / (high - low)).tolist()))


@dataclass(frozen=True)
class Unlike:
    """A text is judged, and enters the pool, where it shares few words in order with each text of the pool (ROUGE-L)."""

    writer: Writer
    most_alike: float = 0.7  # ROUGE-L's F
    tries: int = 5  # texts written for one that is judged, at most; the last is then judged, but enters no pool
    batch_size: int = 1
    pure: bool = False

    def init(self, key: Array, elites: Elites) -> Memory:
        """Starts from the first texts; arguments as in ``Few``."""
        return first_texts(self.writer, elites)

    def ask(self, key: Array, memory: Memory, elites: Elites) -> tuple[Memory, Offspring]:
        """Writes B texts, each again until it is unlike all of the pool, at most ``tries`` times.

        Arguments as in ``TextPool``.

        Returns:
            The pool with the new texts, and B texts.
        """
        texts: list[str] = []
        for each in keys.split(key, self.batch_size):
            for try_key in keys.split(each, self.tries):
                (text,) = self.writer.after_some(try_key, memory, 1)
                new = bool(text) and all(rouge_l(text, other) < self.most_alike for other in memory)
                if new:
                    memory = (*memory, text)
                    break
            texts.append(text)
        return memory, Offspring(np.array(texts, dtype=object))

    def tell(self, memory: Memory, batch: Batch) -> Memory:
        """Learns nothing; arguments as in ``Emitter``."""
        return memory


@dataclass(frozen=True)
class BestOf:
    """The best of N texts written after random first ones; only it is judged for its kind."""

    writer: Writer
    quality: Callable[[Sequence[str]], np.ndarray] = field(compare=False)  # [B], the judge's own
    of: int = 4
    batch_size: int = 1
    pure: bool = False

    def init(self, key: Array, elites: Elites) -> Memory:
        """Starts from the first texts; arguments as in ``Few``."""
        return first_texts(self.writer, elites)

    def ask(self, key: Array, memory: Memory, elites: Elites) -> tuple[Memory, Offspring]:
        """Writes N texts for each of B, and takes the best of them; arguments as in ``Few``.

        Returns:
            The memory, and B texts.
        """
        texts = self.writer.after_some(key, memory, self.batch_size * self.of)
        good: Any = np.nan_to_num(np.asarray(self.quality(list(texts)), float), nan=-1.0)
        best = good.reshape(self.batch_size, self.of).argmax(axis=1)
        return memory, Offspring(texts.reshape(self.batch_size, self.of)[np.arange(self.batch_size), best])

    def tell(self, memory: Memory, batch: Batch) -> Memory:
        """Learns nothing; arguments as in ``Emitter``."""
        return memory
