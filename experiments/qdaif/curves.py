"""What the texts that an experiment has kept say: how the judge's score of the map grows with calls, and what is copied."""

import json
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib import rc_context
from matplotlib.figure import Figure

from domains.text.overlap import rouge_l
from experiments.qdaif.held_out import TICKS
from feedback.judges.calibration import logit, sigmoid
from qd.plots.records import STYLE

_COPIED = 0.8


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


def of_texts(lines: list[dict[str, Any]], ticks: tuple[tuple[float, ...], ...], start: int) -> dict[str, float]:
    """Returns the score of the start alone; that in cells a quarter as wide, which no search was asked to fill; and how much of
    what followed the start is copied: texts that share 80 % of their words, in order, with an earlier one (ROUGE-L).
    """
    texts = [line["text"] for line in lines]
    copied = [max(rouge_l(texts[i], other) for other in texts[:i]) >= _COPIED for i in range(start, len(texts))]
    return {
        "start_qd_score": float(score(lines[:start], ticks)[1][-1]),
        "finer_qd_score": float(score(lines, tuple(map(finer, ticks)))[1][-1]),
        "copied": 100 * float(np.mean(copied)) if copied else 0.0,
    }


def finer(ticks: tuple[float, ...], parts: int = 4) -> tuple[float, ...]:
    """Parts each inner cell into cells of equal width in logit; outer ones stay."""
    borders = logit(np.array(ticks))
    inner = [low + (high - low) * np.arange(parts) / parts for low, high in pairwise(borders)]
    return tuple(sigmoid(np.concatenate([*inner, borders[-1:]])).tolist())


def file_of(case: str, method: str, seed: int | str) -> str:
    """Returns the name of the file that keeps a run's texts."""
    return f"{case}-{method}-{seed}.jsonl".replace(", ", "-").replace(" ", "_")


def _kept(texts: Path, case: str, method: str) -> list[list[dict[str, Any]]]:
    files = sorted(texts.glob(file_of(case, method, "*")))
    return [[json.loads(line) for line in file.read_text(encoding="utf-8").splitlines()] for file in files]
