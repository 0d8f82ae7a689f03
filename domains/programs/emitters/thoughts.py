"""RethinkMCTS (Li et al. 2024, https://arxiv.org/abs/2409.09584): a tree over thoughts, and wrong ones thought again.

A node is one step of thought; a program is written from the thoughts from the root to a node. A rollout follows P-UCB to
a thought without a program, writes and runs it. Where tests fail, that thought is replaced in the light of their feedback
and the program written once more; where all public ones pass, the model's own opinion is a fifth of the reward. Then the
node gets new thoughts.
"""

import re
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from domains.programs import Programs
from domains.programs.code import extract, into_frame
from domains.programs.emitters.evolve import check_counts, check_domain, objects_of
from domains.programs.emitters.plans import lines
from qd import keys
from qd.types import Array, Batch, Elites, Memory, Offspring

_PRIOR = re.compile(r"^[\[(]?(0?\.\d+|[01](?:\.\d+)?)[\])]?\s*[:,-]?\s+(.+)$")
_NUMBER = re.compile(r"-?\d*\.?\d+")
_OPINION = 0.2  # share of the model's own opinion in the reward of a program that passes (the paper's b; a = 0.8)


class Thought(NamedTuple):
    """One step of thought."""

    parent: int  # -1: the root, which has no thought
    thought: str
    prior: float  # how reasonable the model finds it
    returns: int = 0  # rollouts through it
    value: float = 0.0  # the best of their discounted rewards
    reward: float = 0.0  # of its own program
    feedback: str = ""  # on that; empty: it passed, or was not run
    source: str = ""
    rethought: int = 0


class Tree(NamedTuple):
    """What RethinkMCTS remembers."""

    nodes: tuple[Thought, ...]
    pending: int = 0  # the node of the last program; 0: none


@dataclass(frozen=True)
class RethinkMCTS:
    """One program a generation. Settings are those of the paper and its code.

    P-UCB: Q + b(s) · p · sqrt(log N(s)) / (1 + N(s, a)) with b(s) = log((N(s) + base + 1) / base) + c, Q the best return.
    """

    domain: Programs
    width: int = 3  # thoughts of an expansion
    exploration: float = 4.0  # c
    base: float = 10.0
    discount: float = 0.9  # of a reward, by each step towards the root
    depth: int = 8  # thoughts of a program, at most
    rethinks: int = 1  # of one node, at most
    batch_size: int = 1
    pure: bool = False

    def __post_init__(self) -> None:
        check_domain(self.domain)
        check_counts(width=self.width, depth=self.depth, batch_size=self.batch_size)

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
        think_key, judge_key, code_key = keys.split(key, 3)
        last = memory.nodes[memory.pending]
        is_wrong = memory.pending > 0 and bool(last.feedback) and last.rethought < self.rethinks
        memory = self._rethink(think_key, memory) if is_wrong else self._next(think_key, judge_key, memory)
        steps = _numbered(path(memory.nodes, memory.pending))
        child = self._child(self._ask(code_key, self._prompt("code", plan=steps), "code"))
        self.domain.journal.note_origin(child, "rethink" if is_wrong else "thoughts")
        return memory, Offspring(objects_of([child]), np.zeros((1, 0), np.int64))

    def tell(self, memory: Memory, batch: Batch) -> Memory:
        """Notes the reward of the program and the feedback on it.

        Args:
            memory: the tree.
            batch: one program, evaluated.

        Returns:
            The tree.
        """
        reward, source = self._scale(float(batch.evaluation.objective[0])), str(batch.solutions[0])
        record = self.domain.journal.find(source)
        words = record.words if record and reward < 1 else ""
        return memory._replace(nodes=_with(memory.nodes, memory.pending, reward=reward, feedback=words, source=source))

    def _next(self, think_key: Array, judge_key: Array, tree: Tree) -> Tree:
        """Ends the last rollout (opinion, returns, new thoughts), and selects the thought of the next one."""
        if tree.pending:
            tree = self._back_up(tree, self._reward(judge_key, tree))
        if len(place_path(tree.nodes, tree.pending)) < self.depth and not _children(tree, tree.pending):
            tree = self._expand(think_key, tree, tree.pending)
        return tree._replace(pending=self._select(tree))

    def _reward(self, key: Array, tree: Tree) -> float:
        node = tree.nodes[tree.pending]
        if node.reward < 1:
            return node.reward
        steps = _numbered(path(tree.nodes, tree.pending))
        match = _NUMBER.search(self._ask(key, self._prompt("judge", steps=steps, program=node.source), "judge"))
        opinion = float(np.clip(float(match[0]), -1, 1)) if match else 0.0
        return (1 - _OPINION) * node.reward + _OPINION * opinion

    def _back_up(self, tree: Tree, reward: float) -> Tree:
        nodes, at = tree.nodes, tree.pending
        while at >= 0:
            reward *= self.discount
            nodes = _with(nodes, at, returns=nodes[at].returns + 1, value=max(nodes[at].value, reward))
            at = nodes[at].parent
        return tree._replace(nodes=nodes)

    def _select(self, tree: Tree) -> int:
        """Follows the largest P-UCB from the root to a thought without a program, or as deep as thoughts go."""
        at = 0
        while children := _children(tree, at):
            visits = 1 + tree.nodes[at].returns
            at = children[int(np.argmax([self._p_ucb(tree.nodes[i], visits) for i in children]))]
        return at

    def _p_ucb(self, node: Thought, visits: int) -> float:
        weight = np.log((visits + self.base + 1) / self.base) + self.exploration
        return node.value + weight * node.prior * np.sqrt(np.log(visits)) / (1 + node.returns)

    def _expand(self, key: Array, tree: Tree, at: int) -> Tree:
        node = tree.nodes[at]
        words = f"A program of these steps fails: {node.feedback[:800]}" if node.feedback else ""
        steps = _numbered(path(tree.nodes, at)) or "(none yet)"
        reply = self._ask(key, self._prompt("think", steps=steps, feedback=words, count=self.width), "think")
        thoughts = lines(reply)[: self.width] or ["Solve the task directly."]
        new = [Thought(at, *weighed(thought, rank)) for rank, thought in enumerate(thoughts, 1)]
        return tree._replace(nodes=(*tree.nodes, *new))

    def _rethink(self, key: Array, tree: Tree) -> Tree:
        """Replaces the thought of the last program; its new one counts as reasonable (prior 1)."""
        at = tree.pending
        steps, words = _numbered(path(tree.nodes, at)), tree.nodes[at].feedback[:800]
        prompt = self._prompt("rethink", steps=steps, feedback=words, program=tree.nodes[at].source)
        rows = lines(self._ask(key, prompt, "rethink"))
        thought = weighed(rows[0], 1)[0] if rows else tree.nodes[at].thought
        nodes = _with(tree.nodes, at, thought=thought, prior=1.0, rethought=tree.nodes[at].rethought + 1)
        return tree._replace(nodes=nodes)

    def _scale(self, objective: float) -> float:
        if np.isnan(objective):
            return 0.0
        low, high = self.domain.objective_range or (0.0, 1.0)
        return float(np.clip((objective - low) / (high - low), 0, 1))

    def _prompt(self, name: str, **values: object) -> str:
        problem = self.domain.problem
        return self.domain.coder.prompt(name, task=problem.statement, language=problem.language, **values)

    def _ask(self, key: Array, prompt: str, role: str) -> str:
        (reply,) = self.domain.coder.ask(key, [prompt], role)
        return reply or ""

    def _child(self, reply: str) -> str:
        child = extract(reply, language=self.domain.problem.language)
        return into_frame(self.domain.problem.initial[0], child) if self.domain.problem.initial else child


def weighed(line: str, rank: int) -> tuple[str, float]:
    """Returns a thought and how reasonable the model finds it, as in "0.7: use a stack"; without a number 1 / (1 + rank).

    Args:
        line: of its reply.
        rank: among the thoughts of the reply, from 1.
    """
    match = _PRIOR.match(line)
    return (match[2].strip(), min(1.0, float(match[1]))) if match else (line, 1 / (1 + rank))


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


def _children(tree: Tree, at: int) -> list[int]:
    return [i for i, node in enumerate(tree.nodes) if node.parent == at]


def _with(nodes: tuple[Thought, ...], at: int, **changes: object) -> tuple[Thought, ...]:
    return (*nodes[:at], nodes[at]._replace(**changes), *nodes[at + 1 :])


def _numbered(steps: list[str]) -> str:
    return "\n".join(f"{i}. {step}" for i, step in enumerate(steps, 1))
