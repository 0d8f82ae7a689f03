"""How coverage and the worst area's reward grow with evaluations, for experiments/sparse/study.py: medians over seeds.

A curve is points (evaluations, coverage of all in per cent, best reward of area 1, 2, ...).
"""

from pathlib import Path

import numpy as np

from qd.plots import bands
from qd.support import growing

Curve = list[tuple[float, ...]]
Curves = dict[str, dict[str, dict[int, np.ndarray]]]  # case -> method -> seed -> [points, 2 + areas]


def append(path: Path, case: str, method: str, seed: int, curve: Curve) -> None:
    """Appends one run's curve, a JSON line.

    Args:
        path: of the file.
        case: of the run.
        method: of the run.
        seed: of the run.
        curve: its points.
    """
    points = [[round(x, 4) for x in point] for point in curve]
    growing.append(path, [{"case": case, "method": method, "seed": seed, "curve": points}])


def read(path: Path) -> Curves:
    """Reads curves; of a run done twice the last counts."""
    curves: Curves = {}
    for record in growing.read(path):
        curves.setdefault(record["case"], {}).setdefault(record["method"], {})[record["seed"]] = np.array(record["curve"])
    return curves


def figures(curves: Curves):
    """Returns a figure for each case: on the left coverage, on the right what the worst of the areas pays."""
    from matplotlib.figure import Figure

    figures = {}
    for case, methods in curves.items():
        figure = Figure(figsize=(13, 4), layout="constrained")
        left, right = figure.subplots(1, 2)
        for i, (method, seeds) in enumerate(methods.items()):
            style = bands.line_style(i)
            for axes, column in ((left, lambda c: c[:, 1]), (right, lambda c: c[:, 2:].min(axis=1))):
                x, low, middle, high = _band([(c[:, 0], column(c)) for c in seeds.values()])
                axes.plot(x, middle, label=f"{method} ({len(seeds)})", **style)
                axes.fill_between(x, low, high, alpha=0.08, color=style["color"], linewidth=0)
        left.set(xlabel="evaluations", ylabel="coverage by all evaluated, %", title=case)
        right.set(xlabel="evaluations", ylabel="best reward in the worst area", ylim=(-0.02, 1.02))
        right.axhline(0.9, color="grey", linewidth=0.7, linestyle=":")
        lines, names = left.get_legend_handles_labels()
        title = "medians of (seeds);\nband: least to most"
        figure.legend(lines, names, loc="outside right upper", fontsize=8, title=title, title_fontsize=8)
        figures[case] = figure
    return figures


def _band(curves: list[tuple[np.ndarray, np.ndarray]]) -> tuple[np.ndarray, ...]:
    """Least, median and most of curves, at common evaluations."""
    x = np.linspace(0, max(float(points[-1]) for points, _ in curves), 100)
    y = np.array([np.interp(x, points, values) for points, values in curves])
    return x, y.min(axis=0), np.median(y, axis=0), y.max(axis=0)
