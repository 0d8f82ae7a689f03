"""Methods compared over seeds by ground truth: which learned measures lay out where an arm's gripper ends?

    python examples/compare_methods.py

Searches that learn their measures fill different maps, so that their own scores cannot be compared. The referee is a second
archive, of the ground truth, which no search uses.
"""

import numpy as np

import qd
from domains.arm import Arm
from feedback.descriptors.pca import PCA
from feedback.descriptors.random_projection import RandomProjection
from feedback.descriptors.select import Select
from qd.archives import Grid, HostElites
from qd.emitters import IsoLine, Vary

SEEDS, BUDGET = 3, 10_000
truth = Select("gripper", bounds=((-1, 1), (-1, 1)))
referee = qd.referee.Referee(truth, Grid((50, 50)))
methods = {
    "ground truth": truth,  # the upper bound
    "PCA": PCA(reads=("angles",)),
    "random projection": RandomProjection(reads=("angles",)),
}


def coverage(descriptor, seed):
    """Returns the coverage (%) of the ground truth by the final elites."""
    search = qd.Search(Arm(10), descriptor, Grid((50, 50)), Vary(IsoLine(), batch_size=256), keep=referee.keep)
    key, sample_key = qd.keys.split(qd.keys.new(seed))
    state, batch = qd.start(search, key, search.domain.sample(sample_key, 256))
    bench = referee.open(batch)
    bench.add(batch)
    for state, batch in qd.run(search, state, until=BUDGET):
        bench.add(batch)
    return bench.scores(HostElites(state.archive))["coverage_current"]


for name, descriptor in methods.items():
    results = [coverage(descriptor, seed) for seed in range(SEEDS)]
    print(f"{name:18} coverage {np.median(results):5.1f} %   from {min(results):.1f} to {max(results):.1f} over {SEEDS} seeds")
