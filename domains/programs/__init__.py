"""Programs: a language model writes them, a sandbox runs them, a problem says how good they are.

    programs = Programs(BinPacking(), Coder(lm), Monty(), axes=("complexity", "length"))

B programs, M axes. Nothing here knows which model it is: conf passes the client in.
"""

import math
import os
import threading
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from functools import cached_property

import numpy as np

from domains.programs import measures
from domains.programs.code import fault_of
from domains.programs.coder import Coder
from domains.programs.journal import FILE, INITIAL, ProgramJournal, Record, code_in
from domains.programs.page import page
from domains.programs.problem import Problem, Score
from domains.programs.sandbox.choice import sandbox_of
from domains.programs.sandbox.limits import Sandbox
from domains.programs.sandbox.monty import Monty
from qd.support.errors import UserError
from qd.types import Array, Evaluation, Rendering


@dataclass(frozen=True)
class Programs:
    """Solutions are source texts; ``traits`` [B, M] are the features named by ``axes``, each a number or its logarithm.

    Features beside those of the problem: length (characters), lines, complexity (cyclomatic), depth, shares [B, 6] and syntax
    [B, 32] of the tree, distance from the first program by that, seconds, memory; ``views`` are more by name, functions of the
    sources. A program that fails has NaN as objective; events.jsonl and programs.jsonl of the run say why.
    """

    problem: Problem
    coder: Coder
    sandbox: Sandbox
    axes: tuple[str, ...] = ("complexity", "length")  # features that become measures: numbers of the code, or of the problem
    logarithmic: tuple[str, ...] = ()  # axes of which the logarithm to base 10 is taken
    views: Mapping[str, Callable[[Sequence[str]], np.ndarray]] = field(default_factory=dict, compare=False)
    final: Problem | None = None  # the same task on held-out cases: a finished run is judged by it
    final_sandbox: Sandbox | str | None = None  # where that is run, or its name; None: the same
    parallel: int = 0  # programs that run at the same time; 0: as many as there are cores
    folder: str | None = field(default=None, compare=False)  # of the run
    titles: tuple[str, ...] = ()  # of the axes, for pages; empty: their names
    pure: bool = False

    def __post_init__(self) -> None:
        check_axes((*self.axes, *self.logarithmic), self.problem.features)
        if isinstance(self.sandbox, Monty) and "memory" in (*self.axes, *self.logarithmic):
            raise UserError(
                "domain.axes has 'memory', which monty does not measure", "type sandbox=bubblewrap, or another axis"
            )
        if self._final_sandbox and self.final is None:
            raise UserError("domain.final_sandbox is for held-out cases, of which this domain has none", "leave it out")
        if not isinstance(self.parallel, int) or self.parallel < 0:
            raise UserError(f"domain.parallel={self.parallel!r} is no number of programs", "type domain.parallel=1")

    @property
    def objective_range(self) -> tuple[float, float] | None:
        """That of the problem."""
        return self.problem.objective_range

    @property
    def axis_titles(self) -> Mapping[str, Sequence[str]]:
        """What pages call the columns of ``traits``."""
        return {"traits": self.titles or self.axes}

    @property
    def held_out(self) -> "Programs | None":
        """The same programs on held-out cases, where there are some."""
        if self.final is None:
            return None
        sandbox = self._final_sandbox or self.sandbox
        return Programs(self.final, self.coder, sandbox, self.axes, self.logarithmic, self.views, parallel=self.parallel)

    @property
    def _final_sandbox(self) -> Sandbox | None:
        choice, limits = self.final_sandbox, self.sandbox.limits
        return None if choice is None else sandbox_of(choice, limits, "domain.final_sandbox")

    @cached_property
    def _threads(self) -> ThreadPoolExecutor:
        return ThreadPoolExecutor(self.parallel or os.cpu_count(), "program")

    @cached_property
    def _running(self) -> "dict[str, Future[Record]]":
        return {}

    @cached_property
    def _lock(self) -> threading.Lock:
        return threading.Lock()

    @cached_property
    def journal(self) -> ProgramJournal:
        """All programs of the run with their evaluations."""
        folders = self.problem.job("").folders  # of an evaluator of the user's, which may be edited
        return ProgramJournal(self.folder, " ".join([repr(self.problem), repr(self.sandbox), *code_in(folders)]))

    def sample(self, key: Array, n: int) -> Array:
        """Returns the initial programs, then others that the model writes from the task alone.

        Args:
            key: of the model's samples.
            n: how many.

        Returns:
            Sources, objects [n].

        Raises:
            UserError: the sandbox does not work here, or no initial program can be evaluated.
        """
        for sandbox in filter(None, (self.sandbox, self._final_sandbox)):
            sandbox.check()
        first = list(self.problem.initial)[:n]
        for source in first:
            self.journal.note_origin(source, INITIAL)
        records = self._run(first)
        if first and all(math.isnan(record.objective) for record in records):
            other = ", or type sandbox=bubblewrap: monty has few modules" if isinstance(self.sandbox, Monty) else ""
            raise UserError(f"the initial program fails: {records[0].words}", f"correct the program or its evaluator{other}")
        written = self.coder.write(key, self.problem, n - len(first)) if n > len(first) else []
        for source in written:
            self.journal.note_origin(source, "write")
        return objects([*first, *written])

    def evaluate(self, keys: Array, solutions: Array) -> Evaluation:
        """Runs B programs, each once in the life of a run.

        Args:
            keys: unused.
            solutions: sources [B].

        Returns:
            Objective [B], NaN where a program failed, and its features.
        """
        sources = [str(source) for source in solutions]
        rows = self._run(sources)
        features = self._features(sources, rows)
        features |= {name: np.asarray(view(sources)) for name, view in self.views.items()}
        return Evaluation(np.array([row.objective for row in rows]), features)

    def reasons(self, solutions: Array) -> list[str]:
        """Returns why programs failed, [B]; empty where they did not, or were not evaluated."""
        records = [self.journal.find(str(source)) for source in solutions]
        return [record.words if record and math.isnan(record.objective) else "" for record in records]

    def advice(self) -> tuple[str, str]:
        """Returns what is wrong where the language model wrote programs and none of them ran, and what to type."""
        written = self.journal.written()
        code = [source for source in written if not fault_of(source)]
        if any(record and math.isfinite(record.objective) for record in map(self.journal.find, code)) or not written:
            return "", ""
        if code:
            what = f"none of the language model's {len(code)} different programs ran to a score: {FILE} says why"
            return what, "type another model (lm=, lm.model=), or say more in the task"
        replies = f"{len(written)} different {'reply' if len(written) == 1 else 'replies'}"
        what = f"no reply of the language model gave a program ({replies}, in {FILE})"
        return what, "type another model (lm=, lm.model=), or prompts of your own (domain.coder.prompts=FOLDER)"

    def render(self, solutions: Array) -> list[Rendering]:
        """Returns a page of each program: its code, what it changed of its parent, its output and its feedback."""
        return [Rendering("html", page(str(source), self.journal, self.problem.language)) for source in solutions]

    def run_soon(self, source: str) -> "Future[Record]":
        """Runs a program in the background, so that its evaluation is there when it is asked for; equal ones once.

        Args:
            source: of the program.

        Returns:
            Its record, once it is there.
        """
        with self._lock:
            if source not in self._running:
                self._running[source] = self._threads.submit(self._record, source)
            return self._running[source]

    def _run(self, sources: Sequence[str]) -> list[Record]:
        """Runs programs at the same time, equal ones once."""
        records = {source: future.result() for source, future in [(each, self.run_soon(each)) for each in sources]}
        with self._lock:
            for source in records:
                self._running.pop(source, None)  # the journal has it
        return [records[source] for source in sources]

    def _record(self, source: str) -> Record:
        record = self.journal.find(source)
        if record is None:
            record = run(self.problem, self.sandbox, source)
            self.journal.add(source, record)
        return record

    def _features(self, sources: list[str], rows: list[Record]) -> dict[str, np.ndarray]:
        described = [measures.describe(source) for source in sources]
        features = {name: np.array([each[name] for each in described]) for name in described[0]} if described else {}
        first = measures.describe(self.problem.initial[0])["syntax"] if self.problem.initial else np.zeros(measures.WIDE)
        features["distance"] = np.array([[max(0.0, 1 - each["syntax"] @ first)] for each in described], np.float32)
        for name in ("seconds", "memory"):
            features[name] = np.array([[getattr(row, name)] for row in rows], np.float32)
        for name in self.problem.features:
            features[name] = np.array([[row.features.get(name, np.nan)] for row in rows], np.float32)
        columns = [np.log10(np.maximum(features[a], 1e-9)) if a in self.logarithmic else features[a] for a in self.axes]
        return features | {"traits": np.concatenate(columns, axis=1).astype(np.float32)}


def check_axes(names: Sequence[str], features: Sequence[str]) -> None:
    """Checks names of axes.

    Args:
        names: of the axes.
        features: of the problem; those that every program has may be named too.

    Raises:
        UserError: a name is no feature.
    """
    valid = (*measures.NAMES, *features)
    for name in names:
        if name not in valid:
            raise UserError(f"domain.axes has {name!r}, which is no feature", f"type some of {', '.join(valid)}")


def run(problem: Problem, sandbox: Sandbox, source: str) -> Record:
    """Runs and scores one program.

    Args:
        problem: the task.
        sandbox: where it runs.
        source: of the program.

    Returns:
        The record; its words say why it failed.
    """
    if reason := fault_of(source):
        return Record(math.nan, {}, reason, "", math.nan, math.nan)
    outcome = sandbox.run(problem.job(source))
    score = Score(math.nan, {}, outcome.fault) if outcome.fault else problem.score(outcome.value)
    words = score.words or ("its objective is not a number" if math.isnan(score.objective) else "")
    features = {name: float(value) for name, value in score.features.items()}
    return Record(float(score.objective), features, words, outcome.output, outcome.seconds, outcome.memory)


def objects(sources: Sequence[str]) -> np.ndarray:
    """Returns sources as an array of objects, [B]."""
    column = np.empty(len(sources), dtype=object)
    column[:] = list(sources)
    return column
