"""The figure of README: pictures laid out by axes learned from 1000 answers, the best of each cell.

A learned map has no names and no orientation: an affine map aligns it with the features that the judge compared, then each
axis is spread evenly over its ranks.

    qd study qdhf.picture seed=0 out=experiments/results/qdhf/pictures.png
"""

from dataclasses import replace
from pathlib import Path

import matplotlib

matplotlib.use("Agg")
import matplotlib.pyplot as plt
import numpy as np
from matplotlib.colors import to_rgb

from domains.images import Pictures
from experiments import command
from experiments.qdhf.cases import REFITS, QDHFTask, method, task
from qd import fused, keys
from qd.archives import Grid, HostElites
from qd.emitters.vary import Gaussian, Vary
from qd.referee import aligned_r2
from qd.search import refit, start
from qd.types import Array, Rows, Search

ENDS = (("coarse", "fine"), ("lopsided", "symmetric"))  # ends of the judge's two features, which the learner does not read
ANSWERS, CELLS, SIDE, GAP = 1000, 12, 72, 3
INK, PAPER = "#d8dee9", "#14161b"


def main(seed: int = 0, out: str = "experiments/results/qdhf/pictures.png") -> None:
    """Searches, aligns the measures and draws.

    Args:
        seed: of all randomness.
        out: file of the picture.
    """
    of = replace(task("images"), domain=Pictures(spread=1.5), generations=200, batch=100)
    rows, measures = learn(of, seed)
    look = rows.features["look"]
    figure = draw(of.domain, rows, spread(align(measures, look)), aligned_r2(measures, look))
    Path(out).parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(out, dpi=100, facecolor=PAPER)
    print(f"{len(rows.ids)} elites, R² to the judge's features {aligned_r2(measures, look):.3f}: {out}")


def learn(of: QDHFTask, seed: int) -> tuple[Rows, Array]:
    """Returns elites and their learned measures [N, 2].

    Args:
        of: the task.
        seed: of all randomness.
    """
    learner = method("ours", of, ANSWERS, 0.0, seed).descriptor
    search = Search(of.domain, learner, Grid(of.dims), Vary(Gaussian(of.sigma), of.batch), of.truth.reads)
    key, sample_key = keys.split(keys.new(seed))
    state, _ = start(search, key, of.domain.sample(sample_key, of.initial))
    for share in (*REFITS, 1.0):
        for state, _ in fused.run(search, state, round(share * of.generations) * of.batch + of.initial):
            pass
        if share < 1:
            state = refit(search, state)
    elites = HostElites(state.archive)
    return elites.rows(), elites.take(np.arange(elites.size), "measures")[0]


def align(measures: Array, truth: Array) -> np.ndarray:
    """Returns the affine image of the measures that lies best on the truth [N, 2] (least squares).

    Args:
        measures: [N, 2] learned.
        truth: [N, 2].
    """
    x = np.column_stack([measures, np.ones(len(measures))])
    return x @ np.linalg.lstsq(x, truth, rcond=None)[0]


def spread(measures: np.ndarray) -> np.ndarray:
    """Returns each axis by rank, in 0..1."""
    return np.argsort(np.argsort(measures, axis=0), axis=0) / len(measures)


def draw(domain, rows: Rows, place: np.ndarray, likeness: float):
    """Returns a figure: the best picture of each of CELLS x CELLS cells of places in 0..1.

    Args:
        domain: that renders solutions.
        rows: elites.
        place: [N, 2] in 0..1.
        likeness: share of the truth's variance that the measures explain.
    """
    cells = (place * CELLS).astype(int)
    best = {(int(cells[i, 0]), int(cells[i, 1])): int(i) for i in np.argsort(rows.objective)}
    images = np.asarray(domain.draw(rows.solutions[list(best.values())], SIDE))
    step = SIDE + GAP
    sheet = np.tile(np.array(to_rgb(PAPER), np.float32), (CELLS * step, CELLS * step, 1))
    for (column, row), image in zip(best, images, strict=True):
        top, left = (CELLS - 1 - row) * step, column * step
        sheet[top : top + SIDE, left : left + SIDE] = image
    size = CELLS * step / 100
    figure = plt.figure(figsize=(size + 0.5, size + 0.9))
    width, height = figure.get_size_inches()
    axes = figure.add_axes((0.4 / width, 0.4 / height, size / width, size / height))
    axes.imshow(sheet, interpolation="nearest")
    axes.axis("off")
    text = {"color": INK, "fontsize": 15, "family": "DejaVu Sans"}
    for at, which in ((0.0, 0), (1.0, 1)):
        side = ("left", "right")[which]
        arrow = (f"← {ENDS[0][0]}", f"{ENDS[0][1]} →")[which]
        axes.text(at, -0.012, arrow, transform=axes.transAxes, ha=side, va="top", **text)
        up = (f"← {ENDS[1][0]}", f"{ENDS[1][1]} →")[which]
        axes.text(-0.012, at, up, transform=axes.transAxes, ha="right", va=("bottom", "top")[which], rotation=90, **text)
    title = f"Learned from {ANSWERS} answers to “which is more like this one?”   R² {likeness:.2f}"
    axes.text(0, 1.012, title, transform=axes.transAxes, ha="left", va="bottom", **text)
    return figure


if __name__ == "__main__":
    command.run()
