"""What the autoencoder of this study sees: what it redraws of images it was not trained on, and what its code tells.

    qd study sparse.sight budget=quick|first|full

On 1,000 images of a novelty search and 500 others: the share of what varies that is redrawn (1 - squared error / variance,
in light), how well the end's true place is read from the code (R² of the mean of the 10 nearest), seconds of a processor.
"""

import time
from dataclasses import replace
from itertools import product
from pathlib import Path
from typing import Annotated

import numpy as np

from experiments import command, study
from experiments.sparse.methods import method
from experiments.sparse.tasks import TASKS, Task, task
from feedback.descriptors.conv_autoencoder import ConvAutoencoder
from qd import keys
from qd.report.table import summary
from qd.search import run, start
from qd.types import Rows, Search

TRAINED, HELD, NEAREST = 1000, 500, 10
BUDGETS = {"quick": 1, "first": 3, "full": 10}  # seeds
PLAIN = ConvAutoencoder(("image",))
LEARNERS = {"ours": PLAIN, "plain pixels": replace(PLAIN, lift=0.0), "untrained": replace(PLAIN, steps=0)}


def main(budget: Annotated[str, BUDGETS] = "quick", seeds: int = 0, cases: str = "", out: str = "") -> None:
    """Runs what is missing, then writes and prints the table and draws the images of one seed."""
    selected = study.beginning(TASKS, cases)
    folder = study.folder("stax_sight", budget, out)
    runs = study.runs(folder)
    for case, seed in product(selected, range(seeds or BUDGETS[budget])):
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
    """Trains twice, as a search would by its second training, and judges by images that it was not shown."""
    shown, held = (_part(rows, slice(0, TRAINED)), _part(rows, slice(TRAINED, None)))
    params = learner.init(keys.new(seed), shown, _nothing)
    before = time.process_time()
    params = learner.fit(keys.new(seed + 100), params, shown, _nothing)
    seconds = time.process_time() - before
    light = held.features["image"] / np.float32(255)
    again = learner.reconstructed(params, held.features["image"])
    if seed == 0:
        _draw(light[:12, -1], again[:12, -1], picture)
    codes, others = (np.asarray(learner(params, part.features)) for part in (shown, held))
    far = ((others[:, None] - codes[None]) ** 2).sum(axis=2)
    guess = shown.features["position"][np.argsort(far, axis=1)[:, :NEAREST]].mean(axis=1)
    return {
        "redrawn": _r2(again, light),
        "place_r2": _r2(guess, held.features["position"]),
        "cpu_seconds": seconds,
    }


def images(of: Task, seed: int) -> Rows:
    """Rows drawn evenly from 8,000 evaluations of novelty search on the truth."""
    chosen = method("novelty", of)
    search = Search(of.domain, chosen.descriptor, chosen.archive, chosen.emitter, ("image", "position"), reserve=0)
    state, batch = start(search, keys.new(seed), of.domain.sample(keys.new(seed + 1), 200))
    features = [batch.evaluation.features, *(b.evaluation.features for _, b in run(search, state, 8000))]
    all_of_them = {name: np.concatenate([f[name] for f in features]) for name in ("image", "position")}
    kept = np.random.default_rng(seed).permutation(len(all_of_them["position"]))[: TRAINED + HELD]
    columns = {name: column[kept] for name, column in all_of_them.items()}
    n = len(kept)
    return Rows(np.arange(n), np.zeros((n, 1)), np.zeros(n), columns, np.ones(n, bool))


def _part(rows: Rows, which: slice) -> Rows:
    features = {name: column[which] for name, column in rows.features.items()}
    return Rows(rows.ids[which], rows.solutions[which], rows.objective[which], features, rows.valid[which])


def _r2(predicted: np.ndarray, true: np.ndarray) -> float:
    return float(1 - ((predicted - true) ** 2).sum() / ((true - true.mean(axis=0)) ** 2).sum())


def _draw(light: np.ndarray, again: np.ndarray, path: Path) -> None:
    """Above what was shown, below what was redrawn, four times as large."""
    from PIL import Image

    frame = [
        np.concatenate([np.pad(i, ((1, 1), (1, 1), (0, 0)), constant_values=0.5) for i in row], 1) for row in (light, again)
    ]
    path.parent.mkdir(parents=True, exist_ok=True)
    image = (np.concatenate(frame).repeat(4, 0).repeat(4, 1) * 255).astype(np.uint8)
    Image.fromarray(image).save(path)  # not in few colours: a small red dot would be lost


def _nothing(key: np.ndarray, n: int) -> Rows:
    raise AssertionError("an autoencoder asks for nothing fresh")


if __name__ == "__main__":
    command.run()
