"""Several emitters side by side; each learns from its own solutions only."""

from dataclasses import dataclass
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from qd import abilities, keys
from qd.support.errors import UserError
from qd.types import Array, Batch, Describe, Elites, Emitter, Memory, Offspring, Rows


class PoolMemory(NamedTuple):
    members: tuple[Memory, ...]
    marks: tuple[Array, ...]  # [b, 0] each: b: rows of each member in the last batch, as a shape, so that it may be traced


@dataclass(frozen=True)
class Pool:
    """Asks every emitter in each generation; their rows follow one another in the batch.

    >>> from qd.emitters import Gaussian, IsoLine, Pool, Vary
    >>> Pool((Vary(IsoLine(), 48), Vary(Gaussian(), 16))).batch_size
    64
    """

    emitters: tuple[Emitter, ...]  # each makes its offspring in this order

    def __post_init__(self) -> None:
        if not self.emitters:
            raise UserError("a pool of no emitters makes no solutions", "name at least one")
        for emitter in self.emitters:
            if emitter.pure and not abilities.of_emitter(emitter).batch_size:
                raise UserError(f"{type(emitter).__name__} in a pool must have a batch_size, or pure = False")

    @property
    def pure(self) -> bool:
        return all(emitter.pure for emitter in self.emitters)

    @property
    def batch_size(self) -> int:
        return sum(abilities.of_emitter(emitter).batch_size for emitter in self.emitters)

    @property
    def gradients(self) -> bool:
        return any(abilities.of_emitter(emitter).gradients for emitter in self.emitters)

    def check(self, key: Array, solutions: Array, archive: Any) -> None:
        """Lets each member check solutions and archive.

        Args:
            key: of trials.
            solutions: [N, ...] of the domain.
            archive: the open archive.

        Raises:
            UserError: a member refuses them.
        """
        for emitter in self.emitters:
            abilities.of_emitter(emitter).check(key, solutions, archive)

    def init(self, key: Array, elites: Elites) -> PoolMemory:
        """Starts each member.

        Args:
            key: split among the members.
            elites: of the initial population.

        Returns:
            The memories of all.
        """
        members = tuple(e.init(k, elites) for e, k in zip(self.emitters, self._keys(key), strict=True))
        return PoolMemory(members, tuple(np.zeros((abilities.of_emitter(e).batch_size, 0)) for e in self.emitters))

    def ask(self, key: Array, memory: PoolMemory, elites: Elites) -> tuple[PoolMemory, Offspring]:
        """Asks each member and joins their solutions.

        Args:
            key: split among the members.
            memory: of the generation before.
            elites: of the archive.

        Returns:
            The memories, and the offspring of all, in order.
        """
        members, offspring = [], []
        for emitter, k, m in zip(self.emitters, self._keys(key), memory.members, strict=True):
            m, part = emitter.ask(k, m, elites)
            members.append(m)
            offspring.append(part)
        marks = tuple(np.zeros((len(o.solutions), 0)) for o in offspring)
        solutions = _concatenate([o.solutions for o in offspring])
        gradients = any(o.gradients for o in offspring)
        return PoolMemory(tuple(members), marks), Offspring(solutions, _join_parents(offspring), gradients)

    def tell(self, memory: PoolMemory, batch: Batch) -> PoolMemory:
        """Tells each member its own rows; arguments as in ``Emitter``."""
        members, start = [], 0
        for emitter, m, mark in zip(self.emitters, memory.members, memory.marks, strict=True):
            members.append(emitter.tell(m, _rows(batch, start, start + len(mark))))
            start += len(mark)
        return PoolMemory(tuple(members), memory.marks)

    def redescribe(self, memory: PoolMemory, describe: Describe) -> PoolMemory:
        """Lets each member describe its rows again; arguments as in ``NoveltySearch``.

        Returns:
            The memories with new measures.
        """
        pairs = zip(self.emitters, memory.members, strict=True)
        members = tuple(abilities.of_emitter(e).redescribe(m, describe) for e, m in pairs)
        return PoolMemory(members, memory.marks)

    def recall(self, memory: PoolMemory) -> Rows | None:
        """Returns the rows that its members recall, or None."""
        pairs = zip(self.emitters, memory.members, strict=True)
        groups = [rows for e, m in pairs if (rows := abilities.of_emitter(e).recall(m)) is not None]
        return concatenate_rows(groups) if groups else None

    def _keys(self, key: Array) -> Array:
        return keys.split(key, len(self.emitters))


def concatenate_rows(several: list[Rows]) -> Rows:
    """Returns the rows of all, in order, with the features of the first."""
    features = {name: _concatenate([r.features[name] for r in several]) for name in several[0].features}
    ids, solutions, objective = (_concatenate([r[i] for r in several]) for i in range(3))
    return Rows(ids, solutions, objective, features, _concatenate([r.valid for r in several]))


def _concatenate(arrays: list[Array]) -> Array:
    return arrays[0] if len(arrays) == 1 else _namespace(arrays[0]).concatenate(arrays)


def _namespace(array: Array):
    return np if isinstance(array, np.ndarray) else jnp


def _join_parents(offspring: list[Offspring]) -> Array | None:
    width = max((o.parents.shape[1] for o in offspring if o.parents is not None), default=0)
    if width == 0:
        return None
    columns = []
    for o in offspring:
        ids = np.zeros((len(o.solutions), 0), np.int64) if o.parents is None else o.parents
        pad = [(0, 0), (0, width - ids.shape[1])]
        columns.append(_namespace(ids).pad(ids, pad, constant_values=-1))
    return _concatenate(columns)


def _rows(batch: Batch, start: int, end: int) -> Batch:
    columns = jax.tree.map(lambda column: column[start:end], batch._replace(first=None))
    return columns._replace(first=batch.first)
