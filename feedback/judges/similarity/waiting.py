"""How a search waits for people: it shows how many answers are missing, and ends at once on a stop signal."""

import shlex
import sqlite3
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any, TextIO

from feedback.label import questions
from feedback.label.questions import Wait
from qd.support.signals import StoppedBySignal, on_stop_signal

_LOOK = 0.2  # seconds between two looks into the store
_PLAIN = 30.0  # seconds between two lines where there is no terminal


def wait(db: sqlite3.Connection, numbers: Sequence[int], patience: float, line: "Line") -> None:
    """Waits until every question has its answers and raters had time to undo the last one; then closes the questions.

    Args:
        db: the store of questions and answers.
        numbers: of the questions, in the store.
        patience: seconds after the last answer in which it can be undone; 0 where no answer was missing at the start.
        line: where the number of missing answers is shown.

    Raises:
        KeyboardInterrupt: a stop signal came (Ctrl-C, SIGTERM); all answers so far are stored.
    """
    first = questions.waiting(db, numbers)
    quiet = patience if first.missing else 0.0
    with on_stop_signal(_stop):
        while not questions.close(db, numbers, quiet):
            line.show(questions.waiting(db, numbers))
            time.sleep(_LOOK)


class Line:
    """A live line on a terminal, a plain line every 30 seconds elsewhere; nothing while no answer is missing."""

    def __init__(self, run: Path, file: TextIO | None = None) -> None:
        self.run, self.file = run, file or sys.stderr
        self._live: Any = None
        self._spinner: Any = None
        self._last_line: tuple[float, int] | None = None

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
        elif self._last_line is None or (self._last_line[1] != now.missing and time.monotonic() - self._last_line[0] > _PLAIN):
            self._last_line = time.monotonic(), now.missing
            print(f"qd: {self.words(now)}", file=self.file, flush=True)

    def words(self, now: Wait) -> str:
        """Returns how many answers are missing, and the command that serves their page."""
        if not now.missing:
            return "all answers are in; raters can still undo the last one for a moment"
        answers = "answer is" if now.missing == 1 else "answers are"
        to = "1 question" if now.questions == 1 else f"{now.questions} questions"
        where = shlex.quote(str(self.run))
        return f"waiting for people: {now.missing} {answers} missing to {to}; type qd label {where}"

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


def _stop(number: int) -> None:
    """Ends the wait: a search that waits reaches no next generation at which to stop."""
    raise StoppedBySignal(number)
