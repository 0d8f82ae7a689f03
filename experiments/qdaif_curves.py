"""How the judge's score of the map grows with calls, of the texts that an experiment has kept."""

import json
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib import rc_context
from matplotlib.figure import Figure

from experiments.qdaif_rulers import TICKS
from qd.plots.records import STYLE


def curves(texts: Path, case: str, methods: tuple[str, ...]) -> Figure:
    """Draws a line for each method, the mean over its seeds; thin ones are single seeds."""
    ticks = TICKS[case.split(",")[0]]
    with rc_context(STYLE):
        figure = Figure(figsize=(5.2, 3.4), layout="constrained")
        axes = figure.add_subplot(
            xlabel="calls, to write and to judge, after the start", ylabel="QD score by the judge", title=case
        )
        for number, method in enumerate(methods):
            runs = [score(lines, ticks) for lines in _kept(texts, case, method)]
            if not runs:
                continue
            at = np.arange(max(int(calls[-1]) for calls, _ in runs) + 1)
            all_ = np.stack([values[np.searchsorted(calls, at, "right") - 1] for calls, values in runs])
            colour = f"C{number}"
            axes.plot(at, all_.T, color=colour, linewidth=0.4, alpha=0.5)
            axes.plot(at, all_.mean(axis=0), color=colour, linewidth=1.6, label=f"{method} ({len(runs)})")
        axes.legend(frameon=False, fontsize=7, title="(seeds)", title_fontsize=7)
    return figure


def score(lines: list[dict[str, Any]], ticks: tuple[tuple[float, ...], ...]) -> tuple[np.ndarray, np.ndarray]:
    """Returns after how many calls the score of the map was what, in per cent of the best there can be."""
    best: dict[tuple[int, ...], float] = {}
    cells = int(np.prod([len(each) + 1 for each in ticks]))
    calls, values = [], []
    for line in lines:
        if line["quality"] is not None and None not in line["kind"]:
            place = zip(ticks, np.asarray(line["kind"], np.float32), strict=True)
            cell = tuple(int(np.searchsorted(np.asarray(t, np.float32), p, "right")) for t, p in place)
            best[cell] = max(best.get(cell, 0.0), line["quality"])
        calls.append(line["calls"])
        values.append(100 * sum(best.values()) / cells)
    return np.array(calls), np.array(values)


def file_of(case: str, method: str, seed: int | str) -> str:
    """Returns the name of the file that keeps a run's texts."""
    return f"{case}-{method}-{seed}.jsonl".replace(", ", "-").replace(" ", "_")


def _kept(texts: Path, case: str, method: str) -> list[list[dict[str, Any]]]:
    files = sorted(texts.glob(file_of(case, method, "*")))
    return [[json.loads(line) for line in file.read_text(encoding="utf-8").splitlines()] for file in files]
