"""Does our exact solver choose the bits that HAWQ-V3 published? The 18 allocations of 4 or 8 bit, from its own numbers.

    qd study quant.hawq

One row an allocation: how many layers differ, the summed sensitivity (relative to all 4 bit; lower is better) of ours and
of the published bits, both within the budget, and seconds. Their accuracies on ImageNet are after training with
quantization: nothing here compares with them.

hawq_v3.json holds the inputs and the results of their notebook, with its source and licence (Zhen-Dong/HAWQ, MIT):
ResNet-18 and ResNet-50 on ImageNet, 4 or 8 bit for weights and input of each layer; one budget at a time, a fraction of the
way from all 4 bit to all 8 bit.

L layers.
"""

import json
import time
from functools import cache
from pathlib import Path
from typing import Annotated, Any, NamedTuple

import numpy as np

from domains.quant.solve.allocation import Allocation, CostLimit, solve
from experiments import command, study
from qd.report.table import Row

METRICS = ("layers that differ", "sensitivity", "published", "seconds")
BUDGETS = ("quick", "first", "full")  # all are the same: it takes a second
BITS = (4, 8)  # option 0 and option 1
KINDS, FRACTIONS = ("modelsize", "bops", "latency"), (0.75, 0.5, 0.25)
MODELS = ("resnet18", "resnet50")


class PublishedAllocation(NamedTuple):
    """One of the 18 published allocations."""

    name: str  # e.g. resnet50 modelsize_0.25
    sensitivity: np.ndarray  # [L, 2] Omega = trace/n * ||W - Q(W)||^2
    budget: CostLimit
    tied: tuple[tuple[int, ...], ...]
    published_options: np.ndarray  # [L]

    def solve(self) -> Allocation:
        return solve(self.sensitivity, [self.budget], tied=self.tied)

    def of(self, options: np.ndarray) -> tuple[float, float]:
        """Returns the sensitivity of a config relative to all 4 bit, as published, and its cost."""
        rows = np.arange(len(options))
        relative = self.sensitivity - self.sensitivity[:, :1]
        return float(relative[rows, options].sum()), float(self.budget.cost[rows, options].sum())


def main(budget: Annotated[str, BUDGETS] = "quick", out: str = "") -> None:
    """Solves all 18, then writes and prints the table.

    Args:
        budget: all are the same.
        out: folder of the results; empty: the default one.
    """
    cases()[0].solve()  # imports on first use are not timed
    table = [row for case in cases() for row in rows(case)]
    study.report(study.folder("hawq_ilp", out=out), table, METRICS, 4, ("scipy", "numpy"))
    exact = sum(row.value == 0 for row in table if row.metric == METRICS[0])
    print(f"{exact} of {len(cases())} are the published bits exactly")


def rows(case: PublishedAllocation) -> list[Row]:
    """Solves one allocation."""
    begin = time.perf_counter()
    solution = case.solve()
    seconds = time.perf_counter() - begin
    ours, reference = case.of(solution.options)[0], case.of(case.published_options)[0]
    values = (float((solution.options != case.published_options).sum()), ours, reference, seconds)
    return [Row(case.name, "exact", m, v, float("nan"), float("nan"), 1) for m, v in zip(METRICS, values, strict=True)]


def cases() -> list[PublishedAllocation]:
    """Returns the 18 allocations."""
    return [_case(model, kind, fraction) for model in MODELS for kind in KINDS for fraction in FRACTIONS]


@cache
def record() -> dict[str, Any]:
    """Returns hawq_v3.json."""
    return json.loads((Path(__file__).parent / "hawq_v3.json").read_text(encoding="utf-8"))


def costs(model: dict[str, Any], kind: str) -> np.ndarray:
    """Returns [L, 2]: bytes, MACs times both bit widths, or the T4's latency in the source's unit, which it does not name.

    Args:
        model: of hawq_v3.json.
        kind: modelsize, bops or latency.
    """
    if kind == "latency":
        return np.stack([model["t4_latency_int4"], model["t4_latency_int8"]], axis=1)
    per_bit = {"modelsize": ("params", lambda b: b / 8), "bops": ("macs", lambda b: b * b)}
    column, factor = per_bit[kind]
    return np.outer(np.asarray(model[column], float), [factor(b) for b in BITS])


def _case(name: str, kind: str, fraction: float) -> PublishedAllocation:
    model = record()["models"][name]
    trace = np.asarray(model["hessian_trace_per_parameter"])
    sensitivity = np.stack([trace * np.asarray(model[f"weight_error_sq_{b}bit"]) for b in BITS], axis=1)
    cost = costs(model, kind)
    low, high = cost.sum(axis=0)  # all 4 bit, all 8 bit
    published_options = np.array([int(digit == "8") for digit in model["published_bits"][f"{kind}_{fraction}"]])
    limit = float(low + fraction * (high - low))
    tied = tuple(tuple(pair) for pair in model["tied_layers"])
    return PublishedAllocation(f"{name} {kind}_{fraction}", sensitivity, CostLimit(kind, cost, limit), tied, published_options)


if __name__ == "__main__":
    command.run()
