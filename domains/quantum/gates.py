"""Gates, and circuits as arrays: each slot holds a kind of gate, its qubits and its angle.

    rx, ry, rz        exp(-i angle/2 P)                       as in PennyLane, Qiskit and TensorCircuit
    cx, cz            X or Z where the control is 1
    crx, cry, crz     the rotation where the control is 1

Each is a I + b P on one target qubit, P one of X, Y, Z: (a, b) = (cos angle/2, -i sin angle/2) of rotations, (0, 1) of
cx and cz,
(1, 0) of none. **Bit order: qubit 0 is the most significant bit**, so X on qubit 0 of three takes state 0 to state 4 (as in
PennyLane; Qiskit numbers the other way round).

B circuits, S slots, n qubits.
"""

from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from qd import genes
from qd.support.errors import UserError
from qd.types import Array

KINDS = ("none", "rx", "ry", "rz", "cx", "cz", "crx", "cry", "crz")
_PAULI = np.array([3, 0, 1, 2, 0, 2, 0, 1, 2], np.int32)  # of each kind: X, Y, Z; 3 is none
ROTATES = np.array([0, 1, 1, 1, 0, 0, 1, 1, 1], bool)
CONTROLLED = np.array([0, 0, 0, 0, 1, 1, 1, 1, 1], bool)
_CNOTS = np.array([0, 0, 0, 0, 1, 1, 2, 2, 2], np.int32)  # that a device with CNOTs needs for it
PER_SLOT = 4  # genes: kind, qubit, which of the other qubits, angle
LARGEST = 10  # qubits
TURN = (
    4 * np.pi
)  # after which a controlled rotation is the same again; another rotation is so, but for a global phase, after half


class Circuits(NamedTuple):
    """B circuits of S slots; all [B, S], or [S] of one."""

    kind: Array  # place in KINDS
    target: Array  # qubit
    control: Array  # another qubit; of no importance where the kind has no control
    angle: Array  # radians


class Costs(NamedTuple):
    """What circuits cost, [B] each."""

    depth: Array  # gates on the longest path
    gates: Array
    two_qubit: Array  # gates with a control
    cnots: Array  # CNOTs that they amount to: 1 for cx and cz, 2 for a controlled rotation


def space(slots: int, qubits: int, kinds: tuple[str, ...] = KINDS) -> tuple[genes.Gene, ...]:
    """Returns the genes of circuits: four a slot, [4 S].

    Args:
        slots: S.
        qubits: n.
        kinds: names of the gates that may be used; a kind's gene is its place among them.
    """
    slot = (genes.choice(len(kinds)), genes.choice(qubits), genes.choice(qubits - 1), genes.angle(-TURN / 2, TURN / 2))
    return slot * slots


def decode(solutions: Array, qubits: int, kinds: tuple[str, ...] = KINDS) -> Circuits:
    """Reads genes. A controlled gate acts on its qubit; its control is the second gene plus one further on.

    Args:
        solutions: [B, 4 S].
        qubits: n.
        kinds: names of the gates that may be used.

    Returns:
        Circuits [B, S].
    """
    slots = jnp.asarray(solutions).reshape(*solutions.shape[:-1], -1, PER_SLOT)
    which, qubit, other = (jnp.round(slots[..., i]).astype(jnp.int32) for i in range(3))
    kind = jnp.asarray([KINDS.index(name) for name in kinds], jnp.int32)[which]
    return Circuits(kind, qubit, (qubit + 1 + other) % qubits, slots[..., 3].astype(jnp.float32))


def encode(circuit: Circuits, slots: int, qubits: int, kinds: tuple[str, ...] = KINDS) -> np.ndarray:
    """Returns the genes [4 S] of one circuit; the slots that it does not need hold no gate.

    Args:
        circuit: of at most S gates.
        slots: S.
        qubits: n.
        kinds: names of the gates that may be used.

    Raises:
        UserError: it has more gates, or gates that may not be used.
    """
    check(circuit, qubits)
    if len(circuit.kind) > slots:
        raise UserError(f"a circuit of {len(circuit.kind)} gates, and there are {slots} slots", "type domain.slots=... or more")
    solution = np.zeros((slots, PER_SLOT), np.float32)
    solution[:, 0] = kinds.index("none")
    for slot, (kind, target, control, angle) in zip(solution, zip(*map(np.asarray, circuit), strict=True), strict=False):
        if KINDS[kind] not in kinds:
            raise UserError(f"gate {KINDS[kind]} is none of {', '.join(kinds)}", "add it to domain.kinds")
        slot[:] = kinds.index(KINDS[kind]), target, (control - target - 1) % qubits % (qubits - 1), angle
    return solution.reshape(-1)


def with_angles(solutions: Array, angles: Array) -> Array:
    """Returns genes with other angles, each brought into its gene's range.

    Args:
        solutions: [B, 4 S].
        angles: [B, S].

    Returns:
        [B, 4 S].
    """
    slots = jnp.asarray(solutions).reshape(len(solutions), -1, PER_SLOT)
    inside = (angles + TURN / 2) % TURN - TURN / 2
    return slots.at[:, :, 3].set(inside.astype(slots.dtype)).reshape(len(solutions), -1)


def check(circuit: Circuits, qubits: int) -> None:
    """Raises UserError where a circuit names a qubit that is not there, or one qubit twice in one gate.

    Args:
        circuit: [S].
        qubits: n.
    """
    for place, (kind, target, control) in enumerate(zip(*map(np.asarray, circuit[:3]), strict=True)):
        if not 0 <= kind < len(KINDS):
            raise UserError(f"gate {place} is of kind {kind}", f"kinds are 0..{len(KINDS) - 1}: {', '.join(KINDS)}")
        used = (target, control)[: 1 + int(CONTROLLED[kind])]
        for qubit in used:
            if not 0 <= qubit < qubits:
                raise UserError(f"gate {place} ({KINDS[kind]}) acts on qubit {qubit}", f"qubits are 0..{qubits - 1}")
        if len(used) == 2 and target == control:
            raise UserError(f"gate {place} ({KINDS[kind]}) acts on qubit {target} twice", "give it two different qubits")


def check_qubits(qubits: int, batch: int = 256, density: bool = False) -> None:
    """Raises UserError where so many qubits are not simulated; says what memory they would take.

    Args:
        qubits: n.
        batch: circuits at once.
        density: whether matrices of 4^n entries are simulated instead of vectors of 2^n.
    """
    most = LARGEST // 2 if density else LARGEST
    if qubits < 2:
        raise UserError(f"qubits={qubits} leaves no two qubits to entangle", "type qubits=2 or more")
    if qubits > most:
        power = 2 * qubits if density else qubits
        size = 8 * batch * 2.0**power / 2**30
        what = (
            f"density matrices of {qubits} qubits have 4^{qubits}" if density else f"states of {qubits} qubits have 2^{qubits}"
        )
        raise UserError(
            f"{what} = {2.0**power:,.0f} entries of 8 bytes: {batch} at once take {size:,.3g} GiB, and gradients more",
            f"type qubits={most} or fewer" + (", or noise=0" if density else ""),
        )


def pauli(kind: Array) -> Array:
    """Returns which Pauli matrix kinds of gates use: 0 X, 1 Y, 2 Z, 3 none."""
    return jnp.asarray(_PAULI)[kind]


def costs(circuits: Circuits, qubits: int) -> Costs:
    """Returns what circuits cost. Gates on different qubits may happen at the same time.

    Args:
        circuits: [B, S].
        qubits: n.
    """

    def add(level: Array, gate: tuple[Array, Array, Array]) -> tuple[Array, None]:
        kind, target, control = gate
        used = jax.nn.one_hot(target, qubits, dtype=bool)
        used |= jax.nn.one_hot(control, qubits, dtype=bool) & jnp.asarray(CONTROLLED)[kind][:, None]
        later = jnp.where(used, level, 0).max(1, keepdims=True) + 1
        return jnp.where(used & (kind > 0)[:, None], later, level), None

    kind = circuits.kind
    level = jnp.zeros((len(kind), qubits), jnp.int32)
    level, _ = jax.lax.scan(add, level, (kind.T, circuits.target.T, circuits.control.T))
    counts = ((kind > 0).sum(1), jnp.asarray(CONTROLLED)[kind].sum(1), jnp.asarray(_CNOTS)[kind].sum(1))
    return Costs(*(column.astype(jnp.float32) for column in (level.max(1), *counts)))
