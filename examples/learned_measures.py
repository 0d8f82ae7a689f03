"""Learned measures: an autoencoder of what the elites look like, refitted during the search (AURORA, Cully 2019).

    python examples/learned_measures.py

The descriptor reads the pose of an arm, 20 numbers, and learns two measures of it. Refits stand between the segments of a
search, in the open. PCA(reads=("angles",)) learns the same in its linear form.
"""

import qd
from domains.arm import Arm
from feedback.descriptors.autoencoder import Autoencoder
from qd.archives import Grid
from qd.emitters import IsoLine, Vary

autoencoder = Autoencoder(reads=("angles",), hidden=(32,), steps=500)
search = qd.Search(Arm(joints=10), autoencoder, Grid((30, 30)), Vary(IsoLine(), batch_size=256))
state, _ = qd.start(search, qd.keys.new(0), search.domain.sample(qd.keys.new(1), 256))  # trained on these, for the first time

for refit_at in (5_000, 10_000):
    for state, batch in qd.run(search, state, until=refit_at):
        pass
    before = len(state.archive)
    state = qd.refit(search, state)  # trains, describes all elites again, and fills the archive with them
    print(f"refit at {state.evaluations:,} evaluations: {before} elites before, {len(state.archive)} after")
for state, batch in qd.run(search, state, until=20_000):
    pass
print(f"{state.evaluations:,} evaluations: {len(state.archive)} elites, best {state.archive.stats.obj_max:.1f}")
