"""People as judges: questions go into the run's store, the page shows them, and the search waits for their answers.

Both sides may be stopped at any moment: the ids and marks of its solutions identify a question, so that a search that asks
again gets the answers that the store holds. An answer has four forms: left or right on the page, a or b in the store, 1 or -1
as a vote, and a number in the descriptor's buffer of comparisons. RUN/labels/answers.jsonl is written beside the store; with
judge=recorded the same answers give the same run, bit for bit.

T questions.
"""

import os
import warnings
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from feedback.judges.similarity import recorded
from feedback.judges.similarity.simulated import A, B, chance
from feedback.judges.similarity.waiting import Line, wait
from feedback.label import jsonl, questions, store
from feedback.label.questions import Question
from qd.support import atomic, links
from qd.support.errors import UserError
from qd.support.sqlite import transaction
from qd.types import Rows

_LARGEST = 8 << 20  # bytes of one rendering


@dataclass(frozen=True)
class People:
    """Asks the people who open the page of `qd label RUN`; ``each`` raters answer a question, and the majority counts.

    Without a run (in a dry run of `qd doctor`) there are no raters, and the answers are random.
    """

    draw: Any = field(compare=False)  # solutions -> list[Rendering]: the domain's render, or another of its pictures
    run: str | None = None  # the run's folder
    each: int = 1
    names: tuple[
        str, ...
    ] = ()  # of raters, numbered in this order for a learner of lapse rates; all others share the next number
    words: str = "Which of the two is more similar to the one above?"
    words_better: str = "Which of the two is better?"
    patience: float = 3.0  # seconds after the last answer in which a rater can still undo it
    seed: int = 0  # of the sides on the page and of repeated questions

    def __post_init__(self) -> None:
        if self.each < 1 or self.patience < 0:
            raise UserError(f"each={self.each}, patience={self.patience}: type each=1 or more, and patience=0 or more seconds")

    def __call__(self, x: Rows, a: Rows, b: Rows) -> np.ndarray:
        """Asks, waits and returns the answers, int8 [T]. Raises UserError where a rendering is too large."""
        if self.run is None:
            return self._by_chance(x, a, b)
        return self._ask(recorded.questions(x, a, b), x, a, b)

    def raters(self, x: Rows, a: Rows, b: Rows) -> np.ndarray:
        """Returns the rater of each answer.

        Args:
            x: T solutions.
            a: T solutions.
            b: T solutions.

        Returns:
            Numbers by ``names``, int32 [T]; 0 for answers without a name.
        """
        if self.run is None:
            return np.zeros(len(a.ids), np.int32)
        with store.opened(Path(self.run)) as db:
            answers = list(jsonl.records(db))
        return self._book(answers).raters(recorded.questions(x, a, b), self.names)

    def better(self, a: Rows, b: Rows) -> np.ndarray:
        """Asks which of two solutions is better.

        Args:
            a: T solutions.
            b: T solutions.

        Returns:
            A, B or CANT_TELL, int8 [T].
        """
        if self.run is None:
            return self._by_chance(a, a, b)
        return self._ask(recorded.questions(a, b), a, b)

    def _ask(self, batch: Sequence[recorded.Question], *rows: Rows) -> np.ndarray:
        """Puts the questions, waits for their answers [T], and writes all answers of the run beside the store."""
        assert self.run is not None
        run = Path(self.run)
        with store.opened(run) as db:
            with transaction(db):
                for name in ("words", "words_better", "seed"):
                    store.note(db, name, str(getattr(self, name)))
            self._show(db, run, _solutions(batch, rows))
            numbers = questions.put(db, _distinct(batch), self.each)
            with Line(run) as line:
                wait(db, numbers, self.patience, line)
            answers = list(jsonl.records(db))
        atomic.write(self._file, jsonl.text(answers).encode())
        return self._book(answers).answers(batch)

    @property
    def _file(self) -> Path:
        return Path(self.run or ".", store.FOLDER, "answers.jsonl")

    def _book(self, answers: Iterable[dict[str, Any]]) -> recorded.Book:
        """The votes of a store's answers, by the same function as for a file, so that judge=recorded gives the same run."""
        return recorded.book(answers, str(self._file))

    def _show(self, db: store.sqlite3.Connection, run: Path, solutions: dict[str, Any]) -> None:
        """Renders the solutions that have no rendering yet: files first, so that after a kill they are only rendered again."""
        missing = sorted(solutions.keys() - questions.rendered_names(db, list(solutions)))
        if not missing:
            return
        things = []
        for name, rendering in zip(missing, self.draw(_batch([solutions[name] for name in missing])), strict=True):
            data, file = rendering.content, f"{name}.{rendering.ending}"
            if len(data) > _LARGEST:
                raise UserError(f"the rendering of a solution has {len(data):,} bytes", f"render at most {_LARGEST:,} bytes")
            path = run / store.FOLDER / store.SHOWN / file
            with os.fdopen(links.open_file(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC), "wb") as drawing:
                drawing.write(data)
            things.append((name, rendering.kind, file))
        questions.show(db, things)

    def _by_chance(self, x: Rows, a: Rows, b: Rows) -> np.ndarray:
        warnings.warn("judge=people has no run here (a dry run): the answers are random", stacklevel=3)
        first = np.where(a.ids < b.ids, A, B)
        return np.where(chance(self.seed, x, a, b) < 0.5, first, -first).astype(np.int8)


def _distinct(batch: Sequence[recorded.Question]) -> list[Question]:
    """Returns each question once, in the order of a and b in which it comes first, in the store's form."""
    by_key: dict[str, Question] = {}
    for *above, a, b in batch:
        question = Question(str(above[0]) if above else None, str(a), str(b))
        by_key.setdefault(question.key, question)
    return list(by_key.values())


def _solutions(batch: Sequence[recorded.Question], rows: Sequence[Rows]) -> dict[str, Any]:
    """Returns name -> solution for all solutions in the questions; ``rows`` are those of x, a and b."""
    return {
        str(name): solution
        for names, some in zip(zip(*batch, strict=True), rows, strict=False)
        for name, solution in zip(names, some.solutions, strict=True)
    }


def _batch(solutions: list[Any]) -> np.ndarray:
    if isinstance(solutions[0], np.ndarray):
        return np.stack(solutions)
    batch = np.empty(len(solutions), object)
    batch[:] = solutions
    return batch
