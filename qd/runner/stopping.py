"""When a run ends before its budget: it is asked to stop, what it may spend is spent, or nothing gets better (stop=plateau).

A plateau is looked at where rows of metrics are written, so that a run that was cut off ends at the same place.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from qd import archives
from qd.config.settings import RunSettings
from qd.store import metrics_file
from qd.support import run_files
from qd.support.errors import UserError
from qd.support.signals import on_stop_signal
from qd.types import Spent

_LOOKED_AT = ("coverage", "qd_score")


class Stop:
    """Asked to stop, a run ends at the next generation, with a checkpoint."""

    asked = False
    spent = ""  # why it can do no more until it is given more


@contextmanager
def ending(stop: Stop) -> Iterator[None]:
    """Ends the run where what a part may spend is spent; the state is the last whole generation's."""
    try:
        yield
    except Spent as error:
        stop.asked, stop.spent = True, str(error)


@contextmanager
def stopping(stop: Stop) -> Iterator[None]:
    """Turns the first SIGTERM or Ctrl-C into a request; the second acts at once."""

    def ask() -> None:
        stop.asked = True

    with on_stop_signal(ask):
        yield


def check_plateau(settings: RunSettings) -> None:
    """Raises ValueError on a rule that there is not, or one that cannot be."""
    stop, rule = settings.stop, settings.plateau
    if stop not in (None, "plateau"):
        raise UserError(f"there is no stop={stop}", "type stop=plateau, or leave it out and the run ends at its budget")
    if stop and not (rule.over >= 1 and rule.share >= 0):
        raise UserError(
            f"a plateau.share of {rule.share} over {rule.over} evaluations cannot be; "
            "type plateau.share=0.01 (a share, 0 or more) and plateau.over=10000 (evaluations)"
        )


@dataclass
class Watch:
    """Sees rows of metrics and says when neither coverage nor QD score has risen enough for long enough."""

    share: float | None  # of what they were; None: never
    over: int  # evaluations
    rows: list[tuple[float, ...]] = field(default_factory=list)  # (evaluations, coverage, QD score)

    def add(self, row: dict[str, Any]) -> None:
        self.rows.append((row["evals"], *(row[name] for name in _LOOKED_AT)))

    def reached(self, since: int) -> bool:
        """Whether there is a plateau; what was before the last refit, at ``since`` evaluations, does not count."""
        if self.share is None or not self.rows:
            return False
        now = self.rows[-1]
        before = [row for row in self.rows if since < row[0] <= now[0] - self.over]
        if not before or now[0] <= since:
            return False
        return not any(after - then > self.share * abs(then) for then, after in zip(before[-1][1:], now[1:], strict=True))

    def __str__(self) -> str:
        return (
            f"neither coverage nor QD score rose by {100 * (self.share or 0):g} % over {self.over:,} evaluations (stop=plateau)"
        )


def plateau_watch(settings: RunSettings, run: Path, archive: Any) -> Watch:
    """Returns the watch of a run that begins or goes on, with the rows that are written.

    Args:
        settings: of the run; without stop=plateau the watch never reports a plateau.
        run: the folder, for its metrics.csv.
        archive: a pyribs archive.

    Raises:
        ValueError: the archive has no cells, so that it has neither coverage nor QD score; or metrics.csv is damaged.
    """
    if not settings.stop:
        return Watch(None, 0)
    if archives.count_cells(archive) is None:
        raise UserError(
            f"stop=plateau looks at coverage and QD score, and a {type(archive).__name__} has no cells; "
            "type archive=grid or archive=cvt, or leave out stop=plateau"
        )
    seen = Watch(settings.plateau.share, settings.plateau.over)
    written = metrics_file.metrics(run / run_files.METRICS)
    for numbers in zip(*(written[name] for name in ("evals", *_LOOKED_AT)), strict=True):
        seen.rows.append(tuple(map(float, numbers)))
    return seen
