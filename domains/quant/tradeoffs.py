"""The same domain with several objectives: what a network can do, and what it costs, each by itself.

B configs, L layers, K objectives.
"""

from dataclasses import dataclass

import numpy as np

from domains.quant.cost.costs import KILOBYTE
from domains.quant.domain import Quant
from qd.support.errors import UserError
from qd.support.spelling import unknown
from qd.types import Array, Evaluation

GAINS = ("accuracy", "worst_class")  # per cent, more is better
COSTS = ("size", "latency", "bops")  # of these minus the cost is the objective
_CHANCE = 10.0  # per cent: what is no better than guessing among ten classes has no hypervolume


@dataclass(frozen=True)
class Tradeoffs(Quant):
    """Quant with objectives [B, K], as ``objectives`` names them; a cost counts as minus itself.

    One more feature, for maps: balance [B, 2] is the share of layers whose weights have 8 bit, and the accuracy in per cent on
    the class that suffers most.
    """

    objectives: tuple[str, ...] = ("accuracy", "size", "latency")

    def __post_init__(self) -> None:
        super().__post_init__()
        if len(self.objectives) < 2:
            raise UserError(f"objectives={self.objectives} are not several", "type domain=quant for one, or two and more")
        for name in self.objectives:
            if name not in GAINS + COSTS:
                raise unknown("objective", name, GAINS + COSTS)
        if self.network == "diffusion" and "accuracy" in self.objectives:
            raise UserError("a diffusion model has no accuracy", "type objectives=[worst_class,size], or domain=quant")

    @property
    def objective_range(self) -> tuple[tuple[float, float], ...]:  # type: ignore[override]
        """(low, high) of each: from guessing to 100 per cent, and from the most that the options can cost to the least."""
        return tuple((_CHANCE, 100.0) if name in GAINS else self._cost_range(name) for name in self.objectives)

    @property
    def objective_names(self) -> tuple[str, ...]:
        """What each objective is, for pages and figures."""
        units = {"size": "KB", "latency": "µs an image", "bops": "log2 of the share of W8A8's operations"}
        gain = {"accuracy": "accuracy (%)", "worst_class": "accuracy on the worst class (%)"}
        return tuple(gain.get(name) or f"-{name} ({units[name]})" for name in self.objectives)

    def evaluate(self, keys: Array, solutions: Array) -> Evaluation:
        """Evaluates B configs.

        Args:
            keys: not used: nothing is random.
            solutions: int32 [B, 2L].

        Returns:
            Objectives [B, K], and the features of Quant and of this class.
        """
        accuracy, features = super().evaluate(keys, solutions)
        columns = features | {"accuracy": accuracy}
        goals = [columns[name] if name in GAINS else -columns[name] for name in self.objectives]
        balance = np.stack([self.share_of_8_bit(solutions), features["worst_class"]], axis=1)
        return Evaluation(np.stack(goals, axis=1).astype(np.float32), features | {"balance": balance.astype(np.float32)})

    def share_of_8_bit(self, solutions: Array) -> np.ndarray:
        """Returns the share of layers whose weights have 8 bit, [B].

        Args:
            solutions: int32 [B, 2L].
        """
        bits = np.array([option.bits for option in self.bank.weight_options])
        return (bits[self.bank.split(np.asarray(solutions))[0]] == 8).mean(axis=1)

    def _cost_range(self, name: str) -> tuple[float, float]:
        """Minus the cost of the dearest config, and of the cheapest; bops as Quant's ``bounds`` have them."""
        if name == "bops":
            _, (low, high) = self.bounds
            return (-high, -low)
        table = {"size": self.costs.size[:, :-1], "latency": self.costs.latency[:, :-1, :-1]}[name]
        by_layer = table.reshape(len(table), -1) / (KILOBYTE if name == "size" else 1.0)
        return (-float(by_layer.max(axis=1).sum()), -float(by_layer.min(axis=1).sum()))
