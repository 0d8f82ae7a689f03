"""RethinkMCTS (Li et al. 2024, https://arxiv.org/abs/2409.09584): a tree over thoughts, and wrong ones thought again.

A node is one step of thought; a program is written from the thoughts from the root to a node. Leaves are chosen by P-UCB. Where
the program fails its tests, their feedback is shown and the step most at fault is rewritten in place: rethinking.
"""

import re
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from domains.programs import Programs
from domains.programs.code import extract, into_frame
from domains.programs.emitters.evolve import check_domain, objects_of
from domains.programs.emitters.plans import lines
from qd import keys
from qd.types import Array, Batch, Elites, Memory, Offspring

_STEP = re.compile(r"STEP\s*(\d+)\s*[:.)-]\s*(.+)", re.IGNORECASE | re.DOTALL)


class Thought(NamedTuple):
    """One step of thought."""

    parent: int  # -1: the root, which has no thought
    thought: str
    prior: float
    visits: int = 0
    value: float = 0.0  # best reward at it or below it
    feedback: str = ""  # of its own program
    rethought: int = 0


class Tree(NamedTuple):
    """What RethinkMCTS remembers."""

    nodes: tuple[Thought, ...]
    pending: int = 0  # the node of the program that is being evaluated


@dataclass(frozen=True)
class RethinkMCTS:
    """One program a generation: select, expand (or rethink), write, evaluate, back up.

    P-UCB: value + c · prior · sqrt(log N) / (1 + n), value scaled to 0..1 by the domain's objective range.
    """

    domain: Programs
    width: int = 3  # thoughts of an expansion
    exploration: float = 1.0  # c
    depth: int = 6  # thoughts of a program, at most
    rethinks: int = 1  # of one node, at most
    batch_size: int = 1
    pure: bool = False

    def __post_init__(self) -> None:
        check_domain(self.domain)

    def init(self, key: Array, elites: Elites) -> Memory:
        """Begins with the root; arguments as in ``Emitter``.

        Returns:
            The tree.
        """
        return Tree((Thought(-1, "", 1.0),))

    def ask(self, key: Array, memory: Memory, elites: Elites) -> tuple[Memory, Offspring]:
        """Takes one step of the search.

        Args:
            key: of the model's samples.
            memory: the tree.
            elites: unused.

        Returns:
            The tree with new thoughts, and one source.
        """
        think_key, code_key = keys.split(key)
        last = memory.nodes[memory.pending]
        is_wrong = memory.pending > 0 and last.feedback and last.rethought < self.rethinks
        memory = self._rethink(think_key, memory) if is_wrong else self._expand(think_key, memory, self._select(memory))
        steps = _numbered(path(memory.nodes, memory.pending))
        prompt = self.domain.coder.prompt("code", **self._task, plan=steps)
        (reply,) = self.domain.coder.ask(code_key, [prompt], "code")
        child = extract(reply, language=self.domain.problem.language)
        child = into_frame(self.domain.problem.initial[0], child) if self.domain.problem.initial else child
        self.domain.journal.note_origin(child, "rethink" if is_wrong else "thoughts")
        return memory, Offspring(objects_of([child]), np.zeros((1, 0), np.int64))

    def tell(self, memory: Memory, batch: Batch) -> Memory:
        """Backs the reward up, and notes the feedback on the program.

        Args:
            memory: the tree.
            batch: one program, evaluated.

        Returns:
            The tree.
        """
        reward = self._scale(float(batch.evaluation.objective[0]))
        record = self.domain.journal.find(str(batch.solutions[0]))
        words = record.words if record and reward < 1 else ""
        nodes = list(memory.nodes)
        nodes[memory.pending] = nodes[memory.pending]._replace(feedback=words)
        at = memory.pending
        while at >= 0:
            nodes[at] = nodes[at]._replace(visits=nodes[at].visits + 1, value=max(nodes[at].value, reward))
            at = nodes[at].parent
        return memory._replace(nodes=tuple(nodes))

    def _select(self, tree: Tree) -> int:
        """Follows the largest P-UCB from the root to a node without children, or as deep as thoughts may go."""
        at, depth = 0, 0
        while depth < self.depth and (children := [i for i, node in enumerate(tree.nodes) if node.parent == at]):
            total = max(1, tree.nodes[at].visits)
            scores = [self._p_ucb(tree.nodes[i], total) for i in children]
            at, depth = children[int(np.argmax(scores))], depth + 1
        return at if depth < self.depth else tree.nodes[at].parent

    def _p_ucb(self, node: Thought, total: int) -> float:
        return node.value + self.exploration * node.prior * np.sqrt(np.log(total + 1)) / (1 + node.visits)

    def _expand(self, key: Array, tree: Tree, at: int) -> Tree:
        node = tree.nodes[at]
        words = f"Feedback on the program of these steps: {node.feedback[:800]}" if node.feedback else ""
        steps = _numbered(path(tree.nodes, at)) or "(none yet)"
        prompt = self.domain.coder.prompt("think", **self._task, steps=steps, feedback=words, count=self.width)
        (reply,) = self.domain.coder.ask(key, [prompt], "think")
        thoughts = lines(reply)[: self.width] or ["Solve the task directly."]
        weights = 1 / np.arange(1, len(thoughts) + 1)  # the most promising first
        new = [Thought(at, thought, float(w)) for thought, w in zip(thoughts, weights / weights.sum(), strict=True)]
        return tree._replace(nodes=(*tree.nodes, *new), pending=len(tree.nodes))

    def _rethink(self, key: Array, tree: Tree) -> Tree:
        """Rewrites the step most at fault among those of the last program; the tree below it keeps its place."""
        at = tree.pending
        places = place_path(tree.nodes, at)
        steps, words = _numbered(path(tree.nodes, at)), tree.nodes[at].feedback[:800]
        (reply,) = self.domain.coder.ask(
            key, [self.domain.coder.prompt("rethink", **self._task, steps=steps, feedback=words)], "rethink"
        )
        match = _STEP.search(reply or "")
        number = min(max(int(match[1]), 1), len(places)) if match else len(places)
        text = (match[2] if match else reply or "").strip().splitlines()
        nodes = list(tree.nodes)
        which = places[number - 1]
        nodes[which] = nodes[which]._replace(thought=text[0] if text else nodes[which].thought)
        nodes[at] = nodes[at]._replace(rethought=nodes[at].rethought + 1)
        return tree._replace(nodes=tuple(nodes))

    def _scale(self, objective: float) -> float:
        if np.isnan(objective):
            return 0.0
        low, high = self.domain.objective_range or (0.0, 1.0)
        return float(np.clip((objective - low) / (high - low), 0, 1))

    @property
    def _task(self) -> dict[str, str]:
        return {"task": self.domain.problem.statement, "language": self.domain.problem.language}


def place_path(nodes: tuple[Thought, ...], at: int) -> list[int]:
    """Returns the nodes from below the root to one.

    Args:
        nodes: of the tree.
        at: the last of them.
    """
    places = []
    while nodes[at].parent >= 0:
        places.append(at)
        at = nodes[at].parent
    return places[::-1]


def path(nodes: tuple[Thought, ...], at: int) -> list[str]:
    """Returns the thoughts from the root to a node; arguments as in ``place_path``."""
    return [nodes[i].thought for i in place_path(nodes, at)]


def _numbered(steps: list[str]) -> str:
    return "\n".join(f"{i}. {step}" for i, step in enumerate(steps, 1))
