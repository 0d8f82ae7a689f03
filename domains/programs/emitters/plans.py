"""PlanSearch (Wang et al. 2024, https://arxiv.org/abs/2409.03733): search over ideas in words, then code.

A program takes up to four calls: observations about the task, new ones derived from a subset of them, a plan in plain words
from a subset of all, and the code of the plan. Observations are shared by the children of a generation.
"""

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from domains.programs import Programs
from domains.programs.code import extract, into_frame
from domains.programs.emitters.evolve import check_domain, objects_of
from qd import keys
from qd.types import Array, Batch, Elites, Memory, Offspring


class Ideas(NamedTuple):
    """What PlanSearch remembers."""

    first: tuple[str, ...]  # observations of the task
    derived: tuple[str, ...]  # of subsets of those


@dataclass(frozen=True)
class PlanSearch:
    """Each generation: a few new observations, then B plans of random subsets of all so far, then B programs.

    The paper takes all subsets of at most two observations, twice; here subsets are drawn, as many as the budget allows.
    """

    domain: Programs
    batch_size: int = 4
    count: int = 4  # observations of one call
    subset: int = 2  # observations of one plan, at most
    most: int = 40  # observations that are remembered of each kind
    pure: bool = False

    def __post_init__(self) -> None:
        check_domain(self.domain)

    def init(self, key: Array, elites: Elites) -> Memory:
        """Begins without observations; arguments as in ``Emitter``."""
        return Ideas((), ())

    def ask(self, key: Array, memory: Memory, elites: Elites) -> tuple[Memory, Offspring]:
        """Observes, derives, plans and writes.

        Args:
            key: of the draws and of the model's samples.
            memory: observations so far.
            elites: unused: ideas, not programs, are varied.

        Returns:
            The memory with new observations, and B sources without parents.
        """
        observe_key, draw_key, derive_key, subset_key, plan_key, code_key = keys.split(key, 6)
        coder, task = self.domain.coder, self._task
        first, derived = list(memory.first), list(memory.derived)
        if not first:
            first = self._lines(observe_key, coder.prompt("observe", **task, count=self.count))
        else:
            some = _bullets(_subset(draw_key, first, self.subset))
            derived += self._lines(derive_key, coder.prompt("combine", **task, observations=some, count=self.count))
        memory = Ideas(tuple(dict.fromkeys(first))[-self.most :], tuple(dict.fromkeys(derived))[-self.most :])
        ideas = [*memory.first, *memory.derived]
        subsets = [_subset(each, ideas, self.subset) for each in keys.split(subset_key, self.batch_size)]
        questions = [coder.prompt("plan", **task, observations=_bullets(each)) for each in subsets]
        plans = coder.ask(plan_key, questions, "plan")
        replies = coder.ask(code_key, [coder.prompt("code", **task, plan=plan or "") for plan in plans], "code")
        children = [self._child(reply) for reply in replies]
        for child in children:
            self.domain.journal.note_origin(child, "plan")
        return memory, Offspring(objects_of(children), np.zeros((len(children), 0), np.int64))

    def tell(self, memory: Memory, batch: Batch) -> Memory:
        """Learns nothing; arguments as in ``Emitter``."""
        return memory

    @property
    def _task(self) -> dict[str, str]:
        return {"task": self.domain.problem.statement, "language": self.domain.problem.language}

    def _lines(self, key: Array, prompt: str) -> list[str]:
        (reply,) = self.domain.coder.ask(key, [prompt], "observe")
        return lines(reply)[: self.count]

    def _child(self, reply: str | None) -> str:
        child = extract(reply, language=self.domain.problem.language)
        return into_frame(self.domain.problem.initial[0], child) if self.domain.problem.initial else child


def lines(reply: str | None) -> list[str]:
    """Returns the points of a list in a reply, without bullets and numbers; all lines where it has no bullets."""
    rows = [row.strip() for row in (reply or "").splitlines() if row.strip()]
    points = [row.lstrip("-*•0123456789.) ").strip() for row in rows if row[0] in "-*•" or row[:1].isdigit()]
    return [point for point in points if point] or rows


def _subset(key: Array, ideas: list[str], n: int) -> list[str]:
    """Draws 1 to n different ideas."""
    if not ideas:
        return []
    size_key, order_key = keys.split(key)
    size = 1 + int(keys.integers(size_key, (1,), 0, n)[0])
    order = np.argsort(keys.uniform(order_key, (len(ideas),)), kind="stable")
    return [ideas[i] for i in sorted(order[:size])]


def _bullets(ideas: list[str]) -> str:
    return "\n".join(f"- {idea}" for idea in ideas)
