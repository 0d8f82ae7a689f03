"""Circuits that this domain makes itself, from truth tables, as BLIF text.

random8.2     8 inputs, a random function; .2: with 2 outputs          the same in every run, whatever the machine
sorter6       6 bits sorted: output i is 1 where more than i inputs are
count7        how many of 7 inputs are 1, in binary
square5       the square of a number of 5 bits
"""

import re
from collections.abc import Callable

import numpy as np

from qd.support.errors import UserError

_MOST = 10  # inputs
_NAME = re.compile(r"(random|sorter|count|square)(\d{1,3})(?:\.(\d{1,2}))?")


def is_name(name: str) -> bool:
    """Says whether a name is that of a circuit made here."""
    return _NAME.fullmatch(name) is not None


def blif(name: str) -> str:
    """Returns a circuit as BLIF.

    Args:
        name: as at the top of the file.

    Raises:
        UserError: it has too few or too many inputs.
    """
    found = _NAME.fullmatch(name)
    if found is None:
        raise UserError(f"unknown circuit {name!r}", "type random8, random8.2, sorter6, count7, square5, or the path of a file")
    kind, inputs, outputs = found[1], int(found[2]), int(found[3] or 1)
    if not 2 <= inputs <= _MOST:
        raise UserError(f"circuit {name!r} has {inputs} inputs", f"type 2 to {_MOST}")
    table = _KINDS[kind](inputs, outputs)
    names = [f"x{i}" for i in range(inputs)]
    lines = [
        f".model {kind}{inputs}",
        ".inputs " + " ".join(names),
        ".outputs " + " ".join(f"y{j}" for j in range(table.shape[1])),
    ]
    for j, column in enumerate(table.T):
        lines.append(".names " + " ".join([*names, f"y{j}"] if column.any() else [f"y{j}"]))  # without rows: constant 0
        lines += [f"{_bits(int(row), inputs)} 1" for row in np.flatnonzero(column)]
    return "\n".join([*lines, ".end", ""])


def _bits(row: int, inputs: int) -> str:
    return "".join(str(row >> i & 1) for i in range(inputs))


def _ones(inputs: int) -> np.ndarray:
    return np.array([bin(row).count("1") for row in range(2**inputs)])


def _random(inputs: int, outputs: int) -> np.ndarray:
    draws = np.random.Generator(np.random.Philox(key=1000 * inputs + outputs)).random((2**inputs, outputs))
    return draws < 0.5


def _sorter(inputs: int, outputs: int) -> np.ndarray:
    return _ones(inputs)[:, None] > np.arange(inputs)


def _count(inputs: int, outputs: int) -> np.ndarray:
    return _ones(inputs)[:, None] >> np.arange(inputs.bit_length()) & 1 == 1


def _square(inputs: int, outputs: int) -> np.ndarray:
    bits = [0, *range(2, 2 * inputs)]
    return (np.arange(2**inputs)[:, None] ** 2) >> np.array(bits) & 1 == 1


_KINDS: dict[str, Callable[[int, int], np.ndarray]] = {
    "random": _random,
    "sorter": _sorter,
    "count": _count,
    "square": _square,
}
