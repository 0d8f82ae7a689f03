"""One option for each layer at the least summed sensitivity under budgets, exactly: a 0-1 program solved by HiGHS.

HAWQ-V3 (Yao et al. 2021, eq. 11-14): min sum_l s[l, o_l] subject to sum_l c_k[l, o_l] <= limit_k. Tables are additive
predictions: evaluate what comes out.

L layers, O options of a layer, K budgets.
"""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from qd.support.errors import UserError
from qd.types import Array


class CostLimit(NamedTuple):
    """What a config may cost in one unit."""

    name: str
    cost: Array  # [L, O]
    limit: float  # at most so much
    floor: float = -np.inf  # and at least so much, where a cell of a map is to be met


class Allocation(NamedTuple):
    """The best option of each layer."""

    options: np.ndarray  # [L] int
    objective: float  # the summed sensitivity
    costs: dict[str, float]  # budget -> what the config costs


class Unmet(ValueError):
    """No config meets the budgets; ``nearest`` is the one with the least summed excess, relative to the limits."""

    def __init__(self, message: str, nearest: Allocation) -> None:
        super().__init__(message)
        self.nearest = nearest


class OutOfNodes(ValueError):
    """The solver found no config in the tree that it may search; a limit in seconds would choose by the machine's load."""


def solve(
    sensitivity: Array,
    budgets: Sequence[CostLimit],
    mask: Array | None = None,
    tied: Sequence[Sequence[int]] = (),
    gap: float = 0.0,
    nodes: int = 1_000_000,
) -> Allocation:
    """Chooses an option for each layer.

    Args:
        sensitivity: [L, O] what each option costs in accuracy; the less the better.
        budgets: K limits, each with its own table of costs.
        mask: [L, O] False where a layer has no such option; None: all.
        tied: groups of layers that share one option, e.g. a shortcut and the convolution beside it.
        gap: the relative distance to the optimum at which the solver may stop; 0: the optimum itself.
        nodes: of the solver's tree; the best config in them, where the optimum is not among them.

    Returns:
        The option of each layer, their summed sensitivity and costs.

    Raises:
        Unmet: no config meets the budgets; the message names the nearest.
        OutOfNodes: none was found in so many nodes.
        ValueError: a table has another shape, or a number that is not finite.
    """
    sensitivity, mask = _table("sensitivity", sensitivity, None, mask)
    costs = [_table(f"cost of {b.name!r}", b.cost, sensitivity.shape, mask)[0] for b in budgets]
    _check_limits(budgets)
    groups = _groups(len(sensitivity), tied)
    group_tables = np.stack([_merge(t, groups) for t in (sensitivity, *costs)])  # [1+K, G, O]
    usable = np.stack([mask[list(group)].all(axis=0) for group in groups])
    if not usable.any(axis=1).all():
        group = groups[int(np.argmin(usable.any(axis=1)))]
        raise UserError(
            f"layers {list(group)} are tied but share no option in the mask", "untie them or allow one for all of them"
        )
    if all(np.isneginf(b.floor) for b in budgets):
        usable = usable & ~_domination(group_tables, usable)
    choice = _program(group_tables, usable, budgets, gap, nodes, slack=False)
    if choice is None:
        nearest = _allocation(
            _program(group_tables, usable, budgets, 1e-6, nodes, slack=True), groups, sensitivity, costs, budgets
        )
        raise Unmet(_unmet(budgets, nearest), nearest)
    return _allocation(choice, groups, sensitivity, costs, budgets)


def _table(name: str, table: Array, shape: tuple | None, mask: Array | None) -> tuple[np.ndarray, np.ndarray]:
    table = np.asarray(table, np.float64)
    if table.ndim != 2 or 0 in table.shape or (shape is not None and table.shape != shape):
        shape_text = f"[layers, options] = {list(shape)}" if shape else "[layers, options]"
        raise UserError(
            f"the table of {name} has shape {list(table.shape)}, but must be {shape_text}", "give a row for each layer"
        )
    mask = np.ones(table.shape, bool) if mask is None else np.asarray(mask, bool)
    if mask.shape != table.shape:
        raise UserError(f"mask has shape {list(mask.shape)}, but the tables are {list(table.shape)}", "give one for each")
    if not mask.any(axis=1).all():
        raise UserError(f"layer {int(np.argmin(mask.any(axis=1)))} has no option in the mask", "allow at least one")
    bad = np.argwhere(~np.isfinite(table) & mask)
    if len(bad):
        layer, option = bad[0]
        raise UserError(
            f"the table of {name} holds {table[layer, option]} for option {option} of layer {layer} (and {len(bad) - 1} more): "
            "an option that failed must be False in mask, or be measured again"
        )
    return np.where(mask, table, 0.0), mask


def _check_limits(budgets: Sequence[CostLimit]) -> None:
    for b in budgets:
        if np.isnan(b.limit) or np.isnan(b.floor) or b.floor > b.limit:
            raise UserError(f"the budget {b.name!r} from {b.floor:g} to {b.limit:g} cannot be", "type floor <= limit")


def _groups(layers: int, tied: Sequence[Sequence[int]]) -> list[tuple[int, ...]]:
    """Returns groups of layers, each layer in one; overlapping ties are one group."""
    owner = list(range(layers))
    for group in tied:
        if not all(0 <= layer < layers for layer in group):
            raise UserError(f"the tied layers {list(group)} are not all of 0..{layers - 1}; number layers from 0")
        owners = {owner[layer] for layer in group}
        owner = [min(owners) if o in owners else o for o in owner]
    return [tuple(i for i, o in enumerate(owner) if o == head) for head in dict.fromkeys(owner)]


def _merge(table: np.ndarray, groups: list[tuple[int, ...]]) -> np.ndarray:
    return np.stack([table[list(group)].sum(axis=0) for group in groups])


def _domination(group_tables: np.ndarray, usable: np.ndarray) -> np.ndarray:
    """Returns which options [G, O] another of the layer beats in everything: without floors none is needed."""
    worse = (group_tables[:, :, :, None] >= group_tables[:, :, None, :]).all(axis=0)  # [G, O, other]
    equal = (group_tables[:, :, :, None] == group_tables[:, :, None, :]).all(axis=0)
    earlier = np.tri(group_tables.shape[2], k=-1, dtype=bool)[None]  # of equals the first stays
    return (worse & usable[:, None, :] & (~equal | earlier)).any(axis=2)


def _program(
    group_tables: np.ndarray, usable: np.ndarray, budgets: Sequence[CostLimit], gap: float, nodes: int, slack: bool
) -> np.ndarray | None:
    """Solves; variables are the usable (group, option) pairs, and with slack the relative excess over each limit."""
    from scipy.optimize import Bounds, LinearConstraint, milp
    from scipy.sparse import coo_array

    group, option = np.nonzero(usable)
    n, k = len(group), len(budgets) if slack else 0
    limits = [abs(b.limit) if np.isfinite(b.limit) else 0.0 for b in budgets]
    scale = [max(limit, np.abs(cost).max(), 1e-12) for limit, cost in zip(limits, group_tables[1:], strict=True)]
    one = coo_array((np.ones(n), (group, np.arange(n))), shape=(len(usable), n + k))
    rules = [LinearConstraint(one.tocsr(), 1, 1)]
    for i, (b, cost) in enumerate(zip(budgets, group_tables[1:], strict=True)):
        row = np.concatenate([cost[group, option] / scale[i], np.zeros(k)])
        if slack:
            row[n + i] = -1.0 if np.isfinite(b.limit) else 0.0
        floor = -np.inf if slack else b.floor / scale[i]
        rules.append(LinearConstraint(row[None], floor, b.limit / scale[i]))
    worth = group_tables[0][group, option]
    size = max(float(np.ptp(worth)), 1e-12)
    goal = np.concatenate([worth / size * (1e-4 if slack else 1.0), np.ones(k)])
    solution = milp(
        goal,
        constraints=rules,
        integrality=np.r_[np.ones(n), np.zeros(k)],
        bounds=Bounds(np.zeros(n + k), np.r_[np.ones(n), np.full(k, np.inf)]),  # pyright: ignore[reportArgumentType]
        options={"mip_rel_gap": gap, "node_limit": nodes},
    )
    if solution.x is None:
        if solution.status == 1:
            raise OutOfNodes(f"the solver found no config in {nodes} nodes; type a larger gap or more nodes")
        return None
    choice = np.zeros(len(usable), int)
    choice[group[solution.x[:n] > 0.5]] = option[solution.x[:n] > 0.5]
    return choice


def _allocation(choice, groups, sensitivity, costs, budgets) -> Allocation:
    options = np.empty(len(sensitivity), int)
    for group, option in zip(groups, choice, strict=True):
        options[list(group)] = option
    rows = np.arange(len(options))
    totals = {b.name: float(c[rows, options].sum()) for b, c in zip(budgets, costs, strict=True)}
    return Allocation(options, float(sensitivity[rows, options].sum()), totals)


def _unmet(budgets: Sequence[CostLimit], nearest: Allocation) -> str:
    limits = " and ".join(f"{b.name} <= {b.limit:.6g}" for b in budgets)
    has = ", ".join(f"{name} {cost:.6g}" for name, cost in nearest.costs.items())
    return f"no config has {limits}; the nearest has {has}: raise a budget to that, or allow cheaper options"
