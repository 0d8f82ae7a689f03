"""How an expression is varied: operations drawn again by their priorities, or a part of another expression put in place.

B children, P parents of one, G genes.
"""

from dataclasses import dataclass
from typing import Any

from domains.proxies.domain import Proxies, sample_genomes
from domains.proxies.structures import Structure
from qd import keys
from qd.support.errors import UserError
from qd.types import Array


@dataclass(frozen=True)
class Points:
    """Each gene is drawn again with probability ``rate``, by its priorities; at least one gene in each child."""

    source: Any  # the domain, which knows the form of its expressions
    rate: float = 0.15
    parents: int = 1

    def __call__(self, key: Array, parents: Array) -> Array:
        """Changes genes.

        Args:
            key: of the draws.
            parents: genes, [B, 1, G] or more; the first parent is used.

        Returns:
            Children, [B, G].

        Raises:
            UserError: the solutions are no expressions.
        """
        which_key, sure_key, value_key = keys.split(key, 3)
        x = parents[:, 0]
        form = expression_form(self.source, x)
        genes = x.__array_namespace__().arange(x.shape[1])
        sure = keys.integers(sure_key, (len(x), 1), 0, x.shape[1]) == genes
        reset = (keys.uniform(which_key, x.shape) < self.rate) | sure
        fresh = sample_genomes(form, keys.uniform(value_key, x.shape)).astype(x.dtype)
        return x + reset * (fresh - x)


@dataclass(frozen=True)
class Subtrees:
    """A part of the second parent, all that one slot depends on, replaces the same part of the first.

    In a graph several nodes may depend on one slot; it is one gene all the same. Where parents are equal in that part, the
    child
    is changed at one point, so that it is not a copy for sure. ``share`` of children are made so, the rest by ``Points``
    alone.
    """

    source: Any
    share: float = 0.5
    rate: float = 0.15
    parents: int = 2

    def __call__(self, key: Array, parents: Array) -> Array:
        """Crosses pairs of parents.

        Args:
            key: of the draws.
            parents: genes, [B, 2, G].

        Returns:
            Children, [B, G].

        Raises:
            UserError: the solutions are no expressions.
        """
        slot_key, point_key, which_key = keys.split(key, 3)
        x, y = parents[:, 0], parents[:, 1]
        form = expression_form(self.source, x)
        xp = x.__array_namespace__()
        slot = keys.integers(slot_key, (len(x),), 0, form.slots - 1)  # the root would make a copy of y
        part = form.below(form.read(y), slot)[:, xp.asarray(form.owners)]
        child = xp.where(part, y, x)
        graft = (keys.uniform(which_key, (len(x), 1)) < self.share) & (child != x).any(axis=1, keepdims=True)
        return xp.where(graft, child, Points(self.source, self.rate)(point_key, parents))


def expression_form(source: Any, solutions: Array) -> Structure:
    """Returns the form of the source's expressions.

    Args:
        source: the domain.
        solutions: genes [B, G].

    Returns:
        The structure that reads them.

    Raises:
        UserError: the domain is not Proxies, or the solutions are not whole numbers, G in a row.
    """
    form = source.form if isinstance(source, Proxies) else None
    if form is None or solutions.shape[1:] != (len(form.space),) or solutions.dtype.kind not in "iu":
        raise UserError(
            f"this varies expressions, but {type(source).__name__} gives solutions {solutions.dtype} "
            f"{list(solutions.shape[1:])} that are none",
            "type domain=proxies",
        )
    return form
