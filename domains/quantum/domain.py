"""Quantum circuits by their depth and their two-qubit gates: the best circuit for every budget.

    objective = unit (<psi|O|psi> - offset)        minus the energy error in millihartree, or a fidelity
    with noise: trace(O rho) instead, rho the density matrix with depolarising noise after each gate

Angles are tuned inside the evaluation by ``steps`` steps of Adam from those in the genes, without noise; the best ones
met count, and are the feature ``angles``. Genes stay as they are (a Baldwin effect). B circuits, S slots, n qubits.
"""

from dataclasses import dataclass, field
from functools import lru_cache, partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import optax

from domains.quantum import density, drawing, gates, qasm, simulator
from domains.quantum.gates import KINDS, Circuits
from domains.quantum.observables import Molecule, Task
from qd import genes, keys
from qd.support.errors import UserError
from qd.types import Array, Evaluation, Rendering


@dataclass(frozen=True)
class QuantumCircuits:
    """Circuits of at most S gates for a task. Solutions: [B, 4 S], a kind of gate, its qubits and its angle for each slot.

    Features: cost [B, 2], which is depth and two_qubit; and depth, gates, two_qubit, cnots, [B] each; angles [B, S] as tuned.

    >>> from qd import keys
    >>> domain = QuantumCircuits(Molecule("h2_2"), slots=3, steps=0)
    >>> domain.sample(keys.new(0), 5).shape, len(domain.space)
    ((5, 12), 12)
    """

    task: Task = field(default_factory=Molecule)
    slots: int = 20
    steps: int = 30  # of Adam on the angles in each evaluation; 0: angles stay as they are
    rate: float = 0.1  # of Adam, radians a step
    noise: float = 0.0  # probability of a depolarising error after each gate; then 5 qubits at most
    spread: float = 0.2  # sampled angles lie within +- this, radians: near 0 circuits stay near the first state, and tune well
    kinds: tuple[str, ...] = KINDS  # gates that may be used, "none" among them
    circuit: str = ""  # an OpenQASM 3 file: one of the initial solutions is its circuit
    pure: bool = True

    def __post_init__(self) -> None:
        gates.check_qubits(self.task.qubits, density=self.noise > 0)
        if self.slots < 1 or self.steps < 0:
            raise UserError(f"slots={self.slots} and steps={self.steps} make no circuits", "type slots=1, steps=0 or more")
        if not 0 <= self.noise <= 0.75:
            raise UserError(f"noise={self.noise} is no probability of an error", "type a number between 0 and 0.75")
        _check_kinds(self.kinds)
        if self.circuit:
            self._own()

    @property
    def space(self) -> tuple[genes.Gene, ...]:
        """Four genes a slot: kind, qubit, which other qubit, angle."""
        return gates.space(self.slots, self.task.qubits, self.kinds)

    @property
    def objective_range(self) -> tuple[float, float]:
        return self.task.objective_range

    @property
    def keep(self) -> tuple[str, ...]:
        """Columns for `qd query`, and the angles as tuned."""
        return ("depth", "gates", "two_qubit", "cnots", "angles")

    @property
    def bounds(self) -> tuple[tuple[float, float], tuple[float, float]]:
        """Of the feature cost: cells one gate wide, with a grid of ``dims``."""
        side = (0.0, self.slots + 1.0)
        return side, side

    @property
    def dims(self) -> tuple[int, int]:
        """Cells of a grid with one cell for each depth and number of two-qubit gates."""
        return self.slots + 1, self.slots + 1

    def sample(self, key: Array, n: int) -> Array:
        """Draws circuits, each with a share of empty slots of its own, so that few gates are as frequent as many.

        Arguments as in ``Domain``.

        Returns:
            float32 [n, 4 S].
        """
        kind_key, full_key, share_key, qubit_key, other_key, angle_key = keys.split(key, 6)
        shape, none = (n, self.slots), self.kinds.index("none")
        kind = keys.integers(kind_key, shape, 0, len(self.kinds))
        xp = kind.__array_namespace__()
        full = keys.uniform(full_key, shape) < keys.uniform(share_key, (n, 1))
        qubit = keys.integers(qubit_key, shape, 0, self.task.qubits)
        other = keys.integers(other_key, shape, 0, self.task.qubits - 1)
        angle = keys.uniform(angle_key, shape, -self.spread, self.spread)
        columns = [xp.where(full, kind, none), qubit, other, angle]
        solutions = xp.stack([column.astype("float32") for column in columns], 2).reshape(n, -1)
        return xp.concatenate([xp.asarray(self._own()[None]), solutions[1:]]) if self.circuit and n else solutions

    def evaluate(self, keys: Array, solutions: Array) -> Evaluation:
        """Tunes the angles, and measures the observable.

        Args:
            keys: not used: nothing is random, expectations are exact.
            solutions: [B, 4 S].

        Returns:
            The objective, no higher than the end of its range (rounding), and the features of the class's docstring.
        """
        return _evaluate(self, solutions)

    def tuned(self, solutions: Array) -> Circuits:
        """Returns circuits with the best angles that ``steps`` steps of Adam met.

        Args:
            solutions: [B, 4 S].
        """
        return _tuned(self, solutions)

    def render(self, solutions: Array) -> list[Rendering]:
        """Draws each circuit with its tuned angles; gates that share no qubit stand in one column."""
        circuits = jax.device_get(self.tuned(jnp.asarray(solutions)))
        n, start = self.task.qubits, self.task.start
        return [Rendering("svg", drawing.draw(Circuits(*row), n, start)) for row in zip(*circuits, strict=True)]

    def programs(self, solutions: Array) -> list[str]:
        """Returns each circuit [B, 4 S] with its tuned angles in OpenQASM 3."""
        circuits = jax.device_get(self.tuned(jnp.asarray(solutions)))
        return [qasm.write(Circuits(*row), self.task.qubits, self.task.start) for row in zip(*circuits, strict=True)]

    def _own(self) -> np.ndarray:
        circuit, qubits = qasm.read(self.circuit)
        if qubits != self.task.qubits:
            raise UserError(f"{self.circuit} has {qubits} qubits, and the task {self.task.qubits}", "give a circuit of as many")
        return gates.encode(circuit, self.slots, qubits, self.kinds)


@partial(jax.jit, static_argnums=0)
def _evaluate(domain: QuantumCircuits, solutions: Array) -> Evaluation:
    circuits, qubits = _tuned(domain, solutions), domain.task.qubits
    matrix, unit, offset = _observable(domain.task)
    if domain.noise:
        rho = density.matrices(circuits, qubits, domain.noise, _start(domain.task))
        value = unit * ((rho * jnp.asarray(matrix.T, rho.dtype)).sum((1, 2)).real - offset)
    else:
        value = jax.vmap(partial(_value, domain.task))(circuits)
    costs = gates.costs(circuits, qubits)
    features = costs._asdict() | {"cost": jnp.stack([costs.depth, costs.two_qubit], 1), "angles": circuits.angle}
    return Evaluation(jnp.minimum(value, domain.objective_range[1]), features)


@partial(jax.jit, static_argnums=0)
def _tuned(domain: QuantumCircuits, solutions: Array) -> Circuits:
    circuits = gates.decode(solutions, domain.task.qubits, domain.kinds)
    if not domain.steps:
        return circuits
    value = lambda angle, circuit: _value(domain.task, circuit._replace(angle=angle))
    tune = jax.vmap(partial(_adam, value, domain.steps, domain.rate))
    return circuits._replace(angle=tune(circuits.angle, circuits))


def _value(task: Task, circuit: Circuits) -> Array:
    """The objective of one circuit [S], without noise."""
    psi = simulator.state(circuit, task.qubits, _start(task))
    matrix, unit, offset = _observable(task)
    return unit * ((psi.conj() * (jnp.asarray(matrix, psi.dtype) @ psi)).sum().real - offset)


def _adam(value: Any, steps: int, rate: float, angle: Array, circuit: Circuits) -> Array:
    """Returns the angles [S] of the highest value among the first and all that ``steps`` steps of Adam lead to."""
    optimiser, climb = optax.adam(rate), jax.value_and_grad(value)

    def step(carry: tuple, _: None) -> tuple[tuple, None]:
        angle, state, best, highest = carry
        now, slope = climb(angle, circuit)
        best, highest = jnp.where(now > highest, angle, best), jnp.maximum(now, highest)
        update, state = optimiser.update(-slope, state)
        return (angle + update, state, best, highest), None

    carry = (angle, optimiser.init(angle), angle, jnp.float32(-jnp.inf))
    (angle, _, best, highest), _ = jax.lax.scan(step, carry, length=steps)
    return jnp.where(value(angle, circuit) > highest, angle, best)


def _check_kinds(kinds: tuple[str, ...]) -> None:
    for name in kinds:
        if name not in KINDS:
            raise UserError(f"unknown gate {name!r}", f"type some of {', '.join(KINDS)}")
    if "none" not in kinds or len(kinds) < 2:
        raise UserError(f"kinds={list(kinds)} has no 'none', which empty slots hold, or nothing else", "add it")


@lru_cache(maxsize=16)
def _observable(task: Task) -> Any:
    return task.observable()


@lru_cache(maxsize=16)
def _start(task: Task) -> int:
    return task.start
