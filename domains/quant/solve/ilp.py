"""The exact solver on a bank's configs: an option of a layer is a pair of weights and activations.

A genome is int32 [2L]: weight options, then activation options. L layers, W weight options, A activation options.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np

from domains.quant.cost.costs import KILOBYTE, Costs
from domains.quant.solve.allocation import CostLimit, Unmet
from domains.quant.solve.allocation import solve as allocate
from qd.support.errors import UserError
from qd.support.spelling import unknown
from qd.types import Array

QUICK_GAP = 1e-3  # relative distance to the optimum that will do where the tables themselves are predictions
AXES = ("size", "bops", "latency")


def joint(sensitivity: Any) -> np.ndarray:
    """Returns the damage of each pair, [L, W * A]. Raises ValueError where tables do not fit or hold what is not finite."""
    weights, activations = np.asarray(sensitivity.weights, float), np.asarray(sensitivity.activations, float)
    if weights.ndim != 2 or activations.ndim != 2 or len(weights) != len(activations):
        raise UserError(
            f"sensitivities of shapes {list(weights.shape)} and {list(activations.shape)} are no tables: give [layers, weight "
            "options] and [layers, activation options]"
        )
    for name, table in (("weights", weights), ("activations", activations)):
        if not np.isfinite(table).all():
            layer, option = np.argwhere(~np.isfinite(table))[0]
            raise UserError(
                f"the sensitivity of {name} is {table[layer, option]} for option {option} of layer {layer}",
                "measure it again, or leave that option out of the bank",
            )
    return (weights[:, :, None] + activations[:, None]).reshape(len(weights), -1)


def cost(costs: Costs, axis: str, shape: tuple[int, int]) -> np.ndarray:
    """Returns what each pair costs.

    Args:
        costs: the bank's tables.
        axis: one of AXES.
        shape: (W, A), the options that the sensitivities have.

    Returns:
        [L, W * A] in KB, bit operations or microseconds; pair w * A + a is weight option w with activation option a.

    Raises:
        ValueError: the axis is unknown, or its table has fewer options than ``shape``.
    """
    w, a = shape
    if axis not in AXES:
        raise unknown("cost", axis, AXES)
    size = np.repeat(costs.size[:, :w, None] / KILOBYTE, a, axis=2)
    table = size if axis == "size" else getattr(costs, axis)[:, :w, :a]
    if np.shape(table)[1:] != shape:
        raise UserError(f"costs are for {np.shape(table)[1:]} options of weights and activations, sensitivities for {shape}")
    return np.asarray(table, float).reshape(len(table), -1)


def solve(
    sensitivity: Any,
    costs: Costs,
    size: float | None = None,
    bops: float | None = None,
    latency: float | None = None,
    gap: float = QUICK_GAP,
) -> np.ndarray | None:
    """Returns the config of the least predicted damage within the limits.

    Args:
        sensitivity: tables of damage, weights [L, W] and activations [L, A].
        costs: the bank's tables.
        size: at most so many KB; None: no limit.
        bops: at most so many bit operations; None: no limit.
        latency: at most so many microseconds; None: no limit.
        gap: relative distance to the optimum at which the solver may stop.

    Returns:
        int32 [2L], or None where no config meets the limits.

    Raises:
        ValueError: tables do not fit or hold what is not finite, a limit is NaN, or the solver found no config in its nodes.
    """
    try:
        return within(sensitivity, costs, {"size": size, "bops": bops, "latency": latency}, gap)
    except Unmet:
        return None


def within(sensitivity: Any, costs: Costs, limits: dict[str, float | None], gap: float = QUICK_GAP) -> np.ndarray:
    """Returns the config of the least predicted damage within the limits.

    Args:
        sensitivity: tables of damage, weights [L, W] and activations [L, A].
        costs: the bank's tables.
        limits: one of AXES -> the most that a config may cost (KB, bit operations, microseconds); None: no limit.
        gap: relative distance to the optimum at which the solver may stop.

    Returns:
        int32 [2L].

    Raises:
        Unmet: no config meets the limits; it names the nearest. A ValueError.
        ValueError: tables do not fit or hold what is not finite, an axis is unknown, a limit is NaN, or the solver found no
            config in its nodes.
    """
    shape = (np.shape(sensitivity.weights)[1], np.shape(sensitivity.activations)[1])
    budgets = [CostLimit(axis, cost(costs, axis, shape), limit) for axis, limit in limits.items() if limit is not None]
    return genome(allocate(joint(sensitivity), budgets, gap=gap).options, shape[1])


def front(sensitivity: Any, costs: Costs, sizes: Sequence[float], bops: Sequence[float], gap: float = QUICK_GAP) -> np.ndarray:
    """Returns the distinct optima of all pairs of limits; pairs that no config meets are left out.

    Args:
        sensitivity: tables of damage, weights [L, W] and activations [L, A].
        costs: the bank's tables.
        sizes: limits in KB.
        bops: limits in bit operations.
        gap: relative distance to each optimum at which the solver may stop.

    Returns:
        int32 [n, 2L], in the order of the limits.

    Raises:
        ValueError: tables do not fit or hold what is not finite, a limit is NaN, or the solver found no config in its nodes.
    """
    configs: dict[bytes, np.ndarray] = {}
    for size in sizes:
        for operations in bops:
            config = solve(sensitivity, costs, size=size, bops=operations, gap=gap)
            if config is not None:
                configs.setdefault(config.tobytes(), config)
    return np.array(list(configs.values()), np.int32).reshape(len(configs), 2 * len(costs.size))


def genome(options: Array, activations: int) -> np.ndarray:
    """Pairs [..., L] -> genome [..., 2L].

    Args:
        options: pairs w * A + a, [..., L].
        activations: A.

    Returns:
        int32 [..., 2L]: weight options, then activation options.
    """
    return np.concatenate(np.divmod(np.asarray(options), activations), axis=-1).astype(np.int32)


def pairs(genomes: Array, activations: int) -> np.ndarray:
    """Genome [..., 2L] -> pairs [..., L].

    Args:
        genomes: weight options, then activation options, [..., 2L].
        activations: A.

    Returns:
        Pairs w * A + a, [..., L].
    """
    weights, inputs = np.split(np.asarray(genomes, int), 2, axis=-1)
    return weights * activations + inputs
