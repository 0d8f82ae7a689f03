"""What the autoencoder of this study learns: how well it redraws new images, and what can be read from its code.

    qd study sparse.sight budget=quick|first|full

Trained on 1,000 images of a novelty search, tested on 500 others. ``redrawn``: 1 - squared error / variance of the light.
``place_r2``: R² of the true final position as the mean of the 10 nearest codes. ``cpu_seconds``: of one training.
"""

import time
from dataclasses import replace
from itertools import product
from pathlib import Path
from typing import Annotated

import numpy as np

from experiments import command, study
from experiments.sparse.methods import method
from experiments.sparse.tasks import TASKS, SparseTask, task
from feedback.descriptors.conv_autoencoder import ConvAutoencoder
from qd import keys
from qd.report.table import summary
from qd.search import run, start
from qd.types import Rows, Search

TRAIN_IMAGES, TEST_IMAGES, NEAREST = 1000, 500, 10
BUDGETS = {"quick": 1, "first": 3, "full": 10}  # seeds
PLAIN = ConvAutoencoder(("image",))
LEARNERS = {"ours": PLAIN, "plain pixels": replace(PLAIN, lift=0.0), "untrained": replace(PLAIN, steps=0)}


def main(budget: Annotated[str, BUDGETS] = "quick", seeds: int = 0, cases: str = "", out: str = "") -> None:
    """Does the missing runs, then writes and prints the table and draws the images of one seed; arguments as in ``study``."""
    names = study.beginning(TASKS, cases)
    folder = study.folder("stax_sight", budget, out)
    runs = study.runs(folder)
    for case, seed in product(names, range(seeds or BUDGETS[budget])):
        learners = [name for _, name, _ in study.missing(runs, product([case], LEARNERS, [seed]))]
        if not learners:
            continue
        sample = images(task(case), seed)
        for name in learners:
            picture = folder / f"{case} {name}.png".replace(" ", "_")
            study.add(runs, case, name, seed, look(LEARNERS[name], sample, seed, picture))
    study.report(folder, rows(runs), ("redrawn", "place_r2", "cpu_seconds"), 3)


rows = summary  # medians


def look(learner: ConvAutoencoder, rows: Rows, seed: int, picture: Path) -> dict[str, float]:
    """Trains twice, as a search does until its second training, and tests on images outside the training set.

    Args:
        learner: the descriptor.
        rows: with images.
        seed: of all randomness.
        picture: file of the figure.
    """
    train, test = (_part(rows, slice(0, TRAIN_IMAGES)), _part(rows, slice(TRAIN_IMAGES, None)))
    params = learner.init(keys.new(seed), train, _nothing)
    before = time.process_time()
    params = learner.fit(keys.new(seed + 100), params, train, _nothing)
    seconds = time.process_time() - before
    light = test.features["image"] / np.float32(255)
    again = learner.reconstructed(params, test.features["image"])
    if seed == 0:
        _draw(light[:12, -1], again[:12, -1], picture)
    codes, others = (np.asarray(learner(params, part.features)) for part in (train, test))
    far = ((others[:, None] - codes[None]) ** 2).sum(axis=2)
    guess = train.features["position"][np.argsort(far, axis=1)[:, :NEAREST]].mean(axis=1)
    return {
        "redrawn": _r2(again, light),
        "place_r2": _r2(guess, test.features["position"]),
        "cpu_seconds": seconds,
    }


def images(of: SparseTask, seed: int) -> Rows:
    """Samples rows uniformly from 8,000 evaluations of novelty search on ground truth.

    Args:
        of: the task.
        seed: of all randomness.
    """
    novelty = method("novelty", of)
    search = Search(of.domain, novelty.descriptor, novelty.archive, novelty.emitter, ("image", "position"), reserve=0)
    state, batch = start(search, keys.new(seed), of.domain.sample(keys.new(seed + 1), 200))
    features = [batch.evaluation.features, *(b.evaluation.features for _, b in run(search, state, 8000))]
    all_of_them = {name: np.concatenate([f[name] for f in features]) for name in ("image", "position")}
    selection = np.random.default_rng(seed).permutation(len(all_of_them["position"]))[: TRAIN_IMAGES + TEST_IMAGES]
    columns = {name: column[selection] for name, column in all_of_them.items()}
    n = len(selection)
    return Rows(np.arange(n), np.zeros((n, 1)), np.zeros(n), columns, np.ones(n, bool))


def _part(rows: Rows, which: slice) -> Rows:
    features = {name: column[which] for name, column in rows.features.items()}
    return Rows(rows.ids[which], rows.solutions[which], rows.objective[which], features, rows.valid[which])


def _r2(predictions: np.ndarray, true: np.ndarray) -> float:
    return float(1 - ((predictions - true) ** 2).sum() / ((true - true.mean(axis=0)) ** 2).sum())


def _draw(light: np.ndarray, again: np.ndarray, path: Path) -> None:
    """Draws the images above and their reconstructions below, four times as large."""
    from PIL import Image

    frame = [
        np.concatenate([np.pad(i, ((1, 1), (1, 1), (0, 0)), constant_values=0.5) for i in row], 1) for row in (light, again)
    ]
    path.parent.mkdir(parents=True, exist_ok=True)
    image = (np.concatenate(frame).repeat(4, 0).repeat(4, 1) * 255).astype(np.uint8)
    Image.fromarray(image).save(path)  # not in few colours: a small red dot would be lost


def _nothing(key: np.ndarray, n: int) -> Rows:
    raise AssertionError("an autoencoder needs no fresh solutions")


if __name__ == "__main__":
    command.run()
