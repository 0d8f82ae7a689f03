"""Runs one case under guard: a time limit, a marker that code of a stranger would leave, and a folder that nobody may touch."""

import hashlib
import io
import os
import random
import signal
import threading
import traceback
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager, redirect_stderr, redirect_stdout
from dataclasses import dataclass, field
from pathlib import Path

from qd.support.errors import UserError

HOUSE = str(Path(__file__).resolve().parents[2])
SECONDS = 30  # limit of a case
FAULTS = ("wrong", "traceback", "hang", "ran", "touched")


class Hang(BaseException):
    """The time limit passed."""


class Wrong(Exception):
    """What came back is not what the input says."""


@dataclass
class Sentinel:
    """A marker that harmless payloads try to create, and files beside the case that must stay as they are."""

    folder: Path

    def __post_init__(self) -> None:
        self.outside.mkdir(parents=True)
        (self.outside / "diary.txt").write_text("private\n")
        (self.outside / "metrics.csv").write_text("evals,coverage\n1,2\n")
        (self.outside / "folder").mkdir()
        self._before = self._digest()

    @property
    def outside(self) -> Path:
        return self.folder / "outside"

    @property
    def marker(self) -> Path:
        """A folder that exists only if a payload was run."""
        return self.folder / "marker"

    def verdict(self) -> str:
        """Returns "ran", "touched" or "", and puts things back."""
        if self.marker.exists():
            self.marker.rmdir()
            return "ran"
        if self._digest() != self._before:
            self._before = self._digest()
            return "touched"
        return ""

    def _digest(self) -> str:
        entries = sorted(self.outside.rglob("*"))
        contents = [(str(path), path.lstat().st_mode, path.read_bytes() if path.is_file() else b"") for path in entries]
        return hashlib.sha256(repr(contents).encode()).hexdigest()


@dataclass
class Report:
    """Counts of outcomes by kind of case, and what each fault was."""

    seed: int
    counts: Counter[tuple[str, str]] = field(default_factory=Counter)
    faults: list[str] = field(default_factory=list)

    def add(self, kind: str, outcome: str, what: str) -> None:
        self.counts[kind, outcome] += 1
        if outcome in FAULTS:
            self.faults.append(f"{outcome}: {what}")

    def table(self) -> str:
        """Returns a line for each kind of case."""
        outcomes = ("refused", "harmless", *FAULTS)
        lines = [f"{'seed ' + str(self.seed):24}" + "".join(f"{outcome:>11}" for outcome in outcomes)]
        for kind in sorted({kind for kind, _ in self.counts}):
            lines.append(f"{kind:24}" + "".join(f"{self.counts[kind, outcome]:11,}" for outcome in outcomes))
        return "\n".join(lines)


def observe(body: Callable[[], None], sentinel: Sentinel, seconds: float = SECONDS) -> tuple[str, str]:
    """Runs one case in the main thread.

    Args:
        body: returns where the input is accepted and what comes back is right; raises UserError where it is refused, and
            Wrong where it should have been.
        sentinel: what no case may touch.
        seconds: time limit on a machine that is not busy.

    Returns:
        The outcome, and what was printed or raised.
    """
    printed = io.StringIO()
    try:
        with redirect_stdout(printed), redirect_stderr(printed), _limit(patience(seconds)):
            body()
        outcome, message = "harmless", printed.getvalue()
    except UserError as error:
        outcome, message = "refused", str(error)
    except Wrong as error:
        outcome, message = "wrong", f"{error}\n{printed.getvalue()[-500:]}"
    except Hang:
        outcome, message = "hang", printed.getvalue()[-500:]
    except BaseException as error:  # noqa: BLE001 whatever it is, it is the fault that is looked for
        outcome, message = "traceback", _where(error)
    if not message and outcome == "refused":
        outcome, message = "wrong", "an error without a word"
    return sentinel.verdict() or outcome, message


def patience(seconds: float) -> float:
    """Returns a time limit in seconds: as many times longer as more processes than cores want to run."""
    return seconds * max(1.0, os.getloadavg()[0] / (os.cpu_count() or 1))


def _where(error: BaseException) -> str:
    """Returns the error and the innermost lines of this project that it came through."""
    frames = [frame for frame in traceback.extract_tb(error.__traceback__) if HOUSE in frame.filename]
    places = [f"{Path(frame.filename).relative_to(HOUSE)}:{frame.lineno}" for frame in frames]
    return f"{type(error).__name__}: {str(error)[:200]} ({' > '.join(places[-4:])})"


@contextmanager
def _limit(seconds: float) -> Iterator[None]:
    """Raises Hang in the main thread when the time has passed."""
    if threading.current_thread() is not threading.main_thread():
        raise RuntimeError("cases run in the main thread")

    def stop(*_: object) -> None:
        raise Hang

    before = signal.signal(signal.SIGALRM, stop)
    signal.setitimer(signal.ITIMER_REAL, seconds)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)


def of_seed(seed: int, number: int) -> random.Random:
    """Returns the generator of one case, so that a single case is repeated by its number."""
    return random.Random(f"{seed} {number}")
