"""The domain: an option for each layer's weights and inputs; how accurate is the network then, and what does it cost?

B configs, L layers, N images.
"""

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache

import numpy as np

from domains.quant import figures, generated, generations, options, preconditions, texts
from domains.quant.cost import costs
from domains.quant.evaluations import Evaluations
from domains.quant.generations import Generation
from domains.quant.networks import data, registry
from domains.quant.networks.ddim import DDIM
from domains.quant.networks.language import OUTLIERS
from domains.quant.predict.sensitivity import Sensitivity, tables
from domains.quant.quantize import bank
from domains.quant.quantize.bank import Bank
from domains.quant.quantize.generator import Generator
from domains.quant.quantize.quantizers import SCALE_BITS
from qd import keys
from qd.support.errors import UserError
from qd.types import Array, Evaluation, Rendering

_CALIBRATE = 256  # training images (or fewer where there are fewer) that set the ranges of inputs
_WINDOWS = 8  # of training text, for the same


@dataclass(frozen=True)
class Quant:
    """Configs of one network. Solutions: [B, 2L] int32, weight options and then activation options, indices from 0.

    Objective: accuracy in per cent on ``images`` of ``split`` (an encoder: mean cosine to full precision, times 100).
    Features, each [B]: size (KB of 1000 bytes: weights with scales and zero points, biases), bops (log2 of the share of
    W8A8's), latency (microseconds an image), worst_class, calibration (expected error) and flips (against full
    precision), in per cent; corruption (accuracy in per cent on ``corrupted`` images with noise, blur or faint contrast)
    where that is above 0. For maps: cost [B, 2] is size and bops, speed [B, 2] size and latency.

    A language model is judged by ``images`` windows of text: objective and features are those of domains/quant/texts.py; size
    has the keys and values of one window too, latency is of a window.

    The diffusion transformer samples ``images`` images: its objective is minus the Fréchet distance of a classifier's features
    from real images; features are snr (decibels against full precision, from the same noise), class_accuracy, worst_class and
    flips, and faithful [B, 2], size and snr; corruption is of ``corrupted`` samples from noise a fifth too strong, those of the
    class that full precision's have there; latency is that of one denoising step.
    """

    network: str = "resnet14"  # or digits, minilm, language, language_outliers, diffusion
    options: str = ""  # a set of domains/quant/options.py; "": the one that suits the network
    images: int = 0  # how many to judge by; 0: as many as suit the network
    split: str = "validation"
    corrupted: int = 0
    proxy: str = "kl"  # which tables `sensitivity` holds: a name of domains/quant/predict/sensitivity.py
    probes: bool = True  # of a language model: greedy text and memorised items too
    steps: int = 10  # of DDIM, of a diffusion transformer
    guidance: float = 2.0  # towards the class asked for; 1: none
    calibration: int = 256  # inputs of single steps that its options are calibrated on
    table: str = ""  # a file that stores true evaluations, so that none is made twice
    pure: bool = False  # the bank's arrays are handed to one compiled program, not baked into it

    def __post_init__(self) -> None:
        preconditions.check_split(self.split)
        preconditions.check_options(self.network, self.options)
        if self._generates:
            self._generation.check()
        if self._reads_text:
            preconditions.check_windows(self.split, max(self.judges, self.corrupted))

    @property
    def space(self) -> tuple[int, ...]:
        """How many options each gene has, [2L]."""
        of_weights, of_inputs = options.by_name(self.option_set)
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
        """Columns for `qd query`; an encoder, which names no class, has no calibration."""
        if self._reads_text:
            return ("size", "bops", *texts.columns(self.probes))
        if self._generates:
            return ("size", "bops", *generations.COLUMNS)
        return ("size", "bops", "worst_class", "flips") + ("calibration",) * (self.network != "minilm")

    @property
    def held_out(self) -> "Quant | None":
        """The same configs by test images; None where these are what is searched on."""
        return None if self.split == "test" else replace(self, split="test", images=_suiting(self.network)[2], corrupted=0)

    @property
    def bounds(self) -> tuple[tuple[float, float], tuple[float, float]]:
        """Of the feature cost, from the fewest bits everywhere to the most: KB, log2 of the share of W8A8's operations."""
        layers = registry.form(self.network).layers
        more = lambda layer: SCALE_BITS * layer.scales + costs.BIAS_BITS * layer.biases + 8 * layer.scales * layer.is_cached
        whole = sum(8 * layer.parameters + more(layer) for layer in layers)
        of_weights, of_inputs = ([option.bits for option in each] for each in options.by_name(self.option_set))
        share = [(end(of_weights) / 8, end(of_inputs) / 8) for end in (min, max)]
        size = [w * whole / costs.KILOBYTE for w, _ in share]
        bops = [float(np.log2(w * a)) for w, a in share]
        return (size[0], size[1]), (bops[0], bops[1])

    @property
    def objective_range(self) -> tuple[float, float]:
        return (-generated.WORST_DISTANCE, 0.0) if self._generates else (0.0, 100.0)

    @property
    def bank(self) -> Bank:
        if self._generates:
            return self._generation.generator.bank
        return _bank(self.network, self.option_set)

    @property
    def costs(self) -> costs.Costs:
        return self._generation.costs if self._generates else _costs(self.network, self.option_set)

    @property
    def sensitivity(self) -> Sensitivity:
        """Tables of damage for this bank, from training images; they need no true evaluation."""
        if self._generates:
            return self._generation.sensitivity(self.proxy)
        return _sensitivity(self.network, self.option_set, self.proxy)

    @property
    def case(self) -> str:
        """The key of its evaluations in the table: a hash of everything that they depend on."""
        parts = (self.network, registry.CHECKSUMS.get(self.network), options.by_name(self.option_set), self.judges, self.split)
        sentences = [data.sentences(split) for split in ("train", self.split)] if self.network == "minilm" else []
        more = (self.probes,) if self._reads_text else ()
        sampled = (self.steps, self.guidance, self.calibration) if self._generates else ()
        return hashlib.sha256(repr((*parts, self.corrupted, *sentences, *more, *sampled)).encode()).hexdigest()[:16]

    def sample(self, key: Array, n: int) -> Array:
        """Configs spread over size: each has its own mean level, around which its genes are drawn.

        Genes drawn one by one would all land in the middle, where most are bad (stratified sampling).

        Args:
            key: of the random numbers.
            n: how many.

        Returns:
            int32 [n, 2L].
        """
        level_key, gene_key = keys.split(key)
        ranks = _by_bits(self.option_set)
        layers = len(self.space) // 2
        level = keys.uniform(level_key, (n, 2, 1))
        place = np.clip(np.asarray(level + 0.35 * (keys.uniform(gene_key, (n, 2, layers)) - 0.5)), 0, 0.999)
        return np.concatenate([rank[(place[:, i] * len(rank)).astype(int)] for i, rank in enumerate(ranks)], 1).astype(np.int32)

    def evaluate(self, keys: Array, solutions: Array) -> Evaluation:
        """Evaluates B configs; those in the table are not evaluated again.

        Args:
            keys: not used: nothing is random.
            solutions: int32 [B, 2L].

        Returns:
            Accuracy in per cent [B], and the features of the class's docstring.
        """
        solutions = np.asarray(solutions, np.int32)
        features = self.accuracies(solutions)
        objective, features = features.pop("accuracy"), features | self.cost(solutions)
        if self._generates:
            features["faithful"] = np.stack([features["size"], features["snr"]], 1)
        return Evaluation(objective, features)

    def accuracies(self, solutions: np.ndarray) -> dict[str, np.ndarray]:
        """Returns what takes a forward pass: accuracy, worst_class, calibration, flips and, where set, corruption, [B]."""
        if not self.table:
            return self._judge(solutions)
        table = Evaluations(self.table)
        rows = table.find(self.case, solutions)
        missing = np.unique([config for config, row in zip(solutions, rows, strict=True) if row is None], axis=0)
        if len(missing):
            table.add(self.case, missing, self._judge(missing))
            rows = table.find(self.case, solutions)
        complete = [row for row in rows if row is not None]
        return {name: np.array([row[name] for row in complete], np.float32) for name in complete[0]}

    def cost(self, solutions: np.ndarray) -> dict[str, np.ndarray]:
        """Returns what needs no forward pass: size, bops, latency, each [B]."""
        columns = self.costs.of(*self.bank.split(solutions))
        columns["bops"] = np.log2(columns["bops"] / self.costs.bops_reference)
        columns["cost"] = np.stack([columns["size"], columns["bops"]], 1)
        columns["speed"] = np.stack([columns["size"], columns["latency"]], 1)
        return {name: np.asarray(column, np.float32) for name, column in columns.items()}

    @property
    def generator(self) -> Generator:
        """The diffusion transformer in all options. Raises UserError where the network is another."""
        self._want_generation("generator")
        return self._generation.generator

    def noise(self, split: str, images: int) -> tuple[np.ndarray, np.ndarray]:
        """Returns what a diffusion transformer makes images of: noise [N, P], and the classes asked for [N].

        Args:
            split: train, validation or test.
            images: N.

        Raises:
            UserError: the network is another.
        """
        self._want_generation("noise")
        return self._generation.noise(split, images)

    @property
    def render(self) -> Callable[[Array], Sequence[Rendering]] | None:
        """What configs [B, 2L] of a generator give beside full precision: text below, or samples from the same noise."""
        if self._generates:
            return self._generation.draw
        return (lambda solutions: texts.draw(self.bank, np.asarray(solutions))) if self._reads_text else None

    @property
    def _reads_text(self) -> bool:
        return registry.form(self.network).data == "text"

    def _want_generation(self, what: str) -> None:
        if not self._generates:
            raise UserError(f"{self.network} has no {what}: it generates no images", "type domain.network=diffusion")

    @property
    def _generates(self) -> bool:
        return registry.form(self.network).data == "denoising"

    @property
    def _generation(self) -> Generation:
        return Generation(self.network, self.option_set, DDIM(self.steps, self.guidance), self.calibration)

    def _judge(self, solutions: np.ndarray) -> dict[str, np.ndarray]:
        if self._reads_text:
            return texts.judge(self.bank, solutions, self.split, self.judges, self.probes, self.corrupted)
        if self._generates:
            return self._generation.judge(solutions, self.split, self.judges, self.corrupted)
        images = data.load(self.bank.network.forward.data, self.split).first(self.judges)
        logits, full = self.bank.logits(solutions, images.pixels), _full(self.network, self.option_set, self.split, self.judges)
        if self.bank.network.forward.data == "sentences":
            return figures.encoder(logits, full)
        columns = figures.classifier(logits, full, images.labels)
        if self.corrupted:
            harder = images.first(self.corrupted)
            logits = self.bank.logits(solutions, data.corrupt(harder.pixels))
            columns["corruption"] = figures.accuracy(logits, harder.labels).astype(np.float32)
        return columns


def _suiting(network: str) -> tuple[str, int, int]:
    """What suits a network: options, how many images to search by, and how many held-out ones to report on."""
    several = {"digits": ("bits", 300, 300), "minilm": ("encoder", 64, 128), "diffusion": ("denoising", 50, 50)}
    several |= dict.fromkeys(OUTLIERS, ("language", 32, 96))
    return several.get(network, ("search", 512, 1000))


@lru_cache(maxsize=4)
def _bank(network: str, option_set: str) -> Bank:
    model = registry.load(network)
    images, labels = data.load(model.forward.data, "train")
    several = _calibration(model.forward.data)
    return bank.build(model, *options.by_name(option_set), images[:several], labels[:several])


@lru_cache(maxsize=4)
def _costs(network: str, option_set: str) -> costs.Costs:
    return costs.build_cost_tables(_bank(network, option_set))


@lru_cache(maxsize=16)
def _sensitivity(network: str, option_set: str, proxy: str) -> Sensitivity:
    options_bank = _bank(network, option_set)
    train = data.load(options_bank.network.forward.data, "train")
    return tables(proxy, options_bank, train.first(min(_calibration(options_bank.network.forward.data), len(train.labels))))


def _calibration(name: str) -> int:
    return _WINDOWS if name == "text" else _CALIBRATE


@lru_cache(maxsize=8)
def _full(network: str, option_set: str, split: str, images: int) -> np.ndarray:
    options_bank = _bank(network, option_set)
    pixels = data.load(options_bank.network.forward.data, split).first(images).pixels
    return options_bank.logits(options_bank.full()[None], pixels)[0]


def _by_bits(option_set: str) -> tuple[np.ndarray, np.ndarray]:
    """The indices of a set's options from few bits to many."""
    of_weights, of_inputs = options.by_name(option_set)
    return tuple(np.argsort([option.bits for option in each], kind="stable") for each in (of_weights, of_inputs))  # type: ignore[return-value]
