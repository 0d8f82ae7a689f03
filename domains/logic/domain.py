"""Recipes of ABC's commands by the area and depth of what they make of one circuit.

    objective = - (area x depth) / (area x depth of resyn2)         -1 is as good as resyn2; higher is better

B recipes, L commands at most of each.
"""

from dataclasses import dataclass

import numpy as np

from domains.logic import abc
from qd import genes, keys
from qd.support.errors import UserError
from qd.support.spelling import unknown
from qd.types import Array, Evaluation, Rendering

COMMANDS = (
    "balance", "rewrite", "rewrite -z", "refactor", "refactor -z", "resub", "resub -z", "resub -K 8 -N 2", "resub -K 12", "dc2",
)  # fmt: skip
_WORST = -3.0  # of objectives: the low end of the QD score's scale


@dataclass(frozen=True)
class Recipes:
    """Recipes for a circuit. Solutions: [B, L], for each place the number of a command, or 0 for none.

    A result that ``cec`` does not prove equal to the circuit has failed, whatever its counts. Features: cost [B, 2],
    which is area and
    depth; area, depth, commands, [B] each. Area counts ANDs of the and-inverter graph, or after mapping tables of 6 inputs or
    the areas of gates.
    """

    circuit: str = "random8"  # of domains/logic/tables.py, or the path of a BLIF, AIGER or Verilog file
    length: int = 10  # L
    commands: tuple[str, ...] = COMMANDS
    mapping: str = "aig"  # luts: tables of 6 inputs; gates: a small library
    seconds: float = 60.0  # after which a recipe has failed
    pure: bool = False

    def __post_init__(self) -> None:
        if self.mapping not in abc.MAPPINGS:
            raise unknown("mapping", self.mapping, abc.MAPPINGS)
        if self.length < 1 or not self.commands:
            raise UserError(f"length={self.length} and {len(self.commands)} commands make no recipes", "type length=10 or more")
        abc.program()
        if self.commands != COMMANDS:
            abc.check_commands(self.commands)
        abc.circuit(self.circuit)

    @property
    def space(self) -> tuple[genes.Gene, ...]:
        """A choice among no command and all commands, for each place."""
        return (genes.choice(len(self.commands) + 1),) * self.length

    @property
    def objective_range(self) -> tuple[float, float]:
        return (_WORST, 0.0)

    @property
    def keep(self) -> tuple[str, ...]:
        """Columns for `qd query`."""
        return ("area", "depth", "commands")

    @property
    def reference(self) -> abc.Result:
        """Area and depth after resyn2."""
        return _reference(self.circuit, self.mapping, self.seconds)

    @property
    def bounds(self) -> tuple[tuple[float, float], tuple[float, float]]:
        """Of the feature cost: from a half to one and a half of resyn2's area and depth."""
        area, depth = self.reference[:2]
        return (0.5 * area, 1.5 * area + 1), (0.5 * depth, 1.5 * depth + 1)

    def sample(self, key: Array, n: int) -> Array:
        """Draws recipes, each with a share of empty places of its own; arguments as in ``Domain``.

        Returns:
            float32 [n, L].
        """
        command_key, full_key, share_key = keys.split(key, 3)
        shape = (n, self.length)
        full = keys.uniform(full_key, shape) < keys.uniform(share_key, (n, 1), 0.2, 1.0)
        return (keys.integers(command_key, shape, 1, len(self.commands) + 1) * full).astype("float32")

    def evaluate(self, keys: Array, solutions: Array) -> Evaluation:
        """Calls ABC once for all recipes that this process has not tried.

        Args:
            keys: not used: nothing is random.
            solutions: [B, L].

        Returns:
            The objective [B], NaN where a recipe failed, and the features of the class's docstring.
        """
        results = self._results(self.recipes(solutions))
        area, depth = np.array([result[:2] for result in results], np.float32).reshape(-1, 2).T
        reference = self.reference
        objective = -(area * depth) / np.float32(max(reference.area * reference.depth, 1e-9))
        commands = (np.asarray(solutions) > 0).sum(1).astype(np.float32)
        features = {"area": area, "depth": depth, "commands": commands, "cost": np.stack([area, depth], 1)}
        return Evaluation(objective, features)

    def recipes(self, solutions: Array) -> list[tuple[str, ...]]:
        """Returns the commands of each solution [B, L]."""
        rows = np.asarray(solutions).round().astype(int)
        return [tuple(self.commands[gene - 1] for gene in row if gene) for row in rows]

    def reasons(self, solutions: Array) -> list[str]:
        """Returns why each recipe [B, L] failed; "" where it did not."""
        return [result.reason for result in self._results(self.recipes(solutions))]

    def render(self, solutions: Array) -> list[Rendering]:
        """Returns each recipe as a script for ABC."""
        return [Rendering("text", "; ".join(("strash", *recipe))) for recipe in self.recipes(solutions)]

    def _results(self, recipes: list[tuple[str, ...]]) -> list[abc.Result]:
        return _results(self.circuit, recipes, self.mapping, self.seconds)


_known: dict[tuple, abc.Result] = {}  # what this process has tried


def _results(circuit: str, recipes: list[tuple[str, ...]], mapping: str, seconds: float) -> list[abc.Result]:
    source = abc.circuit(circuit)
    keyed = [(source, recipe, mapping) for recipe in recipes]
    new = [key for key in dict.fromkeys(keyed) if key not in _known]
    _known.update(zip(new, abc.run(source, [recipe for _, recipe, _ in new], mapping, seconds), strict=True))
    return [_known[key] for key in keyed]


def _reference(circuit: str, mapping: str, seconds: float) -> abc.Result:
    (result,) = _results(circuit, [abc.RESYN2], mapping, seconds)
    if result.reason:
        raise UserError(f"resyn2 fails on {circuit!r}: {result.reason}", "give another circuit, or a larger domain.seconds")
    if result.area * result.depth == 0:
        raise UserError(f"{circuit!r} has no gates, so there is nothing to minimise", "give a circuit with gates")
    return result
