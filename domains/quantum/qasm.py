"""Circuits as OpenQASM 3 text, and back; of the language only the gates of this domain, on one register.

OPENQASM 3.0;
include "stdgates.inc";
qubit[2] q;
ry(0.5) q[0];
cx q[0], q[1];
"""

import math
import re
from pathlib import Path

import numpy as np

from domains.quantum import gates
from domains.quantum.gates import CONTROLLED, KINDS, ROTATES, Circuits
from qd.support.errors import UserError

_LARGEST = 10**6  # bytes of a file that is read
_FIX = "give a file with OPENQASM 3, one register of qubits, and the gates " + ", ".join(KINDS[1:])
_REGISTER = re.compile(r"qubit\s*\[\s*(\d{1,6})\s*\]\s*([A-Za-z_]\w*)")
_GATE = re.compile(r"([a-z]\w*)\s*(?:\(([^()]*)\))?\s+(.+)")
_QUBIT = re.compile(r"([A-Za-z_]\w*)\s*\[\s*(\d{1,6})\s*\]")
_ANGLE = re.compile(r"(-?)\s*(?:(\d+\.?\d*(?:[eE][+-]?\d+)?)|(pi)(?:\s*/\s*(\d+\.?\d*))?)")


def write(circuit: Circuits, qubits: int, start: int = 0) -> str:
    """Returns a circuit as OpenQASM 3.

    Args:
        circuit: [S], checked.
        qubits: n.
        start: the basis state that it begins with: x gates come first.
    """
    gates.check(circuit, qubits)
    lines = ["OPENQASM 3.0;", 'include "stdgates.inc";', f"qubit[{qubits}] q;"]
    lines += [f"x q[{qubit}];" for qubit in range(qubits) if start >> (qubits - 1 - qubit) & 1]
    for kind, target, control, angle in zip(*map(np.asarray, circuit), strict=True):
        if kind:
            angle = f"({float(angle):.9g})" if ROTATES[kind] else ""
            wires = [control, target] if CONTROLLED[kind] else [target]
            lines.append(f"{KINDS[kind]}{angle} {', '.join(f'q[{wire}]' for wire in wires)};")
    return "\n".join(lines) + "\n"


def read(path: str) -> tuple[Circuits, int]:
    """Reads a file.

    Args:
        path: of the file.

    Returns:
        A circuit [S], and its number of qubits.

    Raises:
        UserError: it is not there, no OpenQASM 3, or has a gate that is none of ours, or qubits that are not there.
    """
    try:
        with Path(path).open("rb") as file:
            content = file.read(_LARGEST)
    except OSError as error:
        raise UserError(
            f"the circuit {path!r} cannot be read: {error.strerror}", "give the path of an OpenQASM 3 file"
        ) from error
    return parse(content.decode("utf-8", errors="replace"), path)


def parse(text: str, name: str = "the text") -> tuple[Circuits, int]:
    """Reads OpenQASM 3; an ``x`` gate is read as rx(pi), which differs by a global phase.

    Args:
        text: of the program.
        name: of the file, for messages.

    Returns:
        A circuit [S], and its number of qubits.

    Raises:
        UserError: as ``read``.
    """
    statements = [part.strip() for part in re.sub(r"//[^\n]*", "", text).split(";")]
    if not re.fullmatch(r"OPENQASM\s+3(\.\d+)?", statements[0]):
        raise UserError(f"{name} is no OpenQASM 3: it begins with {statements[0][:40]!a}", _FIX)
    register, qubits, rows = "", 0, []
    for statement in statements[1:]:
        if not statement or statement.startswith("include"):
            continue
        if found := _REGISTER.fullmatch(statement):
            if register:
                raise UserError(f"{name} has more than one register of qubits", _FIX)
            qubits, register = int(found[1]), found[2]
            gates.check_qubits(qubits)
            continue
        rows.append(_gate(statement, register, name))
    if not register:
        raise UserError(f"{name} declares no qubits", _FIX)
    circuit = Circuits(*(np.array(column) for column in zip(*rows, strict=True))) if rows else _empty()
    gates.check(circuit, qubits)
    return circuit, qubits


def after_start(circuit: Circuits, qubits: int, start: int) -> Circuits:
    """Returns what a circuit from |0...0> does after the basis state that a task begins with.

    Args:
        circuit: [S], as read.
        qubits: n.
        start: the basis state; ``write`` puts its x gates first.

    Returns:
        The circuit without x gates that only make the start; on a qubit where it has none, an x that takes it back comes first.
    """
    flipped = {qubit for qubit in range(qubits) if start >> (qubits - 1 - qubit) & 1}
    kept, touched, rx = [], set(), KINDS.index("rx")
    for kind, target, control, angle in zip(*circuit, strict=True):
        if kind == rx and math.isclose(angle, math.pi) and target in flipped - touched:
            flipped.remove(target)
            continue
        kept.append((kind, target, control, angle))
        touched |= {target, control} if CONTROLLED[kind] else {target}
    rows = [(rx, qubit, qubit + 1, math.pi) for qubit in sorted(flipped)] + kept
    return Circuits(*(np.array(column) for column in zip(*rows, strict=True))) if rows else _empty()


def _gate(statement: str, register: str, name: str) -> tuple[int, int, int, float]:
    found = _GATE.fullmatch(statement)
    wires = [_QUBIT.fullmatch(wire.strip()) for wire in found[3].split(",")] if found else []
    if found is None or not all(wire and wire[1] == register for wire in wires):
        raise UserError(f"{name}: {statement[:60]!a} is no gate on qubits of the register", _FIX)
    if found[1] == "x":
        found_kind, angle = "rx", math.pi
    else:
        found_kind, angle = found[1], _angle(found[2], statement, name)
    if found_kind not in KINDS[1:]:
        raise UserError(f"{name}: unknown gate {found_kind!r}", _FIX)
    kind = KINDS.index(found_kind)
    if len(wires) != 1 + int(CONTROLLED[kind]) or bool(ROTATES[kind]) != (angle is not None):
        raise UserError(f"{name}: {statement[:60]!a} has not the qubits or the angle that {found_kind} takes", _FIX)
    places = [int(wire[2]) for wire in wires if wire]
    target = places[-1]
    control = places[0] if CONTROLLED[kind] else target + 1
    return kind, target, control, angle or 0.0


def _angle(text: str | None, statement: str, name: str) -> float | None:
    if text is None:
        return None
    found = _ANGLE.fullmatch(text.strip())
    if found is None:
        raise UserError(f"{name}: the angle in {statement[:60]!a} is no number", "write it as 0.5, pi or -pi/2")
    size = float(found[2]) if found[2] else math.pi / float(found[4] or 1)
    return -size if found[1] else size


def _empty() -> Circuits:
    kind, target, control = (np.zeros(0, int) for _ in range(3))
    return Circuits(kind, target, control, np.zeros(0))
