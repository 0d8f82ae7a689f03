"""SERENE (Paolo et al. 2021, arXiv 2102.03140): explore by novelty, then search locally around every reward.

Chunks of evaluations go in turn to a novelty search and to local searches. A solution with a reward becomes a candidate,
the most novel first; a short test selects candidates that improve; of these one is drawn from the Pareto front of
(novelty, improvement) and improves until it stagnates. With TAXONS as explorer it is STAX (Paolo et al. 2021, arXiv
2111.01919).
"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import numpy as np

from qd import keys
from qd.emitters import selection
from qd.emitters.novelty import NoveltyMemory, NoveltySearch
from qd.emitters.selection import EvaluatedSolutions
from qd.emitters.sparse import local_search
from qd.emitters.sparse.local_search import Elitist, Exploiter, LocalSearch
from qd.emitters.sparse.phases import EXPLOIT, EXPLORE, START, PhaseHistory, Phases
from qd.support.errors import UserError
from qd.types import Array, Batch, Elites, Offspring, Rows

_WAITING = 100  # candidates at most, where some wait


class SereneMemory(NamedTuple):
    key: Array  # for the draws of the next tell
    explorer: NoveltyMemory  # its archive also gets novel rows of local searches
    reward_archive: EvaluatedSolutions  # rows with a reward: candidates, and the best of local searches
    candidate_ids: Array  # ids of rows that have been candidates
    candidates: tuple[LocalSearch, ...] = ()
    local_searches: tuple[LocalSearch, ...] = ()
    active: LocalSearch | None = None  # None while exploring
    testing: bool = False
    remaining: int = 0  # evaluations left in this chunk
    gain: int = 0  # candidates and improving local searches that this chunk has brought
    tested_waiting: bool = False  # a waiting candidate has been tested in this chunk
    phases: PhaseHistory = START
    chunks: int = 0  # of exploration
    exploration: int = 0  # evaluations
    exploitation: int = 0


@dataclass(frozen=True)
class Serene:
    """SERENE and STAX. Rewards must be sparse: 0 for most solutions, and never negative.

    >>> from qd.emitters import NoveltySearch, Serene
    >>> stax = Serene(NoveltySearch(criteria=("novelty", "surprise")), chunk=500)
    >>> stax.needs
    ('surprise',)
    """

    explorer: NoveltySearch = field(default_factory=NoveltySearch)  # novelty search, or TAXONS
    phases: Phases = field(default_factory=Phases)  # when to explore and when to exploit
    exploiter: Exploiter = field(default_factory=Elitist)  # of local searches
    chunk: int = 1000  # evaluations of one phase
    trial: int = 5  # steps of a candidate's test, after its first 6 rows
    reserved: float = 1 / 3  # of a chunk, for local searches that have passed their test
    added: int = 5  # of a local search's novel rows, that join the novelty archive when it ends
    rivals: int = 0  # candidates wait where local searches found a higher reward among so many nearest; 0: none, as published
    pure: bool = False  # the fused driver compiles an emitter that is

    def __post_init__(self) -> None:
        if self.chunk < 1 or self.trial < 1 or not 0 <= self.reserved < 1 or self.added < 0:
            raise UserError("type chunk and trial of 1 or more, reserved from 0 to below 1, added of 0 or more")

    @property
    def needs(self) -> tuple[str, ...]:
        return self.explorer.needs

    def check(self, key: Array, solutions: Array, archive: Any) -> None:
        """See ``NoveltySearch.check``; arguments as in ``NoveltySearch``."""
        self.explorer.check(key, solutions, archive)

    def init(self, key: Array, elites: Elites) -> SereneMemory:
        """Starts exploring; elites with a reward are the first candidates.

        Args:
            key: of all draws.
            elites: of the initial population.

        Returns:
            The memory.

        Raises:
            UserError: rewards are not sparse.
        """
        (objective,) = elites.take(np.arange(elites.size), "objective")
        if (objective < 0).any() or (objective > 0).mean() > 0.5:
            what = f"{(objective > 0).sum()} are above 0, the least is {objective.min():g}"
            raise UserError(
                f"SERENE exploits rare rewards, but of {len(objective)} elites' objectives {what}: they are no sparse reward; "
                "type domain=redundant_arm, maze_areas or curling, or another emitter"
            )
        explorer = self.explorer.init(key, elites)
        memory = SereneMemory(key, explorer, explorer.archive, np.zeros(0, np.int64), remaining=self.chunk)
        return self._with_candidates(memory, explorer.population, explorer.population)

    def ask(self, key: Array, memory: SereneMemory, elites: Elites) -> tuple[SereneMemory, Offspring]:
        """Asks the explorer, or the exploiter for the next step of the active local search.

        Args:
            key: of the variation and of the draws of the next tell.
            memory: of the generation before.
            elites: not used.

        Returns:
            The memory and its offspring.
        """
        if memory.active is None:
            explorer, offspring = self.explorer.ask(key, memory.explorer, elites)
            return memory._replace(key=explorer.key, explorer=explorer), offspring
        vary_key, tell_key = keys.split(key)
        solutions, parents = self.exploiter.ask(vary_key, memory.active)
        return memory._replace(key=tell_key), Offspring(self.explorer.clip(solutions), parents[:, None])

    def tell(self, memory: SereneMemory, batch: Batch) -> SereneMemory:
        """Takes an evaluated batch, and decides what to propose next; arguments as in ``Emitter``."""
        children, n = selection.of_batch(batch), len(batch.ids)
        memory = memory._replace(remaining=memory.remaining - n)
        if memory.active is None:
            return self._tell_explorer(memory._replace(exploration=memory.exploration + n), children)
        return self._tell_exploiter(memory._replace(exploitation=memory.exploitation + n), children)

    def redescribe(self, memory: SereneMemory, describe: Any) -> SereneMemory:
        """Describes all rows in memory again, in one call; the greatest novelty of a local search restarts at 0.

        Arguments as in ``NoveltySearch``.
        """
        active = () if memory.active is None else (memory.active,)
        searches = memory.candidates + memory.local_searches + active
        rows_of_searches = (rows for each in searches for rows in (each.ancestor, each.population, *each.novel_rows))
        rows = iter(selection.redescribe([*memory.explorer[1:], memory.reward_archive, *rows_of_searches], describe))
        explorer, reward_archive = NoveltyMemory(memory.explorer.key, next(rows), next(rows), next(rows)), next(rows)
        searches = tuple(_with_rows(each, rows) for each in searches)
        first, last = len(memory.candidates), len(searches) - len(active)
        return memory._replace(
            explorer=explorer,
            reward_archive=reward_archive,
            candidates=searches[:first],
            local_searches=searches[first:last],
            active=searches[-1] if active else None,
        )

    def recall(self, memory: SereneMemory) -> Rows:
        """Returns the rows of the explorer and of the reward archive."""
        explorer = memory.explorer
        return selection.join([explorer.population, explorer.archive, explorer.children, memory.reward_archive]).rows()

    def _tell_explorer(self, memory: SereneMemory, children: EvaluatedSolutions) -> SereneMemory:
        both = selection.join([memory.explorer.population, children])
        memory = self._with_candidates(memory, both, both)
        explorer = self.explorer.select(
            memory.explorer, children, selection.join([memory.explorer.archive, memory.reward_archive])
        )
        memory = memory._replace(explorer=explorer)
        if memory.remaining > 0:
            return memory
        return self._next_chunk(memory._replace(chunks=memory.chunks + 1))

    def _tell_exploiter(self, memory: SereneMemory, children: EvaluatedSolutions) -> SereneMemory:
        """One step of the local search; then it goes on, or the next one does, or the chunk ends."""
        assert memory.active is not None
        search, best = local_search.best_new(self.exploiter.tell(memory.active, children), children)
        if best is not None:
            memory = memory._replace(reward_archive=selection.join([memory.reward_archive, best]))
        search = self._with_novel_rows(memory, search, children)
        if memory.testing:
            if search.steps <= self.trial:
                return memory._replace(active=search)
            improving = (search,) if search.gain > 0 else ()
            memory = memory._replace(gain=memory.gain + len(improving))
            if improving and memory.tested_waiting:
                return memory._replace(active=search, testing=False)
            return self._next_search(memory._replace(local_searches=memory.local_searches + improving))
        if self.exploiter.should_stop(search):
            return self._next_search(self._archive_novel_rows(memory, search))
        if memory.remaining > 0:
            return memory._replace(active=search)
        return self._next_search(memory._replace(local_searches=(*memory.local_searches, search)))

    def _with_novel_rows(self, memory: SereneMemory, search: LocalSearch, children: EvaluatedSolutions) -> LocalSearch:
        """Adds the children that are more novel than all earlier ones of this local search."""
        if len(children.ids) == 0:
            return search
        rows = (memory.explorer.population, memory.explorer.archive, memory.reward_archive, children)
        novel = selection.novelty(children.measures, np.concatenate([k.measures for k in rows]), self.explorer.neighbours)
        farther = np.flatnonzero(novel > search.max_novelty)
        if len(farther) == 0:
            return search
        return search._replace(max_novelty=float(novel.max()), novel_rows=(*search.novel_rows, children.take(farther)))

    def _archive_novel_rows(self, memory: SereneMemory, search: LocalSearch) -> SereneMemory:
        """Adds some of a local search's novel rows, drawn evenly, to the novelty archive."""
        if not search.novel_rows or self.added == 0:
            return memory
        novel = selection.join(list(search.novel_rows))
        drawn_rows = np.argsort(keys.uniform(keys.split(memory.key)[1], (len(novel.ids),)), kind="stable")[: self.added]
        archive = selection.join([memory.explorer.archive, novel.take(np.sort(drawn_rows))])
        return memory._replace(explorer=memory.explorer._replace(archive=archive))

    def _next_search(self, memory: SereneMemory) -> SereneMemory:
        """The most novel candidate while most of the chunk remains, else a search of the first front, else a new chunk."""
        early, waits = memory.remaining > self.chunk * self.reserved, self._waits(memory, memory.candidates)
        if early and not waits.all():
            return self._test(memory, ~waits, self._novel(memory, memory.candidates))
        free = ~self._waits(memory, memory.local_searches)
        memory = memory._replace(local_searches=tuple(c for c, f in zip(memory.local_searches, free, strict=True) if f))
        if memory.local_searches and memory.remaining > 0:
            values = np.stack([self._novel(memory, memory.local_searches), [c.gain for c in memory.local_searches]], axis=1)
            front = np.flatnonzero(selection.fronts(values) == 0)
            index = int(front[keys.integers(keys.split(memory.key)[0], (), 0, len(front))])
            rest = memory.local_searches[:index] + memory.local_searches[index + 1 :]
            return memory._replace(active=memory.local_searches[index], local_searches=rest, testing=False)
        if early and waits.any() and not memory.tested_waiting:  # the reward found there need not be the highest of its area
            return self._test(memory._replace(tested_waiting=True), waits, -self._best_near(memory, memory.candidates))
        return self._next_chunk(memory)

    def _test(self, memory: SereneMemory, among: np.ndarray, priority: np.ndarray) -> SereneMemory:
        """Tests the candidate of the highest priority where ``among`` is True."""
        order = np.argsort(-priority, kind="stable")
        first = int(order[among[order]][0])
        rest = order[order != first][:_WAITING] if self.rivals else np.delete(np.arange(len(order)), first)
        candidates = tuple(memory.candidates[i] for i in np.sort(rest))
        return memory._replace(active=memory.candidates[first], candidates=candidates, testing=True)

    def _next_chunk(self, memory: SereneMemory) -> SereneMemory:
        """Draws the phase of the next chunk; without candidates or local searches there is nothing to exploit."""
        history = self.phases.after(memory.phases, memory.gain)
        phase = self.phases.next(keys.split(memory.key, 3)[2], history, memory.exploration + memory.exploitation)
        memory = memory._replace(remaining=self.chunk, gain=0, active=None, testing=False, tested_waiting=False)
        if phase == EXPLOIT and (memory.candidates or memory.local_searches):
            return self._next_search(memory._replace(phases=history._replace(last=EXPLOIT)))
        return memory._replace(phases=history._replace(last=EXPLORE))

    def _waits(self, memory: SereneMemory, searches: tuple[LocalSearch, ...]) -> np.ndarray:
        """Whether each [N] has a lower reward than a local search has found among its nearest."""
        if self.rivals == 0 or not searches:
            return np.zeros(len(searches), bool)
        best = [float((c.population if c.steps else c.ancestor).objective[0]) for c in searches]
        return self._best_near(memory, searches) > np.array(best, np.float32)

    def _best_near(self, memory: SereneMemory, searches: tuple[LocalSearch, ...]) -> np.ndarray:
        """The highest reward [N] that a local search has found among the nearest of each."""
        best = selection.join([c.population.take(np.zeros(1, int)) if c.steps else c.ancestor for c in searches])
        discoveries = memory.reward_archive.take(np.flatnonzero(~np.isin(memory.reward_archive.ids, memory.candidate_ids)))
        others = selection.join([memory.explorer.population, memory.explorer.archive])
        rows = selection.join([others._replace(objective=np.zeros_like(others.objective)), discoveries])
        return selection.best_near(best, rows, self.rivals)

    def _novel(self, memory: SereneMemory, searches: tuple[LocalSearch, ...]) -> np.ndarray:
        """Novelty [N] of their ancestors among the rows of the reward archive."""
        measures = np.concatenate([search.ancestor.measures for search in searches])
        return selection.novelty(measures, memory.reward_archive.measures, self.explorer.neighbours)

    def _with_candidates(self, memory: SereneMemory, rows: EvaluatedSolutions, others: EvaluatedSolutions) -> SereneMemory:
        """Rows with a reward that have not been candidates become candidates and join the reward archive."""
        new_rows = np.flatnonzero((rows.objective > 0) & ~np.isin(rows.ids, memory.candidate_ids))
        if len(new_rows) == 0:
            return memory
        new = tuple(self.exploiter.begin(rows, int(row), others.solutions) for row in new_rows)
        return memory._replace(
            candidates=memory.candidates + new,
            reward_archive=selection.join([memory.reward_archive, rows.take(new_rows)]),
            candidate_ids=np.concatenate([memory.candidate_ids, rows.ids[new_rows]]),
            gain=memory.gain + len(new),
        )


def _with_rows(search: LocalSearch, rows: Iterator[EvaluatedSolutions]) -> LocalSearch:
    """The local search with its ancestor, population and novel rows as described again, taken from ``rows`` in this order."""
    ancestor, population = next(rows), next(rows)
    novel_rows = tuple(next(rows) for _ in search.novel_rows)
    return search._replace(ancestor=ancestor, population=population, novel_rows=novel_rows, max_novelty=0.0)
