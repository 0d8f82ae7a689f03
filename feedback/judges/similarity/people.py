"""People judge: questions go into the run's store, the page shows them, and the search waits until they are answered.

Both sides may be stopped at any moment: a question is identified by the ids and marks of its solutions, so that a search which
asks again finds what was answered. An answer has four forms: what the page sends (left, right), the store's letter (a, b), a
vote (1, -1), and a number in the descriptor's buffer of answers. RUN/labels/answers.jsonl is written beside the store:
recorded, the same answers give the same run bit for bit.

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

_LARGEST = 8 << 20  # bytes of what one solution looks like


@dataclass(frozen=True)
class People:
    """Asks whoever opens the page of `qd label RUN`; ``each`` people answer a question, and the majority counts.

    Where it has no run (a dry run, as `qd doctor` makes) nobody is there, and it answers by lot.
    """

    draw: Any = field(compare=False)  # solutions -> list[Rendering]: the domain's render, or another of its pictures
    run: str | None = None  # the run's folder
    each: int = 1
    names: tuple[str, ...] = ()  # numbers raters in this order, for a learner that tells them apart; others are one more
    words: str = "Which of the two is more like the one above?"
    words_better: str = "Which of the two is better?"
    patience: float = 3.0  # seconds after the last answer in which it can still be undone
    seed: int = 0  # of sides and repeats

    def __post_init__(self) -> None:
        if self.each < 1 or self.patience < 0:
            raise UserError(f"each={self.each}, patience={self.patience}: type each=1 or more, and patience=0 or more seconds")

    def __call__(self, x: Rows, a: Rows, b: Rows) -> np.ndarray:
        """Asks, waits and returns the answers [T]. Raises ValueError where solutions cannot be drawn."""
        if self.run is None:
            return self._by_lot(x, a, b)
        return self._ask(recorded.questions(x, a, b), x, a, b)

    def raters(self, x: Rows, a: Rows, b: Rows) -> np.ndarray:
        """Who answered, [T]; 0 where raters have no names."""
        if self.run is None:
            return np.zeros(len(a.ids), np.int32)
        with store.opened(Path(self.run)) as db:
            answers = list(jsonl.records(db))
        return self._book(answers).raters(recorded.questions(x, a, b), self.names)

    def better(self, a: Rows, b: Rows) -> np.ndarray:
        """Asks which of two is better, and returns the answers [T]."""
        if self.run is None:
            return self._by_lot(a, a, b)
        return self._ask(recorded.questions(a, b), a, b)

    def _ask(self, asked: Sequence[recorded.Question], *rows: Rows) -> np.ndarray:
        """Puts the questions, waits for their answers [T], and writes all answers of the run beside the store."""
        assert self.run is not None
        run = Path(self.run)
        with store.opened(run) as db:
            with transaction(db):
                for name in ("words", "words_better", "seed"):
                    store.note(db, name, str(getattr(self, name)))
            self._show(db, run, _solutions(asked, rows))
            numbers = questions.put(db, _distinct(asked), self.each)
            with Line(run) as line:
                wait(db, numbers, self.patience, line)
            answers = list(jsonl.records(db))
        atomic.write(self._file, jsonl.text(answers).encode())
        return self._book(answers).answers(asked)

    @property
    def _file(self) -> Path:
        return Path(self.run or ".", store.FOLDER, "answers.jsonl")

    def _book(self, answers: Iterable[dict[str, Any]]) -> recorded.Book:
        """The votes of a store's answers, by the function that reads them from a file: recorded, they give the same run."""
        return recorded.book(answers, str(self._file))

    def _show(self, db: store.sqlite3.Connection, run: Path, solutions: dict[str, Any]) -> None:
        """Draws the solutions that were not drawn before: files first, so that a kill in between only draws them again."""
        lacking = sorted(solutions.keys() - questions.known(db, list(solutions)))
        if not lacking:
            return
        things = []
        for name, rendering in zip(lacking, self.draw(_batch([solutions[name] for name in lacking])), strict=True):
            data, file = rendering.content, f"{name}.{rendering.ending}"
            if len(data) > _LARGEST:
                raise UserError(f"what a solution looks like has {len(data):,} bytes", f"draw it smaller, below {_LARGEST:,}")
            path = run / store.FOLDER / store.SHOWN / file
            with os.fdopen(links.open_file(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC), "wb") as drawing:
                drawing.write(data)
            things.append((name, rendering.kind, file))
        questions.show(db, things)

    def _by_lot(self, x: Rows, a: Rows, b: Rows) -> np.ndarray:
        warnings.warn("judge=people has no run to ask in: a dry run, answered by lot", stacklevel=3)
        first = np.where(a.ids < b.ids, A, B)
        return np.where(chance(self.seed, x, a, b) < 0.5, first, -first).astype(np.int8)


def _distinct(asked: Sequence[recorded.Question]) -> list[Question]:
    """Returns each question once, as it stands where it comes first, in the store's form."""
    stored: dict[str, Question] = {}
    for *above, a, b in asked:
        question = Question(str(above[0]) if above else None, str(a), str(b))
        stored.setdefault(question.key, question)
    return list(stored.values())


def _solutions(asked: Sequence[recorded.Question], rows: Sequence[Rows]) -> dict[str, Any]:
    """Returns name -> solution of all that the questions are about; ``rows`` are those of x, a and b."""
    return {
        str(name): solution
        for names, some in zip(zip(*asked, strict=True), rows, strict=False)
        for name, solution in zip(names, some.solutions, strict=True)
    }


def _batch(solutions: list[Any]) -> np.ndarray:
    if isinstance(solutions[0], np.ndarray):
        return np.stack(solutions)
    batch = np.empty(len(solutions), object)
    batch[:] = solutions
    return batch
