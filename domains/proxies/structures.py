"""Three forms of an expression, each a list of whole numbers of fixed length: linear, branch, graph (EMQ).

All are read into one table: I inputs (statistics), then N nodes (operation, first, second), each of which looks at slots
before it; slot i < I is an input, slot I + n node n. The last node is the expression.

B expressions, G genes, T statistics.
"""

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from domains.proxies.operations import BINARY, OPERATIONS, UNARY, format_operation, priorities
from domains.proxies.record import NAMES
from qd.support.spelling import unknown
from qd.types import Array


class Node(NamedTuple):
    """Where a node is read from: genes by their number, or slots that the form itself fixes (as ~slot, below 0)."""

    operation: int  # a gene
    shift: int  # added to it: OPERATIONS begin with UNARY
    first: int
    second: int


class Expressions(NamedTuple):
    """Expressions as tables."""

    inputs: Array  # [B, I]
    nodes: Array  # [B, N, 3]


@dataclass(frozen=True)
class Structure:
    """A form. Every list of genes within ``space`` is an expression of it."""

    name: str
    inputs: int  # I
    nodes: tuple[Node, ...]
    options: tuple[tuple[str, ...] | int, ...]  # of each gene after the inputs: operations, or how many slots there are

    @property
    def space(self) -> tuple[int, ...]:
        """How many options each gene has, [G]."""
        return (len(NAMES),) * self.inputs + tuple(o if isinstance(o, int) else len(o) for o in self.options)

    @property
    def slots(self) -> int:
        """I + N, inputs and nodes."""
        return self.inputs + len(self.nodes)

    @property
    def owners(self) -> tuple[int, ...]:
        """The slot that each gene belongs to, [G]."""
        of = list(range(self.inputs)) + [0] * len(self.options)
        for slot, node in enumerate(self.nodes, self.inputs):
            for gene in (node.operation, node.first, node.second):
                if gene >= 0:
                    of[gene] = slot
        return tuple(of)

    @property
    def cumulative_priorities(self) -> np.ndarray:
        """Where the options of each gene end when one is drawn by its priority, [G, most options]; 1 beyond the last."""
        ends = np.ones((len(self.space), max(self.space)), np.float32)
        per_gene = list(self.space[: self.inputs]) + list(self.options)
        for row, options in zip(ends, per_gene, strict=True):
            likely = np.full(options, 1 / options) if isinstance(options, int) else np.array(priorities(options))
            row[: len(likely) - 1] = np.cumsum(likely)[:-1]
        return ends

    def read(self, solutions: Array) -> Expressions:
        """Reads genes [B, G] as B expressions."""
        xp = solutions.__array_namespace__()
        slot = lambda gene: solutions[:, gene] if gene >= 0 else xp.full(len(solutions), ~gene, dtype=solutions.dtype)
        columns = [(solutions[:, n.operation] + n.shift, slot(n.first), slot(n.second)) for n in self.nodes]
        return Expressions(solutions[:, : self.inputs], xp.stack([xp.stack(c, axis=1) for c in columns], axis=1))

    def below(self, expressions: Expressions, slot: Array) -> Array:
        """Finds the slots that the expression under a slot depends on, itself among them.

        Args:
            expressions: B of them.
            slot: [B].

        Returns:
            bool [B, slots].
        """
        xp = expressions.nodes.__array_namespace__()
        places = xp.arange(self.slots)
        used = places == slot[:, None]
        for n in reversed(range(len(self.nodes))):
            code, first, second = (expressions.nodes[:, n, i] for i in range(3))
            here = used[:, self.inputs + n][:, None]
            both = (code >= len(UNARY))[:, None]
            used = used | (here & ((places == first[:, None]) | (both & (places == second[:, None]))))
        return used

    def formulas(self, solutions: np.ndarray) -> list[str]:
        """Writes each expression as a formula."""
        expressions = self.read(np.asarray(solutions))
        formulas = []
        for inputs, nodes in zip(expressions.inputs, expressions.nodes, strict=True):
            words = [NAMES[i] for i in inputs]
            for code, first, second in nodes:
                words.append(format_operation(int(code), words[first], words[second]))
            formulas.append(words[-1])
        return formulas


def _linear() -> Structure:
    chain = tuple(Node(1 + n, 0, ~n, ~n) for n in range(4))
    return Structure("linear", 1, chain, (UNARY,) * 4)


def _branch() -> Structure:
    """Two inputs, two operations on each, one on both, one on what comes out."""
    u = len(UNARY)
    nodes = (
        Node(2, 0, ~0, ~0), Node(3, 0, ~2, ~2), Node(4, 0, ~1, ~1), Node(5, 0, ~4, ~4), Node(6, u, ~3, ~5), Node(7, 0, ~6, ~6)
    )  # fmt: skip
    return Structure("branch", 2, nodes, (*(UNARY,) * 4, BINARY, UNARY))


def _graph(inputs: int = 3, nodes: int = 5) -> Structure:
    genes = [3 * n + inputs for n in range(nodes)]
    options = [option for n in range(nodes) for option in (OPERATIONS, inputs + n, inputs + n)]
    return Structure("graph", inputs, tuple(Node(g, 0, g + 1, g + 2) for g in genes), tuple(options))


STRUCTURES = {structure.name: structure for structure in (_linear(), _branch(), _graph())}


def structure_by_name(name: str) -> Structure:
    """Returns a form. Raises ValueError where there is none of that name."""
    if name not in STRUCTURES:
        raise unknown("structure", name, STRUCTURES)
    return STRUCTURES[name]
