"""Figures of experiments/qdhf/study.py: answers against score and noise against score, medians with 95 % intervals.

qd study qdhf.curves results=experiments/results/qdhf
"""

import re
from pathlib import Path
from typing import NamedTuple

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from experiments import command
from experiments.qdhf.plan import ANSWERS
from qd.report import table
from qd.report.table import Row

METHODS = {"ours": ("ours, active", "#0b6e4f"), "ours uniform": ("ours, uniform", "#6bb392"), "paper": ("QDHF", "#c8553d")}
SCALES = {"qd_score_current": "QD score, current", "aligned_r2": "R² of the elites, aligned"}
CONTROLS = {"truth turned 15": ("truth, turned by 15°", "--"), "random": ("random projection", ":")}
_CASE = re.compile(r"(?P<task>\S+), (?P<answers>\d+) answers(, (?P<flips>\d+) % flips)?$")


class Panel(NamedTuple):
    """Scores of a task against the field that is None: the number of answers, or the share of flipped ones."""

    task: str
    answers: int | None
    flips: int | None  # per cent
    metric: str = "qd_score_current"

    @property
    def title(self) -> str:
        if self.answers is not None:
            return f"{self.task}, {self.answers} answers"
        return f"{self.task}, {f'{self.flips} % of the answers flipped' if self.flips else 'clean answers'}"


class Point(NamedTuple):
    x: int
    row: Row


PANELS = (
    Panel("arm", None, 0), Panel("arm", None, 20), Panel("arm", 200, None), Panel("arm", 1000, None),
    Panel("images", None, 0, "aligned_r2"), Panel("images", 400, None, "aligned_r2"),
)  # fmt: skip


def main(results: str = "experiments/results/qdhf") -> None:
    """Draws ``results``/curves.png from the table there."""
    folder = Path(results)
    draw(table.read(folder / "table.csv")).savefig(folder / "curves.png", dpi=110)
    print(folder / "curves.png")


def draw(rows: list[Row]) -> Figure:
    """Returns a figure of all panels for which there are at least two points of a method."""
    panels = [panel for panel in PANELS if any(len(points(rows, panel, method)) > 1 for method in METHODS)]
    across = min(len(panels), 3) or 1
    down = -(-len(panels) // across) or 1
    figure = Figure(figsize=(3.9 * across, 3.2 * down), layout="constrained")
    axes = figure.subplots(down, across, squeeze=False).ravel()
    for at, panel in zip(axes, panels, strict=False):
        _panel(at, rows, panel)
    for at in axes[len(panels) :]:
        at.axis("off")
    handles = {label: handle for at in axes for handle, label in zip(*at.get_legend_handles_labels(), strict=True)}
    figure.legend(handles.values(), handles.keys(), loc="outside lower center", ncols=len(handles) or 1, frameon=False)
    return figure


def points(rows: list[Row], panel: Panel, method: str) -> list[Point]:
    """Returns a method's points of a panel, from left to right.

    Args:
        rows: of the table.
        panel: of the figure.
        method: name of the method.
    """
    matches = []
    for row in rows:
        case = _CASE.match(row.case)
        if case is None or (row.method, row.metric, case["task"]) != (method, panel.metric, panel.task):
            continue
        answers, flips = int(case["answers"]), int(case["flips"] or 0)
        if panel.answers is None and flips == panel.flips:
            matches.append(Point(answers, row))
        elif panel.flips is None and answers == panel.answers:
            matches.append(Point(flips, row))
    return sorted(matches)


def _panel(axes: Axes, rows: list[Row], panel: Panel) -> None:
    for method, (label, colour) in METHODS.items():
        if line := points(rows, panel, method):
            xs = [point.x for point in line]
            axes.fill_between(xs, [p.row.low for p in line], [p.row.high for p in line], color=colour, alpha=0.2, linewidth=0)
            axes.plot(xs, [p.row.value for p in line], marker="o", markersize=4, color=colour, label=label)
    if panel.answers is None:
        axes.set_xscale("log")
        ticks = sorted({point.x for method in METHODS for point in points(rows, panel, method)} & set(ANSWERS))
        axes.set_xticks(ticks, [str(tick) for tick in ticks])
        axes.minorticks_off()
    for name, (label, style) in CONTROLS.items():
        for row in rows:
            if row.case.startswith(f"{panel.task},") and (row.method, row.metric) == (name, panel.metric):
                axes.axhline(row.value, color="0.5", linestyle=style, linewidth=1, label=label)
    axes.set_title(panel.title, fontsize=10, loc="left")
    axes.set_xlabel("answers" if panel.answers is None else "flipped answers, %", fontsize=9)
    axes.set_ylabel(SCALES[panel.metric], fontsize=9)
    axes.set_ylim(bottom=0)
    axes.spines[["top", "right"]].set_visible(False)


if __name__ == "__main__":
    command.run()
