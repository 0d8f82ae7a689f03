"""The figures that a run is summed up by, on its page and on its card: at its end, or so far."""

import math
from pathlib import Path
from typing import Any, NamedTuple

from qd.store import metrics_file
from qd.support import growing, read_files, run_files


class Figure(NamedTuple):
    title: str
    value: float
    unit: str  # with a space before it, or nothing


_SHOWN = {  # column of metrics.csv, or of the metrics in result.json -> title, unit
    "evals": ("evaluations", ""),
    "coverage": ("coverage", " %"),
    "qd_score": ("QD score", ""),
    "hypervolume": ("hypervolume of all rows", ""),
    "best": ("best objective", ""),
    "qd_score_held_out": ("QD score, held-out data", ""),
    "best_held_out": ("best objective, held-out data", ""),
    "qd_score_corrected": ("QD score, elites evaluated again", ""),
    "coverage_corrected": ("coverage, elites evaluated again", " %"),
    "best_corrected": ("best objective, elites evaluated again", ""),
    "confirmed_held_out": ("elites confirmed by held-out evaluation", " %"),
    "coverage_current": ("referee's coverage, elites", " %"),
    "qd_score_current": ("referee's QD score, elites", ""),
    "coverage_all": ("referee's coverage, all evaluated", " %"),
    "qd_score_all": ("referee's QD score, all evaluated", ""),
}


def figures(run: Path, evaluations: Any = None) -> list[Figure]:
    """Returns the figures that a run has, in order; held-out, corrected and referee's figures where it was judged so.

    Args:
        run: its folder.
        evaluations: as its archive states them; None: as its metrics do.

    Raises:
        UserError: result.json or metrics.csv cannot be read.
    """
    path = run / run_files.METRICS
    growing.check(run, (run_files.METRICS,))
    row: dict[str, Any] = metrics_file.last_row(path) if path.is_file() else {}
    result = run / run_files.RESULT
    final = read_files.json_object(result, "give the run's command once more").get("metrics") if result.is_file() else None
    row |= final if isinstance(final, dict) else {}
    row |= {} if evaluations is None else {"evals": evaluations}
    corrected = reevaluated(run).get("corrected")
    row |= {f"{name}_corrected": value for name, value in corrected.items()} if isinstance(corrected, dict) else {}
    return [Figure(title, float(row[name]), unit) for name, (title, unit) in _SHOWN.items() if _is_number(row.get(name))]


def reevaluated(run: Path) -> dict[str, Any]:
    """Returns what `qd reevaluate` wrote of a run; nothing where it did not.

    Args:
        run: its folder.

    Raises:
        UserError: reevaluated.json cannot be read.
    """
    path = run / run_files.REEVALUATED
    return read_files.json_object(path, f"give qd reevaluate {run} once more") if path.is_file() else {}


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)
