"""How fast circuits are simulated beside qiskit-aer's own batch, and recipes by one and two workers.

Circuits: 256 random ones of 40 gates, each of another structure. Ours is one compiled program that takes any circuits;
qiskit-aer
gets circuits that are already built and transpiled, all in one call, on one thread. Recipes: 64 of 10 commands, new ones each
time, in chunks of 4; of these the ratio by the wall counts, on a quiet machine.

    qd study circuits.speed budget=quick|first            qiskit-aer's side where it is installed
"""

import importlib.util
import itertools
from collections.abc import Callable
from functools import partial
from typing import Annotated, Any

import jax
import numpy as np

from domains.logic.domain import Recipes
from domains.quantum import gates, simulator
from domains.quantum.gates import Circuits
from experiments import command
from experiments.benchmarks import rounds
from experiments.benchmarks.rounds import BUDGETS
from qd import keys, remote
from qd.report.table import Row, Runs

CIRCUITS, SLOTS, RECIPES = 256, 40, 64
PAIRS = {"ours / qiskit-aer": ("ours", "qiskit-aer"), "2 workers / 1": ("2 workers", "1 worker")}


def main(budget: Annotated[str, BUDGETS] = "quick", out: str = "") -> None:
    """Runs the missing rounds, then writes and prints the table.

    Args:
        budget: a name in BUDGETS.
        out: folder of the results; empty: the default one.
    """
    cases: dict[str, Callable[[], dict[str, rounds.Side]]] = {f"{n} qubits": partial(simulators, n) for n in (4, 8, 10)}
    rounds.run("circuits_speed", cases | {"recipes": workers}, BUDGETS[budget], PAIRS, out)


def simulators(qubits: int) -> dict[str, rounds.Side]:
    """Returns the sides of states: ours, the gradient of one amplitude's chance by all angles, and qiskit-aer.

    Args:
        qubits: n.
    """
    solutions = np.random.default_rng(0).random((CIRCUITS, SLOTS, gates.PER_SLOT))
    sizes = np.array([len(gates.KINDS), qubits, qubits - 1, gates.TURN])
    values = solutions * sizes
    values[:, :, :3] = np.floor(values[:, :, :3])
    circuits = jax.device_get(gates.decode(values.reshape(CIRCUITS, -1).astype(np.float32), qubits))
    program = jax.jit(lambda circuits: simulator.states(circuits, qubits))
    chance = lambda angle, circuit: abs(simulator.state(circuit._replace(angle=angle), qubits)[0]) ** 2
    slopes = jax.jit(jax.vmap(jax.grad(chance)))

    def ours() -> int:
        return len(jax.block_until_ready(program(circuits)))

    def gradients() -> int:
        return len(jax.block_until_ready(slopes(circuits.angle, circuits)))

    sides = {"ours": ours, "ours, gradients": gradients}
    return sides | ({"qiskit-aer": by_aer(circuits, qubits)} if importlib.util.find_spec("qiskit_aer") else {})


def by_aer(circuits: Circuits, qubits: int) -> rounds.Side:
    """Returns qiskit-aer's side.

    Args:
        circuits: [B, S].
        qubits: n.
    """
    from qiskit import QuantumCircuit, transpile  # pyright: ignore[reportMissingImports]
    from qiskit_aer import AerSimulator  # pyright: ignore[reportMissingImports]

    backend = AerSimulator(method="statevector", max_parallel_threads=1)
    made: list[Any] = []
    for row in zip(*circuits, strict=True):
        circuit = QuantumCircuit(qubits)
        for kind, target, control, angle in zip(*row, strict=True):
            if kind:
                angles = (float(angle),) if gates.ROTATES[kind] else ()
                wires = (int(control), int(target)) if gates.CONTROLLED[kind] else (int(target),)
                getattr(circuit, gates.KINDS[kind])(*angles, *wires)
        circuit.save_statevector()
        made.append(circuit)
    made = transpile(made, backend, optimization_level=0)
    return lambda: len(backend.run(made, shots=1).result().results)


def workers() -> dict[str, rounds.Side]:
    """Returns the sides of recipes: one and two workers."""
    fresh = itertools.count()
    pools = {f"{n} worker{'s'[: n - 1]}": remote.Pool(Recipes("random6.2"), n, chunk=4) for n in (1, 2)}

    def evaluate(pool: remote.Remote) -> int:
        solutions = np.asarray(pool.sample(keys.new(next(fresh)), RECIPES))
        return int(np.isfinite(pool.evaluate(keys.split(keys.new(0), RECIPES), solutions).objective).sum())

    return {name: partial(evaluate, pool) for name, pool in pools.items()}


def rows(runs: Runs) -> list[Row]:
    """Returns medians, and ratios of the same round."""
    return rounds.rows(runs, PAIRS)


if __name__ == "__main__":
    command.run()
