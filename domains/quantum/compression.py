"""A quantum autoencoder's task: a circuit that packs a family of states into fewer qubits.

    objective = mean over the states of the probability that the qubits to be left out are all 0 after the circuit

as Romero, Olson and Aspuru-Guzik train theirs (2017, arXiv:1612.02806): where it is 1, the circuit backwards restores each
state from the kept qubits. No circuit does better than the sum of the 2^k largest eigenvalues of the mean density matrix.

n qubits, k of them kept, N = 2^n, I states.
"""

from dataclasses import dataclass, replace

import numpy as np

from domains.quantum import gates
from domains.quantum.observables import Observable, matrix
from qd.support.errors import UserError
from qd.support.spelling import unknown

_FIELDS = (0.2, 2.0)  # of the chain, about the transition at 1
_TRAIN = 10  # states on which angles are tuned; those that judge lie between


@dataclass(frozen=True)
class Compression:
    """Packs n qubits into the first k. Angles are tuned on ten states; with ``split=test`` others of the family judge.

    ``ising``: ground states of the open chain -sum Z Z - h sum X, h from 0.2 to 2. ``subspace``: random states of a random
    subspace of 2^k dimensions, which a circuit of enough gates packs without loss.

    >>> round(Compression("ising", 4, 1).bound, 3), Compression("subspace", 3, 1).bound > 1 - 1e-9
    (0.999, True)
    """

    name: str = "ising"
    qubits: int = 4
    kept: int = 1  # k, the first qubits
    split: str = "train"  # states that judge: train, or test

    def __post_init__(self) -> None:
        if self.name not in ("ising", "subspace"):
            raise unknown("family of states", self.name, ("ising", "subspace"))
        if self.split not in ("train", "test"):
            raise unknown("split", self.split, ("train", "test"))
        gates.check_qubits(self.qubits)
        if not 1 <= self.kept < self.qubits:
            raise UserError(f"kept={self.kept} of {self.qubits} qubits packs nothing", f"type kept=1 to {self.qubits - 1}")

    @property
    def start(self) -> int:
        """The basis state of pictures and programs; circuits act on the family's states instead."""
        return 0

    @property
    def objective_range(self) -> tuple[float, float]:
        return (0.0, 1.0)

    @property
    def held_out(self) -> "Compression | None":
        """The same task, judged by states on which no angle was tuned."""
        return None if self.split == "test" else replace(self, split="test")

    @property
    def bound(self) -> float:
        """The highest objective that any circuit has on the states that judge."""
        states = self.states(self.split)
        values = np.linalg.eigvalsh(np.einsum("ij,ik->jk", states, states.conj()) / len(states))
        return float(values[-(2**self.kept) :].sum())

    def observable(self) -> Observable:
        """Returns the projector on states whose last n - k qubits are 0, with the states."""
        left_out = np.arange(2**self.qubits) % 2 ** (self.qubits - self.kept) == 0
        return Observable(np.diag(left_out.astype(complex)), 1.0, 0.0, self.states("train"), self.states(self.split))

    def states(self, split: str) -> np.ndarray:
        """Returns the states of a split, [I, N].

        Args:
            split: train or test.
        """
        if self.name == "ising":
            grid = np.linspace(*_FIELDS, 2 * _TRAIN - 1)
            return np.array([self._ground(field) for field in grid[split == "test" :: 2]])
        rng = np.random.Generator(np.random.Philox(key=0))
        frame = np.linalg.qr(_complex(rng, (2**self.qubits, 2**self.kept)))[0]
        weights = _complex(rng, (2 * _TRAIN, 2**self.kept))
        states = weights @ frame.T
        states /= np.linalg.norm(states, axis=1, keepdims=True)
        return states[_TRAIN:] if split == "test" else states[:_TRAIN]

    def _ground(self, field: float) -> np.ndarray:
        n = self.qubits
        terms = {"I" * i + "ZZ" + "I" * (n - i - 2): -1.0 for i in range(n - 1)}
        terms |= {"I" * i + "X" + "I" * (n - i - 1): -field for i in range(n)}
        return np.linalg.eigh(matrix(terms))[1][:, 0]


def _complex(rng: np.random.Generator, shape: tuple[int, int]) -> np.ndarray:
    return rng.standard_normal(shape) + 1j * rng.standard_normal(shape)
