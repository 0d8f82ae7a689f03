"""PlanSearch (Wang et al. 2024, https://arxiv.org/abs/2409.03733): search over ideas in words, then code.

A tree of two layers: observations about the task; from every subset of at most S of them new observations; a plan in
plain words for every subset of those; its criticism and a second plan that heeds it; pseudocode; code. The paper writes
all programs of the tree; here a generation visits a random part of it that no earlier one has visited, so that any budget
is a sample without repetition.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import NamedTuple

import numpy as np

from domains.programs import Programs
from domains.programs.code import extract, into_frame
from domains.programs.emitters.evolve import check_counts, check_domain, objects_of
from qd import keys
from qd.types import Array, Batch, Elites, Memory, Offspring

_BULLET = re.compile(r"[-*•]+\s*|\d+[.)]\s+")
Subset = tuple[str, ...]  # of observations


class Ideas(NamedTuple):
    """What PlanSearch remembers."""

    first: Subset = ()  # observations of the task
    derived: Subset = ()  # of subsets of those
    unexplored: tuple[Subset, ...] = ()  # subsets of the first layer from which nothing is derived yet, in random order
    unplanned: tuple[Subset, ...] = ()  # subsets that have no plan yet, in random order
    planned: tuple[Subset, ...] = ()


@dataclass(frozen=True)
class PlanSearch:
    """Each generation derives observations from one more subset, then writes B programs of subsets that have no plan yet."""

    domain: Programs
    batch_size: int = 4
    count: int = 10  # observations of one call
    subset: int = 2  # observations of a subset, at most (S)
    criticism: bool = True  # each plan is criticised, and a second one follows from that
    pseudocode: bool = True  # between a plan and its program
    pure: bool = False

    def __post_init__(self) -> None:
        check_domain(self.domain)
        check_counts(batch_size=self.batch_size, count=self.count, subset=self.subset)

    def init(self, key: Array, elites: Elites) -> Memory:
        """Begins without observations; arguments as in ``Emitter``."""
        return Ideas()

    def ask(self, key: Array, memory: Memory, elites: Elites) -> tuple[Memory, Offspring]:
        """Observes, derives, plans and writes.

        Args:
            key: of the draws and of the model's samples.
            memory: observations so far.
            elites: unused: ideas, not programs, are varied.

        Returns:
            The memory with new observations, and B sources without parents.
        """
        observe_key, explore_key, plan_key, code_key = keys.split(key, 4)
        if not memory.first:
            first = self._lines(observe_key, self._prompt("observe", count=self.count))
            memory = memory._replace(first=first, unexplored=_shuffled(explore_key, subsets(first, self.subset)))
        n = -(-self.batch_size // 2) if self.criticism else self.batch_size
        memory = self._explore(explore_key, memory, n)
        chosen = (
            *memory.unplanned[:n],
            *[()] * (n - len(memory.unplanned)),
        )  # a tree that is used up: plans without observations
        memory = memory._replace(unplanned=memory.unplanned[n:], planned=(*memory.planned, *chosen))
        plans = self._plans(plan_key, chosen)[: self.batch_size]
        replies = self._programs(code_key, plans)
        children = [self._child(reply) for reply in replies]
        for child in children:
            self.domain.journal.note_origin(child, "plan")
        return memory, Offspring(objects_of(children), np.zeros((len(children), 0), np.int64))

    def tell(self, memory: Memory, batch: Batch) -> Memory:
        """Learns nothing; arguments as in ``Emitter``."""
        return memory

    def _explore(self, key: Array, memory: Ideas, n: int) -> Ideas:
        """Derives from one subset, and from more while fewer than n subsets wait for a plan."""
        for number, each in enumerate(memory.unexplored):
            if number and len(memory.unplanned) >= n:
                break
            key, derive_key, order_key = keys.split(key, 3)
            new = self._lines(derive_key, self._prompt("combine", observations=_bullets(each), count=self.count))
            known = {*memory.unplanned, *memory.planned}
            fresh = [subset for subset in dict.fromkeys((each, *subsets(new, self.subset))) if subset not in known]
            memory = memory._replace(
                derived=tuple(dict.fromkeys((*memory.derived, *new))),
                unexplored=memory.unexplored[1:],
                unplanned=_shuffled(order_key, [*memory.unplanned, *fresh]),
            )
        return memory

    def _plans(self, key: Array, chosen: Sequence[Subset]) -> list[str]:
        plan_key, criticise_key, correct_key = keys.split(key, 3)
        shown = [_bullets(each) or "(none)" for each in chosen]
        plans = self._ask(plan_key, [self._prompt("plan", observations=each) for each in shown], "plan")
        if not self.criticism:
            return plans
        faults = self._ask(criticise_key, [self._prompt("criticise", plan=plan) for plan in plans], "criticise")
        both = [self._prompt("correct", plan=plan, feedback=words) for plan, words in zip(plans, faults, strict=True)]
        others = self._ask(correct_key, both, "correct")
        return [plan for pair in zip(plans, others, strict=True) for plan in pair]

    def _programs(self, key: Array, plans: Sequence[str]) -> list[str]:
        outline_key, code_key = keys.split(key)
        if self.pseudocode:
            plans = self._ask(outline_key, [self._prompt("pseudocode", plan=plan) for plan in plans], "pseudocode")
        return self._ask(code_key, [self._prompt("code", plan=plan) for plan in plans], "code")

    def _prompt(self, name: str, **values: object) -> str:
        problem = self.domain.problem
        return self.domain.coder.prompt(name, task=problem.statement, language=problem.language, **values)

    def _ask(self, key: Array, prompts: Sequence[str], role: str) -> list[str]:
        return [reply or "" for reply in self.domain.coder.ask(key, prompts, role)]

    def _lines(self, key: Array, prompt: str) -> Subset:
        (reply,) = self._ask(key, [prompt], "observe")
        return tuple(dict.fromkeys(lines(reply)))[: self.count]

    def _child(self, reply: str) -> str:
        child = extract(reply, language=self.domain.problem.language)
        return into_frame(self.domain.problem.initial[0], child) if self.domain.problem.initial else child


def lines(reply: str | None) -> list[str]:
    """Returns the points of a list in a reply, without bullets and numbers; all lines where it has no bullets."""
    rows = [row.strip() for row in (reply or "").splitlines() if row.strip()]
    points = [row[match.end() :].strip() for row in rows if (match := _BULLET.match(row))]
    return [point for point in points if point] or rows


def subsets(ideas: Sequence[str], most: int) -> list[Subset]:
    """Returns all subsets of at most ``most`` ideas, the empty one first.

    Args:
        ideas: observations.
        most: the largest size.
    """
    return [each for size in range(min(most, len(ideas)) + 1) for each in combinations(ideas, size)]


def _shuffled(key: Array, items: Sequence[Subset]) -> tuple[Subset, ...]:
    order = np.argsort(keys.uniform(key, (len(items),)), kind="stable") if items else []
    return tuple(items[i] for i in order)


def _bullets(ideas: Sequence[str]) -> str:
    return "\n".join(f"- {idea}" for idea in ideas)
