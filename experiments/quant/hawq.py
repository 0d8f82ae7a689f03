"""Does our exact solver choose the bits that HAWQ-V3 published? Its 18 allocations of 4 or 8 bit, from its own numbers.

    qd experiment hawq_ilp

One row an allocation: how many layers differ, the summed sensitivity (relative to all 4 bit; lower is better) of ours and
of the published bits, both within the budget, and seconds. Their accuracies on ImageNet are after training with
quantization: nothing here compares with them.
"""

import sys
import time
from pathlib import Path

from experiments.quant import hawq_record
from qd.report import table

SHOWN = ("layers that differ", "sensitivity", "published", "seconds")


def main(budget: str = "quick", out: str = "experiments/results/hawq_ilp") -> None:
    """Solves all 18; every budget is the same, for it takes a second."""
    hawq_record.cases()[0].solve()  # what is imported on first use is no part of the times
    rows = [row for case in hawq_record.cases() for row in told(case)]
    table.write(Path(out) / "table.csv", rows)
    table.about(Path(out) / "about.json", ("scipy", "numpy"))
    print(table.text(rows, SHOWN, 4))
    exact = sum(row.value == 0 for row in rows if row.metric == SHOWN[0])
    print(f"{exact} of {len(hawq_record.cases())} are the published bits exactly")


def told(case: hawq_record.Case) -> list[table.Row]:
    """Solves one allocation."""
    begun = time.perf_counter()
    chosen = case.solve()
    seconds = time.perf_counter() - begun
    ours, published = case.of(chosen.options)[0], case.of(case.published)[0]
    values = (float((chosen.options != case.published).sum()), ours, published, seconds)
    return [table.Row(case.name, "exact", m, v, float("nan"), float("nan"), 1) for m, v in zip(SHOWN, values, strict=True)]


if __name__ == "__main__":
    main(**dict(word.split("=", 1) for word in sys.argv[1:]))
