"""Circuits as SVG: a line for each qubit, a box for each rotation, a dot for each control."""

import numpy as np

from domains.quantum.gates import CONTROLLED, KINDS, ROTATES, Circuits

_WIDE, _HIGH, _BOX = 54, 44, 17  # of a column and a row; half the side of a box
_COLOURS = {"x": "#d1495b", "y": "#2b7bba", "z": "#3a7d44"}  # of the axis of a gate


def draw(circuit: Circuits, qubits: int, start: int = 0) -> str:
    """Returns the picture of one circuit.

    Args:
        circuit: [S], as NumPy arrays.
        qubits: n.
        start: the basis state that it begins with, written before the lines.
    """
    free, parts, columns = [0] * qubits, [], 1
    for kind, target, control, angle in zip(*map(np.asarray, circuit), strict=True):
        if not kind:
            continue
        wires = range(min(target, control), max(target, control) + 1) if CONTROLLED[kind] else (target,)
        column = max(free[wire] for wire in wires)
        for wire in wires:
            free[wire] = column + 1
        columns = max(columns, column + 1)
        parts.append(_gate(int(kind), _x(column), int(target), int(control), float(angle)))
    width, height = _x(columns) - _WIDE // 4, qubits * _HIGH + 8
    lines = [_wire(qubit, start >> (qubits - 1 - qubit) & 1, width) for qubit in range(qubits)]
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" width="{width}" height="{height}" '
        f'font-family="sans-serif" font-size="11">{"".join(lines)}{"".join(parts)}</svg>'
    )


def _x(column: int) -> int:
    return 60 + column * _WIDE


def _y(qubit: int) -> int:
    return qubit * _HIGH + _HIGH // 2 + 4


def _wire(qubit: int, bit: int, width: int) -> str:
    y = _y(qubit)
    return (
        f'<text x="4" y="{y + 4}" fill="#444">|{bit}⟩</text>'
        f'<line x1="24" y1="{y}" x2="{width}" y2="{y}" stroke="#999" stroke-width="1.2"/>'
    )


def _gate(kind: int, x: int, target: int, control: int, angle: float) -> str:
    name, y = KINDS[kind], _y(target)
    colour = _COLOURS[name[-1]]
    link = ""
    if CONTROLLED[kind]:
        there = _y(control)
        link = (
            f'<line x1="{x}" y1="{there}" x2="{x}" y2="{y}" stroke="{colour}" stroke-width="2"/>'
            f'<circle cx="{x}" cy="{there}" r="4.5" fill="{colour}"/>'
        )
    if name == "cx":
        return link + (
            f'<circle cx="{x}" cy="{y}" r="11" fill="#fff" stroke="{colour}" stroke-width="2"/>'
            f'<path d="M{x - 11} {y}H{x + 11}M{x} {y - 11}V{y + 11}" stroke="{colour}" stroke-width="2"/>'
        )
    if name == "cz":
        return link + f'<circle cx="{x}" cy="{y}" r="4.5" fill="{colour}"/>'
    turn = (angle + np.pi) % (2 * np.pi) - np.pi if not CONTROLLED[kind] else angle  # a controlled one has period 4 pi
    label = f'<text x="{x}" y="{y - 2}" text-anchor="middle" fill="#fff">R{name[-1]}</text>'
    number = f'<text x="{x}" y="{y + 11}" text-anchor="middle" fill="#fff" font-size="10">{turn:.2f}</text>'
    return link + (
        f'<rect x="{x - _BOX}" y="{y - _BOX + 1}" width="{2 * _BOX}" height="{2 * _BOX - 2}" rx="3" fill="{colour}"/>'
        f"{label}{number if ROTATES[kind] else ''}"
    )
