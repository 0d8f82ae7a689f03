"""How many configs of the residual network are judged in a second: one program for all, against one compiled for each.

    python -m experiments.benchmarks.quant budget=quick|first|full

512 images; rounds interleaved in one process. Wall time depends on what else runs: CPU time is told too.
"""

import sys
import time
from collections.abc import Callable
from pathlib import Path

import jax
import numpy as np

from domains.quant.domain import Quant
from domains.quant.networks import data
from domains.quant.networks.layers import linear
from domains.quant.quantize.bank import quantized
from experiments.benchmarks.rounds import rounds
from qd import keys
from qd.report import table

CASE, CONFIGS = "resnet14, 512 images", 16
FIRST, CALLS, ALONE = "first batch, with compilation", "a call for each config", "compiled for each config"


def main(budget: str = "quick", out: str = "experiments/results/quant_speed") -> None:
    """Does the rounds that are missing, prints and writes the table: medians over rounds."""
    n = rounds(budget)
    domain = Quant("resnet14", "bits")
    images = data.load("fashion", "validation").first(512).pixels
    several = domain.sample(keys.new(0), CONFIGS)
    bank, program = domain.bank, jax.jit(domain.bank.run)
    ways: dict[str, Callable[[], object]] = {
        FIRST: lambda: bank.logits(several, images),
        "one program for all": lambda: bank.logits(several, images),
        CALLS: lambda: [np.asarray(program(pair, images)) for pair in np.stack(bank.split(several), 1)],
        ALONE: lambda: _compiled(domain, several[:1], images),
    }
    runs, warm = table.Runs(Path(out) / "runs.jsonl"), set()
    for seed in range(n):
        for name, way in ways.items():
            if runs.has(CASE, name, seed) or (name == FIRST and seed):
                continue
            if name not in (FIRST, ALONE) and name not in warm:
                way()  # compiled before it is timed, also where an earlier process did the first rounds
                warm.add(name)
            wall, cpu = time.perf_counter(), time.process_time()
            way()
            wall, cpu = time.perf_counter() - wall, time.process_time() - cpu
            count = 1 if name == ALONE else len(several)
            runs.add(CASE, name, seed, {"configs/s": count / wall, "CPU-seconds a config": cpu / count})
    rows = table.summary(runs)
    table.write(Path(out) / "table.csv", rows)
    table.about(Path(out) / "about.json")
    print(table.text(rows, ("configs/s", "CPU-seconds a config"), 3))


def _compiled(domain: Quant, config: np.ndarray, images: np.ndarray) -> np.ndarray:
    """As one does without a bank: the config's own weights and ranges are constants of a program of its own."""
    network, pair = domain.bank.network, np.stack(domain.bank.split(config), 1)[0]
    weights = [several[option] for several, option in zip(domain.bank.weights, pair[0], strict=True)]
    scales = domain.bank.scales[np.arange(domain.bank.size), pair[1]]

    def forward(pixels: jax.Array) -> jax.Array:
        apply = lambda i, x: linear(network.layers[i], quantized(x, scales[i]), weights[i]) + network.biases[i]
        return network.forward(apply, pixels)

    return np.asarray(jax.jit(forward)(images))


if __name__ == "__main__":
    main(**dict(argument.split("=", 1) for argument in sys.argv[1:]))
