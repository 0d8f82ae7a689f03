"""How good is a set of evaluated configs: its map, its hypervolume, its best within a budget.

n configs; fractions are of the network with 8 bit everywhere.
"""

from typing import NamedTuple

import numpy as np

from domains.quant.domain import Quant
from qd.emitters.selection import fronts

DIMS = (8, 8)
Budgets = dict[str, tuple[float, float]]  # name -> at most this share of size and of bit operations
BUDGETS: Budgets = {
    "size/3": (1 / 3, np.inf),
    "bops/4": (np.inf, 1 / 4),
    "bops/8": (np.inf, 1 / 8),
    "size/2, bops/4": (1 / 2, 1 / 4),
}
OF_ENCODER: Budgets = {  # its weights have at least 3 bits, its inputs at least 6
    "size/2": (1 / 2, np.inf),
    "bops/2": (np.inf, 1 / 2),
    "bops/3": (np.inf, 1 / 3),
    "size*3/5, bops/2": (3 / 5, 1 / 2),
}


class RelativeCost(NamedTuple):
    size: np.ndarray  # [n] share of W8A8's
    bops: np.ndarray  # [n] share of W8A8's


class Corner(NamedTuple):
    """Where a map begins; it ends with 8 bit everywhere."""

    size: float  # share of W8A8's
    bops: float  # log2 of the share


CORNER = Corner(1 / 4, -4.0)  # 2 bit everywhere


def cost(domain: Quant, configs: np.ndarray) -> RelativeCost:
    """Returns what configs cost relative to the uniform 8-bit network.

    Args:
        domain: of the network.
        configs: [n, 2L].
    """
    last = domain.bank.uniform(_eight(domain, 0), _eight(domain, 1))
    columns = domain.cost(np.concatenate([configs, last[None]]))
    return RelativeCost(columns["size"][:-1] / columns["size"][-1], 2.0 ** columns["bops"][:-1])


def corner(domain: Quant) -> Corner:
    """Returns where a domain's map begins: the cells lie between the least that its options can cost and 8 bit everywhere."""
    (least, most), (fewest, _) = domain.bounds
    return Corner(least / most, fewest)


def budgets(domain: Quant) -> Budgets:
    """Returns the budgets that fit a network."""
    return OF_ENCODER if domain.network == "minilm" else BUDGETS


def cells(costs: RelativeCost, begin: Corner = CORNER) -> np.ndarray:
    """Returns each config's cell in the map, what lies outside in the nearest, [n].

    Args:
        costs: of the configs.
        begin: corner of the map.
    """
    of_size = np.clip(DIMS[0] * (costs.size - begin.size) / (1 - begin.size), 0, DIMS[0] - 1).astype(int)
    of_bops = np.clip(DIMS[1] * (1 - np.log2(costs.bops) / begin.bops), 0, DIMS[1] - 1).astype(int)
    return of_size * DIMS[1] + of_bops


def elites(accuracy: np.ndarray, costs: RelativeCost, begin: Corner = CORNER) -> np.ndarray:
    """Returns the rows of the best config of each cell.

    Args:
        accuracy: [n] per cent.
        costs: of the configs.
        begin: corner of the map.
    """
    order = np.argsort(-accuracy, kind="stable")
    _, first = np.unique(cells(costs, begin)[order], return_index=True)
    return order[first]


def front(accuracy: np.ndarray, costs: RelativeCost) -> np.ndarray:
    """Returns the rows that are not dominated in accuracy, size and bit operations.

    Args:
        accuracy: [n] per cent.
        costs: of the configs.
    """
    return np.flatnonzero(fronts(np.stack([accuracy, -costs.size, -costs.bops], 1)) == 0)


def best(accuracy: np.ndarray, costs: RelativeCost, budgets: Budgets = BUDGETS) -> dict[str, int]:
    """Returns budget -> the row of the best config within it; -1 where none is.

    Args:
        accuracy: [n] per cent.
        costs: of the configs.
        budgets: name -> largest share of size and of bit operations.
    """
    rows = {}
    for name, (size, bops) in budgets.items():
        within = np.flatnonzero((costs.size <= size) & (costs.bops <= bops))
        rows[name] = int(within[accuracy[within].argmax()]) if len(within) else -1
    return rows


def hypervolume(accuracy: np.ndarray, costs: RelativeCost) -> float:
    """Returns the share of (size, bops, accuracy) in [0, 1]^3 that some config dominates, accuracy in per cent.

    Slab by slab of accuracy: the area that is dominated in size and bops by those at least so good.

    Arguments as in ``front``.
    """
    inside = (costs.size < 1) & (costs.bops < 1)
    order = np.argsort(-accuracy[inside])
    heights = np.append(accuracy[inside][order] / 100, 0)
    points = np.stack([costs.size, costs.bops], 1)[inside][order]
    return float(sum((heights[i] - heights[i + 1]) * _area(points[: i + 1]) for i in range(len(points))))


def qd_score(accuracy: np.ndarray) -> float:
    """Returns per cent of the map, of one accuracy (in per cent) for each filled cell."""
    return float(accuracy.sum() / (DIMS[0] * DIMS[1]))


def _area(points: np.ndarray) -> float:
    points = points[np.argsort(points[:, 0], kind="stable")]
    low = np.minimum.accumulate(points[:, 1])
    ends = np.append(points[1:, 0], 1.0)
    return float(((ends - points[:, 0]) * (1 - low)).sum())


def _eight(domain: Quant, kind: int) -> int:
    """The first option of 8 bit."""
    several = (domain.bank.weight_options, domain.bank.activation_options)[kind]
    return next(i for i, option in enumerate(several) if option.bits == 8)
