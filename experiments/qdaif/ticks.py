"""The texts that the study of QDAIF kept, scored again in the 20 cells of the paper.

    qd study qdaif.ticks

The judge's places and qualities are those that guided the searches; only the borders of the cells are the paper's, narrow at
both ends. All texts of a run count, as they would in a map with these borders. No search was guided by them, and the judge is a
smaller model than the paper's. Needs no language model.
"""

from typing import Any

import numpy as np
import yaml

from experiments import command, study
from experiments.origin import ROOT
from experiments.qdaif.scores import Lines, read_logs, score_curve
from experiments.qdaif.unscaled import CASE, METHODS
from qd.report.table import Row, Runs, summary

METRICS = ("paper_qd_score", "paper_cells", "start_qd_score", "widest")


def main(out: str = "") -> None:
    """Scores what is missing, then writes and prints the table.

    Args:
        out: folder of the results; empty: the default one.
    """
    texts, folder, ticks = study.folder("qdaif"), study.folder("qdaif_ticks", out=out), paper_ticks()
    runs = study.runs(folder)
    logs = {(CASE, method, seed): lines for method in METHODS for seed, lines in enumerate(read_logs(texts, CASE, method))}
    for key in study.missing(runs, logs):
        study.add(runs, *key, score(logs[key], ticks), METRICS)
    study.report(folder, rows(runs), METRICS, 2, ("numpy",))


def paper_ticks() -> tuple[float, ...]:
    """Returns the 19 borders of the paper's cells, as ``recipe=qdaif_paper`` has them."""
    recipe: dict[str, Any] = yaml.safe_load((ROOT / "conf/recipe/qdaif_paper.yaml").read_text(encoding="utf-8"))
    return tuple(recipe["domain_defaults"]["ticks"][0])


def score(lines: Lines, ticks: tuple[float, ...], start: int = 12) -> dict[str, float]:
    """Scores one run: the QD score, of 20 as in the paper; the cells with a text; the score of the initial texts alone; and the
    most texts that share a cell, in per cent.

    Args:
        lines: of the run's log.
        ticks: borders of the cells.
        start: number of initial texts.
    """
    cells = len(ticks) + 1
    place = [line["kind"][0] for line in lines if line["quality"] is not None and line["kind"][0] is not None]
    count = np.bincount(np.searchsorted(np.asarray(ticks, np.float32), np.asarray(place, np.float32), "right"), minlength=cells)
    return {
        "paper_qd_score": cells * float(score_curve(lines, (ticks,))[1][-1]) / 100,
        "paper_cells": float((count > 0).sum()),
        "start_qd_score": cells * float(score_curve(lines[:start], (ticks,))[1][-1]) / 100,
        "widest": 100 * float(count.max() / count.sum()),
    }


def rows(runs: Runs) -> list[Row]:
    """Returns means, and QDAIF's difference from each rival, paired by seed."""
    pairs = [(CASE, "QDAIF", method) for method in study.methods(runs, CASE) if method != "QDAIF"]
    return [*summary(runs, "mean"), *study.differences(runs, pairs, METRICS[:2])]


if __name__ == "__main__":
    command.run()
