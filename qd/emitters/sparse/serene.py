"""SERENE (Paolo et al. 2021, arXiv 2102.03140): explore by novelty, then climb from every reward that was found.

Chunks of evaluations go in turn to a novelty search and to local searches, here called climbers. Whoever is paid
becomes a candidate, most novel first; a short test keeps those that improve; of the kept ones one is drawn from the
Pareto front of (novelty, improvement) and climbs until it stands still. With TAXONS as explorer it is STAX (Paolo et
al. 2021, arXiv 2111.01919).
"""

from dataclasses import dataclass, field
from typing import Any, NamedTuple

import numpy as np

from qd import keys
from qd.emitters import selection
from qd.emitters.novelty import NoveltySearch, Seen
from qd.emitters.selection import Known
from qd.emitters.sparse import climbing
from qd.emitters.sparse.climbing import Climb, Climber, Elitist
from qd.emitters.sparse.phases import EXPLOIT, EXPLORE, START, Phases, Record
from qd.support.errors import UserError
from qd.types import Array, Batch, Elites, Offspring, Rows

_WAITING = 100  # candidates at most, where some wait


class Memory(NamedTuple):
    key: Array  # for the draws of the next tell
    seen: Seen  # what the explorer remembers; its archive gets what climbers found novel
    rewarded: Known  # the reward archive
    spawned: Array  # ids that have been candidates
    candidates: tuple[Climber, ...] = ()
    climbers: tuple[Climber, ...] = ()
    now: Climber | None = None  # who climbs; None while exploring
    testing: bool = False
    left: int = 0  # evaluations of this chunk
    gain: int = 0  # climbers that this chunk has brought
    insisted: bool = False  # one of those that wait has had its turn in this chunk
    record: Record = START
    chunks: int = 0  # of exploration, done
    explored: int = 0  # evaluations
    exploited: int = 0


@dataclass(frozen=True)
class Serene:
    """Rewards must be sparse: 0 for most, and never below."""

    explorer: NoveltySearch = field(default_factory=NoveltySearch)
    phases: Phases = field(default_factory=Phases)
    climb: Climb = field(default_factory=Elitist)
    chunk: int = 1000  # evaluations
    trial: int = 5  # steps of a candidate's test, after its first 6 rows
    reserved: float = 1 / 3  # of a chunk, for climbers that have passed
    added: int = 5  # of what a climber found novel, when it ends, to the novelty archive
    rivals: int = 0  # who is paid less than what climbers found among so many nearest waits; 0: nobody does, as published
    pure: bool = False

    def __post_init__(self) -> None:
        if self.chunk < 1 or self.trial < 1 or not 0 <= self.reserved < 1 or self.added < 0:
            raise UserError("type chunk and trial of 1 or more, reserved from 0 to below 1, added of 0 or more")

    @property
    def needs(self) -> tuple[str, ...]:
        return self.explorer.needs

    def check(self, key: Array, solutions: Array, archive: Any) -> None:
        self.explorer.check(key, solutions, archive)

    def init(self, key: Array, elites: Elites) -> Memory:
        """Raises ValueError where rewards are not sparse."""
        (objective,) = elites.take(np.arange(elites.size), "objective")
        if (objective < 0).any() or (objective > 0).mean() > 0.5:
            what = f"{(objective > 0).sum()} are above 0, the least is {objective.min():g}"
            raise UserError(
                f"SERENE exploits rare rewards, but of {len(objective)} elites' objectives {what}: they are no sparse reward; "
                "type domain=redundant_arm, maze_areas or curling, or another emitter"
            )
        seen = self.explorer.init(key, elites)
        memory = Memory(key, seen, seen.archive, np.zeros(0, np.int64), left=self.chunk)
        return self._with_candidates(memory, seen.population, seen.population)

    def ask(self, key: Array, memory: Memory, elites: Elites) -> tuple[Memory, Offspring]:
        if memory.now is None:
            seen, offspring = self.explorer.ask(key, memory.seen, elites)
            return memory._replace(key=seen.key, seen=seen), offspring
        vary_key, tell_key = keys.split(key)
        solutions, parents = self.climb.ask(vary_key, memory.now)
        return memory._replace(key=tell_key), Offspring(self.explorer.clipped(solutions), parents[:, None])

    def tell(self, memory: Memory, batch: Batch) -> Memory:
        children, asked = selection.of_batch(batch), len(batch.ids)
        memory = memory._replace(left=memory.left - asked)
        if memory.now is None:
            return self._explored(memory._replace(explored=memory.explored + asked), children)
        return self._exploited(memory._replace(exploited=memory.exploited + asked), children)

    def redescribe(self, memory: Memory, describe: Any) -> Memory:
        """Describes all that is remembered anew, at once; how far a climber has been is not known in the new measures."""
        now = () if memory.now is None else (memory.now,)
        climbers = memory.candidates + memory.climbers + now
        known = [*memory.seen[1:], memory.rewarded, *(k for c in climbers for k in (c.ancestor, c.people, *c.novel))]
        anew = iter(selection.redescribed(known, describe))
        seen, rewarded = Seen(memory.seen.key, next(anew), next(anew), next(anew)), next(anew)
        climbers = tuple(
            c._replace(ancestor=next(anew), people=next(anew), novel=tuple(next(anew) for _ in c.novel), far=0.0)
            for c in climbers
        )
        first, last = len(memory.candidates), len(climbers) - len(now)
        return memory._replace(
            seen=seen,
            rewarded=rewarded,
            candidates=climbers[:first],
            climbers=climbers[first:last],
            now=climbers[-1] if now else None,
        )

    def recall(self, memory: Memory) -> Rows:
        """Returns what the explorer remembers, and all that was paid."""
        seen = memory.seen
        return selection.join([seen.population, seen.archive, seen.children, memory.rewarded]).rows()

    def _explored(self, memory: Memory, children: Known) -> Memory:
        both = selection.join([memory.seen.population, children])
        memory = self._with_candidates(memory, both, both)
        seen = self.explorer.select(memory.seen, children, selection.join([memory.seen.archive, memory.rewarded]))
        memory = memory._replace(seen=seen)
        if memory.left > 0:
            return memory
        return self._next_chunk(memory._replace(chunks=memory.chunks + 1))

    def _exploited(self, memory: Memory, children: Known) -> Memory:
        """One step of the climber; then it goes on, or the next one does, or the chunk ends."""
        assert memory.now is not None
        climber, paid = climbing.best_new(self.climb.tell(memory.now, children), children)
        if paid is not None:
            memory = memory._replace(rewarded=selection.join([memory.rewarded, paid]))
        climber = self._strayed(memory, climber, children)
        if memory.testing:
            if climber.steps <= self.trial:
                return memory._replace(now=climber)
            kept = (climber,) if climber.gain > 0 else ()
            memory = memory._replace(gain=memory.gain + len(kept))
            if kept and memory.insisted:
                return memory._replace(now=climber, testing=False)
            return self._next_climber(memory._replace(climbers=memory.climbers + kept))
        if self.climb.ended(climber):
            return self._next_climber(self._ended(memory, climber))
        if memory.left > 0:
            return memory._replace(now=climber)
        return self._next_climber(memory._replace(climbers=(*memory.climbers, climber)))

    def _strayed(self, memory: Memory, climber: Climber, children: Known) -> Climber:
        """Notes the children that are more novel than all of the climber's own before."""
        if len(children.ids) == 0:
            return climber
        known = (memory.seen.population, memory.seen.archive, memory.rewarded, children)
        novel = selection.novelty(children.measures, np.concatenate([k.measures for k in known]), self.explorer.neighbours)
        farther = np.flatnonzero(novel > climber.far)
        if len(farther) == 0:
            return climber
        return climber._replace(far=float(novel.max()), novel=(*climber.novel, children.take(farther)))

    def _ended(self, memory: Memory, climber: Climber) -> Memory:
        """Gives some of what it found novel to the novelty archive."""
        if not climber.novel or self.added == 0:
            return memory
        novel = selection.join(list(climber.novel))
        chosen = np.argsort(keys.uniform(keys.split(memory.key)[1], (len(novel.ids),)), kind="stable")[: self.added]
        archive = selection.join([memory.seen.archive, novel.take(np.sort(chosen))])
        return memory._replace(seen=memory.seen._replace(archive=archive))

    def _next_climber(self, memory: Memory) -> Memory:
        """The most novel candidate while most of the chunk is left, else a climber of the first front, else a new chunk."""
        early, waits = memory.left > self.chunk * self.reserved, self._waits(memory, memory.candidates)
        if early and not waits.all():
            return self._tested(memory, ~waits, self._novel(memory, memory.candidates))
        free = ~self._waits(memory, memory.climbers)
        memory = memory._replace(climbers=tuple(c for c, f in zip(memory.climbers, free, strict=True) if f))
        if memory.climbers and memory.left > 0:
            values = np.stack([self._novel(memory, memory.climbers), [c.gain for c in memory.climbers]], axis=1)
            front = np.flatnonzero(selection.fronts(values) == 0)
            chosen = int(front[keys.integers(keys.split(memory.key)[0], (), 0, len(front))])
            rest = memory.climbers[:chosen] + memory.climbers[chosen + 1 :]
            return memory._replace(now=memory.climbers[chosen], climbers=rest, testing=False)
        if early and waits.any() and not memory.insisted:  # what a climber found there need not be the best
            return self._tested(memory._replace(insisted=True), waits, -self._found_near(memory, memory.candidates))
        return self._next_chunk(memory)

    def _tested(self, memory: Memory, among: np.ndarray, worth: np.ndarray) -> Memory:
        """Gives the worthiest of some candidates its test."""
        order = np.argsort(-worth, kind="stable")
        first = int(order[among[order]][0])
        rest = order[order != first][:_WAITING] if self.rivals else np.delete(np.arange(len(order)), first)
        candidates = tuple(memory.candidates[i] for i in np.sort(rest))
        return memory._replace(now=memory.candidates[first], candidates=candidates, testing=True)

    def _next_chunk(self, memory: Memory) -> Memory:
        """Exploiting without candidates or climbers costs nothing: exploring goes on."""
        record = self.phases.after(memory.record, memory.gain)
        phase = self.phases.next(keys.split(memory.key, 3)[2], record, memory.explored + memory.exploited)
        memory = memory._replace(left=self.chunk, gain=0, now=None, testing=False, insisted=False)
        if phase == EXPLOIT and (memory.candidates or memory.climbers):
            return self._next_climber(memory._replace(record=record._replace(last=EXPLOIT)))
        return memory._replace(record=record._replace(last=EXPLORE))

    def _waits(self, memory: Memory, climbers: tuple[Climber, ...]) -> np.ndarray:
        """Who is paid less than what a climber has found among their nearest."""
        if self.rivals == 0 or not climbers:
            return np.zeros(len(climbers), bool)
        best = [float((c.people if c.steps else c.ancestor).objective[0]) for c in climbers]
        return self._found_near(memory, climbers) > np.array(best, np.float32)

    def _found_near(self, memory: Memory, climbers: tuple[Climber, ...]) -> np.ndarray:
        """The best reward that a climber has found among the nearest of each."""
        best = selection.join([c.people.take(np.zeros(1, int)) if c.steps else c.ancestor for c in climbers])
        found = memory.rewarded.take(np.flatnonzero(~np.isin(memory.rewarded.ids, memory.spawned)))
        others = selection.join([memory.seen.population, memory.seen.archive])
        known = selection.join([others._replace(objective=np.zeros_like(others.objective)), found])
        return selection.best_near(best, known, self.rivals)

    def _novel(self, memory: Memory, climbers: tuple[Climber, ...]) -> np.ndarray:
        """Novelty of their ancestors among all that was paid."""
        measures = np.concatenate([climber.ancestor.measures for climber in climbers])
        return selection.novelty(measures, memory.rewarded.measures, self.explorer.neighbours)

    def _with_candidates(self, memory: Memory, known: Known, others: Known) -> Memory:
        """Whoever is paid and has not been a candidate becomes one, and joins the reward archive."""
        paid = np.flatnonzero((known.objective > 0) & ~np.isin(known.ids, memory.spawned))
        if len(paid) == 0:
            return memory
        new = tuple(self.climb.begin(known, int(row), others.solutions) for row in paid)
        return memory._replace(
            candidates=memory.candidates + new,
            rewarded=selection.join([memory.rewarded, known.take(paid)]),
            spawned=np.concatenate([memory.spawned, known.ids[paid]]),
            gain=memory.gain + len(new),
        )
