"""Which published ways to quantize help a small language model? Each beside plain rounding at 2, 3, 4 and 8 bits.

    qd study quant.language [seeds=5] [cases="keys and values"]

One way for one kind of numbers, all else in full precision: weights of all layers, inputs of all layers (and where three
channels are planted outliers), keys and values. Then whole networks, as QServe's W4A8KV4. A seed has 8 training windows of its
own to calibrate on, and 24 test windows of its own. bits_per_byte: the lower the better; differences are paired by seed. Plain:
symmetric weights, a scale for each output channel from the largest weight; inputs by one range, from least to largest; keys and
values a range for each token of each head.
"""

from collections.abc import Iterable, Sequence
from functools import lru_cache
from typing import NamedTuple

import numpy as np

from domains.quant import texts
from domains.quant.cost.costs import BIAS_BITS, KILOBYTE
from domains.quant.networks import data, registry
from domains.quant.quantize import bank
from domains.quant.quantize.bank import Bank
from domains.quant.quantize.quantizers import ActivationOption as A
from domains.quant.quantize.quantizers import WeightOption as W
from experiments import command, study
from qd.report.table import Row, Runs, summary

BITS, WINDOWS, CALIBRATE = (2, 3, 4, 8), 24, 8
WEIGHTS = {  # method -> the options of W; bits come first
    "plain": {},
    "clipped": {"clip": "mse"},
    "rounding learned": {"format": "round"},
    "rotation": {"format": "hadamard"},
    "smoothing": {"format": "smooth"},
    "scaling learned, rotation": {"format": "learned"},
    "two levels": {"format": "two_level"},
    "nested": {"format": "nested"},
    "salient channels in 8 bits": {"format": "mixed"},
    "half of the groups": {"format": "groups"},
}
INPUTS = {
    "plain": {},
    "clipped": {"clip": "mse"},
    "by token": {"per": "token"},
    "rotation": {"turn": "hadamard"},
    "smoothing": {"turn": "smooth"},
    "scaling learned, rotation": {"turn": "learned"},
}
CACHE = {"plain": "int", "smoothing": "smooth", "rotation": "hadamard"}
FLOATS = {"plain": W(6), "fp6": W(6, "fp6")}  # at 6 bits
WHOLE = {  # method -> weights, inputs, keys and values
    "W8A8KV8": (W(8), A(8, per="token"), W(8)),
    "W4A8KV4, plain": (W(4), A(8, per="token"), W(4)),
    "W4A8KV4, two levels and smooth keys": (W(4, "two_level"), A(8, per="token"), W(4, "smooth")),
    "W4A4KV4, plain": (W(4), A(4, per="token"), W(4)),
    "W4A4KV4, scaling learned, rotation": (W(4, "learned"), A(4, per="token", turn="learned"), W(4, "hadamard")),
    "W3A8KV4, plain": (W(3), A(8, per="token"), W(4)),
    "W2A8KV4, plain": (W(2), A(8, per="token"), W(4)),
}
COMPARED = {  # what is compared over two cases -> both as (case, method)
    "keys and values at 4 bits, inputs at 4 bits": (("keys and values, 4 bits", "plain"), ("inputs, 4 bits", "by token")),
    "half of the groups of 4 bits, all of 2 bits": (("weights, 4 bits", "half of the groups"), ("weights, 2 bits", "plain")),
    "half of the groups of 8 bits, all of 4 bits": (("weights, 8 bits", "half of the groups"), ("weights, 4 bits", "plain")),
    "fp6, 4 bits": (("weights, 6 bits", "fp6"), ("weights, 4 bits", "plain")),
}
KINDS = ("weights", "inputs", "inputs, outliers planted", "keys and values")


class Config(NamedTuple):
    """What one method does to all layers alike; None: full precision."""

    network: str
    weights: W | None = None
    inputs: A | None = None
    cache: W | None = None  # keys and values


def configs() -> dict[tuple[str, str], Config]:
    """Returns (case, method) -> what it does."""
    both = {"language": KINDS[1], "language_outliers": KINDS[2]}
    several = {(f"{KINDS[0]}, {b} bits", name): Config("language", W(b, **how)) for b in BITS for name, how in WEIGHTS.items()}
    several |= {("weights, 6 bits", name): Config("language", option) for name, option in FLOATS.items()}
    several |= {
        (f"{case}, {b} bits", name): Config(network, inputs=A(b, **how))
        for network, case in both.items()
        for b in BITS
        for name, how in INPUTS.items()
    }
    several |= {
        (f"{KINDS[3]}, {b} bits", name): Config("language", cache=W(b, form)) for b in BITS for name, form in CACHE.items()
    }
    several |= {("whole", name): Config("language", *each) for name, each in WHOLE.items()}
    return several | {("whole", "full precision"): Config("language")}


def main(seeds: int = 5, cases: str = "", out: str = "") -> None:
    """Evaluates what is missing, seed by seed; then writes and prints the table.

    Args:
        seeds: number of seeds, at most 10.
        cases: beginning of the names of cases; empty: all.
        out: folder of the results; empty: the default one.
    """
    folder = study.folder("quant_language", out=out)
    runs, several = study.runs(folder), configs()
    names = set(study.beginning((case for case, _ in several), cases))
    for seed in range(seeds):
        todo = study.missing(runs, ((*key, seed) for key in several if key[0] in names))
        for case, method, _ in sorted(todo, key=lambda key: several[key[:2]].network):
            metrics = play(several[case, method], seed, case == "whole")
            study.add(runs, case, method, seed, metrics, ("bits_per_byte",))
    study.report(folder, rows(runs), ("bits_per_byte", "worst_document", "size"), digits=3)


def play(config: Config, seed: int, whole: bool) -> dict[str, float]:
    """Returns the figures of a method on a seed's windows.

    Args:
        config: what it does.
        seed: chooses the windows.
        whole: greedy text, memorised items and text with wrong tokens too.
    """
    own = prepared(config.network, seed)
    genome = genome_of(config, own)
    wrong = WINDOWS if whole else 0
    columns = texts.judge(own, genome[None], "test", WINDOWS, probes=whole, wrong=wrong, first=seed * WINDOWS)
    return {name: float(column[0]) for name, column in columns.items()} | {"size": size(own, genome)}


def genome_of(config: Config, own: Bank) -> np.ndarray:
    """Returns the genome [2L] of a method; queries and attention stay in full precision unless keys and values do not.

    Args:
        config: what it does.
        own: the bank.
    """
    several = len(own.weight_options), len(own.activation_options)
    place = lambda option, options, full: full if option is None else options.index(option)
    genome = own.full()
    for i, layer in enumerate(own.network.layers):
        option = config.cache if layer.is_cached else config.weights
        genome[i] = place(option, own.weight_options, several[0])
        if not layer.is_cached:
            genome[own.size + i] = place(config.inputs, own.activation_options, several[1])
    return genome


def size(own: Bank, genome: np.ndarray) -> float:
    """Returns KB of weights and of keys and values of one window; in full precision 32 bits a number."""
    full = np.array([32 * layer.parameters for layer in own.network.layers])
    stored = np.column_stack([own.stored_bits, full])[np.arange(own.size), genome[: own.size]]
    return float(stored.sum() + BIAS_BITS * sum(layer.biases for layer in own.network.layers)) / KILOBYTE


@lru_cache(maxsize=2)
def prepared(network: str, seed: int) -> Bank:
    """Returns a bank of all ways of the study, calibrated on a seed's own training windows.

    Args:
        network: language or language_outliers.
        seed: chooses 8 windows.
    """
    return prepared_with([config for config in configs().values() if config.network == network], network, seed)


def prepared_with(configs: Sequence[Config], network: str, seed: int) -> Bank:
    """Returns a bank of all options of some configs, calibrated on a seed's own training windows.

    Args:
        configs: of one network.
        network: language or language_outliers.
        seed: chooses 8 windows.
    """
    weights = [option for config in configs for option in (config.weights, config.cache) if option]
    inputs = [config.inputs for config in configs if config.inputs]
    images, labels = data.load("text", "train")
    part = slice(CALIBRATE * seed, CALIBRATE * (seed + 1))
    unique = lambda options: tuple(dict.fromkeys(options))
    return bank.build(registry.load(network), unique(weights) or (W(8),), unique(inputs), images[part], labels[part])


def rows(runs: Runs) -> list[Row]:
    """Returns means, and plain rounding minus each method, paired by seed: bits per byte that it saves."""
    table = summary(runs, "mean")
    for case in study.cases(runs):
        table += study.differences(runs, list(pairs(case, study.methods(runs, case))), ("bits_per_byte",))
    return table + over_cases(runs)


def pairs(case: str, methods: Iterable[str]) -> Iterable[tuple[str, str, str]]:
    """Yields what is compared in a case: with plain rounding, and whole networks with full precision.

    Args:
        case: its name.
        methods: that were run.
    """
    for method in methods:
        if case != "whole" and method != "plain":
            yield case, "plain", method
    if case == "whole":
        yield case, "W4A8KV4, plain", "W4A8KV4, two levels and smooth keys"
        yield case, "W4A4KV4, plain", "W4A4KV4, scaling learned, rotation"


def over_cases(runs: Runs) -> list[Row]:
    """Returns the differences of COMPARED, each a case of its own: bits per byte that the first saves."""
    joined = Runs(runs.path)
    joined.records = {
        (name, method, seed): {"bits_per_byte": value}
        for name, ends in COMPARED.items()
        for case, method in ends
        for seed, value in runs.column(case, method, "bits_per_byte").items()
    }
    joined.codes = {}
    pairs = [(name, other[1], one[1]) for name, (one, other) in COMPARED.items()]
    return study.differences(joined, pairs, ("bits_per_byte",))


if __name__ == "__main__":
    command.run()
