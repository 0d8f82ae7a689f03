"""Operators: which programs a prompt shows, what it asks for, and what becomes of the reply.

Each is settings only. P parents of one child.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple, Protocol

import numpy as np

from domains.programs.code import apply_edits, extract, fault_of, into_frame
from domains.programs.coder import Coder
from domains.programs.journal import ProgramJournal
from domains.programs.problem import Problem
from domains.text.lmx import near
from qd import keys
from qd.types import Array

_SHOWN = 1_200  # characters of feedback in a prompt


class ParentPool(NamedTuple):
    """Programs to choose parents from."""

    ids: np.ndarray  # [N]
    sources: np.ndarray  # [N] objects
    objective: np.ndarray  # [N]
    place: np.ndarray  # [N, M] in cells, or in measures
    faulty: tuple[tuple[int, str], ...] = ()  # (id, source) of the last ones that failed


class Context(NamedTuple):
    """What an operator may use."""

    coder: Coder
    problem: Problem
    journal: ProgramJournal


class Parent(NamedTuple):
    """One program that a prompt shows."""

    id: int
    source: str
    objective: float


class Operator(Protocol):
    """One way to make a child."""

    @property
    def name(self) -> str:
        """For prompts, reports and the journal."""
        ...

    def parents(self, key: Array, pool: ParentPool) -> list[Parent]:
        """Chooses P parents.

        Args:
            key: of the draws.
            pool: the programs, at least one.
        """
        ...

    def prompt(self, context: Context, parents: Sequence[Parent]) -> str:
        """Returns the prompt.

        Args:
            context: coder, problem and journal.
            parents: [P].
        """
        ...

    def child(self, context: Context, parents: Sequence[Parent], reply: str | None) -> str:
        """Returns the source that a reply stands for; one that says why where it is of no use.

        Args:
            context: coder, problem and journal.
            parents: [P].
            reply: of the model.
        """
        ...


class _Whole:
    """Replies that hold a whole program."""

    def child(self, context: Context, parents: Sequence[Parent], reply: str | None) -> str:
        """Returns the source that a reply stands for.

        Args:
            context: coder, problem and journal.
            parents: [P].
            reply: of the model.
        """
        child = extract(reply, language=context.problem.language)
        return into_frame(parents[0].source, child) if parents else child


@dataclass(frozen=True)
class Write(_Whole):
    """A program from the task alone, without parents: repeated sampling."""

    name: str = "write"

    def parents(self, key: Array, pool: ParentPool) -> list[Parent]:
        """Chooses the parents.

        Args:
            key: of the draws.
            pool: the programs.
        """
        return []

    def prompt(self, context: Context, parents: Sequence[Parent]) -> str:
        """Returns the prompt.

        Args:
            context: coder, problem and journal.
            parents: [P].
        """
        return context.coder.prompt("write", **_task(context))


@dataclass(frozen=True)
class RewriteCode(_Whole):
    """One elite is written once more, better."""

    name: str = "rewrite"

    def parents(self, key: Array, pool: ParentPool) -> list[Parent]:
        """Chooses the parents; arguments as in ``Write``."""
        return _draw(key, pool, 1)

    def prompt(self, context: Context, parents: Sequence[Parent]) -> str:
        """Returns the prompt; arguments as in ``Write``."""
        return context.coder.prompt("rewrite", **_task(context), **_shown(context, parents[0]))


@dataclass(frozen=True)
class Diff:
    """One elite is changed by search-and-replace blocks, applied exactly or not at all; a whole program is a rewrite."""

    name: str = "diff"

    def parents(self, key: Array, pool: ParentPool) -> list[Parent]:
        """Chooses the parents; arguments as in ``Write``."""
        return _draw(key, pool, 1)

    def prompt(self, context: Context, parents: Sequence[Parent]) -> str:
        """Returns the prompt; arguments as in ``Operator``."""
        return context.coder.prompt("diff", **_task(context), **_shown(context, parents[0]))

    def child(self, context: Context, parents: Sequence[Parent], reply: str | None) -> str:
        """Returns the source that a reply stands for; arguments as in ``Operator``."""
        return apply_edits(parents[0].source, reply, context.problem.language)


@dataclass(frozen=True)
class Crossover(_Whole):
    """Two elites, drawn evenly, become one program."""

    name: str = "crossover"

    def parents(self, key: Array, pool: ParentPool) -> list[Parent]:
        """Chooses the parents; arguments as in ``Write``."""
        return _draw(key, pool, 2)

    def prompt(self, context: Context, parents: Sequence[Parent]) -> str:
        """Returns the prompt; arguments as in ``Write``."""
        other = parents[-1].source
        return context.coder.prompt("crossover", **_task(context), **_shown(context, parents[0]), other=other)


@dataclass(frozen=True)
class Repair(_Whole):
    """A program that failed, with its error or failing case; where none has failed, an elite that is not the best."""

    name: str = "repair"

    def parents(self, key: Array, pool: ParentPool) -> list[Parent]:
        """Chooses the parents; arguments as in ``Write``."""
        usable = [(number, source) for number, source in pool.faulty if not fault_of(source)]
        if usable:
            number, source = usable[keys.integers(key, (1,), 0, len(usable))[0]]
            return [Parent(number, source, float("nan"))]
        worse = np.flatnonzero(pool.objective < pool.objective.max())
        return _draw(key, pool, 1, worse if len(worse) else None)

    def prompt(self, context: Context, parents: Sequence[Parent]) -> str:
        """Returns the prompt; arguments as in ``Write``."""
        return context.coder.prompt("repair", **_task(context), **_shown(context, parents[0]))


@dataclass(frozen=True)
class NearCode(_Whole):
    """Language-model crossover of an elite and others near it on the map, p ~ 1 / (1 + d³) (LMX-Near of QDAIF)."""

    shots: int = 3
    name: str = "near"

    def parents(self, key: Array, pool: ParentPool) -> list[Parent]:
        """Chooses the parents; arguments as in ``Write``."""
        return [_parent(pool, i) for i in near(key, pool.place, self.shots)]

    def prompt(self, context: Context, parents: Sequence[Parent]) -> str:
        """Returns the prompt; arguments as in ``Write``."""
        language, worst_first = context.problem.language, sorted(parents, key=lambda parent: parent.objective)
        shown = [f"Score {each.objective:.4g}:\n```{language}\n{each.source.rstrip()}\n```" for each in worst_first]
        return context.coder.prompt("near", **_task(context), programs="\n\n".join(shown))


def feedback(context: Context, source: str) -> str:
    """Returns the feedback of a program's evaluation, for a prompt.

    Args:
        context: with the journal.
        source: of the program.
    """
    record = context.journal.find(source)
    return f"Feedback: {record.words[:_SHOWN]}" if record and record.words else ""


def _task(context: Context) -> dict[str, str]:
    return {"task": context.problem.statement, "language": context.problem.language}


def _shown(context: Context, parent: Parent) -> dict[str, str]:
    score = "none: it failed" if np.isnan(parent.objective) else f"{parent.objective:.6g}"
    return {"program": parent.source, "score": score, "feedback": feedback(context, parent.source)}


def _draw(key: Array, pool: ParentPool, n: int, among: np.ndarray | None = None) -> list[Parent]:
    """Draws n parents evenly, different ones where there are enough."""
    indices = np.arange(len(pool.ids)) if among is None else among
    order = np.argsort(keys.uniform(key, (len(indices),)), kind="stable")
    return [_parent(pool, int(indices[order[i % len(order)]])) for i in range(n)]


def _parent(pool: ParentPool, i: int) -> Parent:
    return Parent(int(pool.ids[i]), str(pool.sources[i]), float(pool.objective[i]))
