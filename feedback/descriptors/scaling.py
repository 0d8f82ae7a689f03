"""What all learned descriptors share: features laid end to end, and an embedding scaled into bounds that never change.

N rows, F feature length, M measures.
"""

from typing import NamedTuple

import numpy as np

from qd.support.errors import TooFewSolutions, UserError
from qd.types import Array


class Box(NamedTuple):
    """The part of an embedding that fills the bounds [-1, 1]."""

    middle: Array  # [M]
    half: Array  # [M]


def around(embedding: Array, padding: float = 0.0) -> Box:
    """Returns the box from minimum to maximum of an embedding.

    Args:
        embedding: rows, [N, M].
        padding: a share of the box's half width, added at each side.

    Returns:
        Middle and half width, float32 [M] each; never quite 0 wide.
    """
    low, high = np.min(embedding, axis=0), np.max(embedding, axis=0)
    half = (high - low) / 2
    tiny = 1e-6 * max(float(np.abs(embedding).max()), 1e-30)  # where all rows are embedded at one point
    return Box(np.float32((low + high) / 2), np.float32(np.maximum(half * (1 + padding), tiny)))


def padding_at(padding: tuple[float, ...], to_come: int) -> float:
    """Returns the padding of a fit by the number of fits that follow: the more do, the further elites will have moved by then.

    Where a search begins in the middle of what it can reach, bounds around its first elites keep it there: what lies outside
    competes for the border cells alone (docs/qdhf.md).

    Args:
        padding: shares of the half width, at the last fit, at the one before it, and so on.
        to_come: fits that follow; less than 0 counts as 0.
    """
    return padding[min(max(to_come, 0), len(padding) - 1)]


def into_bounds(embedding: Array, box: Box) -> Array:
    """Scales an embedding: the box becomes [-1, 1]; what lies outside stays outside.

    Args:
        embedding: rows, [N, M].
        box: the part that fills the bounds.

    Returns:
        Measures, [N, M].
    """
    return (embedding - box.middle) / box.half


def check_varies(x: np.ndarray, names: tuple[str, ...], at_least: int) -> None:
    """Checks that something can be learned from rows.

    Args:
        x: features, [N, F].
        names: of the features, for the message.
        at_least: N that is needed.

    Raises:
        UserError: the rows are too few, not finite, or all the same.
    """
    what = ", ".join(names)
    if len(x) < at_least:
        words = f"{len(x)} {'solution is' if len(x) == 1 else 'solutions are'} too few to learn from: {at_least} are needed"
        raise TooFewSolutions(words, len(x), at_least)
    if not np.isfinite(x).all():
        raise UserError(f"{what} of {int((~np.isfinite(x)).any(axis=1).sum())} solutions is not finite", "correct the domain")
    if not np.ptp(x, axis=0).any():
        raise UserError(f"{what} is the same in all {len(x)} solutions, so nothing tells them apart", "read another feature")
