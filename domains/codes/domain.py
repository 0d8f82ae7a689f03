"""Codes of n qubits by rate and by the weight of their checks: which distance has the best of each?

B codes, n qubits, K logical qubits at most.
"""

from dataclasses import dataclass

import jax
import jax.numpy as jnp
import numpy as np

from domains.codes import drawing, graph
from qd import genes, keys
from qd.support.errors import UserError
from qd.types import Array, Evaluation, Rendering


@dataclass(frozen=True)
class StabilizerCodes:
    """Graph codes. Solutions: [B, n (n - 1) / 2 + n K] of 0 and 1: edges of the graph, then the words of the logical qubits.

    The objective is the exact distance; with ``tie_break`` minus the share of operators of that weight among all that
    change the
    logical state, which is below 1: fewer is better. Features: checks [B, 2], which is total and logical; distance;
    logical (k);
    total, the least total weight of n - k generators; largest, the weight of the heaviest of them; rate, k / n; [B] each.

    >>> from qd import keys
    >>> StabilizerCodes(qubits=5).sample(keys.new(0), 3).shape
    (3, 20)
    """

    qubits: int = 7
    logical: int = 2  # K: codes have k = 0..K logical qubits
    tie_break: bool = True
    circulant: float = 0.5  # share of circulant graphs among sampled ones
    pure: bool = True

    def __post_init__(self) -> None:
        n, most = self.qubits, self.logical
        if not 2 <= n <= graph.MOST:
            size = 12 * 2.0 ** (n + most) / 2**30
            raise UserError(
                f"qubits={n}: each code has 2^{n + most} operators to look at, {size:,.3g} GiB",
                f"type 2 to {graph.MOST} qubits",
            )
        if not 1 <= most <= min(4, n - 1):
            raise UserError(f"logical={most} qubits in {n}", f"type a number between 1 and {min(4, n - 1)}")

    @property
    def space(self) -> tuple[genes.Gene, ...]:
        """A choice of two for each gene."""
        return (genes.choice(2),) * (self._edges + self.qubits * self.logical)

    @property
    def objective_range(self) -> tuple[float, float]:
        return (0.0, float(self.qubits))

    @property
    def keep(self) -> tuple[str, ...]:
        """Columns for `qd query`."""
        return ("distance", "logical", "total", "largest", "rate")

    @property
    def bounds(self) -> tuple[tuple[float, float], tuple[float, float]]:
        """Of the feature checks: total weights up to n^2, and k = 0..K, one cell each."""
        return (0.0, self.qubits**2 + 1.0), (0.0, self.logical + 1.0)

    @property
    def dims(self) -> tuple[int, int]:
        """Cells of a grid that holds each total weight and k apart."""
        return self.qubits**2 + 1, self.logical + 1

    def sample(self, key: Array, n: int) -> Array:
        """Draws graphs, each with a share of edges of its own; a share of them circulant, as many of the best known codes are.

        In a circulant graph an edge depends on the distance of its ends on the ring alone; the words are then random too.

        Arguments as in ``Domain``.

        Returns:
            float32 [n, D] of 0 and 1.
        """
        share_key, bit_key, ring_key, word_key = keys.split(key, 4)
        share = keys.uniform(share_key, (n, 1), 0.2, 0.7)
        chances = keys.uniform(bit_key, (n, len(self.space)))
        xp, edges = chances.__array_namespace__(), self._edges
        ends = np.triu_indices(self.qubits, 1)
        apart = np.minimum(ends[1] - ends[0], self.qubits - ends[1] + ends[0])
        ring = keys.uniform(ring_key, (n, self.qubits))[:, apart]
        period = keys.uniform(word_key, (n, 1)) < self.circulant
        drawn = xp.where(period, ring, chances[:, :edges]) < share
        words = chances[:, edges:] < xp.where(period, 0.5, share)
        return xp.concatenate([drawn, words], 1).astype("float32")

    def evaluate(self, keys: Array, solutions: Array) -> Evaluation:
        """Computes exact figures of each code.

        Args:
            keys: not used: nothing is random.
            solutions: [B, D] of 0 and 1.

        Returns:
            The objective [B], and the features of the class's docstring.
        """
        found = graph.figures(graph.decode(solutions, self.qubits, self.logical))
        distance, logical, total, largest = (
            column.astype(jnp.float32) for column in (found.distance, found.logical, found.total, found.largest)
        )
        features = {"distance": distance, "logical": logical, "total": total, "largest": largest}
        features |= {"rate": logical / self.qubits, "checks": jnp.stack([total, logical], 1)}
        return Evaluation(distance - found.share if self.tie_break else distance, features)

    def checks(self, solutions: Array) -> list[list[str]]:
        """Returns the lightest generators of each code [B, D] as Pauli words, qubit 0 leftmost."""
        return [graph.generators(*code) for code in self._codes(solutions)]

    def operators(self, solutions: Array) -> list[list[tuple[str, str]]]:
        """Returns the logical operators (X, Z) of each code [B, D], a pair for each logical qubit."""
        return [graph.logical_operators(*code) for code in self._codes(solutions)]

    def render(self, solutions: Array) -> list[Rendering]:
        """Draws each code: its graph, and its generators as coloured squares."""
        codes = self._codes(solutions)
        return [Rendering("svg", drawing.draw(code[0], code[1], graph.generators(*code))) for code in codes]

    @property
    def _edges(self) -> int:
        return self.qubits * (self.qubits - 1) // 2

    def _codes(self, solutions: Array) -> list[tuple[np.ndarray, np.ndarray]]:
        codes = jax.device_get(graph.decode(jnp.asarray(solutions), self.qubits, self.logical))
        return list(zip(codes.graph, codes.words, strict=True))
