"""What circuits are searched for: a task is an observable, whose expectation is the objective.

n qubits, N = 2^n.
"""

import json
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any, NamedTuple, Protocol

import numpy as np

from domains.quantum import gates
from qd.support.spelling import unknown

_PAULIS = {
    "I": np.eye(2),
    "X": np.array([[0, 1], [1, 0]]),
    "Y": np.array([[0, -1j], [1j, 0]]),
    "Z": np.diag([1, -1]),
}
_FILE = Path(__file__).with_name("molecules.json")
MILLI = 1000.0  # millihartree in a hartree
CHEMICAL_ACCURACY = 1.6  # millihartree


class Observable(NamedTuple):
    """The objective is unit (mean expectation - offset), no higher than the high end of the range."""

    matrix: np.ndarray  # [N, N] Hermitian
    unit: float
    offset: float
    inputs: np.ndarray | None = (
        None  # [I, N] states that circuits act on while angles are tuned; None: the basis state ``start``
    )
    judges: np.ndarray | None = None  # [J, N] those of the objective; None: the same


class Task(Protocol):
    """What an observable is of."""

    @property
    def qubits(self) -> int:
        """n."""
        ...

    @property
    def start(self) -> int:
        """The basis state that circuits begin with."""
        ...

    @property
    def objective_range(self) -> tuple[float, float]:
        """The scale of the QD score."""
        ...

    @property
    def held_out(self) -> "Task | None":
        """The same task, judged by what no angle was tuned on; None where there is none."""
        ...

    def observable(self) -> Observable:
        """Returns what is measured."""
        ...


@dataclass(frozen=True)
class Molecule:
    """A molecule's ground state: the objective is minus the energy error in millihartree (CRLQAS, arXiv:2402.03500).

    Chemical accuracy is 1.6. Names are those of molecules.json: h2_2, h2_4, lih_4 and more; STO-3G.

    >>> Molecule("h2_2").qubits, round(Molecule("h2_2").exact, 6)
    (2, -1.13727)
    """

    name: str = "h2_4"
    hartree_fock: bool = True  # circuits begin with the Hartree-Fock state, which costs no gate; False: with |00..0>

    def __post_init__(self) -> None:
        if self.name not in _molecules():
            raise unknown("molecule", self.name, _molecules())

    @property
    def qubits(self) -> int:
        return self.record["qubits"]

    @property
    def start(self) -> int:
        """The basis state of least energy, or 0."""
        return int(np.argmin(np.real(np.diag(self.observable().matrix)))) if self.hartree_fock else 0

    @property
    def objective_range(self) -> tuple[float, float]:
        return (-100.0, 0.0)

    @property
    def held_out(self) -> None:
        return None

    @property
    def record(self) -> dict[str, Any]:
        """Geometry, mapping, terms and energies in hartree, as in molecules.json."""
        return _molecules()[self.name]

    @property
    def exact(self) -> float:
        """The lowest eigenvalue, in hartree."""
        return float(np.linalg.eigvalsh(_matrix(self.name))[0])

    def observable(self) -> Observable:
        """Returns the Hamiltonian."""
        return Observable(_matrix(self.name), -MILLI, self.exact)


@dataclass(frozen=True)
class Target:
    """A state to prepare: the objective is the fidelity |<target|state>|^2.

    ``ghz`` is (|0..0> + |1..1>) / sqrt 2, ``w`` the even sum of all states with one 1, ``random`` a state drawn evenly (Haar)
    from its number.

    >>> float(Target("ghz", 3).vector()[7].real.round(3))
    0.707
    """

    name: str = "ghz"
    qubits: int = 4
    number: int = 0  # of a random state

    def __post_init__(self) -> None:
        if self.name not in ("ghz", "w", "random"):
            raise unknown("state", self.name, ("ghz", "w", "random"))
        gates.check_qubits(self.qubits)

    @property
    def start(self) -> int:
        return 0

    @property
    def objective_range(self) -> tuple[float, float]:
        return (0.0, 1.0)

    @property
    def held_out(self) -> None:
        return None

    def vector(self) -> np.ndarray:
        """Returns the amplitudes [N] of the state; qubit 0 is the most significant bit."""
        size = 2**self.qubits
        psi = np.zeros(size, complex)
        if self.name == "ghz":
            psi[[0, -1]] = 1
        elif self.name == "w":
            psi[2 ** np.arange(self.qubits)] = 1
        else:
            draws = np.random.Generator(np.random.Philox(key=self.number)).standard_normal((2, size))
            psi = draws[0] + 1j * draws[1]
        return psi / np.linalg.norm(psi)

    def observable(self) -> Observable:
        """Returns the projector on the state."""
        psi = self.vector()
        return Observable(np.outer(psi, psi.conj()), 1.0, 0.0)


def matrix(terms: dict[str, float]) -> np.ndarray:
    """Returns a sum of Pauli words as a matrix.

    Args:
        terms: word -> coefficient; the leftmost letter acts on qubit 0.

    Returns:
        [N, N], complex.
    """
    return np.asarray(sum(coefficient * _product(word) for word, coefficient in terms.items()), complex)


def _product(word: str) -> np.ndarray:
    result = np.eye(1)
    for letter in word:
        result = np.kron(result, _PAULIS[letter])
    return result


@lru_cache(maxsize=1)
def _molecules() -> dict[str, Any]:
    return json.loads(_FILE.read_text(encoding="utf-8"))["molecules"]


@lru_cache(maxsize=16)
def _matrix(name: str) -> np.ndarray:
    return matrix(_molecules()[name]["terms"])
