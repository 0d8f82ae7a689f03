"""How many proxies a second are evaluated: batches of 256 expressions on all configs of three networks, each form.

    qd study emq.speed bench=fashion rounds=5

Each round is a fresh batch, in a program that is compiled already (its seconds are given too); by the clock and by
CPU-seconds. Nothing else should run meanwhile.
"""

import time
from typing import Any

import numpy as np

from domains.proxies import Proxies
from domains.proxies.structures import STRUCTURES
from experiments import command, study
from qd import keys
from qd.report.table import summary

_BATCH, _NETWORKS = 256, 3


def main(bench: str = "fashion", rounds: int = 5, out: str = "") -> None:
    """Measures, then writes and prints the table; nothing is resumed, since it takes seconds.

    Args:
        bench: fashion, synthetic, or a file.
        rounds: of each structure.
        out: folder of the results; empty: the default one.
    """
    folder = study.folder("emq_speed", out=out)
    (folder / "runs.jsonl").unlink(missing_ok=True)
    runs = study.runs(folder)
    for structure in STRUCTURES:
        domain = Proxies(bench, structure)
        domain = domain.on(*[record.name for record in domain.records][:_NETWORKS])
        case = f"{structure}, {len(domain.records[0].configs)} configs of {len(domain.records)} networks"
        first_seconds = measure(domain, 0)["seconds"]
        for i in range(rounds):
            runs.add(case, "one program", i, measure(domain, i + 1) | {"first seconds": first_seconds})
    study.report(folder, rows(runs), ("proxies/s", "proxies/CPU-second", "first seconds"), 0, ("jax", "numpy"))


rows = summary  # medians


def measure(domain: Any, seed: int) -> dict[str, float]:
    """Evaluates one batch of fresh expressions.

    Args:
        domain: Proxies.
        seed: of all randomness.

    Returns:
        Proxies a second, proxies a CPU-second, and seconds.
    """
    x = np.asarray(domain.sample(keys.new(seed), _BATCH))
    wall, cpu = time.perf_counter(), time.process_time()
    domain.evaluate(None, x).objective.block_until_ready()
    wall, cpu = time.perf_counter() - wall, time.process_time() - cpu
    return {"proxies/s": _BATCH / wall, "proxies/CPU-second": _BATCH / cpu, "seconds": wall}


if __name__ == "__main__":
    command.run()
