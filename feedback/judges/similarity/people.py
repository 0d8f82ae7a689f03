"""People judge: questions go into the run's store, the page shows them, and the search waits until they are answered.

Both sides may be stopped at any moment: a question is known by the ids and marks of its solutions, so that a search which asks
again finds what was answered. What the search is told is read back from RUN/labels/answers.jsonl, as a recorded judge reads it:
the same answers, recorded, give the same run bit for bit.

T questions.
"""

import warnings
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from feedback.judges.similarity.recorded import Recorded, mark
from feedback.judges.similarity.simulated import A, B, chance
from feedback.judges.similarity.waiting import Line, wait
from feedback.label import jsonl, questions, store
from feedback.label.questions import Question
from qd.support import atomic
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
        self._asked(x, a, b)
        return self._recorded(x, a, b)

    def raters(self, x: Rows, a: Rows, b: Rows) -> np.ndarray:
        """Who answered, [T]; 0 where raters have no names."""
        return np.zeros(len(a.ids), np.int32) if self.run is None else self._recorded.raters(x, a, b)

    def better(self, a: Rows, b: Rows) -> np.ndarray:
        """Asks which of two is better, and returns the answers [T]."""
        if self.run is None:
            return self._by_lot(a, a, b)
        self._asked(None, a, b)
        return self._recorded.better(a, b)

    @property
    def _recorded(self) -> Recorded:
        return Recorded(str(Path(self.run or ".", store.FOLDER, "answers.jsonl")), self.names)

    def _asked(self, x: Rows | None, a: Rows, b: Rows) -> None:
        """Puts the questions, waits for their answers, and writes all answers where they are read back."""
        run = Path(self.run or ".")
        asked = [Question(*names) for names in zip(_names(x, len(a.ids)), _names(a), _names(b), strict=True)]
        with store.opened(run) as db:
            with transaction(db):
                for name in ("words", "words_better", "seed"):
                    store.note(db, name, str(getattr(self, name)))
            self._draw(db, run, [rows for rows in (x, a, b) if rows is not None])
            numbers = questions.put(
                db, list({question.key: question for question in reversed(asked)}.values())[::-1], self.each
            )
            with Line(run) as line:
                wait(db, numbers, self.patience, line)
            text = "".join(f"{line}\n" for line in jsonl.lines(db))
        path = Path(self._recorded.path)
        atomic.write(path, text.encode())

    def _draw(self, db: store.sqlite3.Connection, run: Path, rows: Sequence[Rows]) -> None:
        """Draws the solutions that were not drawn before, each once."""
        there = {name: solution for some in rows for name, solution in zip(_names(some), some.solutions, strict=True)}
        lacks = sorted(there.keys() - questions.known(db, list(there)))
        if not lacks:
            return
        solutions = [there[name] for name in lacks]
        if isinstance(solutions[0], np.ndarray):
            batch = np.stack(solutions)
        else:
            batch = np.empty(len(solutions), object)
            batch[:] = solutions
        for name, rendering in zip(lacks, self.draw(batch), strict=True):
            data = rendering.content
            if len(data) > _LARGEST:
                raise UserError(f"what a solution looks like has {len(data):,} bytes", f"draw it smaller, below {_LARGEST:,}")
            file = f"{name}.{rendering.ending}"
            (run / store.FOLDER / store.SHOWN / file).write_bytes(data)
            with transaction(db):
                questions.show(db, name, rendering.kind, file)

    def _by_lot(self, x: Rows, a: Rows, b: Rows) -> np.ndarray:
        warnings.warn("judge=people has no run to ask in: a dry run, answered by lot", stacklevel=3)
        first = np.where(a.ids < b.ids, A, B)
        return np.where(chance(self.seed, x, a, b) < 0.5, first, -first).astype(np.int8)


def _names(rows: Rows | None, n: int = 0) -> list[Any]:
    """Names each solution by its id and its mark."""
    if rows is None:
        return [None] * n
    return [f"{int(number)}-{mark(solution)}" for number, solution in zip(rows.ids, rows.solutions, strict=True)]
