"""When a run ends before its budget: a stop is requested, a budget is used up, or nothing gets better (stop=plateau).

A plateau is checked where rows of metrics are written, so that a run that was cut off ends at the same place.
"""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from qd import archives
from qd.config.settings import RunSettings
from qd.store import metrics_file
from qd.support import run_files
from qd.support.errors import UserError

_LOOKED_AT = ("coverage", "qd_score")


class Stop:
    """A request to stop: the run ends at the next generation, with a checkpoint."""

    is_requested = False
    reason = ""  # which budget is used up; empty: none
    signal = 0  # the number of the signal that requested it; 0: none

    def request(self, reason: str = "") -> None:
        """Asks the run to stop.

        Args:
            reason: which budget is used up; none where a signal or a caller stops it.
        """
        self.is_requested, self.reason = True, reason

    def on_signal(self, number: int) -> None:
        """Asks the run to stop, for a signal: Ctrl-C or SIGTERM."""
        self.signal = number
        self.request()


@dataclass
class Watch:
    """Follows rows of metrics and decides when neither coverage nor QD score has risen enough for long enough."""

    share: float | None  # of what they were; None: never
    over: int  # evaluations
    rows: list[tuple[float, ...]] = field(default_factory=list)  # (evaluations, coverage, QD score)

    def add(self, row: dict[str, Any]) -> None:
        self.rows.append((row["evals"], *(row[name] for name in _LOOKED_AT)))

    def is_reached(self, since: int) -> bool:
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
    watch = Watch(settings.plateau.share, settings.plateau.over)
    table = metrics_file.metrics(run / run_files.METRICS)
    for numbers in zip(*(table[name] for name in ("evals", *_LOOKED_AT)), strict=True):
        watch.rows.append(tuple(map(float, numbers)))
    return watch
