"""The texts that the study of QDAIF kept, scored again by the held-out judge without a scale that comes from the guiding judge.

    qd study qdaif.unscaled

The held-out judge of ``experiments/qdaif/study.py`` is scaled so that on nine texts it agrees with the guiding judge in mean
and spread, and its cells are the map's own. Here its places are MiniLM's as they are, and its ten cells hold equal shares of
the 1,020 distinct texts that all methods wrote in 100 iterations. *current*: the best text of each cell of the map by the
guiding judge; *all*: all texts. Needs no language model, but `qd fetch minilm`.
"""

from typing import NamedTuple

from experiments import command, study
from experiments.qdaif.held_out import TICKS, Ruler, ruler
from experiments.qdaif.scores import elite_texts, read_logs
from qd.report.table import Row, Runs, summary
from qd.support.errors import UserError

CASE, DOMAIN = "opinions, 100 iterations", "opinions"
METHODS = ("QDAIF", "fixed few-shot", "random search", "NSAIF", "quality only")
BORDERS = (0.494, 0.591, 0.688, 0.752, 0.796, 0.836, 0.859, 0.881, 0.902)  # deciles of MiniLM's places of those texts
SCORES = ("unscaled_qd_score", "unscaled_coverage", "unscaled_qd_score_all")


class TextScores(NamedTuple):
    """Scores of the texts of one run, in per cent."""

    unscaled_qd_score: float
    unscaled_coverage: float
    unscaled_qd_score_all: float


def main(out: str = "") -> None:
    """Scores what is missing, then writes and prints the table.

    Args:
        out: folder of the results; empty: the default one.
    """
    texts, folder = study.folder("qdaif"), study.folder("qdaif_unscaled", out=out)
    runs = study.runs(folder)
    logs = {(CASE, method, seed): lines for method in METHODS for seed, lines in enumerate(read_logs(texts, CASE, method))}
    judge = None
    for key in study.missing(runs, logs):
        judge = judge or without_scale(ruler(DOMAIN))
        study.add(runs, *key, score(judge, logs[key])._asdict(), SCORES)
    study.report(folder, rows(runs), SCORES, 1, ("numpy", "onnxruntime"))


def without_scale(judge: Ruler | None) -> Ruler:
    """Returns the held-out judge with MiniLM's own places and cells of equal shares.

    Args:
        judge: the scaled one; None where MiniLM is missing.

    Raises:
        UserError: MiniLM is missing.
    """
    if judge is None:
        raise UserError("the held-out judge needs MiniLM", "type qd fetch minilm")
    axes = tuple(axis._replace(slope=1.0, offset=0.0) for axis in judge.axes)
    return judge._replace(axes=axes, ticks=(BORDERS,))


def score(judge: Ruler, lines: list) -> TextScores:
    """Scores one run.

    Args:
        judge: without a scale.
        lines: of the run's log.
    """
    elites, cells = elite_texts(lines, TICKS[DOMAIN]), len(BORDERS) + 1
    every = [line["text"] for line in lines if line["text"]]
    return TextScores(judge.qd_score(elites, cells), 100 * len(judge.fill(elites)) / cells, judge.qd_score(every, cells))


def rows(runs: Runs) -> list[Row]:
    """Returns means, and QDAIF's difference from each rival, paired by seed."""
    pairs = [(CASE, "QDAIF", method) for method in study.methods(runs, CASE) if method != "QDAIF"]
    return [*summary(runs, "mean"), *study.differences(runs, pairs, SCORES[:1])]


if __name__ == "__main__":
    command.run()
