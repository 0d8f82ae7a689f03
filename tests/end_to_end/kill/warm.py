"""Compiles pyribs' Numba functions when imported, once for all processes forked afterwards (10 s each otherwise)."""

import numpy as np

from qd import archives, keys
from qd.archives import HostElites
from qd.types import Batch, Evaluation, Rows
from tests.end_to_end.kill import cases
from tests.end_to_end.kill.cases import Case

_BOUNDS = ((-1.0, 1.0), (-1.0, 1.0))


def _warm(case: Case, generations: int = 3) -> None:
    search = cases.assemble(case).search
    rng = np.random.default_rng(0)
    solutions = rng.normal(size=(64, 10)).astype(np.float32)
    rows = Rows(np.arange(64), solutions, solutions.mean(1), {}, np.ones(64, bool))
    archive = search.archive.open(rows, _BOUNDS, (), 0)
    archives.insert(archive, rows.ids, rows.solutions, rows.objective, solutions[:, :2], {})
    memory = search.emitter.init(keys.new(0), HostElites(archive))
    for generation in range(generations):
        memory, offspring = search.emitter.ask(keys.new(generation), memory, HostElites(archive))
        x = offspring.solutions
        added = archives.insert(archive, np.arange(len(x)), x, x.mean(1), x[:, :2], {})
        none = np.zeros((len(x), 0), np.int64)
        batch = Batch(generation, np.arange(len(x)), none, x, Evaluation(x.mean(1), {}), x[:, :2], {}, **added)
        memory = search.emitter.tell(memory, batch)


for _emitter in ("cma_me", "cma_mae"):
    _warm(Case("arm", _emitter, "grid"))
