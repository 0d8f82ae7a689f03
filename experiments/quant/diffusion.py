"""Ways to quantize a diffusion transformer beside plain rounding, at 2, 3, 4 and 8 bits.

    qd study quant.diffusion budget=quick|first [seeds=5] [cases="inputs, 4 bit"]

    qd study quant.diffusion budget=first network=FILE out=FOLDER cases="inputs, 4 bit"    # weights of another training

Cases: inputs of layers with weights alone, weights alone, both; codebooks trained end to end; attention alone; inputs in two
groups of timesteps with other bits at an equal mean; and bits mixed over layers under the size of plain rounding (of 2 and of
8 bits there is nothing to mix). Plain rounding is one range for all timesteps, and a scale a channel, both clipped by squared
error. A seed draws the calibration samples and, apart from them, the noise that is reported on. The judge of direction is the
signal-to-noise ratio of the samples against full precision from the same noise, paired by seed; of mixed bits also content,
minus the KL divergence of their classes. Trust is of ten times as many samples in full precision (32 bit) and rounded
plainly: worst class, calibration, and closeness to training items. Robustness is of 50 samples from noise a fifth too strong,
and by a guidance of 4, for which the network was not calibrated: of the class asked for, and of the class of full precision's
there. Quick is an untrained small network.
"""

import hashlib
from dataclasses import replace
from functools import lru_cache
from itertools import product
from pathlib import Path
from typing import Annotated, Any, NamedTuple

import numpy as np

from domains.quant import generated
from domains.quant.figures import calibration_error
from domains.quant.networks import registry
from domains.quant.networks.ddim import DDIM
from domains.quant.networks.diffusion import with_kernels
from domains.quant.networks.layers import CACHED, Network
from domains.quant.predict import decoupled
from domains.quant.quantize import codebook_training, generator, low_rank
from domains.quant.quantize.generator import Generator
from domains.quant.quantize.low_rank_vectors import LowRankVectorOption
from domains.quant.quantize.quantizers import FULL_BITS, WeightOption
from domains.quant.quantize.steps import StepOption
from domains.quant.quantize.vectors import SmoothOption, VectorOption
from domains.quant.solve.allocation import CostLimit, solve
from experiments import command, study
from qd.report.table import Row, Runs, summary
from qd.support.errors import UserError


class Budget(NamedTuple):
    bits: tuple[int, ...]
    steps: int  # of DDIM
    images: int
    samples: int  # to calibrate on
    seeds: int


BUDGETS = {"quick": Budget((2, 3, 4, 8), 2, 10, 32, 2), "first": Budget((2, 3, 4, 8), 10, 20, 256, 5)}
DRAWN = "PTQ4DM: drawn over time"
INPUTS = {  # method -> settings of its option
    "plain": {},
    "calibrated on noise": {"drawn": "noise"},
    "calibrated on images": {"drawn": "images"},
    DRAWN: {"drawn": "middle"},
    "2 groups of timesteps": {"groups": 2},
    "5 groups of timesteps": {"groups": 5},
    "a group a timestep": {"groups": 10},
    "Q-Diffusion: split shortcut": {"per": "halves"},
    "two ranges by sign": {"per": "signs"},
    "DGQ: outlier groups": {"per": "outliers"},
    "ViDiT-Q: a range a token": {"per": "token", "clip": "minmax"},
    "smoothing": {"per": "smooth"},
}
ATTENTION = {
    "plain": {},
    "DGQ: powers of two, one scale": {"per": "log2"},
    "DGQ: powers of two, a scale an image": {"per": "log2 image"},
    "DGQ: the same, first token kept": {"per": "log2 image first"},
    "ViDiT-Q: a range a token": {"per": "token", "clip": "minmax"},
}
LOW_RANK = "LR2VQ: low rank, codebook trained"
WEIGHTS = {
    "plain": lambda bits: WeightOption(bits, clip="mse"),
    "VQ4DiT: codebook of vectors": VectorOption,
    "PV-Tuning: codebook refitted": lambda bits: VectorOption(bits, tuned=True),
    LOW_RANK: LowRankVectorOption,
    "smoothing": SmoothOption,
}
BOTH = {
    "plain": ("plain", "plain"),
    "smoothing": ("smoothing", "smoothing"),
    "token ranges": ("plain", "ViDiT-Q: a range a token"),
}
ROBUST = ("plain", "token ranges")
TUNED, MIXED = "EfficientDM: low rank, step a timestep", ("one table: quality", "MixDQ: two tables")
PARTED = {
    "the same bits": (0, 0),
    "more bits in noise": (1, -1),
    "more bits near the image": (-1, 1),
}  # of two groups of timesteps
MIXED_BITS, _PROBED, _MORE, _UNUSUAL, _GUIDANCE = (3, 4), 10, 10, 50, 4.0
METRICS = ("snr", "distance", "class_accuracy")


def main(budget: Annotated[str, BUDGETS] = "quick", seeds: int = 0, cases: str = "", network: str = "", out: str = "") -> None:
    """Does the missing runs, then writes and prints the table.

    Args:
        budget: a name in BUDGETS.
        seeds: number of seeds; 0: as the budget says.
        cases: beginning of the names of cases, e.g. "both"; empty: all.
        network: a file of weights that train_diffusion wrote; empty: those of the package.
        out: folder of the results; empty: the default one.
    """
    plan = BUDGETS[budget]
    folder = study.folder("quant_diffusion", budget, out)
    runs = study.runs(folder)
    used = _small() if budget == "quick" else _read(network) if network else registry.load("diffusion")
    wanted = study.beginning(all_cases(plan), cases)
    for seed in range(seeds or plan.seeds):
        every = [(f"{kind}, {bits} bit", method, seed) for bits in plan.bits for kind, method in methods(bits)]
        every += [(f"{kind}, 32 bit", "plain", seed) for kind in ("trust", "robustness")]
        missing = list(study.missing(runs, [key for key in every if key[0] in wanted]))
        if missing:
            bench = prepare(used, plan, seed, missing)
            for key in missing:
                study.add(runs, *key, play(bench, key), METRICS)
    study.report(folder, rows(runs), METRICS)


def all_cases(plan: Budget) -> list[str]:
    """Returns the names of a budget's cases."""
    return [f"{kind}, {bits} bit" for bits in plan.bits for kind in dict(methods(bits))] + [
        "trust, 32 bit",
        "robustness, 32 bit",
    ]


def methods(bits: int) -> list[tuple[str, str]]:
    """Returns (kind of case, method) of so many bits."""
    pairs = [*product(["inputs"], INPUTS), *product(["weights"], [name for name in WEIGHTS if name != LOW_RANK])]
    pairs += [*product(["both"], (*BOTH, TUNED)), *product(["codebook trained"], ("plain", LOW_RANK))]
    pairs += [*product(["attention"], ATTENTION), ("trust", "plain")]
    pairs += [("robustness", method) for method in ROBUST if bits in (4, 8)]
    pairs += [("two groups", method) for method in PARTED if bits in MIXED_BITS]
    return pairs + [("mixed weights", method) for method in ("plain", *MIXED) if bits in MIXED_BITS]


def kind_and_bits(case: str) -> tuple[str, int]:
    """Returns what a case's name says: "inputs, 4 bit" -> inputs, 4."""
    kind, bits = case.removesuffix(" bit").split(", ")
    return kind, int(bits)


class Bench(NamedTuple):
    """What the runs of one seed share."""

    generator: Generator  # of every method's options in all numbers of bits
    weights: dict[tuple[str, int], int]  # (method, bits) -> index
    inputs: dict[tuple[str, int], int]
    samples: int  # to calibrate on
    seed: int
    noise: np.ndarray  # [N, P]
    labels: np.ndarray  # [N]
    full: np.ndarray  # [N, P] in full precision


def prepare(network: Network, plan: Budget, seed: int, keys: list[study.Key]) -> Bench:
    """Builds the options that some runs of a seed need, and samples in full precision.

    Args:
        network: a diffusion transformer.
        plan: bits, steps, images and calibration samples.
        seed: of the calibration samples, and of the noise.
        keys: of the runs.
    """
    noise = np.random.default_rng((seed, 99)).standard_normal((plan.images, network.forward.pixels), np.float32)
    labels = np.arange(plan.images) % network.forward.classes
    each = [(method, kind_and_bits(case)[1]) for case, key, _ in keys for method in ("plain", *BOTH.get(key, (key,)))]
    needed = {*each, *(("plain", bits) for bits in plan.bits)}
    pick = lambda ways: [(m, b, way) for m, way in ways.items() for b in plan.bits if (m, b) in needed]
    inputs = {(m, b): StepOption((b,), **_within(way, plan.steps)) for m, b, way in pick(INPUTS | ATTENTION)}
    inputs |= {(m, b): StepOption(tuple(b + more for more in parts), 2) for m, b, parts in pick(PARTED)}
    weights = {(m, b): make(b) for m, b, make in pick(WEIGHTS)}
    of = generator.build(network, tuple(weights.values()), tuple(inputs.values()), DDIM(plan.steps), plan.samples, seed)
    of_weights, of_inputs = ({key: i for i, key in enumerate(options)} for options in (weights, inputs))
    return Bench(of, of_weights, of_inputs, plan.samples, seed, noise, labels, of.full(noise, labels))


def play(bench: Bench, key: study.Key) -> dict[str, float]:
    """Samples with the config of a run, and returns its metrics.

    Args:
        bench: of the run's seed.
        key: case, method and seed.
    """
    kind, several = kind_and_bits(key[0])
    of, method = bench.generator, key[1]
    if kind == "trust":
        return _trust(bench, several)
    if kind == "robustness":
        return _robustness(bench, several, method)
    plain = bench.weights["plain", several], bench.inputs["plain", several]
    none = len(bench.weights), len(bench.inputs)
    if method == TUNED:
        of = low_rank.tune(of, *plain, bench.seed)
        config = _of_kernels(of, 0, 0)
    elif method == LOW_RANK:
        of = codebook_training.tune(of, bench.weights[method, several], bench.seed)
        config = _of_kernels(of, 0, 1)
    elif method in MIXED:
        config = _mixed(bench, several, method)
    elif kind == "attention":
        config = of.bank.full()
        config[of.bank.size + _places(of, "values")] = bench.inputs[method, several]
    elif kind in ("inputs", "two groups"):
        config = _of_kernels(of, none[0], bench.inputs[method, several])
    elif kind == "both":
        w, a = BOTH[method]
        config = _of_kernels(of, bench.weights[w, several], bench.inputs[a, several])
    else:
        config = _of_kernels(of, bench.weights[method, several], none[1])
    metrics = figures(of.sample(config[None], bench.noise, bench.labels), bench.full, bench.labels)
    return metrics | ({} if kind in ("inputs", "two groups", "attention") else {"bits a weight": _bits(of, config)})


def figures(samples: np.ndarray, full: np.ndarray, labels: np.ndarray) -> dict[str, float]:
    """Returns the metrics of one config.

    Args:
        samples: [1, N, P].
        full: [N, P].
        labels: [N].
    """
    columns = {name: float(column[0]) for name, column in generated.judge(samples, full, labels, "test").items()}
    columns["distance"] = -columns.pop("accuracy")
    reference, own = generated.probabilities(full), generated.probabilities(samples[0])
    columns["content"] = -float((reference * np.log(reference / own)).sum(1).mean())
    return columns


def _trust(bench: Bench, bits: int) -> dict[str, float]:
    """Figures of ten times as many samples, weights and inputs rounded plainly: also calibration, and training items."""
    of, images = bench.generator, _MORE * len(bench.labels)
    noise, labels = _noise_of_trust(of.bank.network.forward, bench.seed, images)
    samples = of.sample(_plain_or_full(bench, bits, "plain")[None], noise, labels)
    logits = np.log(generated.probabilities(samples[0]))[None]
    more = {"calibration": float(calibration_error(logits, labels)[0])} | generated.closeness(samples[0])
    return figures(samples, of.full(noise, labels), labels) | more


def _robustness(bench: Bench, bits: int, method: str) -> dict[str, float]:
    """What stays of some samples as usual, from noise that is too strong, and by stronger guidance, per cent."""
    of, config = bench.generator, _plain_or_full(bench, bits, method)
    guided = replace(of, sampler=replace(of.sampler, guidance=_GUIDANCE))
    ways = {"usual": (of, 1.0), "strong noise": (of, generated.STRONGER), "strong guidance": (guided, 1.0)}
    metrics = {}
    for name, (sampler, strength) in ways.items():
        noise, labels = _noise_of_trust(of.bank.network.forward, bench.seed, _UNUSUAL)
        own = generated.look(np.nan_to_num(sampler.sample(config[None], strength * noise, labels)[0])).classes
        full = _full_classes(of.bank.network, sampler.sampler, bench.seed, strength)
        metrics[f"{name}, class"] = 100 * float((own == labels).mean())
        metrics[f"{name}, kept"] = 100 * float((own == full).mean())
    return metrics


def _plain_or_full(bench: Bench, bits: int, method: str) -> np.ndarray:
    w, a = BOTH[method]
    if bits == FULL_BITS:
        return bench.generator.bank.full()
    return _of_kernels(bench.generator, bench.weights[w, bits], bench.inputs[a, bits])


def _noise_of_trust(form: Any, seed: int, images: int) -> tuple[np.ndarray, np.ndarray]:
    noise = np.random.default_rng((seed, 55)).standard_normal((images, form.pixels), np.float32)
    return noise, np.arange(images) % form.classes


@lru_cache(maxsize=4)
def _full_classes(network: Network, sampler: DDIM, seed: int, strength: float) -> np.ndarray:
    noise, labels = _noise_of_trust(network.forward, seed, _UNUSUAL)
    images = generator.plain(network.forward, sampler)(network.weights, network.biases, strength * noise, labels)[0]
    return generated.look(np.asarray(images)).classes


def _of_kernels(of: Generator, weight: int, inputs: int) -> np.ndarray:
    """The config of one option for all weights and one for their inputs; products by keys and values in full precision."""
    config = of.bank.uniform(weight, inputs)
    for kind in CACHED:
        rest = _places(of, kind)
        config[rest], config[of.bank.size + rest] = len(of.bank.weight_options), len(of.bank.activation_options)
    return config


def _places(of: Generator, kind: str) -> np.ndarray:
    return np.flatnonzero([layer.kind == kind for layer in of.bank.network.layers])


def rows(runs: Runs) -> list[Row]:
    """Returns means, and each method minus plain rounding, paired by seed."""
    table = summary(runs, "mean")
    for case in study.cases(runs):
        pairs = [(case, method, "plain") for method in study.methods(runs, case) if method != "plain"]
        if case.startswith("two groups"):
            pairs = [(case, method, "the same bits") for method in list(PARTED)[1:]]
        if case.startswith("inputs"):
            pairs += [(case, DRAWN, f"calibrated on {end}") for end in ("noise", "images")]
        table += study.differences(runs, pairs, METRICS if case.startswith("two groups") else ("snr",))
        if case.startswith("mixed"):
            table += study.differences(runs, [*pairs, (case, MIXED[1], MIXED[0])], ("content",))
    return table


def _bits(of: Generator, config: np.ndarray) -> float:
    """Bits of a weight with its share of scales and codebooks."""
    weights = sum(layer.parameters for layer in of.bank.network.layers)
    (options,), _ = of.bank.split(config)
    kernels = np.flatnonzero([not layer.is_cached for layer in of.bank.network.layers])
    return float(of.bank.stored_bits[kernels, options[kernels]].sum() / weights)


def _mixed(bench: Bench, bits: int, method: str) -> np.ndarray:
    """Bits by layer within the size of plain rounding: all by quality, or those that carry content by content."""
    of, choices = bench.generator, [bench.weights["plain", each] for each in (2, 3, 4, 8)]
    content, quality = (table[:, choices] for table in _damage(of, bench.seed))
    size, plain = of.bank.stored_bits[:, choices], choices.index(bench.weights["plain", bits])
    choice = np.zeros(of.bank.size, int)
    for layers, table in _parts(content, quality, plain, method):
        limit = CostLimit("size", size[layers], float(size[layers, plain].sum()))
        choice[layers] = solve(table[layers], [limit], gap=1e-3).options
    config = np.concatenate([np.array(choices)[choice], np.full(of.bank.size, len(bench.inputs))])
    for kind in CACHED:
        config[_places(of, kind)] = len(bench.weights)
    return config


@lru_cache(maxsize=2)
def _damage(of: Generator, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Content and quality by layer and weight option, of 10 images."""
    form = of.bank.network.forward
    noise = np.random.default_rng((seed, 77)).standard_normal((_PROBED, form.pixels), np.float32)
    content, quality = decoupled.both(of, noise, np.arange(_PROBED) % form.classes, of_inputs=False, of_weights=4)
    return content.weights, quality.weights


def _parts(content: np.ndarray, quality: np.ndarray, plain: int, method: str) -> list[tuple[np.ndarray, np.ndarray]]:
    """Layers that share a budget, and the table that decides there: content where a layer ranks higher by it."""
    if method == MIXED[0]:
        return [(np.arange(len(quality)), quality)]
    ranks = [np.argsort(np.argsort(table[:, plain])) for table in (content, quality)]
    carries = ranks[0] > ranks[1]
    return [(np.flatnonzero(carries), content), (np.flatnonzero(~carries), quality)]


def _within(settings: dict, steps: int) -> dict:
    return settings | ({"groups": min(settings["groups"], steps)} if "groups" in settings else {})


def _read(file: str) -> Network:
    """Weights of another training, of which no checksum is known."""
    path = Path(file)
    if not path.is_file():
        raise UserError(f"{path} is not there", "type python -m domains.quant.networks.train_diffusion seed=1 out=FILE")
    return registry.read("diffusion", registry.form("diffusion"), path, hashlib.sha256(path.read_bytes()).hexdigest())


def _small() -> Network:
    """A small untrained network, for budget=quick."""
    form = registry.form("diffusion").__class__(width=16, heads=2, blocks=2, waves=8)
    random = np.random.default_rng(0)
    layers = [each for each in form.layers if not each.is_cached]
    weights = [random.normal(0, each.shape[0] ** -0.5, each.shape).astype(np.float32) for each in layers]
    return with_kernels(form, weights, [np.zeros(each.shape[-1], np.float32) for each in layers], "small")


if __name__ == "__main__":
    command.run()
