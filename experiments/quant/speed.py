"""How many configs are evaluated in a second: one program for all, against a call for each, against one compiled for each.

    qd study quant.speed budget=quick|first|full

The residual network on 512 images; the diffusion transformer, 20 samples of 5 steps with their figures; the language model, 32
windows with probes and all figures, as its domain does by default. Rounds interleaved in one process. Wall time depends on
what else runs: CPU time is given too.
"""

import time
from collections.abc import Callable
from functools import partial
from typing import Annotated

import jax
import numpy as np

from domains.quant.domain import Quant
from domains.quant.networks import data
from domains.quant.networks.layers import linear
from domains.quant.quantize.bank import fake_quantize
from experiments import command, study
from experiments.benchmarks.rounds import BUDGETS
from qd import keys
from qd.report.table import summary

CASE, CONFIGS = "resnet14, 512 images", 16
FIRST, TOGETHER = "first batch, with compilation", "one program for all"
CALLS, ALONE = "a call for each config", "compiled for each config"
LATER = (TOGETHER, CALLS, ALONE)
SEVERAL = 8  # configs of a generator
GENERATORS = {  # case -> its domain
    "diffusion, 20 samples of 5 steps": partial(Quant, "diffusion", "denoising_bits", 20, steps=5),
    "language, 32 windows and probes": partial(Quant, "language", "language_bits"),
}


def main(budget: Annotated[str, BUDGETS] = "quick", out: str = "") -> None:
    """Does the missing rounds, prints and writes the table: medians over rounds; arguments as in ``study``."""
    folder = study.folder("quant_speed", out=out)
    runs = study.runs(folder)
    todo = list(study.missing(runs, [(CASE, FIRST, 0), *((CASE, name, i) for i in range(BUDGETS[budget]) for name in LATER)]))
    domain = Quant("resnet14", "bits")
    configs = domain.sample(keys.new(0), CONFIGS)
    methods = ways(domain, configs) if todo else {}
    warm = {FIRST, ALONE}  # compiled again each time
    for _, name, i in todo:
        if name not in warm:
            methods[name]()  # compiled before it is timed, also where an earlier process did the first rounds
            warm.add(name)
        study.add(runs, CASE, name, i, measure(methods[name], 1 if name == ALONE else len(configs)))
    several = [(case, name, i) for i in range(BUDGETS[budget]) for case in GENERATORS for name in (TOGETHER, CALLS)]
    judged = list(study.missing(runs, several))
    methods = {case: ways_to_judge(GENERATORS[case]()) for case in dict.fromkeys(case for case, _, _ in judged)}
    for case, name, i in judged:
        study.add(runs, case, name, i, measure(methods[case][name], SEVERAL))
    study.report(folder, rows(runs), ("configs/s", "CPU-seconds a config"), 3)


rows = summary  # medians


def ways(domain: Quant, configs: np.ndarray) -> dict[str, Callable[[], object]]:
    """Returns the ways to evaluate configs on 512 images.

    Args:
        domain: of the network.
        configs: [B, 2L].

    Returns:
        Name -> function that evaluates them.
    """
    images = data.load("fashion", "validation").first(512).pixels
    bank, program = domain.bank, jax.jit(domain.bank.run)
    return {
        FIRST: lambda: bank.logits(configs, images),
        TOGETHER: lambda: bank.logits(configs, images),
        CALLS: lambda: [np.asarray(program(pair, images)) for pair in np.stack(bank.split(configs), 1)],
        ALONE: lambda: _compile_and_run(domain, configs[:1], images),
    }


def ways_to_judge(domain: Quant) -> dict[str, Callable[[], object]]:
    """Returns the ways to evaluate configs of a generator, each compiled: name -> function.

    Args:
        domain: of the generator.
    """
    configs = domain.sample(keys.new(0), SEVERAL)
    domain.accuracies(configs)
    return {TOGETHER: lambda: domain.accuracies(configs), CALLS: lambda: [domain.accuracies(one[None]) for one in configs]}


def measure(way: Callable[[], object], count: int) -> dict[str, float]:
    """Returns configs a second and CPU-seconds a config, of a way that evaluates ``count``.

    Args:
        way: function to time.
        count: configs that it evaluates.
    """
    wall, cpu = time.perf_counter(), time.process_time()
    way()
    wall, cpu = time.perf_counter() - wall, time.process_time() - cpu
    return {"configs/s": count / wall, "CPU-seconds a config": cpu / count}


def _compile_and_run(domain: Quant, config: np.ndarray, images: np.ndarray) -> np.ndarray:
    """Evaluates without a bank: the weights and ranges of the config are constants of its own program."""
    network, pair = domain.bank.network, np.stack(domain.bank.split(config), 1)[0]
    weights = [several[option] for several, option in zip(domain.bank.weights, pair[0], strict=True)]
    scales = domain.bank.scales[np.arange(domain.bank.size), pair[1]]

    def forward(pixels: jax.Array) -> jax.Array:
        apply = lambda i, x: linear(network.layers[i], fake_quantize(x, scales[i]), weights[i]) + network.biases[i]
        return network.forward(apply, pixels)

    return np.asarray(jax.jit(forward)(images))


if __name__ == "__main__":
    command.run()
