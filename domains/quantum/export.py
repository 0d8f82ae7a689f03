"""Elites as OpenQASM 3 files with their tuned angles (`qd export RUN --format qasm`); each is read again and simulated.

Gates of the files: rx, ry, rz, cx, cz, crx, cry, crz, and x before them where a circuit begins with another state than 0.
"""

import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import jax
import numpy as np

from domains.quantum import gates, qasm, simulator
from domains.quantum.domain import QuantumCircuits
from domains.quantum.gates import Circuits
from qd.support import atomic

_NEAR = 1e-5  # largest difference of an amplitude between the circuit and its file, which has nine digits of each angle


def export(
    domain: QuantumCircuits, ids: Sequence[int], cells: Sequence[int], solutions: np.ndarray, folder: Path,
    say: Callable[[str], None] = print,
) -> list[dict[str, Any]]:  # fmt: skip
    """Writes folder/qasm-cell-N.qasm for each circuit, and a report on it beside it.

    Args:
        domain: tunes the angles and measures.
        ids: B ids of the elites.
        cells: B cells of the archive.
        solutions: [B, 4 S].
        folder: of the files.
        say: called with a line for each circuit.

    Returns:
        B reports: objective and costs of the tuned circuit; difference, the largest between amplitudes of the circuit and of
        what its file says; deployable, whether that is below 1e-5.
    """
    circuits, evaluation = jax.device_get((domain.tuned(solutions), domain.evaluate(None, solutions)))
    columns = {"objective": evaluation.objective} | {name: evaluation.features[name] for name in gates.Costs._fields}
    reports = []
    atomic.make_folder(folder)
    for i, (number, cell) in enumerate(zip(ids, cells, strict=True)):
        circuit = Circuits(*(column[i] for column in circuits))
        text, name = qasm.write(circuit, domain.task.qubits, domain.task.start), f"qasm-cell-{cell}"
        difference = _difference(circuit, text, domain)
        report = {"id": int(number), "cell": int(cell), "format": "qasm", "deployable": difference < _NEAR}
        report |= {key: round(float(column[i]), 6) for key, column in columns.items()}
        report |= {"difference": difference, "file": f"{name}.qasm"}
        atomic.write(folder / f"{name}.qasm", text.encode())
        atomic.write(folder / f"{name}.json", (json.dumps(report, indent=1) + "\n").encode())
        reports.append(report)
        say(
            f"cell {cell}: {folder / report['file']}, objective {report['objective']:.6g}, {report['gates']:.0f} gates, "
            f"{report['cnots']:.0f} CNOTs; read again, amplitudes differ by {difference:.1e} at most"
        )
    return reports


def _difference(circuit: Circuits, text: str, domain: QuantumCircuits) -> float:
    """The largest difference of amplitudes, but for a global phase, between a circuit and a program."""
    qubits = domain.task.qubits
    again, _ = qasm.parse(text)
    one = np.asarray(simulator.state(Circuits(*map(np.asarray, circuit)), qubits, int(domain.task.start)))
    other = np.asarray(simulator.state(Circuits(*(np.asarray(column) for column in _float32(again))), qubits))
    phase = np.vdot(other, one)
    return float(np.abs(one - other * phase / max(abs(phase), 1e-12)).max())


def _float32(circuit: Circuits) -> Circuits:
    return circuit._replace(angle=np.asarray(circuit.angle, np.float32))
