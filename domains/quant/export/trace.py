"""What a network computes between its layers, read off a trace of its own forward pass.

Layers are opaque calls in it; the rest must be of the few operations that an exporter knows.
"""

from collections.abc import Callable
from functools import lru_cache
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from jax.extend import core as jex

from domains.quant.networks.layers import Network, linear
from qd.support.errors import UserError


class Step(NamedTuple):
    """One operation: a layer (its number), relu, add, sum (axes) or scale (factor)."""

    kind: str
    inputs: tuple[int, ...]  # numbers of values; 0 is the network's input
    output: int
    setting: Any = None


@lru_cache(maxsize=8)
def steps(network: Network) -> tuple[tuple[Step, ...], int]:
    """Returns the steps of a forward pass and the number of the value it gives.

    Raises:
        ValueError: the network does something between its layers that no exporter here carries.
    """
    layers = network.layers

    def apply(i: int, x: Any) -> Any:
        def layer(x: Any) -> Any:
            return linear(layers[i], x, jnp.zeros(layers[i].shape)) + jnp.zeros(layers[i].shape[-1])

        layer.__name__ = f"layer{i}"
        return jax.jit(layer)(x)

    program = jax.make_jaxpr(lambda x: network.forward(apply, x))(jnp.zeros((2, *layers[0].inputs), jnp.float32))
    reader = _Reader()
    (result,) = reader.read(program.jaxpr, [0])
    return tuple(reader.steps), result


class _Reader:
    """Walks equations; values are numbers, literals are floats."""

    def __init__(self) -> None:
        self.steps: list[Step] = []
        self.last = 0

    def read(self, jaxpr: jex.Jaxpr, inputs: list[Any]) -> list[Any]:
        values = dict(zip(map(id, jaxpr.invars), inputs, strict=True))
        value = lambda var: float(var.val) if isinstance(var, jex.Literal) else values[id(var)]
        for equation in jaxpr.eqns:
            outputs = self._equation(equation, [value(var) for var in equation.invars])
            values |= dict(zip(map(id, equation.outvars), outputs, strict=True))
        return [value(var) for var in jaxpr.outvars]

    def _equation(self, equation: Any, values: list[Any]) -> list[Any]:
        kind, settings = equation.primitive.name, equation.params
        name = str(settings.get("name", ""))
        if name.startswith("layer") and name[5:].isdigit():
            return [self._step("layer", values[:1], int(name[5:]))]
        inner = settings.get("jaxpr") or settings.get("call_jaxpr")
        if inner is not None:
            return self.read(inner.jaxpr if isinstance(inner, jex.ClosedJaxpr) else inner, values)
        operations: dict[str, Callable[[], int] | None] = {
            "max": lambda: self._step("relu", values[:1]) if values[1] == 0.0 and _is_value(values[0]) else self._no(kind),
            "add": lambda: self._step("add", values) if all(map(_is_value, values)) else self._no(kind),
            "reduce_sum": lambda: self._step("sum", values, tuple(settings["axes"])),
            "div": lambda: self._step("scale", values[:1], 1 / values[1]) if not _is_value(values[1]) else self._no(kind),
        }
        make = operations.get(kind)
        return [make() if make else self._no(kind)]

    def _no(self, kind: str) -> int:
        raise UserError(
            f"between its layers the network computes {kind!r}, which the ONNX exporter does not carry (it knows ReLU, sums "
            "and means); for transformers type --format qwix"
        )

    def _step(self, kind: str, inputs: list[int], setting: Any = None) -> int:
        self.last += 1
        self.steps.append(Step(kind, tuple(inputs), self.last, setting))
        return self.last


def _is_value(value: Any) -> bool:
    return isinstance(value, int)
