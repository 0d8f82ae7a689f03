"""Quantum circuits by their depth and their two-qubit gates: the best circuit for every budget.

    objective = unit (<psi|O|psi> - offset)        minus the energy error in millihartree, or a fidelity
    with noise: trace(O rho) instead, rho the density matrix with depolarising noise after each gate

Angles are tuned inside the evaluation by ``steps`` steps of an optimiser from those in the genes, without noise; the best ones
met count. Genes stay as they are (a Baldwin effect); the feature ``tuned`` holds them with the tuned angles, from which an
emitter may make children (``column: tuned``, Lamarck). B circuits, S slots, n qubits, N = 2^n.
"""

from dataclasses import dataclass, field, replace
from functools import lru_cache, partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from domains.quantum import density, drawing, gates, qasm, simulator, tune
from domains.quantum.gates import KINDS, Circuits
from domains.quantum.observables import Molecule, Task
from qd import genes, keys
from qd.support.errors import UserError
from qd.support.spelling import unknown
from qd.types import Array, Evaluation, Rendering


@dataclass(frozen=True)
class QuantumCircuits:
    """Circuits of at most S gates for a task. Solutions: [B, 4 S], a kind of gate, its qubits and its angle for each slot.

    Features: cost [B, 2], which is depth and two_qubit; and depth, gates, two_qubit, cnots, [B] each; tuned [B, 4 S], the genes
    with the angles as tuned.

    >>> from qd import keys
    >>> domain = QuantumCircuits(Molecule("h2_2"), slots=3, steps=0)
    >>> domain.sample(keys.new(0), 5).shape, len(domain.space)
    ((5, 12), 12)
    """

    task: Task = field(default_factory=Molecule)
    slots: int = 20
    steps: int = 30  # of the optimiser on the angles in each evaluation; 0: angles stay as they are
    rate: float = 0.1  # of Adam, radians a step; of the others the size of their first steps
    noise: float = 0.0  # probability of a depolarising error after each gate; then 5 qubits at most
    spread: float = 0.2  # sampled angles lie within +- this, radians: near 0 circuits stay near the first state, and tune well
    kinds: tuple[str, ...] = KINDS  # gates that may be used, "none" among them
    circuit: str = ""  # an OpenQASM 3 file: one of the initial solutions is its circuit
    optimiser: str = "adam"  # or spsa, adam_spsa, cobyla (domains/quantum/tune.py)

    def __post_init__(self) -> None:
        gates.check_qubits(self.task.qubits, density=self.noise > 0)
        if self.slots < 1 or self.steps < 0:
            raise UserError(f"slots={self.slots} and steps={self.steps} make no circuits", "type slots=1, steps=0 or more")
        if not 0 <= self.noise <= 0.75:
            raise UserError(f"noise={self.noise} is no probability of an error", "type a number between 0 and 0.75")
        if self.optimiser not in tune.PASSES:
            raise unknown("optimiser", self.optimiser, tune.PASSES)
        if not self.rate > 0:
            raise UserError(f"rate={self.rate} moves no angle", "type a number of radians above 0")
        _check_kinds(self.kinds)
        if self.circuit:
            self._own()

    @property
    def pure(self) -> bool:
        """COBYLA is scipy's and runs on the host."""
        return self.optimiser != "cobyla"

    @property
    def space(self) -> tuple[genes.Gene, ...]:
        """Four genes a slot: kind, qubit, which other qubit, angle."""
        return gates.space(self.slots, self.task.qubits, self.kinds)

    @property
    def objective_range(self) -> tuple[float, float]:
        return self.task.objective_range

    @property
    def keep(self) -> tuple[str, ...]:
        """Columns for `qd query`, and the genes as tuned."""
        return ("depth", "gates", "two_qubit", "cnots", "tuned")

    @property
    def held_out(self) -> "QuantumCircuits | None":
        """The same circuits, judged by states on which no angle is tuned, where the task has such states."""
        return replace(self, task=self.task.held_out) if self.task.held_out else None

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
        return _measured(self, solutions, self.tuned(solutions))

    def tuned(self, solutions: Array) -> Circuits:
        """Returns circuits with the best angles that ``steps`` steps of the optimiser met.

        Args:
            solutions: [B, 4 S].
        """
        if self.pure:
            return _tuned(self, solutions)
        return _by_cobyla(self, jax.device_get(gates.decode(solutions, self.task.qubits, self.kinds)))

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
        return gates.encode(qasm.after_start(circuit, qubits, self.task.start), self.slots, qubits, self.kinds)


@partial(jax.jit, static_argnums=0)
def _measured(domain: QuantumCircuits, solutions: Array, circuits: Circuits) -> Evaluation:
    qubits, observable = domain.task.qubits, _observable(domain.task)
    if domain.noise:
        states = jnp.asarray(observable.judges)
        first = jnp.einsum("ij,ik->jk", states, states.conj()) / len(states)
        rho = density.matrices(circuits, qubits, domain.noise, first)
        value = observable.unit * ((rho * jnp.asarray(observable.matrix.T, rho.dtype)).sum((1, 2)).real - observable.offset)
    else:
        value = jax.vmap(partial(_value, domain.task, observable.judges))(circuits)
    costs = gates.costs(circuits, qubits)
    tuned = gates.with_angles(solutions, circuits.angle)
    features = costs._asdict() | {"cost": jnp.stack([costs.depth, costs.two_qubit], 1), "tuned": tuned}
    return Evaluation(jnp.minimum(value, domain.objective_range[1]), features)


@partial(jax.jit, static_argnums=0)
def _tuned(domain: QuantumCircuits, solutions: Array) -> Circuits:
    circuits = gates.decode(solutions, domain.task.qubits, domain.kinds)
    if not domain.steps:
        return circuits
    value = _of_angles(domain.task)
    one = jax.vmap(partial(tune.traced, domain.optimiser, value, domain.steps, domain.rate))
    return circuits._replace(angle=one(circuits.angle, circuits))


def _by_cobyla(domain: QuantumCircuits, circuits: Circuits) -> Circuits:
    if not domain.steps:
        return circuits
    rows = [Circuits(*row) for row in zip(*circuits, strict=True)]
    moves = gates.ROTATES[circuits.kind]
    angles = tune.cobyla(_compiled(domain.task), domain.steps, domain.rate, circuits.angle, rows, moves)
    return circuits._replace(angle=angles)


def _of_angles(task: Task) -> tune.Value:
    """Returns the objective without noise as a function of a circuit's angles [S], on the states that angles are tuned on."""
    return lambda angle, circuit: _value(task, _observable(task).inputs, circuit._replace(angle=angle))


@lru_cache(maxsize=16)
def _compiled(task: Task) -> tune.Value:
    return jax.jit(_of_angles(task))


def _value(task: Task, inputs: np.ndarray, circuit: Circuits) -> Array:
    """The objective of one circuit [S] on states [I, N], without noise."""
    observable = _observable(task)
    psi = jax.vmap(lambda first: simulator.state(circuit, task.qubits, first))(jnp.asarray(inputs, jnp.complex64))
    expectations = (psi.conj() * (psi @ jnp.asarray(observable.matrix.T, psi.dtype))).sum(1).real
    return observable.unit * (expectations.mean() - observable.offset)


def _check_kinds(kinds: tuple[str, ...]) -> None:
    for name in kinds:
        if name not in KINDS:
            raise UserError(f"unknown gate {name!r}", f"type some of {', '.join(KINDS)}")
    if "none" not in kinds or len(kinds) < 2:
        raise UserError(f"kinds={list(kinds)} has no 'none', which empty slots hold, or nothing else", "add it")


@lru_cache(maxsize=16)
def _observable(task: Task) -> Any:
    """Returns the task's observable, its states filled in."""
    observable = task.observable()
    if observable.inputs is None:
        observable = observable._replace(inputs=np.eye(2**task.qubits, dtype=np.complex64)[[task.start]])
    return observable if observable.judges is not None else observable._replace(judges=observable.inputs)
