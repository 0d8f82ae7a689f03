"""The domain: choose an option for each layer's weights and inputs; how good is the network then, and what does it cost?

B configs, L layers, N images.
"""

import hashlib
from dataclasses import dataclass, replace
from functools import lru_cache

import numpy as np

from domains.quant import figures, options
from domains.quant.cost import costs
from domains.quant.evaluations import Evaluations
from domains.quant.networks import data, registry
from domains.quant.predict.sensitivity import Sensitivity, tables
from domains.quant.quantize import bank
from domains.quant.quantize.bank import Bank
from domains.quant.quantize.quantizers import SCALE_BITS
from qd import keys
from qd.types import Array, Evaluation

_CALIBRATE = 256  # training images (or fewer where there are fewer) that set the ranges of inputs


@dataclass(frozen=True)
class Quant:
    """Configs of one network. Solutions: [B, 2L] int32, weight options and then activation options, indices from 0.

    Objective: accuracy in per cent on ``images`` of ``split`` (an encoder: mean cosine to full precision, times 100).
    Features, each [B]: size (KB of 1000 bytes: weights with scales and zero points, biases), bops (log2 of the share of
    W8A8's), latency (microseconds an image), worst_class, calibration (expected error) and flips (against full
    precision), in per cent; corruption (accuracy in per cent on ``corrupted`` images with noise, blur or faint contrast)
    where that is above 0. For maps: cost [B, 2] is size and bops, speed [B, 2] size and latency.
    """

    network: str = "resnet14"  # or digits, minilm
    options: str = ""  # a set of domains/quant/options.py; "": the one that suits the network
    images: int = 0  # how many to judge by; 0: as many as suit the network
    split: str = "validation"
    corrupted: int = 0
    proxy: str = "kl"  # which tables `sensitivity` holds: a name of domains/quant/predict/sensitivity.py
    table: str = ""  # a file in which true evaluations are kept and looked for
    pure: bool = False  # the bank's arrays are handed to one compiled program, not baked into it

    @property
    def space(self) -> tuple[int, ...]:
        """How many options each gene has, [2L]."""
        of_weights, of_inputs = options.named(self.option_set)
        layers = len(registry.form(self.network).layers)
        return (len(of_weights),) * layers + (len(of_inputs),) * layers

    @property
    def option_set(self) -> str:
        return self.options or _suiting(self.network)[0]

    @property
    def judges(self) -> int:
        """How many images judge."""
        return self.images or _suiting(self.network)[1]

    @property
    def keep(self) -> tuple[str, ...]:
        """What `qd query` asks for by name; an encoder, which names no class, is never sure or unsure of one."""
        return ("size", "bops", "worst_class", "flips") + ("calibration",) * (self.network != "minilm")

    @property
    def held_out(self) -> "Quant | None":
        """The same configs by test images; None where these are what is searched on."""
        return None if self.split == "test" else replace(self, split="test", images=_suiting(self.network)[2], corrupted=0)

    @property
    def bounds(self) -> tuple[tuple[float, float], tuple[float, float]]:
        """Of the feature cost, from the fewest bits everywhere to the most: KB, log2 of the share of W8A8's operations."""
        layers = registry.form(self.network).layers
        whole = sum(8 * layer.parameters + (SCALE_BITS + costs.BIAS_BITS) * layer.shape[-1] for layer in layers)
        of_weights, of_inputs = ([option.bits for option in each] for each in options.named(self.option_set))
        share = [(end(of_weights) / 8, end(of_inputs) / 8) for end in (min, max)]
        size = [w * whole / costs.KILOBYTE for w, _ in share]
        bops = [float(np.log2(w * a)) for w, a in share]
        return (size[0], size[1]), (bops[0], bops[1])

    @property
    def objective_range(self) -> tuple[float, float]:
        return (0.0, 100.0)

    @property
    def bank(self) -> Bank:
        return _bank(self.network, self.option_set)

    @property
    def costs(self) -> costs.Costs:
        return _costs(self.network, self.option_set)

    @property
    def sensitivity(self) -> Sensitivity:
        """Tables of damage for this bank, from training images; they need no true evaluation."""
        return _sensitivity(self.network, self.option_set, self.proxy)

    @property
    def case(self) -> str:
        """What its evaluations are kept under: everything that they depend on."""
        told = (self.network, registry.CHECKSUMS.get(self.network), options.named(self.option_set), self.judges, self.split)
        shown = [data.sentences(split) for split in ("train", self.split)] if self.network == "minilm" else []
        return hashlib.sha256(repr((*told, self.corrupted, *shown)).encode()).hexdigest()[:16]

    def sample(self, key: Array, n: int) -> Array:
        """Configs spread over size: each has its own mean level, around which its genes are drawn, [n, 2L].

        Genes drawn one by one would all land in the middle, where most are bad (stratified sampling).
        """
        level_key, gene_key = keys.split(key)
        ranks = _by_bits(self.option_set)
        layers = len(self.space) // 2
        level = keys.uniform(level_key, (n, 2, 1))
        place = np.clip(np.asarray(level + 0.35 * (keys.uniform(gene_key, (n, 2, layers)) - 0.5)), 0, 0.999)
        return np.concatenate([rank[(place[:, i] * len(rank)).astype(int)] for i, rank in enumerate(ranks)], 1).astype(np.int32)

    def evaluate(self, keys: Array, solutions: Array) -> Evaluation:
        """Judges B configs; what the table knows is not judged again. The keys are not used: nothing is random."""
        solutions = np.asarray(solutions, np.int32)
        told = self.accuracies(solutions)
        return Evaluation(told.pop("accuracy"), told | self.cost(solutions))

    def accuracies(self, solutions: np.ndarray) -> dict[str, np.ndarray]:
        """Returns what takes a forward pass: accuracy, worst_class, calibration, flips, and corruption if asked."""
        if not self.table:
            return self._judged(solutions)
        table = Evaluations(self.table)
        known = table.find(self.case, solutions)
        missing = np.unique([row for row, told in zip(solutions, known, strict=True) if told is None], axis=0)
        if len(missing):
            table.add(self.case, missing, self._judged(missing))
            known = table.find(self.case, solutions)
        told = [row for row in known if row is not None]
        return {name: np.array([row[name] for row in told], np.float32) for name in told[0]}

    def cost(self, solutions: np.ndarray) -> dict[str, np.ndarray]:
        """Returns what needs no forward pass: size, bops, latency, each [B]."""
        told = self.costs.of(*self.bank.split(solutions))
        told["bops"] = np.log2(told["bops"] / self.costs.bops_reference)
        told["cost"] = np.stack([told["size"], told["bops"]], 1)
        told["speed"] = np.stack([told["size"], told["latency"]], 1)
        return {name: np.asarray(column, np.float32) for name, column in told.items()}

    def _judged(self, solutions: np.ndarray) -> dict[str, np.ndarray]:
        shown = data.load(self.bank.network.forward.data, self.split).first(self.judges)
        logits, full = self.bank.logits(solutions, shown.pixels), _full(self.network, self.option_set, self.split, self.judges)
        if self.bank.network.forward.data == "sentences":
            return figures.encoder(logits, full)
        told = figures.classifier(logits, full, shown.labels)
        if self.corrupted:
            harder = shown.first(self.corrupted)
            logits = self.bank.logits(solutions, data.corrupted(harder.pixels))
            told["corruption"] = figures.accuracy(logits, harder.labels).astype(np.float32)
        return told


def _suiting(network: str) -> tuple[str, int, int]:
    """What suits a network: options, how many images to search by, and how many held-out ones to tell by."""
    return {"digits": ("bits", 300, 300), "minilm": ("encoder", 64, 128)}.get(network, ("search", 512, 1000))


@lru_cache(maxsize=4)
def _bank(network: str, option_set: str) -> Bank:
    made = registry.load(network)
    shown = data.load(made.forward.data, "train").pixels[:_CALIBRATE]
    return bank.build(made, *options.named(option_set), shown)


@lru_cache(maxsize=4)
def _costs(network: str, option_set: str) -> costs.Costs:
    return costs.build_cost_tables(_bank(network, option_set))


@lru_cache(maxsize=16)
def _sensitivity(network: str, option_set: str, proxy: str) -> Sensitivity:
    made = _bank(network, option_set)
    train = data.load(made.network.forward.data, "train")
    return tables(proxy, made, train.first(min(_CALIBRATE, len(train.labels))))


@lru_cache(maxsize=8)
def _full(network: str, option_set: str, split: str, images: int) -> np.ndarray:
    made = _bank(network, option_set)
    shown = data.load(made.network.forward.data, split).first(images)
    return made.logits(made.full()[None], shown.pixels)[0]


def _by_bits(option_set: str) -> tuple[np.ndarray, np.ndarray]:
    """The indices of a set's options from few bits to many."""
    of_weights, of_inputs = options.named(option_set)
    return tuple(np.argsort([option.bits for option in each], kind="stable") for each in (of_weights, of_inputs))  # type: ignore[return-value]
