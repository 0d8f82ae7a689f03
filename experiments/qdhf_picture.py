"""The figure of README: pictures laid out by axes learned from 200 answers, each cell's best.

python -m experiments.qdhf_picture seed=0 out=experiments/results/qdhf/pictures.png
"""

import sys
from dataclasses import replace
from pathlib import Path

import matplotlib

matplotlib.use("Agg")
import matplotlib.pyplot as plt
import numpy as np

from experiments.qdhf import RELEARN
from experiments.qdhf_cases import method, task
from qd import fused, keys
from qd.archives import Grid, HostElites
from qd.emitters.vary import Gaussian, Vary
from qd.referee import aligned_r2
from qd.search import relearn, start
from qd.types import Rows, Search

NAMES = ("fine", "symmetric")  # what the judge saw; the learner was never told
CELLS, SIDE = 12, 64


def main(seed: str = "0", out: str = "experiments/results/qdhf/pictures.png") -> None:
    """Searches, lays out, draws."""
    of = replace(task("images"), generations=200, batch=100)
    learner = method("ours", of, 200, 0.0, int(seed)).descriptor
    search = Search(of.domain, learner, Grid(of.dims), Vary(Gaussian(of.sigma), of.batch), of.truth.reads)
    key, sample_key = keys.split(keys.new(int(seed)))
    state, _ = start(search, key, of.domain.sample(sample_key, of.initial))
    for share in (*RELEARN, 1.0):
        for state, _ in fused.run(search, state, round(share * of.generations) * of.batch + of.initial):
            pass
        if share < 1:
            state = relearn(search, state)
    elites = HostElites(state.archive)
    (measures,) = elites.take(np.arange(elites.size), "measures")
    figure = drawn(of.domain, elites.rows(), measures)
    Path(out).parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(out, dpi=100)
    print(f"{elites.size} elites, R² to what the judge saw {aligned_r2(measures, elites.rows().features['look']):.3f}: {out}")


def drawn(domain, rows: Rows, measures: np.ndarray):
    """Returns a figure: the best picture of each of CELLS x CELLS cells of the learned map."""
    place = np.clip(((measures + 1) / 2 * CELLS).astype(int), 0, CELLS - 1)
    sheet = np.ones((CELLS * SIDE, CELLS * SIDE, 3), np.float32)
    best: dict[tuple[int, int], int] = {}
    for i in np.argsort(rows.objective):
        best[int(place[i, 0]), int(place[i, 1])] = int(i)
    images = np.asarray(domain.draw(rows.solutions[list(best.values())], SIDE))
    for (column, row), image in zip(best, images, strict=True):
        top = (CELLS - 1 - row) * SIDE
        sheet[top : top + SIDE, column * SIDE : (column + 1) * SIDE] = image
    figure, axes = plt.subplots(figsize=(8.2, 8.2), layout="constrained")
    axes.imshow(sheet, extent=(-1, 1, -1, 1), interpolation="nearest")
    axes.set_xlabel(_label(measures[:, 0], rows, "first"))
    axes.set_ylabel(_label(measures[:, 1], rows, "second"))
    axes.set_xticks([])
    axes.set_yticks([])
    return figure


def _label(axis: np.ndarray, rows: Rows, which: str) -> str:
    correlations = [np.corrcoef(axis, column)[0, 1] for column in rows.features["look"].T]
    told = ", ".join(f"{name} {r:+.2f}" for name, r in zip(NAMES, correlations, strict=True))
    return f"{which} learned axis (correlation with what the judge saw: {told})"


if __name__ == "__main__":
    main(**dict(argument.split("=", 1) for argument in sys.argv[1:]))
