"""How many proxies a second are evaluated: batches of 256 expressions on all configs of three networks, each form.

    python -m experiments.emq.speed bench=fashion rounds=5

Each round is a batch drawn anew, in a program that is compiled already (its seconds are told too); told by the clock and by
CPU-seconds. Nothing else should run meanwhile.
"""

import sys
import time
from pathlib import Path
from typing import Any

import numpy as np

from domains.proxies import Proxies
from domains.proxies.structures import STRUCTURES
from qd import keys
from qd.report import table

_BATCH, _NETWORKS = 256, 3


def main(bench: str = "fashion", rounds: str = "5", out: str = "experiments/results/emq_speed") -> None:
    """Measures, prints and writes the table; nothing is resumed: it takes seconds."""
    folder = Path(out)
    (folder / "runs.jsonl").unlink(missing_ok=True)
    runs = table.Runs(folder / "runs.jsonl")
    for structure in STRUCTURES:
        domain = Proxies(bench, structure)
        domain = domain.on(*[record.name for record in domain.records][:_NETWORKS])
        case = f"{structure}, {len(domain.records[0].configs)} configs of {len(domain.records)} networks"
        compiled = timed(domain, 0)["seconds"]
        for i in range(int(rounds)):
            runs.add(case, "one program", i, timed(domain, i + 1) | {"first seconds": compiled})
    rows = table.summary(runs, np.median)
    table.write(folder / "table.csv", rows)
    table.about(folder / "about.json", ("jax", "numpy"))
    print(table.text(rows, ("proxies/s", "proxies/CPU-second", "first seconds"), 0))


def timed(domain: Any, seed: int) -> dict[str, float]:
    x = np.asarray(domain.sample(keys.new(seed), _BATCH))
    clock, spent = time.perf_counter(), time.process_time()
    domain.evaluate(None, x).objective.block_until_ready()
    seconds, spent = time.perf_counter() - clock, time.process_time() - spent
    return {"proxies/s": _BATCH / seconds, "proxies/CPU-second": _BATCH / spent, "seconds": seconds}


if __name__ == "__main__":
    main(**dict(argument.split("=", 1) for argument in sys.argv[1:]))
