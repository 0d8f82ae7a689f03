"""What each gene of a solution is: a real number, an angle, a whole number or a choice.

A domain's ``space`` says it in one of three forms:

    (-1.0, 1.0)                             every gene is a real number in that range
    (2, 8, 8)                               the number of options of each gene
    (choice(4), whole(1, 9), angle(), ...)  a Gene for each

Solutions are one array of numbers [B, D] in every case: wholes and choices are numbers without a fraction, of any dtype.
"""

import math
from collections.abc import Sequence
from typing import Any, Literal, NamedTuple

import numpy as np

from qd.support.errors import UserError

Kind = Literal["real", "angle", "whole", "choice"]


class Gene(NamedTuple):
    """One gene; see ``real``, ``angle``, ``whole`` and ``choice``."""

    kind: Kind
    low: float  # the least value
    high: float  # the largest; of an angle the same as low, a period later


class Columns(NamedTuple):
    """D genes as NumPy arrays [D]."""

    low: np.ndarray  # float32
    width: np.ndarray  # high - low, float32; of an angle its period
    is_angle: np.ndarray  # bool, as are the others
    is_whole: np.ndarray
    is_choice: np.ndarray


def real(low: float, high: float) -> Gene:
    """Returns a gene that is a real number between low and high.

    Args:
        low: the least value.
        high: the largest.
    """
    return _checked(Gene("real", float(low), float(high)))


def angle(low: float = -math.pi, high: float = math.pi) -> Gene:
    """Returns a gene on a circle: high is the same as low. By default in radians.

    Args:
        low: where the circle begins.
        high: a period later.
    """
    return _checked(Gene("angle", float(low), float(high)))


def whole(low: int, high: int) -> Gene:
    """Returns a gene that is a whole number in low..high, both included; neighbours are alike.

    Args:
        low: the least number.
        high: the largest.
    """
    return _checked(Gene("whole", float(low), float(high)))


def choice(options: int) -> Gene:
    """Returns a gene that is one of 0..options-1, of which none is nearer to another."""
    return _checked(Gene("choice", 0.0, float(options - 1)))


def of_space(space: Sequence[Any], dim: int) -> tuple[Gene, ...]:
    """Returns the D genes of a domain's ``space``, whichever form it has.

    Args:
        space: (low, high) with at least one float, D numbers of options, or D genes.
        dim: D, the length of a solution.

    Returns:
        D genes.

    Raises:
        UserError: it has another form or length.
    """
    parts = tuple(space)
    if len(parts) == 2 and all(isinstance(end, int | float) for end in parts) and any(isinstance(e, float) for e in parts):
        return (real(*parts),) * dim
    if len(parts) != dim:
        raise UserError(f"space describes {len(parts)} genes, but a solution has {dim}", "give one Gene for each")
    if all(isinstance(part, Gene) for part in parts):
        return tuple(_checked(part) for part in parts)
    if all(isinstance(part, int) for part in parts):
        return tuple(choice(part) for part in parts)
    raise UserError(
        f"space {str(parts)[:80]} says not what each gene is",
        "give (low, high), the options of each gene, or qd.genes.real, angle, whole or choice for each",
    )


def columns(genes: tuple[Gene, ...]) -> Columns:
    """Returns D genes as arrays."""
    low, high = np.array([(gene.low, gene.high) for gene in genes], np.float32).T
    kinds = np.array([gene.kind for gene in genes])
    return Columns(low, high - low, kinds == "angle", kinds == "whole", kinds == "choice")


def _checked(gene: Gene) -> Gene:
    kind, low, high = gene
    if kind not in ("real", "angle", "whole", "choice"):
        raise UserError(f"unknown kind of gene {kind!r}", "type real, angle, whole or choice")
    if not (math.isfinite(low) and math.isfinite(high)) or low > high or (low == high and kind in ("real", "angle")):
        raise UserError(
            f"a gene of kind {kind} cannot lie between {low:g} and {high:g}", "give low < high, or 1 option or more"
        )
    if kind in ("whole", "choice") and (low % 1 or high % 1 or high - low >= 2**24):
        raise UserError(f"a {kind} between {low:g} and {high:g} is no whole number", "give whole numbers below 2^24")
    return gene
