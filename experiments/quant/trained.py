"""What do training and learned matrices bring to a quantized language model? QuEST, nested bits, GQSA, OstQuant, AffineQuant.

    qd study quant.trained [seeds=5] [cases="nested"]      # wants the text of domains/quant/networks/train_language.py

Trained: 40 steps of 8 windows from the shipped weights on (a pass over the text has 1,300). Weights and inputs of all layers in
1, 2, 3, 4 and 8 bits by QuEST, its trust mask beside straight-through gradients at equal steps; one set of weights for 2, 3, 4
and 8 bits at once, each way with 96 forward passes; half of the groups gone, tuned by 30 steps of 16 windows for each block and
30 for all scales. "Trained in full precision" says what as many steps bring without rounding. Learned on calibration windows:
whole matrices for inputs at b bits, and for both at 4. MixLLM's salient channels beside channels drawn at random, of the same
mean bits. A seed has its own order of training windows, its own 8 windows to calibrate on, and its own 24 test windows.
bits_per_byte: the lower the better; differences are paired by seed.
"""

from collections.abc import Callable, Iterable
from functools import lru_cache, partial

import numpy as np

from domains.quant import texts
from domains.quant.networks import language, registry
from domains.quant.networks.train_language import batches
from domains.quant.quantize.bank import Bank
from domains.quant.quantize.estimators import NESTED, Full, Gaussian, Groups, Nested
from domains.quant.quantize.quantizers import ActivationOption as A
from domains.quant.quantize.quantizers import WeightOption as W
from domains.quant.tune import groups as tune_groups
from domains.quant.tune import language as tune_language
from domains.quant.tune.language import NESTED_PEAK, PEAKS, Params, Way
from experiments import command, study
from experiments.quant.language import WINDOWS, Config, genome_of, prepared_with, size
from qd.report.table import Row, Runs, summary

STEPS, JOINT, GUIDED = 40, 24, 32  # the last two of four and of three forward passes
GROUP_WINDOWS = 16  # by which groups are chosen and blocks tuned
QUEST_BITS, BITS = (1, 2, 3, 4, 8), (2, 3, 4, 8)
QUEST, NEST, GONE = "weights and inputs", "nested weights", "half of the groups"
TURNS = {
    "plain": "",
    "smoothing": "smooth",
    "scaling learned, rotation": "learned",
    "orthogonal": "orthogonal",
    "affine": "affine",
}
MIXED = {
    "plain": {},
    "salient": {"format": "mixed"},
    "random": {"format": "mixed_random"},
    "one bit more": {"format": "spread"},
}
INPUTS = {"inputs": "language", "inputs, outliers planted": "language_outliers"}
BOTH = {"W4A4": "language", "W4A4, outliers planted": "language_outliers"}
MIXED_CASE, FLOAT_CASE, CONTROL = "channels", "floats", "trained in full precision"


def banked() -> dict[tuple[str, str], Config]:
    """Returns (case, method) -> what it does, of all that needs no training."""
    plain = {(f"{QUEST}, {b} bits", "plain"): Config("language", *_plain(b)) for b in QUEST_BITS}
    plain |= {(f"{NEST}, {b} bits", "plain"): Config("language", W(b)) for b in BITS}
    plain |= {(f"{NEST}, {b} bits", "untrained"): Config("language", W(b, "nested")) for b in BITS}
    plain |= {(f"{GONE}, {b} bits", "plain"): Config("language", W(b)) for b in BITS}
    several = {
        (f"{case}, {b} bits", name): Config(network, inputs=A(b, turn=turn))
        for case, network in INPUTS.items()
        for b in BITS
        for name, turn in TURNS.items()
    }
    several |= {
        (case, name): Config(network, W(4, turn or "int"), A(4, per="token", turn=turn))
        for case, network in BOTH.items()
        for name, turn in TURNS.items()
    }
    several |= {(f"{MIXED_CASE}, {b} bits", name): Config("language", W(b, **how)) for b in BITS for name, how in MIXED.items()}
    floats = {4: "fp4", 6: "fp6", 8: "fp8"}
    several |= {
        (f"{FLOAT_CASE}, {b} bits", name): Config("language", W(b, form))
        for b, float_form in floats.items()
        for name, form in (("plain", "int"), ("float", float_form))
    }
    return plain | several | {("full precision", "shipped"): Config("language")}


def trained() -> dict[tuple[str, str], Callable[[int], tuple[Params, Way]]]:
    """Returns (case, method) -> what makes its parameters for a seed."""
    several: dict[tuple[str, str], Callable[[int], tuple[Params, Way]]] = {("full precision", CONTROL): partial(_tuned, Full())}
    for b in QUEST_BITS:
        ways = {"projection, untrained": partial(_started, Gaussian(b))}
        ways |= {"straight through": partial(_tuned, Gaussian(b, False)), "trust": partial(_tuned, Gaussian(b))}
        several |= {(f"{QUEST}, {b} bits", name): way for name, way in ways.items()}
    for b in BITS:
        nested = {"together": (False, False), "together, balanced": (False, True), "guided": (True, True)}
        several |= {(f"{NEST}, {b} bits", name): partial(_nested, b, *how) for name, how in nested.items()}
        several |= {(f"{GONE}, {b} bits", "untrained"): partial(_groups, b, False)}
        several |= {(f"{GONE}, {b} bits", "tuned"): partial(_groups, b, True)}
    return several


def main(seeds: int = 5, cases: str = "", out: str = "") -> None:
    """Evaluates what is missing, seed by seed; then writes and prints the table.

    Args:
        seeds: number of seeds, at most 10.
        cases: beginning of the names of cases; empty: all.
        out: folder of the results; empty: the default one.
    """
    folder = study.folder("quant_trained", out=out)
    runs, by_bank, by_training = study.runs(folder), banked(), trained()
    keys = sorted([*by_bank, *by_training], key=lambda key: by_bank[key].network if key in by_bank else "trained")
    names = set(study.beginning((case for case, _ in keys), cases))
    for seed in range(seeds):
        for case, method, _ in study.missing(runs, ((*key, seed) for key in keys if key[0] in names)):
            one = by_bank.get((case, method))
            metrics = play(one, seed) if one else play_trained(by_training[case, method], seed)
            study.add(runs, case, method, seed, metrics, ("bits_per_byte",))
    study.report(folder, rows(runs), ("bits_per_byte", "worst_document", "size"), digits=3)


def play(config: Config, seed: int) -> dict[str, float]:
    """Returns the figures of a method of the bank on a seed's test windows.

    Args:
        config: what it does.
        seed: chooses the windows.
    """
    own = prepared(config.network, seed)
    genome = genome_of(config, own)
    columns = texts.judge(own, genome[None], "test", WINDOWS, probes=False, first=seed * WINDOWS)
    return {name: float(column[0]) for name, column in columns.items()} | {"size": size(own, genome)}


def play_trained(make: Callable[[int], tuple[Params, Way]], seed: int) -> dict[str, float]:
    """Returns the figures of a trained network on a seed's test windows.

    Args:
        make: gives parameters and way.
        seed: of the training, and of the windows.
    """
    network, excerpts = registry.load("language"), texts.excerpts_of("test", WINDOWS, seed * WINDOWS)
    reference = texts.referred(np.asarray(network(excerpts.inputs)), excerpts)
    params, way = make(seed)
    return texts.figures_of(tune_language.logits(network, params, way, excerpts.inputs), reference, excerpts)


@lru_cache(maxsize=2)
def prepared(network: str, seed: int) -> Bank:
    """Returns a bank of all that needs no training, calibrated on a seed's own windows.

    Args:
        network: name of the network.
        seed: of the windows.
    """
    return prepared_with([each for each in banked().values() if each.network == network], network, seed)


def _plain(bits: int) -> tuple[W, A]:
    """Sign-like for one bit, which plain rounding does not have."""
    return (W(1, "sign"), A(1, per="gaussian")) if bits == 1 else (W(bits), A(bits, per="token"))


@lru_cache(maxsize=4)
def _tuned(way: Way, seed: int) -> tuple[Params, Way]:
    return tune_language.tune(registry.load("language"), [way], STEPS, seed, peak=_peak(way)), way


def _peak(way: Way) -> float:
    return PEAKS[8 if isinstance(way, Full) else way.bits]


def _started(way: Gaussian, seed: int) -> tuple[Params, Way]:
    return tune_language.start(registry.load("language"), way), way


def _nested(bits: int, guided: bool, balanced: bool, seed: int) -> tuple[Params, Way]:
    return _nest(guided, balanced, seed), Nested(bits)


@lru_cache(maxsize=4)
def _nest(guided: bool, balanced: bool, seed: int) -> Params:
    ways = [Nested(b) for b in sorted(NESTED, reverse=guided)]
    steps = GUIDED if guided else JOINT
    return tune_language.tune(registry.load("language"), ways, steps, seed, guided, balanced, peak=NESTED_PEAK)


def _groups(bits: int, tunes: bool, seed: int) -> tuple[Params, Way]:
    network, way = registry.load("language"), Groups(bits)
    tokens = next(batches(tune_language.stream(), network.forward.tokens, 1, seed, GROUP_WINDOWS))
    x = language.embed(tokens[:, :-1])
    return (tune_groups.tune_groups(network, x, way, seed) if tunes else tune_groups.pruned(network, x, way)), way


def rows(runs: Runs) -> list[Row]:
    """Returns means, and a reference minus each method, paired by seed: bits per byte that the method saves."""
    table = summary(runs, "mean")
    for case in study.cases(runs):
        table += study.differences(runs, list(pairs(case, study.methods(runs, case))), ("bits_per_byte",))
    return table


def pairs(case: str, methods: Iterable[str]) -> Iterable[tuple[str, str, str]]:
    """Yields what is compared in a case: each method with plain rounding, and with what the paper sets it against.

    Args:
        case: its name.
        methods: that were run.
    """
    there = set(methods)
    for method in methods:
        if method != "plain" and "plain" in there:
            yield case, "plain", method
    for reference, method in (
        ("straight through", "trust"), ("projection, untrained", "trust"), ("untrained", "together"),
        ("untrained", "together, balanced"), ("untrained", "guided"), ("together", "together, balanced"),
        ("untrained", "tuned"), ("scaling learned, rotation", "orthogonal"), ("smoothing", "affine"), ("random", "salient"),
        ("one bit more", "salient"), ("shipped", CONTROL),
    ):  # fmt: skip
        if reference in there and method in there:
            yield case, reference, method


if __name__ == "__main__":
    command.run()
