"""Parents drawn evenly from the archive, and any variation of them (MAP-Elites, Mouret and Clune 2015).

B batch, P parents of one child, D genes.
"""

from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from qd import keys
from qd.support.errors import UserError
from qd.types import Array, Batch, Elites, Memory, Offspring, Variation


@dataclass(frozen=True)
class Vary:
    """Draws parents evenly from the archive and varies them; its memory is empty.

    Where a domain improves solutions while it evaluates them, and returns the improved ones as a feature of the same shape that
    is kept, ``column`` names that feature, and children are made from it (Lamarckian inheritance).

    >>> from qd.emitters import IsoLine, Vary
    >>> emitter = Vary(IsoLine(iso=0.01, line=0.2), batch_size=64)
    >>> emitter.batch_size, emitter.pure
    (64, True)
    """

    variation: Variation  # makes each child from its parents
    batch_size: int  # children in a generation
    pure: bool = True  # False for a variation that does I/O or makes Python objects
    column: str = "solution"  # of the archive, from which children are made

    def __post_init__(self) -> None:
        if self.batch_size < 1:
            raise UserError(f"batch_size {self.batch_size} makes no solutions", "type a batch_size of 1 or more")

    def check(self, key: Array, solutions: Array, archive: Any) -> None:
        """Tries the variation on one solution.

        Args:
            key: of the trial.
            solutions: [N, ...] of the domain.
            archive: the open archive.

        Raises:
            UserError: solutions are Python objects, children have another shape, or no column of that shape has that name.
        """
        self._check_column(solutions, archive)
        if not self.pure:
            return
        if solutions.dtype == object:
            raise UserError(
                f"{self.variation} varies arrays of numbers, but solutions are Python objects", "use the domain's own"
            )
        children = self.variation(key, solutions[:1].repeat(self.variation.parents, 0)[None])
        if children.shape != (1, *solutions.shape[1:]):
            raise UserError(
                f"{self.variation} made children {list(children.shape)} of parents [1, {self.variation.parents}, "
                f"{', '.join(map(str, solutions.shape[1:]))}]",
                "return [B, ...] of the solutions' own shape",
            )

    def init(self, key: Array, elites: Elites) -> Memory:
        """Returns an empty memory; arguments as in ``Emitter``."""
        return ()

    def ask(self, key: Array, memory: Memory, elites: Elites) -> tuple[Memory, Offspring]:
        """Draws parents and varies them.

        Args:
            key: of the draws and of the variation.
            memory: empty.
            elites: that parents are drawn from.

        Returns:
            The memory, and B children with the ids [B, P] of their parents.
        """
        draw_key, vary_key = keys.split(key)
        count = self.variation.parents
        ids, parents = elites.draw(draw_key, self.batch_size * count, "id", self.column)
        ids = ids.reshape(self.batch_size, count)
        parents = parents.reshape(self.batch_size, count, *parents.shape[1:])
        return memory, Offspring(self.variation(vary_key, parents), ids)

    def _check_column(self, solutions: Array, archive: Any) -> None:
        if self.column == "solution":
            return
        from qd.archives import HostElites

        elites = HostElites(archive)
        same = [name for name in elites.features if elites.take(np.arange(0), name)[0].shape[1:] == solutions.shape[1:]]
        if self.column not in same:
            raise UserError(
                f"the archive has no column {self.column!r} of the solutions' shape {list(solutions.shape[1:])}",
                f"type column={' or column='.join(['solution', *same])}, or keep=[{self.column}] if the domain has it",
            )

    def steady(self, rows: int) -> "Vary":
        """Returns it with another batch size; it has no memory, so `ask` may come before the last `tell`."""
        return replace(self, batch_size=rows)

    def tell(self, memory: Memory, batch: Batch) -> Memory:
        """Learns nothing; arguments as in ``Emitter``."""
        return memory


@dataclass(frozen=True)
class Gaussian:
    """x + sigma N(0, I).

    >>> from qd import keys
    >>> from qd.emitters import Gaussian
    >>> import numpy as np
    >>> Gaussian(sigma=0.5, low=-1.0, high=1.0)(keys.new(0), np.zeros((4, 1, 2), np.float32)).shape
    (4, 2)
    """

    sigma: float = 0.1  # standard deviation of the step, in the units of the genes
    low: float | None = None  # None: children are not clipped
    high: float | None = None  # as low
    parents: int = 1  # of each child

    def __call__(self, key: Array, parents: Array) -> Array:
        """See the class.

        Args:
            key: of the draws.
            parents: [B, P, D].

        Returns:
            Children [B, D].
        """
        x = parents[:, 0]
        return _clip(x + self.sigma * keys.normal(key, x.shape), self.low, self.high)


@dataclass(frozen=True)
class IsoLine:
    """x + iso N(0, I) + line (y - x) N(0, 1) (Vassiliades and Mouret 2018, eq. 2).

    >>> from qd import keys
    >>> from qd.emitters import IsoLine
    >>> import numpy as np
    >>> IsoLine(iso=0.01, line=0.2)(keys.new(0), np.zeros((4, 2, 3), np.float32)).shape
    (4, 3)
    """

    iso: float = 0.01  # standard deviation of the step in all directions, in the units of the genes
    line: float = 0.2  # standard deviation of the step along the line, as a share of the distance to the second parent
    low: float | None = None  # genes are clipped; None: they are not
    high: float | None = None  # as low
    parents: int = 2  # of each child

    def __call__(self, key: Array, parents: Array) -> Array:
        """See the class. Arguments as in ``Gaussian``."""
        iso_key, line_key = keys.split(key)
        x, y = parents[:, 0], parents[:, 1]
        along = keys.normal(line_key, (len(x),) + (1,) * (x.ndim - 1))
        return _clip(x + self.iso * keys.normal(iso_key, x.shape) + self.line * along * (y - x), self.low, self.high)


@dataclass(frozen=True)
class IntegerReset:
    """Resets each gene with probability ``rate`` to a number in 0..options-1; at least one gene in each child.

    >>> from qd import keys
    >>> from qd.emitters import IntegerReset
    >>> import numpy as np
    >>> children = IntegerReset(options=(2, 8, 8))(keys.new(0), np.zeros((4, 1, 3), np.int32))
    >>> children.shape, children.dtype
    ((4, 3), dtype('int32'))
    """

    options: tuple[int, ...]  # per gene; one number serves every gene
    rate: float = 0.1  # probability for each gene
    parents: int = 1  # of each child

    def __call__(self, key: Array, parents: Array) -> Array:
        """See the class. Arguments as in ``Gaussian``."""
        which_key, sure_key, value_key = keys.split(key, 3)
        x = parents[:, 0]
        genes = x.shape[1]
        sure = keys.integers(sure_key, (len(x), 1), 0, genes) == _arange(x, genes)
        reset = (keys.uniform(which_key, x.shape) < self.rate) | sure
        values = keys.integers(value_key, x.shape, 0, _options(self.options, x)).astype(x.dtype)
        return x + reset * (values - x)


def _options(options: tuple[int, ...], x: Any) -> Any:
    if len(options) not in (1, x.shape[1]):
        raise UserError(
            f"options has {len(options)} numbers, but a solution has {x.shape[1]}; type one number, or {x.shape[1]} of them"
        )
    return x.__array_namespace__().asarray(options)


def _arange(x: Any, n: int) -> Any:
    return x.__array_namespace__().arange(n)


def _clip(x: Any, low: float | None, high: float | None) -> Any:
    return x if low is None and high is None else x.clip(low, high)
