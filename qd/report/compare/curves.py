"""Curves of methods: mean over seeds and its 95 % interval, against evaluations."""

from collections.abc import Sequence

import numpy as np

from qd.plots.bands import Band
from qd.plots.panels import OPTIONAL, PANELS, CurvePanel
from qd.report import statistics
from qd.report.collect import Method
from qd.store.runs import Run
from qd.support.errors import UserError

_POINTS = 100  # of a curve
Bands = dict[str, dict[str, Band]]  # method -> column -> its band


def panels(methods: Sequence[Method], own: Sequence[str] = ()) -> list[CurvePanel]:
    """Returns the panels that methods have numbers for.

    Args:
        methods: of one case.
        own: the recipes' own metrics.
    """
    columns = {name for method in methods for run in method.runs for name in run.curve}
    more = [CurvePanel(name, name.replace("_", " "), "no number is defined") for name in own if name in columns]
    return [*PANELS, *(panel for panel in OPTIONAL if panel.column in columns), *more]


def bands_of(methods: Sequence[Method], columns: Sequence[str]) -> Bands:
    """Returns the bands of all methods.

    Args:
        methods: of one case.
        columns: of metrics.csv.

    Raises:
        UserError: the records of the runs of a method do not overlap.
    """
    return {
        method.name: {column: each for column in columns if (each := band(method.runs, column)) is not None}
        for method in methods
    }


def band(runs: list[Run], column: str) -> Band | None:
    """Mean and interval of one number where all seeds have it; None where one never recorded it.

    Args:
        runs: of one method, one for each seed.
        column: of metrics.csv.

    Returns:
        Mean and 95 % interval over seeds, at no more than 100 counts of evaluations that lie within the records of all
        runs; of each run the last row up to that count.

    Raises:
        UserError: the records of the runs do not overlap.
    """
    if any(column not in run.curve for run in runs):
        return None
    spots = np.unique(np.concatenate([run.curve["evals"] for run in runs]))
    latest, earliest = max(runs, key=lambda run: run.curve["evals"][0]), min(runs, key=lambda run: run.curve["evals"][-1])
    first, last = latest.curve["evals"][0], earliest.curve["evals"][-1]
    if first > last:
        raise UserError(
            f"the records of two runs do not overlap: that of {earliest.folder} ends at {last:,.0f} evaluations, and that of "
            f"{latest.folder} begins at {first:,.0f}",
            "compare them apart, or run one of them again with a smaller log_every",
        )
    spots = spots[(spots >= first) & (spots <= last)]
    spots = spots[np.unique(np.linspace(0, len(spots) - 1, min(len(spots), _POINTS)).round().astype(int))]
    values = np.stack([run.curve[column][np.searchsorted(run.curve["evals"], spots, side="right") - 1] for run in runs])
    over_seeds = statistics.mean(values.T)
    return Band(spots, over_seeds.value, over_seeds.low, over_seeds.high)
