"""Circuits that tell two digits apart, a 3 from a 6 by default: an image's numbers are added to the angles of rotations.

Which number is added to which rotation is in the genes.

Numbers may enter several times (data re-uploading, Perez-Salinas et al. 2020, arXiv:1907.02085). The sign of
<Z> on qubit 0 is the answer. Angles are trained in the evaluation on training images by Adam on the squared error, in
slices of 41 images; the objective is the accuracy on images that no angle was trained on. B circuits, S slots, n qubits,
N images, F numbers of each.
"""

from dataclasses import dataclass, replace
from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import optax

from domains.quantum import digits, drawing, gates, simulator
from domains.quantum.gates import KINDS, Circuits
from qd import genes, keys
from qd.support.errors import UserError
from qd.types import Array, Evaluation, Rendering

_SLICE = 41  # training images of a step
_PROBES = 16  # images on which entanglement is measured
_GENES = 5  # of a slot: those of gates, and which number is added to the angle


@dataclass(frozen=True)
class QuantumClassifier:
    """Classifiers of at most S gates. Solutions: [B, 5 S], a gate's four genes and which number it adds (0: none).

    Features: shape [B, 2], which is gates and entanglement; and gates, depth, two_qubit, entanglement [B] (the measure Q
    of Meyer and Wallach 2002, quant-ph/0108104: 0 of product states, 1 at most; mean over images), angles [B, S] as trained.
    """

    qubits: int = 4
    slots: int = 16
    numbers: int = 8  # F of each image: principal components
    steps: int = 40  # of Adam
    rate: float = 0.1  # of Adam, radians a step
    split: str = "validation"  # that judges
    pair: tuple[int, int] = (3, 6)  # digits to tell apart
    pure: bool = True

    def __post_init__(self) -> None:
        gates.check_qubits(self.qubits)
        if self.slots < 1 or self.steps < 0:
            raise UserError(f"slots={self.slots} and steps={self.steps} make no circuits", "type slots=1, steps=0 or more")
        digits.load(self.split, self.numbers, self.pair)

    @property
    def space(self) -> tuple[genes.Gene, ...]:
        """Five genes a slot: kind, qubit, which other qubit, angle, number."""
        slot = (*gates.space(1, self.qubits), genes.choice(self.numbers + 1))
        return slot * self.slots

    @property
    def objective_range(self) -> tuple[float, float]:
        return (0.0, 100.0)

    @property
    def keep(self) -> tuple[str, ...]:
        """Columns for `qd query`."""
        return ("gates", "depth", "two_qubit", "entanglement")

    @property
    def bounds(self) -> tuple[tuple[float, float], tuple[float, float]]:
        """Of the feature shape."""
        return (0.0, self.slots + 1.0), (0.0, 1.0)

    @property
    def held_out(self) -> "QuantumClassifier | None":
        """The same circuits, judged by test images; None where these are what is searched on."""
        return None if self.split == "test" else replace(self, split="test")

    def sample(self, key: Array, n: int) -> Array:
        """Draws circuits in which about half of the gates add a number; arguments as in ``Domain``.

        Returns:
            float32 [n, 5 S].
        """
        kind_key, full_key, share_key, qubit_key, other_key, angle_key, number_key, add_key = keys.split(key, 8)
        shape = (n, self.slots)
        full = keys.uniform(full_key, shape) < keys.uniform(share_key, (n, 1), 0.2, 1.0)
        columns = [
            keys.integers(kind_key, shape, 1, len(KINDS)) * full,
            keys.integers(qubit_key, shape, 0, self.qubits),
            keys.integers(other_key, shape, 0, self.qubits - 1),
            keys.uniform(angle_key, shape, -np.pi, np.pi),
            keys.integers(number_key, shape, 1, self.numbers + 1) * (keys.uniform(add_key, shape) < 0.5),
        ]
        xp = columns[0].__array_namespace__()
        return xp.stack([column.astype("float32") for column in columns], 2).reshape(n, -1)

    def evaluate(self, keys: Array, solutions: Array) -> Evaluation:
        """Trains each circuit, and counts right answers on the images of ``split``.

        Args:
            keys: not used: slices are the same for all.
            solutions: [B, 5 S].

        Returns:
            Accuracy in per cent [B], and the features of the class's docstring.
        """
        return _evaluate(self, solutions)

    def trained(self, solutions: Array) -> tuple[Circuits, Array]:
        """Returns circuits with trained angles, and which number each gate adds.

        Args:
            solutions: [B, 5 S].
        """
        slots = jnp.asarray(solutions).reshape(len(solutions), -1, _GENES)
        number = jnp.round(slots[:, :, 4]).astype(jnp.int32)
        circuits = gates.decode(slots[:, :, :4].reshape(len(slots), -1), self.qubits)
        return circuits._replace(angle=jax.vmap(self._train)(circuits, number)), number

    def render(self, solutions: Array) -> list[Rendering]:
        """Draws each circuit with its trained angles, to which an image's numbers are added."""
        circuits, _ = jax.device_get(self.trained(jnp.asarray(solutions)))
        return [Rendering("svg", drawing.draw(Circuits(*row), self.qubits)) for row in zip(*circuits, strict=True)]

    def _train(self, circuit: Circuits, number: Array) -> Array:
        train = digits.load("train", self.numbers, self.pair)
        count = len(train.labels) // _SLICE
        slices = [jnp.asarray(column[: count * _SLICE].reshape(count, _SLICE, *column.shape[1:])) for column in train]
        optimiser = optax.adam(self.rate)

        def loss(angle: Array, x: Array, label: Array) -> Array:
            return ((self._answers(x, circuit._replace(angle=angle), number) - label) ** 2).mean()

        def step(carry: tuple, i: Array) -> tuple[tuple, None]:
            angle, state = carry
            slope = jax.grad(loss)(angle, slices[0][i % count], slices[1][i % count])
            update, state = optimiser.update(slope, state)
            return (angle + update, state), None

        carry = (circuit.angle, optimiser.init(circuit.angle))
        return jax.lax.scan(step, carry, jnp.arange(self.steps))[0][0]

    def _state(self, x: Array, circuit: Circuits, number: Array) -> Array:
        added = jnp.concatenate([jnp.zeros(1), x])[number]
        return simulator.state(circuit._replace(angle=circuit.angle + added), self.qubits)

    def _answers(self, x: Array, circuit: Circuits, number: Array) -> Array:
        """<Z> on qubit 0, [N]."""
        psi = jax.vmap(lambda each: self._state(each, circuit, number))(jnp.asarray(x))
        chance = psi.real**2 + psi.imag**2
        half = chance.shape[1] // 2
        return chance[:, :half].sum(1) - chance[:, half:].sum(1)


@partial(jax.jit, static_argnums=0)
def _evaluate(domain: QuantumClassifier, solutions: Array) -> Evaluation:
    circuits, number = domain.trained(solutions)
    judges = digits.load(domain.split, domain.numbers, domain.pair)
    answers = jax.vmap(partial(domain._answers, judges.numbers))(circuits, number)
    accuracy = 100 * ((answers > 0) == (judges.labels > 0)).mean(1)
    probes = jnp.asarray(judges.numbers[:_PROBES])
    psi = jax.vmap(lambda circuit, which: jax.vmap(lambda x: domain._state(x, circuit, which))(probes))(circuits, number)
    costs = gates.costs(circuits, domain.qubits)
    entangled = entanglement(psi, domain.qubits).mean(1)
    features = {"gates": costs.gates, "depth": costs.depth, "two_qubit": costs.two_qubit, "entanglement": entangled}
    features |= {"shape": jnp.stack([costs.gates, entangled], 1), "angles": circuits.angle}
    return Evaluation(accuracy, features)


def entanglement(psi: Array, qubits: int) -> Array:
    """Meyer and Wallach's Q = 2 (1 - mean purity of the single qubits).

    Args:
        psi: [..., 2^n].
        qubits: n.

    Returns:
        [...] between 0 and 1.
    """
    purities = []
    for qubit in range(qubits):
        parts = psi.reshape(*psi.shape[:-1], 2**qubit, 2, -1)
        rho = jnp.einsum("...aib,...ajb->...ij", parts, parts.conj())
        purities.append((rho.real**2 + rho.imag**2).sum((-2, -1)))
    return 2 * (1 - sum(purities) / qubits)
