"""A network that is no network: damage that adds up over layers but for interactions, and tables that are wrong by factors."""

from dataclasses import dataclass
from functools import cached_property
from typing import NamedTuple

import numpy as np

from domains.quant.cost.costs import Costs
from qd import keys
from qd.types import Evaluation

LAYERS, BITS, INPUT_BITS = 10, (2, 3, 4, 6, 8), (4, 6, 8)


class Sensitivity(NamedTuple):
    weights: np.ndarray
    activations: np.ndarray


@dataclass(frozen=True)
class Toy:
    """Solutions [B, 2L]; objective 0..100, size in KB, bops as log2 of the fraction of 8 bit."""

    seed: int = 0
    wrong: float = 0.7  # spread of the factors (in logarithm) by which the tables are wrong
    interaction: float = 1.0  # damage where neighbours are both rough, relative to their own
    pure: bool = False

    @property
    def space(self) -> tuple[int, ...]:
        return (len(BITS),) * LAYERS + (len(INPUT_BITS),) * LAYERS

    @property
    def objective_range(self) -> tuple[float, float]:
        return (0.0, 100.0)

    @cached_property
    def truth(self) -> Sensitivity:
        rng = np.random.default_rng(self.seed)
        of_weights = rng.lognormal(0, 1, (LAYERS, 1)) * 4.0 ** -(np.array(BITS) - 2) * 0.6
        of_inputs = rng.lognormal(0, 1, (LAYERS, 1)) * 4.0 ** -(np.array(INPUT_BITS) - 4) * 0.1
        return Sensitivity(of_weights, of_inputs)

    @cached_property
    def sensitivity(self) -> Sensitivity:
        rng = np.random.default_rng(self.seed + 1)
        return Sensitivity(*(t * rng.lognormal(0, self.wrong, t.shape) for t in self.truth))

    @cached_property
    def costs(self) -> Costs:
        parameters = 1000 * 2.0 ** np.linspace(0, 3, LAYERS)
        macs = 1e5 * 2.0 ** np.linspace(3, 0, LAYERS)
        size = np.outer(parameters, [*BITS, 32])
        bops = macs[:, None, None] * np.outer([*BITS, 32], [*INPUT_BITS, 32])
        return Costs(size, bops, bops / 1e6, float(64 * macs.sum()))

    def sample(self, key, n):
        return keys.integers(key, (n, 2 * LAYERS), 0, np.array(self.space))

    def evaluate(self, keys, solutions):
        solutions = np.asarray(solutions)
        w, a = np.split(solutions, 2, axis=1)
        rows = np.arange(LAYERS)
        own = self.truth.weights[rows, w] + self.truth.activations[rows, a]
        damage = own.sum(1) + self.interaction * np.sqrt(own[:, 1:] * own[:, :-1]).sum(1)
        told = self.costs.of(w, a)
        bops = np.log2(told["bops"] / self.costs.bops_reference)
        cost = np.stack([told["size"], bops], axis=1).astype(np.float32)
        return Evaluation((100 * np.exp(-damage)).astype(np.float32), {"cost": cost})
