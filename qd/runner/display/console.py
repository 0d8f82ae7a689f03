"""Output while a search runs: one live line on a terminal, plain lines elsewhere, a summary at the end."""

import importlib.util
import os
import shlex
import sys
import time
from collections import deque
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, TextIO

from qd import abilities
from qd.metrics import number, scores
from qd.report.table import align
from qd.support import run_files
from qd.support.spelling import unknown

_MODES = ("auto", "live", "plain", "off")
_EVERY = 5.0  # seconds between plain lines
_FEWEST, _WINDOW = 4, 20  # updates that the speed is an average over; the first ones compile
_CROWD = 0.01  # share of rows outside the bounds that the summary reports
_FILES = ("archive.npz", "metrics.csv", "history.npz", "renderings", "figures")


class Console:
    """Shows rows of metrics. ``mode`` auto is live where ``file`` is a terminal, else plain."""

    def __init__(self, budget: int, mode: str = "auto", file: TextIO | None = None, every: float = _EVERY) -> None:
        if mode not in _MODES:
            raise unknown("console", mode, _MODES)
        self.budget, self.every, self.file = budget, every, file or sys.stdout
        self.mode = mode if mode != "auto" else "live" if _shows_live(self.file) else "plain"
        self._seen: deque[tuple[float, int]] = deque(maxlen=_WINDOW)
        self._printed = float("-inf")
        self._live: Any = None

    def update(self, row: dict[str, Any], last: bool = False) -> None:
        """Shows a row: evals, generation, coverage, qd_score, best, failed; the ``last`` one however recent the one before."""
        now = time.monotonic()
        if not self._seen or self._seen[-1][1] != int(row["evals"]):  # workers change between two generations
            self._seen.append((now, int(row["evals"])))
        if self.mode == "live":
            self._show(self.line(row))
        elif self.mode == "plain" and (last or now - self._printed >= self.every):
            self._printed = now
            self._print(self.line(row))

    def line(self, row: dict[str, Any]) -> str:
        """Returns a row, the speed and the time left in words."""
        speed = self._speed()
        left = None if speed is None else max(self.budget - row["evals"], 0) / speed
        return "  ".join(
            [
                f"gen {row['generation']:,}",
                f"{row['evals']:,}/{self.budget:,}",
                "-/s" if speed is None else f"{speed:,.0f}/s",
                *scores(row),
                f"failed {row['failed']:,}",
                *([row["workers"]] if "workers" in row else []),
                "" if left is None else f"{clock(left)} left",
            ]
        ).rstrip()

    def say(self, text: str) -> None:
        """Prints a line; the live line stays below it."""
        if self._live is not None:
            self._live.console.print(text, markup=False, highlight=False)
        elif self.mode != "off":
            self._print(text)

    def close(self, summary: dict[str, Any]) -> None:
        """Ends the live line and sums up a result of qd.runner.run: figures, files, the next command."""
        self.stop()
        for line in summary_lines(summary):
            self.say(line)

    def stop(self) -> None:
        """Ends the live line, so that the terminal is as it was; may be called twice."""
        if self._live is not None:
            self._live.stop()
            self._live = None

    def _print(self, line: str) -> None:
        try:
            print(line, file=self.file, flush=True)
        except BrokenPipeError:  # the reader has left (qd run | head -1): the run goes on without output
            self.mode = "off"
            nowhere = os.open(os.devnull, os.O_WRONLY)
            os.dup2(nowhere, sys.stdout.fileno())  # else what is left in its buffer fails once more at the exit
            os.close(nowhere)

    def _show(self, line: str) -> None:
        from rich.console import Console as Terminal  # only where a live line is shown
        from rich.live import Live
        from rich.text import Text

        text = Text(line)
        if self._live is None:
            self._live = Live(console=Terminal(file=self.file), auto_refresh=False)
            self._live.start()
        self._live.update(text, refresh=True)

    def _speed(self) -> float | None:
        """Recent evaluations a second; None until there are a few updates."""
        if len(self._seen) < _FEWEST:
            return None
        (then, before), (now, evals) = self._seen[0], self._seen[-1]
        return (evals - before) / (now - then) if now > then and evals > before else None


def _shows_live(file: TextIO) -> bool:
    """Whether a line can change: on a terminal, and in a notebook with ipywidgets, by which rich draws there."""
    in_notebook = "ipykernel" in sys.modules and file is sys.stdout and importlib.util.find_spec("ipywidgets") is not None
    return file.isatty() or in_notebook


def summary_lines(result: dict[str, Any]) -> list[str]:
    """Returns a result as a few lines."""
    row, run = result["metrics"], Path(result["folder"])
    wall = max(result["wall_s"], 1e-9)
    there = [name + ("/" if (run / name).is_dir() else "") for name in _FILES if (run / name).exists()]
    goes_on = result["status"] == "stopped"  # one whose budget is spent has said what to type
    return [
        f"{result['status']}: {result['evaluations']:,} evaluations in {clock(wall)} ({result['evaluations'] / wall:,.0f}/s)",
        "  ".join([*scores(_held_out(row)), f"failed {row['failed']:,}"]),
        *_search_score_lines(row),
        *_outside_lines(row),
        *_referee_lines(row),
        f"{run}: {', '.join(there)}",
        *(["next: type the same command to go on"] if goes_on else []),
    ]


def look_line(run: Path) -> str:
    """Returns what to do with a run that has ended and whose pictures are drawn: open its page, where it is written.

    Args:
        run: its folder.
    """
    page = run / run_files.REPORT
    return f"next: open {page}" if page.exists() else f"next: qd report {shlex.quote(str(run))}"


def clock(seconds: float) -> str:
    """Formats 75 seconds as 1:15."""
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"


def _held_out(row: dict[str, Any]) -> dict[str, Any]:
    """A row by held-out data, where its domain has some."""
    return row | {name: row[f"{name}_held_out"] for name in ("qd_score", "best") if f"{name}_held_out" in row}


def _search_score_lines(row: dict[str, Any]) -> list[str]:
    if "confirmed_held_out" in row:
        share, count, answered = (row[f"{name}_held_out"] for name in ("confirmed", "evaluated", "answered"))
        return [f"held-out evaluation confirms {share:.1f} % of {count:.0f} elites ({answered:.1f} % got an answer)"]
    if "best_held_out" not in row:
        return []
    _, score, best = scores(row)
    return [f"QD score and best are on held-out data; the search chose by others, where they were {score} and {best}"]


def _outside_lines(row: dict[str, Any]) -> list[str]:
    """Reports how many valid rows lie outside the bounds, where they are many and crowd the border cells."""
    outside, valid = row.get("outside") or 0, row["evals"] - row["failed"]
    if outside <= _CROWD * valid or number(row["coverage"], "") == "not defined":
        return []
    return [f"outside {outside:,} ({100 * outside / valid:.1f} %): they crowd the border cells; widen the bounds"]


def _referee_lines(row: dict[str, Any]) -> list[str]:
    if "qd_score_current" not in row:
        return []
    parts = []
    for when in ("current", "all"):
        coverage, score = number(row[f"coverage_{when}"], "{:.1f} %"), number(row[f"qd_score_{when}"], "{:.2f}")
        parts.append(f"{when}: coverage {coverage}, QD score {score}")
    return ["by the referee, " + "; ".join(parts)]


def report_usage(services: Sequence[Any], say: Callable[[str], None]) -> None:
    """Reports what shared components did and cost, and closes them; called when the work ends, however it ends.

    Args:
        services: components that offer ``report() -> rows``, a dict for each role.
        say: prints a line.
    """
    for service in services:
        for line in _usage(service.report()):
            say(line)
        abilities.of_service(service).close()


def _usage(rows: Sequence[dict[str, Any]]) -> list[str]:
    """Returns rows as lines of aligned columns; what is not a number or text is left out."""
    columns = [name for name in (rows[0] if rows else {}) if isinstance(rows[0][name], str | int | float)]
    cells = [[name.replace("_", " ") for name in columns], *([_cell(row.get(name, "")) for name in columns] for row in rows)]
    return align(cells, ">") if columns else []


def _cell(value: Any) -> str:
    return f"{value:,.6g}" if isinstance(value, float) else f"{value:,}" if isinstance(value, int) else str(value)
