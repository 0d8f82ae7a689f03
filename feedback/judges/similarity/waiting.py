"""How a search waits for people: it says how many answers are missing, and ends at once when it is asked to stop."""

import shlex
import sqlite3
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any, TextIO

from feedback.label import questions
from feedback.label.questions import Wait
from qd.support.signals import on_stop_signal

_LOOK = 0.2  # seconds between two looks into the store
_PLAIN = 30.0  # seconds between two lines where there is no terminal


def wait(db: sqlite3.Connection, numbers: Sequence[int], patience: float, line: "Line") -> None:
    """Waits until every question has its answers and the last one could be undone, and closes the questions.

    Args:
        db: the store of questions and answers.
        numbers: of the questions, in the store.
        patience: seconds after the last answer in which it can be undone; not waited where no answer was missing at first.
        line: where the number of missing answers is shown.

    Raises:
        KeyboardInterrupt: the search was to stop (Ctrl-C, SIGTERM); what was answered is stored.
    """
    first = questions.waiting(db, numbers)
    quiet = patience if first.missing else 0.0
    with on_stop_signal(_stop):
        while not questions.close(db, numbers, quiet):
            line.show(questions.waiting(db, numbers))
            time.sleep(_LOOK)


class Line:
    """A live line on a terminal; elsewhere a plain one now and then. It says nothing where nobody is waited for."""

    def __init__(self, run: Path, file: TextIO | None = None) -> None:
        self.run, self.file = run, file or sys.stderr
        self._live: Any = None
        self._spinner: Any = None
        self._said: tuple[float, int] | None = None

    def __enter__(self) -> "Line":
        return self

    def __exit__(self, *error: object) -> None:
        if self._live is not None:
            from rich.control import Control

            self._live.stop()
            self._live.console.control(Control.move(0, -1))  # back to the line that the search shows

    def show(self, now: Wait) -> None:
        """Shows how many answers are missing."""
        if self.file.isatty():
            self._show(self.words(now))
        elif self._said is None or (self._said[1] != now.missing and time.monotonic() - self._said[0] > _PLAIN):
            self._said = time.monotonic(), now.missing
            print(f"qd: {self.words(now)}", file=self.file, flush=True)

    def words(self, now: Wait) -> str:
        """Says how many answers are missing, and where to give them."""
        if not now.missing:
            return "all answers are in; the last one can still be undone for a moment"
        answers = "answer is" if now.missing == 1 else "answers are"
        where = shlex.quote(str(self.run))
        return f"waiting for people: {now.missing} {answers} missing to {now.questions} questions; type qd label {where}"

    def _show(self, words: str) -> None:
        from rich.console import Console
        from rich.live import Live
        from rich.spinner import Spinner
        from rich.text import Text

        if self._live is None:
            terminal = Console(file=self.file)
            terminal.print()
            self._spinner = Spinner("dots")
            self._live = Live(self._spinner, console=terminal, refresh_per_second=8, transient=True)
            self._live.start()
        self._spinner.update(text=Text(words))


def _stop() -> None:
    """Ends the wait: a search that waits reaches no next generation at which to stop."""
    raise KeyboardInterrupt
