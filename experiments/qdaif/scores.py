"""The log of all texts that a run wrote, and its scores by the judge that guided the search.

A log is a file of JSON lines in the order in which the texts were written: id, calls (to write and to judge, after the start,
until then), text, quality, kind (its place on each axis) and status.
"""

import json
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np

from domains.text.overlap import rouge_l
from feedback.judges.calibration import logit, sigmoid
from qd.types import Batch

_COPY_OVERLAP = 0.8
Lines = list[dict[str, Any]]
Borders = tuple[tuple[float, ...], ...]  # of each axis: the borders between cells


def log_lines(batch: Batch, calls: int) -> Lines:
    """Returns the lines of a batch of texts.

    Args:
        batch: evaluated texts.
        calls: of the language model since the start of the run.
    """
    objective, kind = batch.evaluation.objective, batch.evaluation.features["kind"]
    columns = zip(batch.ids, batch.solutions, objective, kind, batch.status, strict=True)
    return [
        {
            "id": int(i),
            "calls": calls,
            "text": str(text),
            "quality": _number(quality),
            "kind": [_number(x) for x in place],
            "status": int(status),
        }
        for i, text, quality, place, status in columns
    ]


def log_file(folder: Path, case: str, method: str, seed: int | str) -> Path:
    """Returns the file of a run's log; with ``seed="*"`` a pattern of those of all seeds.

    Args:
        folder: of the results.
        case: name of a case.
        method: name of a method.
        seed: of the run, or *.
    """
    return folder / "texts" / f"{case}-{method}-{seed}.jsonl".replace(", ", "-").replace(" ", "_")


def write_log(path: Path, lines: Lines) -> None:
    """Writes a log, a JSON line for each text.

    Args:
        path: of the file.
        lines: of the log.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("".join(json.dumps(line, ensure_ascii=False) + "\n" for line in lines), encoding="utf-8")


def read_logs(folder: Path, case: str, method: str) -> list[Lines]:
    """Returns the logs of all seeds that a folder keeps.

    Args:
        folder: of the results.
        case: name of a case.
        method: name of a method.
    """
    pattern = log_file(folder, case, method, "*")
    files = sorted(pattern.parent.glob(pattern.name))
    return [[json.loads(line) for line in file.read_text(encoding="utf-8").splitlines()] for file in files]


def score_curve(lines: Lines, ticks: Borders) -> tuple[np.ndarray, np.ndarray]:
    """Returns (calls, QD score after them, in per cent of the maximum).

    Args:
        lines: of a log.
        ticks: borders of the cells on each axis.
    """
    best: dict[tuple[int, ...], float] = {}
    cells = int(np.prod([len(each) + 1 for each in ticks]))
    calls, scores = [], []
    for line in lines:
        if line["quality"] is not None and None not in line["kind"]:
            place = zip(ticks, np.asarray(line["kind"], np.float32), strict=True)
            cell = tuple(int(np.searchsorted(np.asarray(t, np.float32), p, "right")) for t, p in place)
            best[cell] = max(best.get(cell, 0.0), line["quality"])
        calls.append(line["calls"])
        scores.append(100 * sum(best.values()) / cells)
    return np.array(calls), np.array(scores)


def elite_texts(lines: Lines, ticks: Borders) -> list[str]:
    """Returns the best text of each cell by the judge that guided the search, the oldest where several are as good.

    Args:
        lines: of a log.
        ticks: borders of the cells on each axis.
    """
    best: dict[tuple[int, ...], tuple[float, str]] = {}
    for line in lines:
        if line["quality"] is not None and None not in line["kind"]:
            place = zip(ticks, np.asarray(line["kind"], np.float32), strict=True)
            cell = tuple(int(np.searchsorted(np.asarray(t, np.float32), p, "right")) for t, p in place)
            if line["quality"] > best.get(cell, (-1.0, ""))[0]:
                best[cell] = (line["quality"], line["text"])
    return [text for _, text in best.values()]


def score_text_log(lines: Lines, ticks: Borders, start: int) -> dict[str, float]:
    """Returns scores of a log: of the initial texts alone; in cells a quarter as wide, which no search used; and the share of
    later texts that are copies: 80 % of their words, in order, are those of an earlier one (ROUGE-L). Empty ones do not count.

    Args:
        lines: of the log.
        ticks: borders of the cells on each axis.
        start: number of initial texts.
    """
    texts = [line["text"] for line in lines]
    later = [i for i in range(start, len(texts)) if texts[i]]
    copies = [max(rouge_l(texts[i], other) for other in texts[:i]) >= _COPY_OVERLAP for i in later]
    return {
        "start_qd_score": float(score_curve(lines[:start], ticks)[1][-1]),
        "finer_qd_score": float(score_curve(lines, tuple(map(narrower, ticks)))[1][-1]),
        "copied": 100 * float(np.mean(copies)) if copies else 0.0,
    }


def narrower(ticks: tuple[float, ...], parts: int = 4) -> tuple[float, ...]:
    """Parts each inner cell into cells of equal width in logit; outer ones stay.

    Args:
        ticks: inner borders on an axis, probabilities.
        parts: cells that each inner cell is cut into.
    """
    borders = logit(np.array(ticks))
    inner = [low + (high - low) * np.arange(parts) / parts for low, high in pairwise(borders)]
    return tuple(sigmoid(np.concatenate([*inner, borders[-1:]])).tolist())


def _number(x: Any) -> float | None:
    return round(float(x), 5) if np.isfinite(x) else None
