"""How the judge's score of the map grows with calls, from the logs of texts of the study."""

from pathlib import Path

import numpy as np
from matplotlib import rc_context
from matplotlib.figure import Figure

from experiments.qdaif.held_out import TICKS
from experiments.qdaif.scores import read_logs, score_curve
from qd.plots.records import STYLE


def figure(folder: Path, case: str, methods: tuple[str, ...]) -> Figure:
    """Draws a line for each method, the mean over its seeds; thin ones are single seeds.

    Args:
        folder: of the logs.
        case: name of the case.
        methods: names, in the order of the legend.
    """
    ticks = TICKS[case.split(",")[0]]
    with rc_context(STYLE):
        drawing = Figure(figsize=(5.2, 3.4), layout="constrained")
        axes = drawing.add_subplot(
            xlabel="calls, to write and to judge, after the start", ylabel="QD score by the judge", title=case
        )
        for number, method in enumerate(methods):
            runs = [score_curve(lines, ticks) for lines in read_logs(folder, case, method)]
            if not runs:
                continue
            at = np.arange(max(int(calls[-1]) for calls, _ in runs) + 1)
            all_ = np.stack([values[np.searchsorted(calls, at, "right") - 1] for calls, values in runs])
            colour = f"C{number}"
            axes.plot(at, all_.T, color=colour, linewidth=0.4, alpha=0.5)
            axes.plot(at, all_.mean(axis=0), color=colour, linewidth=1.6, label=f"{method} ({len(runs)})")
        axes.legend(frameon=False, fontsize=7, title="(seeds)", title_fontsize=7)
    return drawing
